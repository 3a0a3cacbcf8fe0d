"""What the embedded model may do next, read from the history alone. Pure.

A model of this size, left alone, answers before it has looked, edits tests, and tries the same again. So it chooses
freely only where its choice is good, and mending a failed check follows a fixed course:

    check failed -> read a file that the failure points to -> candidates for it, the likeliest first
                    -> the same check again -> passed: answer
                                            -> failed: the next candidate, from the original text
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from cline_cli.providers._local_action import Offer
from cline_cli.providers._local_history import CHANGES, Said, Step, Turn, find_texts, steps_of

MAX_STEPS = 24
"""After so many since the user spoke, only an answer is left."""
MAX_ATTEMPTS = 8
"""Edits that may fail the check before the model has to say so."""
CHECKS = ("python3 -m pytest -q", "python3 -m unittest", "npm test", "cargo test", "go test ./...", "make test")
_NAMED_CHECK = re.compile(
    r"\b((?:python3?|pytest|npm|npx|yarn|pnpm|make|cargo|go|tox|nox|bash|sh|node|ruby|rake|mvn|gradle)"
    r"(?: (?:-{1,2}[\w=-]+|test\w*|unittest|pytest|run|[\w./-]*[./][\w./-]*\w))+|\bpytest\b)"
)
"""A command in the user's words: a program, and words that look like its arguments."""
_MAX_LOOKS = 3
"""Steps after which tests that are said to fail are run, if they were not yet."""
_ASKS_RUN = re.compile(r"\b(runs?|tests?|execute|fail\w*|crash\w*|pass(es)?)\b", re.I)
_ASKS_CHANGE = re.compile(
    r"\b(fix|repair|mend|correct|change|make|debug|solve|implement|add|update|rewrite|refactor|replace|rename|create)\b",
    re.I,
)
_NOT_A_CHECK = re.compile(r"\(exit code 12[67]\)|No module named (pytest|unittest)|no tests ran|^Ran 0 tests", re.M)
_SOURCE = re.compile(r"(?<![\w./-])(?:\./)?((?:[\w.-]+/)*[\w-]+\.(?:py|js|ts|rb|go|rs|java|c|cc|cpp|h|sh|php))\b")
_FOREIGN = sys.stdlib_module_names | {"pytest", "hypothesis"}
"""Modules that a test imports and that are not the project's."""
_IMPORT = re.compile(r"^\s*(?:from|import) ([A-Za-z_][\w.]*)", re.M)
_TEST = re.compile(r"(^|/)(tests?|specs?)/|(^|/)(test|spec)_[^/]*$|[_.](test|spec)\.\w+$|(^|/)conftest\.py$")


class Rerun(NamedTuple):
    """The check that failed is made again."""

    command: str


class Mend(NamedTuple):
    """The next candidate for a file is tried."""

    path: str
    original: str
    """Its text when the check failed."""
    present: str
    """Its text with the candidate that was tried last."""


class Restore(NamedTuple):
    """No candidate is left: the file gets its text back."""

    path: str
    original: str
    present: str


Decision = Rerun | Mend | Restore | Offer


def decide(turns: Sequence[Turn], actions: Sequence[str], spent: Mapping[str, str]) -> Decision:
    """Return what comes next; `spent` maps paths to texts for which there are no more candidates."""
    steps = steps_of(turns)
    request = next((turn.text for turn in reversed(turns) if isinstance(turn, Said) and turn.role == "user"), "")
    request = request.partition("\n\nWorking directory:")[0]
    if len(steps) >= MAX_STEPS or not actions:
        return Offer(())
    check = find_check(steps)
    if check and _ASKS_CHANGE.search(request) and {"read_file", "edit_file", "run_command"} <= {*actions}:
        return _decide_mending(turns, steps, check, spent)
    return _offer(turns, steps, request, actions)


def find_check(steps: Sequence[Step]) -> Step | None:
    """Return the last command, where it is a check that failed."""
    runs = [step for step in steps if step.name == "run_command"]
    result = runs[-1].result if runs and runs[-1].is_error else ""
    is_check = "exit code" in result and not _NOT_A_CHECK.search(result)
    return runs[-1] if is_check else None


def is_test(path: str) -> bool:
    return bool(_TEST.search(path))


