"""What `cline auth status` tells: whom a run would ask, with which key, and where every key lies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from cline_cli.agent.messages import JsonObject
from cline_cli.config.credentials import Key, Recipient, Stores, look_for_key
from cline_cli.config.settings import Choice, ProviderSettings, Settings, choose_provider, find_base_url
from cline_cli.errors import ClineError
from cline_cli.providers import ALIASES, KEY_VARIABLES, PROVIDERS, Row
from cline_cli.text import visible


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    provider: str
    is_used: bool
    """A run that names no provider asks this one."""
    needs_key: bool
    key: Key | None
    problem: str
    """What keeps a run from using it, or empty; that there is no key at all is no problem yet."""
    model: str
    """Empty where none is saved and the provider has no default."""
    base_url: str
    """Empty where there is none."""


@dataclass(frozen=True, slots=True)
class Status:
    choice: Choice | None
    """Whom a run asks that names nobody, and why; None where nothing is set up."""
    providers: tuple[ProviderStatus, ...]


def collect_status(variables: Mapping[str, str], settings: Settings, stores: Stores) -> Status:
    """Look at every provider that has settings or a key, and at the one that a run would ask."""
    choice = choose_provider(None, variables, settings, KEY_VARIABLES)
    if choice:
        choice = choice._replace(provider=ALIASES.get(choice.provider, choice.provider))
    used = choice.provider if choice else ""
    saved = [name for name, each in settings.providers.items() if each != ProviderSettings()]
    set_up = dict.fromkeys((*saved, used) if used else saved)
    statuses = [
        _look_at(name, variables, settings, stores, is_used=name == used)
        for name in dict.fromkeys((*PROVIDERS, *set_up))
    ]
    return Status(choice, tuple(each for each in statuses if each.key or each.problem or each.provider in set_up))


def to_text(status: Status) -> str:
    """Return the status for people: some lines, each with its newline."""
    if not status.providers:
        return "Not logged in to any provider. Run `cline auth`, or use the embedded model with -P local.\n"
    lines: list[str] = []
    for each in status.providers:
        why = f" (a run asks it: {status.choice.source})" if status.choice and each.is_used else ""
        lines += (
            each.provider + why,
            f"  key      {describe_key(each.key) if each.key else 'none' if each.needs_key else 'none needed'}",
        )
        if each.problem:
            lines.append(f"  problem  {each.problem}")
        lines.append(f"  model    {each.model or 'none saved; give one with -m'}")
        if each.base_url:
            lines.append(f"  address  {each.base_url}")
    return "".join(f"{visible(line)}\n" for line in lines)


def to_json(status: Status) -> str:
    """Return the status as one JSON object and a newline."""
    document: JsonObject = {
        "provider": status.choice.provider if status.choice else None,
        "providerSource": status.choice.source if status.choice else None,
        "providers": [_to_object(each) for each in status.providers],
    }
    return f"{json.dumps(document)}\n"


def recipient_of(name: str, row: Row, variables: Mapping[str, str], settings: Settings) -> Recipient:
    """Return who would be sent a key of this provider."""
    base_url = find_base_url(name, row.base_url, variables, settings)
    return Recipient(name, row.key_variables, base_url, row.base_url, row.is_key_optional)


def _look_at(
    name: str, variables: Mapping[str, str], settings: Settings, stores: Stores, *, is_used: bool
) -> ProviderStatus:
    row = PROVIDERS.get(name)
    saved = settings.of(name)
    if row is None:
        problem = "there is no such provider"
        return ProviderStatus(name, is_used, False, None, problem, saved.model, saved.base_url)
    key: Key | None = None
    problem = ""
    base_url = saved.base_url or row.base_url
    try:
        recipient = recipient_of(name, row, variables, settings)
        base_url = recipient.base_url
        if row.key_variables:
            key = look_for_key(recipient, variables, settings, stores)
        if key is None and saved.key_store == "keyring":
            problem = "its key was put in the keyring, which does not have it here"
    except ClineError as error:
        problem = error.message
    model = (is_used and variables.get("CLINE_MODEL")) or saved.model or row.default_model
    needs_key = bool(row.key_variables) and not row.is_key_optional
    return ProviderStatus(name, is_used, needs_key, key, problem, model, base_url)


def describe_key(key: Key) -> str:
    """Return which key it is and where it comes from, for people: no more of it than its tail."""
    parts = [f"{key.tail or 'a short one'} from {key.source}"]
    if key.is_plain_text:
        parts.append("where it lies in plain text")
    if key.also_saved and not key.is_plain_text and key.source != "the keyring":
        parts.append("which goes before the saved one")
    return ", ".join(parts) + (f"; {key.notice}" if key.notice else "")


def _to_object(status: ProviderStatus) -> JsonObject:
    key = status.key
    return {
        "provider": status.provider,
        "isUsed": status.is_used,
        "needsKey": status.needs_key,
        "key": {"source": key.source, "tail": key.tail, "isPlainText": key.is_plain_text} if key else None,
        "problem": status.problem or None,
        "model": status.model or None,
        "baseUrl": status.base_url or None,
    }
