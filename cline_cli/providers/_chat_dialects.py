"""How each provider speaks chat completions: where it differs from OpenAI, and how thinking is asked for. Pure.

Sources, read 2026-11 unless a row says otherwise: the notes with sources in models.dev's provider files (deepseek, zai,
moonshotai, alibaba, minimax, togetherai, fireworks-ai, cerebras, nebius, nvidia, vercel), the vendors' own pages that
they name, and threads in which a server's refusal is quoted. A server that is not listed gets what OpenAI takes, and
what it refuses is left out (`_chat_relaxing.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from cline_cli.agent.messages import JsonObject, JsonValue, ThinkingPart
from cline_cli.agent.provider import Effort
from cline_cli.providers._signatures import seal, unseal

EffortForm = Literal["level", "gateway", "object", "switch", "switch+level", "enabled+level", "budget", "adaptive", ""]
"""What says how long to think; "" says nothing.

    level           reasoning_effort: LEVEL                                     OpenAI and most
    gateway         the same, a budget and "none" as `reasoning: {...}`         the Cline API, OpenRouter
    object          reasoning: {effort | max_tokens | enabled}                  Vercel's gateway
    switch          thinking: {type: enabled | disabled}                        Z.AI, Moonshot
    switch+level    both that and reasoning_effort                              DeepSeek
    enabled+level   reasoning: {enabled}, reasoning_effort                      Together
    budget          enable_thinking, thinking_budget                            Qwen
    adaptive        thinking: {type: adaptive | disabled}                       MiniMax
"""
Limit = Literal["max_tokens", "max_completion_tokens", "by model", ""]
Thinking = Literal["same", "gateway", "details", "required", "parts", ""]
"""How a provider gets its thinking back; nobody gets another provider's but where this says so.

    same        in the field that it came in
    gateway     the blocks that it came in, else any thinking as `reasoning`
    details     the blocks that it came in, else nothing
    required    as `reasoning_content`, which no message with calls may be without
    parts       as parts of the content
    ""          never
"""

_COUNTS_THINKING: Final = re.compile(r"(^|/)(o\d|gpt-([5-9]|\d\d))")
"""OpenAI's reasoning models, from gpt-5 on all: `max_tokens` is refused, the limit has another name."""
_CACHED: Final = re.compile(r"(^|/)(anthropic|claude|qwen)")
"""Models whose prompts are cached only where they are marked."""
_SHORT_ID: Final = re.compile(r"[a-zA-Z0-9]{9}")
MAX_ID_CHARACTERS: Final = 40
"""OpenAI refuses longer ids of calls."""
PARTS_FIELD: Final = "content"
_FIELDS: Final = frozenset({"reasoning", "reasoning_content"})


_DISABLED: Final[JsonObject] = {"thinking": {"type": "disabled"}}
_NOT_ENABLED: Final[JsonObject] = {"reasoning": {"enabled": False}}
_OFF: Final[Mapping[EffortForm, JsonObject]] = {
    "gateway": _NOT_ENABLED,
    "object": _NOT_ENABLED,
    "enabled+level": _NOT_ENABLED,
    "switch": _DISABLED,
    "switch+level": _DISABLED,
    "adaptive": _DISABLED,
    "budget": {"enable_thinking": False},
}
"""What asks for no thinking at all; elsewhere it is a level, "none"."""
_BUDGETS: Final[Mapping[str, int]] = {"low": 4096, "medium": 16384}
"""Tokens for a level, where only tokens can be said; above that, as many as the model likes."""


class Dialect(NamedTuple):
    effort: EffortForm = "level"
    highest: str = "xhigh"
    """Its word for the highest level; "high" where there is none above that."""
    limit: Limit = "by model"
    """The name of the most output tokens."""
    thinking: Thinking = "same"
    asks_for_usage: bool = True
    """It takes `stream_options`; whoever does not sends usage unasked."""
    has_short_ids: bool = False
    """Ids of calls are nine letters or digits."""
    marks_cache: bool = False
    """It takes `cache_control`, for models that need it."""
    names_program: bool = False
    """It wants to know who asks, in headers."""
    chooses_tools: bool = True
    """It takes `tool_choice`."""
    extra: JsonObject = MappingProxyType({})
    """Further fields of every request."""


