from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.messages import JsonValue
from cline_cli.errors import KeyRefusedError, ProviderError, RateLimitedError, UnreachableError
from cline_cli.network.http import Network
from cline_cli.providers import PROVIDERS, Endpoint
from cline_cli.providers.listing import (
    LIST_PATHS,
    MAX_CURSOR_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_NAMES,
    MAX_PAGE_BYTES,
    MAX_PAGES,
    Cursor,
    list_models,
    read_page,
)
from tests.providers.model_server import Answer, ModelServer

KEY = "sk-or-canary-5cb1f3a2"


def ask(origin: str, provider: str = "openrouter", key: str = KEY) -> tuple[str, ...]:
    async def work() -> tuple[str, ...]:
        network = Network(variables={})
        try:
            return await list_models(Endpoint(provider, f"{origin}/v1", key, "-k", "s1"), network)
        finally:
            await network.close()

    return asyncio.run(work())


def serve(*pages: tuple[str, JsonValue | bytes | Answer]) -> ModelServer:
    return ModelServer({f"/v1/models{query}": page for query, page in pages})


def entries(*names: JsonValue) -> JsonValue:
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}


def test_names_come_sorted_and_once_when_a_server_lists_them() -> None:
    with serve(("", entries("b/two", "A/one", "b/two", "a/zero"))) as server:
        assert ask(server.origin) == ("A/one", "a/zero", "b/two")
    ((path, headers),) = server.asked
    assert (path, headers["authorization"]) == ("/v1/models", f"Bearer {KEY}")


def test_no_key_is_sent_when_there_is_none() -> None:
    with serve(("", entries("m"))) as server:
        assert ask(server.origin, "ollama", key="") == ("m",)
    assert "authorization" not in server.asked[0][1]


@pytest.mark.parametrize("provider", [name for name, row in PROVIDERS.items() if row.base_url])
def test_a_list_is_asked_for_with_the_headers_of_the_format_when_the_provider_speaks_it(provider: str) -> None:
    with ModelServer({f"/v1{LIST_PATHS.get(provider, '/models')}": entries("m")}) as server:
        assert ask(server.origin, provider) == ("m",)
    assert any(KEY in value for value in server.asked[0][1].values())


def test_all_pages_are_read_when_a_list_goes_on_as_googles_does() -> None:
    first: JsonValue = {
        "models": [
            {"name": "models/gemini-x", "supportedGenerationMethods": ["countTokens", "generateContent"]},
            {"name": "models/embedding-1", "supportedGenerationMethods": ["embedContent"]},
        ],
        "nextPageToken": "a b&c",
    }
    with serve(("", first), ("?pageToken=a+b%26c", {"models": [{"name": "models/gemini-y"}]})) as server:
        assert ask(server.origin) == ("gemini-x", "gemini-y")
    assert len(server.paths) == 2


def test_all_pages_are_read_when_a_list_goes_on_as_anthropics_does() -> None:
    first: JsonValue = {"data": [{"id": "one"}], "has_more": True, "last_id": "one"}
    last: JsonValue = {"data": [{"id": "two"}], "has_more": False, "last_id": "two"}
    with serve(("", first), ("?after_id=one", last)) as server:
        assert ask(server.origin) == ("one", "two")


@pytest.mark.parametrize(
    ("said", "names"),
    [
        ([{"id": "a"}, {"id": "b"}], ("a", "b")),
        ({"data": [{"id": "a"}], "models": [{"name": "b"}]}, ("a",)),
        ({"data": [], "models": [{"name": "b"}]}, ("b",)),
        ({"data": [{"id": "models/a"}]}, ("a",)),
        ({"data": [None, 1, "a", [], {}, {"id": None}, {"id": 5}, {"id": ["a"]}, {"name": "b"}]}, ("b",)),
        ({"data": {"id": "a"}}, ()),
        ({"data": None}, ()),
        ({}, ()),
        ([], ()),
        ("a", ()),
        (None, ()),
    ],
)
def test_what_is_no_name_is_left_out_when_a_list_holds_it(said: JsonValue, names: tuple[str, ...]) -> None:
    assert read_page(said).names == names


@pytest.mark.parametrize(
    "name",
    [
        "",
        " a",
        "a\n",
        "a\tb",
        "\x1b[2Ja",
        "a\x9bb",
        "a\u202eb",
        "a\u200bb",
        "a\u00a0b",
        "\ud800",
        "-rf",
        "x" * (MAX_NAME_CHARACTERS + 1),
    ],
)
def test_a_name_is_left_out_when_it_cannot_be_seen_and_typed(name: str) -> None:
    assert read_page({"data": [{"id": name}, {"id": "good name:7b"}]}).names == ("good name:7b",)


def test_a_name_is_left_out_when_the_key_is_in_it() -> None:
    with serve(("", entries(f"model-{KEY}", "other"))) as server:
        assert ask(server.origin) == ("other",)
    with serve(("", entries("lmstudio-community/x"))) as server:
        assert ask(server.origin, "lmstudio", key="lmstudio") == ("lmstudio-community/x",)