def condense(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Return the turns without attempts that failed: a small model repeats what it sees."""
    kept: list[Turn] = []
    attempt: Step | None = None
    for turn in turns:
        if isinstance(turn, Step) and turn.name == "replace_in_file":
            attempt = turn
        elif isinstance(turn, Step) and turn.name == "run_command" and turn.is_error and attempt:
            attempt = None
        else:
            if attempt:
                kept.append(attempt)
            attempt = None
            kept.append(turn)
    return (*kept, attempt) if attempt else tuple(kept)


def _decide_mending(turns: Sequence[Turn], steps: Sequence[Step], check: Step, spent: Mapping[str, str]) -> Decision:
    texts = find_texts(turns)
    if steps[-1].name in CHANGES:  # one that failed was not allowed, or the file is not what it was
        return Offer(()) if steps[-1].is_error else Rerun(check.argument("command"))
    attempts = sum(step.name == "replace_in_file" for step in steps)
    read = {step.argument("path"): f"{step.result}\n" for step in steps if step.name == "read_file"}
    originals = {path: text for path, text in read.items() if path in texts and not is_test(path)}
    for path, original in reversed(originals.items()):
        if spent.get(path) != original and attempts < MAX_ATTEMPTS:
            return Mend(path, original, texts[path])
        if texts[path] != original:
            return Restore(path, original, texts[path])
    return Offer(()) if attempts >= MAX_ATTEMPTS else _offer_reading(turns, steps, read)


def _offer_reading(turns: Sequence[Turn], steps: Sequence[Step], read: Collection[str]) -> Offer:
    """Return the files worth reading next: sources before tests, and the folder's list where none is known."""
    unread = [path for path in find_paths(turns) if path not in read]
    sources = tuple(path for path in unread if not is_test(path))
    wanted = sources or tuple(path for path in unread if is_test(path))
    if wanted:
        return Offer(("read_file",), readable=wanted, may_answer=False)
    if all(is_test(path) for path in read) and not any(step.name == "list_files" for step in steps):
        return Offer(("list_files",), may_answer=False)
    return Offer(())


def find_paths(turns: Sequence[Turn]) -> tuple[str, ...]:
    """Return the files that the user, tools and tests speak of, those spoken of last first."""
    found: dict[str, None] = {}
    for turn in reversed(turns):
        text = turn.text if isinstance(turn, Said) else turn.result
        found.update(dict.fromkeys(_SOURCE.findall(_relative(text, turns))))
        if isinstance(turn, Step) and turn.name == "read_file" and is_test(turn.argument("path")):
            modules = [name for name in _IMPORT.findall(turn.result) if name.partition(".")[0] not in _FOREIGN]
            found.update(dict.fromkeys(f"{module.replace('.', '/')}.py" for module in modules))
    return tuple(path for path in found if not path.startswith((".", "/")) and "site-packages" not in path)


def _relative(text: str, turns: Sequence[Turn]) -> str:
    """Return a text in which paths below the working directory, as far as it is told, are relative to it."""
    for turn in turns:
        match = re.search(r"\n\nWorking directory: (.+)", turn.text) if isinstance(turn, Said) else None
        if match:
            return text.replace(f"{match.group(1)}/", "")
    return text


def _offer(turns: Sequence[Turn], steps: Sequence[Step], request: str, actions: Sequence[str]) -> Offer:
    wants_run = "run_command" in actions and bool(_ASKS_RUN.search(request))
    last_run = max((index for index, step in enumerate(steps) if step.name == "run_command"), default=-1)
    last_change = max((index for index, step in enumerate(steps) if step.name in CHANGES), default=-1)
    dropped = _find_repeated(steps)
    is_broken = bool(re.search(r"\b(tests?|fail\w*|crash\w*)\b", request, re.I) and _ASKS_CHANGE.search(request))
    if wants_run and is_broken and last_run < 0:
        dropped |= {"edit_file", "write_file"}
        if len(steps) >= _MAX_LOOKS:
            return Offer(("run_command",), commands=find_checks(request), may_answer=False)
    left = tuple(action for action in actions if action not in dropped)
    commands = find_checks(request) if is_broken and last_run < 0 else ()
    may_answer = not (wants_run and (last_change > last_run or (is_broken and last_run < 0)))
    return Offer(left, tuple(find_texts(turns)), commands=commands, may_answer=may_answer or not left)


def find_checks(request: str) -> tuple[str, ...]:
    """Return the commands that may run the tests: those the request names, else what is usual."""
    named = tuple(command.strip() for command in _NAMED_CHECK.findall(request))
    return named or (CHECKS if re.search(r"\btests?\b", request, re.I) else ())


def _find_repeated(steps: Sequence[Step]) -> set[str]:
    """Return the actions that only repeated an earlier step, with nothing changed in between."""
    seen: list[tuple[str, Mapping[str, str]]] = []
    repeated: set[str] = set()
    for step in steps:
        if step.name in CHANGES and not step.is_error:
            seen, repeated = [], set()
        elif (step.name, step.arguments) in seen:
            repeated.add("edit_file" if step.name == "replace_in_file" else step.name)
        seen.append((step.name, step.arguments))
    return repeated
