"""What a shell line runs: programs, and behind `sudo`, `xargs` or `bash -c` the programs that those run. Pure.

timeout 9 sh -c 'make && sudo rm x'   ->   timeout ── sh ──┬── make
                                                           └── sudo ── rm
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from cline_cli.policy._git import check_options, find_bisected, find_started
from cline_cli.policy._options import check_find, check_set
from cline_cli.policy._sed import SED_RUNS, find_sed_scripts
from cline_cli.policy._words import SHELL_VARIABLES
from cline_cli.policy._wrappers import (
    CARRIERS,
    INTERPRETERS,
    LAUNCHERS,
    REFUSED,
    RUNNERS,
    SHELLS,
    TEXT_OPTIONS,
    WRAPPERS,
    Kind,
    find_program,
    read_shell_options,
)
from cline_cli.policy.shell import HOLE, Script, Simple, UnreadableError, Word, read_script

MAX_DEPTH = 8
MAX_VALUES = 20
"""So many words behind options of a runner may be their values."""
MAX_STARTS = 4
"""So many words of a launcher may be the program behind it: the others are its own."""
_ANYTHING = Word(HOLE, "...")
_FIND_STARTS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_FD_STARTS = frozenset({"-x", "-X", "--exec", "--exec-batch"})
_Special = Callable[["Program", int], "Program"]


class Program(NamedTuple):
    words: tuple[Word, ...]
    """Its name first, which is known but for the folder it lies in."""
    simple: Simple
    """Where it stands."""
    kind: Kind = "plain"
    inner: tuple[Program, ...] = ()
    """What it starts."""
    place: int = 0
    """At which of its words the inner program stands; 0 where it is in a text of its own."""
    code: str = ""
    """What it takes for code, in a language that is not read."""

    @property
    def name(self) -> str:
        return self.words[0].text.rpartition("/")[2]

    def all(self) -> Iterator[Program]:
        """Yield it and everything behind it."""
        yield self
        for program in self.inner:
            yield from program.all()


class Reading(NamedTuple):
    script: Script
    programs: tuple[Program, ...]
    """Those that no other one starts."""

    def all(self) -> Iterator[Program]:
        for program in self.programs:
            yield from program.all()


def read_line(text: str) -> Reading:
    """Return what a shell line runs.

    Raises:
        UnreadableError: it cannot be told.
    """
    script = read_script(text)
    return Reading(script, _read(script, 0))


def _read(script: Script, depth: int) -> tuple[Program, ...]:
    if depth > MAX_DEPTH:
        raise UnreadableError("it is nested too deeply")
    if script.computes and "[" in script.literals and re.search(r"[$`\\]", script.literals):
        raise UnreadableError("it calculates, and holds what a calculation could run")
    if script.computes and "\\" in script.literals and re.search(r"[$`]", script.literals):
        raise UnreadableError("it calculates, and holds what a calculation could run")
    for name in (name for simple in script.commands for name, _ in simple.assignments):
        if _is_run_by_shells(name):
            raise UnreadableError(f"the shell runs what {name} holds")
    return tuple(_start(simple, simple.words, depth) for simple in script.commands if simple.words)


def _inside(text: str, depth: int) -> tuple[Program, ...]:
    """Return what a script runs that stands in a word."""
    return _read(read_script(text), depth + 1)


def _is_run_by_shells(name: str) -> bool:
    return name == "ENV" or SHELL_VARIABLES.fullmatch(name) is not None


def _literal(word: Word, what: str) -> str:
    if not word.is_literal:
        raise UnreadableError(f"{what} is only known when it runs")
    return word.text


def _start(simple: Simple, words: tuple[Word, ...], depth: int) -> Program:
    if depth > MAX_DEPTH:
        raise UnreadableError("it is nested too deeply")
    name = _name(words[0])
    plain = Program(words, simple)
    if name in WRAPPERS:
        return _wrapped(name, plain, depth)
    if name in RUNNERS:
        return _run_by_runner(name, plain, depth)
    if name in LAUNCHERS:
        return _launch(plain, depth)
    if special := _SPECIAL.get(name):
        return special(plain, depth)
    inner = tuple(_carried(name, words, depth))
    return plain._replace(kind="strict", inner=inner) if inner else _read_code(name, plain)


def _read_code(name: str, program: Program) -> Program:
    """Take the words of an interpreter for code, and those of a program with an option that runs something."""
    pattern = TEXT_OPTIONS.get(name, "(?!)")
    values = [match for word in program.words[1:] if (match := re.fullmatch(pattern, word.text, re.DOTALL))]
    if INTERPRETERS.fullmatch(name) or values:
        return _with_code(program, *(match[1] or "" for match in values))
    return program


def _with_code(program: Program, *more: str) -> Program:
    """Return the program with all that it is given as its code."""
    stdin = program.simple.stdin.text if program.simple.stdin else ""
    return program._replace(code="\n".join((*(word.text for word in program.words[1:]), stdin, *more)))


def _name(first: Word) -> str:
    """Return the name of a program without its folder.

    Raises:
        UnreadableError: it is only known when it runs, or what such a program runs is not read.
    """
    folder, _, name = first.text.rpartition("/")
    # A folder that is only known later may be one word with the name; without quotes it could be any number of words.
    if not Word(name, "").is_literal or not name or (HOLE in folder and not first.source.startswith('"')):
        raise UnreadableError("the name of a program is only known when it runs")
    if name.startswith("="):
        raise UnreadableError("the name of a program is unusual")
    if name in REFUSED or re.match(r"ld-linux|ld\.so", name):
        raise UnreadableError(f"what {name} runs is not read")
    return name


def _wrapped(name: str, program: Program, depth: int) -> Program:
    words = program.words
    options = {word.text for word in words[1:]}
    if name == "command" and options & {"-v", "-V"}:
        return program
    if name == "env" and any(re.match(r"-[iv0]*S|--split-string", word.text) for word in words[1:]):
        raise UnreadableError("env -S is not read")
    place = find_program(name, words)
    if name in {"env", "sudo"}:
        for word in words[1:place]:
            if HOLE in word.text.partition("=")[0] and "=" in word.text:
                raise UnreadableError(f"{name} sets a variable that is only known when it runs")
            if _is_run_by_shells(word.text.partition("=")[0]):
                raise UnreadableError(f"the shell runs what {word.text.partition('=')[0]} holds")
    if not place:
        return program
    inner = words[place:]
    if name == "flock" and inner[0].text in {"-c", "--command"}:
        scripts = _inside(_literal(inner[1], "what flock runs"), depth) if len(inner) > 1 else ()
        return program._replace(kind="transparent", inner=scripts)
    if name == "xargs":
        inner = _with_input(words[1:place], inner)
    kind = WRAPPERS[name].kind
    return program._replace(kind=kind, inner=(_start(program.simple, inner, depth + 1),), place=place)


def _with_input(options: tuple[Word, ...], inner: tuple[Word, ...]) -> tuple[Word, ...]:
    """Return the words of a program that xargs starts, with what it reads from its input."""
    mark = ""
    for option, value in zip(options, (*options, _ANYTHING)[1:], strict=True):
        if match := re.match(r"(?:-I|-i|--replace=?)(.*)", option.text):
            mark = match[1] or (value.text if option.text in {"-I", "--replace"} else "{}")
    if not mark:
        return (*inner, _ANYTHING)
    return tuple(Word(word.text.replace(mark, HOLE), word.source) for word in inner)


def _run_by_runner(name: str, program: Program, depth: int) -> Program:
    """The program is the first word that is no option; if one stands before it, that may be its value."""
    words = program.words
    verbs = RUNNERS[name]
    at = 1
    if verbs:
        at = next((index + 1 for index, word in enumerate(words) if index and word.text in verbs), 0)
        if not at:
            return program
    inner: list[Program] = []
    while at < len(words):
        word = words[at].text
        if not word.startswith("-"):
            if len(inner) == MAX_VALUES:
                raise UnreadableError(f"{name} has too many options")
            inner.append(_start(program.simple, words[at:], depth + 1))
            if not words[at - 1].text.startswith("-") or words[at - 1].text == "--" or "=" in words[at - 1].text:
                break
        at += 1
    return program._replace(kind="runner", inner=tuple(inner))


def _launch(program: Program, depth: int) -> Program:
    """Its options are not known, so that each of its words may be the program."""
    words = program.words
    starts = [at for at, word in enumerate(words) if at and not word.text.startswith("-")]
    return program._replace(
        kind="runner", inner=tuple(_start(program.simple, words[at:], depth + 1) for at in starts[:MAX_STARTS])
    )


def _shell(program: Program, depth: int) -> Program:
    words = program.words
    at, has_text = read_shell_options(words)
    rest = words[at:]
    if has_text:
        if not rest:
            return program
        return program._replace(kind="transparent", inner=_inside(_literal(rest[0], "what a shell runs"), depth))
    if rest:
        return _script_file(program, at)
    if program.simple.stdin is None or program.simple.words != words:
        raise UnreadableError("a shell takes commands from its input")
    text = _literal(program.simple.stdin, "the input of a shell")
    return program._replace(kind="transparent", inner=_inside(text, depth))


def _script_file(program: Program, at: int) -> Program:
    """A shell looks for its script on PATH as well, so it is a program like others."""
    file = _literal(program.words[at], "the script of a shell")
    if file.startswith(("/dev/", "/proc/")):
        raise UnreadableError("a shell takes commands from its input")
    return program._replace(kind="runner", inner=(Program(program.words[at:], program.simple),), place=at)


def _carried(name: str, words: tuple[Word, ...], depth: int) -> Iterator[Program]:
    """Yield what the options of a program make it run."""
    options = CARRIERS.get(name, frozenset())
    following = (*words[1:], _ANYTHING)
    if options and any(word.text.startswith("-") and HOLE in word.text.partition("=")[0] for word in words[1:]):
        raise UnreadableError(f"an option of {name} is only known when it runs")
    for word, value in zip(words, following, strict=True):
        for option in options:
            given = _value_of(option, word, value)
            if given is None:
                continue
            command = _literal(given, f"what {name} runs")
            yield from _inside(re.sub(r"^\s*(?:exec|\w*command)(?:\s*=\s*|\s+)", "", command, flags=re.I), depth)


def _value_of(option: str, word: Word, following: Word) -> Word | None:
    """Return what a word gives to an option, if it is that option, or a beginning of it."""
    name, has_value, value = word.text.partition("=")
    if option.startswith("--"):
        is_option = len(name) > len("--x") and option.startswith(name)
        return (Word(value, "") if has_value else following) if is_option else None
    if word.text == option:
        return following
    return Word(word.text[len(option) :].lstrip("="), "") if word.text.startswith(option) else None


def _eval(program: Program, depth: int) -> Program:
    words = program.words[2:] if program.words[1:] and program.words[1].text == "--" else program.words[1:]
    text = " ".join(_literal(word, "what eval runs") for word in words)
    return program._replace(kind="transparent", inner=_inside(text, depth))


def _source(program: Program, depth: int) -> Program:  # noqa: ARG001  # all of the table are alike
    return _script_file(program, 1) if len(program.words) > 1 else program


def _trap(program: Program, depth: int) -> Program:
    words = [word for word in program.words[1:] if word.text != "--"]
    if not words or words[0].text in {"-", "-l", "-p", "", "-lp"} or words[0].text.isdecimal() or len(words) == 1:
        return program
    return program._replace(kind="transparent", inner=_inside(_literal(words[0], "what trap runs"), depth))


def _never(program: Program, depth: int) -> Program:  # noqa: ARG001  # as above
    raise UnreadableError(f"what {program.name} does to the shell is not read")


def _unless(pattern: str) -> _Special:
    def check(program: Program, depth: int) -> Program:  # noqa: ARG001  # as above
        for word in program.words[1:]:
            is_hidden = word.text.startswith(HOLE) or (not word.is_literal and word.text.startswith(("-", "+")))
            if re.match(pattern, word.text) or is_hidden:
                raise UnreadableError(f"{program.name} {word.source} is not read")
        return program

    return check


def _set(program: Program, depth: int) -> Program:  # noqa: ARG001  # as above
    check_set(program.words)
    return program


def _find(program: Program, depth: int) -> Program:
    starts = _FIND_STARTS if program.name == "find" else _FD_STARTS
    words = program.words
    check_find(words)
    inner: list[Program] = []
    for at, word in enumerate(words):
        if word.text in starts:
            rest = words[at + 1 :]
            end = next((index for index, one in enumerate(rest) if one.text in {";", "+"}), len(rest))
            started = tuple(Word(re.sub(r"\{[./]*\}", HOLE, one.text), one.source) for one in rest[:end])
            if not started:
                raise UnreadableError(f"{program.name} runs nothing")
            inner.append(_start(program.simple, started, depth + 1))
    return program._replace(kind="strict", inner=tuple(inner)) if inner else program


def _git(program: Program, depth: int) -> Program:
    check_options(program.words)
    if len(program.words) > 1 and program.words[1].text.startswith(HOLE):
        raise UnreadableError("what git does is only known when it runs")
    if "difftool" in [word.text for word in program.words] and any(HOLE in word.text for word in program.words):
        raise UnreadableError("what git difftool runs is only known when it runs")
    if bisected := find_bisected(program.words):
        return program._replace(kind="strict", inner=(_start(program.simple, bisected, depth + 1),))
    started = find_started(program.words)
    if not started:
        return program
    text = " ".join(_literal(word, "what git runs") for word in started)
    return program._replace(kind="strict", inner=_inside(text, depth))


def _by_option(program: Program, depth: int) -> Program:
    """`su -c TEXT`, `script -qc TEXT`, `watch -n 2 TEXT`."""
    for option, value in zip(program.words, (*program.words[1:], _ANYTHING), strict=True):
        if re.fullmatch(r"-\w*c|--command", option.text):
            return program._replace(kind="strict", inner=_inside(_literal(value, "what it runs"), depth))
    raise UnreadableError(f"what {program.name} runs is not read")


def _watch(program: Program, depth: int) -> Program:
    at = 1
    words = program.words
    while at < len(words) and words[at].text.startswith("-"):
        at += 2 if words[at].text in {"-n", "--interval"} else 1
    text = " ".join(_literal(word, "what watch runs") for word in words[at:])
    return program._replace(kind="strict", inner=_inside(text, depth))


def _sed(program: Program, depth: int) -> Program:  # noqa: ARG001  # as above
    if any(SED_RUNS.search(script) for script in find_sed_scripts(program.words)):
        raise UnreadableError("sed runs what it has edited")
    return _with_code(program)


_SPECIAL: Mapping[str, _Special] = {
    "sed": _sed,
    **dict.fromkeys(SHELLS, _shell),
    "eval": _eval,
    "source": _source,
    ".": _source,
    "trap": _trap,
    "alias": _unless(rf".*[={HOLE}]"),
    "shopt": _unless(rf"expand_aliases|extglob|extdebug|keyword|.*{HOLE}"),
    "set": _set,
    "enable": _never,
    "hash": _unless(r"-\w*p"),
    "complete": _never,
    "compgen": _unless(r"-\w*[CFW]"),
    "bind": _never,
    "fc": _never,
    "jobs": _unless(r"-\w*x"),
    "mapfile": _unless(r"-\w*C"),
    "readarray": _unless(r"-\w*C"),
    "find": _find,
    "fd": _find,
    "fdfind": _find,
    "git": _git,
    "su": _by_option,
    "runuser": _by_option,
    "script": _by_option,
    "watch": _watch,
}
