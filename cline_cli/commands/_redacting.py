"""What a run tells, without the keys: every event, and the history that a session keeps, before anybody gets them.

    Agent.run ──> events, history ──> Redacting ──> session, front end, --output

The model, the tools and the person who is asked for leave get everything as it is: what is done has to be what was
asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import TypeVar, cast

from cline_cli.agent.events import Event, ToolFinished, ToolProgress, ToolSettled
from cline_cli.agent.messages import Message
from cline_cli.agent.provider import ReplyDiscarded, TextDelta, ThinkingDelta
from cline_cli.app import Chosen
from cline_cli.config.credentials import FLAG_VARIABLE, OWN_VARIABLE
from cline_cli.errors import ClineError
from cline_cli.providers import PROVIDERS
from cline_cli.redaction import RedactedStream, Redactor

_Value = TypeVar("_Value")


def make_redactor(choice: Chosen, variables: Mapping[str, str]) -> Redactor:
    """Return what knows the key of the run, and the keys of other providers in the environment."""
    names = {OWN_VARIABLE, FLAG_VARIABLE, *(name for row in PROVIDERS.values() for name in row.key_variables)}
    secrets = {choice.endpoint.key, *(variables.get(name, "") for name in names)}
    if choice.row.is_key_optional and not any(letter.isdigit() for letter in choice.endpoint.key):
        secrets.discard(choice.endpoint.key)  # a word that a server of one's own takes for a key: "not-needed"
    return Redactor(secrets)


class Redacting:
    """Takes the events of one run, in order."""

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self._text, self._thinking = RedactedStream(redactor), RedactedStream(redactor)
        self._output: dict[str, RedactedStream] = {}
        """By the id of the call that it comes from."""
        self._known: dict[int, tuple[Message, Message]] = {}
        """By the identity of a message, which is kept so that no other one gets the same: it, and it redacted."""

    def take(self, event: Event) -> Sequence[Event]:
        """Return what is to be told after this event: mostly one, none or two where text is held back."""
        match event:
            case TextDelta(text):
                thinking, shown = self._thinking.close(), self._text.feed(text)
                if shown is text and not thinking:
                    return (event,)
                return (*_some(ThinkingDelta, thinking), *_some(TextDelta, shown))
            case ThinkingDelta(text):
                return (*_some(TextDelta, self._text.close()), *_some(ThinkingDelta, self._thinking.feed(text)))
            case ToolProgress(call_id, text):
                stream = self._output.setdefault(call_id, RedactedStream(self.redactor))
                shown = stream.feed(text)
                return (ToolProgress(self.redactor.redact(call_id), shown),) if shown else ()
            case _:
                return (*self._release(event), self.redact(event)) if self.redactor.forms else (event,)

    def history(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Return the messages of a history, each the same object as it was the time before."""
        if not self.redactor.forms:
            return messages
        self._known = {
            id(message): self._known.get(id(message)) or (message, self.redact(message)) for message in messages
        }
        return [self._known[id(message)][1] for message in messages]

    def redact(self, value: _Value) -> _Value:
        """Return a value, down to every text in it, without secrets; the same object where it holds none.

        An error is changed in place: whoever raised it is told of it too.
        """
        if isinstance(value, ClineError):
            value.message, value.hint = self.redactor.redact(value.message), self.redactor.redact(value.hint)
            value.args = (value.message,)
            return value
        return cast(_Value, self._redact(value))

    def _redact(self, value: object) -> object:
        match value:
            case str():
                return self.redactor.redact(value)
            case tuple() | list():
                items = [self.redact(item) for item in value]
                is_same = all(new is old for new, old in zip(items, value, strict=True))
                return value if is_same else items if isinstance(value, list) else tuple(items)
            case dict():
                pairs = {self.redactor.redact(str(name)): self.redact(item) for name, item in value.items()}
                is_same = all(pairs.get(name) is item for name, item in value.items())
                return value if is_same else pairs
        if not is_dataclass(value) or isinstance(value, type):
            return value
        old = {field.name: getattr(value, field.name) for field in fields(value)}
        new = {name: self.redact(item) for name, item in old.items()}
        return value if all(new[name] is old[name] for name in old) else replace(value, **new)

    def _release(self, event: Event) -> Iterator[Event]:
        """Yield what was held back and is no secret, since something else comes."""
        thinking, text = self._thinking.close(), self._text.close()
        if not isinstance(event, ReplyDiscarded):  # which makes it void
            yield from (*_some(ThinkingDelta, thinking), *_some(TextDelta, text))
        if isinstance(event, ToolSettled | ToolFinished) and event.call.id in self._output:
            rest = self._output.pop(event.call.id).close()
            yield from (ToolProgress(self.redactor.redact(event.call.id), rest),) if rest else ()


def _some(kind: type[TextDelta] | type[ThinkingDelta], text: str) -> tuple[TextDelta | ThinkingDelta, ...]:
    return (kind(text),) if text else ()
