"""What patterns say of a shell line: of every program in it, and of those behind others. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from cline_cli.policy._hidden import HARMLESS_VALUES, RUN_VARIABLES, find_hidden, iter_variables
from cline_cli.policy._patterns import Rule, Verdict
from cline_cli.policy.programs import Program, Reading, read_line
from cline_cli.policy.shell import UnreadableError, Word

_STATE_ONLY = frozenset(
    ": true false cd pushd popd [ test export local declare typeset readonly unset set shopt shift return break"
    " continue exit wait read trap eval exec command builtin".split()
)
"""What only moves about in the shell, prints nothing and starts nothing that is not judged by itself."""
_RISKY_VARIABLES = re.compile(
    rf"{RUN_VARIABLES.pattern}|GIT_\w*ASKPASS\w*|PYTHON(?:HOME|PATH)|PERL5LIB|RUBYLIB"
    r"|RIPGREP_CONFIG_PATH|GREP_OPTIONS|CDPATH|GLOBIGNORE"
)
"""With these an allowed program does something else than it says."""
_SYSTEM_FOLDERS = ("/bin/", "/usr/bin/", "/usr/local/bin/", "/sbin/", "/usr/sbin/")

_BY_SUBCOMMAND = frozenset(
    "git npm pnpm yarn npx cargo go docker kubectl uv poetry pip make gh dotnet mvn bundle composer terraform rake"
    " python python3 apt apt-get brew systemctl sudo node".split()
)
"""Programs that do as many things as they have subcommands: what is allowed of them is one of these."""


def judge_line(line: str, allow: tuple[Rule, ...], deny: tuple[Rule, ...], *, allows_redirects: bool) -> Verdict:
    """Return what these patterns, all of commands, say of a line: refused where it cannot be read."""
    try:
        reading = read_line(line)
    except UnreadableError as error:
        return Verdict(False, f"the command cannot be read: {error}")
    for program in reading.all():
        if rule := _find_denying(program, deny):
            return Verdict(False, f"{shorten(program)} is denied", rule.source)
    hidden = find_hidden(reading) if deny else ""
    if rule := next((rule for rule in deny if _is_named(rule, hidden)), None):
        return Verdict(False, f"it may run {_name(rule)} in a way that is not read", rule.source)
    if not allows_redirects and (target := next(iter_targets(reading), None)):
        return Verdict(False, f"it writes the file {target.source}, and redirects are not allowed")
    return _judge_allowed(reading, allow) if allow else Verdict(None)


def _judge_allowed(reading: Reading, allow: tuple[Rule, ...]) -> Verdict:
    """Return whether all of a line is allowed."""
    for name, value in iter_variables(reading.script, tuple(reading.all())):
        if _RISKY_VARIABLES.fullmatch(name) and value not in HARMLESS_VALUES:
            return Verdict(None, f"it sets {name}, which changes what programs do")
    used = ""
    for program in reading.programs:
        pattern = _allow(program, allow)
        if pattern is None:
            return Verdict(None, f"{shorten(program)} matches no pattern that allows it")
        used = used or pattern
    return Verdict(True, "every part of it is allowed", used)


def iter_targets(reading: Reading) -> Iterator[Word]:
    """Yield the files that a line writes with redirections."""
    for simple in reading.script.commands:
        yield from (redirect.target for redirect in simple.redirects if redirect.writes)


def find_targets(line: str) -> list[str | None]:
    """Return the files that a line writes with redirections, None for one that is only known when it runs."""
    try:
        return [target.text if target.is_literal else None for target in iter_targets(read_line(line))]
    except UnreadableError:
        return []


def shorten(program: Program) -> str:
    text = " ".join(word.source for word in program.words)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _texts(program: Program) -> tuple[str, ...]:
    """Return how a program with its words may be written in a pattern."""
    rest = "".join(f" {word.text}" for word in program.words[1:])
    return (f"{program.words[0].text}{rest}", f"{program.name}{rest}")


def _find_denying(program: Program, deny: Iterable[Rule]) -> Rule | None:
    texts = _texts(program)
    for rule in deny:
        pattern = rule.pattern
        if any(rule.may_match(text) for text in texts):
            return rule
        if not re.search(r"[\s*?]", pattern) and program.name == pattern.rpartition("/")[2]:
            return rule
        if _is_named(rule, program.code):
            return rule
    return None


def _name(rule: Rule) -> str:
    """Return the name of the program that a pattern is about; empty where it is about many."""
    return re.split(r"[\s*?]", rule.pattern)[0].rpartition("/")[2]


def _is_named(rule: Rule, text: str) -> bool:
    name = _name(rule)
    return bool(text and name) and re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text) is not None


def _allow(program: Program, allow: tuple[Rule, ...]) -> str | None:
    """Return the pattern that allows a program and all behind it; empty where none is needed, None where none does."""
    own = _find_allowing(program, allow)
    inner: str | None = ""
    for started in program.inner:
        one = _allow(started, allow)
        inner = None if one is None or inner is None else inner or one
    if not program.inner:
        return own if own is not None else "" if program.name in _STATE_ONLY else None
    if program.kind == "transparent" and inner is not None:
        return inner
    if program.kind == "runner":
        return own if own is not None else inner
    if own is not None and inner is not None:
        return own
    if own is not None and program.place:
        # The pattern itself names the inner program: "sudo apt-get *".
        literal = re.split(r"[*?]", own)[0]
        start = " ".join(word.text for word in program.words[: program.place + 1])
        return own if len(literal) >= len(start) else None
    return None


def _find_allowing(program: Program, allow: tuple[Rule, ...]) -> str | None:
    texts = _texts(program)
    is_system = program.words[0].text.startswith(_SYSTEM_FOLDERS)
    for rule in allow:
        if rule.matches_surely(texts[0]) or (is_system and rule.matches_surely(texts[1])):
            return rule.source
    return None


def propose(line: str) -> str:
    """Return a pattern that allows a line and those like it; empty where none does."""
    try:
        reading = read_line(line)
    except UnreadableError:
        return ""
    unlisted = (program for program in reading.programs if _allow(program, ()) is None)
    patterns = {_propose_for(program) for program in unlisted}
    return patterns.pop() if len(patterns) == 1 else ""


def _propose_for(program: Program) -> str:
    words = program.words
    start = program.place if program.kind == "transparent" else 0
    chosen = [words[start].text]
    following = words[start + 1 :]
    if chosen[0] in _BY_SUBCOMMAND and following and following[0].is_literal and " " not in following[0].text:
        chosen.append(following[0].text)
    return f"{' '.join(chosen)} *"
