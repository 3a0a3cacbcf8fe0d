"""What the person typed, sorted: which verb, and its arguments in the one form that its Typer app reads.

    cline --config D auth -p cline        -> auth   --config=D  -p cline
    cline -y fix the tests -m x           -> run    --yolo --model=x  --  fix the tests
    cline --thinking "why?"               -> run    --thinking=medium  --  why?

Options of a run may stand before or after the prompt, in every spelling of three generations of the command; after
this they are long, in front, and carry their value behind `=`. Pure: nothing is looked up and nothing printed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from cline_cli.commands import ALIASES, PLANNED, VERBS
from cline_cli.commands.options import (
    BY_NAME,
    HARMLESS,
    LOOKED_UP_LATER,
    MAY_BE_EMPTY,
    OPTIONS,
    SHARED,
    Option,
    excludes,
)
from cline_cli.errors import UsageError

PEERS_VERBS: Mapping[str, str] = {
    "login": "To sign in: cline auth",
    "logout": "To forget a key: cline auth logout",
    "setup": "To set it up: cline auth",
    "run": 'To ask or to let it work: cline "..."',
    "exec": 'To let it work: cline -y "..."',
    "ask": 'To ask: cline "..."',
    "chat": 'To ask: cline "..."',
    "upgrade": "To upgrade: the way it was installed, such as pipx upgrade cline-cli",
    "resume": 'To go on with the newest session of this folder: cline --continue "..."',
}
"""First words that other commands of this kind take for verbs; at a terminal they are most likely meant so."""
OLD_TASK_VERBS = frozenset({"open", "list", "chat", "send", "view", "restore", "pause"})
"""What `task` had in the first generation besides a prompt."""


class Call(NamedTuple):
    verb: str
    """A key of commands.VERBS."""
    arguments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What to tell the person on stderr before anything else."""


def split(argv: Sequence[str], *, is_interactive: bool = False) -> Call:
    """Sort a command line (without the program's name).

    `is_interactive` says that a person sits there: then a word that looks like a slip of a command is not sent to a
    model, which costs money; in a script every word is a prompt.

    Raises:
        UsageError: an option lacks its value, or asks for something that is not built yet; a word is a slip.
    """
    options: list[str] = []
    words: list[str] = []
    notes: list[str] = []
    is_prompt = False
    position = 0
    while position < len(argv):
        word = argv[position]
        position += 1
        if word == "--":
            words.extend(argv[position:])
            is_prompt = True
            break
        if word.startswith("-") and word != "-":
            special = _special(word)
            if special:
                return special
            position = _take_option(argv, position - 1, options, notes)
        elif words or is_prompt or " " in word:
            words.append(word)
        elif ALIASES.get(word) == "run":
            is_prompt = True
            position = _skip_old_verb(argv, position)
        elif word in PLANNED:
            raise UsageError(f"`cline {word}` is not supported yet", f"To send it as a prompt: cline -- {word}")
        elif (verb := ALIASES.get(word, word)) in VERBS and verb != "run":
            return _split_verb(verb, options, argv[position:])
        else:
            words.append(word)
    if is_interactive and not is_prompt:
        _refuse_slip(words)
    return Call("run", (*options, "--", *words), tuple(notes))


class FromVariables(NamedTuple):
    """What the environment says of a run."""

    arguments: tuple[str, ...] = ()
    """As `Call.arguments`; they stand before those, which win."""
    names: Mapping[str, str] = {}
    """Option -> the variable that gave it: "--timeout" -> "CLINE_TIMEOUT"."""
    notes: tuple[str, ...] = ()


