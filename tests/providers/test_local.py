from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path

import pytest

from cline_cli.agent.messages import AssistantMessage, Message, TextPart, ToolCall, ToolResult, Usage, user_text
from cline_cli.agent.provider import Delta, Request, TextDelta, Waiting
from cline_cli.agent.tool import ToolSpec
from cline_cli.config.paths import Paths
from cline_cli.errors import ProviderError, UnknownModelError
from cline_cli.providers.local import Local

NAME = "qwen2.5-coder-0.5b"
TOOLS = tuple(ToolSpec(name, "", {}, "reads") for name in ("read_files", "run_commands", "editor"))
PROGRAM = """
import json, os, pathlib, sys
settings = json.loads(sys.stdin.readline())
log = open(os.environ["HOME"] + "/requests", "a")
print(json.dumps({"event": "ready", "version": "1"}), flush=True)
replies = json.load(open(os.environ["HOME"] + "/replies"))
for line in sys.stdin:
    request = json.loads(line)
    log.write(line); log.flush()
    number = request.get("id")
    if "cancel" in request:
        continue
    if "save" in request:
        pathlib.Path(settings["folder"], request["save"]).write_bytes(b"state of the prefix")
    elif "prompt" in request and request["max_tokens"] > 1:
        reply = replies.pop(0)
        for piece in reply if isinstance(reply, list) else [reply]:
            print(json.dumps({"id": number, **(piece if isinstance(piece, dict) else {"text": piece})}), flush=True)
    print(json.dumps({"id": number, "end": "stop", "input": 10, "cached": 4, "output": 2}), flush=True)
"""


class Setting:
    """A provider over a child that plays replies, and what that child was asked."""

    def __init__(self, folder: Path, replies: Sequence[object], *, memory_bytes: int = 8 * 1024**3) -> None:
        self.folder = folder
        self.paths = Paths(folder, folder, folder / "cache", folder / "models", {})
        self.memory_bytes = memory_bytes
        (folder / "replies").write_text(json.dumps(replies))

    def connect(self, *, has_runtime: bool = True) -> Local:
        return Local(
            self.paths,
            argv=(sys.executable, "-c", PROGRAM),
            memory_bytes=self.memory_bytes,
            variables={"HOME": str(self.folder), "PATH": "/usr/bin:/bin"},
            find=lambda name: self.folder / "models" if name == NAME else None,
            has_runtime=lambda: has_runtime,
        )

    def run(self, *messages: Message, tools: tuple[ToolSpec, ...] = (), model: str = NAME) -> list[Delta]:
        return asyncio.run(self.stream(Request(model, "Be brief.", messages, tools)))

    async def stream(self, *requests: Request) -> list[Delta]:
        provider = self.connect()
        try:
            deltas: list[Delta] = []
            for request in requests:
                async with aclosing(provider.stream(request)) as stream:
                    deltas += [delta async for delta in stream]
            return deltas
        finally:
            await provider.close()

    def requests(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in (self.folder / "requests").read_text().splitlines()]


def call_of(delta: Delta) -> tuple[str, dict[str, str]]:
    assert isinstance(delta, AssistantMessage)
    (call,) = delta.tool_calls
    return call.name, json.loads(call.arguments)


def step(number: int, name: str, arguments: dict[str, str], result: str, *, is_error: bool = False) -> list[Message]:
    call = ToolCall(str(number), name, json.dumps(arguments))
    return [AssistantMessage((call,), "tool_calls"), ToolResult(call.id, (TextPart(result),), is_error)]


CODE = "def add(a, b):\n    return a - b"
FAILED = [
    user_text("The tests fail. Fix the bug."),
    *step(1, "run_command", {"command": "make test"}, "FAILED test_calc.py\n(exit code 1)", is_error=True),
    *step(2, "read_file", {"path": "calc.py"}, CODE),
]


def test_text_streams_when_there_are_no_tools(tmp_path: Path) -> None:
    setting = Setting(tmp_path, [["Hel", "lo"]])
    deltas = setting.run(user_text("hi"))
    assert isinstance(deltas[0], Waiting)
    assert deltas[1:] == [
        TextDelta("Hel"),
        TextDelta("lo"),
        AssistantMessage((TextPart("Hello"),), "stop", Usage(10, 2, 4, cost_usd=0.0), NAME),
    ]
    (request,) = setting.requests()
    assert request["prompt"].startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nhi<|im_end|>")
    assert "grammar" not in request


def test_the_answer_streams_when_it_is_chosen(tmp_path: Path) -> None:
    deltas = Setting(tmp_path, [["answ", "er\nIt ", "is 4."]]).run(user_text("What is 2+2?"), tools=TOOLS)
    assert [delta.text for delta in deltas if isinstance(delta, TextDelta)] == ["It ", "is 4."]
    assert isinstance(deltas[-1], AssistantMessage)
    assert deltas[-1].text == "It is 4."


