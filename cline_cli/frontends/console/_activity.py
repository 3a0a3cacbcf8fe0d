"""What goes on besides text: the status line while it does, and a card for each call that is done. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from cline_cli.agent.events import ToolFinished, ToolStarted
from cline_cli.agent.messages import Usage
from cline_cli.frontends._style import BOLD, DIM, GREEN, RED, YELLOW, paint
from cline_cli.frontends.console._cards import lay_out_diff
from cline_cli.frontends.console.screen import BLANK, Line
from cline_cli.frontends.figures import describe_outcome, format_cost, format_duration, format_tokens, is_command
from cline_cli.text import Sanitizer, display_width, one_line

SHOWN_AFTER_S = 0.4
"""What is over sooner is not worth a flicker."""
PAUSE_S = 2.0
"""When text has not grown for so long, it is said that the model is waited for."""
OUTPUT_LINES, LIVE_OUTPUT_LINES = 5, 3
MAX_LINE = 1000
COUNTED = 100
"""More lines than this are not counted: of output that comes fast, only pieces are passed on."""


@dataclass(slots=True)
class _Running:
    summary: str
    since_s: float
    sanitizer: Sanitizer = field(default_factory=Sanitizer)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=OUTPUT_LINES))
    """The last whole lines of its output that are not blank."""
    count: int = 0
    open_line: str = ""

    def add(self, text: str) -> None:
        *whole, rest = (self.open_line + self.sanitizer.feed(text)).split("\n")
        filled = [line for line in whole if line.strip()]
        self.count += len(filled)
        self.lines.extend(line[:MAX_LINE] for line in filled[-OUTPUT_LINES:])
        self.open_line = rest[:MAX_LINE]

    def end(self) -> None:
        self.add(self.sanitizer.close() + "\n")


class Activity:
    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._label = ""
        """What is waited for while no call runs; empty while nothing is."""
        self._since_s = self._shown_from_s = 0.0
        self._until_s: float | None = None
        """When a pause of known length is over."""
        self._detail = ""
        self._running: dict[str, _Running] = {}
        self.hint = ""
        """How what goes on can be stopped: said beside it, from its beginning to its end; empty for nothing."""
        self.whole = "cline diff"
        """How the whole of a difference is seen that a card cuts."""
        self._shown: set[str] = set()
        """Calls of which the person has seen what they change, by their summaries."""
        self._is_writing = False
        self._begun_s = clock()
        self._figures: tuple[str, ...] = ()
        """What the run has taken so far."""

    def wait(self, label: str, *, detail: str = "", delay_s: float = 0) -> None:
        """Say what is waited for from now on; the time goes on counting where it is the same as before."""
        self._is_writing = False
        if label != self._label:
            self._label, self._since_s = label, self._clock()
            self._shown_from_s = self._since_s + SHOWN_AFTER_S
        self._detail = detail
        self._until_s = self._clock() + delay_s if delay_s else None

    def text_came(self) -> None:
        """The text itself shows what goes on; only when it pauses there is something to say."""
        self._is_writing = True
        self._label, self._since_s = "waiting for model", self._clock()
        self._shown_from_s = self._since_s + PAUSE_S
        self._detail, self._until_s = "", None

    def rest(self) -> None:
        """Nothing is waited for."""
        self._label, self._is_writing = "", False

    def waited_s(self, label: str) -> float:
        """Return for how long it has been waited for just this; 0 where something else is."""
        return self._clock() - self._since_s if label == self._label else 0

    def note_usage(self, last: Usage, total: Usage, window_tokens: int | None) -> None:
        """Take what the last reply took, and the run in all; the window is what the model can read, if known."""
        tokens = f"{format_tokens(total.input_tokens)} in, {format_tokens(total.output_tokens)} out"
        cost = format_cost(total.cost_usd, is_estimate=total.is_estimate) if total.cost_usd else ""
        context = last.input_tokens + last.output_tokens
        share = f"{round(100 * context / window_tokens)}% of context" if window_tokens else ""
        self._figures = tuple(filter(None, (tokens, cost, share)))

    def begin(self) -> None:
        """A run begins: nothing has been taken."""
        self._begun_s, self._figures = self._clock(), ()

    def note_shown(self, summary: str) -> None:
        """The question before this call has shown what it changes: its card need not."""
        self._shown.add(summary)

    def start(self, event: ToolStarted) -> None:
        self._running[event.call.id] = _Running(event.summary, self._clock())

    def report(self, call_id: str, text: str) -> None:
        if running := self._running.get(call_id):
            running.add(text)

    def finish(self, event: ToolFinished, columns: int) -> list[Line]:
        """Return the card of a call: a line, or for a command with output its last lines too."""
        running = self._running.pop(event.call.id, None)
        is_shown = event.summary in self._shown
        self._shown.discard(event.summary)
        title, outcome, style = _title(event.summary, columns), describe_outcome(event), _style_of(event)
        output: list[Line] = []
        if running and not event.denied and is_command(event.summary):
            running.end()
            output = _output(running, columns, OUTPUT_LINES)
        diff = [] if is_shown or not event.output.diff else lay_out_diff(event.output.diff, columns, whole=self.whole)
        if output or title.cells + 2 + display_width(outcome) > columns:
            return [title, *output, _indented(outcome, style, columns), *diff]
        return [_join(title, outcome, style), *diff]

    def status(self, columns: int) -> list[Line]:
        """Return the lines that say what goes on; none where there is nothing to say."""
        now_s = self._clock()
        if self._running:
            return self._running_status(next(iter(self._running.values())), columns)
        if self.hint and self._is_writing and now_s < self._shown_from_s:
            return self._facts(columns, f"writing, {_seconds(now_s - self._begun_s)}")
        if not self._label or not (self.hint or now_s >= self._shown_from_s):
            return []
        if self._until_s is not None and self._until_s > now_s:
            text = f"{self._label}, again in {_seconds(self._until_s - now_s + 1)}"
        else:
            text = f"{self._label}, {_seconds(now_s - self._since_s)}"
        head = one_line(text, columns)
        room = columns - display_width(head) - 2
        if self._detail:
            detail = f"  {_end_of(self._detail, room)}" if room > 8 else ""
            return [_line(head + detail, DIM), *self._facts(columns)]
        return self._facts(columns, head) or [_line(head, DIM)]

    def _running_status(self, running: _Running, columns: int) -> list[Line]:
        elapsed_s = self._clock() - running.since_s
        if elapsed_s < SHOWN_AFTER_S and not self.hint:
            return []
        others = f", {len(self._running) - 1} more" if len(self._running) > 1 else ""
        elapsed = one_line(_seconds(elapsed_s) + others, columns)
        title = _title(running.summary, columns - display_width(elapsed) - 2)
        head = _join(title, elapsed, DIM) if title.cells else _line(elapsed, DIM)
        return [head, *_output(running, columns, LIVE_OUTPUT_LINES), *self._facts(columns)]

    def _facts(self, columns: int, head: str = "") -> list[Line]:
        """Return one line: what goes on, how it is stopped, and as much of what it has taken as has room."""
        line = one_line(head, columns)
        for fact in filter(None, (self.hint, *self._figures)):
            longer = f"{line}  {fact}" if line else fact
            if display_width(longer) > columns:
                break
            line = longer
        return [_line(line, DIM)] if line else []


def _style_of(event: ToolFinished) -> str:
    return YELLOW if event.denied else RED if event.output.is_error else DIM


def _title(summary: str, columns: int) -> Line:
    text = one_line(summary, columns)
    mark, rest = (text[:2], text[2:]) if is_command(text) else ("", text)
    return Line(paint(mark, GREEN) + paint(rest, BOLD), display_width(text))


def _join(title: Line, text: str, style: str) -> Line:
    """Return `$ pytest -q  exit 1`."""
    return Line(f"{title.text}  {paint(text, style)}", title.cells + 2 + display_width(text))


def _output(running: _Running, columns: int, most: int) -> list[Line]:
    lines = [*running.lines, *([running.open_line] if running.open_line.strip() else [])][-most:]
    hidden = running.count + bool(running.open_line.strip()) - len(lines)
    told = f"over {COUNTED}" if hidden > COUNTED else str(hidden)
    more = f"… {told} more line{'' if hidden == 1 else 's'}"
    start = [_indented(more, DIM, columns)] if hidden > 0 else []
    return start + [_indented(line, DIM, columns) for line in lines]


def _indented(text: str, style: str, columns: int) -> Line:
    if columns < 2:
        return BLANK
    line = _line(_cut_output(text, columns - 2), style)
    return Line(f"  {line.text}", line.cells + 2)


def _cut_output(text: str, columns: int) -> str:
    """Return a line of output with its own indentation."""
    flat = text.expandtabs(4).rstrip()
    spaces = flat[: len(flat) - len(flat.lstrip())]
    return spaces[: columns // 2] + one_line(flat, columns - len(spaces[: columns // 2]))


def _line(text: str, style: str) -> Line:
    return Line(paint(text, style), display_width(text))


def _end_of(text: str, columns: int) -> str:
    """Return the last words of a text that has no end yet."""
    line = one_line(text[-4 * columns :])
    while display_width(line) > columns:
        line = line[max(1, (len(line) - columns) // 2) :]
    return line


def _seconds(duration_s: float) -> str:
    return format_duration(int(duration_s))