def read_variables(variables: Mapping[str, str], arguments: Sequence[str] = ()) -> FromVariables:
    """Return the options of a run that the environment gives: CLINE_TIMEOUT=90 is --timeout=90, CLINE_YOLO=1 is --yolo.

    What is on the command line, `arguments`, makes void what the environment says of it, and against it.

    Raises:
        UsageError: a variable is no value, or asks for what is not built yet.
    """
    names = {argument.partition("=")[0] for argument in arguments[: _index_of_dashes(arguments)]}
    given = [BY_NAME[name] for name in names if name in BY_NAME]
    options: list[str] = []
    found: dict[str, str] = {}
    notes: list[str] = []
    for option in OPTIONS:
        name = option.names[0]
        variable = next((variable for variable in option.variables if variables.get(variable)), "")
        if not variable or name in LOOKED_UP_LATER:
            continue
        voiding = next((one for one in given if one is option or excludes(one, option)), None)
        if voiding:
            if voiding is not option and voiding.group != option.group:
                notes.append(f"{variable} is void here, because of {voiding.names[0]}")
            continue
        value = _read_variable(option, variable, variables[variable])
        if value is not None:
            found[name] = variable
            _keep(option, variable, value or None, options, notes)
    return FromVariables(tuple(options), found, tuple(notes))


def _read_variable(option: Option, variable: str, value: str) -> str | None:
    """Return the value that a variable gives to its option, empty for a switch that is on, None for nothing."""
    if value in HARMLESS.get(option.names[0], ()):
        return None
    if option.takes != "nothing":
        return value
    if value not in {"0", "1", "false", "true"}:
        raise UsageError(f"{variable} {value!r} is neither true nor false")
    return "" if value in {"1", "true"} else None


def blame(error: UsageError, names: Mapping[str, str]) -> None:
    """Name the variable in a complaint about an option that nobody typed: in CI it is the variable that is wrong."""
    for option, variable in names.items():
        error.message = re.sub(rf"(?<![\w-]){option}(?![\w-])", variable, error.message, count=1)


class Lines(NamedTuple):
    """JSON lines that a run's stdout was to be."""

    kind: Literal["json", "say"]
    is_quiet: bool


def asked_for_lines(argv: Sequence[str], variables: Mapping[str, str]) -> Lines | None:
    """Return which JSON lines a run's stdout was to be, as far as can be told of a command line that is wrong.

    Whoever reads them waits for the last one, whatever it was that went wrong.
    """
    given: dict[str, str | None] = {}
    position = 0
    is_first = True
    while position < len(argv) and argv[position] != "--":
        word = argv[position]
        if word.startswith("-") and word != "-":
            found, position = _read_options(argv, position)
            given.update((option.names[0], value) for _, option, value in found if option)
            continue
        if is_first and ALIASES.get(word, word) != "run" and (word in VERBS or word in PLANNED or word in ALIASES):
            return None
        is_first = False
        position += 1
    named = [BY_NAME[name] for name in given]
    for name in ("--json", "--output-format", "--quiet"):
        option = BY_NAME[name]
        value = variables.get(option.variables[0])
        is_off = option.takes == "nothing" and value not in {"1", "true"}
        if value and not is_off and not any(one is option or excludes(one, option) for one in named):
            given[name] = value
    is_quiet = "--quiet" in given
    if "--json" in given:
        return Lines("json", is_quiet)
    return Lines("say", is_quiet) if given.get("--output-format") == "json" else None


def _special(word: str) -> Call | None:
    for name, _ in _spread(word):
        match name:
            case "-h" | "--help":
                return Call("help")
            case "--help-all":
                return Call("help", ("all",))
            case "-V" | "--version":
                return Call("version")
    return None


def _skip_old_verb(argv: Sequence[str], position: int) -> int:
    """Return where the prompt begins behind `task`: the first generation wrote `task new "..."`.

    Raises:
        UsageError: it is another of that generation's verbs, none of which is a question to a model.
    """
    word = argv[position] if position < len(argv) else ""
    if word in OLD_TASK_VERBS:
        raise UsageError(f"`task {word}` is of an older version", f"To send it as a prompt: cline -- {word}")
    is_new = word in {"new", "n"} and any(" " in following for following in argv[position + 1 :])
    return position + 1 if is_new else position