_GATEWAY = Dialect(effort="gateway", thinking="gateway", marks_cache=True, names_program=True)
_MOST = Dialect(highest="high", limit="max_tokens")
_LOCAL = Dialect(highest="high", limit="max_tokens")

DIALECTS: Final[Mapping[str, Dialect]] = {
    # the 3.x command as observed, docs.cline.bot/api, openrouter.ai/docs (reasoning, prompt caching)
    "cline": _GATEWAY,
    "openrouter": _GATEWAY,
    # vercel.com/docs/ai-gateway: advanced chat completions, automatic caching
    "vercel-ai-gateway": Dialect(
        effort="object", thinking="gateway", extra={"providerOptions": {"gateway": {"caching": "auto"}}}
    ),
    "openai-compatible": Dialect(),
    "litellm": Dialect(),
    "requesty": Dialect(highest="high"),
    # api-docs.deepseek.com/guides/thinking_mode: low, high, max; "The reasoning_content in the thinking mode must be
    # passed back to the API" (400), an empty one where there was none
    "deepseek": Dialect("switch+level", "max", "max_tokens", "required"),
    # platform.moonshot.ai/docs/guide/use-kimi-k2-thinking-model: "thinking is enabled but reasoning_content is missing
    # in assistant tool call message" (400)
    "moonshot": Dialect("switch", "high", "max_tokens", "required"),
    # docs.z.ai/guides/capabilities/thinking
    "zai": Dialect("switch", "high", "max_tokens"),
    # platform.minimax.io, OpenAI API: without reasoning_split the thinking stands in the text, between tags; its blocks
    # go back whole. That the text of blocks is cumulative is what the example there says; it is not (MiniMax-M2#95)
    "minimax": Dialect("adaptive", "high", "max_completion_tokens", "details", extra={"reasoning_split": True}),
    # alibabacloud.com/help/en/model-studio/deep-thinking
    "qwen": Dialect("budget", "high", "max_tokens"),
    # docs.together.ai/docs/inference/chat/reasoning
    "together": Dialect("enabled+level", "high", "max_tokens"),
    # console.groq.com/docs/api-reference: max_tokens is deprecated; the thinking comes, and goes back, as `reasoning`,
    # and "property 'reasoning_content' is unsupported" (400)
    "groq": Dialect("level", "high", "max_completion_tokens"),
    # inference-docs.cerebras.ai/api-reference/chat-completions: likewise
    "cerebras": Dialect("level", "high", "max_completion_tokens"),
    # docs.x.ai/developers/model-capabilities/text/reasoning: low to xhigh; nothing there of thinking that goes back
    "xai": Dialect("level", "xhigh", "max_completion_tokens", ""),
    # docs.mistral.ai/capabilities: reasoning as parts of the content, ids "a-z, A-Z, 0-9, with a length of 9" (400);
    # fields that its schema does not have are refused (422, extra_forbidden), and usage comes by itself
    "mistral": Dialect("level", "high", "max_tokens", "parts", asks_for_usage=False, has_short_ids=True),
    # docs.fireworks.ai/guides/reasoning, docs.tokenfactory.nebius.com: low, medium, high
    "fireworks": _MOST,
    "nebius": _MOST,
    "sambanova": _MOST,
    "baseten": _MOST,
    "huggingface": _MOST,
    # docs.api.nvidia.com/nim: a closed schema for each model, none with thinking in messages
    "nvidia": Dialect("level", "high", "max_tokens", ""),
    # docs.ollama.com/api/openai-compatibility, lmstudio.ai/docs/app/api; llama.cpp's tools/server/README.md
    "ollama": _LOCAL,
    "lmstudio": _LOCAL,
    "llama-server": _LOCAL,
}


