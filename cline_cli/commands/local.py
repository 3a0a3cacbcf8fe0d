"""`cline local`: install, list and remove the embedded models, for whoever has no key.

One Typer command reads all three forms, so that one screen of help shows them.
"""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from cline_cli.agent.messages import JsonObject
from cline_cli.catalog import runtime
from cline_cli.catalog.weights import (
    WEIGHTS,
    Weights,
    choose_default,
    fetched_bytes,
    find_installed,
    machine_memory,
)
from cline_cli.commands._streams import move, say, tell
from cline_cli.config.paths import Paths, find_paths
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError
from cline_cli.providers import PROVIDERS
from cline_cli.text import visible

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\
cline local install fetches the model that suits this machine; cline local list shows all of them.
Then: cline -P local "Explain what a REST API is." """
_ABLE = "qwen2.5-coder-1.5b"
"""The model that can do small tasks."""


@app.command(epilog=EPILOG)
def local(  # noqa: PLR0913  # one parameter an option: this is the table that Typer reads
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="install [NAME] | list | remove NAME", help="What to do.", show_default=False),
    ] = None,
    *,
    origin: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE|URL", help="With install: take the model from there and nowhere else."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="With list: one JSON object.")] = False,
    config: Annotated[str | None, typer.Option("--config", help="Folder of the settings.")] = None,
    data_dir: Annotated[str | None, typer.Option("--data-dir", help="Folder of the state.")] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", "-c", help="The folder that others are relative to.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say which folder the models are in.")] = False,
) -> None:
    """Install, list and remove small models that run on this machine, without a key.

    They are for trying things out; a model behind a key does far more: cline auth
    """
    environment = move(context.ensure_object(Environment), cwd)
    paths = find_paths(environment, config=config, data_dir=data_dir)
    if verbose:
        tell(environment, f"models: {paths.models} ({paths.reasons['models']})")
    action, *names = words or ["nothing"]
    if origin is not None and action != "install":
        raise UsageError("--from goes with `cline local install` only")
    if json and action != "list":
        raise UsageError("--json goes with `cline local list` only")
    match action, names:
        case "install", [] | [_]:
            _install(names, origin, environment, paths)
        case "list", []:
            say(environment, _to_json(paths) if json else _to_text(paths))
        case "remove", [name]:
            _remove(find_weights(name), environment, paths)
        case _:
            given = f"not {' '.join(words)!r}" if words else "and one of these is needed"
            raise UsageError(f"cline local takes install [NAME], list or remove NAME, {given}", "cline local --help")


def find_weights(name: str) -> Weights:
    """Return the embedded model of that name.

    Raises:
        UsageError: there is none; the nearest names are told.
    """
    if name not in WEIGHTS:
        near = difflib.get_close_matches(name, WEIGHTS, n=3, cutoff=0)
        raise UsageError(f"there is no embedded model {name!r}", f"The nearest are {' and '.join(near)}")
    return WEIGHTS[name]


def choose_weights(name: str | None, memory_bytes: int) -> tuple[Weights, str]:
    """Return the model to install, and what a person who named none should know of it, or "".

    Raises:
        UsageError: there is none of that name.
    """
    if name is not None:
        return find_weights(name), ""
    weights = choose_default(memory_bytes)
    if weights.name == _ABLE:
        return weights, ""
    return weights, f"with {memory_bytes / 1e9:.1f} GB of memory it is the small {weights.name}: {weights.purpose}"


def _install(names: list[str], origin: str | None, environment: Environment, paths: Paths) -> None:
    weights, notice = choose_weights(names[0] if names else None, machine_memory())
    if notice:
        tell(environment, notice)
    if not runtime.is_installed():
        raise ClineError(*runtime.describe_missing(runtime.read_host()))
    if find_installed(paths, weights.name):
        say(environment, f"{weights.name} is installed ({_megabytes(weights.size_bytes)}).\n")
        return
    from cline_cli.commands._local_work import install_weights  # lazy: 60 ms of asyncio and network, mostly not needed

    install_weights(weights, _read_origin(origin, environment), environment, paths)
    done = f"Installed {weights.name} ({_megabytes(weights.size_bytes)}, {weights.licence}); its sha256 is right.\n"
    choice = "" if weights.name == PROVIDERS["local"].default_model else f" -m {weights.name}"
    lines = [done, f'Now try: cline -P local{choice} "Explain what a REST API is."\n']
    if weights.name == _ABLE:
        lines.append(f'or:      cline -P local{choice} -y "Create hello.py that prints hello world and then run it"\n')
    say(environment, "".join(lines))


def _read_origin(origin: str | None, environment: Environment) -> str | None:
    """Return a file's whole path, or the URL as it is.

    Raises:
        UsageError: it is neither.
    """
    if origin is None or origin.lower().startswith(("http://", "https://")):
        return origin
    path = (environment.cwd or Path("/")) / Path(origin).expanduser()
    if not os.path.isfile(path):
        raise UsageError(f"--from {origin!r} is not a file", "Give a file, or a URL with http:// or https://")
    return str(path)


def _to_text(paths: Paths) -> str:
    lines: list[str] = []
    for weights in WEIGHTS.values():
        size, memory = _megabytes(weights.size_bytes), f"{weights.memory_bytes / 1e9:.1f} GB of memory"
        lines += (
            f"{weights.name}: {_describe_state(paths, weights)}",
            f"  {size}, {memory}, {weights.licence}: {weights.purpose}",
        )
    if not runtime.is_installed():
        problem = runtime.describe_missing(runtime.read_host())
        lines.append(f"{problem.message[:1].upper()}{problem.message[1:]}. {problem.hint}")
    return "".join(f"{visible(line)}\n" for line in lines)


def _describe_state(paths: Paths, weights: Weights) -> str:
    if path := find_installed(paths, weights.name):
        return f"installed, {path}"
    fetched = fetched_bytes(paths.models, weights)
    return f"not installed, {_megabytes(fetched)} are fetched" if fetched else "not installed"


def _to_json(paths: Paths) -> str:
    default = choose_default(machine_memory()).name
    models: list[JsonObject] = []
    for weights in WEIGHTS.values():
        path = find_installed(paths, weights.name)
        models.append(
            {
                "name": weights.name,
                "isInstalled": path is not None,
                "isDefault": weights.name == default,
                "path": str(path) if path else None,
                "sizeBytes": weights.size_bytes,
                "fetchedBytes": weights.size_bytes if path else fetched_bytes(paths.models, weights),
                "memoryBytes": weights.memory_bytes,
                "licence": weights.licence,
                "purpose": weights.purpose,
                "sha256": weights.sha256,
            }
        )
    document: JsonObject = {"folder": str(paths.models), "hasRuntime": runtime.is_installed(), "models": models}
    return f"{json.dumps(document)}\n"


def _remove(weights: Weights, environment: Environment, paths: Paths) -> None:
    from cline_cli.commands._local_work import remove_weights  # lazy: as in _install

    freed = remove_weights(weights, environment, paths)
    done = f"Removed {weights.name}: {_megabytes(freed)} are free again." if freed else f"{weights.name} was not there."
    say(environment, f"{done}\n")


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB"
