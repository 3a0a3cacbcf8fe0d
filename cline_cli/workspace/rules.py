"""Rules: what a project and its user want of whoever works on it, in prose for the model.

    of the project    .clinerules (a file, or a folder of .md, .markdown, .txt), .cline/rules/, CLAUDE.md, .cursorrules,
                      .windsurfrules, and last AGENTS.md of the repository and of the folders down to this one
    of the user       ~/.cline/rules/, ~/Documents/Cline/Rules/, ~/.agents/AGENTS.md

A file may begin with YAML between lines of ---: `disabled: true` leaves it out, and with `paths: [src/**/*.ts]` it
holds for those files only: it is told in full where the prompt is about one of them, and else by its name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cline_cli.machine.files import open_regular

MAX_FILE_BYTES = 32_000
MAX_TOTAL_BYTES = 64_000
MAX_FILES = 100
_ENDINGS = frozenset({".md", ".markdown", ".txt"})
_FRONT = re.compile(r"---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)


class Rule(NamedTuple):
    name: str
    """For the model and the person: its path in the project, or below `~`."""
    text: str
    paths: tuple[str, ...] = ()
    """Patterns, as git ignores files by them; none where it always holds."""


class Rules(NamedTuple):
    told: tuple[Rule, ...] = ()
    """What holds in this run."""
    named: tuple[Rule, ...] = ()
    """What holds for certain files only, none of which the prompt is about."""
    notices: tuple[str, ...] = ()
    """What was left out, and why."""


def find_rules(workspace: Path, home: Path | None, about: Sequence[str] = ()) -> Rules:
    """Return the rules for a folder, a real path; `about` are the paths that the prompt is about."""
    told: list[Rule] = []
    named: list[Rule] = []
    notices: list[str] = []
    seen: set[str] = set()
    room = MAX_TOTAL_BYTES
    for place, root, name in _list_places(workspace, home):
        rule = _read(place, root, name, notices)
        if rule is None or rule.text in seen:  # CLAUDE.md often is AGENTS.md again
            continue
        seen.add(rule.text)
        if rule.paths and not _matches(rule.paths, about):
            named.append(rule)
            continue
        room -= len(rule.text.encode("utf-8", "replace"))
        if room < 0:
            notices.append(f"{name} is left out: the rules have more than {MAX_TOTAL_BYTES:,} bytes")
            continue
        told.append(rule)
    return Rules(tuple(told), tuple(named), tuple(notices))


def find_root(workspace: Path) -> Path:
    """Return the top of the repository that a folder lies in; the folder itself where it lies in none."""
    return next((one for one in (workspace, *workspace.parents) if os.path.lexists(one / ".git")), workspace)


def _list_places(workspace: Path, home: Path | None) -> Iterator[tuple[Path, Path, str]]:
    """Yield the files there are, each with the folder that it must not lead out of, and its name."""
    root = find_root(workspace)
    found: list[tuple[Path, Path, str]] = []
    for name in (".clinerules", ".cline/rules", "CLAUDE.md", ".cursorrules", ".windsurfrules"):
        found += [(path, root, str(path.relative_to(root))) for path in _list_files(root / name)]
    if home:
        for name in (".cline/rules", "Documents/Cline/Rules"):
            found += [(path, home, f"~/{path.relative_to(home)}") for path in _list_files(home / name)]
    yield from sorted(found, key=lambda one: one[2])[:MAX_FILES]
    if home:
        yield home / ".agents/AGENTS.md", home, "~/.agents/AGENTS.md"
    between = [one for one in (workspace, *workspace.parents) if one.is_relative_to(root)]
    for folder in reversed(between):
        path = folder / "AGENTS.md"
        yield path, root, str(path.relative_to(root))


def _list_files(place: Path) -> list[Path]:
    """Return the file, or the files of the folder and of those in it that hold nothing else."""
    if place.is_file():
        return [place]
    try:
        entries = sorted(place.iterdir())
    except OSError:
        return []
    files = [entry for entry in entries if entry.suffix.lower() in _ENDINGS and not entry.is_dir()]
    inner = [one for entry in entries if entry.is_dir() for one in _list_files(entry) if _is_for_rules(entry)]
    return files + inner


def _is_for_rules(folder: Path) -> bool:
    return folder.name not in {"workflows", "skills", "hooks", "agents", "plugins"} and not folder.is_symlink()


def _read(place: Path, root: Path, name: str, notices: list[str]) -> Rule | None:
    """Return a rule; None where there is none, or it does not hold."""
    real = Path(os.path.realpath(place))
    if not os.path.lexists(place):
        return None
    if not real.is_relative_to(os.path.realpath(root)):
        notices.append(f"{name} is not read: it leads out of {root}")
        return None
    try:
        with os.fdopen(open_regular(real), "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        notices.append(f"{name} is not read: {error.strerror or error}")
        return None
    text = data[:MAX_FILE_BYTES].decode("utf-8-sig", "replace")
    if len(data) > MAX_FILE_BYTES:
        notices.append(f"of {name} only the first {MAX_FILE_BYTES:,} bytes are told")
    front = _FRONT.match(text)
    about = _read_front(front[1], name, notices) if front else {}
    body = (text[front.end() :] if front else text).strip()
    if not body or about.get("disabled") is True:
        return None
    return Rule(name, body, _to_patterns(about.get("paths", about.get("globs"))))


def _read_front(text: str, name: str, notices: list[str]) -> dict[str, object]:
    import yaml  # lazy: 15 ms, and few rules have it

    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError):
        notices.append(f"{name} begins with YAML that cannot be read; it holds for all files")
        return {}
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def _to_patterns(given: object) -> tuple[str, ...]:
    items = given.split(",") if isinstance(given, str) else given if isinstance(given, list) else ()
    return tuple(item.strip() for item in items if isinstance(item, str) and item.strip())


def _matches(patterns: Sequence[str], about: Sequence[str]) -> bool:
    if not about:
        return False
    from pathspec import GitIgnoreSpec  # lazy: 10 ms, as above

    try:
        spec = GitIgnoreSpec.from_lines(patterns)
    except ValueError:
        return True
    return any(spec.match_file(path) for path in about)
