"""What the keys say to the question that stands before a call. Pure: keys in, an answer out.

y, a      yes, always: at once, where nothing was typed before
e, ?      edit the command, explain the keys: likewise
words     a no with its reason, and so is "no, because ..."; Enter ends it
Enter, Esc, Ctrl-D     no

What comes in one go, as from a program or a paste, is words: there a letter acts only where it stands alone, since
"you must not" begins with a yes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject
from cline_cli.text import sanitize

YES, ALWAYS = frozenset({"y", "yes"}), frozenset({"a", "always"})
ESCAPE = "\x1b"
Wish = Literal["edit", "help"]


class Answering:
    """One question that is being answered."""

    def __init__(self, arguments: JsonObject, patterns: tuple[str, ...] = ()) -> None:
        """Take the arguments of the call, and what "always" would allow; with none of that it is no answer."""
        self._arguments = arguments
        self._may_remember = bool(patterns)
        self._may_edit = bool(commands_of(arguments))
        self._typed = ""

    @property
    def typed(self) -> str:
        """What is to be seen behind the question; the letter that acted, too."""
        return self._typed

    def press(self, key: str) -> Allow | Deny | Wish | None:
        """Take one key; return what it says, None where more is to come.

        Keys are printable characters and: enter, escape, backspace, clear, end (Ctrl-D).
        """
        match key:
            case "enter":
                return judge(self._typed, self._arguments, may_remember=self._may_remember)
            case "escape" | "end":
                return Deny("The user said no.")
            case "backspace":
                self._typed = self._typed[:-1]
            case "clear":
                self._typed = ""
            case _ if len(key) == 1:
                answer = None if self._typed else self._press_first(key)
                self._typed += key
                return answer
        return None

    def press_all(self, keys: Sequence[str]) -> Allow | Deny | Wish | None:
        """Take keys that came in one go; return what the first says that says anything."""
        for position, key in enumerate(keys):
            if len(key) == 1 and keys[position + 1 : position + 2] not in ([], ["enter"]):
                self._typed += key
            elif answer := self.press(key):
                return answer
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
    if may_remember and answer.strip().lower() in ALWAYS:
        return Allow(arguments, remembers=True)
    if answer.strip().lower() in YES:
        return Allow(arguments)
    words = "" if ESCAPE in answer else sanitize(answer).strip()
    reason = re.sub(r"^no?\b[\s,.:;!-]*", "", words, flags=re.IGNORECASE)
    return Deny(f"The user said no: {reason}" if reason else "The user said no.")


def commands_of(arguments: JsonObject) -> tuple[str, ...]:
    """Return the command lines of a call, in its normal form; none where it has none."""
    commands = arguments.get("commands")
    if not isinstance(commands, list | tuple):
        return ()
    lines = tuple(command for command in commands if isinstance(command, str))
    return lines if len(lines) == len(commands) else ()


def with_commands(arguments: JsonObject, commands: tuple[str, ...]) -> JsonObject:
    """Return the same call with other command lines."""
    return {**arguments, "commands": list(commands)}
