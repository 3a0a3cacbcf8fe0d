from __future__ import annotations

import os
from pathlib import Path

import pytest

from cline_cli.workspace import rules as module
from cline_cli.workspace.rules import Rules, find_root, find_rules


@pytest.fixture
def place(tmp_path: Path) -> Path:
    real = Path(os.path.realpath(tmp_path))
    for name in ("home", "ws/.git", "ws/sub/deep"):
        (real / name).mkdir(parents=True, exist_ok=True)
    return real


def write(place: Path, name: str, text: str) -> None:
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def find(place: Path, *about: str, inner: str = "ws") -> Rules:
    return find_rules(place / inner, place / "home", about)


def test_rules_are_found_where_they_may_be_in_one_order(place: Path) -> None:
    for name in (
        "ws/.clinerules/b.md",
        "ws/.clinerules/a.txt",
        "ws/.clinerules/more/c.markdown",
        "ws/.cline/rules/d.md",
        "ws/CLAUDE.md",
        "ws/.cursorrules",
        "ws/.windsurfrules",
        "ws/AGENTS.md",
        "ws/sub/AGENTS.md",
        "home/.cline/rules/e.md",
        "home/Documents/Cline/Rules/f.md",
        "home/.agents/AGENTS.md",
    ):
        write(place, name, f"text of {name}")
    for name in ("ws/.clinerules/workflows/x.md", "ws/.clinerules/hooks/y.md", "ws/.clinerules/z.py"):
        write(place, name, f"text of {name}")
    assert [rule.name for rule in find(place, inner="ws/sub/deep").told] == [
        ".cline/rules/d.md",
        ".clinerules/a.txt",
        ".clinerules/b.md",
        ".clinerules/more/c.markdown",
        ".cursorrules",
        ".windsurfrules",
        "CLAUDE.md",
        "~/.cline/rules/e.md",
        "~/Documents/Cline/Rules/f.md",
        "~/.agents/AGENTS.md",
        "AGENTS.md",
        "sub/AGENTS.md",
    ]


def test_a_single_file_of_rules_is_read(place: Path) -> None:
    write(place, "ws/.clinerules", "\ufeffBe brief.\n")
    assert [(rule.name, rule.text) for rule in find(place).told] == [(".clinerules", "Be brief.")]


def test_the_same_text_is_told_once(place: Path) -> None:
    write(place, "ws/AGENTS.md", "Be brief.")
    (place / "ws" / "CLAUDE.md").symlink_to("AGENTS.md")
    assert len(find(place).told) == 1


def test_front_matter_is_honoured(place: Path) -> None:
    write(place, "ws/.clinerules/off.md", "---\ndisabled: true\n---\nNever.")
    write(place, "ws/.clinerules/ts.md", "---\npaths:\n  - src/**/*.ts\n  - '*.tsx'\n---\nUse types.")
    write(place, "ws/.clinerules/odd.md", "---\n: : [\n---\nStill holds.")
    write(place, "ws/.clinerules/empty.md", "---\npaths: []\n---\n")
    found = find(place)
    assert [rule.name for rule in found.told] == [".clinerules/odd.md"]
    assert [(rule.name, rule.paths) for rule in found.named] == [(".clinerules/ts.md", ("src/**/*.ts", "*.tsx"))]
    assert "YAML" in found.notices[0]
    for about in ("src/a/b.ts", "web/x.tsx"):
        assert [rule.text for rule in find(place, "README", about).told] == ["Still holds.", "Use types."]
    assert len(find(place, "src/a.py").told) == 1


def test_what_leads_out_of_the_project_is_not_read(place: Path) -> None:
    write(place, "secret", "private")
    (place / "ws" / "CLAUDE.md").symlink_to("../secret")
    os.mkfifo(place / "ws" / ".cursorrules")
    found = find(place)
    assert found.told == ()
    assert "leads out" in found.notices[0]


def test_rules_are_bounded(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILE_BYTES", 100)
    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 150)
    write(place, "ws/.clinerules/a.md", "a" * 300)
    write(place, "ws/.clinerules/b.md", "b" * 90)
    found = find(place)
    assert [len(rule.text) for rule in found.told] == [100]
    assert "first 100 bytes" in found.notices[0]
    assert ".clinerules/b.md is left out" in found.notices[1]


def test_the_root_is_that_of_the_repository(place: Path) -> None:
    assert find_root(place / "ws" / "sub" / "deep") == place / "ws"
    assert find_root(place / "home") == place / "home"
