"""What decides whether an answer is taken: a function that is handed in, as `approve` is for tool calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

CheckAnswer: TypeAlias = Callable[[str], str]
"""Returns an answer in its final form; raises AnswerRefusedError for one that is not taken."""


class AnswerRefusedError(Exception):
    """An answer is not one that was asked for; the message says why, for the model, without a final full stop."""
