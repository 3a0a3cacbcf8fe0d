"""What the person typed, sorted: which verb, and its arguments in the one form that its Typer app reads.

    cline --config D auth -p cline        -> auth   --config=D  -p cline
    cline -y fix the tests -m x           -> run    --yolo --model=x  --  fix the tests
    cline --thinking "why?"               -> run    --thinking=medium  --  why?

Options of a run may stand before or after the prompt, in every spelling of three generations of the command; after
this they are long, in front, and carry their value behind `=`. Pure: nothing is looked up and nothing printed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from cline_cli.commands import ALIASES, PLANNED, VERBS
from cline_cli.errors import UsageError


class Option(NamedTuple):
    names: tuple[str, ...]
    """The first is the long name that the Typer app knows."""
    takes: Literal["nothing", "value", "optional value"] = "nothing"
    legal: str = ""
    """What the next word must look like, whole, to be taken as an optional value."""
    bare: str = ""
    """What an optional value is when it is left out."""
    state: Literal["built", "ignored", "refused"] = "built"
    """`ignored` has no meaning here and is noted on stderr; `refused` would change or protect something."""


LEVELS = "none|low|medium|high|xhigh"

OPTIONS: tuple[Option, ...] = (
    Option(("--yolo", "-y", "--no-interactive")),
    Option(("--auto-approve", "--autoapprove", "--auto-approve-all"), "optional value", "true|false", "true"),
    Option(("--plan", "-p")),
    Option(("--act", "-a")),
    Option(("--mode",), "value"),
    Option(("--model", "-m"), "value"),
    Option(("--provider", "-P"), "value"),
    Option(("--key", "-k"), "value"),
    Option(("--system", "-s"), "value"),
    Option(("--cwd", "-c", "-w", "--workspace"), "value"),
    Option(("--timeout", "-t"), "value"),
    Option(("--no-tools", "-n")),
    Option(("--thinking", "--reasoning-effort"), "optional value", rf"{LEVELS}|\d+", "medium"),
    Option(("--retries", "--max-consecutive-mistakes"), "optional value", r"\d+", "6"),
    Option(("--max-turns",), "value"),
    Option(("--output-format", "-F"), "value"),
    Option(("--config",), "value"),
    Option(("--data-dir",), "value"),
    Option(("--no-session",)),
    Option(("--quiet", "-q")),
    Option(("--verbose", "-v")),
    Option(("--oneshot", "-o"), state="ignored"),
    *(Option((name,), state="ignored") for name in ("--double-check-completion", "--auto-condense")),
    *(Option((name,), "value", state="ignored") for name in ("--team-name", "--setting", "--address")),
    *(
        Option(names, state="refused")
        for names in (
            ("--json",),
            ("--acp",),
            ("--zen", "-z"),
            ("--tui", "-i"),
            ("--continue",),
            ("--worktree",),
            ("--update",),
            ("--kanban",),
            ("--stream",),
            ("--require-stdin",),
            ("--patch",),
            ("--dry-run",),
            ("--bare",),
        )
    ),
    *(
        Option(names, "value", state="refused")
        for names in (
            ("--id",),
            ("--taskId", "-T"),
            ("--compaction",),
            ("--hooks-dir",),
            ("--file", "-f"),
            ("--image",),
            ("--stdin",),
            ("--max-cost",),
            ("--max-total-tokens",),
            ("--allow",),
            ("--deny",),
            ("--schema",),
            ("--output",),
            ("--apply-if",),
            ("--sandbox",),
        )
    ),
)
BY_NAME = {name: option for option in OPTIONS for name in option.names}
MAY_BE_EMPTY = frozenset({"--system"})
SHARED = frozenset({"--config", "--data-dir", "--cwd", "--verbose"})
"""Options of a run that every verb understands."""


PROTECTING = ("CLINE_COMMAND_PERMISSIONS", "CLINE_ALLOW", "CLINE_DENY", "CLINE_MAX_COST", "CLINE_MAX_TOTAL_TOKENS")
"""Variables that limit what a run may do, and are not built yet: a run that cannot keep to them must not start."""
NOT_FROM_VARIABLES = frozenset({"--key", "--provider", "--model", "--config", "--data-dir"})
"""These have variables of their own, which are looked at where they are needed."""


class Call(NamedTuple):
    verb: str
    """A key of commands.VERBS."""
    arguments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What to tell the person on stderr before anything else."""


