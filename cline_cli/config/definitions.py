"""The settings, as data: reading, `cline config`, warnings, completion and docs/configuration.md come from this table.

A key is a path of names: `stdin.max_bytes` is ("stdin", "max_bytes"). In the table `*` stands for a provider's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

Key = tuple[str, ...]


class Patterns(str):
    """A list of patterns as the JSON text of it: each a string, or a table with `pattern`, `match`, `not_match`."""

    __slots__ = ()


Value = str | bool | int | float
Kind = Literal["text", "address", "flag", "number", "amount", "time", "level", "word", "patterns"]
"""What a value is; `values.KINDS` says it to people."""
Project = Literal["nothing", "less", "plan"]
"""What a project's file may do: `less` is a smaller value than the one in force without it, `plan` is that word."""

MAX_TURNS: Final = 200
"""Where nobody says otherwise: no run asks a model for ever."""
LEVELS: Final = ("none", "low", "medium", "high", "xhigh")
FAMILY: Final = "providers"
"""The table whose tables have names that people choose."""


class Definition(NamedTuple):
    key: str
    """With dots; a `*` in it stands for any name."""
    kind: Kind
    help: str
    default: Value | None = None
    """What holds where nobody says anything; None where that is nothing, or depends on the provider."""
    example: Value | None = None
    """What somebody might set who finds no default to go by."""
    words: tuple[str, ...] = ()
    """The only values, of kind `word`."""
    least: int = 1
    """Of kind `number`."""
    option: str = ""
    """The option of a run that it stands for: "--max-turns"."""
    project: Project = "nothing"

    @property
    def path(self) -> Key:
        return tuple(self.key.split("."))


DEFINITIONS: Final[tuple[Definition, ...]] = (
    Definition("provider", "text", "Who serves the models, as -P says for one run.", "cline"),
    Definition(
        "auto_approve", "flag", "Run commands and edits without asking, as -y does.", False, option="--auto-approve"
    ),
    Definition(
        "mode",
        "word",
        "plan changes nothing, act works.",
        "act",
        words=("act", "plan"),
        option="--mode",
        project="plan",
    ),
    Definition(
        "thinking", "level", "How much the model thinks; unset, as it likes.", example="medium", option="--thinking"
    ),
    Definition("timeout", "time", "End a run after this time.", example="10m", option="--timeout", project="less"),
    Definition(
        "idle_timeout",
        "time",
        "Give a provider up that sends nothing for so long.",
        "5m",
        option="--idle-timeout",
        project="less",
    ),
    Definition(
        "request_timeout",
        "time",
        "Give a request up that takes longer in all, from its sending to the last word of its reply.",
        "30m",
        option="--request-timeout",
        project="less",
    ),
    Definition(
        "max_turns",
        "number",
        "End a run after this many model requests.",
        MAX_TURNS,
        option="--max-turns",
        project="less",
    ),
    Definition(
        "max_total_tokens",
        "number",
        "End a run when so many tokens went in and out.",
        example=1_000_000,
        option="--max-total-tokens",
        project="less",
    ),
    Definition(
        "max_cost",
        "amount",
        "Never spend more than this on a run.",
        example=2.5,
        option="--max-cost",
        project="less",
    ),
    Definition(
        "retries", "number", "End a run after so many failed turns in a row.", 6, option="--retries", project="less"
    ),
    Definition(
        "compaction",
        "word",
        "When a conversation gets too long: agentic has a model sum it up, basic cuts it, off does nothing.",
        "agentic",
        words=("agentic", "basic", "off"),
        option="--compaction",
    ),
    Definition(
        "providers.*.model", "text", "The model that this provider is asked for.", example="anthropic/claude-sonnet-4.6"
    ),
    Definition(
        "providers.*.base_url",
        "address",
        "Another server that speaks the same as the provider's own.",
        example="https://llm.example.com/v1",
    ),
    Definition(
        "providers.*.key_store",
        "word",
        "Where the key was put; `cline auth` writes this.",
        words=("keyring", "file"),
    ),
    Definition(
        "stdin.max_bytes",
        "number",
        "Piped input of more bytes goes into a file that the model reads from.",
        200_000,
        project="less",
    ),
    Definition(
        "credentials.store",
        "word",
        "Where `cline auth` puts keys: auto is the keyring, and a file where there is none.",
        "auto",
        words=("auto", "keyring", "file"),
    ),
    Definition("sessions.keep", "flag", "Keep runs as sessions; false is --no-session.", True, option="--no-session"),
    Definition(
        "sessions.keep_days", "number", "Keep a session so many days after its last use; 0 is for ever.", 30, least=0
    ),
    Definition(
        "sessions.max_bytes",
        "number",
        "Keep no more bytes than this of all sessions, the ones used last; 0 is without end.",
        1_000_000_000,
        least=0,
    ),
    Definition(
        "console.theme",
        "word",
        "The terminal's background, for the colours of code; auto asks COLORFGBG, and takes it for dark.",
        "auto",
        words=("auto", "dark", "light"),
    ),
    Definition("console.title", "flag", "Let an interactive session name the terminal's window.", False),
    Definition(
        "console.bell",
        "number",
        "Ring when a run of an interactive session took so many seconds or longer; 0 never rings.",
        0,
        least=0,
    ),
    Definition(
        "policy.allow",
        "patterns",
        "What may run without asking; with -y, all that may run: as --allow.",
        example=Patterns('["git diff *", "edit:docs/**"]'),
    ),
    Definition(
        "policy.deny",
        "patterns",
        "What never runs: as --deny.",
        example=Patterns('["git push *", {"pattern": "rm *", "match": ["sudo rm x"], "not_match": ["rmdir x"]}]'),
    ),
    Definition(
        "policy.allow_redirects",
        "flag",
        "Whether commands may write files with >; unset, where those files may be edited.",
        example=False,
    ),
    Definition(
        "sandbox",
        "word",
        "What confines commands: auto takes what there is, require ends a run without it.",
        words=("auto", "require", "off"),
        example="require",
        option="--sandbox",
    ),
    Definition(
        "sandbox_network",
        "word",
        "Whether commands in the sandbox reach the network.",
        "on",
        words=("on", "off"),
        option="--sandbox-network",
    ),
)


