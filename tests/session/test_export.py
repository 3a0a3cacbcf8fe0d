from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.messages import (
    AssistantMessage,
    ImagePart,
    JsonValue,
    Message,
    TextPart,
    ThinkingPart,
    ToolCall,
    ToolResult,
    Usage,
    UserMessage,
    user_text,
)
from cline_cli.session._export_facts import describe_cost
from cline_cli.session.export import (
    FORMATS,
    Call,
    Outcome,
    Picture,
    Remark,
    Said,
    Thought,
    describe,
    export,
    format_time,
    from_ms,
    outline,
    to_json_row,
    to_time,
)
from cline_cli.session.original import from_document
from cline_cli.session.reading import Entry, Row, Transcript
from tests.session.test_records import messages as any_messages

ID = "1754000000000_ab3xy"
NOON_MS = 1_793_620_800_000
ROW = Row(
    session_id=ID,
    folder=Path("/state/sessions") / ID,
    title="Mend the sum",
    prompt="Mend the sum\nof an empty list",
    started_at="2026-11-02T12:00:00.000Z",
    updated_at="2026-11-02T12:04:00.000Z",
    ended_at="2026-11-02T12:04:00.000Z",
    status="completed",
    exit_code=0,
    provider="cline",
    model="vendor/model",
    cwd="/work",
    mode="act",
    pid=4711,
    usage=Usage(12_345, 678, 4_000, 0, 0.034125),
)
VOID = {"meta", "img", "br", "hr"}
TAGS = VOID | set(
    "html head title style body header h1 h2 h3 h4 h5 h6 dl div dt dd nav details summary ol ul li a main section time"
    " p pre code span strong em s blockquote table thead tbody tr th td".split()
)
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass
class Page(HTMLParser):
    """A page as a browser reads it: what is named as a tag, and what is only text."""

    source: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""
    is_balanced: bool = True
    open_tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self, convert_charrefs=True)
        self.feed(self.source)
        self.close()
        self.is_balanced = self.is_balanced and not self.open_tags

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.is_balanced = self.is_balanced and bool(self.open_tags) and self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def transcript(*messages: Message, row: Row = ROW) -> Transcript:
    return Transcript(row, tuple(Entry(message, NOON_MS + 1000 * number) for number, message in enumerate(messages)))


def page_of(*messages: Message, row: Row = ROW) -> Page:
    return Page(export(transcript(*messages, row=row), "html"))


def markdown_of(*messages: Message, row: Row = ROW) -> str:
    return export(transcript(*messages, row=row), "md")


def reply(*parts: TextPart | ThinkingPart | ToolCall | str, model: str = "m") -> AssistantMessage:
    return AssistantMessage(
        tuple(TextPart(part) if isinstance(part, str) else part for part in parts), "stop", model=model
    )


def call(call_id: str = "1", name: str = "run_commands", **arguments: JsonValue) -> ToolCall:
    return ToolCall(call_id, name, json.dumps(arguments))


def result(content: object, call_id: str = "1", *, is_error: bool = False) -> ToolResult:
    return ToolResult(call_id, (TextPart(content if isinstance(content, str) else json.dumps(content)),), is_error)


def calls_in(*messages: Message) -> list[Call]:
    return [part for turn in outline(transcript(*messages).entries) for part in turn.parts if isinstance(part, Call)]


def require_inert(page: Page) -> None:
    assert page.is_balanced
    assert {tag for tag, _ in page.tags} <= TAGS
    names = {name for _, attributes in page.tags for name in attributes}
    assert not {name for name in names if name.startswith("on")} | (names & {"srcdoc", "action", "formaction", "data"})
    links = [attributes["href"] or "" for attributes in page.all("a")]
    assert not [link for link in links if not link.startswith(("#", "http://", "https://", "mailto:"))]
    assert not [image for image in page.all("img") if not (image["src"] or "").startswith("data:image/")]
    assert not [character for character in page.source if character < " " and character not in "\n\t"]
    assert not set("\x7f\x9b\u202a\u202e\u2066\ud800") & set(page.source)
    page.source.encode()


