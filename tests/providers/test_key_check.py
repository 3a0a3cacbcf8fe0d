from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from cline_cli.config.paths import Paths, find_paths
from cline_cli.environment import Environment
from cline_cli.errors import KeyRefusedError, NoCreditError, ProviderError, RateLimitedError, UnreachableError
from cline_cli.network.http import Network
from cline_cli.providers import PROVIDERS, Endpoint
from cline_cli.providers.key_check import KEY_PATHS, OPEN_LISTS, check_key
from tests.model_server import Answer, ModelServer, models, reply, to_json

KEY = "sk-canary-5e0b9d72"
CHAT = "/v1/chat/completions"


@pytest.fixture
def paths(private_home: Path) -> Paths:
    return find_paths(Environment({}, Path.cwd(), private_home, None, None, None, False, False, False))


def check(server: ModelServer, provider: str, paths: Paths, *, key: str = KEY, model: str = "m") -> tuple[str, ...]:
    async def work() -> tuple[str, ...]:
        network = Network()
        endpoint = Endpoint(provider, f"{server.origin}/v1", key, "the terminal", "1_abcde", is_tried_once=True)
        try:
            return await check_key(endpoint, model, network, paths)
        finally:
            await network.close()

    return asyncio.run(work())


def refusal(status: int, message: str) -> Answer:
    return to_json({"error": {"message": message}}, status)


def test_the_list_tells_that_the_key_is_good(paths: Paths) -> None:
    with ModelServer({"/v1/models": models("b", "a")}, key=KEY) as server:
        assert check(server, "deepseek" if "deepseek" in PROVIDERS else "openai-compatible", paths) == ("a", "b")
        assert server.asked == ["GET /v1/models"]


def test_one_request_is_made_when_the_key_is_refused(paths: Paths) -> None:
    with ModelServer({"/v1/models": models("a")}, key="another") as server:
        with pytest.raises(KeyRefusedError) as caught:
            check(server, "openai-compatible", paths)
        assert len(server.asked) == 1
    assert "key from the terminal, ...9d72" in caught.value.message
    assert KEY not in str(caught.value)


def test_the_key_itself_is_asked_of_when_the_list_is_for_everybody(paths: Paths) -> None:
    answers = {"/v1/key": to_json({"data": {"usage": 0}}), "/v1/models": models("a/b")}
    with ModelServer(answers, key=KEY, open_paths=("/v1/models",)) as server:
        assert check(server, "openrouter", paths) == ("a/b",)
        assert server.asked == ["GET /v1/key", "GET /v1/models"]
        with pytest.raises(KeyRefusedError):
            check(server, "openrouter", paths, key="sk-wrong-0000000")
        assert server.asked[2:] == ["GET /v1/key"]


def test_an_answer_tells_when_nothing_else_does(paths: Paths) -> None:
    answers = {CHAT: reply("ok"), "/v1/ai/cline/models": models("a/b")}
    with ModelServer(answers, key=KEY, open_paths=("/v1/ai/cline/models",)) as server:
        assert check(server, "cline", paths) == ("a/b",)
        assert server.asked == [f"POST {CHAT}", "GET /v1/ai/cline/models"]
        with pytest.raises(KeyRefusedError):
            check(server, "cline", paths, key="sk-wrong-0000000")
        assert server.asked[2:] == [f"POST {CHAT}"]


def test_nothing_is_paid_for_when_no_model_is_known(paths: Paths) -> None:
    with ModelServer({"/v1/ai/cline/models": models("a/b")}) as server:
        assert check(server, "cline", paths, model="") == ("a/b",)
        assert server.asked == ["GET /v1/ai/cline/models"]


def test_the_key_is_good_when_the_server_complains_of_the_model(paths: Paths) -> None:
    with ModelServer({CHAT: refusal(404, "model m not found")}) as server:
        assert check(server, "cline", paths) == ()


@pytest.mark.parametrize(("status", "kind"), [(402, NoCreditError), (429, RateLimitedError)])
def test_the_failure_is_told_when_it_says_nothing_of_the_key(
    paths: Paths, status: int, kind: type[ProviderError]
) -> None:
    with ModelServer({CHAT: refusal(status, "no")}) as server:
        with pytest.raises(kind):
            check(server, "cline", paths)
        assert len(server.asked) == 1


def test_a_key_that_may_not_list_is_asked_for_an_answer(paths: Paths) -> None:
    answers = {"/v1/models": refusal(403, "Missing scopes: api.model.read"), CHAT: reply("ok")}
    with ModelServer(answers) as server:
        assert check(server, "openai-compatible", paths) == ()
        assert server.asked == ["GET /v1/models", f"POST {CHAT}"]
        with pytest.raises(KeyRefusedError):
            check(server, "openai-compatible", paths, model="")


def test_no_key_goes_along_when_the_server_redirects(paths: Paths) -> None:
    with ModelServer({"/v1/models": models("stolen")}) as other:
        elsewhere = Answer(b"", 302, location=f"{other.origin}/v1/models")
        with ModelServer({"/v1/models": elsewhere, "/v1/key": elsewhere}) as server:
            for provider in ("openai-compatible", "openrouter"):
                with pytest.raises(ProviderError, match="redirects"):
                    check(server, provider, paths)
        assert other.asked == []


def test_an_unreachable_server_is_told_at_once(paths: Paths) -> None:
    with ModelServer({}) as server:
        pass
    for provider in ("openai-compatible", "openrouter", "cline"):
        with pytest.raises(UnreachableError):
            check(server, provider, paths)


def test_every_provider_with_a_way_of_its_own_is_in_the_table() -> None:
    assert not KEY_PATHS.keys() & OPEN_LISTS
    assert KEY_PATHS.keys() <= PROVIDERS.keys()
