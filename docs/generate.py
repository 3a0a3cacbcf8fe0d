"""Writes what comes from code and from one page into another; `--check` only compares.

    Typer apps, options, tools' specs  ->  help texts, docs/commands.md, docs/environment.md, docs/tools.md
    settings' definitions              ->  docs/configuration.md
    rows of providers                  ->  docs/providers.md
    docs/headless.md                   ->  cline help exit-codes, json, stdin

Help is rendered plainly and 80 columns wide, so that it reads the same in a terminal, in a pipe and on a page.
"""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from cline_cli.commands import VERBS
from cline_cli.commands.help import TEXTS
from cline_cli.commands.options import BUILT, BY_NAME, OPTIONS, OTHER_VARIABLES, Option
from cline_cli.config.definitions import DEFINITIONS, Definition
from cline_cli.config.values import KINDS, to_toml
from cline_cli.providers import PROVIDERS, Row
from cline_cli.tools import EDITORS, TOOLS, Workplace, build_tools
from cline_cli.tools import Row as ToolRow
from cline_cli.tools._old_names import OLD_NAMES
from cline_cli.workspace.confinement import Confinement

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
COMMANDS = """\
# Commands

This page is written by `make docs` from the commands themselves; `cline help COMMAND` prints the same.
"""
TOOLS_PAGE = """\
# Tools

What a model may call in a run. This page is written by `make docs` from what the model is told.

Without `-y` a run reads: what changes something is asked for at the terminal, or denied where nobody can be asked
([security](security.md)). A model is told of no tool that could not run; with `-n` of none. Several calls in one reply
run together; the commands of one call run one after another, each in a fresh shell in the working directory, without
input and without your keys. Relative paths stay in the working directory, symbolic links included; `-y` is leave for
absolute paths too.
Every name below may be used by a model that learned it elsewhere, with the arguments of then.
"""
EFFECTS = {
    None: "It reads the workspace.",
    "command": "It runs commands; those that only read run unasked.",
    "edit": "It changes files.",
    "fetch": "It reads the web.",
}
ENVIRONMENT = """\
Every option of a run can be given as a variable; the option wins, and makes void what variables say against it
(`--act` goes before `CLINE_PLAN=1`). A switch is `1` or `true`, `0` or `false`; an empty variable counts as none. A
variable that asks for what this version does not have ends a run before it starts, with exit code 2: REFUSED.
"""
PROVIDERS_PAGE = """\
# Providers and keys

Who serves models, and what is known to work with whom. This page is written by `make docs` from the table itself
(`cline_cli/providers/_rows.py`); `cline models` lists what a provider serves.

```sh
cline auth -p openrouter -k - < key.txt
cline auth -p openai-compatible -b http://localhost:8000/v1 -m my-model -k - < key.txt
cline -P openrouter -m google/gemini-2.5-pro "..."        # for one run
```

TABLE

**Format** is how requests are written: `chat` is chat completions, which OpenAI began and most others serve. Where a
provider speaks them in a way of its own (how thinking is asked for, which fields it refuses, what it wants back), that
is known of it; a server that refuses a field by name is asked again without it. `openai-compatible` is for every other
server that speaks them: give its address with `-b`.

**Tested with** says what the tests play: `recorded` replies that the provider's own server gave, or `documented` ones,
written after its documentation. `untested` is a provider that has none of its own: it is asked as the others of its
format are, and what is particular to it comes from its documentation. The model that runs on this machine is run.

The key is in the first variable that is set. What chooses no provider by being set, because it is set for other things
as well or goes to a server of your own, are QUIET: name those providers with `-P`. Keys for Qwen from China go with `-b
https://dashscope.aliyuncs.com/compatible-mode/v1`.

**Which provider:** `-P`, else `CLINE_PROVIDER`, else the one saved by `cline auth`, else the first of the table whose
key is in the environment. **Which model:** `-m`, else `CLINE_MODEL`, else the one saved for that provider, else its
default. A model's name is sent as you give it. `-m`, `-P` and `-k` on a run are for that run; only `cline auth` saves.

**Which address:** `CLINE_API_BASE_URL` moves the Cline API (an origin; `/api/v1` is appended), `-b` at `cline auth` any
provider. Ollama is asked where `OLLAMA_HOST` says, unless an address was saved for it; where that says that Ollama
listens everywhere (`0.0.0.0`), this machine is asked.

**Which key:** `-k` (`-k -` reads one line of standard input), else the environment, else the keyring, else our
credentials file, else the key of the original command in `~/.cline/data/settings/providers.json`. The first that exists
wins, and a refusal says which it was. A variable that is set but empty is an error, not a reason to look further. A
vendor's variable is sent to that vendor only: a server at another address gets `-k`, the key saved for it, or
`CLINE_API_KEY`.

**Where keys are saved:** in the keyring (service `cline`, user the provider's name). A machine without any keyring,
such as a container, gets `credentials.json` in the settings folder, readable by you alone, and a line that says so;
`credentials.store = "keyring"` in `settings.toml` makes that an error. A keyring that is there but locked, silent or
broken is an error with the ways out: unlock it, use the variable, or `--insecure-storage`.

Commands that a run executes get an environment without any of these variables, and on Linux cannot read them from the
command's own process either, unless they run as root.

## Servers of your own

OWN need no key: one is sent where there is one. Name the model, as the server does.

```sh
cline -P ollama -m qwen3:8b "..."
cline auth -p llama-server -b http://192.168.1.5:8080/v1 -m any
```

Small models often write a call of a tool into their answer, where their server does not read it as one. From TEXT a
reply that is nothing but such calls, of tools that were offered, is read as calls: JSON with `name` and `arguments`,
bare or in a fence, and what Hermes, Qwen, Llama and Mistral write. Everything else stays text. The embedded model needs
no server: [the local model](local-model.md).
"""
FORMATS = {
    "openai_chat": "chat",
    "anthropic": "Anthropic messages",
    "openai_responses": "OpenAI responses",
    "gemini": "Gemini",
    "local": "none: on this machine",
}
CONFIGURATION = """\
# Settings

What is to hold for every run stands in `settings.toml`, a file for people: comments, order and layout stay when
`cline` changes it. This page is written by `make docs` from the settings themselves.

```sh
cline config                      # every setting, and who says so
cline config set timeout 10m      # cline config unset timeout takes it away
cline config get timeout          # the bare value, for scripts; exit code 1 where there is none
cline config edit                 # the whole file, in your editor ($VISUAL, $EDITOR, else vi or nano)
cline config path                 # every place that is read or written, and why it is that place
```

All of them take `--json`; `cline config --json` is one object:

```text
{"settings": {KEY: {"value", "origin", "file", "line"}},
 "paths": {NAME: {"path", "reason", "exists"}},
 "warnings": [TEXT]}
```

`origin` is `default`, a variable (`$CLINE_MAX_TURNS`), or file and line. A value of `null` is none. Keys of providers
are no settings: `cline auth` keeps them ([providers](providers.md)).

## The settings

TABLE

A time is `90`, `90s`, `10m` or `2h`. Names with dots are tables in TOML: `max_bytes` below `[stdin]`, or
`stdin.max_bytes` in one line at the top. `providers.NAME` is a provider by its own name: `[providers.cline]`. While a
key is saved for a provider, `cline config set` and `unset` do not move its `base_url` to another server, since the key
would go there, and leave its `key_store` alone: `cline auth -b` changes address and key, `cline auth logout` removes
the key. Who edits the file by hand, or with `cline config edit`, sends the key wherever the file then says.

```toml
provider = "cline"
max_turns = 50

[providers.cline]
model = "anthropic/claude-sonnet-4.6"   # for every run that names no other
```

Patterns are a list of texts and tables ([rules for commands](security.md#rules-for-commands)); `cline policy show`
shows those in force. A list that is not valid ends every run before it starts.

## Who wins

1. the option: `--max-turns 5`
2. the variable: `CLINE_MAX_TURNS=5` ([all of them](environment.md))
3. the project's settings, as far as they are trusted
4. your settings
5. the default

A setting is void where an option or a variable says something against it: `--act` goes before `mode = "plan"`,
`--auto-approve=false` before `auto_approve = true`, and `--id` before `sessions.keep = false`. A run with `--bare`
reads neither file. `provider` and the models of providers have further sources ([providers](providers.md)).

## Where the file is

In the folder that `--config` names, else `CLINE_CONFIG` or `CLINE_DIR`, else the platform's: `~/.config/cline` on
Linux, `~/Library/Application Support/cline` on macOS. The file is made with mode 0600 when something is set, and can
be a symbolic link. Several processes may change it at once: each change waits for the one before, and none is lost.

`cline config edit` works on a draft beside the file. What cannot be read never becomes the settings: it is told with
line and column, stays in the draft, and the next `cline config edit` goes on with it. Where the settings have changed
since the draft was made, it is put aside under another name, which is said, and the edit begins with the settings as
they are.

## A project's settings

A project can bring `.cline/settings.toml`. The nearest one counts, from the folder of the run upwards to the one with
`.git` in it, never the one in HOME. Whoever clones a project has not read it, so it is trusted with little: it may
say `mode = "plan"`, and lower the limits TRUSTED. What else it sets is named in one line and left alone, larger
limits among it. A file that is a symbolic link is not read, which is said; nor is one that belongs to another user,
unless that is root, or the owner of the folder too.

## Names and values that are wrong

A file that is no TOML, or has a value of the wrong type, ends every command that needs it with exit code 2, and one
line:

```text
cline: cannot use /home/ada/settings.toml, line 3, column 13: stdin.max_bytes must be a whole number, not text. ...
```

A name that is no setting is kept, and told with the nearest one that is:

```text
cline: /home/ada/settings.toml, line 4: there is no setting "stdin.max_byte", did you mean stdin.max_bytes?
```

## From the original command

Where there is no `settings.toml` yet and the original command has been set up, what fits is taken over once, and said
in one line: the provider, models and addresses, how much the model thinks, plan mode. Its files are only read. They
are looked for where `CLINE_PROVIDER_SETTINGS_PATH` and `CLINE_GLOBAL_SETTINGS_PATH` say, in `settings` below
`--data-dir` or `CLINE_DATA_DIR`, in `data/settings` below `--config`, `CLINE_CONFIG` or `CLINE_DIR`, and in
`~/.cline/data/settings`. What is found in the first two holds for the runs that are told of them, is not kept, and
nothing is said; with `-q`, which says nothing, nothing is kept either.

Keys stay in its `providers.json`, where runs find them. Not taken over, but named: `toolAutoApprove` (`-y` is leave
for one run, `cline config set auto_approve true` for all), `disabledTools`, and providers that are not supported yet.
"""
TOPICS = {"exit-codes": "Exit codes", "json": "JSON lines", "stdin": "Standard input"}
"""Topic of `cline help` -> section of docs/headless.md."""
WIDTH = 80
TYPERS_HELP = "  --help                      Show this message and exit.\n"
OUR_HELP = """\
  -h, --help                  The options that people use, on one screen.
  --help-all                  All options: this.
  -V, --version               The version.
"""
WIDEST_NAME = 24
"""What is wider in a table's first column stands on a line of its own."""


