"""A real shell judges the policy: nothing that it let pass may run the denied program. Harmless work has to pass."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cline_cli.policy.rules import Rules, parse_rule
from tests.policy import harmless, judge

SHELLS = {"bash *", "sh *", "source *", ". *", "python *", "python3 *", "perl *", "awk *", "sed *", "xargs *", "tar *"}
DENYING = Rules(deny=(parse_rule("zap *", is_denying=True),))
ALLOWING = Rules(allow=tuple(parse_rule(pattern) for pattern in harmless.ALLOWED if pattern not in SHELLS))


@pytest.fixture(scope="module")
def let_pass() -> list[str]:
    lines = [line.replace("STUBS", "stubs") for line in judge.lines()]
    assert len(lines) > 8_000
    return [
        line
        for line in lines
        if DENYING.judge_command(line).is_allowed is not False or ALLOWING.judge_command(line).is_allowed
    ]


def test_no_line_that_passes_runs_the_denied_program(let_pass: list[str], tmp_path: Path) -> None:
    def run(part: int) -> list[str]:
        folder = tmp_path / str(part)
        folder.mkdir()
        judge.prepare(folder)
        return [line for line in let_pass[part::4] if judge.runs_it(line, folder)]

    with ThreadPoolExecutor(4) as pool:
        missed = [line for found in pool.map(run, range(4)) for line in found]
    assert not missed


def test_no_line_that_a_list_of_what_is_denied_lets_pass_runs_it(tmp_path: Path) -> None:
    lines = judge.outwitting()
    assert len(lines) > 600
    let_pass = [line for line in lines if DENYING.judge_command(line).is_allowed is not False]
    assert not [line for line in let_pass if _runs_alone(line, tmp_path)]


USUAL = "git status *|ls *|pytest *|npm test|make *|cd *|echo *|cat *|grep *|find *".split("|")
NOT_ALLOWED = (Path(__file__).parent / "not_allowed.txt").read_text().splitlines()


@pytest.mark.parametrize("line", NOT_ALLOWED)
def test_a_list_of_what_is_allowed_holds_where_words_turn_out_to_be_others(line: str) -> None:
    assert not Rules(allow=tuple(map(parse_rule, USUAL))).judge_command(line).is_allowed


@pytest.mark.parametrize(
    "line",
    [
        "declare -a 'a=($(zap))'",
        "RANDOM='b[$(zap)]'",
        "set -x; read PS4 <<< '$(zap)'; :",
        "echo zap > t; bash t",
        "sed '1s/.*/&/e' evil",
        f"{judge.REPOSITORY}; git config alias.q '!zap'; git q",
        f"{judge.REPOSITORY}; GIT_EDITOR=zap git config -e",
        f"{judge.REPOSITORY}; git grep -Ozap z",
        "split --filt=zap name",
        "tar cIf zap x.tar name",
    ],
)
def test_the_judge_sees_each_way_to_run_it(line: str, tmp_path: Path) -> None:
    assert _runs_alone(line, tmp_path)
    assert DENYING.judge_command(line).is_allowed is False


def _runs_alone(line: str, tmp_path: Path) -> bool:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    judge.prepare(folder)
    return judge.runs_it(line, folder)


def test_the_judge_sees_the_program_run(tmp_path: Path) -> None:
    judge.prepare(tmp_path)
    for line in ("zap x", "p=zap; $p x", "echo x | xargs zap", "bash -c 'zap x'", "sudo -n zap"):
        assert judge.runs_it(line, tmp_path), line
    assert not judge.runs_it("echo zap", tmp_path)


def test_harmless_work_passes_a_list_of_what_is_allowed() -> None:
    rules = Rules(allow=tuple(parse_rule(pattern) for pattern in harmless.ALLOWED))
    refused = [(line, rules.judge_command(line).reason) for line in harmless.LINES]
    refused = [one for one in refused if one[1] != "every part of it is allowed"]
    assert len(harmless.LINES) > 150
    assert not refused


def test_harmless_work_passes_a_list_of_what_is_denied() -> None:
    rules = Rules(deny=tuple(parse_rule(text, is_denying=True) for text in ("rm *", "sudo *", "git push *", "dd *")))
    assert not [line for line in harmless.LINES if rules.judge_command(line).is_allowed is not None]
