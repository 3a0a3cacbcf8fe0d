from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cline_cli.agent.events import MessageFinished, RunFinished
from cline_cli.agent.messages import AssistantMessage, TextPart, ToolCall, ToolResult, Usage, user_text
from cline_cli.commands._history_change import format_size, read_size
from cline_cli.commands._history_list import Wanted, format_age, select_rows, to_line
from cline_cli.commands._tables import Cell, Column, paint, render_table
from cline_cli.commands.history import app
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, InterruptedRunError, UsageError
from cline_cli.session.reading import Row
from cline_cli.session.store import Header, create, resume
from cline_cli.text import display_width

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
OLD, MIDDLE, NEW = "1793613600000_aaaaa", "1793617200000_bbbbb", "1793620800000_ccccc"
ESCAPE = "\x1b"


@dataclass
class Desk:
    """Runs the command beside sessions of a private home."""

    folder: Path
    environment: Environment

    @property
    def sessions(self) -> Path:
        return self.folder / "state" / "sessions"

    def keep(
        self,
        session_id: str,
        prompt: str = "do it",
        answer: str = "done",
        *,
        cwd: str = "/elsewhere",
        error: ClineError | None = None,
        cost_usd: float = 0.034,
    ) -> None:
        time_s = int(session_id.partition("_")[0]) / 1000
        created = datetime.fromtimestamp(time_s, UTC).isoformat()
        session = create(
            self.sessions, Header(session_id, created, cwd, "cline", "vendor/model", "act"), clock=lambda: time_s
        )
        usage = Usage(1200, 34, cost_usd=cost_usd)
        last = AssistantMessage((TextPart(answer),), "stop", usage, "vendor/model")
        session.record(MessageFinished(last), [user_text(prompt), last])
        session.record(RunFinished(answer, usage, 1, 0, 1.0, error), [user_text(prompt), last])
        session.close()
        for file in (self.sessions / session_id).iterdir():
            os.utime(file, (time_s, time_s))

    def run(self, *words: str, columns: int = 0, **variables: str) -> tuple[str, str]:
        """Return what the command wrote to stdout and to stderr; with `columns` stdout is a terminal so wide."""
        out, err, failure = self.attempt(*words, columns=columns, **variables)
        if failure:
            raise failure
        return out, err

    def attempt(self, *words: str, columns: int = 0, **variables: str) -> tuple[str, str, ClineError | None]:
        failure = None
        if columns:
            variables = {"COLUMNS": str(columns), "TERM": "xterm", **variables}
        with (self.folder / "out").open("w+b") as out, (self.folder / "err").open("w+b") as err:
            environment = replace(
                self.environment,
                stdout=out.fileno(),
                stderr=err.fileno(),
                variables=variables,
                is_stdout_terminal=bool(columns),
            )
            places = ("--config", str(self.folder / "config"), "--data-dir", str(self.folder / "state"))
            try:
                app([*places, *words], standalone_mode=False, obj=environment)
            except ClineError as error:
                failure = error
            out.seek(0)
            err.seek(0)
            return out.read().decode(), err.read().decode(), failure

    def ids(self, *words: str) -> list[str]:
        return [row["sessionId"] for row in json.loads(self.run(*words, "--json")[0])]


@pytest.fixture
def desk(tmp_path: Path, private_home: Path) -> Desk:
    return Desk(tmp_path, Environment({}, Path.cwd(), private_home, None, None, None, False, False, False))


@pytest.fixture
def three(desk: Desk) -> Desk:
    """Return a desk with three sessions, the middle one of this folder."""
    desk.keep(OLD, "mend the sum", "the list was empty")
    desk.keep(MIDDLE, "explain monads", "a burrito", cwd=str(Path.cwd()), error=ClineError("no"), cost_usd=0.5)
    desk.keep(NEW, "write tests", "they pass", error=InterruptedRunError(2, "SIGINT"))
    return desk


def rows(count: int, read: list[int]) -> Iterator[Row]:
    """Yield rows, and note of each that it was read."""
    for number in range(count):
        read.append(number)
        yield replace(ROW, session_id=str(number), cwd="/here" if number % 2 else "/there")


