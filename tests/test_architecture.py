"""The floors of the house, read from every import. docs/architecture.md draws what is checked here."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cline_cli"
EVERYBODYS = {"", "errors", "redaction", "text"}
ROOMS = {
    "agent": set[str](),
    "policy": {"agent.messages"},
    "environment": set[str](),
    "machine": {"environment"},
    "network": {"environment"},
    "config": {"environment", "machine.bell", "machine.files"},
    "catalog": {"config.paths", "machine.files", "network"},
    "workspace": {"machine", "config"},
    "providers": {
        "agent.messages",
        "agent.provider",
        "agent.tool",
        "network",
        "catalog",
        "machine.process",
        "config.paths",
    },
    "tools": {"agent.messages", "agent.tool", "machine", "network", "workspace"},
    "schema": {"agent.answer", "agent.messages"},
    "session": {"agent.events", "agent.messages", "agent.repair", "config.paths", "machine.files"},
    "frontends": {
        "agent.approval",
        "agent.events",
        "agent.messages",
        "agent.provider",
        "agent.tool",
        "policy",
        "environment",
        "machine.output",
    },
    "app": {
        "agent",
        "policy",
        "environment",
        "machine",
        "network",
        "config",
        "catalog",
        "workspace",
        "providers",
        "schema",
        "session",
        "tools",
    },
    "conversation": {"agent", "app", "config.paths", "environment"},
    "argv": {"commands"},
    "commands": {
        "agent",
        "app",
        "argv",
        "conversation",
        "policy",
        "environment",
        "machine",
        "network",
        "config",
        "catalog",
        "workspace",
        "providers",
        "schema",
        "session",
        "tools",
        "frontends",
    },
    "__main__": {"argv", "commands", "environment"},
}
THIRD_PARTIES = {
    "httpx": {"network"},
    "truststore": {"network"},
    "rich": {"frontends.console", "commands._tables"},
    "markdown_it": {"frontends.console", "session"},
    "typer": {"commands"},
    "keyring": {"config"},
    "prompt_toolkit": {"frontends.console", "frontends._edit_line"},
    "platformdirs": {"config"},
    "tomlkit": {"config"},
    "jsonschema": {"schema"},
    "bs4": {"tools"},
    "markdownify": {"tools"},
    "pathspec": {"workspace"},
    "yaml": {"workspace"},
    "referencing": {"schema"},
    "xllamacpp": {"providers"},
}
IMPORTED_AS = {"beautifulsoup4": "bs4", "pyyaml": "yaml"}
ATTICS = {"core", "common", "utils", "util", "helpers", "manager", "base", "misc"}
CONDUCTORS = {"run", "_iterate", "_act"}
"""They lead from asking to running; every other function of the loop does one of the two at most."""
CATCHES_EVERYTHING = {"agent.loop", "__main__", "config._keyring"}
"""Where the faults of others end: a tool's, everybody's, and those of a keyring's foreign code."""

FILES = sorted(PACKAGE.rglob("*.py"))


def name_of(file: Path) -> str:
    parts = file.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    return module.partition(".")[0]


