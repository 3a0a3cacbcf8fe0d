from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cline_cli.agent.messages import JsonValue
from cline_cli.catalog.models import ModelFacts, list_names, list_served
from cline_cli.catalog.weights import WEIGHTS
from cline_cli.commands._models_ask import ask_in_time
from cline_cli.commands._models_rows import Listing, Model, Target, collect, select
from cline_cli.commands._models_show import to_json, to_lines, to_table
from cline_cli.commands.models import app
from cline_cli.config.paths import Paths, find_paths
from cline_cli.environment import Environment
from cline_cli.errors import (
    ClineError,
    KeyRefusedError,
    NotSignedInError,
    ServerError,
    SettingsError,
    UnreachableError,
    UsageError,
)
from cline_cli.providers import PROVIDERS, Endpoint
from tests.providers.model_server import Answer, ModelServer

KEY = "sk-test-canary-7d1f4b"
NAMES: JsonValue = {"data": [{"id": "llama3.2:3b"}, {"id": "gpt-oss:20b"}, {"id": "openai/gpt-oss-20b"}]}


@dataclass(frozen=True, slots=True)
class Desk:
    """Runs the command in this process, with a home of its own."""

    environment: Environment
    folder: Path

    @property
    def paths(self) -> Paths:
        return find_paths(self.environment, config=str(self.folder / "config"))

    def run(self, *words: str, **variables: str) -> str:
        """Return what the command wrote to stdout; whatever it wrote to stderr is an error, but for -v."""
        with (self.folder / "out").open("w+b") as out, (self.folder / "err").open("w+b") as err:
            environment = replace(self.environment, stdout=out.fileno(), stderr=err.fileno(), variables=variables)
            try:
                app(["--config", str(self.folder / "config"), *words], standalone_mode=False, obj=environment)
            finally:
                err.seek(0)
                (self.folder / "told").write_bytes(err.read())
            out.seek(0)
            return out.read().decode()

    @property
    def told(self) -> str:
        return (self.folder / "told").read_text()

    def names(self, *words: str, **variables: str) -> list[str]:
        return [line.split()[0] for line in self.run(*words, **variables).splitlines()]

    def rows(self, *words: str, **variables: str) -> list[dict[str, JsonValue]]:
        rows: list[dict[str, JsonValue]] = json.loads(self.run("--json", *words, **variables))
        return rows

    def save(self, settings: str) -> None:
        (self.folder / "config").mkdir(exist_ok=True)
        (self.folder / "config" / "settings.toml").write_text(settings)


@pytest.fixture
def desk(tmp_path: Path, private_home: Path) -> Desk:
    return Desk(Environment({}, Path.cwd(), private_home, None, None, None, False, False, False), tmp_path)


def make_target(provider: str, *, model: str = "", is_elsewhere: bool = False) -> Target:
    return Target(provider, PROVIDERS[provider], "-P", model, is_elsewhere)


def nobody() -> tuple[str, ...]:
    raise AssertionError("a server is asked that should not be")


def test_the_models_of_whom_a_run_would_ask_are_listed(desk: Desk) -> None:
    assert desk.names(ANTHROPIC_API_KEY=KEY) == list(list_served("anthropic"))
    assert desk.names(CLINE_PROVIDER="gemini", ANTHROPIC_API_KEY=KEY) == list(list_served("gemini"))
    desk.save('provider = "deepseek"\n')
    assert desk.names() == list(list_served("deepseek"))
    assert desk.names("-P", "claude") == desk.names("--provider", "anthropic")
    assert desk.told == ""


def test_all_models_are_listed_when_no_provider_is_set_up(desk: Desk) -> None:
    assert desk.names() == list(list_names())
    assert {row["provider"] for row in desk.rows()} == {None}


