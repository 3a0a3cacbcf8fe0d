from __future__ import annotations

import pytest

from cline_cli.argv import PEERS_VERBS, Call, FromVariables, asked_for_lines, blame, read_variables, split
from cline_cli.commands import ALIASES, PLANNED, VERBS
from cline_cli.commands.options import BUILT, BY_NAME, LOOKED_UP_LATER, OPTIONS, Option
from cline_cli.errors import UsageError

IGNORED = [option for option in OPTIONS if option.state == "ignored"]
REFUSED = [option for option in OPTIONS if option.state == "refused"]


def sample(option: Option) -> str:
    return {"optional value": option.bare or "1", "value": "word", "values": "word", "nothing": ""}[option.takes]


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
        (["task", "new", "-y", "do it"], run_call("--yolo", "--", "do it")),
        (["task", "new", "idea"], run_call("--", "new", "idea")),
        (["-f", "a", "x", "--image", "b"], run_call("--file=a", "--file=b", "--", "x")),
        (["--json", "-c", "D", "--id", "S", "\n"], run_call("--json", "--cwd=D", "--id=S", "--", "\n")),
        (["-T", "S", "x"], run_call("--id=S", "--", "x")),
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
        (["-hv"], Call("help")),
        (["-yV"], Call("version")),
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


@pytest.mark.parametrize("name", [name for option in IGNORED for name in option.names])
def test_an_option_without_meaning_is_noted_and_dropped(name: str) -> None:
    value = [sample(BY_NAME[name])] if sample(BY_NAME[name]) else []
    assert split(["-y", name, *value, "prompt here"]) == Call(
        "run", ("--yolo", "--", "prompt here"), (f"{name} has no effect here",)
    )


def test_an_option_that_asks_for_what_a_run_is_anyway_is_dropped_in_silence() -> None:
    assert split(["-y", "-o", "prompt here"]) == run_call("--yolo", "--", "prompt here")


@pytest.mark.parametrize("verb", PEERS_VERBS)
def test_a_peers_verb_is_a_prompt_in_a_script_and_an_error_at_a_terminal(verb: str) -> None:
    assert split([verb, "this"]) == run_call("--", verb, "this")
    for argv in ([verb], [verb, "this"], ["-y", verb, "this"]):
        with pytest.raises(UsageError, match=f"there is no `cline {verb}`") as caught:
            split(argv, is_interactive=True)
        assert f"cline -- {verb}" in caught.value.hint
    assert split(["--", verb], is_interactive=True) == run_call("--", verb)
    assert split(["task", f"{verb}s"], is_interactive=True) == run_call("--", f"{verb}s")
    assert split([f"{verb} this"], is_interactive=True) == run_call("--", f"{verb} this")


@pytest.mark.parametrize(("word", "meant"), [("hsitory", "history"), ("auht", "auth"), ("verison", "version")])
def test_a_slip_of_a_command_is_an_error_at_a_terminal(word: str, meant: str) -> None:
    with pytest.raises(UsageError) as caught:
        split([word], is_interactive=True)
    assert f"cline {meant}" in caught.value.hint
    assert split([word]) == run_call("--", word)
    assert split([word, "of", "rome"], is_interactive=True) == run_call("--", word, "of", "rome")


@pytest.mark.parametrize("word", ["hello", "explain", "hi", "why?", "autumn"])
def test_a_lone_word_that_is_like_no_command_is_a_prompt_at_a_terminal(word: str) -> None:
    assert split([word], is_interactive=True) == run_call("--", word)


@pytest.mark.parametrize("verb", ["list", "view", "send"])
def test_a_verb_of_an_old_task_is_refused_and_never_sent_to_a_model(verb: str) -> None:
    with pytest.raises(UsageError, match=f"task {verb}"):
        split(["task", verb])


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
    found = read_variables(variables)
    assert found.arguments == ("--yolo", "--timeout=90")
    assert found.names == {"--yolo": "CLINE_YOLO", "--timeout": "CLINE_TIMEOUT"}
    assert read_variables({"CLINE_MODEL": "m", "CLINE_API_KEY": "k", "CLINE_DIR": "d"}).arguments == ()
    assert read_variables({"CLINE_KEY": "k"}).arguments == ("--key=k",)


@pytest.mark.parametrize(
    ("option", "variable"),
    [(option, variable) for option in BUILT if option.names[0] not in LOOKED_UP_LATER for variable in option.variables],
)
def test_every_option_of_a_run_has_a_variable_for_each_long_name(option: Option, variable: str) -> None:
    value = sample(option)
    expected = f"{option.names[0]}={value}" if value else option.names[0]
    assert f"CLINE_{option.names[0][2:].replace('-', '_').upper()}" == option.variables[0]
    assert read_variables({variable: value or "1"}).arguments == (expected,)
    assert read_variables({variable: value or "1"}, [expected, "--", "x"]).arguments == ()


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ({"CLINE_PLAN": "1"}, ["--act", "--"]),
        ({"CLINE_YOLO": "1"}, ["--auto-approve=false", "--"]),
        ({"CLINE_JSON": "1"}, ["--output-format=plain", "--"]),
        ({"CLINE_QUIET": "1"}, ["--verbose", "--"]),
        ({"CLINE_ID": "S"}, ["--continue", "--"]),
        ({"CLINE_NO_TOOLS": "1"}, ["--continue", "--"]),
        ({"CLINE_NO_SESSION": "1"}, ["--id=S", "--"]),
        ({"CLINE_CONTINUE": "1"}, ["--no-tools", "--"]),
        ({"CLINE_STREAM": "1"}, ["--schema=a", "--"]),
        ({"CLINE_SCHEMA": "a"}, ["--stream", "--"]),
    ],
)
def test_a_flag_makes_void_what_a_variable_says_against_it(variables: dict[str, str], arguments: list[str]) -> None:
    assert read_variables(variables, arguments).arguments == ()
    assert len(read_variables(variables, ["--", *arguments]).arguments) == 1


