"""What a shell line runs: programs, and behind `sudo`, `xargs` or `bash -c` the programs that those run. Pure.

timeout 9 sh -c 'make && sudo rm x'   ->   timeout ── sh ──┬── make
                                                           └── sudo ── rm
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from cline_cli.policy._wrappers import (
    CARRIERS,
    INTERPRETERS,
    REFUSED,
    RUNNERS,
    SHELLS,
    WRAPPERS,
    Kind,
    find_program,
)
from cline_cli.policy.shell import HOLE, Script, Simple, UnreadableError, Word, read_script

MAX_DEPTH = 8
_ANYTHING = Word(HOLE, "...")
_FIND_STARTS = frozenset({"-exec", "-execdir", "-ok", "-okdir"})
_LETTERS = frozenset("cefhlmnoruvxCEO")
_LONG_OPTIONS = frozenset({"--norc", "--noprofile", "--posix", "--login", "--verbose"})
_HARMLESS_SWITCHES = frozenset("pipefail errexit nounset xtrace verbose noclobber noglob globstar nullglob".split())
_FD_STARTS = frozenset({"-x", "-X", "--exec", "--exec-batch"})
_SHELL_VARIABLES = re.compile(r"BASH_ENV|ENV|PS4|PROMPT_COMMAND|SHELLOPTS|BASHOPTS|BASH_FUNC.*")
"""Bash runs what they hold, or changes how it reads."""
_GIT_HARMLESS = re.compile(
    r"(?:user|color|advice|column|init|safe|http|protocol|gc|pack|fetch|push|pull|merge|rerere|status|branch|log)\.[\w.-]+=[^!]*"
    r"|core\.(?:quotepath|autocrlf|filemode|safecrlf|longpaths|ignorecase|abbrev|bigfilethreshold|pager=(?:cat)?)\b.*"
    r"|(?:commit|tag)\.gpgsign=\w*|diff\.(?:noprefix|renames|renamelimit)=\w*",
    re.IGNORECASE,
)


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
    for name in (name for simple in script.commands for name, _ in simple.assignments):
        if _SHELL_VARIABLES.fullmatch(name):
            raise UnreadableError(f"the shell runs what {name} holds")
    return tuple(_start(simple, simple.words, depth) for simple in script.commands if simple.words)


def _inside(text: str, depth: int) -> tuple[Program, ...]:
    """Return what a script runs that stands in a word."""
    return _read(read_script(text), depth + 1)


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
    if special := _SPECIAL.get(name):
        return special(plain, depth)
    if inner := tuple(_carried(name, words, depth)):
        return plain._replace(kind="strict", inner=inner)
    if INTERPRETERS.fullmatch(name):
        texts = [word.text for word in words[1:]]
        return plain._replace(code="\n".join([*texts, simple.stdin.text if simple.stdin else ""]))
    return plain


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
    if name in REFUSED:
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
            if _SHELL_VARIABLES.fullmatch(word.text.partition("=")[0]):
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
            inner.append(_start(program.simple, words[at:], depth + 1))
            if not words[at - 1].text.startswith("-") or words[at - 1].text == "--" or "=" in words[at - 1].text:
                break
        at += 1
    return program._replace(kind="runner", inner=tuple(inner))


def _shell(program: Program, depth: int) -> Program:
    words = program.words
    at, has_text = _shell_options(words)
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


def _shell_options(words: tuple[Word, ...]) -> tuple[int, bool]:
    """Return at which word the options of a shell end, and whether the next one is a script itself.

    Raises:
        UnreadableError: they cannot be told, or do what is not read.
    """
    at = 1
    has_text = False
    while at < len(words):
        option = words[at].text
        if option.startswith(HOLE) or (not words[at].is_literal and option.startswith(("-", "+"))):
            raise UnreadableError("the options of a shell are only known when it runs")
        if option in {"--", "-"}:
            return at + 1, has_text
        if not option.startswith(("-", "+")) or len(option) == 1:
            break
        is_long = option.startswith("--")
        if option not in _LONG_OPTIONS if is_long else set(option[1:]) - _LETTERS:
            raise UnreadableError(f"a shell has an option {option}, which is not read")
        has_text |= "c" in option and not is_long
        if option[-1] in "oO" and not is_long:
            at += 1
            if at < len(words) and words[at].text not in _HARMLESS_SWITCHES:
                raise UnreadableError("a shell is switched to what is not read")
        at += 1
    return at, has_text


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
    for word, value in zip(words, following, strict=True):
        for option in options:
            if word.text == option:
                text = value
            elif word.text.startswith(f"{option}=" if option.startswith("--") else option):
                text = Word(word.text[len(option) :].lstrip("="), "")
            else:
                continue
            command = re.sub(r"^(?:exec=|ProxyCommand=|LocalCommand=)", "", _literal(text, f"what {name} runs"))
            yield from _inside(command, depth)


def _eval(program: Program, depth: int) -> Program:
    text = " ".join(_literal(word, "what eval runs") for word in program.words[1:])
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
            if re.match(pattern, word.text) or word.text.startswith(HOLE):
                raise UnreadableError(f"{program.name} {word.source} is not read")
        return program

    return check


def _find(program: Program, depth: int) -> Program:
    starts = _FIND_STARTS if program.name == "find" else _FD_STARTS
    words = program.words
    for word in words[1:]:
        if HOLE in word.text and (not word.source.startswith('"') or re.search(r"[@*]", word.source)):
            raise UnreadableError(f"the words behind {program.name} are only known when it runs")
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
    words = program.words
    texts = [word.text for word in words]
    for option, value in zip(texts, (*texts[1:], HOLE), strict=True):
        if option == "-c" and not _GIT_HARMLESS.fullmatch(value):
            raise UnreadableError("a setting given to git could run something")
        if re.match(r"--(?:config-env|exec-path=|upload-pack|receive-pack|open-files-in-pager)", option):
            raise UnreadableError(f"git {option} is not read")
    started: tuple[Word, ...] = ()
    if "bisect" in texts and "run" in texts:
        return program._replace(
            kind="strict", inner=(_start(program.simple, words[texts.index("run") + 1 :] or (_ANYTHING,), depth + 1),)
        )
    if "foreach" in texts:
        started = tuple(word for word in words[texts.index("foreach") + 1 :] if not word.text.startswith("-"))
    for option, word in zip(texts, (*words[1:], _ANYTHING), strict=True):
        if option in {"-x", "--exec", "--extcmd"}:
            started = (word,)
        elif option.startswith(("--exec=", "--extcmd=")):
            started = (Word(option.partition("=")[2], ""),)
    if "filter-branch" in texts:
        raise UnreadableError("git filter-branch is not read")
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


_SPECIAL: Mapping[str, _Special] = {
    **dict.fromkeys(SHELLS, _shell),
    "eval": _eval,
    "source": _source,
    ".": _source,
    "trap": _trap,
    "alias": _unless(r".*="),
    "shopt": _unless(r"expand_aliases|extglob|extdebug"),
    "set": _unless(r"-o$|[-+]\w*k"),
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
