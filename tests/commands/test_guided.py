from __future__ import annotations

import pytest

from cline_cli.catalog.runtime import Problem
from cline_cli.commands._dev_tty import NoAnswerError
from cline_cli.commands._guided import Embedded, Guide
from cline_cli.commands._sign_in import Answers, Asked, is_complete
from cline_cli.commands._three_ways import choose_way
from cline_cli.config.settings import ProviderSettings, Settings
from cline_cli.errors import (
    ClineError,
    KeyRefusedError,
    NoCreditError,
    NotSignedInError,
    ProviderError,
    RateLimitedError,
    ServerError,
    UnreachableError,
    UsageError,
)
from cline_cli.providers import PROVIDERS, Endpoint
from cline_cli.providers.local_servers import LocalServer
from tests.commands.guides import SMALL, FakeOutside, FakeTerminal

KEY = "sk-canary-91c2e7f0"
OLLAMA = LocalServer("ollama", "http://localhost:11434/v1", ("qwen3:8b", "llama3.2:3b"))
CLINE_MODEL = PROVIDERS["cline"].default_model
NAMES = ("a/one", "a/two", "b/three", CLINE_MODEL)


def complete(
    terminal: FakeTerminal,
    outside: FakeOutside,
    asked: Asked | None = None,
    settings: Settings | None = None,
) -> Answers:
    return Guide(terminal, outside, settings or Settings()).complete(asked or Asked())


def listing(*names: str) -> FakeOutside:
    return FakeOutside(check=lambda endpoint: names)


def failing(error: ProviderError) -> FakeOutside:
    def fail(endpoint: Endpoint) -> tuple[str, ...]:
        raise error

    return FakeOutside(check=fail)


def test_enter_takes_the_defaults_and_the_key_is_asked_unseen() -> None:
    terminal, outside = FakeTerminal(["", KEY, ""]), listing(*NAMES)
    answers = complete(terminal, outside)
    assert answers == Answers("cline", PROVIDERS["cline"], CLINE_MODEL, PROVIDERS["cline"].base_url, KEY)
    assert len(terminal.secret_questions) == 1
    assert "https://app.cline.bot" in terminal.seen
    assert "The key is good, and there are 4 models." in terminal.seen
    assert KEY not in terminal.seen
    assert [endpoint.key_source for endpoint in outside.checked] == ["the terminal"]


def test_the_saved_provider_and_model_are_what_enter_takes() -> None:
    settings = Settings("openrouter", {"openrouter": ProviderSettings("b/three")})
    answers = complete(FakeTerminal(["", KEY, ""]), listing(*NAMES), settings=settings)
    assert (answers.provider, answers.model) == ("openrouter", "b/three")


@pytest.mark.parametrize("typed", ["2", "anthropic", "Anth"])
def test_a_provider_is_taken_by_number_name_and_beginning(typed: str) -> None:
    assert complete(FakeTerminal([typed, KEY, ""]), FakeOutside()).provider == "anthropic"


def test_what_makes_no_sense_is_told_and_asked_again() -> None:
    terminal = FakeTerminal(["99", "\x1b[A", "open", "?", "1", KEY, ""])
    assert complete(terminal, FakeOutside()).provider == next(iter(PROVIDERS))
    assert terminal.seen.count("There is no provider") == 2
    assert "open may be" in terminal.seen
    assert "\x1b" not in terminal.seen.replace("?", "")
    assert all(f"  {name}\n" in terminal.seen for name in PROVIDERS)


def test_options_are_not_asked_again() -> None:
    terminal, outside = FakeTerminal([KEY]), listing(*NAMES)
    answers = complete(terminal, outside, Asked("cline", None, "x/y", "https://llm.example.com/v1"))
    assert answers == Answers(
        "cline", PROVIDERS["cline"], "x/y", "https://llm.example.com/v1", KEY, is_model_fixed=True
    )
    assert terminal.questions == []
    assert "Whoever runs https://llm.example.com/v1 gives them out" in terminal.seen
    assert outside.searches == 0
    assert outside.models_asked == ["x/y"]


def test_a_key_of_the_line_is_checked_and_not_asked_for_when_something_else_is() -> None:
    terminal, outside = FakeTerminal(["openrouter", ""]), listing(*NAMES)
    assert complete(terminal, outside, Asked(key=KEY)).key == KEY
    assert terminal.secret_questions == []
    assert outside.checked[0].key_source == "-k"


