from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.network.http import Network
from cline_cli.providers.local_servers import (
    MAX_BYTES,
    MAX_MODELS,
    LocalServer,
    Place,
    find_local_servers,
    parse_models,
    parse_tags,
)
from tests.model_server import Answer, ModelServer, models, tags, to_json

OPENAI_LIST = {"object": "list", "data": [{"id": "a", "object": "model"}, {"id": "b", "object": "model"}]}


def test_the_models_are_read_when_an_answer_is_a_list_of_them() -> None:
    assert parse_models(json.dumps(OPENAI_LIST).encode()) == ("a", "b")
    assert parse_models(b'{"object":"list","data":[]}') == ()
    assert parse_tags(b'{"models":[{"name":"llama3.2:3b","size":1},{"name":"x/y:latest"}]}') == (
        "llama3.2:3b",
        "x/y:latest",
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>It works!</html>",
        b"[]",
        b"null",
        b"{}",
        b'{"data":[{"id":"a"}]}',
        b'{"object":"list"}',
        b'{"object":"list","data":{"id":"a"}}',
        b'{"object":"list","data":[{"id":"a"},{"name":"b"}]}',
        b'{"object":"list","data":[{"id":7}]}',
        b'{"object":"list","data":["a"]}',
        b'{"object":"list","data":[{"id":""}]}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_it_is_no_server_of_models_when_the_answer_is_something_else(body: bytes) -> None:
    assert parse_models(body) is None
    assert parse_tags(body) is None


def test_a_name_is_left_out_when_it_cannot_be_shown_as_it_is() -> None:
    names = ["good", "\x1b[2Jevil", "a\u202eb", " padded", "n" * 201, "good"]
    body = json.dumps({"object": "list", "data": [{"id": name} for name in names]}).encode()
    assert parse_models(body) == ("good",)


def test_models_that_only_embed_come_last() -> None:
    assert parse_tags(json.dumps({"models": [{"name": "nomic-Embed-text"}, {"name": "qwen3"}]}).encode()) == (
        "qwen3",
        "nomic-Embed-text",
    )


def test_no_more_names_are_kept_than_anybody_reads() -> None:
    body = json.dumps({"models": [{"name": f"m{number}"} for number in range(MAX_MODELS + 5)]}).encode()
    found = parse_tags(body)
    assert found is not None
    assert len(found) == MAX_MODELS


@given(
    st.binary()
    | st.recursive(st.none() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(
        lambda value: json.dumps(value).encode()
    )
)
def test_no_answer_breaks_the_readers(body: bytes) -> None:
    for parse in (parse_models, parse_tags):
        found = parse(body)
        assert found is None or all(name.isprintable() for name in found)


def find(*places: Place, total_s: float = 10) -> tuple[LocalServer, ...]:
    async def work() -> tuple[LocalServer, ...]:
        network = Network(connect_s=5, idle_s=10)
        try:
            return await find_local_servers(places, network, total_s)
        finally:
            await network.close()

    return asyncio.run(work())


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_all_kinds_are_found_in_the_order_of_their_places(stack: ExitStack) -> None:
    ollama = stack.enter_context(ModelServer({"/api/tags": tags("llama3.2:3b")}))
    studio = stack.enter_context(ModelServer({"/v1/models": models("qwen", "phi")}))
    places = (Place("lmstudio", f"{studio.origin}/v1"), Place("ollama", f"{ollama.origin}/v1"))
    assert find(*places) == (
        LocalServer("lmstudio", f"{studio.origin}/v1", ("qwen", "phi")),
        LocalServer("ollama", f"{ollama.origin}/v1", ("llama3.2:3b",)),
    )
    assert (ollama.asked, studio.asked) == (["GET /api/tags"], ["GET /v1/models"])
    assert ollama.keys + studio.keys == ["", ""]


def test_a_place_is_asked_once_when_it_is_named_twice(stack: ExitStack) -> None:
    server = stack.enter_context(ModelServer({"/v1/models": models("m")}))
    place = Place("llama-server", f"{server.origin}/v1")
    assert len(find(place, place)) == 1
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"<html>Jenkins</html>", kind="text/html"),
        Answer(models("m").body, status=500),
        Answer(models("m").body, status=401),
        Answer(b"", status=302, location="http://127.0.0.1:9/v1/models"),
        Answer(json.dumps({"object": "list", "data": [{"id": "m"}], "pad": "x" * MAX_BYTES}).encode()),
        to_json({"status": "UP"}),
    ],
    ids=["a page", "an error", "a key is wanted", "a redirect", "too long", "other JSON"],
)
def test_nothing_is_found_when_something_else_listens(stack: ExitStack, answer: Answer) -> None:
    server = stack.enter_context(ModelServer({"/v1/models": answer}))
    assert find(Place("llama-server", f"{server.origin}/v1")) == ()
    assert len(server.asked) == 1


def test_nothing_is_found_when_nobody_listens(stack: ExitStack) -> None:
    closed = stack.enter_context(socket.socket())
    closed.bind(("127.0.0.1", 0))
    assert find(Place("ollama", f"http://127.0.0.1:{closed.getsockname()[1]}/v1"), Place("lmstudio", "nonsense")) == ()
    assert find() == ()


def test_a_server_that_never_answers_keeps_no_other_from_being_found(stack: ExitStack) -> None:
    mute = stack.enter_context(ModelServer({"/api/tags": Answer(b"", hangs=True)}))
    other = stack.enter_context(ModelServer({"/v1/models": models("m")}))
    found = find(Place("ollama", f"{mute.origin}/v1"), Place("lmstudio", f"{other.origin}/v1"), total_s=2)
    assert [server.provider for server in found] == ["lmstudio"]
    assert mute.asked == ["GET /api/tags"]


def test_a_server_on_the_other_family_of_addresses_is_found_by_its_name() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    families = {family for family, *_ in socket.getaddrinfo("localhost", None)}
    if socket.AF_INET6 not in families:
        listener.close()
        pytest.skip("localhost has no IPv6 address here")
    body = tags("m").body

    async def work() -> tuple[LocalServer, ...]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
            writer.close()

        network = Network(connect_s=5, idle_s=10)
        async with await asyncio.start_server(answer, sock=listener):
            place = Place("ollama", f"http://localhost:{listener.getsockname()[1]}/v1")
            try:
                return await find_local_servers((place,), network, 10)
            finally:
                await network.close()

    assert [server.models for server in asyncio.run(work())] == [("m",)]
