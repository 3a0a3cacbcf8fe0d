from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.agent.limits import Limits
from cline_cli.agent.provider import Effort
from cline_cli.app import Options
from cline_cli.commands._given import MODES
from cline_cli.commands._values import LEVELS as RUN_LEVELS
from cline_cli.commands.options import BY_NAME
from cline_cli.config.definitions import (
    DEFINITIONS,
    LEVELS,
    Definition,
    find,
    find_nearest,
    is_secret,
    is_table,
    list_keys,
    parse_key,
    spell,
)
from cline_cli.config.values import from_toml, read_time, to_plain

NAMES = ("cline", "openrouter", "local")


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda one: one.key)
def test_a_row_is_found_and_its_own_values_are_such(definition: Definition) -> None:
    assert find(tuple("cline" if name == "*" else name for name in definition.path)) is definition
    for value in (definition.default, definition.example, *definition.words):
        assert value is None or from_toml(definition, to_plain(value)) == value


@pytest.mark.parametrize("definition", [one for one in DEFINITIONS if one.option], ids=lambda one: one.key)
def test_a_row_stands_for_an_option_that_a_run_has(definition: Definition) -> None:
    assert BY_NAME[definition.option].names[0] == definition.option
    assert BY_NAME[definition.option].state == "built"


def test_the_table_says_what_runs_say() -> None:
    assert LEVELS == RUN_LEVELS
    assert {one.key: one.words for one in DEFINITIONS}["mode"] == MODES
    defaults = {one.key: one.default for one in DEFINITIONS}
    assert defaults["retries"] == Limits().max_mistakes
    assert read_time(str(defaults["idle_timeout"])) == Options().idle_s
    assert read_time(str(defaults["request_timeout"])) == Options().request_s


def test_no_key_stands_twice() -> None:
    assert len({one.key for one in DEFINITIONS}) == len(DEFINITIONS)


def test_a_projects_file_may_do_nothing_unless_the_row_says_so() -> None:
    trusted = {one.key for one in DEFINITIONS if one.project != "nothing"}
    assert trusted == {
        "mode",
        "timeout",
        "idle_timeout",
        "request_timeout",
        "max_turns",
        "max_total_tokens",
        "max_cost",
        "retries",
        "stdin.max_bytes",
    }


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (("provider",), True),
        (("providers", "any", "model"), True),
        (("providers", "any", "heat"), False),
        (("providers", "any"), False),
        (("stdin", "max_bytes", "x"), False),
        (("max_bytes",), False),
    ],
)
def test_a_setting_is_found_by_its_whole_path(key: tuple[str, ...], found: bool) -> None:
    assert (find(key) is not None) == found


def test_tables_are_those_that_have_settings_below() -> None:
    assert is_table(("providers",))
    assert is_table(("providers", "any"))
    assert is_table(("stdin",))
    assert not is_table(("stdin", "max_bytes"))
    assert not is_table(("hooks",))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("timeout", ("timeout",)),
        ("stdin.max_bytes", ("stdin", "max_bytes")),
        ('providers."my.server".model', ("providers", "my.server", "model")),
        ("providers.'my.server'.model", ("providers", "my.server", "model")),
        ('a."b \\" \\\\ c"', ("a", 'b " \\ c')),
    ],
)
def test_a_key_is_read_as_toml_spells_it(text: str, key: tuple[str, ...]) -> None:
    assert parse_key(text) == key


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a b", 'a."b', "a=b", "\x1b[2J", "a\nb"])
def test_a_key_is_refused_when_it_is_no_path(text: str) -> None:
    with pytest.raises(ValueError, match="it is not of the form"):
        parse_key(text)


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=6), min_size=1, max_size=3))
def test_a_key_that_is_spelled_is_toml_for_that_path_and_safe_to_show(names: list[str]) -> None:
    spelled = spell(tuple(names))
    assert spelled.isprintable()
    place: object = tomllib.loads(f"{spelled} = 1")
    for name in names:
        assert isinstance(place, dict)
        (place,) = [value for key, value in place.items() if key == name]
    assert place == 1


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        (("stdin", "max_byte"), "stdin.max_bytes"),
        (("max-turns",), "max_turns"),
        (("MaxTurns",), "max_turns"),
        (("max_bytes",), "stdin.max_bytes"),
        (("keep",), "sessions.keep"),
        (("providers", "cline", "modle"), "providers.cline.model"),
        (("providers", "other", "baseurl"), "providers.other.base_url"),
        (("autoapprove",), "auto_approve"),
        (("hooks",), ""),
        (("x" * 100_000,), ""),
    ],
)
def test_the_nearest_setting_is_found_when_a_name_is_none(key: tuple[str, ...], nearest: str) -> None:
    assert find_nearest(key, NAMES) == nearest


@pytest.mark.parametrize("name", ["api_key", "apiKey", "key", "OPENAI_API_KEY", "api-key", "access_token", "password"])
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret((name,))
    assert is_secret(("providers", "cline", name))


@pytest.mark.parametrize("key", list_keys(NAMES))
def test_no_setting_is_taken_for_a_secret(key: str) -> None:
    assert not is_secret(parse_key(key))
    assert find(parse_key(key)) is not None


def test_settings_of_providers_are_listed_for_each() -> None:
    keys = list_keys(["cline", "my.server"])
    assert {"providers.cline.model", 'providers."my.server".base_url', "max_turns"} <= set(keys)
    assert not any("*" in key for key in keys)


def test_every_level_of_thinking_is_one_of_the_agents() -> None:
    from typing import get_args  # lazy: for this comparison only

    assert set(LEVELS) == set(get_args(Effort))
