from __future__ import annotations

import re

import pytest

from cline_cli.errors import InternalError


def fail() -> None:
    raise ZeroDivisionError("sk-a-key-that-nobody-should-see")


def test_an_internal_error_names_its_kind_and_place_and_nothing_that_the_exception_says() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        fail()
    error = InternalError(caught.value)
    assert re.fullmatch(r"internal error: ZeroDivisionError in tests\.test_errors, line \d+", error.message)
    assert error.__cause__ is caught.value
    assert InternalError(ValueError("x")).message == "internal error: ValueError"