def test_a_refused_key_is_told_and_asked_again_three_times_at_most() -> None:
    refusing = failing(KeyRefusedError("cline refused the key", "Give another one with `cline auth cline`"))
    terminal = FakeTerminal(["cline", "sk-first-000000", "sk-second-00000", "sk-third-000000", "sk-fourth-00000"])
    with pytest.raises(NotSignedInError, match="none of 3 keys was taken, and nothing was saved"):
        complete(terminal, refusing)
    assert len(refusing.checked) == 3
    assert terminal.seen.count("Cline refused the key.\n") == 3
    assert terminal.answers == ["sk-fourth-00000"]


def test_a_second_key_is_taken_when_the_first_was_refused() -> None:
    def check(endpoint: Endpoint) -> tuple[str, ...]:
        if endpoint.key != KEY:
            raise KeyRefusedError("no such key")
        return NAMES

    answers = complete(FakeTerminal(["sk-wrong-000000", KEY, ""]), FakeOutside(check=check), Asked("cline"))
    assert answers.key == KEY


@pytest.mark.parametrize("typed", ["", "two words", "sk-\u00e9", "k" * 9000])
def test_what_can_be_no_key_is_not_sent(typed: str) -> None:
    terminal, outside = FakeTerminal([typed, KEY, ""]), listing(*NAMES)
    assert complete(terminal, outside, Asked("cline")).key == KEY
    assert len(outside.checked) == 1
    assert "The key from the terminal" in terminal.seen


@pytest.mark.parametrize(
    "error", [UnreachableError("cannot reach x"), ServerError("x failed"), RateLimitedError("x is at its rate limit")]
)
def test_a_key_that_cannot_be_checked_is_kept_only_when_the_person_says_so(error: ProviderError) -> None:
    asked = Asked("cline", model="a/b")
    assert complete(FakeTerminal([KEY, "y"]), failing(error), asked).key == KEY
    for no in ("", "n", "perhaps"):
        with pytest.raises(NoAnswerError):
            complete(FakeTerminal([KEY, no]), failing(error), asked)


def test_the_key_is_good_when_only_the_credit_is_gone() -> None:
    terminal = FakeTerminal([KEY])
    assert complete(terminal, failing(NoCreditError("cline has no credit left")), Asked("cline", model="a/b")).key
    assert "The key is good, but: Cline has no credit left." in terminal.seen


def test_the_set_up_goes_on_when_a_server_has_no_list() -> None:
    terminal = FakeTerminal([KEY, "any/model"])
    answers = complete(terminal, failing(ProviderError("it has no list of models")), Asked("cline"))
    assert answers.model == "any/model"
    assert "That could not be checked: It has no list of models." in terminal.seen


def test_no_control_character_of_a_server_is_shown() -> None:
    terminal = FakeTerminal([KEY])
    complete(terminal, failing(ProviderError("\x1b]0;owned\x07 no\nlist \u202e")), Asked("cline", model="m"))
    assert "\x1b" not in terminal.seen
    assert "\u202e" not in terminal.seen


def pick(*answers: str, names: tuple[str, ...] = NAMES, default: str = CLINE_MODEL) -> tuple[str, str]:
    """Return the model that is picked from a list, and what was shown."""
    terminal = FakeTerminal([KEY, *answers])
    settings = Settings(providers={"cline": ProviderSettings(default)})
    return complete(terminal, listing(*names), Asked("cline"), settings).model, terminal.seen


def test_a_model_is_picked_by_number_and_by_name() -> None:
    assert pick("1")[0] == CLINE_MODEL
    assert pick("2")[0] == "a/one"
    assert pick("b/three")[0] == "b/three"


def test_a_part_of_a_name_shows_the_models_that_have_it_and_enter_takes_the_first() -> None:
    model, seen = pick("/T", "two", "")
    assert model == "a/two"
    assert "   1  a/two\n   2  b/three\n" in seen
    assert pick("/t", "2")[0] == "b/three"


def test_a_name_that_is_not_listed_is_taken_when_it_is_typed_twice() -> None:
    model, seen = pick("new/model", "new/model")
    assert model == "new/model"
    assert "cline lists no model with new/model in its name. Type it once more" in seen.replace("\n", " ")
    assert pick("new/model", "other", "")[0] == CLINE_MODEL