def imports_of(file: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: a relative import"
            module = node.module or ""
            is_room = (PACKAGE.parent / Path(*module.split("."))).is_dir() and module.startswith("cline_cli")
            for alias in node.names:
                inner = PACKAGE.parent / Path(*module.split(".")) / alias.name
                is_module = inner.with_suffix(".py").is_file() or inner.is_dir()
                yield (f"{module}.{alias.name}" if is_room and is_module else module), node.lineno


def may_import(importer: str, imported: str) -> bool:
    room = room_of(importer)
    if imported in EVERYBODYS or room_of(imported) == room:
        return True
    return any(imported == allowed or imported.startswith(f"{allowed}.") for allowed in ROOMS[room])


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_module_imports_only_from_the_floors_below(file: Path) -> None:
    importer = name_of(file)
    if importer in EVERYBODYS:
        allowed: set[str] = set()
        found = {name for name, _ in imports_of(file) if name.startswith("cline_cli")}
        assert found <= allowed, f"{importer} is everybody's and may import nothing of ours"
        return
    wrong = [
        f"{file}:{line}: {importer} imports {name}"
        for name, line in imports_of(file)
        if name.startswith("cline_cli") and not may_import(importer, name.removeprefix("cline_cli").lstrip("."))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_third_party_is_imported_only_in_its_room(file: Path) -> None:
    importer = name_of(file)
    for name, line in imports_of(file):
        party = name.split(".")[0]
        rooms = THIRD_PARTIES.get(party)
        if rooms is not None:
            is_home = any(importer == room or importer.startswith(f"{room}.") for room in rooms)
            assert is_home, f"{file}:{line}: {importer} imports {name}"


def test_the_agent_imports_nothing_but_the_standard_library() -> None:
    import sys  # lazy: the list of the standard library is wanted here only

    for file in (PACKAGE / "agent").glob("*.py"):
        for name, line in imports_of(file):
            party = name.split(".")[0]
            assert party == "cline_cli" or party in sys.stdlib_module_names, f"{file}:{line}: {name}"
            assert party not in {"os", "pathlib", "subprocess", "socket"}, f"{file}:{line}: {name}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_an_import_inside_a_function_says_what_it_saves(file: Path) -> None:
    source = file.read_text("utf-8")
    lines = source.splitlines()
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                near = "\n".join(lines[max(0, node.lineno - 2) : node.end_lineno])
                assert "# lazy:" in near, f"{file}:{node.lineno}: {lines[node.lineno - 1].strip()}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_everything_is_caught_only_where_faults_of_others_end(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if not isinstance(node, ast.ExceptHandler):
            continue
        names = (
            {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)} if node.type else {"BaseException"}
        )
        if name_of(file) in CATCHES_EVERYTHING:
            continue
        assert "Exception" not in names, f"{file}:{node.lineno} catches everything"
        if "BaseException" in names:
            is_passed_on = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            assert is_passed_on, f"{file}:{node.lineno} catches even what ends the program, and does not pass it on"


def test_no_modules_import_one_another_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for file in FILES:
        importer = name_of(file)
        targets = graph.setdefault(importer, set())
        targets |= {name.removeprefix("cline_cli").lstrip(".") for name, _ in imports_of(file) if "cline_cli" in name}

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"a circle: {' -> '.join((*path, module))}"
        for target in graph.get(module, set()) - {module, ""}:
            if target in graph and target not in visited:
                visit(target, (*path, module))
        visited.add(module)

    visited: set[str] = set()
    for module in graph:
        visit(module, ())


def test_no_room_is_an_attic() -> None:
    names = {part for file in FILES for part in name_of(file).split(".")}
    assert not names & ATTICS


def test_asking_a_model_and_running_a_tool_are_apart() -> None:
    tree = ast.parse((PACKAGE / "agent" / "loop.py").read_text("utf-8"))
    functions = {
        node.name: ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name not in CONDUCTORS
    }

    def reaches(name: str, what: str, seen: frozenset[str] = frozenset()) -> bool:
        called = {other for other in functions if re.search(rf"\b{other}\(", functions[name])} - seen - {name}
        return what in functions[name] or any(reaches(other, what, seen | {name}) for other in called)

    asking = {name for name in functions if reaches(name, "provider.stream(")}
    running = {name for name in functions if reaches(name, "tool.run(")}
    assert asking == {"_ask"}
    assert running == {"_run_tools", "_carry_out"}


def test_modules_stay_readable_in_one_sitting() -> None:
    sizes = {name_of(file): len(file.read_text("utf-8").splitlines()) for file in FILES}
    assert not {name: lines for name, lines in sizes.items() if lines > 400}


def test_every_third_party_that_is_imported_is_declared() -> None:
    import sys  # lazy: as above
    import tomllib  # lazy: for this comparison only

    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["local"]]
    names = {re.split(r"[<>=\[]", requirement)[0] for requirement in declared}
    names = {IMPORTED_AS.get(name, name).replace("-py", "").replace("-", "_") for name in names}
    imported = {name.split(".")[0] for file in FILES for name, _ in imports_of(file)}
    assert imported - set(sys.stdlib_module_names) - {"cline_cli"} == names
    assert names == set(THIRD_PARTIES)