def _refuse_slip(words: Sequence[str]) -> None:
    """Refuse what a person has most likely not meant as a prompt.

    Raises:
        UsageError: it is a verb of another program, or nearly one of ours.
    """
    if not words or " " in words[0]:
        return
    first, *rest = words
    as_prompt = f"To send it as a prompt: cline -- {shlex.join(words)}"
    if first in PEERS_VERBS:
        raise UsageError(f"there is no `cline {first}`", f"{PEERS_VERBS[first]}. {as_prompt}")
    if rest:
        return
    from difflib import get_close_matches  # lazy: 3 ms, and only where somebody types a single word

    near = get_close_matches(first, sorted({*VERBS, *PLANNED} - {"run"}), 1, cutoff=0.75)
    if near and len(first) > 2:
        raise UsageError(f"there is no `cline {first}`", f"Was it cline {near[0]}? {as_prompt}")


def _split_verb(verb: str, options: list[str], rest: Sequence[str]) -> Call:
    """Give a verb what stood before it and after it; its own app reads the rest as it stands."""
    for option in options:
        name = option.partition("=")[0]
        if name not in SHARED:
            raise UsageError(f"{name} does not go with `cline {verb}`", f"cline {verb} --help")
    before_dashes = rest[: _index_of_dashes(rest)]
    if verb not in {"help", "version"} and {"-h", "--help"} & set(before_dashes):
        return Call("help", (verb,))
    return Call(verb, (*options, *rest))


def _index_of_dashes(words: Sequence[str]) -> int:
    return list(words).index("--") if "--" in words else len(words)


def _take_option(argv: Sequence[str], position: int, options: list[str], notes: list[str]) -> int:
    """Read the option at `position` (a cluster of short ones perhaps), and return the position after it."""
    found, after = _read_options(argv, position)
    for name, option, value in found:
        if option is None:
            options.append(argv[position])  # the Typer app knows how to complain about it
        elif option.takes == "nothing" and value is not None:
            raise UsageError(f"{name} takes no value, but got {value!r}")
        elif option.takes in {"value", "values"} and value is None:
            raise UsageError(f"{name} needs a value")
        else:
            _keep(option, name, value, options, notes)
    return after


class _Found(NamedTuple):
    name: str
    """As it was typed."""
    option: Option | None
    """None for one that is not known, which is the last of its word."""
    value: str | None


def _read_options(argv: Sequence[str], position: int) -> tuple[list[_Found], int]:
    """Return the options of the word at `position` with their values, and the position after them; complain of none."""
    following = argv[position + 1] if position + 1 < len(argv) else None
    found: list[_Found] = []
    used = 1
    for name, attached in _spread(argv[position]):
        option, value = BY_NAME.get(name), attached
        if option and option.takes != "nothing" and value is None and _is_value(option, following):
            value, used = following, 2
        found.append(_Found(name, option, value))
        if option is None:
            break
    return found, position + used


def _spread(word: str) -> Iterator[tuple[str, str | None]]:
    """Yield the options of one word with the values that are attached: `-yv`, `-t90`, `--model=x`, `-F=json`."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        yield name, value if equals else None
        return
    letters = word[1:]
    while letters:
        name, letters = f"-{letters[0]}", letters[1:]
        option = BY_NAME.get(name)
        if option and option.takes != "nothing" and letters:
            yield name, letters.removeprefix("=")
            return
        yield name, None


def _is_value(option: Option, word: str | None) -> bool:
    if word is None or word == "--":
        return False
    return option.takes != "optional value" or re.fullmatch(option.legal, word) is not None


def _keep(option: Option, name: str, value: str | None, options: list[str], notes: list[str]) -> None:
    if option.state == "refused":
        raise UsageError(f"{name} is not supported yet")
    if option.state == "ignored":
        notes.append(f"{name} has no effect here")
        return
    if option.state == "silent":
        return
    long_name = option.names[0]
    if name == "-m" and value in {"act", "plan"}:  # the first generation's -m is the mode
        long_name = "--mode"
    if value == "" and option.names[0] not in MAY_BE_EMPTY:  # an unset variable of a script, most likely
        raise UsageError(f"{name} needs a value, but got an empty one")
    if option.takes == "nothing":
        options.append(long_name)
    else:
        options.append(f"{long_name}={option.bare if value is None else value}")