def test_a_part_that_was_found_is_never_taken_for_a_name() -> None:
    assert pick("two", "two", "two", "")[0] == "a/two"


def test_garbage_is_no_model() -> None:
    model, seen = pick("\x1b[A", "\x1b[A", "")
    assert model == CLINE_MODEL
    assert seen.count("That is no name of a model.") == 2
    assert "\x1b" not in seen


def test_a_long_list_is_shown_in_part() -> None:
    names = tuple(f"vendor/model-{number:03}" for number in range(300))
    model, seen = pick("model-299", "", names=names)
    assert model == "vendor/model-299"
    assert "and 291 more" in seen
    assert "vendor/model-008" in seen
    assert "vendor/model-009" not in seen


def test_no_model_is_taken_by_enter_when_there_is_no_default() -> None:
    terminal = FakeTerminal([KEY, "", "2"])
    answers = complete(terminal, listing("m-one", "m-two"), Asked("openai", base_url="https://llm.example.com"))
    assert answers.model == "m-two"
    assert "A model is needed." in terminal.seen


def test_the_default_is_not_offered_when_another_server_does_not_list_it() -> None:
    terminal = FakeTerminal([KEY, "", "1"])
    answers = complete(terminal, listing("m-one", "m-two"), Asked("cline", base_url="https://llm.example.com"))
    assert answers.model == "m-one"


def test_the_address_is_asked_for_when_any_server_is_meant() -> None:
    terminal = FakeTerminal(["openai-compatible", "llm.example.com", "https://llm.example.com/v1/", KEY, "m"])
    answers = complete(terminal, FakeOutside())
    assert (answers.base_url, answers.model) == ("https://llm.example.com/v1", "m")
    assert "That is no address: it is not of the form" in terminal.seen


def test_a_server_of_ones_own_is_asked_without_a_key() -> None:
    terminal, outside = FakeTerminal(["1"]), listing("qwen3:8b", "llama3.2:3b")
    outside.addresses["ollama"] = "http://10.0.0.7:11434/v1"
    answers = complete(terminal, outside, Asked("ollama"))
    assert answers == Answers("ollama", PROVIDERS["ollama"], "qwen3:8b", "http://10.0.0.7:11434/v1", "")
    assert [endpoint.key for endpoint in outside.checked] == [""]
    assert "It answers, and there are 2 models." in terminal.seen


def test_a_server_of_ones_own_gets_a_key_when_it_wants_one() -> None:
    def check(endpoint: Endpoint) -> tuple[str, ...]:
        if not endpoint.key:
            raise KeyRefusedError("ollama refused the key: unauthorized (401)")
        return ("m",)

    assert complete(FakeTerminal([KEY, ""]), FakeOutside(check=check), Asked("ollama")).key == KEY


def test_a_server_that_was_found_is_chosen_without_another_request() -> None:
    terminal, outside = FakeTerminal(["ollama", ""]), FakeOutside((OLLAMA,))
    answers = complete(terminal, outside)
    assert answers == Answers("ollama", PROVIDERS["ollama"], "qwen3:8b", OLLAMA.base_url, "")
    assert "found at http://localhost:11434/v1: qwen3:8b and 1 more" in " ".join(terminal.seen.split())
    assert outside.checked == []


def test_a_server_without_models_is_told_and_not_offered() -> None:
    terminal = FakeTerminal([""])
    with pytest.raises(NoAnswerError):
        complete(terminal, FakeOutside((OLLAMA._replace(models=()),)))
    assert "ollama runs at http://localhost:11434/v1, and has no model yet." in terminal.seen
    assert "found at" not in terminal.seen


def test_the_embedded_model_is_installed_when_it_is_chosen() -> None:
    terminal, outside = FakeTerminal(["local"]), FakeOutside()
    answers = complete(terminal, outside)
    assert answers == Answers("local", PROVIDERS["local"], SMALL.name, "", "")
    assert outside.installed == [SMALL]
    assert "small local model (1.5B), for trying things out; 1.1 GB to fetch" in " ".join(terminal.seen.split())


def test_the_embedded_model_is_not_installed_again() -> None:
    outside = FakeOutside(embedded=Embedded(SMALL, is_installed=True, problem=None))
    assert complete(FakeTerminal(["local"]), outside).provider == "local"
    assert outside.installed == []