def test_an_error_names_the_nearest_when_there_is_no_such_provider(desk: Desk) -> None:
    with pytest.raises(UsageError, match="there is no provider 'anthropc'") as caught:
        desk.run("-P", "anthropc")
    assert "anthropic" in caught.value.hint


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("sonnet", "4.6"), ["claude-sonnet-4-6"]),
        (("4-6 SONNET",), ["claude-sonnet-4-6"]),
        (("claude-haiku",), ["claude-haiku-5-5", "claude-haiku-4-5"]),
        (("haiku", "4.5", "claude"), ["claude-haiku-4-5"]),
    ],
)
def test_models_with_all_the_words_are_listed_when_words_are_given(
    desk: Desk, words: tuple[str, ...], names: list[str]
) -> None:
    assert desk.names("-P", "anthropic", *words) == names


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("sonet", "4.6"), "claude-sonnet-4-6, "),
        (("opus55",), "claude-opus-5-5, "),
        (("x" * 500,), "The nearest are "),
        (("\x1b[31m",), "The nearest are "),
    ],
)
def test_the_nearest_are_told_when_nothing_has_the_words(desk: Desk, words: tuple[str, ...], near: str) -> None:
    with pytest.raises(ClineError, match="no model of anthropic is called anything like") as caught:
        desk.run("-P", "anthropic", *words)
    assert caught.value.exit_code == 1
    assert near in f"{caught.value.hint}, "
    assert caught.value.hint.count(", ") == 2


def test_an_empty_array_is_printed_when_nothing_has_the_words(desk: Desk) -> None:
    with pytest.raises(ClineError):
        desk.run("-P", "anthropic", "--json", "zebra")
    assert (desk.folder / "out").read_text() == "[]\n"


def test_all_facts_are_there_when_they_are_for_programs(desk: Desk) -> None:
    (row,) = desk.rows("-P", "groq", "gpt-oss-120b")
    assert row == {
        "model": "openai/gpt-oss-120b",
        "provider": "groq",
        "evidence": PROVIDERS["groq"].evidence or None,
        "origin": "catalog",
        "isDefault": True,
        "isInstalled": None,
        "contextWindow": 131_072,
        "maxOutputTokens": 65_536,
        "inputUsd": 0.15,
        "outputUsd": 0.6,
        "cacheReadUsd": 0.075,
        "cacheWriteUsd": None,
        "takesImages": False,
        "reasons": True,
        "usesTools": True,
        "editFormat": "replace",
    }


def test_a_line_begins_with_the_name_when_it_is_for_a_pipe(desk: Desk) -> None:
    text = desk.run("-P", "anthropic", "haiku")
    assert text == (
        "claude-haiku-5-5  1M    128k  $0.1  $0.5  images  reasons\n"
        "claude-haiku-4-5  200k  64k   $1    $5    images  reasons\n"
    )


@pytest.mark.parametrize(
    ("variables", "settings", "default"),
    [
        ({}, "", "claude-sonnet-4-6"),
        ({"CLINE_MODEL": "claude-opus-5-5"}, "", "claude-opus-5-5"),
        ({}, '[providers.anthropic]\nmodel = "claude-haiku-5-5"\n', "claude-haiku-5-5"),
        ({}, '[providers.anthropic]\nmodel = "claude-next"\n', "claude-next"),
    ],
)
def test_the_default_is_marked_when_a_run_would_ask_it(
    desk: Desk, variables: Mapping[str, str], settings: str, default: str
) -> None:
    desk.save(settings)
    assert [row["model"] for row in desk.rows("-P", "anthropic", **variables) if row["isDefault"]] == [default]


def test_a_model_that_nothing_is_known_of_is_listed_when_it_is_the_default(desk: Desk) -> None:
    desk.save('[providers.anthropic]\nmodel = "claude-next"\n')
    assert desk.run("-P", "anthropic", "next") == "claude-next  ?  ?  ?  ?  ?  ?  default\n"


def test_the_embedded_models_are_listed_with_whether_they_are_there(desk: Desk) -> None:
    weights = next(iter(WEIGHTS.values()))
    desk.paths.models.mkdir(parents=True)
    with (desk.paths.models / weights.file).open("wb") as file:
        file.truncate(weights.size_bytes)
    rows = desk.rows("-P", "local")
    assert [row["model"] for row in rows] == list(WEIGHTS)
    assert [row["isInstalled"] for row in rows] == [True, False]
    assert {row["inputUsd"] for row in rows} == {0}
    assert "  default, installed\n" in desk.run("-P", "local")