ROW = Row(
    session_id=NEW,
    folder=Path("/state") / NEW,
    title="write tests",
    prompt="write tests",
    started_at="2026-11-02T12:00:00.000Z",
    updated_at="2026-11-02T12:30:00.000Z",
    ended_at="",
    status="completed",
    exit_code=0,
    provider="cline",
    model="vendor/model",
    cwd="/elsewhere",
    mode="act",
    pid=1,
    usage=Usage(cost_usd=0.034),
)


def test_sessions_are_lines_for_a_pipe_and_the_one_used_last_comes_first(three: Desk) -> None:
    first, second, third = three.run()[0].splitlines()
    assert first.endswith(f" cline:vendor/model [cancelled] | $0.034 | write tests | {NEW}")
    assert second.endswith(f" cline:vendor/model [failed] | $0.500 | explain monads | {MIDDLE}")
    assert third.endswith(f" cline:vendor/model [completed] | $0.034 | mend the sum | {OLD}")


def test_a_line_has_the_form_of_the_original() -> None:
    local = NOON.replace(minute=30).astimezone()
    assert to_line(ROW) == f"{local:%m/%d/%Y %H:%M} cline:vendor/model [completed] | $0.034 | write tests | {NEW}\n"
    unknown = replace(ROW, updated_at="", usage=Usage())
    assert to_line(unknown) == f"unknown time cline:vendor/model [completed] | $? | write tests | {NEW}\n"


def test_a_line_stays_one_and_steers_nothing_when_the_title_is_hostile() -> None:
    line = to_line(replace(ROW, title="a\n\x1b[31mb\u202e\x9bc", provider="p\n", model="\x1b]0;x\x07m"))
    assert line.endswith("| a b<U+202E> | 1793620800000_ccccc\n")
    assert line.count("\n") == 1
    assert ESCAPE not in line


@pytest.mark.parametrize("words", [(), ("list",), ("search", "nothing"), ("nothing",), ("--page", "2"), ("--here",)])
def test_it_is_said_when_there_is_nothing(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk.run(*words) == ("No history found.\n", "")
    assert desk.run(*words, columns=80) == ("No history found.\n", "")
    assert desk.run(*words, "--json") == ("[]\n", "")


def test_programs_get_one_line_with_one_array(three: Desk) -> None:
    out, err = three.run("--json")
    assert (out.count("\n"), err) == (1, "")
    found = json.loads(out)
    assert [(row["sessionId"], row["status"], row["exitCode"]) for row in found] == [
        (NEW, "cancelled", 130),
        (MIDDLE, "failed", 1),
        (OLD, "completed", 0),
    ]
    assert found[0]["messagesPath"] == str(three.sessions / NEW / f"{NEW}.messages.json")
    assert os.path.isfile(found[0]["messagesPath"])


def test_pages_are_parts_of_one_list(three: Desk) -> None:
    assert three.ids("--limit", "2") == [NEW, MIDDLE]
    assert three.ids("-n", "2", "--page", "2") == [OLD]
    assert three.ids("-n", "2", "--page", "3") == []
    assert three.ids("--limit", "0") == [NEW, MIDDLE, OLD]
    assert three.ids("list", "-n1") == [NEW]


def test_no_more_sessions_are_read_than_are_shown() -> None:
    read: list[int] = []
    assert len(list(select_rows(rows(100, read), Wanted(limit=3, page=2), None))) == 3
    assert read == [0, 1, 2, 3, 4, 5]
    read.clear()
    here = select_rows(rows(100, read), Wanted(limit=2, is_here=True), Path("/here"))
    assert [row.session_id for row in here] == ["1", "3"]
    assert read == [0, 1, 2, 3]


def test_a_page_of_no_known_length_is_refused(three: Desk) -> None:
    with pytest.raises(UsageError, match="--page needs a --limit"):
        three.run("--limit", "0", "--page", "2")


def test_only_sessions_of_this_folder_are_listed_when_asked_for(three: Desk, tmp_path: Path) -> None:
    assert three.ids("--here") == [MIDDLE]
    assert three.ids("--here", "--cwd", "..") == []
    (tmp_path / "link").symlink_to(Path.cwd())
    assert three.ids("--here", "--cwd", str(tmp_path / "link")) == [MIDDLE]


def test_this_folder_is_found_by_the_path_that_a_session_was_begun_in(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(Path.cwd())
    begun = [replace(ROW, cwd=str(tmp_path / "link"))]
    assert list(select_rows(iter(begun), Wanted(is_here=True), tmp_path / "link")) == begun


def test_it_is_told_when_this_folder_is_gone() -> None:
    with pytest.raises(UsageError, match="the working directory does not exist any more"):
        select_rows(iter(()), Wanted(is_here=True), None)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("monads",), [MIDDLE]),
        (("BURRITO",), [MIDDLE]),
        (("search", "the"), [NEW, OLD]),
        (("the", "sum"), [OLD]),
        (("the sum",), [OLD]),
        (("sum the",), []),
        (("-n", "1", "the"), [NEW]),
        (("--", "the"), [NEW, OLD]),
    ],
)
def test_words_search(three: Desk, words: tuple[str, ...], found: list[str]) -> None:
    out = three.run(*words)[0]
    assert [line.rpartition(" | ")[2] for line in out.splitlines() if " | " in line] == found