def test_the_embedded_model_is_not_offered_where_it_cannot_run() -> None:
    outside = FakeOutside(embedded=Embedded(SMALL, is_installed=False, problem=Problem("it does not run here", "Ask")))
    terminal = FakeTerminal(["local"])
    with pytest.raises(NotSignedInError, match="it does not run here"):
        complete(terminal, outside)
    assert "small local model" not in terminal.seen
    assert outside.installed == []


def test_the_choice_ends_when_the_model_cannot_be_fetched() -> None:
    with pytest.raises(ClineError, match="no room"):
        complete(FakeTerminal(["local"]), FakeOutside(install_error=ClineError("no room")))


@pytest.mark.parametrize("asked", [Asked("local", key=KEY), Asked("local", base_url="https://x.example")])
def test_what_is_useless_is_refused_before_anything_is_asked(asked: Asked) -> None:
    terminal = FakeTerminal([])
    with pytest.raises(UsageError, match="does not go with local"):
        complete(terminal, FakeOutside(), asked)
    assert terminal.seen == ""


@pytest.mark.parametrize(
    ("asked", "whole"),
    [
        (Asked(), False),
        (Asked("cline"), False),
        (Asked("cline", KEY), True),
        (Asked("cline", KEY, "m"), True),
        (Asked("cline", None, "m"), False),
        (Asked("openai", KEY), False),
        (Asked("openai", KEY, "m"), True),
        (Asked("ollama"), False),
        (Asked("ollama", None, "m"), True),
        (Asked("local"), True),
        (Asked(key=KEY, model="m"), False),
    ],
)
def test_nobody_is_asked_when_the_line_says_all_that_is_needed(asked: Asked, whole: bool) -> None:
    assert is_complete(asked, Settings()) == whole


def test_a_saved_model_is_one() -> None:
    assert is_complete(Asked("ollama"), Settings(providers={"ollama": ProviderSettings("m")}))


def choose(*typed: str | BaseException, outside: FakeOutside | None = None) -> tuple[Answers | None, FakeTerminal]:
    terminal = FakeTerminal(list(typed))
    return choose_way(terminal, outside or FakeOutside((OLLAMA,)), Settings()), terminal


def test_three_ways_are_offered_when_nothing_is_set_up() -> None:
    answers, terminal = choose("")
    assert answers is None
    shown = " ".join(terminal.seen.split())
    assert "1 a key of a provider: cline, anthropic" in shown
    assert "2 ollama found at http://localhost:11434/v1: qwen3:8b and 1 more" in shown
    assert "3 local small local model (1.5B), for trying things out; 1.1 GB to fetch, no key" in shown


def test_each_way_leads_to_its_answers() -> None:
    answers, _ = choose("2", "llama3.2:3b")
    assert answers == Answers("ollama", PROVIDERS["ollama"], "llama3.2:3b", OLLAMA.base_url, "")
    outside = FakeOutside()
    answers, _ = choose("local", outside=outside)
    assert answers
    assert (answers.provider, outside.installed) == ("local", [SMALL])
    answers, terminal = choose("5", "1", "", KEY, "")
    assert answers
    assert (answers.provider, answers.key) == ("cline", KEY)
    assert "One of 1 to 3, please." in terminal.seen


def test_no_way_is_found_twice_when_the_key_is_chosen() -> None:
    outside = FakeOutside((OLLAMA,))
    choose("1", "", KEY, "", outside=outside)
    assert outside.searches == 1


def test_it_is_told_why_when_the_embedded_model_cannot_be_had() -> None:
    problem = Problem("the runtime of the embedded models is not installed", "Run: pip install it")
    answers, terminal = choose("", outside=FakeOutside(embedded=Embedded(SMALL, is_installed=False, problem=problem)))
    assert answers is None
    assert "the runtime of the embedded models is not installed. Run: pip install it" in " ".join(terminal.seen.split())
    assert "small local model" not in terminal.seen


@pytest.mark.parametrize("depth", range(4))
def test_whoever_says_no_more_ends_it_at_every_question(depth: int) -> None:
    typed = ["1", "", KEY, ""][:depth]
    with pytest.raises(NoAnswerError):
        choose(*typed)
    with pytest.raises(KeyboardInterrupt):
        choose(*typed, KeyboardInterrupt())