def test_each_call_has_the_result_that_follows_it_when_ids_come_again() -> None:
    first, second = calls_in(
        user_text("go"), reply(call(command="ls")), result("one"), reply(call(command="ls")), result("two")
    )
    assert first.outcomes == (Outcome("", "one", ""),)
    assert second.outcomes == (Outcome("", "two", ""),)


def test_calls_of_one_reply_keep_their_order_when_results_come_in_another() -> None:
    reversed_results = (result("b", "2"), result("a", "1"))
    found = calls_in(reply(call("1", command="x"), call("2", command="y")), *reversed_results)
    assert [(one.summary, one.outcomes[0].text) for one in found] == [("x", "a"), ("y", "b")]


@pytest.mark.parametrize("before", [(), (user_text("go"),), (reply("done"),)])
def test_a_result_is_not_lost_when_nothing_called_for_it(before: tuple[Message, ...]) -> None:
    (orphan,) = calls_in(*before, result("left over", "9"))
    assert orphan.outcomes == (Outcome("", "left over", ""),)


def test_a_call_is_told_when_it_has_no_result() -> None:
    assert calls_in(reply(call(command="ls"))) == [Call("run_commands", "ls", ())]
    assert "It answered nothing." in page_of(reply(call(command="ls"))).text


@pytest.mark.parametrize(
    ("content", "is_error", "outcomes"),
    [
        ([{"query": "ls", "result": "a\nb", "success": True}], False, [Outcome("", "a\nb", "")]),
        ({"query": "f", "result": "", "success": False, "error": "gone"}, False, [Outcome("", "", "gone")]),
        ([{"query": "f", "result": "x", "success": False}], False, [Outcome("", "x", "it failed")]),
        (
            [{"query": "a", "result": "1", "success": True}, {"query": "b", "result": "2", "success": True}],
            False,
            [Outcome("a", "1", ""), Outcome("b", "2", "")],
        ),
        ("denied", True, [Outcome("", "", "denied")]),
        ("plain text", False, [Outcome("", "plain text", "")]),
        ("", False, []),
        ("[not JSON", False, [Outcome("", "[not JSON", "")]),
        ([{"query": "f", "result": "x", "success": True, "more": 1}], False, None),
        ([{"query": "f", "result": {"deep": 1}, "success": True}], False, None),
        ([1, 2], False, None),
        ([], False, None),
    ],
)
def test_a_result_is_taken_out_of_its_json_only_when_nothing_is_lost(
    content: object, is_error: bool, outcomes: list[Outcome] | None
) -> None:
    (found,) = calls_in(reply(call(command="ls")), result(content, is_error=is_error))
    assert list(found.outcomes) == (outcomes if outcomes is not None else [Outcome("", json.dumps(content), "")])
    assert found.has_failed == is_error


@pytest.mark.parametrize(
    ("arguments", "summary", "is_whole"),
    [
        ('{"commands": ["pytest -q"]}', "pytest -q", True),
        ('{"commands": ["a", "b", "c"]}', "a (+2 more)", False),
        ('{"commands": ["a"], "timeout": 9}', "a", False),
        ('{"command": "first\\nsecond"}', "first second", False),
        ('{"files": [{"path": "x.py", "start_line": 3}]}', "x.py", False),
        ('{"path": "x.py", "new_text": "y"}', "x.py", False),
        ('{"queries": ["a.*b"]}', "a.*b", True),
        ('{"odd": [1, 2]}', '{"odd": [1, 2]}', False),
        ('{"path": ""}', '{"path": ""}', False),
        ("{}", "", True),
        ("", "", True),
        ('{"command": "broken', '{"command": "broken', False),
        ('"text"', '"text"', False),
        (f'{{"command": "{"x" * 200}"}}', f"{'x' * 119}…", False),
        ('{"command": "rm \\u202egpj"}', "rm <U+202E>gpj", False),
    ],
)
def test_a_call_says_in_one_line_what_it_is_about(arguments: str, summary: str, is_whole: bool) -> None:
    (found,) = calls_in(reply(ToolCall("1", "tool", arguments)))
    assert found.summary == summary
    assert (found.arguments == ()) == is_whole


