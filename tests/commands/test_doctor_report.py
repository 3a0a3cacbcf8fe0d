from __future__ import annotations

import json
from pathlib import Path

from cline_cli.commands._doctor_report import Check, Group, Report

KEY = "sk-canary-3f9a1c"


def report_of(*checks: Check, secrets: tuple[str, ...] = (), **facts: str) -> Report:
    return Report((Group("group", checks),), facts, secrets)


def test_every_check_is_a_line_with_its_remedy_below() -> None:
    report = report_of(Check("a", "ok", "fine"), Check("long name", "bad", "wrong", "Put it right"))
    assert report.to_text().splitlines() == [
        "group",
        "  ok  a          fine",
        "  !!  long name  wrong",
        "                 Put it right",
        "A run can start.",
    ]
    assert report.to_complaint() == ""


def test_the_first_obstacle_is_the_complaint() -> None:
    report = report_of(Check("a", "bad", "one"), Check("b", "fatal", "two", "Do this"), Check("c", "fatal", "three"))
    assert report.to_complaint() == "a run could not start: two. Do this"
    assert report.to_text().endswith("A run could not start: see XX above.\n")
    assert json.loads(report.to_json())["canRun"] is False


def test_programs_get_one_object(private_home: Path) -> None:
    document = json.loads(report_of(Check("a", "note", "b", "c"), Check("d", "ok", "e"), provider="p").to_json())
    assert document["schemaVersion"] == 1
    assert document["canRun"] is True
    assert document["provider"] == "p"
    assert document["checks"] == [
        {"group": "group", "name": "a", "status": "note", "text": "b", "remedy": "c"},
        {"group": "group", "name": "d", "status": "ok", "text": "e", "remedy": None},
    ]


def test_nothing_that_steers_a_terminal_is_told() -> None:
    evil = "a\x1b]0;x\x07b\u202ec\ud800\nd"
    report = report_of(Check(evil, "fatal", evil, evil), provider=evil)
    for text in (report.to_text(), json.loads(report.to_json())["provider"], report.to_complaint()):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "\ud800" not in text
        assert "a<U+001B>]0;x<U+0007>b<U+202E>c<U+D800><U+000A>d" in text


def test_a_secret_is_told_nowhere() -> None:
    report = report_of(
        Check("a", "fatal", f"x{KEY}y", KEY), secrets=(KEY, "user:word@"), place=f"http://user:word@{KEY}"
    )
    for text in (report.to_text(), report.to_json(), report.to_complaint()):
        assert KEY not in text
        assert "word" not in text


def test_a_text_without_end_is_cut() -> None:
    assert len(report_of(Check("a", "ok", "x" * 100_000)).to_text()) < 3000
