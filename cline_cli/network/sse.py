"""Server-sent events, decoded from bytes as they come.

The rules are those of the HTML standard, section 9.2.6 "Interpreting an event stream" (read 2026-11). Only the data of
events is given out: their names, ids and retry times mean nothing to the formats we speak. As the standard asks, an
event that is not closed by an empty line before the stream ends is dropped.
"""

from __future__ import annotations

MAX_EVENT_BYTES = 16 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class EventTooLargeError(ValueError):
    """An event, or a line that never ends, is larger than any that makes sense."""


class Decoder:
    """Feed it the stream in pieces of any size, cut anywhere."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        # One array each, however small the pieces are that they grow by.
        self._open_line = bytearray()
        self._data = bytearray()
        self._is_first_line = True
        self._ended_with_cr = False

    def feed(self, piece: bytes) -> list[str]:
        """Return the data of every event that `piece` completes; bytes that are not UTF-8 are replaced.

        Raises:
            EventTooLargeError: the decoder is of no use after that.
        """
        if self._ended_with_cr and piece:
            piece = piece.removeprefix(b"\n")  # the other half of a CRLF that was cut in two
            self._ended_with_cr = False
        if b"\r" in piece:
            self._ended_with_cr = piece.endswith(b"\r")
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        while b"\n\n\n" in piece:  # a flood of empty lines says no more than one of them
            piece = piece.replace(b"\n\n\n", b"\n\n")
        lines = piece.split(b"\n")
        rest = lines.pop()
        events: list[str] = []
        if lines:
            lines[0] = self._close_line(lines[0])
            for line in lines:
                if line:
                    self._read_field(line)
                elif self._data:
                    del self._data[-1]
                    events.append(self._data.decode("utf-8", "replace"))
                    self._data = bytearray()
        if rest:
            self._open_line += rest
            self._check_size(len(self._open_line))
        return events

    def _close_line(self, end: bytes) -> bytes:
        line = end
        if self._open_line:
            self._open_line += end
            line = bytes(self._open_line)
            self._open_line = bytearray()
        if self._is_first_line:
            self._is_first_line = False
            line = line.removeprefix(_BOM)
        return line

    def _read_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._check_size(len(value))
            self._data += value.removeprefix(b" ")
            self._data += b"\n"

    def _check_size(self, more_bytes: int) -> None:
        if len(self._data) + more_bytes > self._max_event_bytes:
            raise EventTooLargeError(f"an event of the stream is larger than {self._max_event_bytes >> 20} MiB")
