from __future__ import annotations

from collections.abc import Mapping

import pytest

from cline_cli.commands._doctor_report import Check
from cline_cli.commands._doctor_surroundings import check_language, check_way
from cline_cli.errors import UnreachableError
from cline_cli.network.route import Trust

KEY = "sk-canary-3f9a1c"


def refuse(_: Mapping[str, str]) -> None:
    raise UnreachableError("cannot use the proxy in $ALL_PROXY", "Correct it")


def test_a_proxy_that_cannot_be_used_is_fatal() -> None:
    proxy, _ = check_way("http://x.example", {}, refuse)
    assert proxy == Check("proxy", "fatal", "cannot use the proxy in $ALL_PROXY", "Correct it")


@pytest.mark.parametrize(
    ("trust", "statuses"),
    [
        (Trust(("/a",), (), False), ["ok"]),
        (Trust(("/a",), ("$SSL_CERT_FILE names /b",), False), ["bad", "ok"]),
        (Trust((), ("$SSL_CERT_FILE names /b",), True), ["bad", "fatal"]),
    ],
)
def test_certificates_are_told_when_the_server_needs_them(trust: Trust, statuses: list[str]) -> None:
    _, *checks = check_way("https://x.example", {}, lambda _: None, lambda _: trust)
    assert [check.status for check in checks] == statuses


def test_no_certificates_are_looked_at_when_nothing_is_encrypted() -> None:
    def read_trust(_: Mapping[str, str]) -> Trust:
        raise AssertionError("nobody needs them")

    assert [check.status for check in check_way("http://localhost:1", {}, lambda _: None, read_trust)] == ["ok", "ok"]
    (way,) = check_way("", {}, refuse, read_trust)
    assert way.text == "not needed: the model runs on this machine"


def test_a_proxy_is_told_for_the_server_that_is_asked() -> None:
    variables = {"HTTPS_PROXY": f"http://me:{KEY}@proxy:1", "NO_PROXY": "x.example"}
    for url, told in (
        ("https://y.example", "http://proxy:1 ($HTTPS_PROXY)"),
        ("https://x.example", "none for https://x."),
    ):
        proxy = next(check_way(url, variables, lambda _: None, lambda _: Trust((), (), False)))
        assert told in proxy.text
        assert KEY not in proxy.text


@pytest.mark.parametrize(
    ("variables", "status"),
    [
        ({"LANG": "C.UTF-8"}, "ok"),
        ({"LANG": "de_DE.utf8"}, "ok"),
        ({"LC_ALL": "C", "LANG": "C.UTF-8"}, "note"),
        ({"LANG": "de_DE.ISO-8859-1"}, "note"),
        ({}, "note"),
    ],
)
def test_another_encoding_is_noted(variables: dict[str, str], status: str) -> None:
    assert check_language(variables).status == status
