"""What only the command itself can complete: scripts ask `cline completion words KIND -- PREFIX` at a <TAB>.

    models      of the provider on the line, else of the one that a run would ask
    sessions    the one used last first, with when and what about
    installed   embedded models that are there

It is quick and quiet: little is imported, no more is read than is shown, and what goes wrong offers nothing.
Names and titles come from files and from models. A word that holds anything invisible is not offered, and a title is
shown in one line without what steers a terminal; the scripts quote the words for their shells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from cline_cli.catalog.models import facts, list_served
from cline_cli.catalog.weights import WEIGHTS, find_installed
from cline_cli.config.paths import Paths
from cline_cli.config.settings import Settings, choose_provider, load_settings
from cline_cli.errors import ClineError
from cline_cli.providers import ALIASES, PROVIDERS
from cline_cli.text import one_line, visible

MOST = 50
"""Words that are offered of a kind."""
READ = 200
"""Sessions that are looked at for a beginning of an id."""
TITLE_WIDTH = 50
LONGEST = 200
"""Characters of a word."""


class Asked(NamedTuple):
    provider: str | None
    """As it stands on the line; None where it does not."""
    variables: Mapping[str, str]
    paths: Paths
    prefix: str = ""
    """What was typed of the word."""


class Candidate(NamedTuple):
    value: str
    text: str = ""
    """What it is, for people."""


Kind = Callable[[Asked], Iterable[Candidate]]


def list_words(kind: str, asked: Asked, kinds: Mapping[str, Kind] | None = None) -> str:
    """Return what is offered, a line each: the word, and behind a tab what it is, where there is something to say."""
    read = (KINDS if kinds is None else kinds).get(kind)
    lines: list[str] = []
    try:
        fitting = (each for each in (read(asked) if read else ()) if each.value.startswith(asked.prefix))
        lines.extend(_to_line(each) for each in islice(filter(_is_typable, fitting), MOST))
    except (ClineError, OSError, ValueError):
        pass  # who presses <TAB> has no use for a complaint in the middle of a line: the run that follows tells it
    return "".join(lines)


def _list_models(asked: Asked) -> Iterator[Candidate]:
    try:
        settings = load_settings(asked.paths.settings_file)
    except ClineError:
        settings = Settings()  # the models that are known are of use all the same
    name = _find_provider(asked, settings)
    saved = settings.of(name)
    row = PROVIDERS.get(name)
    if name == "local":
        yield from (_describe_weights(asked, weights) for weights in WEIGHTS)
        return
    is_elsewhere = bool(row and saved.base_url and saved.base_url != row.base_url)
    default = row.default_model if row and not is_elsewhere else ""
    known = () if is_elsewhere else list_served(name)
    models = dict.fromkeys((saved.model, default, *known))
    yield from (Candidate(model, _describe_model(model, name)) for model in models if model)


def _find_provider(asked: Asked, settings: Settings) -> str:
    """Return the one on the line, or the one that a run would ask, by its own name; cline where there is none."""
    own = {name: row.key_variables for name, row in PROVIDERS.items()}
    names = {*PROVIDERS, *ALIASES}
    flag = asked.provider if asked.provider in names else None
    choice = choose_provider(flag, asked.variables, settings, own)
    name = choice.provider if choice else "cline"
    return ALIASES.get(name, name)


def _describe_model(model: str, provider: str) -> str:
    known = facts(model, provider)
    if known is None:
        return ""
    parts = [f"{known.context_window // 1000:,}k tokens"] if known.context_window else []
    if known.input_usd is not None and known.output_usd is not None:
        parts.append(f"${known.input_usd:g} in, ${known.output_usd:g} out")
    return "; ".join(parts)


def _describe_weights(asked: Asked, name: str) -> Candidate:
    state = "installed" if find_installed(asked.paths, name) else "not installed"
    return Candidate(name, f"{state}; {WEIGHTS[name].purpose}")


def _list_installed(asked: Asked) -> Iterator[Candidate]:
    return (Candidate(name, WEIGHTS[name].purpose) for name in WEIGHTS if find_installed(asked.paths, name))


def _list_sessions(asked: Asked) -> Iterator[Candidate]:
    from cline_cli.session.reading import list_rows  # lazy: 15 ms, and models are asked for as often

    for row in islice(list_rows(asked.paths.state / "sessions"), READ):
        yield Candidate(row.session_id, f"{_to_local(row.updated_at)} {one_line(row.title, TITLE_WIDTH)}")


def _to_local(timestamp: str) -> str:
    return f"{datetime.fromisoformat(timestamp).astimezone():%Y-%m-%d %H:%M}"


def _is_typable(candidate: Candidate) -> bool:
    """Whether the word can stand on a command line as it is seen: nothing invisible in it, and no option."""
    value = candidate.value
    return 0 < len(value) <= LONGEST and not value.startswith("-") and visible(value) == value


def _to_line(candidate: Candidate) -> str:
    text = one_line(candidate.text)
    return f"{candidate.value}\t{text}\n" if text else f"{candidate.value}\n"


KINDS: Mapping[str, Kind] = {
    "models": _list_models,
    "sessions": _list_sessions,
    "installed": _list_installed,
}
