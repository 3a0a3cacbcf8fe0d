"""What the embedded model reads: ChatML with the actions it may take, worked examples, and the history. Pure.

An action is its name on a line, what it needs on the next, and a fenced text where there is one. A model of this size
spoils code that it must write as a JSON string; in a fence it writes what it was trained on. The prefix is the same
bytes in every run with the same actions, so that its processed form can be kept on disk.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from cline_cli.providers._local_history import Said, Step, Turn

MAX_OUTPUT_CHARACTERS = 2000
"""Of a tool's output that the model is shown: a third from its beginning, the rest from its end, where tests report."""
ACTIONS: Mapping[str, tuple[str, str]] = {
    "list_files": ("read_files", "path: list a folder"),
    "read_file": ("read_files", "path: show a text file"),
    "run_command": ("run_commands", "command: run it in the shell"),
    "write_file": ("editor", "path, then the whole text: make a new file"),
    "edit_file": ("editor", "path: change a file that was read"),
}
"""Action -> the tool it stands for, and what the model is told of it."""
ANSWER = "answer"
_ROLE = "You are a coding agent working in a folder on the user's computer."
_ANSWER_LINE = "answer - the reply to the user; ends the work"
_SPECIAL = re.compile(r"<\|(\w+)\|>")
_FENCES: Mapping[str, str] = {"py": "python", "js": "javascript", "ts": "typescript", "sh": "bash", "md": "markdown"}

_FAILURE = """\
_________________________________ test_double __________________________________
    def test_double():
>       assert double(4) == 8
E       assert 6 == 8
E        +  where 6 = double(4)
test_calc.py:5: AssertionError
FAILED test_calc.py::test_double - assert 6 == 8
1 failed in 0.02s
(exit code 1)"""
_CODE = "def half(n):\n    return n / 2\n\n\ndef double(n):\n    return n + 2"
_SQUARES = {"path": "squares.py", "content": "for n in range(1, 4):\n    print(n * n)\n"}
_EXAMPLES: tuple[Turn, ...] = (
    Said("user", "What is a linked list?"),
    Said("assistant", "A linked list is a sequence of nodes: each holds a value and a reference to the next node."),
    Said("user", "How many lines does notes.txt have?"),
    Step("run_command", {"command": "wc -l notes.txt"}, "12 notes.txt", is_error=False),
    Said("assistant", "notes.txt has 12 lines."),
    Said("user", "Write a script that prints the first three squares, then run it."),
    Step("write_file", _SQUARES, "created, 2 lines", is_error=False),
    Step("run_command", {"command": "python3 squares.py"}, "1\n4\n9", is_error=False),
    Said("assistant", "I wrote squares.py. It prints 1, 4 and 9."),
    Said("user", "A test fails. Please repair the code."),
    Step("run_command", {"command": "python3 -m pytest -q"}, _FAILURE, is_error=True),
    Step("read_file", {"path": "calc.py"}, _CODE, is_error=False),
    Step("replace_in_file", {"path": "calc.py"}, "-    return n + 2\n+    return n * 2", is_error=False),
    Step("run_command", {"command": "python3 -m pytest -q"}, "1 passed in 0.01s", is_error=False),
    Said("assistant", "double() in calc.py added 2 instead of multiplying by 2. I fixed it; the test passes now."),
)


def choose_actions(tools: Collection[str]) -> tuple[str, ...]:
    """Return the actions that tools of these names stand behind; none means plain conversation."""
    return tuple(action for action, (tool, _) in ACTIONS.items() if tool in tools)


def render_prefix(system: str, actions: Sequence[str]) -> str:
    """Return what stands before every conversation with these actions."""
    if not actions:
        return render_turns((), system)
    told = "\n".join([*(f"{action} - {ACTIONS[action][1]}" for action in actions), _ANSWER_LINE])
    return render_turns(_EXAMPLES, f"{system}\n\nActions:\n{told}", has_actions=True)


def render_turns(turns: Sequence[Turn], system: str = "", *, has_actions: bool = False) -> str:
    """Return turns as ChatML; with actions, an answer is one too."""
    texts = [_message("system", system)] if system else []
    for turn in turns:
        if isinstance(turn, Step):
            texts.append(_message("assistant", _describe(turn)))
            texts.append(_message("user", f"<tool_response>\n{cut(turn.result)}\n</tool_response>"))
        elif has_actions and turn.role == "assistant":
            texts.append(_message("assistant", f"{ANSWER}\n{turn.text}"))
        else:
            texts.append(_message(turn.role, turn.text))
    return "".join(texts)


def render_rewrite(turns: Sequence[Turn], path: str) -> str:
    """Return what makes the model write a file anew, up to where its text begins.

    The worked examples are left out: after them the model writes the changed lines alone.
    """
    body = render_turns(turns, _ROLE, has_actions=True)
    return f"{body}{open_reply()}edit_file\n{neutralize(path)}\n{fence(path)}\n"


def open_reply() -> str:
    return "<|im_start|>assistant\n"


def fence(path: str) -> str:
    """Return the line that opens a fenced text of a file."""
    ending = path.rpartition(".")[2]
    return f"```{_FENCES.get(ending, '')}"


def neutralize(text: str) -> str:
    """Return a text in which nothing can pass for a token that ends a turn."""
    return _SPECIAL.sub(r"<| \1 |>", text)


def cut(text: str) -> str:
    """Return what the model is shown of a tool's output."""
    if len(text) <= MAX_OUTPUT_CHARACTERS:
        return text
    head = MAX_OUTPUT_CHARACTERS // 3
    tail = MAX_OUTPUT_CHARACTERS - head
    return f"{text[:head]}\n[{len(text) - head - tail} characters left out]\n{text[-tail:]}"


def _describe(step: Step) -> str:
    if step.name == "write_file":
        path, content = step.argument("path"), step.argument("content").rstrip("\n")
        return f"write_file\n{path}\n{fence(path)}\n{cut(content)}\n```"
    if step.name == "replace_in_file":
        return f"edit_file\n{step.argument('path')}"
    return f"{step.name}\n{next(iter(step.arguments.values()), '')}"


def _message(role: str, text: str) -> str:
    return f"<|im_start|>{role}\n{neutralize(text)}<|im_end|>\n"
