from __future__ import annotations

import pytest

from cline_cli.argv import BY_NAME, OPTIONS, PROTECTING, Call, Option, read_variables, split
from cline_cli.commands import ALIASES, PLANNED, VERBS
from cline_cli.errors import UsageError

BUILT = [option for option in OPTIONS if option.state == "built"]
REFUSED = [option for option in OPTIONS if option.state == "refused"]


def sample(option: Option) -> str:
    return {"optional value": option.bare or "1", "value": "word", "nothing": ""}[option.takes]


def run_call(*arguments: str) -> Call:
    return Call("run", arguments)


@pytest.mark.parametrize("name", [name for option in BUILT for name in option.names])
def test_an_option_is_read_in_every_place_and_spelling(name: str) -> None:
    option = BY_NAME[name]
    value = sample(option)
    long = f"{option.names[0]}={value}" if value else option.names[0]
    expected = run_call(long, "--", "do it")
    spellings = [[name, value], [f"{name}={value}"]] if value else [[name]]
    for spelling in spellings:
        assert split([*spelling, "do it"]) == expected
        assert split(["do it", *spelling]) == expected
        assert split(["--", "do it", *spelling]) == run_call("--", "do it", *spelling)


@pytest.mark.parametrize("name", [name for option in REFUSED for name in option.names])
def test_an_option_is_refused_when_it_is_not_built(name: str) -> None:
    with pytest.raises(UsageError, match=r"not supported yet"):
        split([name, "x", "do it"])


def test_names_are_unique() -> None:
    assert len(BY_NAME) == sum(len(option.names) for option in OPTIONS)
    assert not set(VERBS) & set(ALIASES)
    assert not set(VERBS) & PLANNED


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], run_call("--")),
        (["hello"], run_call("--", "hello")),
        (["fix", "the", "tests"], run_call("--", "fix", "the", "tests")),
        (["-"], run_call("--", "-")),
        (["-yv", "x"], run_call("--yolo", "--verbose", "--", "x")),
        (["-t90", "x"], run_call("--timeout=90", "--", "x")),
        (["-mMODEL", "x"], run_call("--model=MODEL", "--", "x")),
        (["--thinking", "fix it now"], run_call("--thinking=medium", "--", "fix it now")),
        (["--thinking", "high", "fix it"], run_call("--thinking=high", "--", "fix it")),
        (["--thinking", "2048", "fix it"], run_call("--thinking=2048", "--", "fix it")),
        (["--thinking", "-y", "x"], run_call("--thinking=medium", "--yolo", "--", "x")),
        (["--auto-approve", "true", "x y"], run_call("--auto-approve=true", "--", "x y")),
        (["--auto-approve", "x y"], run_call("--auto-approve=true", "--", "x y")),
        (["--auto-approve=false", "x y"], run_call("--auto-approve=false", "--", "x y")),
        (["--auto-approve-all", "x y"], run_call("--auto-approve=true", "--", "x y")),
        (["--retries", "do it"], run_call("--retries=6", "--", "do it")),
        (["-m", "plan", "x"], run_call("--mode=plan", "--", "x")),
        (["-m", "act", "x"], run_call("--mode=act", "--", "x")),
        (["--model", "plan", "x"], run_call("--model=plan", "--", "x")),
        (["-y", "...", "--mode", "act"], run_call("--yolo", "--mode=act", "--", "...")),
        (["-s", "", "x"], run_call("--system=", "--", "x")),
        (["-s=", "x"], run_call("--system=", "--", "x")),
        (["-k", "-", "x"], run_call("--key=-", "--", "x")),
        (["--", "-y"], run_call("--", "-y")),
        (["task", "--yolo", "do it"], run_call("--yolo", "--", "do it")),
        (["-y", "t", "auth"], run_call("--yolo", "--", "auth")),
        (["--no-interactive", "x"], run_call("--yolo", "--", "x")),
        (["fix auth"], run_call("--", "fix auth")),
        (["fix", "auth"], run_call("--", "fix", "auth")),
        (["--", "auth"], run_call("--", "auth")),
        (["--no-such", "x"], run_call("--no-such", "--", "x")),
        (["auth", "-p", "cline"], Call("auth", ("-p", "cline"))),
        (["--config", "D", "auth", "x", "--apikey", "K"], Call("auth", ("--config=D", "x", "--apikey", "K"))),
        (["version", "--short"], Call("version", ("--short",))),
        (["-y", "--version"], Call("version")),
        (["help", "auth"], Call("help", ("auth",))),
        (["--help"], Call("help")),
        (["fix it", "-h"], Call("help")),
        (["--help-all"], Call("help", ("all",))),
        (["auth", "--help"], Call("help", ("auth",))),
        (["local", "install", "-h"], Call("help", ("local",))),
    ],
)
def test_a_command_line_is_sorted(argv: list[str], expected: Call) -> None:
    assert split(argv) == expected


@pytest.mark.parametrize("word", sorted(PLANNED))
def test_a_command_that_is_not_built_is_never_sent_to_a_model(word: str) -> None:
    with pytest.raises(UsageError, match=f"cline {word}` is not supported yet"):
        split([word])
    assert split(["--", word]) == run_call("--", word)


def test_an_option_without_meaning_is_noted_and_dropped() -> None:
    assert split(["-y", "-o", "prompt here"]) == Call(
        "run", ("--yolo", "--", "prompt here"), ("-o has no effect here",)
    )


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["do it", "-m"], "-m needs a value"),
        (["-t", "--", "do it"], "-t needs a value"),
        (["--yolo=yes", "do it"], "--yolo takes no value"),
        (["-y", "auth", "-p", "x"], "--yolo does not go with `cline auth`"),
        (["-c", "", "do it"], "-c needs a value, but got an empty one"),
        (["--model=", "do it"], "--model needs a value, but got an empty one"),
    ],
)
def test_a_command_line_is_refused_with_the_word_that_is_wrong(argv: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        split(argv)


def test_options_come_from_variables() -> None:
    variables = {"CLINE_TIMEOUT": "90", "CLINE_YOLO": "1", "CLINE_PLAN": "false", "CLINE_MAX_TURNS": "", "HOME": "/"}
    assert read_variables(variables) == ("--yolo", "--timeout=90")
    assert read_variables({"CLINE_MODEL": "m", "CLINE_API_KEY": "k", "CLINE_DIR": "d"}) == ()


@pytest.mark.parametrize("name", PROTECTING)
def test_a_variable_that_protects_is_refused_and_never_ignored(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is not supported yet"):
        read_variables({name: "x"})
    assert read_variables({name: ""}) == ()


@pytest.mark.parametrize(
    ("variables", "words"),
    [({"CLINE_SANDBOX": "require"}, "not supported yet"), ({"CLINE_YOLO": "maybe"}, "neither true nor false")],
)
def test_a_variable_is_refused_when_it_cannot_be_kept_to(variables: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        read_variables(variables)
