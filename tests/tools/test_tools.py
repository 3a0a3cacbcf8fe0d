from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.agent.tool import ToolError
from cline_cli.tools import TOOLS, Toolbox, Workplace, build_tools
from cline_cli.tools._old_names import OLD_NAMES
from cline_cli.workspace.confinement import confine

NAMES = sorted({*TOOLS, *OLD_NAMES})
READING = ["read_files", "search_codebase", "list_files"]
KINDS = frozenset({"command", "edit", "fetch"})


def toolbox(folder: Path, kinds: frozenset[str] = KINDS, *, edits_by: str = "editor", asks: bool = False) -> Toolbox:
    question = nobody if asks else None
    workplace = Workplace(confine(folder), dict(os.environ), question=question)
    return build_tools(workplace, kinds.__contains__, edits_by=edits_by)


async def nobody(question: str, options: tuple[str, ...]) -> str:
    return ""


def test_every_name_is_understood_and_few_are_offered(tmp_path: Path) -> None:
    box = toolbox(tmp_path)
    assert sorted(box.tools) == NAMES
    assert [spec.name for spec in box.offered] == [*READING, "run_commands", "editor", "fetch_web_content"]


@pytest.mark.parametrize(
    ("kinds", "edits_by", "asks", "offered"),
    [
        (frozenset[str](), "editor", False, []),
        (frozenset({"command"}), "editor", False, ["run_commands"]),
        (frozenset({"edit"}), "apply_patch", False, ["apply_patch"]),
        (frozenset({"fetch"}), "editor", True, ["fetch_web_content", "ask_question"]),
    ],
)
def test_what_cannot_work_now_is_not_offered_and_understood_all_the_same(
    tmp_path: Path, kinds: frozenset[str], edits_by: str, asks: bool, offered: list[str]
) -> None:
    box = toolbox(tmp_path, kinds, edits_by=edits_by, asks=asks)
    assert [spec.name for spec in box.offered] == [*READING, *offered]
    assert sorted(box.tools) == NAMES


def test_the_table_and_the_specs_say_the_same(tmp_path: Path) -> None:
    for name, tool in toolbox(tmp_path).tools.items():
        own = OLD_NAMES[name][0] if name in OLD_NAMES else name
        assert (tool.spec.name, tool.spec.effect) == (own, tool.spec.effect)
        assert (tool.spec.effect == "changes") is (TOOLS[own].kind is not None)


def test_the_specs_are_small_and_closed(tmp_path: Path) -> None:
    offered = toolbox(tmp_path).offered
    sent = [{"name": spec.name, "description": spec.description, "parameters": spec.parameters} for spec in offered]
    assert len(json.dumps(sent)) < 4_000
    for spec in offered:
        assert spec.parameters["type"] == "object"
        assert spec.parameters["additionalProperties"] is False


JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(
    "files paths path file_path start_line queries regex file_pattern commands command cmd args timeout cwd old_text"
    " new_text insert_line edits diff old new content recursive result summary".split()
)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None)
@given(arguments=st.dictionaries(KEYS, JSON, max_size=4))
def test_any_arguments_are_summed_up_in_a_line_and_understood_or_refused(name: str, arguments: JsonObject) -> None:
    tool = toolbox(Path("/")).tools[name]
    assert len(tool.summary(arguments).splitlines()) == 1
    try:
        normal = tool.normalize(arguments)
    except ToolError as error:
        assert str(error)  # noqa: PT017  # any is good
        return
    assert tool.normalize(normal) == normal
    json.dumps(normal)


@pytest.mark.parametrize("name", NAMES)
def test_no_arguments_are_refused_or_listed(name: str, tmp_path: Path) -> None:
    tool = toolbox(tmp_path).tools[name]
    if name == "list_files":
        assert not asyncio.run(tool.run({}, lambda text: None)).is_error
    else:
        with pytest.raises(ToolError):
            asyncio.run(tool.run({}, lambda text: None))