def test_what_stands_behind_two_dashes_is_searched_for_even_where_it_is_a_form(desk: Desk) -> None:
    desk.keep(OLD, "delete what is old")
    desk.keep(NEW, "anything else")
    assert desk.run("--", "delete")[0].endswith(f"{OLD}\n")
    assert desk.run("search", "delete")[0].endswith(f"{OLD}\n")
    assert desk.run("--", "--limit")[0] == "No history found.\n"
    assert len(list(desk.sessions.iterdir())) == 2


@pytest.mark.parametrize("words", [("search",), ("search", ""), ("", "x"), (" ",)])
def test_a_search_for_nothing_is_refused(three: Desk, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="there is no word to search for"):
        three.run(*words)


@pytest.mark.parametrize("columns", [120, 100, 80, 60, 45])
def test_a_table_fits_the_terminal_and_ids_are_whole(three: Desk, columns: int) -> None:
    three.keep("1793624400000_ddddd", "日本語の題名" * 12)
    three.keep("1793628000000_eeeee", "👩‍💻 [bold]x[/bold] :smile: \u202e\x1b[31mred " * 9, cost_usd=0.00001)
    out = three.run(columns=columns, NO_COLOR="1")[0]
    lines = out.splitlines()
    assert not [line for line in lines if display_width(line) > columns]
    assert [line.split()[-1] for line in lines[1:6]] == [
        "1793628000000_eeeee",
        "1793624400000_ddddd",
        NEW,
        MIDDLE,
        OLD,
    ]
    assert ESCAPE not in out


def test_a_table_tells_the_status_in_words_where_there_is_room_and_in_signs_where_not(three: Desk) -> None:
    wide = three.run(columns=120)[0]
    assert ("completed" in wide, "✓" in wide, "Status" in wide) == (True, False, True)
    narrow = three.run(columns=80)[0].splitlines()
    assert "Model" in narrow[0]
    assert narrow[-1].startswith(f"{ESCAPE}[2m✓ completed   ✗ failed   ~ cancelled")
    assert "✓" in narrow[3]


def test_a_table_says_that_there_may_be_more(three: Desk) -> None:
    assert "for older ones: --page 2, or --limit 0" in three.run("-n", "3", columns=80)[0]
    assert "for older ones: --page 3, or --limit 0" in three.run("-n", "1", "--page", "2", columns=80)[0]
    assert "older" not in three.run("-n", "4", columns=80)[0]
    assert "older" not in three.run("-n", "0", columns=80)[0]