@pytest.mark.parametrize(
    ("said", "cursor"),
    [
        ({"has_more": True, "last_id": "x"}, Cursor("after_id", "x")),
        ({"has_more": "yes", "last_id": "x"}, None),
        ({"has_more": True}, None),
        ({"has_more": True, "last_id": 7}, None),
        ({"nextPageToken": ""}, None),
        ({"nextPageToken": "t", "has_more": True, "last_id": "x"}, Cursor("pageToken", "t")),
        ({"nextPageToken": "t" * (MAX_CURSOR_CHARACTERS + 1)}, None),
        ({"nextPageToken": "\ud800"}, Cursor("pageToken", "\ufffd")),
    ],
)
def test_a_next_page_is_asked_for_when_there_is_one(said: JsonValue, cursor: Cursor | None) -> None:
    assert read_page(said).cursor == cursor


def test_asking_ends_when_a_page_leads_back_to_an_earlier_one() -> None:
    one: JsonValue = {"data": [{"id": "one"}], "nextPageToken": "x"}
    two: JsonValue = {"data": [{"id": "one"}], "nextPageToken": "y"}
    with serve(("", one), ("?pageToken=x", two), ("?pageToken=y", one)) as server:
        assert ask(server.origin) == ("one",)
    assert len(server.paths) == 3


def test_asking_ends_when_there_is_no_end_of_pages() -> None:
    pages: Mapping[str, JsonValue] = {
        f"/v1/models{f'?pageToken={number}' if number else ''}": {"data": [], "nextPageToken": str(number + 1)}
        for number in range(MAX_PAGES + 50)
    }
    with ModelServer(pages) as server:
        assert ask(server.origin) == ()
    assert len(server.paths) == MAX_PAGES


def test_no_more_names_come_than_anybody_can_look_through() -> None:
    page: JsonValue = {"data": [{"id": f"m{number}"} for number in range(MAX_NAMES + 7)], "nextPageToken": "x"}
    with serve(("", page)) as server:
        assert len(ask(server.origin)) == MAX_NAMES
    assert len(server.paths) == 1


def test_one_clear_error_is_raised_when_a_list_is_too_long() -> None:
    with serve(("", b" " * (MAX_PAGE_BYTES + 1))) as server, pytest.raises(ProviderError, match="more than 4 MB"):
        ask(server.origin)


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 200_000, b"<html></html>", b"\xff\xfe", b"null", b"7", b'"a"'])
def test_one_clear_error_is_raised_when_the_answer_is_no_list(body: bytes) -> None:
    with serve(("", body)) as server, pytest.raises(ProviderError, match="no list of models at http") as caught:
        ask(server.origin)
    assert "base URL" in caught.value.hint


@pytest.mark.parametrize("status", [404, 405, 501])
def test_the_address_is_doubted_when_there_is_no_list(status: int) -> None:
    refusal = Answer(b'{"error": {"message": "model: Not Found"}}', status)
    with serve(("", refusal)) as server, pytest.raises(ProviderError, match="has no list of models") as caught:
        ask(server.origin)
    assert (caught.value.exit_code, "base URL" in caught.value.hint) == (1, True)


@pytest.mark.parametrize(("status", "kind"), [(401, KeyRefusedError), (403, KeyRefusedError), (429, RateLimitedError)])
def test_a_refusal_is_the_error_of_a_run_when_the_server_refuses(status: int, kind: type[ProviderError]) -> None:
    refusal = Answer(json.dumps({"error": {"message": f"no {KEY}"}}).encode(), status)
    with serve(("", refusal)) as server, pytest.raises(kind) as caught:
        ask(server.origin)
    assert KEY not in str(caught.value)
    assert "no ***" in caught.value.message


def test_the_key_stays_here_when_the_server_sends_elsewhere() -> None:
    with ModelServer({}) as other:
        away = Answer(b"", 302, {"Location": f"{other.origin}/v1/models"})
        with serve(("", away)) as server, pytest.raises(ProviderError, match="redirects to"):
            ask(server.origin)
    assert other.asked == []


def test_it_is_told_who_is_not_there_when_nobody_answers() -> None:
    with ModelServer({}) as server:
        origin = server.origin
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:\d+: connection refused"):
        ask(origin)


JSON_OF_OTHERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["data", "models", "id", "name", "nextPageToken", "has_more", "last_id", "x"]), inner
        )
    ),
    max_leaves=20,
)


@given(JSON_OF_OTHERS)
def test_every_name_can_be_typed_when_a_server_says_anything(said: JsonValue) -> None:
    page = read_page(said)
    assert all(name.isprintable() and name.strip() == name != "" and not name.startswith("-") for name in page.names)
    assert page.cursor is None or page.cursor.value.encode()
