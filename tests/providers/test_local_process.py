from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager

import pytest

from cline_cli.agent.messages import JsonObject
from cline_cli.errors import ContextWindowError, ProviderError
from cline_cli.providers._local_process import Child, choose_variables, start_child

HEAD = """
import json, os, signal, sys, time
settings = json.loads(sys.stdin.readline())
def say(**event): print(json.dumps(event), flush=True)
def hear():
    line = sys.stdin.readline()
    if not line: os._exit(0)
    return json.loads(line)
"""
READY = HEAD + "say(event='ready', version='1')\n"


@asynccontextmanager
async def child(program: str) -> AsyncGenerator[Child, None]:
    started = await start_child((sys.executable, "-c", program), {"model": "m"}, os.environ, 2_200_000_000)
    try:
        yield started
    finally:
        await started.close()


async def ask(started: Child, **request: str) -> list[JsonObject]:
    async with aclosing(started.request(request)) as events:
        return [event async for event in events]


async def fail(program: str) -> ProviderError:
    async with child(program) as started:
        try:
            await started.wait_ready()
            await ask(started, prompt="x")
        except ProviderError as error:
            return error
    raise AssertionError("nothing failed")


def test_events_come_when_a_request_is_answered() -> None:
    program = READY + "r = hear(); say(id=r['id'], text=r['prompt']); say(id=r['id'], end='stop')\nhear()"

    async def go() -> None:
        async with child(program) as started:
            await started.wait_ready()
            assert started.version == "1"
            assert await ask(started, prompt="é\n") == [{"id": 1, "text": "é\n"}, {"id": 1, "end": "stop"}]

    asyncio.run(go())


def test_the_model_may_take_its_time_when_it_starts() -> None:
    program = HEAD + "time.sleep(0.3); say(event='loading'); say(event='ready', version='2')\nhear()"

    async def go() -> None:
        async with child(program) as started:
            await started.wait_ready()
            assert started.version == "2"

    asyncio.run(go())


def test_lack_of_memory_is_told_when_the_child_was_killed() -> None:
    error = asyncio.run(fail(READY + "hear(); os.kill(os.getpid(), signal.SIGKILL)"))
    assert "killed, probably for lack of memory: it needs 2.2 GB" in error.message


def test_a_crash_is_told_with_its_last_words_when_native_code_fails() -> None:
    program = READY + "hear(); sys.stderr.write('noise\\nGGML_ASSERT failed\\n'); sys.stderr.flush(); os.abort()"
    error = asyncio.run(fail(program))
    assert "crashed (SIGABRT): GGML_ASSERT failed" in error.message


def test_the_exit_code_is_told_when_the_model_cannot_be_loaded() -> None:
    error = asyncio.run(fail(HEAD + "sys.exit('bad file')"))
    assert "ended (exit code 1): bad file" in error.message


@pytest.mark.parametrize("line", ["no json", "[1]", "1"])
def test_garbage_is_an_error_when_the_child_prints_it(line: str) -> None:
    assert "nonsense" in asyncio.run(fail(READY + f"hear(); print({line!r}, flush=True); hear()")).message


def test_an_endless_line_is_an_error_when_the_child_prints_it() -> None:
    assert "nonsense" in asyncio.run(fail(READY + "hear(); print('x' * 9_000_000, flush=True); hear()")).message


def test_a_long_prompt_is_named_when_the_runtime_refuses_it() -> None:
    error = asyncio.run(fail(READY + "r = hear(); say(id=1, error='9001 tokens', kind='too_long'); hear()"))
    assert isinstance(error, ContextWindowError)
    assert "9001 tokens" in error.message


def test_the_child_is_told_when_a_request_is_given_up() -> None:
    program = (
        READY
        + "r = hear(); say(id=1, text='a'); assert hear() == {'cancel': 1}; say(id=1, end='stop')\n"
        + "r = hear(); say(id=r['id'], text='c'); say(id=r['id'], end='stop'); hear()"
    )

    async def go() -> None:
        async with child(program) as started:
            await started.wait_ready()
            async with aclosing(started.request({"prompt": "x"})) as events:
                assert await anext(events) == {"id": 1, "text": "a"}
            assert await ask(started, prompt="y") == [{"id": 2, "text": "c"}, {"id": 2, "end": "stop"}]

    asyncio.run(go())


def test_the_child_is_gone_when_it_is_closed_at_work() -> None:
    async def go() -> None:
        async with child(READY + "hear(); time.sleep(60)") as started:
            await started.wait_ready()
            events = started.request({"prompt": "x"})
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await events.aclose()
        assert not started.is_alive
        assert not started.folder.exists()

    asyncio.run(go())


def test_the_folder_is_ours_alone_when_the_child_runs() -> None:
    async def go() -> None:
        async with child(READY + "hear()") as started:
            assert started.folder.stat().st_mode & 0o777 == 0o700

    asyncio.run(go())


def test_it_is_an_error_when_the_program_cannot_be_started() -> None:
    with pytest.raises(ProviderError, match="cannot be started"):
        asyncio.run(start_child(("/nowhere/python",), {}, {}, 0))


def test_no_key_is_passed_on_when_the_child_is_started() -> None:
    variables = {
        "PATH": "/bin",
        "CLINE_API_KEY": "secret",
        "OPENAI_API_KEY": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    assert choose_variables(variables) == {"PATH": "/bin"}
