from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from cline_cli.config.addresses import check_base_url
from cline_cli.config.settings import Settings, choose_provider
from cline_cli.errors import UsageError
from cline_cli.providers import ALIASES, KEY_VARIABLES, PROVIDERS, require
from cline_cli.providers._chat_dialects import DIALECTS

TESTS = Path(__file__).parent.parent
RECORDINGS = TESTS / "recordings"
NAMES = (
    "cline anthropic openai-native gemini openrouter openai-compatible deepseek xai groq cerebras mistral together"
    " fireworks moonshot zai minimax huggingface nebius requesty litellm vercel-ai-gateway qwen sambanova baseten"
    " nvidia ollama lmstudio llama-server local"
).split()
OWN_SERVERS = {"litellm", "ollama", "lmstudio", "llama-server"}
FOLDERS = {"openai-native": "openai_responses"}
"""Where the recordings of a provider lie, if not under its name."""


def find_evidence(name: str) -> str:
    """Return what the row of a provider should say of how it is tested: the best that lies in its folder."""
    files = sorted((RECORDINGS / FOLDERS.get(name, name)).glob("*.*"))
    heads = {re.split(r"\s", path.read_text("utf-8"), maxsplit=2)[1] for path in files}
    assert heads <= {"Recorded", "Written"}
    return "recorded" if "Recorded" in heads else "documented" if heads else ""


def test_every_provider_is_there_in_its_order() -> None:
    assert list(PROVIDERS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_row_is_sound_when_it_is_used(name: str) -> None:
    row = PROVIDERS[name]
    module = import_module(f"cline_cli.providers.{row.module}")
    assert callable(module.connect)
    if name == "local":
        assert (row.base_url, row.key_variables) == ("", ())
        return
    assert callable(module.make_headers)
    assert check_base_url(row.base_url) == row.base_url
    assert row.base_url.startswith("http://localhost:" if name in OWN_SERVERS else "https://")
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", variable) for variable in row.key_variables)
    assert row.key_variables
    assert bool(row.default_model) == (name not in OWN_SERVERS | {"openai-compatible"})
    assert row.key_page.startswith("https://") or name in OWN_SERVERS
    assert row.is_key_optional == (name in OWN_SERVERS)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "local"])
def test_row_says_what_the_tests_play_when_there_are_recordings(name: str) -> None:
    assert PROVIDERS[name].evidence == find_evidence(name)


def test_local_model_is_run_when_the_row_says_so() -> None:
    assert PROVIDERS["local"].evidence == "run"
    assert '"-P", "local"' in (TESTS / "e2e" / "test_local_model.py").read_text()


def test_no_recording_lies_where_no_provider_is_tested_by_it() -> None:
    folders = {path.name for path in RECORDINGS.iterdir()}
    assert folders <= {FOLDERS.get(name, name) for name in NAMES}


def test_every_server_for_chat_completions_has_a_dialect() -> None:
    assert DIALECTS.keys() == {name for name, row in PROVIDERS.items() if row.module == "openai_chat"}


def test_names_are_told_apart_when_there_are_aliases() -> None:
    aliases = [alias for row in PROVIDERS.values() for alias in row.aliases]
    assert len(aliases) == len(set(aliases))
    assert not PROVIDERS.keys() & set(aliases)
    assert all(re.fullmatch(r"[a-z][a-z0-9._-]+", name) for name in (*aliases, *PROVIDERS))


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("openai", "openai-compatible"),
        ("openai-native", "openai-native"),
        ("google", "gemini"),
        ("claude", "anthropic"),
        ("lm-studio", "lmstudio"),
        ("llama.cpp", "llama-server"),
        ("together_ai", "together"),
        ("togetherai", "together"),
        ("kimi", "moonshot"),
        ("grok", "xai"),
        ("groq", "groq"),
        ("vercel", "vercel-ai-gateway"),
        ("hf", "huggingface"),
        ("dashscope", "qwen"),
    ],
)
def test_provider_is_found_when_it_is_called_otherwise(name: str, own: str) -> None:
    assert require(name) == (own, PROVIDERS[own])
    assert ALIASES.get(name, name) == own


def test_nearest_names_are_told_when_there_is_no_such_provider() -> None:
    with pytest.raises(UsageError, match="there is no provider 'mistrall'") as caught:
        require("mistrall")
    assert "mistral" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("variable", "provider"),
    [
        ("OPENAI_API_KEY", "openai-native"),
        ("GEMINI_API_KEY", "gemini"),
        ("DASHSCOPE_API_KEY", "qwen"),
        ("ZAI_API_KEY", "zai"),
        ("TOGETHERAI_API_KEY", "together"),
        ("HF_TOKEN", None),
        ("NVIDIA_API_KEY", None),
        ("LITELLM_API_KEY", None),
        ("OLLAMA_API_KEY", None),
    ],
)
def test_key_in_the_environment_chooses_its_provider_when_it_is_for_nothing_else(
    variable: str, provider: str | None
) -> None:
    choice = choose_provider(None, {variable: "sk-1"}, Settings(), KEY_VARIABLES)
    assert (choice.provider if choice else None) == provider