def find_dialect(provider: str) -> Dialect:
    """Return how a provider speaks; one that is not known is asked as OpenAI is."""
    return DIALECTS.get(provider, Dialect())


def needs_marks(dialect: Dialect, model: str) -> bool:
    """Return whether prompts for this model are cached only where they are marked."""
    return dialect.marks_cache and bool(_CACHED.search(model))


def limit_name(dialect: Dialect, model: str) -> str:
    """Return the name of the most output tokens, or "" where nothing is to be said of them."""
    if dialect.limit == "by model":
        return "max_completion_tokens" if _COUNTS_THINKING.search(model) else "max_tokens"
    return dialect.limit


def say_effort(dialect: Dialect, effort: Effort | int | None) -> JsonObject:
    """Return the fields that ask for so much thinking.

    A budget in tokens is kept where it can be said, and becomes the nearest level where it cannot.
    """
    if effort is None or not dialect.effort:
        return {}
    if effort in {"none", 0}:
        return _OFF.get(dialect.effort, {"reasoning_effort": "none"})
    level, budget = _to_level(effort, dialect.highest), effort if isinstance(effort, int) else None
    fields: JsonObject = {"reasoning_effort": level}
    match dialect.effort:
        case "gateway" if budget:
            fields = {"reasoning": {"max_tokens": budget}}
        case "object":
            fields = {"reasoning": {"max_tokens": budget} if budget else {"effort": level}}
        case "switch":
            fields = {"thinking": {"type": "enabled"}}
        case "adaptive":
            fields = {"thinking": {"type": "adaptive"}}
        case "switch+level":
            fields = {"thinking": {"type": "enabled"}, **fields}
        case "enabled+level":
            fields = {"reasoning": {"enabled": True}, **fields}
        case "budget":
            budget = budget or _BUDGETS.get(level)
            fields = {"enable_thinking": True, **({"thinking_budget": budget} if budget else {})}
    return fields


def _to_level(effort: Effort | int, highest: str) -> str:
    if effort == "xhigh":
        return highest
    if isinstance(effort, str):
        return effort
    return "low" if effort <= 4096 else "medium" if effort <= 16384 else "high"


def sign_thinking(provider: str, field: str, details: Sequence[JsonObject]) -> str:
    """Return the signature of thinking that came in a field of this provider, or in blocks of it."""
    value = json.dumps(details, ensure_ascii=False, separators=(",", ":")) if details else field
    return seal(_seal_name(provider), value)


def return_thinking(
    dialect: Dialect, provider: str, thinking: Sequence[ThinkingPart], *, has_calls: bool
) -> Mapping[str, JsonValue]:
    """Return the fields of a message in which its thinking goes back to a provider; "content" holds parts."""
    own = [unseal(_seal_name(provider), part.signature) or "" for part in thinking]
    text = "".join(part.text for part in thinking)
    details = [detail for value in own if value.startswith("[") for detail in _parse_details(value)]
    field = next((value for value in own if value in _FIELDS), "")
    match dialect.thinking:
        case "required" if has_calls or field:
            return {"reasoning_content": text}
        case "gateway" | "details" | "same" if details:
            return {"reasoning_details": details}
        case "gateway" if text:
            return {"reasoning": text}
        case "same" if field:
            return {field: text}
        case "parts" if text and PARTS_FIELD in own:
            return {PARTS_FIELD: [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}
    return {}


def _seal_name(provider: str) -> str:
    return f"openai_chat/{provider}"


def _parse_details(value: str) -> list[JsonValue]:
    try:
        details = json.loads(value)
    except (ValueError, RecursionError):
        return []
    return details if isinstance(details, list) else []


def fit_id(dialect: Dialect, identity: str) -> str:
    """Return the id of a call as a provider takes it: its own where that fits, else one made from it."""
    if dialect.has_short_ids:
        return identity if _SHORT_ID.fullmatch(identity) else _digest(identity)[:9]
    return identity if len(identity) <= MAX_ID_CHARACTERS else f"call_{_digest(identity)[:32]}"


def _digest(identity: str) -> str:
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()
