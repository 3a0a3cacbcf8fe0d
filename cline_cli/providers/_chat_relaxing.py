"""What a chat request does without, or says otherwise, once a server has refused it by name. Pure.

Each thing is given up once, so that no server can make this go round: what is left of a dialect only shrinks, but for
what a server says that it misses. The words are those of OpenAI, vLLM, Mistral, Groq, DeepSeek, Moonshot, Ollama and
DashScope, as quoted in their documentation and in threads about their refusals, read 2026-11.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from cline_cli.errors import ContentFilteredError, ContextWindowError, ProviderError
from cline_cli.providers._chat_dialects import Dialect
from cline_cli.providers._complaints import Complaint


class Relaxed(NamedTuple):
    dialect: Dialect
    why: str
    """In few words, for people."""


# Texts, compiled when they are first needed: most runs are never refused.
_LIMIT: Final = r"max_(completion_)?tokens"
_IS_NAME_REFUSED: Final = (
    r"(?i)unsupported|unrecogni[sz]ed|unknown|unexpected|extra|additional|deprecated"
    r"|not (be )?(supported|permitted|allowed|recogni[sz]ed|accepted)|does(n't| not) (support|accept|allow)"
)
_IS_RESERVED: Final = r"(?i)max_(completion_)?tokens|\d+ (tokens )?(in|for) the (completion|output)|output tokens"
"""The room that was asked for the reply is a part of what is too much."""
_MISSES_THINKING: Final = (
    r"(?i)reasoning_content\W.{0,80}(missing|must be passed|required)|missing.{0,20}reasoning_content"
)
_WANTS_SHORT_IDS: Final = r"(?i)tool[ _]call[ _]?id.{0,120}length of 9"
_USAGE: Final = r"(?i)stream_options|include_usage"
_CHOICE: Final = r"(?i)tool[ _]choice"
_MARKS: Final = r"(?i)cache_control"
_THINKING: Final = r"(?i)\breasoning(_content|_details)?\b"
_IS_IN_MESSAGE: Final = r"(?i)message|assistant|property"
_EFFORT: Final = r"(?i)reasoning_effort|thinking|\breasoning\b"


def relax(dialect: Dialect, complaint: Complaint, error: ProviderError) -> Relaxed | None:
    """Return how to speak to a server after what it complained of; None where that cannot be helped."""
    words = f"{complaint.code} {complaint.words}"
    if complaint.status not in {400, 413, 422} or isinstance(error, ContentFilteredError):
        return None
    if isinstance(error, ContextWindowError):
        return _without_limit(dialect) if re.search(_IS_RESERVED, words) else None
    return _add(dialect, words) or _leave_out(dialect, words)


def _add(dialect: Dialect, words: str) -> Relaxed | None:
    """Return the dialect with what a server misses."""
    if dialect.thinking != "required" and re.search(_MISSES_THINKING, words):
        return Relaxed(dialect._replace(thinking="required"), "the server wants all thinking back")
    if not dialect.has_short_ids and re.search(_WANTS_SHORT_IDS, words):
        return Relaxed(dialect._replace(has_short_ids=True), "the server takes short ids only")
    return None


def _leave_out(dialect: Dialect, words: str) -> Relaxed | None:
    """Return the dialect without the first thing that is named and was not given up before."""
    if dialect.asks_for_usage and re.search(_USAGE, words):
        return Relaxed(dialect._replace(asks_for_usage=False), "the server takes no stream_options")
    if dialect.chooses_tools and re.search(_CHOICE, words):
        return Relaxed(dialect._replace(chooses_tools=False), "the server takes no tool_choice")
    if dialect.marks_cache and re.search(_MARKS, words):
        return Relaxed(dialect._replace(marks_cache=False), "the server takes no cache marks")
    if named := re.search(_LIMIT, words):
        return _rename_limit(dialect, named[0], words)
    return _leave_out_thinking(dialect, words)


def _leave_out_thinking(dialect: Dialect, words: str) -> Relaxed | None:
    if dialect.thinking not in {"", "required"} and _is_thinking_refused(words):
        return Relaxed(dialect._replace(thinking=""), "the server takes no thinking back")
    if dialect.effort and re.search(_EFFORT, words):
        return Relaxed(dialect._replace(effort=""), "the server does not think as much as it was told to")
    return None


def _is_thinking_refused(words: str) -> bool:
    return all(re.search(pattern, words) for pattern in (_THINKING, _IS_IN_MESSAGE, _IS_NAME_REFUSED))


def _rename_limit(dialect: Dialect, named: str, words: str) -> Relaxed | None:
    """Return the dialect with the limit's other name; without one where that was refused too, or its value was."""
    if dialect.limit == "by model" and re.search(_IS_NAME_REFUSED, words):
        if named == "max_tokens":
            return Relaxed(dialect._replace(limit="max_completion_tokens"), "the server takes no max_tokens")
        return Relaxed(dialect._replace(limit="max_tokens"), "the server takes no max_completion_tokens")
    return _without_limit(dialect)


def _without_limit(dialect: Dialect) -> Relaxed | None:
    if not dialect.limit:
        return None
    return Relaxed(dialect._replace(limit=""), "the server does not take so large a limit")