@pytest.mark.parametrize(
    ("variables", "is_coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"TERM": "", "FORCE_COLOR": "1"}, True)],
)
def test_a_table_has_colours_where_the_terminal_has(three: Desk, variables: dict[str, str], is_coloured: bool) -> None:
    assert (ESCAPE in three.run(columns=80, **variables)[0]) == is_coloured
    assert (ESCAPE in three.run("show", NEW, columns=80, **variables)[0]) == is_coloured


def test_a_column_that_may_be_cut_gives_way_and_then_is_left_out() -> None:
    columns = (Column("A", least_cells=4, leaves=1), Column("B", least_cells=4, weight=3), Column("C"))
    cells = [[Cell("a" * 20), Cell("b" * 20), Cell("c" * 10)]]

    def draw(width: int) -> str:
        return render_table(columns, cells, width, is_coloured=False).splitlines()[1]

    assert draw(60) == f"{'a' * 20}  {'b' * 20}  {'c' * 10}"
    assert draw(38) == f"{'a' * 5}…  {'b' * 17}…  {'c' * 10}"
    assert draw(22) == f"aaa…  bbb…  {'c' * 10}"
    assert draw(21) == f"{'b' * 8}…  {'c' * 10}"
    assert draw(5) == f"bbb…  {'c' * 10}"


def test_text_is_never_read_as_markup() -> None:
    out = render_table((Column("A"),), [[Cell("[red]:smile:[/red]")]], 80, is_coloured=True, note="[b]n[/b]")
    assert "[red]:smile:[/red]" in out
    assert "[b]n[/b]" in out
    assert paint("[b]x[/b]", "bold") == "\x1b[1m[b]x[/b]\x1b[0m"


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(-9, "now"), (59, "now"), (60, "1 min"), (3599, "59 min"), (7200, "2 h"), (86_400 * 45, "45 d")],
)
def test_an_age_has_one_unit(seconds: int, age: str) -> None:
    assert format_age(NOON, NOON + timedelta(seconds=seconds)) == age
    assert format_age(None, NOON) == ""


def test_a_session_is_shown_with_what_was_said_and_done(desk: Desk) -> None:
    desk.keep(NEW, "count\x1b[2J", "**five**")
    session = resume(desk.sessions, NEW)
    listing = [{"query": "seq 99", "result": "\n".join(map(str, range(1, 100))), "success": True}]
    history = [
        *session.messages,
        user_text("once more"),
        AssistantMessage((ToolCall("1", "run_commands", '{"commands": ["seq 99"]}'),), "tool_calls"),
        ToolResult("1", (TextPart(json.dumps(listing)),)),
        AssistantMessage((TextPart("x" * 800),), "stop"),
    ]
    session.record(MessageFinished(history[-1]), history)  # type: ignore[arg-type]  # it is a reply
    session.close()
    out = desk.run("show", NEW)[0]
    assert out.startswith("count\n\nSession    1793620800000_ccccc\nStatus ")
    assert "── User  2026-11-02 " in out
    assert "── Assistant  vendor/model  2026-11-02 " in out
    assert "**five**" in out
    assert "\n> run_commands seq 99\n    1\n    2\n" in out
    assert "\n    10\n    ... 84 lines left out; --full shows them ...\n    95\n" in out
    assert "x" * 800 in out
    assert ESCAPE not in out
    whole = desk.run("show", NEW, "--full")[0]
    assert "\n    49\n    50\n    51\n" in whole
    assert "left out" not in whole


def test_programs_are_shown_all_of_a_session(three: Desk) -> None:
    document = json.loads(three.run("show", NEW, "--json")[0])
    assert document["session"]["sessionId"] == NEW
    assert [message["role"] for message in document["messages"]] == ["user", "assistant"]


@pytest.mark.parametrize("asked", [NEW, "17936208", "1793620800000_", "last"])
def test_a_session_is_named_by_its_id_by_its_beginning_or_as_the_last(three: Desk, asked: str) -> None:
    expected = MIDDLE if asked == "last" else NEW
    assert f"Session    {expected}\n" in three.run("show", asked)[0]
    assert f"Session    {expected}\n" in three.run("show", "--session-id", asked)[0]


def test_a_beginning_that_several_have_is_refused_and_they_are_named(three: Desk) -> None:
    with pytest.raises(UsageError, match=rf"^179361 begins the ids of 2 sessions: {OLD}, {MIDDLE}$"):
        three.run("delete", "179361")
    assert len(three.ids()) == 3


def test_too_short_a_beginning_is_no_id(three: Desk) -> None:
    with pytest.raises(UsageError, match="there is no session 17936"):
        three.run("show", "17936")


def test_a_whole_id_is_meant_when_another_begins_with_it(three: Desk) -> None:
    three.keep(f"{NEW}2")
    assert f"Session    {NEW}\n" in three.run("show", NEW)[0]


@pytest.mark.parametrize("asked", ["179362080000x_zz", "../../etc/passwd", "\x1b[2Jxxxxx", "x" * 300])
def test_an_id_that_there_is_not_is_told(three: Desk, asked: str) -> None:
    with pytest.raises(UsageError):
        three.run("show", asked)