def test_an_argument_is_read_best_as_what_it_is() -> None:
    (found,) = calls_in(reply(call(path="x", new_text="a\nb", commands=["one", "two"], lines={"from": 1})))
    assert [(value.name, value.text) for value in found.arguments] == [
        ("path", "x"),
        ("new_text", "a\nb"),
        ("commands", "one\ntwo"),
        ("lines", '{\n  "from": 1\n}'),
    ]


def test_replies_are_one_turn_until_somebody_else_speaks() -> None:
    turns = outline(
        transcript(
            user_text("go"),
            reply("a", call(command="x")),
            result("r"),
            reply("b"),
            reply("c", model="other"),
            user_text("more"),
            reply("d"),
        ).entries
    )
    assert [(turn.speaker, turn.model, len(turn.parts)) for turn in turns] == [
        ("user", "", 1),
        ("assistant", "m", 3),
        ("assistant", "other", 1),
        ("user", "", 1),
        ("assistant", "m", 1),
    ]
    assert turns[1].time_ms == NOON_MS + 1000


def test_what_a_reply_holds_keeps_its_order_and_what_says_nothing_is_left_out() -> None:
    message = AssistantMessage(
        (ThinkingPart("hm"), ThinkingPart("", "signature"), TextPart(" \n"), TextPart("well")), "length"
    )
    (turn,) = outline(transcript(message).entries)
    assert turn.parts == (
        Thought("hm"),
        Said("well"),
        Remark("The reply was cut off at the most tokens that it could have."),
    )


def test_pictures_are_kept_wherever_they_are() -> None:
    picture = ImagePart("image/png", PNG)
    turns = outline(
        transcript(
            UserMessage((TextPart("see"), picture)),
            reply(call(path="a.png")),
            ToolResult("1", (TextPart("x"), picture)),
        ).entries
    )
    assert turns[0].parts[1] == Picture("image/png", PNG)
    assert isinstance(turns[1].parts[0], Call)
    assert turns[1].parts[0].pictures == (Picture("image/png", PNG),)


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        (Usage(), "not known"),
        (Usage(cost_usd=float("nan")), "not known"),
        (Usage(cost_usd=float("inf")), "not known"),
        (Usage(cost_usd=0.0), "$0"),
        (Usage(cost_usd=1e-9), "less than $0.000001"),
        (Usage(cost_usd=0.034125), "$0.034125"),
        (Usage(cost_usd=12.5, is_estimate=True), "$12.5 (an estimate)"),
        (Usage(cost_usd=10.0), "$10"),
    ],
)
def test_a_cost_is_told_to_its_last_digit_and_never_made_up(usage: Usage, told: str) -> None:
    assert describe_cost(usage) == told


def test_times_are_told_in_the_zone_that_is_asked_for() -> None:
    time = to_time("2026-11-02T12:00:00.000Z")
    assert format_time(time) == "2026-11-02 12:00 UTC"
    assert format_time(time, timezone(timedelta(hours=2), "EET")) == "2026-11-02 14:00 EET"
    assert to_time("2026-11-02T12:00:00") == time
    assert from_ms(NOON_MS) == time


def test_a_time_is_empty_when_there_is_none() -> None:
    assert to_time("yesterday") is None
    assert from_ms(10**30) is None
    assert from_ms(None) is None
    assert format_time(None) == ""
    assert format_time(datetime(1, 1, 1, tzinfo=UTC), timezone(timedelta(hours=-2))) == ""


def test_only_what_is_known_is_told_of_a_session() -> None:
    row = replace(ROW, status="failed", exit_code=4, updated_at="", mode="", provider="", is_original=True)
    assert [(fact.name, fact.text) for fact in describe(row)] == [
        ("Session", ID),
        ("Status", "failed, exit code 4"),
        ("Began", "2026-11-02 12:00 UTC"),
        ("Model", "vendor/model"),
        ("Folder", "/work"),
        ("Tokens", "12,345 in (4,000 read from a cache), 678 out"),
        ("Cost", "$0.034125"),
        ("Written by", "the original command"),
    ]


