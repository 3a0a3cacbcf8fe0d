"""The options of a run as Typer hands them over, under the names of the table; those of a group read together."""

from __future__ import annotations

from collections.abc import Mapping

from cline_cli.agent.compaction import Mode as Compaction
from cline_cli.commands._values import read_word
from cline_cli.config.settings import Theme
from cline_cli.errors import UsageError
from cline_cli.frontends.manner import Manner, OutputFormat
from cline_cli.machine.input import StdinMode
from cline_cli.policy.decide import Mode

MODES: tuple[Mode, ...] = ("act", "plan")
COMPACTIONS: tuple[Compaction, ...] = ("agentic", "basic", "off")
STDIN_MODES: tuple[StdinMode, ...] = ("auto", "wait", "ignore")
FORMATS: Mapping[str, OutputFormat] = {"rich": "rich", "plain": "plain", "json": "say"}


class Given:
    """What was given, under each option's `name`."""

    def __init__(self, values: Mapping[str, bool | str | list[str] | None]) -> None:
        self._values = values

    def value(self, name: str) -> bool | str | list[str] | None:
        """Return what was given, whatever it is."""
        return self._values[name]

    def flag(self, name: str) -> bool:
        value = self._values[name]
        assert isinstance(value, bool), f"{name} is a flag"
        return value

    def text(self, name: str) -> str | None:
        value = self._values[name]
        assert value is None or isinstance(value, str), f"{name} is text"
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._values[name] or ()
        assert isinstance(value, list | tuple), f"{name} is a list"
        return tuple(value)


def read_mode(given: Given) -> Mode:
    """Return what the run may do.

    Raises:
        UsageError: the options contradict each other.
    """
    asked: dict[str, Mode] = {"--plan": "plan"} if given.flag("plan") else {}
    if given.flag("act"):
        asked["--act"] = "act"
    mode = given.text("mode")
    if mode is not None:
        asked["--mode"] = read_word("mode", mode, MODES)
    if len({*asked.values()}) > 1:
        raise UsageError(f"{' and '.join(asked)} contradict each other: a run either plans or acts")
    return next(iter(asked.values()), "act")


def read_manner(given: Given, *, has_schema: bool) -> Manner:
    """Return how the run is to be shown.

    Raises:
        UsageError: the options contradict each other, or one has no such value.
    """
    output_format: OutputFormat | None = None
    asked = given.text("output_format")
    if asked is not None:
        output_format = FORMATS[read_word("output_format", asked, tuple(FORMATS))]
    if given.flag("json"):
        if asked not in {None, "json"}:
            raise UsageError(f"--json and --output-format={asked} contradict each other")
        output_format = "json"
    if given.flag("quiet") and given.flag("verbose"):
        raise UsageError("--quiet and --verbose contradict each other")
    if given.flag("stream") and has_schema:
        raise UsageError("--stream and --schema contradict each other", "With a schema only the document is printed")
    return Manner(
        output_format,
        streams=given.flag("stream"),
        holds=has_schema,
        is_quiet=given.flag("quiet"),
        is_verbose=given.flag("verbose"),
    )


def is_light(theme: Theme, variables: Mapping[str, str]) -> bool:
    """Tell whether the terminal is light: as the setting says, or as COLORFGBG does, whose last number is a colour."""
    background = variables.get("COLORFGBG", "").rpartition(";")[2]
    return theme == "light" or (theme == "auto" and background in {"7", *map(str, range(9, 16))})


def read_compaction(given: Given) -> Compaction:
    """Return what is done when a conversation gets too long for its model.

    Raises:
        UsageError: the option has no such value.
    """
    text = given.text("compaction")
    return "agentic" if text is None else read_word("compaction", text, COMPACTIONS)


def read_stdin_mode(given: Given) -> StdinMode:
    """Return what is done about standard input.

    Raises:
        UsageError: the options contradict each other, or one has no such value.
    """
    text = given.text("stdin")
    mode: StdinMode = "auto" if text is None else read_word("stdin", text, STDIN_MODES)
    if mode == "ignore" and given.flag("require_stdin"):
        raise UsageError("--stdin=ignore and --require-stdin contradict each other")
    return mode