def render(app: typer.Typer, name: str, *, is_whole: bool = False) -> str:
    """Return the help text of an app and of its subcommands; `is_whole` shows the options that --help leaves out."""
    texts = []
    for path, part in _walk(name, get_command(app)):
        if is_whole:
            for parameter in part.params:
                parameter.hidden = False
        context = part.context_class(part, info_name=path, terminal_width=WIDTH, max_content_width=WIDTH)
        texts.append(part.get_help(context).rstrip() + "\n")
    return "\n".join(texts)


def _walk(name: str, command: TyperCommand | TyperGroup) -> Iterator[tuple[str, TyperCommand | TyperGroup]]:
    yield name, command
    if isinstance(command, TyperGroup):
        for sub_name, sub_command in command.commands.items():
            yield from _walk(f"{name} {sub_name}", sub_command)


def describe_run() -> str:
    """Return what --help prints: the options that people use, on one screen of 24 lines."""
    rows = [(f"{_spell(option)}", option.help) for option in BUILT if option.is_common]
    rows.append(("-h, --help", "This; --help-all shows every option, -V the version."))
    width = max(len(names) for names, _ in rows)
    verbs = [verb for verb in VERBS if verb not in {"run", "help"}]
    commands = "Commands: cline "
    return "\n".join(
        (
            'Usage: cline [OPTIONS] [PROMPT]...     git diff | cline "Review this."',
            "",
            *(f"  {names:<{width}}  {text}" for names, text in rows),
            "",
            textwrap.fill(" | ".join(verbs), WIDTH, initial_indent=commands, subsequent_indent=" " * len(commands)),
            "More: cline help COMMAND",
            f"      cline help {' | '.join((*TOPICS, 'environment'))}",
            "",
        )
    )