def test_a_call_is_made_when_an_action_is_chosen(tmp_path: Path) -> None:
    reply = ["write_file\nhello.py\n```python\nprint(1)\n```\n", " and more"]
    deltas = Setting(tmp_path, [reply]).run(user_text("Create hello.py"), tools=TOOLS)
    assert call_of(deltas[-1]) == ("write_file", {"path": "hello.py", "content": "print(1)\n"})
    assert not [delta for delta in deltas if isinstance(delta, TextDelta)]


def test_a_small_machine_answers_only_when_tools_are_offered(tmp_path: Path) -> None:
    setting = Setting(tmp_path, ["ok"], memory_bytes=2 * 1024**3)
    deltas = setting.run(user_text("hi"), tools=TOOLS)
    assert isinstance(deltas[0], Waiting)
    assert "without tools" in deltas[0].cause
    assert "grammar" not in setting.requests()[0]


def test_the_prefix_is_read_once_when_its_state_was_kept(tmp_path: Path) -> None:
    setting = Setting(tmp_path, ["answer\nok"])
    assert sum(isinstance(delta, Waiting) for delta in setting.run(user_text("hi"), tools=TOOLS)) == 2
    assert sum(isinstance(delta, Waiting) for delta in setting.run(user_text("hi"), tools=TOOLS)) == 1
    assert [next(key for key in ("save", "restore", "prompt") if key in request) for request in setting.requests()] == [
        "prompt", "save", "prompt", "restore", "prompt",
    ]  # fmt: skip


def test_a_broken_state_is_removed_when_it_is_found(tmp_path: Path) -> None:
    setting = Setting(tmp_path, ["answer\nok"])
    setting.run(user_text("hi"), tools=TOOLS)
    (state,) = (tmp_path / "cache" / "local").glob("*.state")
    state.write_bytes(state.read_bytes()[:-1])
    assert sum(isinstance(delta, Waiting) for delta in setting.run(user_text("hi"), tools=TOOLS)) == 2
    assert not any("restore" in request for request in setting.requests())


def test_the_child_lives_on_when_there_is_another_request(tmp_path: Path) -> None:
    setting = Setting(tmp_path, ["one", "two"])
    request = Request(NAME, "", (user_text("hi"),))
    deltas = asyncio.run(setting.stream(request, request))
    assert [delta.text for delta in deltas if isinstance(delta, AssistantMessage)] == ["one", "two"]
    assert sum(isinstance(delta, Waiting) for delta in deltas) == 1


def test_the_doubted_word_is_replaced_when_the_model_copies_the_mistake(tmp_path: Path) -> None:
    doubt = [
        ["def add(a, b):", [["def add(a, b):", 0.0]]],
        ["\n    return a", []],
        [" -", [[" -", -0.1], [" +", -1.0]]],
    ]
    copied = {"text": f"{CODE}\n```", "tokens": doubt}
    setting = Setting(tmp_path, [[copied], " b\n"])
    deltas = setting.run(*FAILED, tools=TOOLS)
    arguments = {"path": "calc.py", "old": "    return a - b", "new": "    return a + b"}
    assert call_of(deltas[-1]) == ("replace_in_file", arguments)
    assert setting.requests()[-1]["prompt"].endswith("def add(a, b):\n    return a +")


def test_the_check_is_repeated_when_a_candidate_was_tried(tmp_path: Path) -> None:
    edit = step(3, "replace_in_file", {"path": "calc.py", "old": "a - b", "new": "a + b"}, "+1 -1")
    deltas = Setting(tmp_path, []).run(*FAILED, *edit, tools=TOOLS)
    assert call_of(deltas[-1]) == ("run_command", {"command": "make test"})


def test_the_file_is_restored_when_no_candidate_is_left(tmp_path: Path) -> None:
    edit = step(3, "replace_in_file", {"path": "calc.py", "old": "a - b", "new": "a * b"}, "+1 -1")
    failed = step(4, "run_command", {"command": "make test"}, "FAILED\n(exit code 1)", is_error=True)
    deltas = Setting(tmp_path, [f"{CODE}\n```"]).run(*FAILED, *edit, *failed, tools=TOOLS)
    assert call_of(deltas[-1])[1] == {"path": "calc.py", "old": "    return a * b", "new": "    return a - b"}


def test_the_command_to_install_is_named_when_weights_are_missing(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match=r"cline local install qwen2\.5-coder-1\.5b"):
        Setting(tmp_path, []).run(user_text("hi"), model="qwen2.5-coder-1.5b")


def test_the_models_are_named_when_there_is_none_of_that_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match=r"no embedded model llama.*qwen"):
        Setting(tmp_path, []).run(user_text("hi"), model="llama")


def test_the_runtime_is_named_when_it_is_missing(tmp_path: Path) -> None:
    async def go() -> None:
        provider = Setting(tmp_path, []).connect(has_runtime=False)
        async with aclosing(provider.stream(Request(NAME, "", (user_text("hi"),)))) as stream:
            await anext(stream)

    with pytest.raises(ProviderError, match=r"(?s)runtime.*xllamacpp|not made for it"):
        asyncio.run(go())
