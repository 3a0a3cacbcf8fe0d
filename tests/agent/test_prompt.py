from __future__ import annotations

import dataclasses

from cline_cli.agent.prompt import Facts, compact_system_prompt, describe, system_prompt

FACTS = Facts("/home/a/project", ("src/", "README.md"), "Linux", "2026-01-31", "act", "auto")


def test_the_surroundings_are_told() -> None:
    prompt = system_prompt(FACTS)
    assert describe(FACTS) in prompt
    for fact in ("/home/a/project", "src/ README.md", "Linux", "2026-01-31"):
        assert fact in prompt


def test_the_model_is_told_what_it_may_do() -> None:
    prompts = {
        (mode, approval): system_prompt(dataclasses.replace(FACTS, mode=mode, approval=approval))
        for mode in ("act", "plan")
        for approval in ("auto", "asked", "denied")
    }
    assert len(set(prompts.values())) == 6
    assert "plan" in prompts["plan", "auto"]
    assert "Plan mode" not in prompts["act", "auto"]
    assert "denied" in prompts["act", "denied"]


def test_every_word_is_paid_for_so_there_are_few() -> None:
    assert len(system_prompt(FACTS)) < 2500
    assert len(compact_system_prompt()) < 1200