def _spell(option: Option) -> str:
    short = [name for name in option.names if not name.startswith("--")][:1]
    return ", ".join((*short, option.names[0])) + (f" {option.metavar}" if option.metavar else "")


def describe_commands() -> dict[Path, str]:
    """Return the help texts and the page of commands."""
    files: dict[Path, str] = {}
    sections = [COMMANDS]
    for verb, row in VERBS.items():
        if not row.has_app:
            continue
        app = import_module(f"cline_cli.commands.{row.module}").app
        name = "cline" if verb == "run" else f"cline {verb}"
        whole = render(app, name, is_whole=True)
        files[TEXTS / f"{verb}.txt"] = describe_run() if verb == "run" else render(app, name)
        if verb == "run":
            whole = whole.replace(TYPERS_HELP, OUR_HELP)
            files[TEXTS / "all.txt"] = whole
        sections.append(f"## {name}\n\n```text\n{whole}```\n")
    return {**files, DOCS / "commands.md": "\n".join(sections)}


def describe_tools() -> str:
    """Return the page of tools."""
    toolbox = build_tools(Workplace(Confinement(ROOT), {}))
    sections = [TOOLS_PAGE]
    for name, row in TOOLS.items():
        spec = toolbox.tools[name].spec
        old = [f"`{other}`" for other, (own, _) in OLD_NAMES.items() if own == name]
        effect = EFFECTS[row.kind] if row.is_offered else "It ends the run."
        sections.append(f"## {name}\n\n{effect} {_say_when(name, row)} {spec.description}\n")
        sections.append(f"```json\n{json.dumps(spec.parameters, indent=2)}\n```\n")
        if old:
            sections.append(f"Also understood as {', '.join(old)}.\n")
    return "\n".join(sections)


