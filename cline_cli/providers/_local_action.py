"""The grammar that forces the next reply to be one action, and the reader of what comes of it. Pure.

The grammar is llguidance's; the reader takes the text in any pieces, so that an answer is shown as it grows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cline_cli.providers._local_prompt import ANSWER

_FENCE_END = "\n```"
_OPEN, _NEWLINE = r'"\n```"', r'"\n"'
_TERMINALS = r"""
LINE: /[^\n]{1,400}/
LANGUAGE: /[a-z]{0,12}/
TEXT: /(.|\n)+/
"""


class Offer(NamedTuple):
    """What the model may choose from."""

    actions: Sequence[str]
    editable: Sequence[str] = ()
    """The paths that may be edited; without one nothing can be."""
    readable: Sequence[str] = ()
    """The paths that may be read; empty for any."""
    commands: Sequence[str] = ()
    """The commands that may be run; empty for any."""
    may_answer: bool = True


class Action(NamedTuple):
    name: str
    arguments: Mapping[str, str]


def to_grammar(offer: Offer) -> str:
    """Return the grammar of one action out of an offer."""
    rules = [_to_rule(action, offer) for action in offer.actions if action != "edit_file" or offer.editable]
    if offer.may_answer or not rules:
        rules.append(f"{_name(ANSWER)} TEXT")
    return f"%llguidance {{}}\nstart: {' | '.join(rules)}{_TERMINALS}"


def _to_rule(action: str, offer: Offer) -> str:
    fixed = {"edit_file": offer.editable, "read_file": offer.readable, "run_command": offer.commands}.get(action, ())
    if fixed:
        return f"{_name(action)} ({' | '.join(_quote(text) for text in fixed)})"
    if action == "write_file":
        return f"{_name(action)} LINE {_OPEN} LANGUAGE {_NEWLINE} TEXT"
    return f"{_name(action)} LINE"


def _name(action: str) -> str:
    return _quote(action + "\n")


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@dataclass(slots=True)
class ActionReader:
    """Takes a reply as it grows."""

    _text: str = ""
    _shown: int = field(default=0)

    def feed(self, text: str) -> str:
        """Return what is new of the answer; nothing where the reply is another action."""
        self._text += text
        head = f"{ANSWER}\n"
        if not self._text.startswith(head):
            return ""
        answer = self._text[len(head) :]
        if not self._shown:
            answer = answer.lstrip()
            if not answer:
                return ""
            self._text = head + answer
        new = answer[self._shown :]
        self._shown = len(answer)
        return new

    def is_whole(self) -> bool:
        """Return whether a fenced text has been closed: what follows is not wanted."""
        return self._text.startswith("write_file\n") and _FENCE_END in self._text.partition("\n```")[2]

    def finish(self) -> Action:
        """Return the action, whatever the model left out of it."""
        name, _, rest = self._text.partition("\n")
        if name == "write_file":
            path, _, fenced = rest.partition("\n")
            content = fenced.partition("\n")[2].partition(_FENCE_END)[0].rstrip("\n")
            return Action(name, {"path": path.strip(), "content": f"{content}\n"})
        if name == ANSWER:
            return Action(name, {"text": rest.strip()})
        return Action(name, {"command" if name == "run_command" else "path": rest.strip()})
