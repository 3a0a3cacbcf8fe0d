"""One of many: a list that is narrowed by typing and chosen from with the arrows. Pure: keys in, rows out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from cline_cli.frontends._style import BOLD, DIM, paint
from cline_cli.frontends.console.screen import Line
from cline_cli.text import display_width, one_line

SHOWN = 8


class Item(NamedTuple):
    name: str
    about: str = ""


class Picker:
    def __init__(self, title: str, items: Sequence[Item], chosen: int = 0) -> None:
        self._title = title
        self._items = tuple(items)
        self._place = max(0, min(chosen, len(self._items) - 1))
        self.typed = ""

    @property
    def _found(self) -> list[int]:
        """The numbers of the items that hold what is typed, those first that hold it in their names."""
        words = self.typed.lower().split()
        found = [
            number
            for number, item in enumerate(self._items)
            if all(word in f"{item.name} {item.about}".lower() for word in words)
        ]
        return sorted(found, key=lambda number: not all(word in self._items[number].name.lower() for word in words))

    def press(self, key: str) -> int | Literal["none"] | None:
        """Take one key; return the number of the item that was chosen, "none" where the person gave up.

        Keys are printable characters and: enter, escape, up, down, backspace, clear, end.
        """
        found = self._found
        match key:
            case "escape" | "end":
                return "none"
            case "enter":
                return found[min(self._place, len(found) - 1)] if found else None
            case "up":
                self._place = (self._place - 1) % max(1, len(found))
            case "down" | "tab":
                self._place = (self._place + 1) % max(1, len(found))
            case "backspace":
                self._type(self.typed[:-1])
            case "clear":
                self._type("")
            case _ if len(key) == 1:
                self._type(self.typed + key)
        return None

    def _type(self, text: str) -> None:
        self.typed, self._place = text, 0

    def lay_out(self, columns: int) -> list[Line]:
        """Return the title, the items around the chosen one, and a line that says which keys do what."""
        found = self._found
        place = min(self._place, len(found) - 1)
        first = max(0, min(place - SHOWN // 2, len(found) - SHOWN))
        typed = f" {self.typed}" if self.typed else ""
        lines = [_line(one_line(f"{self._title}{typed}", columns), BOLD)]
        shown = found[first : first + SHOWN]
        width = max((display_width(one_line(self._items[number].name)) for number in shown), default=0)
        for row, number in enumerate(shown, first):
            lines.append(_row(self._items[number], width, columns, is_chosen=row == place))
        more = f"{len(found)} of {len(self._items)}, " if len(found) > SHOWN or self.typed else ""
        lines.append(_line(one_line(f"{more}type to narrow, Enter chooses, Esc leaves", columns), DIM))
        return lines


def _row(item: Item, width: int, columns: int, *, is_chosen: bool) -> Line:
    name = one_line(item.name, columns - 2)
    text = f"{'>' if is_chosen else ' '} {name}"
    cells = display_width(text)
    about = ""
    room = columns - width - 4
    if item.about and room > 8:
        about = " " * (width + 2 - display_width(name)) + one_line(item.about, room)
    return Line(
        paint(text, BOLD if is_chosen else "") + paint(about, DIM),
        cells + display_width(about),
    )


def _line(text: str, style: str) -> Line:
    return Line(paint(text, style), display_width(text))