def _say_when(name: str, row: ToolRow) -> str:
    """Return when a model is told of a tool."""
    if not row.is_offered:
        return "No model is told of it."
    if row.needs_person:
        return "A model is told of it where a person can be asked."
    if name in EDITORS:
        whom = "that do best with patches" if name == "apply_patch" else "but those that get `apply_patch`"
        return f"Models {whom} are told of it, where edits could be allowed."
    return (
        "A model is told of it where a page could be allowed." if row.kind == "fetch" else "Every model is told of it."
    )


def describe_environment() -> str:
    """Return the page of environment variables."""
    rows = [("`, `".join(option.variables), f"`{option.names[0]}`", option.help) for option in BUILT]
    refused = [f"`{option.variables[0]}`" for option in OPTIONS if option.state == "refused"]
    intro = ENVIRONMENT.replace("REFUSED", ", ".join(refused))
    others = [(names, "", text) for names, text in OTHER_VARIABLES.items()]
    table = "\n".join(f"| `{name}` | {option} | {text.rstrip('.')} |" for name, option, text in (*rows, *others))
    return f"# Environment variables\n\n{intro}\n| variable | option | meaning |\n|---|---|---|\n{table}\n"


def describe_providers() -> str:
    """Return the page of providers."""
    head = "| provider | format | key | address | default model | tested with |\n|---|---|---|---|---|---|\n"
    rows = "\n".join(_describe_provider(name, row) for name, row in PROVIDERS.items())
    quiet = [
        f"`{row.key_variables[0]}`" for row in PROVIDERS.values() if row.key_variables and not row.is_chosen_by_key
    ]
    own = [f"`{name}`" for name, row in PROVIDERS.items() if row.is_key_optional]
    text = [f"`{name}`" for name, row in PROVIDERS.items() if row.reads_text_calls]
    page = PROVIDERS_PAGE.replace("TABLE\n", f"{head}{rows}\n")
    for word, names in (("QUIET", quiet), ("OWN", own), ("TEXT", text)):
        page = re.sub(rf"\b{word}\b", f"{', '.join(names[:-1])} and {names[-1]}", page)
    return page