def split(argv: Sequence[str]) -> Call:
    """Sort a command line (without the program's name).

    Raises:
        UsageError: an option lacks its value, or asks for something that is not built yet.
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
            break
        if word.startswith("-") and word != "-":
            special = _special(word)
            if special:
                return special
            position = _take_option(argv, position - 1, options, notes)
        elif words or is_prompt or " " in word:
            words.append(word)
        elif word in ALIASES:
            is_prompt = True
        elif word in PLANNED:
            raise UsageError(f"`cline {word}` is not supported yet", f"To send it as a prompt: cline -- {word}")
        elif word in VERBS and word != "run":
            return _split_verb(word, options, argv[position:])
        else:
            words.append(word)
    return Call("run", (*options, "--", *words), tuple(notes))


def read_variables(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the options of a run that the environment gives: CLINE_TIMEOUT=90 is --timeout=90, CLINE_YOLO=1 is --yolo.

    They stand before those of the command line, which win.

    Raises:
        UsageError: a variable is no value, or asks for protection that is not built yet.
    """
    for name in PROTECTING:
        if variables.get(name):
            raise UsageError(f"{name} is not supported yet, and a run does not start without what it asks for")
    if variables.get("CLINE_SANDBOX") == "require":
        raise UsageError("CLINE_SANDBOX=require is not supported yet, and a run does not start without a sandbox then")
    options: list[str] = []
    for option in OPTIONS:
        name = option.names[0]
        variable = f"CLINE_{name.removeprefix('--').replace('-', '_').upper()}"
        value = variables.get(variable, "")
        if option.state != "built" or name in NOT_FROM_VARIABLES or not value:
            continue
        if option.takes != "nothing":
            options.append(f"{name}={value}")
        elif value in {"1", "true"}:
            options.append(name)
        elif value not in {"0", "false"}:
            raise UsageError(f"{variable} {value!r} is neither true nor false")
    return tuple(options)


def _special(word: str) -> Call | None:
    match word:
        case "-h" | "--help":
            return Call("help")
        case "--help-all":
            return Call("help", ("all",))
        case "-V" | "--version":
            return Call("version")
    return None


def _split_verb(verb: str, options: list[str], rest: Sequence[str]) -> Call:
    """Give a verb what stood before it and after it; its own app reads the rest as it stands."""
    for option in options:
        name = option.partition("=")[0]
        if name not in SHARED:
            raise UsageError(f"{name} does not go with `cline {verb}`", f"cline {verb} --help")
    before_dashes = list(rest[: list(rest).index("--")] if "--" in rest else rest)
    if verb not in {"help", "version"} and {"-h", "--help"} & set(before_dashes):
        return Call("help", (verb,))
    return Call(verb, (*options, *rest))


def _take_option(argv: Sequence[str], position: int, options: list[str], notes: list[str]) -> int:
    """Read the option at `position` (a cluster of short ones perhaps), and return the position after it."""
    word = argv[position]
    following = argv[position + 1] if position + 1 < len(argv) else None
    used = 1
    for name, value in _spread(word):
        option = BY_NAME.get(name)
        if option is None:
            options.append(word)  # the Typer app knows how to complain about it
            break
        if option.takes == "nothing":
            if value is not None:
                raise UsageError(f"{name} takes no value, but got {value!r}")
        elif value is None and following is not None and _is_value(option, following):
            value = following  # noqa: PLW2901  # the value of a detached option is the next word
            used = 2
        elif value is None and option.takes == "value":
            raise UsageError(f"{name} needs a value")
        _keep(option, name, value, options, notes)
    return position + used


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


def _is_value(option: Option, word: str) -> bool:
    if option.takes == "optional value":
        return re.fullmatch(option.legal, word) is not None
    return word != "--"


def _keep(option: Option, name: str, value: str | None, options: list[str], notes: list[str]) -> None:
    if option.state == "refused":
        raise UsageError(f"{name} is not supported yet")
    if option.state == "ignored":
        notes.append(f"{name} has no effect here")
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