def test_there_is_no_last_one_of_a_folder_without_any(three: Desk) -> None:
    with pytest.raises(UsageError, match="there is no session of "):
        three.run("show", "last", "--cwd", "..")


@pytest.mark.parametrize(
    ("words", "name", "beginning"),
    [
        ((), f"{NEW}.html", "<!DOCTYPE html>"),
        (("--format", "md"), f"{NEW}.md", "# write tests"),
        (("--format", "json"), f"{NEW}.json", '{"schemaVersion": 1'),
        (("-o", "a.html"), "a.html", "<!DOCTYPE html>"),
        (("-o", "a.HTM"), "a.HTM", "<!DOCTYPE html>"),
        (("-o", "a.markdown"), "a.markdown", "# write tests"),
        (("-oa.json",), "a.json", '{"schemaVersion": 1'),
        (("-o", "a.txt", "--format", "md"), "a.txt", "# write tests"),
        (("-o", "a"), "a", "<!DOCTYPE html>"),
        (("-o", "a b\u202e.md", "--format=md"), "a b\u202e.md", "# write tests"),
    ],
)
def test_a_session_is_exported_in_the_form_that_is_asked_for(
    three: Desk, words: tuple[str, ...], name: str, beginning: str
) -> None:
    out, err = three.run("export", NEW, *words)
    file = Path.cwd() / name
    assert (out, err) == (f"Exported to {str(file).replace(chr(0x202E), '<U+202E>')}\n", "")
    assert file.read_text("utf-8").startswith(beginning)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_programs_are_told_where_the_export_is(three: Desk) -> None:
    document = json.loads(three.run("export", NEW, "--json")[0])
    assert document == {"sessionId": NEW, "outputPath": str(Path.cwd() / f"{NEW}.html")}


def test_an_export_to_stdout_is_the_document_and_nothing_else(three: Desk) -> None:
    for form in ("html", "md", "json"):
        out, err = three.run("export", NEW, "-o", "-", "--format", form)
        three.run("export", NEW, "-o", f"x.{form}")
        assert (out, err) == (Path(f"x.{form}").read_text("utf-8"), "")
    assert three.run("export", NEW, "--output=-")[0].startswith("<!DOCTYPE html>")
    assert not Path("-").exists()


def test_an_older_export_is_replaced_and_keeps_its_mode(three: Desk) -> None:
    Path("a.md").write_text("old")
    Path("a.md").chmod(0o640)
    three.run("export", NEW, "-o", "a.md")
    assert Path("a.md").read_text().startswith("# write tests")
    assert stat.S_IMODE(Path("a.md").stat().st_mode) == 0o640
    assert [file.name for file in Path.cwd().iterdir()] == ["a.md"]