def _describe_provider(name: str, row: Row) -> str:
    also = f" ({', '.join(f'`{alias}`' for alias in row.aliases)})" if row.aliases else ""
    keys = ", ".join(f"`{variable}`" for variable in row.key_variables) or "none"
    cells = (
        f"`{name}`{also}",
        FORMATS[row.module],
        keys + (", or none" if row.key_variables and row.is_key_optional else ""),
        f"`{row.base_url}`" + (", or yours" if name == "openai-compatible" else "") if row.base_url else "none",
        f"`{row.default_model}`" if row.default_model else "name one",
        row.evidence or "untested",
    )
    return f"| {' | '.join(cells)} |"


def describe_configuration() -> str:
    """Return the page of settings."""
    rows = [_describe_setting(definition) for definition in DEFINITIONS]
    head = "| setting | value | default | option, variable | meaning |\n|---|---|---|---|---|\n"
    trusted = [f"`{definition.key}`" for definition in DEFINITIONS if definition.project == "less"]
    page = CONFIGURATION.replace("TABLE\n", head + "\n".join(rows) + "\n")
    return page.replace("TRUSTED", f"{', '.join(trusted[:-1])} and {trusted[-1]}")


def _describe_setting(definition: Definition) -> str:
    value = ", ".join(f"`{word}`" for word in definition.words) or KINDS[definition.kind]
    default = "" if definition.default is None else f"`{to_toml(definition.default)}`"
    option = BY_NAME.get(definition.option)
    stands_for = f"`{option.names[0]}`, `{option.variables[0]}`" if option else ""
    key = definition.key.replace("*", "NAME")
    return f"| `{key}` | {value} | {default} | {stands_for} | {definition.help.removesuffix('.')} |"


def section(page: Path, title: str) -> str:
    """Return what stands under a title of a page."""
    parts = re.split(r"^#+ (.+)\n", page.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def to_plain(title: str, markdown: str) -> str:
    """Return Markdown of our own pages as text: paragraphs filled, tables as columns, code as it stands."""
    parts = re.split(r"^(```.*?^```)$", markdown, flags=re.DOTALL | re.MULTILINE)
    blocks = [block for part in parts for block in ([part] if part.startswith("```") else part.split("\n\n"))]
    texts = [_block_to_plain(block.strip("\n")) for block in blocks if block.strip()]
    return f"{title}\n\n" + "\n\n".join(texts) + "\n"


def _block_to_plain(block: str) -> str:
    if block.startswith("```"):
        return textwrap.indent("\n".join(block.splitlines()[1:-1]), "  ")
    block = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", block).replace("`", "").replace("**", "")
    if not block.startswith("|"):
        return textwrap.fill(" ".join(block.split()), WIDTH, break_on_hyphens=False, break_long_words=False)
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in block.splitlines() if "---" not in row]
    is_narrow = sum(len(row[0]) > WIDEST_NAME for row in rows) < len(rows) // 4
    first = min(WIDEST_NAME, max(len(row[0]) for row in rows[1:])) + 2 if is_narrow else 4
    return "\n".join(_row_to_plain(row[0], ": ".join(cell for cell in row[1:] if cell), first) for row in rows[1:])


def _row_to_plain(name: str, text: str, first: int) -> str:
    indent = " " * first
    if len(name) + 2 > first:
        below = textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent)
        return f"{textwrap.fill(name, WIDTH)}\n{below}"
    return textwrap.fill(
        text, WIDTH, initial_indent=f"{name:<{first}}", subsequent_indent=indent, break_on_hyphens=False
    )


def texts() -> dict[Path, str]:
    """Return every generated file with its content."""
    headless, environment = DOCS / "headless.md", describe_environment()
    return {
        **describe_commands(),
        DOCS / "tools.md": describe_tools(),
        DOCS / "environment.md": environment,
        DOCS / "configuration.md": describe_configuration(),
        DOCS / "providers.md": describe_providers(),
        TEXTS / "environment.txt": to_plain("Environment variables", environment.partition("\n\n")[2]),
        **{TEXTS / f"{name}.txt": to_plain(title, section(headless, title)) for name, title in TOPICS.items()},
    }


def main() -> int:
    os.environ["COLUMNS"] = str(WIDTH)
    stale = [path for path, text in texts().items() if not path.is_file() or path.read_text("utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what `make docs` writes")
        return bool(stale)
    for path, text in texts().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    print(f"{len(stale)} written anew")
    return 0


if __name__ == "__main__":
    sys.exit(main())
