from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from cline_cli.catalog.runtime import is_installed
from cline_cli.catalog.weights import WEIGHTS, find_whole
from tests.conftest import RunCline

NAME = "qwen2.5-coder-0.5b"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def models() -> str:
    folder = os.environ.get("CLINE_TEST_MODELS_DIR", "")
    is_there = bool(folder) and find_whole(Path(folder), WEIGHTS[NAME]) is not None and is_installed()
    if not is_there:
        reason = f"{NAME} or its runtime is not installed where CLINE_TEST_MODELS_DIR says: {folder or 'not set'}"
        if os.environ.get("CLINE_TEST_CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def test_an_answer_comes_from_the_real_model_when_it_is_asked(cline: RunCline, models: str) -> None:
    result = cline("-P", "local", "-m", NAME, "-n", "Say hello in one word.", CLINE_MODELS_DIR=models)
    assert result.exit_code == 0, result.stderr
    assert result.text.strip()
    assert b"\x1b" not in result.stdout
    assert b"<|" not in result.stdout


def test_a_call_of_the_real_model_is_valid_when_the_grammar_forces_one(cline: RunCline, models: str) -> None:
    prompt = "The tests fail. Fix the bug. Run: python3 check.py"
    Path("check.py").write_text("print('fine')\n")
    result = cline("-P", "local", "-m", NAME, "-y", prompt, CLINE_MODELS_DIR=models, CLINE_MAX_TURNS="3")
    assert re.search(r"cline: (\$ python3 check\.py|read|list) ?.* -> ", result.stderr), result.stderr
    assert "not a JSON object" not in result.stderr


def test_the_command_to_install_is_named_when_there_are_no_weights(cline: RunCline, tmp_path: Path) -> None:
    if not is_installed():
        pytest.skip("the runtime is not installed")
    result = cline("-P", "local", "-m", NAME, "-n", "hi", CLINE_MODELS_DIR=str(tmp_path))
    assert result.exit_code == 2
    assert f"cline local install {NAME}" in result.stderr
    assert result.stdout == b""
