"""A terminal just good enough to see what the live screen leaves: it knows the sequences that are used, no other."""

from __future__ import annotations

import re

from cline_cli.text import display_width

_SEQUENCE = re.compile(r"\x1b\[(\??[0-9;]*)([A-Za-z])")


class Emulator:
    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self.rows = rows
        self.lines: list[list[str]] = [[]]
        """Everything since the start; the last `rows` of them are on the screen. A wide character takes two cells."""
        self.row = 0
        self.column = 0

    def feed(self, data: str) -> None:
        position = 0
        while position < len(data):
            character = data[position]
            if character == "\x1b":
                match = _SEQUENCE.match(data, position)
                assert match, f"an unknown sequence: {data[position : position + 10]!r}"
                self._steer(match[1], match[2])
                position = match.end()
                continue
            position += 1
            if character == "\r":
                self.column = 0
            elif character == "\n":
                self._go_down()
                self.column = 0
            else:
                assert character.isprintable() or character in "\u200d\ufe0f", f"a control character: {character!r}"
                self._put(character)

    @property
    def text(self) -> list[str]:
        """History and screen, down to the cursor or what stands below it, without the blanks at the ends of lines."""
        lines = ["".join(line).rstrip() for line in self.lines]
        while len(lines) > self.row + 1 and not lines[-1]:
            lines.pop()
        return lines

    def _steer(self, parameters: str, kind: str) -> None:
        match kind:
            case "m" | "h" | "l":
                pass
            case "A":
                top = max(0, len(self.lines) - self.rows)
                assert self.row - int(parameters) >= top, "the cursor would leave the screen at the top"
                self.row -= int(parameters)
            case "B":
                assert self.row + int(parameters) < len(self.lines), "the cursor would leave what was written"
                self.row += int(parameters)
            case "C":
                self.column += int(parameters)
                assert self.column < self.columns, "the cursor would leave the screen on the right"
            case "J" if parameters == "":
                assert self.column < self.columns, "the last column would be erased"
                del self.lines[self.row + 1 :]
                del self.lines[self.row][self.column :]
            case "K" if parameters == "":
                assert self.column < self.columns, "the last column would be erased"
                del self.lines[self.row][self.column :]
            case _:
                raise AssertionError(f"an unknown sequence: {parameters}{kind}")

    def _go_down(self) -> None:
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append([])

    def _put(self, character: str) -> None:
        cells = display_width(character)
        if self.column + cells > self.columns:
            self._go_down()
            self.column = 0
        line = self.lines[self.row]
        line.extend(" " * (self.column - len(line)))
        if cells == 0:
            line[-1] += character
            return
        line[self.column : self.column + cells] = [character, *[""] * (cells - 1)]
        self.column += cells
