from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Scope, Tool, ToolError
from cline_cli.commands._approving import Approving
from cline_cli.commands._asked import Fate
from cline_cli.commands._changes import Changes
from cline_cli.errors import ClineError
from cline_cli.frontends._answering import commands_of, with_commands
from cline_cli.policy.decide import Policy
from cline_cli.policy.rules import Rules, parse_rule
from cline_cli.workspace.checkpoint import read_records
from tests.fakes import FakeTool

RUN = FakeTool("run_commands", effect="changes", touches=Scope(commands=("npm test -- -u",)))
READ = FakeTool("run_commands", effect="changes", touches=Scope(commands=("ls -la",)))
EDIT = FakeTool("editor", effect="changes", touches=Scope(edits=("a.txt",)))
LOOK = FakeTool("read_files")
KEPT = Fate()


@dataclass
class Person:
    answer: Allow | Deny
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    async def ask(self, tool: Tool, arguments: JsonObject, patterns: tuple[str, ...]) -> Allow | Deny:
        self.asked.append((tool.spec.name, patterns))
        return self.answer

    async def tell(self, text: str) -> None:
        self.told.append(text)


def approving(
    folder: Path, person: Person, fate: Fate = KEPT, *, place: Path | None = None, is_interactive: bool = True
) -> Approving:
    policy = Policy(is_interactive=is_interactive, leads_outside=lambda path: path.startswith("/"))
    changes = Changes(folder, fate, "1_aaaaa", {"PATH": "/usr/bin:/bin"}, lambda: place)
    return Approving(policy, changes, person.ask, person.tell)


def answer(made: Approving, *tools: FakeTool) -> list[Allow | Deny]:
    async def go() -> list[Allow | Deny]:
        return [await made(tool, {}) for tool in tools]

    return asyncio.run(go())


def test_what_only_reads_is_not_asked_for(tmp_path: Path) -> None:
    person = Person(Deny("no"))
    assert answer(approving(tmp_path, person), LOOK, READ) == [Allow({}), Allow({})]
    assert person.asked == []


def test_what_changes_something_is_asked_for_with_what_always_would_allow(tmp_path: Path) -> None:
    person = Person(Deny("no"))
    assert answer(approving(tmp_path, person), RUN, EDIT) == [Deny("no"), Deny("no")]
    assert person.asked == [("run_commands", ("npm test *",)), ("editor", ("edit:a.txt",))]


def test_always_is_remembered_for_what_is_like_it(tmp_path: Path) -> None:
    person = Person(Allow({}, remembers=True))
    assert len(answer(approving(tmp_path, person), RUN, RUN, EDIT, EDIT)) == 4
    assert [name for name, _ in person.asked] == ["run_commands", "editor"]


def test_a_yes_is_for_once(tmp_path: Path) -> None:
    person = Person(Allow({}))
    answer(approving(tmp_path, person), RUN, RUN)
    assert len(person.asked) == 2


class Runs(FakeTool):
    """Runs the commands that it is given."""

    def scope(self, arguments: JsonObject) -> Scope:
        return Scope(commands=commands_of(arguments))

    def normalize(self, arguments: JsonObject) -> JsonObject:
        commands = commands_of(arguments)
        if not all(command.strip() for command in commands):
            raise ToolError("no empty command")
        return with_commands(arguments, tuple(command.strip() for command in commands))


ASKED: JsonObject = {"commands": ["npm test"]}


def answer_edited(folder: Path, command: str, *, remembers: bool = False) -> tuple[Allow | Deny, Policy]:
    """Let the person write another command; `rm` is denied by a rule."""
    person = Person(Allow({"commands": [command]}, remembers=remembers))
    made = approving(folder, person)
    rule = parse_rule("rm *")
    made.policy.rules = (Rules(deny=(rule,), name="a rule of the test"),)
    return asyncio.run(made(Runs("run_commands", effect="changes"), ASKED)), made.policy


def test_what_the_person_wrote_counts_as_answered_and_runs_in_its_normal_form(tmp_path: Path) -> None:
    verdict, _ = answer_edited(tmp_path, " npm publish ")
    assert verdict == Allow({"commands": ["npm publish"]})


def test_what_the_person_wrote_is_denied_where_a_rule_denies_it(tmp_path: Path) -> None:
    verdict, _ = answer_edited(tmp_path, "rm -rf build")
    assert isinstance(verdict, Deny)
    assert verdict.reason.startswith("The user edited this call. Denied by a rule of the test")
    assert "a rule of the test" in verdict.told


def test_what_the_person_wrote_is_denied_where_it_cannot_run(tmp_path: Path) -> None:
    verdict, _ = answer_edited(tmp_path, " ")
    assert verdict == Deny("The user edited this call into one that cannot run: no empty command")


def test_nothing_is_remembered_of_what_was_edited(tmp_path: Path) -> None:
    verdict, policy = answer_edited(tmp_path, "npm publish", remembers=True)
    assert verdict == Allow({"commands": ["npm publish"]})
    assert policy.remembered == []


def test_nobody_is_asked_where_nobody_is(tmp_path: Path) -> None:
    person = Person(Allow({}))
    (denied,) = answer(approving(tmp_path, person, is_interactive=False), RUN)
    assert isinstance(denied, Deny)
    assert person.asked == []


def test_the_state_is_kept_before_a_change_and_only_then(tmp_path: Path) -> None:
    workspace, place = tmp_path / "ws", tmp_path / "session"
    workspace.mkdir()
    made = approving(workspace, Person(Allow({})), place=place)
    answer(made, LOOK, READ)
    assert read_records(place) == ()
    answer(made, EDIT, RUN)
    assert [record.number for record in read_records(place)] == [1]


def test_a_state_that_cannot_be_kept_is_told_once_unless_the_changes_may_have_to_go_back(tmp_path: Path) -> None:
    person = Person(Allow({}))
    place = tmp_path / "file"
    place.write_text("")
    assert answer(approving(tmp_path, person, place=place), EDIT, EDIT) == [Allow({}), Allow({})]
    assert len(person.told) == 1
    assert "cannot be undone" in person.told[0]
    for fate in (Fate(is_patch=True), Fate(condition="true")):
        with pytest.raises(ClineError, match="cannot be kept"):
            answer(approving(tmp_path, person, fate, place=place), EDIT)