HOSTILE = (
    "</div></section></pre></style></script><script>alert(1)</script><img src=x onerror=alert(1)>\n"
    "\x1b[2J\x1b]0;gone\x07\x9b31m \x00 \u202eright\u202c \u2066x\u2069 \ud800 &#8238; &#x202e; &#27;\n"
    "[a](javascript:alert(1)) [b](&#106;avascript:alert(1)) [c](JaVaScRiPt:x) [d](data:text/html,x) [e](vbscript:x)\n"
    "![f](javascript:x) ![g](https://example.com/pixel.png) ![h](data:image/png;base64,AA) <javascript:x> <https://x.y>\n"
    '[i](https://example.com/"onmouseover="alert(1)) [j](https://example.com "t\\" onclick=\\"x") [k](//example.com)\n'
    '\n```x" onload="y\n<b>\n```\n\n<!--\n'
)


def hostile_transcript() -> Transcript:
    row = replace(ROW, title=HOSTILE, prompt=HOSTILE, model=HOSTILE, provider=HOSTILE, cwd=HOSTILE, mode=HOSTILE)
    return transcript(
        user_text(HOSTILE),
        reply(ThinkingPart(HOSTILE), HOSTILE, call("1", HOSTILE, **{HOSTILE: HOSTILE, "path": HOSTILE}), model=HOSTILE),
        result([{"query": HOSTILE, "result": HOSTILE, "success": False, "error": HOSTILE}] * 2),
        UserMessage((ImagePart(HOSTILE, b"<svg onload=alert(1)>"), ImagePart("image/svg+xml", b"<svg>"))),
        ToolResult(HOSTILE, (TextPart(HOSTILE), ImagePart('image/png"onerror="x', b"")), is_error=True),
        row=row,
    )


def test_a_page_does_nothing_when_all_that_is_in_it_is_hostile() -> None:
    page = Page(export(hostile_transcript(), "html"))
    require_inert(page)
    assert page.all("img") == []
    assert "<script>alert(1)</script>" in page.text
    assert "<U+202E>right" in page.text
    assert "[a](javascript:alert(1))" in page.text
    assert {link["href"] for link in page.all("a")} == {
        "https://example.com/pixel.png",
        "https://x.y",
        "https://example.com/%22onmouseover=%22alert(1)",
        "https://example.com",
    }
    assert {link["rel"] for link in page.all("a")} == {"noreferrer noopener"}


