from __future__ import annotations

import json

from cline_cli.agent.messages import AssistantMessage, Message, TextPart, ToolCall, ToolResult, user_text
from cline_cli.providers._local_history import Said, Step, find_texts, read_history, steps_of, unwrap


def called(name: str, arguments: object, result: str | None, *, is_error: bool = False) -> tuple[Message, ...]:
    call = ToolCall(f"{name} {arguments}", name, json.dumps(arguments))
    answer = (ToolResult(call.id, (TextPart(result),), is_error),) if result is not None else ()
    return (AssistantMessage((call,), "tool_calls"), *answer)


def read(path: str, text: str) -> tuple[Message, ...]:
    numbered = "\n".join(f"{number} | {line}" for number, line in enumerate(text.splitlines(), 1))
    return called("read_file", {"path": path}, json.dumps([{"query": path, "result": numbered, "success": True}]))


def test_line_numbers_and_json_are_gone_when_a_file_was_read() -> None:
    turns = read_history((user_text("look"), *read("a.py", "def f():\n\n    return 1\n")))
    assert turns == (
        Said("user", "look"),
        Step("read_file", {"path": "a.py"}, "def f():\n\n    return 1", is_error=False),
    )


def test_output_and_exit_code_are_told_when_a_command_failed() -> None:
    result = json.dumps([{"query": "x", "result": "boom\n", "success": False, "error": "exit code 3"}])
    assert unwrap(result) == "boom\n(exit code 3)"


def test_the_error_is_told_when_there_is_no_output() -> None:
    assert unwrap('{"error": "no such file"}') == "error: no such file"


def test_text_stays_as_it_is_when_it_is_no_json() -> None:
    assert unwrap("plain\n1 | words\n") == "plain\n1 | words"
    assert unwrap("12") == "12"


def test_a_step_counts_as_not_run_when_it_has_no_result() -> None:
    turns = read_history(called("run_command", {"command": "x"}, None))
    assert turns == (Step("run_command", {"command": "x"}, "(not run)", is_error=True),)


def test_arguments_are_empty_when_they_are_not_an_object() -> None:
    message = AssistantMessage((ToolCall("1", "read_file", "[broken"),), "tool_calls")
    assert read_history((message,)) == (Step("read_file", {}, "(not run)", is_error=True),)


def test_only_the_last_steps_count_when_the_user_spoke_again() -> None:
    messages = (user_text("one"), *read("a.py", "x"), user_text("two"), *read("b.py", "y"))
    assert [step.argument("path") for step in steps_of(read_history(messages))] == ["b.py"]


def test_the_present_text_is_known_when_a_file_was_changed() -> None:
    edit = called("replace_in_file", {"path": "a.py", "old": "x = 1", "new": "x = 2"}, "{}")
    failed = called("replace_in_file", {"path": "a.py", "old": "x = 2", "new": "x = 3"}, "{}", is_error=True)
    new = called("write_file", {"path": "b.py", "content": "y\n"}, "{}")
    turns = read_history((user_text("go"), *read("a.py", "x = 1\nz"), *edit, *failed, *new))
    assert find_texts(turns) == {"a.py": "x = 2\nz\n", "b.py": "y\n"}


def test_an_empty_file_has_no_text_when_it_was_read() -> None:
    empty = json.dumps([{"query": "e.py", "result": "[the file is empty]", "success": True}])
    assert find_texts(read_history(called("read_file", {"path": "e.py"}, empty))) == {}


def test_names_carry_their_folder_when_it_was_listed() -> None:
    result = json.dumps([{"query": "shop", "result": "a.py\nb/", "success": True}])
    messages = (*called("list_files", {"path": "./shop/"}, result), *called("list_files", {"path": "."}, result))
    assert [turn.result for turn in read_history(messages) if isinstance(turn, Step)] == [
        "shop/a.py\nshop/b/",
        "a.py\nb/",
    ]
