from __future__ import annotations

from pathlib import Path

import pytest

from cline_cli.app import Options
from cline_cli.commands._sessions import keep_on
from cline_cli.session.store import Header, create

HEADER = Header("1_a", "2026-11-02T10:00:00+00:00", "/work", "openai-compatible", "vendor/special", "act")


@pytest.mark.parametrize(
    ("options", "variables", "expected"),
    [
        (Options(), {}, ("openai-compatible", "vendor/special")),
        (Options(provider="openai-compatible"), {}, ("openai-compatible", "vendor/special")),
        (Options(provider="openai"), {}, ("openai", "vendor/special")),
        (Options(), {"CLINE_PROVIDER": "openai-compatible"}, ("openai-compatible", "vendor/special")),
        (Options(model="other"), {}, ("openai-compatible", "other")),
        (Options(), {"CLINE_MODEL": "other"}, ("openai-compatible", "other")),
        (Options(provider="cline"), {}, ("cline", None)),
        (Options(provider="cline", model="other"), {}, ("cline", "other")),
        (Options(), {"CLINE_PROVIDER": "cline"}, (None, None)),
    ],
)
def test_a_session_keeps_its_model_when_nobody_names_another_or_another_provider(
    options: Options, variables: dict[str, str], expected: tuple[str | None, str | None], tmp_path: Path
) -> None:
    session = create(tmp_path / "sessions", HEADER)
    kept = keep_on(options, session, variables)
    session.close()
    assert (kept.provider, kept.model) == expected