def test_a_browser_is_forbidden_to_fetch_and_to_run_anything() -> None:
    page = page_of(user_text("go"))
    policy = next(meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.split("; ")[:3] == ["default-src 'none'", "style-src 'unsafe-inline'", "img-src data:"]
    assert {"name": "referrer", "content": "no-referrer"} in page.all("meta")
    assert not page.all("link") + page.all("script") + page.all("iframe")
    assert "url(" not in page.source
    assert "@import" not in page.source


def test_no_document_steers_a_terminal_when_all_that_is_in_it_is_hostile() -> None:
    for form in FORMATS:
        text = export(hostile_transcript(), form)
        assert not [character for character in text if character != "\n" and not character.isprintable()], form


@given(st.lists(any_messages, max_size=4), st.text(st.characters(), max_size=20))
def test_every_history_can_be_exported(history: list[Message], text: str) -> None:
    row = replace(ROW, title=text, model=text, cwd=text, prompt=text, metadata={text: [float("nan"), text]})
    given_transcript = transcript(*history, row=row)
    require_inert(Page(export(given_transcript, "html")))
    export(given_transcript, "md").encode()
    assert len(json.loads(export(given_transcript, "json"), parse_constant=pytest.fail)["messages"]) <= len(history)


@given(st.text(st.sampled_from("[]()<>!*_`~|#>-+.1&;:/\\\"' \n\tahjx"), max_size=60))
def test_no_reply_gets_out_of_its_place_in_a_page(text: str) -> None:
    require_inert(page_of(reply(text)))


def test_a_reply_is_rendered_and_its_headings_stand_below_those_of_the_page() -> None:
    page = page_of(reply("# One\n\n###### Six\n\n- a **b** ~~c~~\n\n| h |\n|---|\n| d |\n\n```py\nx < 1\n```\n"))
    tags = [tag for tag, _ in page.tags]
    assert tags.count("h1") == 1
    assert [
        tag
        for tag in tags[tags.index("main") :]
        if tag in {"h3", "h4", "h6", "ul", "li", "strong", "s", "table", "pre", "code"}
    ] == ["h3", "h6", "ul", "li", "strong", "s", "table", "pre", "code"]
    assert "x < 1" in page.text


def test_what_a_person_typed_is_not_taken_for_markdown() -> None:
    page = page_of(user_text("# one\n*two*"))
    assert "# one\n*two*" in page.text
    assert not page.all("h3") + page.all("em")


@pytest.mark.parametrize(
    "text", ["> " * 200 + "deep", "- " * 200 + "deep", "word " * 20_000], ids=["quotes", "lists", "long"]
)
def test_a_reply_is_shown_as_it_was_written_when_it_cannot_be_read(text: str) -> None:
    page = page_of(reply(text))
    assert text.strip() in page.text
    assert not page.all("blockquote") + page.all("ul")


def test_an_image_in_a_reply_becomes_a_link_so_that_nothing_is_fetched() -> None:
    page = page_of(reply("![a plan](https://example.com/a.png)"))
    assert page.all("img") == []
    assert page.all("a") == [{"href": "https://example.com/a.png", "rel": "noreferrer noopener"}]
    assert "[image: a plan]" in page.text


@pytest.mark.parametrize(
    ("text", "links", "shown"),
    [
        ("[a]() ![b]()", 0, "a [image: b]"),
        ("[![c](https://example.com/c.png)](https://example.com)", 1, "[image: c]"),
        ("[a]() [d](https://example.com)", 1, "a d"),
    ],
)
def test_a_link_leads_somewhere_and_only_there(text: str, links: int, shown: str) -> None:
    page = page_of(reply(text))
    assert [link["href"] for link in page.all("a")] == ["https://example.com"] * links
    assert f"\n{shown}\n" in page.text
    require_inert(page)


def test_calls_and_thoughts_are_folded_and_say_what_they_are() -> None:
    page = page_of(reply(ThinkingPart("hm"), call(command="make", timeout=3)), result("no rule", is_error=True))
    assert [details["class"] for details in page.all("details")] == ["thought", "call"]
    assert not [details for details in page.all("details") if "open" in details]
    assert "Thinking" in page.text
    assert "run_commands make failed" in page.text
    assert "timeout" in page.text
    assert "no rule" in page.text


def test_a_picture_is_in_the_page_only_when_it_is_pixels() -> None:
    parts = tuple(ImagePart(f"image/{kind}", PNG) for kind in ("png", "jpeg", "gif", "webp", "svg+xml", "x-icon"))
    page = page_of(UserMessage(parts))
    assert [str(image["src"]).partition(",")[0] for image in page.all("img")] == [
        "data:image/png;base64",
        "data:image/jpeg;base64",
        "data:image/gif;base64",
        "data:image/webp;base64",
    ]
    assert page.all("img")[0]["alt"] == "Image, image/png, 8 bytes"
    assert "Image, image/svg+xml, 8 bytes, which is not shown." in page.text


def test_a_box_can_be_reached_with_the_keyboard_when_it_is_long() -> None:
    page = page_of(reply(call(command="a")), result("line\n" * 21), reply(call(command="b")), result("line\n" * 3))
    long_box, short_box = page.all("pre")
    assert (long_box["tabindex"], long_box["role"], long_box["aria-label"]) == ("0", "region", "Result")
    assert "tabindex" not in short_box


def test_the_first_line_break_of_a_result_is_kept() -> None:
    assert '<pre lang="">\n\nfirst</pre>' in export(transcript(reply(call(command="a")), result("\nfirst")), "html")


@pytest.mark.parametrize(("prompts", "is_listed"), [(2, False), (3, True)])
def test_the_prompts_are_listed_when_there_are_several(prompts: int, is_listed: bool) -> None:
    page = page_of(*(message for number in range(prompts) for message in (user_text(f"prompt {number}"), reply("ok"))))
    assert [link["href"] for link in page.all("a")] == (["#turn-1", "#turn-3", "#turn-5"] if is_listed else [])
    ids = {heading.get("id") for heading in page.all("h2")}
    assert {"turn-1", "turn-3"} <= ids


def test_a_page_has_its_language_its_title_and_what_is_known() -> None:
    page = page_of(user_text("go"), row=replace(ROW, title=""))
    assert page.all("html") == [{"lang": "en"}]
    assert page.text.count(ID) == 3  # title, heading, fact
    assert "2026-11-02 12:04 UTC" in page.text
    assert page.all("time") == [{"datetime": "2026-11-02T12:00:00Z"}]


@pytest.mark.parametrize("form", ["html", "md"])
def test_it_is_said_when_nothing_was_said(form: str) -> None:
    assert "Nothing was said in this session." in export(transcript(), "html" if form == "html" else "md")


def test_markdown_keeps_replies_as_they_are_and_fences_the_rest() -> None:
    text = markdown_of(
        user_text("# not a heading"), reply("**bold**\n", call(command="ls")), result("a ``` b\n````\n"), reply("done")
    )
    assert text.startswith("# Mend the sum\n\n- **Session:** `1754000000000_ab3xy`\n- **Status:** `completed`\n")
    assert "## User, 2026-11-02 12:00 UTC\n\n```text\n# not a heading\n```\n" in text
    assert "## Assistant, `m`, 2026-11-02 12:00 UTC\n\n**bold**\n\n### `run_commands` `ls`\n" in text
    assert "Result:\n\n`````text\na ``` b\n````\n`````\n\ndone\n" in text


@pytest.mark.parametrize("text", ["```\nopen", "~~~\nopen", "<!-- open", "<script>\nopen", "x" * 60_000])
def test_a_reply_is_fenced_when_it_would_take_in_what_follows(text: str) -> None:
    document = markdown_of(reply(text), user_text("next"))
    fence = "````" if "```" in text else "```"
    assert f"\n{fence}text\n{text}\n{fence}\n\n## User" in document


@pytest.mark.parametrize("text", ["- a\n  - b", "> quote", "```\nclosed\n```", "<b>", "1. x\n\n   y", "    code"])
def test_a_reply_stays_as_it_is_when_it_ends_by_itself(text: str) -> None:
    assert f"UTC\n\n{text}\n\n## User" in markdown_of(reply(text), user_text("next"))


def test_one_line_of_code_is_code_whatever_backticks_it_has() -> None:
    assert "### `run_commands` `` `x` ``\n" in markdown_of(reply(call(command="`x`"))).replace("``  `", "`` `")
    assert "- **Folder:** ``/a`b``\n" in markdown_of(row=replace(ROW, cwd="/a`b"))


def test_a_title_is_a_title_whatever_it_means_in_markdown() -> None:
    text = markdown_of(row=replace(ROW, title="# a *b* <c> [d](e) `f` | g"))
    assert text.startswith("# \\# a \\*b\\* \\<c\\> \\[d\\](e) \\`f\\` \\| g\n")


def test_failed_calls_and_pictures_are_told_in_markdown() -> None:
    picture = ImagePart("image/png", PNG)
    text = markdown_of(
        reply(call(command="x"), call("2", "look", path="y")),
        result("no", is_error=True),
        ToolResult("2", (TextPart("seen"), picture)),
    )
    assert "### `run_commands` `x` (failed)\n\nError:\n\n```text\nno\n```" in text
    assert "*Image, image/png, 8 bytes; the exports to HTML and JSON have it.*" in text


def test_a_row_has_the_members_of_the_original_and_ours() -> None:
    document = to_json_row(replace(ROW, metadata={"ticket": "A-1", "totalCost": 99}))
    metadata = document.pop("metadata") if isinstance(document, dict) else None
    usage = {
        "inputTokens": 12_345,
        "outputTokens": 678,
        "cacheReadTokens": 4_000,
        "cacheWriteTokens": 0,
        "totalCost": 0.034125,
    }
    assert metadata == {
        "ticket": "A-1",
        "totalCost": 0.034125,
        "title": "Mend the sum",
        "aggregatedAgentsCost": 0.034125,
        "usage": usage,
        "aggregateUsage": usage,
    }
    assert document == {
        "sessionId": ID,
        "source": "cli",
        "pid": 4711,
        "startedAt": "2026-11-02T12:00:00.000Z",
        "endedAt": "2026-11-02T12:04:00.000Z",
        "exitCode": 0,
        "status": "completed",
        "interactive": False,
        "provider": "cline",
        "model": "vendor/model",
        "cwd": "/work",
        "workspaceRoot": "/work",
        "enableTools": True,
        "enableSpawn": False,
        "enableTeams": False,
        "isSubagent": False,
        "prompt": "Mend the sum\nof an empty list",
        "messagesPath": f"/state/sessions/{ID}/{ID}.messages.json",
        "updatedAt": "2026-11-02T12:04:00.000Z",
        "mode": "act",
        "isOriginal": False,
        "folder": f"/state/sessions/{ID}",
    }


def test_what_is_not_known_is_null_in_a_row() -> None:
    row = replace(ROW, pid=0, ended_at="", exit_code=None, status="running", usage=Usage())
    document = to_json_row(row)
    assert (document["pid"], document["endedAt"], document["exitCode"]) == (None, None, None)
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["totalCost"] is None


def nested(depth: int) -> JsonValue:
    value: JsonValue = "deep"
    for _ in range(depth):
        value = [value]
    return value


def test_a_row_is_json_whatever_somebody_added_to_it() -> None:
    row = replace(
        ROW, metadata={"a": float("inf"), "b": nested(5), "c": nested(900)}, usage=Usage(cost_usd=float("nan"))
    )
    text = json.dumps(to_json_row(row), allow_nan=False)
    metadata = json.loads(text)["metadata"]
    assert (metadata["a"], metadata["b"], metadata["totalCost"]) == (None, nested(5), None)


@pytest.mark.parametrize("depth", [50, 300, 100_000])
def test_arguments_are_told_whole_however_deep_they_are(depth: int) -> None:
    arguments = f'{{"commands": {"[" * depth}"deep"{"]" * depth}, "x": 1}}'
    history = (reply(ToolCall("1", "tool", arguments)), result("done"))
    for form in FORMATS:
        assert "deep" in export(transcript(*history), form)


def read_back(text: str) -> Sequence[Message]:
    return [entry.message for entry in from_document(json.loads(text))]


def test_json_has_all_that_was_said() -> None:
    history = (
        UserMessage((TextPart("see \ud83d"), ImagePart("image/png", PNG))),
        AssistantMessage(
            (ThinkingPart("hm", "signed"), TextPart("well"), ToolCall("1", "look", '{"path":"x"}')),
            "tool_calls",
            Usage(10, 2, 1, 0, 0.5),
            "vendor/model",
        ),
        result("seen", is_error=True),
        AssistantMessage((TextPart("done"),), "stop", Usage(1, 1), "vendor/model"),
    )
    text = export(transcript(*history), "json")
    assert text.endswith("}\n")
    assert text.isascii()
    assert read_back(text) == list(history)
    document = json.loads(text)
    assert (document["schemaVersion"], document["session"]["sessionId"]) == (1, ID)
    assert [message["ts"] for message in document["messages"]] == [NOON_MS + 1000 * number for number in range(4)]


def test_json_tells_why_a_reply_ended_and_that_a_cost_is_an_estimate() -> None:
    replies = (
        AssistantMessage((TextPart("cut"),), "length", Usage(1, 1, 0, 0, 0.1, is_estimate=True)),
        AssistantMessage((TextPart("done"),), "stop", Usage(1, 1, 0, 0, 0.1)),
    )
    messages = json.loads(export(transcript(replies[0], user_text("on"), replies[1]), "json"))["messages"]
    assert [message.get("stopReason") for message in messages] == ["length", None, "stop"]
    assert messages[0]["metrics"]["isEstimate"] is True
    assert "isEstimate" not in messages[2]["metrics"]