def test_a_server_of_ones_own_is_asked_when_its_models_are_wanted(desk: Desk) -> None:
    with ModelServer({"/v1/models": NAMES}) as server:
        desk.save(f'provider = "ollama"\n[providers.ollama]\nbase_url = "{server.origin}/v1"\n')
        rows = desk.rows()
        assert desk.names("llama") == ["llama3.2:3b"]
    assert [row["model"] for row in rows] == ["gpt-oss:20b", "llama3.2:3b", "openai/gpt-oss-20b"]
    assert {row["origin"] for row in rows} == {"server"}
    known = rows[2]
    assert (known["reasons"], known["usesTools"], known["editFormat"]) == (True, True, "whole")
    assert [known[name] for name in ("contextWindow", "maxOutputTokens", "inputUsd", "outputUsd")] == [None] * 4


def test_a_server_of_ones_own_is_to_be_started_when_it_does_not_answer(desk: Desk) -> None:
    with ModelServer({}) as server:
        origin = server.origin
    desk.save(f'[providers.ollama]\nbase_url = "{origin}/v1"\n')
    with pytest.raises(UnreachableError, match="connection refused") as caught:
        desk.run("-P", "ollama")
    assert caught.value.hint == "Start it, or say where it is: cline auth ollama -b URL"


def test_one_sentence_is_told_when_a_server_has_no_models(desk: Desk) -> None:
    with ModelServer({"/v1/models": {"data": []}}) as server:
        desk.save(f'[providers.ollama]\nbase_url = "{server.origin}/v1"\n')
        with pytest.raises(ClineError, match="ollama has no models"):
            desk.run("-P", "ollama")


def test_a_server_elsewhere_is_asked_when_the_catalog_cannot_know_it(desk: Desk) -> None:
    with ModelServer({"/v1/models": NAMES}) as server:
        desk.save(f'[providers.openai-compatible]\nbase_url = "{server.origin}/v1"\n')
        rows = desk.rows("-P", "openai", CLINE_API_KEY=KEY)
    assert len(rows) == 3
    assert server.asked[0][1]["authorization"] == f"Bearer {KEY}"


