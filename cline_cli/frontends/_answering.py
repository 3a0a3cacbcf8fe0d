"""What the keys say to the question that stands before a call. Pure: keys in, an answer out.

y, a      yes, always: at once, where nothing was typed before
e, ?      edit the command, explain the keys: likewise
words     a no with its reason, and so is "no, because ..."; Enter ends it
Enter, Esc, Ctrl-D     no
"""

from __future__ import annotations

import re
from typing import Literal

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject
from cline_cli.text import sanitize

YES, ALWAYS = frozenset({"y", "yes"}), frozenset({"a", "always"})
Wish = Literal["edit", "help"]


class Answering:
    """One question that is being answered."""

    def __init__(self, arguments: JsonObject, patterns: tuple[str, ...] = ()) -> None:
        """Take the arguments of the call, and what "always" would allow; with none of that it is no answer."""
        self._arguments = arguments
        self._may_remember = bool(patterns)
        self._may_edit = bool(commands_of(arguments))
        self.typed = ""

    def press(self, key: str) -> Allow | Deny | Wish | None:
        """Take one key; return what it says, None where more is to come.

        Keys are printable characters and: enter, escape, backspace, clear, end (Ctrl-D).
        """
        match key:
            case "enter":
                return judge(self.typed, self._arguments, may_remember=self._may_remember)
            case "escape" | "end":
                return Deny("The user said no.")
            case "backspace":
                self.typed = self.typed[:-1]
            case "clear":
                self.typed = ""
            case _ if len(key) == 1 and not self.typed and (answer := self._press_first(key)):
                return answer
            case _ if len(key) == 1:
                self.typed += key
        return None

    def _press_first(self, key: str) -> Allow | Wish | None:
        match key.lower():
            case "y":
                return Allow(self._arguments)
            case "a" if self._may_remember:
                return Allow(self._arguments, remembers=True)
            case "e" if self._may_edit:
                return "edit"
            case "?":
                return "help"
        return None


def judge(answer: str, arguments: JsonObject, *, may_remember: bool = False) -> Allow | Deny:
    """Read a line as a yes, an always, a no, or a no with a reason."""
    words = sanitize(answer).strip()
    if may_remember and words.lower() in ALWAYS:
        return Allow(arguments, remembers=True)
    if words.lower() in YES:
        return Allow(arguments)
    reason = re.sub(r"^no?\b[\s,.:;!-]*", "", words, flags=re.IGNORECASE)
    return Deny(f"The user said no: {reason}" if reason else "The user said no.")


def commands_of(arguments: JsonObject) -> tuple[str, ...]:
    """Return the command lines of a call, in its normal form; none where it has none."""
    commands = arguments.get("commands")
    if not isinstance(commands, list | tuple):
        return ()
    return tuple(command for command in commands if isinstance(command, str))


def with_commands(arguments: JsonObject, commands: tuple[str, ...]) -> JsonObject:
    """Return the same call with other command lines."""
    return {**arguments, "commands": list(commands)}