def find(key: Key) -> Definition | None:
    """Return the definition of a setting, or None where there is no such setting."""
    return _BY_PATH.get(_generalize(key))


def is_table(key: Key) -> bool:
    """Whether there are settings below this path."""
    return _generalize(key) in _TABLES


def list_keys(providers: Iterable[str]) -> tuple[str, ...]:
    """Return every setting there is, spelled out, those of providers for each of these."""
    names = tuple(providers)
    return tuple(
        key
        for one in DEFINITIONS
        for key in ([spell((FAMILY, name, one.path[-1])) for name in names] if "*" in one.key else [one.key])
    )


def spell(key: Key) -> str:
    """Return a path as TOML spells it: names with dots or spaces in them are quoted."""
    return ".".join(name if _BARE.fullmatch(name) else _quote(name) for name in key)


def parse_key(text: str) -> Key:
    """Return the path that is spelled: `providers."my.server".model`.

    Raises:
        ValueError: it is no such spelling.
    """
    names: list[str] = []
    position = 0
    while match := _NAME.match(text, position):
        name = match[0]
        names.append(re.sub(r"\\(.)", r"\1", name[1:-1]) if name[0] == '"' else name.strip("'"))
        position = match.end()
        if position == len(text):
            return tuple(names)
        if text[position] != ".":
            break
        position += 1
    raise ValueError("it is not of the form name or table.name")


def find_nearest(key: Key, providers: Iterable[str]) -> str:
    """Return the setting that was most likely meant, or nothing."""
    from difflib import get_close_matches  # lazy: 3 ms, and only for what is misspelled

    candidates = {*list_keys(providers), *list_keys(key[1:2] if key[0] == FAMILY else ())}
    wanted = spell(key).lower().replace("-", "_")
    by_end = [name for name in sorted(candidates) if name.rpartition(".")[2] == wanted.rpartition(".")[2]]
    near = get_close_matches(wanted, sorted(candidates), 1, cutoff=0.75)
    return (near or by_end or [""])[0]


def is_secret(key: Key) -> bool:
    """Whether somebody wants to keep a key of a provider there, which no setting is for."""
    return find(key) is None and bool(_SECRET.search(key[-1].replace("-", "_")))


_BY_PATH = {one.path: one for one in DEFINITIONS}
_TABLES = {path[:length] for path in _BY_PATH for length in range(1, len(path))}
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_NAME = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)+"|'[^']+'""")
_SECRET = re.compile(r"(?:^|_)key$|(?:apikey|token|secret|password)$", re.IGNORECASE)


def _quote(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    shown = [one if one.isprintable() else f"\\U{ord(one):08X}" for one in escaped]
    return f'"{"".join(shown)}"'


def _generalize(key: Key) -> Key:
    """Return a path as the table has it."""
    return (FAMILY, "*", *key[2:]) if key[0] == FAMILY and len(key) > 1 else key
