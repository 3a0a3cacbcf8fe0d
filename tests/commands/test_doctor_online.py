from __future__ import annotations

import asyncio

import pytest

from cline_cli.commands._doctor_online import ask_once
from cline_cli.commands._doctor_report import Check
from cline_cli.errors import ClineError, KeyRefusedError, RateLimitedError, UnreachableError
from tests.fakes import FakeProvider, reply


def ask_model(*deltas: object, timeout_s: float = 20) -> tuple[Check, FakeProvider]:
    provider = FakeProvider([deltas])  # type: ignore[list-item]  # the test's own deltas
    return asyncio.run(ask_once(provider, "asked/model", timeout_s)).check, provider


def test_the_model_is_asked_once_and_little() -> None:
    check, provider = ask_model(reply("ok"))
    assert check.status == "ok"
    assert check.text.startswith("answered in ")
    assert check.text.endswith(" ms by asked/model")
    (request,) = provider.requests
    assert request.tools == ()
    assert request.max_tokens is not None
    assert request.max_tokens <= 256


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (KeyRefusedError("the key was refused", "Give another"), "fatal", "(a run would end with 3)"),
        (UnreachableError("no host"), "fatal", "(a run would end with 69)"),
        (RateLimitedError("too much"), "bad", "(a run would end with 75)"),
    ],
)
def test_only_what_does_not_pass_by_itself_is_fatal(error: ClineError, status: str, told: str) -> None:
    check, _ = ask_model(error)
    assert check == Check("online", status, f"{error.message} {told}", error.hint)  # type: ignore[arg-type]


def test_a_model_that_does_not_answer_in_time_is_bad() -> None:
    check, _ = ask_model(10.0, reply("late"), timeout_s=0.01)
    assert (check.status, check.text) == ("bad", "no answer within 0.01 s: timed out")
