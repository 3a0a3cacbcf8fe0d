"""Who is asked in a session, and what may be done: /model, /provider, /mode, /plan, /act, /cost, /login."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from cline_cli import app as composition
from cline_cli.catalog.models import list_names, list_served
from cline_cli.commands._chat import Chat
from cline_cli.commands._verb import run_verb
from cline_cli.errors import UsageError
from cline_cli.frontends.console._picker import Item
from cline_cli.frontends.figures import describe_usage
from cline_cli.policy.decide import Mode
from cline_cli.providers import PROVIDERS
from cline_cli.text import one_line

SHOWN = 50


def list_models(chat: Chat) -> tuple[str, ...]:
    """Return the models that are known of the provider of the session."""
    served = list_served(chat.choice.endpoint.provider)
    if served:
        return served
    return list_names() if chat.choice.endpoint.provider in {"cline", "openrouter"} else ()


def complete_model(chat: Chat, typed: str) -> Sequence[str]:
    """Return the models that could be meant, those that begin so first."""
    names = [name for name in list_models(chat) if typed.lower() in name.lower()]
    return sorted(names, key=lambda name: not name.lower().startswith(typed.lower()))[:SHOWN]


def complete_provider(_chat: Chat, typed: str) -> Sequence[str]:
    """Return the providers that begin so."""
    return [name for name in PROVIDERS if name.startswith(typed)]


def complete_mode(_chat: Chat, typed: str) -> Sequence[str]:
    """Return the modes that begin so."""
    return [mode for mode in ("act", "plan") if mode.startswith(typed)]


async def choose_model(chat: Chat, rest: str) -> bool:
    """Ask the named model from now on, or let the person choose one."""
    model = rest
    if not model:
        names = list_models(chat)
        if not names:
            await chat.console.tell(f"asking {one_line(chat.choice.model)}; another one: /model NAME")
            return True
        place = names.index(chat.choice.model) if chat.choice.model in names else 0
        number = await chat.console.questions.choose("Which model?", [Item(name) for name in names], place)
        if number is None:
            return True
        model = names[number]
    await _ask_from_now_on(chat, chat.choice.endpoint.provider, model)
    return True


async def choose_provider(chat: Chat, rest: str) -> bool:
    """Ask the named provider from now on, with its own key and model, or let the person choose one."""
    name = rest
    if not name:
        names = tuple(PROVIDERS)
        items = [Item(one, PROVIDERS[one].default_model) for one in names]
        number = await chat.console.questions.choose(
            "Which provider?", items, names.index(chat.choice.endpoint.provider)
        )
        if number is None:
            return True
        name = names[number]
    await _ask_from_now_on(chat, name, None)
    return True


async def _ask_from_now_on(chat: Chat, provider: str, model: str | None) -> None:
    """Raises ClineError: there is no such provider, or no key for it."""
    options = replace(chat.options, provider=provider, model=model)
    place = chat.place
    if model is None:  # CLINE_MODEL is for the provider that was asked first
        saved = place.settings.of(provider).model or (
            PROVIDERS[provider].default_model if provider in PROVIDERS else ""
        )
        options = replace(options, model=saved or None)
    choice = await asyncio.to_thread(
        composition.choose,
        options,
        place.key if provider == chat.choice.endpoint.provider else None,
        place.settings,
        place.environment,
        place.paths,
        chat.choice.endpoint.session_id,
    )
    await chat.change(choice=choice, options=options)
    for notice in choice.notices:
        await chat.console.tell(f"cline: {one_line(notice)}")
    await chat.console.tell(f"asking {one_line(choice.model)} at {choice.endpoint.provider} from now on")


async def set_mode(chat: Chat, rest: str) -> bool:
    """Say what may be done, or set it.

    Raises:
        UsageError: there is no such mode.
    """
    modes: dict[str, Mode] = {"act": "act", "plan": "plan"}
    if rest and rest not in modes:
        raise UsageError(f"there is no mode {rest!r}", "act or plan")
    await _set_mode(chat, modes[rest] if rest else chat.options.mode)
    return True


async def plan(chat: Chat, rest: str) -> bool:
    """Change nothing from now on; with a prompt, plan that."""
    await _set_mode(chat, "plan")
    if rest:
        await chat.ask(rest)
    return True


async def act(chat: Chat, rest: str) -> bool:
    """Act from now on; with a prompt, on that."""
    await _set_mode(chat, "act")
    if rest:
        await chat.ask(rest)
    return True


async def _set_mode(chat: Chat, mode: Mode) -> None:
    chat.options = replace(chat.options, mode=mode)
    told = {"plan": "plan: nothing is changed, the answer is a plan", "act": "act: what changes something is asked for"}
    is_unasked = mode == "act" and chat.options.auto_approve
    await chat.console.tell("act: what policy and sandbox let pass runs unasked" if is_unasked else told[mode])


async def show_cost(chat: Chat, _rest: str) -> bool:
    """Say what the session has taken so far."""
    standing = chat.standing
    context = "" if standing.context_percent is None else f", {standing.context_percent}% of the context is used"
    await chat.console.tell(f"this session: {describe_usage(chat.usage)}{context}", "")
    return True


async def sign_in(chat: Chat, rest: str) -> bool:
    """Let the person save a key, and ask with it from now on."""
    if await run_verb(chat, "auth", *rest.split()[:1]) == 0:
        chat.reload_settings()
        provider = rest.split(maxsplit=1)[0] if rest else chat.place.settings.provider or chat.choice.endpoint.provider
        await _ask_from_now_on(chat, provider, None)
    return True
