"""The options of a run, as data: splitting, parsing, help, variables and tests come from here.

An option has the original command's meaning wherever its names are the original's, in any of its three generations.
"""

from __future__ import annotations

from keyword import iskeyword
from typing import Literal, NamedTuple

Takes = Literal["nothing", "value", "values", "optional value"]
"""`values` may be given again and again; an optional value is taken only where the next word looks like one."""
State = Literal["built", "ignored", "silent", "refused"]
"""`ignored` has no meaning here, which is said on stderr; `silent` is what a run does anyway; `refused` would change or
protect something, and is not built yet."""


class Option(NamedTuple):
    names: tuple[str, ...]
    """The first is its own long name; the others mean the same."""
    help: str = ""
    takes: Takes = "nothing"
    metavar: str = ""
    legal: str = ""
    """A pattern: what the next word must be, whole, to be taken as an optional value."""
    bare: str = ""
    """What an optional value is when it is left out."""
    is_common: bool = False
    """Shown by --help; the others by --help-all."""
    state: State = "built"
    group: str = ""
    """Options that overrule one another; a variable of one is void where another is given on the command line."""
    against: tuple[str, ...] = ()
    """Further options that cannot stand together with it; of two, it is enough that one names the other."""

    @property
    def name(self) -> str:
        """Its name in code: "max_turns"; one that is a word of Python's has a line behind it: "continue_"."""
        name = self.names[0].removeprefix("--").replace("-", "_")
        return f"{name}_" if iskeyword(name) else name

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that stand for it, one a long name: "CLINE_MAX_TURNS". The first counts most."""
        names = (name.removeprefix("--") for name in self.names if name.startswith("--"))
        return tuple(f"CLINE_{name.replace('-', '_').upper()}" for name in names)


SESSION = ("--id", "--continue")
SINGLE = (
    *("--json", "--output-format", "--quiet", "--schema", "--patch", "--apply-if", "--output", "--dry-run", "--file"),
    *("--stdin", "--require-stdin", "--stream"),
)
"""Options that make sense for a single run alone: with one of them there is no interactive session."""
LEVELS = "none|low|medium|high|xhigh"


def _row(  # noqa: PLR0913  # the columns of the table
    names: str,
    help: str = "",  # noqa: A002  # the field's name
    metavar: str = "",
    *,
    is_common: bool = False,
    group: str = "",
    against: tuple[str, ...] = (),
    state: State = "built",
) -> Option:
    """Return a switch, or with a `metavar` an option that takes one value."""
    takes: Takes = "value" if metavar else "nothing"
    return Option(tuple(names.split()), help, takes, metavar, "", "", is_common, state, group, against)


OPTIONS: tuple[Option, ...] = (
    _row("--yolo -y --no-interactive", "Run commands and edits without asking.", is_common=True, group="approval"),
    _row("--plan -p", "Change nothing; answer with a plan.", is_common=True, group="mode"),
    _row("--no-tools -n", "Be a filter: no tools, no context.", is_common=True, against=SESSION),
    _row("--model -m", "The model for this run.", "MODEL", is_common=True),
    _row("--provider -P", "Who serves it, for this run.", "NAME", is_common=True),
    Option(("--file", "-f", "--image"), "Send a file along; again for more.", "values", "FILE", is_common=True),
    _row("--cwd -c -w --workspace", "The folder to work in.", "DIR", is_common=True),
    _row("--timeout -t", "End the run after: 90, 90s, 10m.", "TIME", is_common=True),
    _row("--id -T --taskId", "Go on with a session.", "ID", is_common=True, group="session"),
    _row("--continue", "Go on with the newest session of this folder.", is_common=True, group="session"),
    _row("--json", "Print events as JSON, a line each.", is_common=True, group="output"),
    _row("--schema", "Answer as JSON: a schema, its file, or a, b int.", "SCHEMA", is_common=True),
    _row("--output", "Write the answer to a file as well.", "FILE", is_common=True),
    _row("--quiet -q", "Only errors on stderr.", is_common=True, group="loudness"),
    _row("--verbose -v", "Say which model, and how long it took.", is_common=True, group="loudness"),
    _row("--key -k", "A key for this run; - reads it from stdin.", "KEY"),
    _row("--system -s", "Your own system prompt.", "TEXT"),
    Option(
        ("--thinking", "--reasoning-effort"),
        f"{LEVELS.replace('|', ', ')}, or a number of tokens.",
        "optional value",
        "LEVEL",
        rf"{LEVELS}|\d+",
        "medium",
    ),
    _row("--act -a", "Work, the default, as against --plan.", group="mode"),
    _row("--mode", "act or plan.", "MODE", group="mode"),
    Option(
        ("--auto-approve", "--autoapprove", "--auto-approve-all"),
        "true, as -y does, or false.",
        "optional value",
        "BOOL",
        "true|false",
        "true",
        group="approval",
    ),
    Option(("--allow",), "What runs without asking; with -y, nothing else.", "values", "PATTERN"),
    Option(("--deny",), "What never runs; again for more.", "values", "PATTERN"),
    _row("--sandbox", "Confine commands: auto, require, off.", "MODE"),
    _row("--sandbox-network", "Whether confined commands reach it: on, off.", "MODE"),
    _row("--patch", "Print the changes as a diff, and leave the files as they were.", against=("--schema", "--stream")),
    _row("--apply-if", "Keep the changes only if this command succeeds.", "CMD"),
    _row("--leave-running", "Let processes that commands started live on after the run."),
    _row("--worktree", "Work in a new git worktree of the repository."),
    _row("--max-turns", "End after this many model requests (200).", "N"),
    _row("--max-total-tokens", "End when so many tokens went in and out.", "N"),
    _row("--max-cost", "Never spend more than this.", "USD"),
    Option(
        ("--retries", "--max-consecutive-mistakes"),
        "End after so many failed turns in a row, or answers that do not fit --schema (6).",
        "optional value",
        "N",
        r"\d+",
        "6",
    ),
    _row("--idle-timeout", "Give a provider up that sends nothing for so long (5m).", "TIME"),
    _row("--request-timeout", "Give a request up that takes longer in all (30m).", "TIME"),
    _row("--compaction", "When a conversation gets too long: agentic, basic, off.", "MODE"),
    _row("--stdin", "auto, wait for its end, or ignore it.", "MODE", group="stdin"),
    _row("--require-stdin", "End with an error when nothing is piped in.", group="stdin"),
    _row("--stream", "Print all text as it comes, not the answer alone.", against=("--schema",)),
    _row("--output-format -F", "rich, plain, or json as older versions wrote it.", "FORMAT", group="output"),
    _row("--tui -i", "Hold an interactive session, with the prompt as its first.", against=SINGLE),
    _row("--no-session", "Keep nothing of the run.", against=SESSION),
    _row("--dry-run", "Tell what would be sent, and send nothing."),
    _row("--bare", "Read no settings and no rules from disk."),
    _row("--config", "Folder of the settings.", "DIR"),
    _row("--data-dir", "Folder of the state.", "DIR"),
    _row("--oneshot -o", state="silent"),
    *(_row(name, state="ignored") for name in ("--double-check-completion", "--auto-condense")),
    *(_row(name, "", "VALUE", state="ignored") for name in ("--team-name", "--setting", "--address")),
    *(_row(names, state="refused") for names in ("--acp", "--zen -z", "--update", "--kanban")),
    _row("--hooks-dir", "", "VALUE", state="refused"),
)
BY_NAME = {name: option for option in OPTIONS for name in option.names}
BUILT = tuple(option for option in OPTIONS if option.state == "built")
MAY_BE_EMPTY = frozenset({"--system"})
SHARED = frozenset({"--config", "--data-dir", "--cwd", "--verbose", "--json"})
"""Options of a run that may stand before any verb; one that has no use for it says so."""
LOOKED_UP_LATER = frozenset({"--provider", "--model", "--config", "--data-dir"})
"""Their variables are looked at where the settings are, for every verb."""
HARMLESS: dict[str, frozenset[str]] = {"--sandbox": frozenset({"1"})}
"""Values of variables that ask for nothing: 1 is the original's own mark for --data-dir."""


def excludes(one: Option, other: Option) -> bool:
    """Return whether two options cannot stand together."""
    is_group = one.group == other.group != ""
    return is_group or other.names[0] in one.against or one.names[0] in other.against


OTHER_VARIABLES: dict[str, str] = {
    "CLINE_API_KEY": "A key for the Cline API, or for a server of your own; others have variables of their own",
    "CLINE_COMMAND_PERMISSIONS": "What commands may run, as JSON: allow, deny, allowRedirects",
    "CLINE_DIR": "Folder of the settings, as CLINE_CONFIG",
    "CLINE_API_BASE_URL": "Another server for the Cline API: an origin, to which /api/v1 is appended",
    "OLLAMA_HOST": "Where Ollama's server is, as Ollama itself reads it; a saved address goes before",
    "CLINE_MODELS_DIR": "Where the weights of local models lie",
    "CLINE_DEBUG": "1 shows where an internal error came from",
    "NO_COLOR": "Plain text on a terminal, without colours and without a live screen",
    "CI": "There is nobody to ask",
    "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY": "The way to the provider",
    "SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE, NODE_EXTRA_CA_CERTS": "Certificates that are trusted",
}
"""What else is looked at, for people."""