def test_the_provider_is_asked_with_its_key_when_its_own_list_is_wanted(desk: Desk) -> None:
    served: JsonValue = {"data": [{"id": "x/new-model"}, {"id": "anthropic/claude-sonnet-4.6"}]}
    with ModelServer({"/api/v1/ai/cline/models": served}) as server:
        variables = {"CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin}
        assert desk.names("--live", **variables) == ["anthropic/claude-sonnet-4.6", "x/new-model"]
        assert desk.names(**variables) == list(list_names())
    assert [headers["authorization"] for _, headers in server.asked] == [f"Bearer {KEY}"]


def test_the_key_that_was_refused_is_named_when_the_provider_refuses_it(desk: Desk) -> None:
    with ModelServer({"/api/v1/ai/cline/models": Answer(b'{"error": "bad key"}', 401)}) as server:
        variables = {"CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin}
        with pytest.raises(KeyRefusedError, match=r"CLINE_API_KEY, \.\.\.1f4b") as caught:
            desk.run("--live", **variables)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("words", [("--live",), ("--live", "-P", "anthropic")])
def test_a_key_is_asked_for_when_there_is_none_to_ask_with(desk: Desk, words: tuple[str, ...]) -> None:
    with pytest.raises(NotSignedInError):
        desk.run(*words)


def test_a_broken_settings_file_is_told_when_the_provider_cannot_be_known(desk: Desk) -> None:
    desk.save("provider = ")
    with pytest.raises(SettingsError):
        desk.run()


def test_it_is_told_whose_list_it_is_when_that_is_asked(desk: Desk) -> None:
    desk.run("-v", ANTHROPIC_API_KEY=KEY)
    assert desk.told == "cline: models: anthropic ($ANTHROPIC_API_KEY), listed by the catalog\n"


def test_waiting_ends_when_a_server_says_nothing_more() -> None:
    with ModelServer({"/v1/models": Answer(b"[", hangs=True)}) as server:
        endpoint = Endpoint("ollama", f"{server.origin}/v1", "", "", "")
        with pytest.raises(ServerError, match=r"ollama sent no list of models within 0\.1 s: timed out"):
            asyncio.run(ask_in_time(endpoint, {}, 0.1, is_own=True))


def test_the_catalog_is_left_alone_when_the_provider_itself_is_wanted(desk: Desk) -> None:
    for target in (make_target("anthropic"), make_target("ollama"), make_target("anthropic", is_elsewhere=True)):
        is_live = target.name == "anthropic" and not target.is_elsewhere
        listing = collect(target, desk.paths, lambda: ("b", "a"), is_live=is_live)
        assert (listing.origin, [model.name for model in listing.models]) == ("server", ["b", "a"])
    assert collect(make_target("anthropic"), desk.paths, nobody, is_live=False).origin == "catalog"
    assert collect(None, desk.paths, nobody, is_live=False).origin == "catalog"
    assert collect(make_target("local"), desk.paths, nobody, is_live=True).origin == "machine"


def show(desk: Desk, listing: Listing, columns: int) -> list[str]:
    variables = {"COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "xterm"}
    return to_table(listing, replace(desk.environment, variables=variables)).splitlines()


LARGE = ModelFacts(1_000_000, 128_000, 3, 15, 0.3, 3.75, True, False, True, "replace")
SHOWN = Listing(
    make_target("anthropic", model="claude-one"), "catalog", (Model("claude-one", LARGE, True), Model("claude-two"))
)


def test_a_table_says_what_holds_for_all_of_it_when_it_is_for_a_terminal(desk: Desk) -> None:
    header, one, two, *notes = show(desk, SHOWN, 100)
    assert header.split() == ["Model", "Context", "Output", "$/M", "in", "$/M", "out", "Images", "Reasons"]
    assert one.split() == ["claude-one", "1M", "128k", "3", "15", "yes", "no", "default"]
    assert two.split() == ["claude-two", *"??????"]
    assert notes[1] == "A run asks claude-one where -m names no other."
    assert "cline models -P anthropic --live" in notes[2]


@pytest.mark.parametrize("columns", range(10, 90, 7))
def test_names_are_never_cut_when_the_terminal_is_narrow(desk: Desk, columns: int) -> None:
    listing = SHOWN._replace(models=(*SHOWN.models, Model("vendor/a-rather-long-name-of-a-model", LARGE)))
    lines = show(desk, listing, columns)[1:4]
    assert [line.split()[0] for line in lines] == [model.name for model in listing.models]
    assert columns < 40 or max(map(len, lines)) <= columns


@pytest.mark.parametrize(
    ("provider", "is_untested"),
    [(name, not row.evidence) for name, row in PROVIDERS.items()],
)
def test_a_provider_is_untested_when_nothing_shows_that_it_works(desk: Desk, provider: str, is_untested: bool) -> None:
    listing = SHOWN._replace(target=make_target(provider))
    notes = show(desk, listing, 100)[3:]
    assert notes[0] == f"Models of {provider} (-P){', untested' if is_untested else ''}."
    assert all(line.endswith("  untested") == is_untested for line in to_lines(listing).splitlines())
    assert notes[1] == "There is no default: name a model with -m."


def test_nothing_steers_the_terminal_when_a_name_would(desk: Desk) -> None:
    hostile = Listing(None, "server", (Model("a\x1b[2J\x9b\u202eb\nc"),))
    for text in (to_lines(hostile), "\n".join(show(desk, hostile, 80)), to_json(hostile)):
        assert not {"\x1b", "\x9b", "\u202e"} & set(text)
    assert to_lines(hostile).count("\n") == 1


def test_much_is_searched_when_a_server_lists_very_many() -> None:
    many = Listing(None, "server", tuple(Model(f"vendor/model-{number}") for number in range(10_000)))
    assert select(many, ["model-9999"]).models == (Model("vendor/model-9999"),)
    with pytest.raises(ClineError, match="anything like 'zzz'"):
        select(many, ["zzz"])


def test_every_model_is_shown_when_no_words_are_given() -> None:
    assert select(SHOWN, ()) == SHOWN
    assert select(SHOWN, ("  ",)) == SHOWN
    check: Callable[[Listing], str] = to_lines
    assert check(SHOWN).startswith("claude-one")
