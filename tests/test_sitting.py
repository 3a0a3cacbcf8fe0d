from __future__ import annotations

import re
import signal
import sys
from collections.abc import Callable, Iterator

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fake_server import text
from tests.sitting import Sitting, Terminal, meddlings, seats

Start = Callable[..., Sitting]


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a function that runs Python source at a terminal."""
    sittings: list[Sitting] = []

    def run(source: str, columns: int = 80, rows: int = 24, *, reflows: bool = False) -> Sitting:
        program = (sys.executable, "-c")
        sittings.append(Sitting((source,), {}, columns=columns, rows=rows, reflows=reflows, program=program))
        return sittings[-1]

    yield run
    for sitting in sittings:
        sitting.close()


def fed(data: str, columns: int = 10, lines: int = 4, *, reflows: bool = False) -> Terminal:
    terminal = Terminal(columns, lines, reflows=reflows)
    pyte.ByteStream(terminal).feed(data.encode())
    return terminal


@pytest.mark.parametrize(
    "sequence",
    [
        "\x1b]0;title\x07",
        "\x1b]52;c;c2VjcmV0\x1b\\",
        "\x1b]8;;http://example.com",
        "\x1b[?1049h",
        "\x1b[?25l",
        "\x1b[?1006h",
        "\x1b[?7;1049h",
        "\x1b[2J",
        "\x1b[3J",
        "\x1b[H",
        "\x1b[1;5r",
        "\x1b[!p",
        "\x1b[21t",
        "\x1b[6n",
        "\x1b[8m",
        "\x1b[0;5m",
        "\x1b[4:3m",
        "\x1bc",
        "\x1b7",
        "\x1b#8",
        "\x1b(0",
        "\x1bP$q\x1b\\",
        "\x1b_Gi=1\x1b\\",
        "\x9b2J",
        "\x9d0;title\x9c",
        "\x07",
        "\x08",
        "\x00",
        "\x7f",
        "\udc9b",
    ],
)
def test_a_sequence_is_found_when_the_command_has_no_use_for_it(sequence: str) -> None:
    assert list(meddlings(f"before{sequence}\r\nafter")) == [sequence]


def test_nothing_is_found_when_the_command_paints_moves_and_erases() -> None:
    painted = "\x1b[1;36mbold\x1b[0m \x1b[m\x1b[92m\tgreen\r\n"
    steered = "\x1b[2A\x1b[K\x1b[J\x1b[3C\x1b[?7lx\x1b[?7h\x1b[?2004h\x1b[?2004l"
    assert list(meddlings(painted + steered)) == []


def test_rows_go_into_the_history_when_the_cursor_would_not_fit_into_a_lower_window() -> None:
    terminal = fed("one\r\ntwo\r\nthree\r\nfour")
    terminal.resize(2, 10)
    assert [line.rstrip() for line in terminal.display] == ["three", "four"]
    assert terminal.scrollback == ["one", "two", "three", "four"]
    assert (terminal.cursor.y, terminal.cursor.x) == (1, 4)


def test_no_row_moves_when_a_lower_window_still_holds_the_cursor() -> None:
    terminal = fed("one\r\ntwo")
    terminal.resize(2, 10)
    assert [line.rstrip() for line in terminal.display] == ["one", "two"]
    assert not terminal.history.top


def test_lines_are_cut_when_a_terminal_that_does_not_reflow_becomes_narrower_and_wide_again() -> None:
    terminal = fed("0123456789\r\nab")
    terminal.resize(4, 5)
    terminal.resize(4, 10)
    assert terminal.scrollback == ["01234", "ab"]


def test_lines_are_broken_anew_and_joined_again_when_the_terminal_reflows() -> None:
    terminal = fed("0123456789abc\r\nxy", reflows=True)
    assert terminal.scrollback == ["0123456789", "abc", "xy"]
    terminal.resize(4, 5)
    assert terminal.scrollback == ["01234", "56789", "abc", "xy"]
    assert (terminal.cursor.y, terminal.cursor.x) == (3, 2)
    terminal.resize(4, 20)
    assert terminal.scrollback == ["0123456789abc", "xy"]
    assert (terminal.cursor.y, terminal.cursor.x) == (1, 2)


def test_a_wide_character_is_not_parted_when_it_does_not_fit_into_a_row() -> None:
    assert fed("012345678中").scrollback == ["012345678", "中"]
    terminal = fed("0123中", reflows=True)
    terminal.resize(4, 5)
    assert terminal.scrollback == ["0123", "中"]


def test_lines_stay_apart_when_what_joined_them_was_erased() -> None:
    terminal = fed("0123456789abc\x1b[1A\r\x1b[Jnew\r\nabc", reflows=True)
    terminal.resize(4, 20)
    assert terminal.scrollback == ["new", "abc"]


def test_text_goes_on_when_a_joiner_or_a_selector_comes() -> None:
    assert fed("a\u200db \u2764\ufe0f c").scrollback == ["a\u200db \u2764\ufe0f c"]


@given(
    st.lists(st.text(st.sampled_from("ab 中\u0301"), max_size=30), max_size=12),
    st.lists(st.tuples(st.integers(2, 9), st.integers(2, 40)), max_size=4),
)
def test_no_text_is_lost_when_a_terminal_that_reflows_is_resized(
    lines: list[str], sizes: list[tuple[int, int]]
) -> None:
    terminal = fed("\r\n".join(lines), columns=20, reflows=True)
    before = "".join(terminal.scrollback).replace(" ", "")
    for height, columns in sizes:
        terminal.resize(height, columns)
    assert "".join(terminal.scrollback).replace(" ", "") == before
    assert 0 <= terminal.cursor.y < terminal.lines
    assert 0 <= terminal.cursor.x <= terminal.columns


def test_the_process_is_told_of_the_new_size_when_the_window_changes(start: Start) -> None:
    sitting = start(
        "import os, signal\n"
        "signal.signal(signal.SIGWINCH, lambda *_: print(*os.get_terminal_size(1)))\n"
        "print(*os.get_terminal_size(1)); input(); input()",
        columns=100,
        rows=30,
    )
    sitting.wait_for("100 30")
    sitting.resize(44, 20)
    sitting.wait_for("44 20")
    sitting.type("\r\r")
    assert sitting.wait() == 0


def test_the_process_has_the_terminal_for_its_own_when_control_c_is_typed(start: Start) -> None:
    sitting = start("import os, time; print(os.getsid(0) == os.getpid(), os.ttyname(0)); time.sleep(60)")
    sitting.wait_for("True /dev/")
    sitting.type("\x03")
    assert sitting.wait() == -signal.SIGINT


def test_no_other_terminal_is_announced_when_none_reflows(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", "/tmp/tmux,1,0")
    monkeypatch.setenv("NO_COLOR", "1")
    source = "import os; print(*(os.environ.get(name) for name in ('TERM', 'TMUX', 'NO_COLOR', 'VTE_VERSION')))"
    sitting = start(source)
    assert sitting.wait() == 0
    assert sitting.screen[0] == "xterm-256color None None None"
    sitting = start(source, reflows=True)
    assert sitting.wait() == 0
    assert sitting.screen[0] == "xterm-256color None None 7600"


def test_what_is_pasted_is_marked_and_comes_whole_when_it_is_long(start: Start) -> None:
    sitting = start(
        "import sys, termios, tty; before = termios.tcgetattr(0); tty.setraw(0); print('ready', end='', flush=True)\n"
        "got = ''\n"
        "while not got.endswith('\\x1b[201~'): got += sys.stdin.read(1)\n"
        "termios.tcsetattr(0, termios.TCSANOW, before); print(got.startswith('\\x1b[200~'), len(got))"
    )
    sitting.wait_for("ready")
    sitting.paste("x" * 10_000)
    sitting.wait_for("True 10012")
    assert sitting.wait() == 0


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("import tty; tty.setcbreak(0)", "keys"),
        ("print(end='\\x1b[?2004h')", "?2004h"),
        ("print(end='\\x1b[?7l')", "?7l"),
        ("print(end='\\x1b[31mred')", "style"),
        ("print(end='\\x1b]2;title\\x07')", "title"),
        ("print(end='\\x1b[?1049h\\x1b[?1049l')", "1049"),
    ],
)
def test_the_end_is_complained_of_when_the_terminal_is_not_as_it_was(start: Start, source: str, complaint: str) -> None:
    sitting = start(source)
    with pytest.raises(AssertionError, match=re.escape(complaint)):
        sitting.wait()


def test_the_screen_is_shown_when_what_is_waited_for_never_comes(start: Start) -> None:
    sitting = start("print('something else')")
    with pytest.raises(AssertionError, match="something else"):
        sitting.wait_for("what never comes")


def test_a_sequence_is_allowed_when_the_sitting_says_that_it_is_the_process_s_own(start: Start) -> None:
    sitting = start("print(end='\\x1b[?25l\\x1b[?25h')")
    sitting.own = frozenset({"\x1b[?25l", "\x1b[?25h"})
    assert sitting.wait() == 0


def test_a_cursor_that_stays_hidden_is_complained_of_even_when_hiding_is_allowed(start: Start) -> None:
    sitting = start("print(end='\\x1b[?25l')")
    sitting.own = frozenset({"\x1b[?25l"})
    with pytest.raises(AssertionError, match="25l"):
        sitting.wait()


def test_the_process_is_gone_when_the_sitting_is_closed() -> None:
    sitting = Sitting(("import sys; sys.stdin.readline()",), {}, program=(sys.executable, "-c"))
    sitting.close()
    assert sitting.process.returncode == -signal.SIGKILL


def test_the_process_is_told_when_its_terminal_hangs_up(start: Start) -> None:
    sitting = start("import time; print('ready'); time.sleep(60)")
    sitting.wait_for("ready")
    assert sitting.hang_up() == -signal.SIGHUP


def test_the_command_speaks_to_its_server_when_it_sits_with_one() -> None:
    with seats() as sit:
        sitting = sit((text("Here I am."),), "-n", "hi")
        assert sitting.wait() == 0
        assert sitting.scrollback == ["Here I am."]
        assert len(sitting.server.requests) == 1
