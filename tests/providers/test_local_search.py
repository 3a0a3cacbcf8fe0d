from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from cline_cli.agent.messages import JsonObject, JsonValue
from cline_cli.providers._local_search import Search

CODE = "def f(a):\n    b = a + 1\n    return b - 1\n"


class Model:
    """Plays rewritings and ends of lines; keeps what it was asked."""

    def __init__(self, *replies: JsonObject) -> None:
        self.replies = list(replies)
        self.requests: list[JsonObject] = []

    async def ask(self, request: JsonObject) -> AsyncGenerator[JsonObject, None]:
        self.requests.append(request)
        yield self.replies.pop(0)
        yield {"end": "stop"}


def written(text: str, *tokens: JsonValue) -> JsonObject:
    return {"text": text, "tokens": tokens}


def find_all(model: Model) -> list[str]:
    async def go() -> list[str]:
        search = Search("a.py", CODE, "PROMPT")
        found = []
        while (candidate := await search.find_next(model.ask)) is not None:
            found.append(candidate)
        return found

    return asyncio.run(go())


def test_the_rewriting_comes_first_when_it_differs() -> None:
    model = Model(written(CODE.replace("- 1", "* 1") + "```"))
    assert find_all(model)[0] == CODE.replace("- 1", "* 1")
    assert model.requests[0]["prompt"] == "PROMPT"


def test_doubts_become_candidates_when_the_model_copies() -> None:
    copied = written(CODE + "```", ["def f(a):\n", []], ["    b = a", []], [" +", [[" +", -0.1], [" -", -2.0]]])
    model = Model(copied, written(" 1\n"))
    assert find_all(model) == [CODE.replace("+ 1", "- 1")]
    assert model.requests[1]["prompt"] == "PROMPTdef f(a):\n    b = a -"


def test_the_rest_is_looked_through_when_the_model_left_the_original_early() -> None:
    left = written("def f(a):\n    c = a + 1\n", ["def f(a):\n", []], ["    c", []])
    rest = written("    return b", ["    return b", []], [" -", [[" -", -0.1], [" +", -1.0]]])
    model = Model(left, rest, written(" 1"))
    assert find_all(model) == [CODE.replace("- 1", "+ 1")]
    assert model.requests[1]["prompt"] == "PROMPTdef f(a):\n    b = a + 1\n"


def test_there_is_no_candidate_when_the_model_has_no_doubt() -> None:
    assert find_all(Model(written(CODE + "```", [CODE, []]))) == []