def test_it_is_said_when_a_flag_makes_a_restriction_void() -> None:
    found = read_variables({"CLINE_NO_SESSION": "1"}, ["--id=S", "--"])
    assert found.notes == ("CLINE_NO_SESSION is void here, because of --id",)
    assert read_variables({"CLINE_PLAN": "1"}, ["--act", "--"]).notes == ()


def test_a_flag_leaves_alone_what_a_variable_says_beside_it() -> None:
    assert read_variables({"CLINE_NO_TOOLS": "1"}, ["--no-session", "--"]).arguments == ("--no-tools",)


@pytest.mark.parametrize("option", REFUSED, ids=lambda option: option.names[0])
def test_a_variable_that_asks_for_what_is_not_built_is_refused_and_never_ignored(option: Option) -> None:
    for variable in option.variables:
        with pytest.raises(UsageError, match=f"{variable} is not supported yet"):
            read_variables({variable: "true" if option.takes == "nothing" else "require"})
        assert read_variables({variable: ""}).arguments == ()


def test_a_variable_that_asks_for_nothing_is_no_reason_to_refuse() -> None:
    assert read_variables({"CLINE_SANDBOX": "1"}) == FromVariables()
    assert read_variables({"CLINE_PATCH": "0"}) == FromVariables()


def test_a_variable_without_meaning_is_noted() -> None:
    assert read_variables({"CLINE_TEAM_NAME": "us"}).notes == ("CLINE_TEAM_NAME has no effect here",)


def test_a_switch_that_is_neither_on_nor_off_is_refused() -> None:
    with pytest.raises(UsageError, match="CLINE_YOLO 'maybe' is neither true nor false"):
        read_variables({"CLINE_YOLO": "maybe"})


def test_a_variable_is_blamed_for_its_value() -> None:
    error = UsageError("--timeout 'x' is no time", "Give seconds")
    blame(error, {"--timeout": "CLINE_TIMEOUT", "--time": "CLINE_TIME"})
    assert str(error) == "CLINE_TIMEOUT 'x' is no time. Give seconds"


@pytest.mark.parametrize(
    ("argv", "variables", "kind"),
    [
        (["--json", "--no-such", "x"], {}, "json"),
        (["-F", "json"], {}, "say"),
        (["-Fjson", "x"], {}, "say"),
        (["-yF=json", "x"], {}, "say"),
        (["-F", "plain", "x"], {}, None),
        (["x"], {"CLINE_JSON": "1"}, "json"),
        (["x"], {"CLINE_OUTPUT_FORMAT": "json"}, "say"),
        (["--", "--json"], {}, None),
        (["-s", "--json", "x"], {}, None),
        (["auth", "status", "--json"], {}, None),
        (["fix", "auth", "--json"], {}, "json"),
        (["-t"], {}, None),
        (["-F", "plain", "x"], {"CLINE_JSON": "1"}, None),
        (["-F", "plain", "x"], {"CLINE_OUTPUT_FORMAT": "json"}, None),
        (["x"], {"CLINE_JSON": "1", "CLINE_OUTPUT_FORMAT": "json"}, "json"),
        (["x"], {"CLINE_JSON": "0"}, None),
    ],
)
def test_it_is_told_of_a_wrong_command_line_whether_json_was_asked_for(
    argv: list[str], variables: dict[str, str], kind: str | None
) -> None:
    lines = asked_for_lines(argv, variables)
    assert (lines.kind if lines else None) == kind


@pytest.mark.parametrize(
    ("argv", "variables", "is_quiet"),
    [
        (["--json", "x"], {}, False),
        (["--json", "-q", "x"], {}, True),
        (["--json", "-qt", "bad", "x"], {}, True),
        (["--json", "-t", "bad", "--", "-q"], {}, False),
        (["--json", "x"], {"CLINE_QUIET": "1"}, True),
        (["--json", "-v", "x"], {"CLINE_QUIET": "1"}, False),
        (["x"], {"CLINE_JSON": "1", "CLINE_QUIET": "1"}, True),
    ],
)
def test_it_is_told_of_a_wrong_command_line_whether_the_last_line_alone_was_asked_for(
    argv: list[str], variables: dict[str, str], is_quiet: bool
) -> None:
    lines = asked_for_lines(argv, variables)
    assert lines
    assert lines.is_quiet == is_quiet