def test_nothing_but_a_file_is_replaced_by_an_export(three: Desk, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("keep")
    Path("link.md").symlink_to(tmp_path / "other")
    Path("folder.md").mkdir()
    os.mkfifo("pipe.md")
    for name, fault in (
        ("link.md", "it is a symbolic link"),
        ("folder.md", "it is a folder"),
        ("pipe.md", "it is not a file"),
        ("folder.md/", "is not the name of a file"),
        ("", "is not the name of a file"),
        ("..", "it is a folder"),
    ):
        with pytest.raises(UsageError, match=fault):
            three.run("export", NEW, "-o", name)
    assert (tmp_path / "other").read_text() == "keep"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any file")
def test_a_file_that_may_not_be_written_to_is_not_replaced(three: Desk) -> None:
    Path("a.md").write_text("keep")
    Path("a.md").chmod(0o444)
    with pytest.raises(UsageError, match="it may not be written to"):
        three.run("export", NEW, "-o", "a.md")


def test_one_clear_line_is_told_when_the_folder_is_missing(three: Desk) -> None:
    with pytest.raises(ClineError, match=r"^cannot write \S+/none/a\.md: No such file"):
        three.run("export", NEW, "-o", "none/a.md")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("-o", "a.md", "--format", "html"), r"--format html contradicts the name a\.md"),
        (("--format", "pdf"), "--format 'pdf' is not one"),
        (("--format", ""), "--format '' is not one"),
    ],
)
def test_a_form_that_cannot_be_is_refused(three: Desk, words: tuple[str, ...], fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        three.run("export", NEW, *words)
    assert not list(Path.cwd().iterdir())


def test_sessions_are_deleted(three: Desk) -> None:
    assert three.run("delete", OLD, "last") == (f"Deleted session {OLD}\nDeleted session {MIDDLE}\n", "")
    assert three.ids() == [NEW]
    assert [folder.name for folder in three.sessions.iterdir() if not folder.name.startswith(".")] == [NEW]


def test_programs_are_told_of_each_session_that_is_deleted(three: Desk) -> None:
    assert three.run("delete", "--session-id", OLD, "--json")[0] == '{"deleted":true}\n'
    out, _, failure = three.attempt("delete", "nothing-like-it", NEW, "--json")
    assert out == f'{{"deleted":false,"sessionId":"nothing-like-it"}}\n{{"deleted":true,"sessionId":"{NEW}"}}\n'
    assert isinstance(failure, UsageError)
    assert three.ids() == [MIDDLE]


def test_the_others_are_deleted_when_some_cannot_be(three: Desk) -> None:
    out, err, failure = three.attempt("delete", "missing-one", OLD, "missing-two")
    assert out == f"Deleted session {OLD}\n"
    assert err.startswith("cline: there is no session missing-one")
    assert failure is not None
    assert failure.message == "there is no session missing-two"


def test_nothing_is_deleted_when_one_of_the_names_could_be_several(three: Desk) -> None:
    out, _, failure = three.attempt("delete", NEW, "179361", "--json")
    assert out == '{"deleted":false}\n'
    assert isinstance(failure, UsageError)
    assert len(three.ids()) == 3


def test_a_session_is_deleted_once_when_it_is_named_twice(three: Desk) -> None:
    assert three.run("delete", NEW, NEW[:8], "--session-id", NEW)[0] == f"Deleted session {NEW}\n"


def test_a_session_that_a_run_has_is_not_deleted(three: Desk) -> None:
    session = resume(three.sessions, NEW)
    with pytest.raises(UsageError, match="in use"):
        three.run("delete", NEW)
    session.close()
    assert NEW in three.ids()


def test_a_session_is_described_anew(three: Desk) -> None:
    metadata = '{"ticket": "A-1"}'
    told = three.run("update", "--session-id", OLD, "--title", " a\n new  one ", "--metadata", metadata)
    assert told == (f"Updated session {OLD}\n", "")
    assert three.run("update", OLD, "--prompt", "other words", "--json")[0] == '{"updated":true}\n'
    row = next(row for row in json.loads(three.run("--json")[0]) if row["sessionId"] == OLD)
    assert (row["metadata"]["title"], row["prompt"]) == ("a new one", "other words")
    assert row["metadata"]["ticket"] == "A-1"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ((), "there is nothing to change"),
        (("--title", " "), "--title is empty"),
        (("--metadata", "{"), "--metadata is not JSON: "),
        (("--metadata", "[1]"), "--metadata is not a JSON object"),
        (("--metadata", '{"a": NaN}'), "--metadata is not JSON: "),
        (("--metadata", '{"a": 1e999}'), "--metadata is not JSON: "),
        (("--metadata", "[" * 100_000), "--metadata is not JSON: it is nested too deeply"),
    ],
)
def test_a_description_that_cannot_be_is_refused(three: Desk, words: tuple[str, ...], fault: str) -> None:
    out, _, failure = three.attempt("update", OLD, *words, "--json")
    assert isinstance(failure, UsageError)
    assert failure.message.startswith(fault)
    assert out == '{"updated":false}\n'


@pytest.fixture
def four(three: Desk) -> Desk:
    """Return a desk with a fourth session, of this very moment, and settings by which nothing is too old."""
    three.keep(f"{round(datetime.now(UTC).timestamp() * 1000)}_fresh", "today")
    (three.folder / "config").mkdir()
    (three.folder / "config" / "settings.toml").write_text("[sessions]\nkeep_days = 0\nmax_bytes = 0\n")
    return three


def test_old_sessions_go_when_they_are_pruned(four: Desk) -> None:
    assert four.run("prune")[0].startswith("Nothing to remove; 4 sessions with ")
    document = json.loads(four.run("prune", "--days", "1", "--json")[0])
    assert sorted(document["removed"]) == [OLD, MIDDLE, NEW]
    assert (document["kept"], document["dryRun"], document["failures"]) == (1, False, [])
    assert document["freedBytes"] > 1000
    assert len(four.ids()) == 1


def test_nothing_goes_when_it_is_only_to_be_said(four: Desk) -> None:
    out = four.run("prune", "--days", "1", "--dry-run")[0]
    assert out.startswith("Would remove 3 sessions with ")
    assert "; 1 session with " in out
    assert out.endswith(" would be left.\n")
    assert json.loads(four.run("prune", "--days", "1", "--dry-run", "--json")[0])["dryRun"] is True
    assert len(four.ids()) == 4


def test_the_settings_say_what_is_kept(three: Desk) -> None:
    (three.folder / "config").mkdir()
    (three.folder / "config" / "settings.toml").write_text("[sessions]\nkeep_days = 0\nmax_bytes = 1\n")
    assert three.run("prune")[0].startswith("Removed 2 sessions with ")
    assert three.ids() == [NEW]


def test_sessions_go_until_the_rest_is_small_enough(three: Desk) -> None:
    assert three.run("prune", "--days", "0", "--max-bytes", "1kB")[0].startswith("Removed 2 sessions with ")
    assert three.ids() == [NEW]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1000", 1000),
        ("1_000", 1000),
        ("1kB", 1000),
        ("500MB", 500_000_000),
        ("1.5 GB", 1_500_000_000),
        ("1g", 10**9),
        ("2KiB", 2048),
        ("1tb", 10**12),
    ],
)
def test_a_size_has_the_units_that_people_write(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "x", "1XB", "1e3", "GB", "9999TB", "1 0", "٣"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no size"):
        read_size(text)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1 kB"), (999_950, "1 MB"), (34_510_000, "34.5 MB")]
)
def test_a_size_is_told_in_the_unit_that_suits_it(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--full",), r"--full does not go with `cline history list`$"),
        (("word", "--title", "x"), "--title does not go with `cline history search`"),
        (("show", NEW, "--limit", "1"), "--limit does not go with `cline history show`"),
        (("show", NEW, "-o", "x"), "--output does not go with `cline history show`"),
        (("delete", NEW, "--dry-run"), "--dry-run does not go with `cline history delete`"),
        (("prune", "--session-id", NEW), "--session-id does not go with `cline history prune`"),
        (("export", NEW, "--max-bytes", "1"), "--max-bytes does not go with `cline history export`"),
        (("list", "word"), "`cline history list` takes no words"),
        (("prune", "word"), "`cline history prune` takes no words"),
        (("show",), "`cline history show` takes the ID of one session"),
        (("show", NEW, OLD), "`cline history show` takes the ID of one session"),
        (("export", NEW, "--session-id", OLD), "`cline history export` takes the ID of one session"),
        (("delete",), "`cline history delete` takes the ID of a session, or several"),
        (("prune", "--days", "-1"), "--days '-1' is not a whole number"),
        (("prune", "--days", "1.5"), "--days '1.5' is not a whole number"),
    ],
)
def test_what_does_not_go_together_is_refused(three: Desk, words: tuple[str, ...], fault: str) -> None:
    out, err, failure = three.attempt(*words)
    assert isinstance(failure, UsageError)
    with pytest.raises(UsageError, match=fault):
        raise UsageError(failure.message)
    assert (out, err) == ("", "")
    assert len(three.ids()) == 3


def test_the_folder_of_the_sessions_is_told_when_asked_for(three: Desk) -> None:
    assert three.run("-v")[1] == f"cline: sessions: {three.sessions} (--data-dir)\n"


def test_settings_that_are_broken_keep_nobody_from_looking(three: Desk) -> None:
    (three.folder / "config").mkdir()
    (three.folder / "config" / "settings.toml").write_text("= broken")
    assert len(three.ids()) == 3
    with pytest.raises(UsageError, match="cannot read"):
        three.run("prune")


def test_what_is_no_session_is_passed_over(three: Desk, tmp_path: Path) -> None:
    (three.sessions / "stray").write_text("x")
    (three.sessions / "1793699999999_empty").mkdir()
    (three.sessions / "1793699999998_links").symlink_to(three.sessions / NEW)
    assert three.ids() == [NEW, MIDDLE, OLD]
