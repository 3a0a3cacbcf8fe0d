from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cline_cli.workspace.confinement import Confinement, PathRefusedError, confine


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A real folder with a workspace `ws` and things around it."""
    real = Path(os.path.realpath(tmp_path)) / "place"
    (real / "ws" / "src").mkdir(parents=True)
    (real / "ws" / ".git" / "hooks").mkdir(parents=True)
    (real / "outside").mkdir()
    (real / "outside" / "file").write_text("secret")
    (real / "ws" / "file").write_text("text")
    (real / "ws" / "out").symlink_to("../outside")
    (real / "ws" / "dangling").symlink_to("../outside/new")
    (real / "ws" / "in").symlink_to("src")
    (real / "ws" / "loop").symlink_to("loop")
    (real / "ws2").mkdir()
    (real / "home").mkdir()
    return real


def confined(place: Path, *, allows_outside: bool = False) -> Confinement:
    return confine(place / "ws", home=place / "home", allows_outside=allows_outside)


@pytest.mark.parametrize(
    ("text", "real"),
    [
        ("file", "ws/file"),
        ("./file", "ws/file"),
        ("src/../file", "ws/file"),
        ("src/new/deep", "ws/src/new/deep"),
        ("in/new", "ws/src/new"),
        (".", "ws"),
        ("../ws/file", "ws/file"),
        ("out/../ws/file", "ws/file"),
        (" file", "ws/ file"),
        ("~x", "ws/~x"),
    ],
)
def test_a_path_is_allowed_when_it_really_lies_in_the_workspace(place: Path, text: str, real: str) -> None:
    for allows_outside in (False, True):
        confinement = confined(place, allows_outside=allows_outside)
        assert confinement.resolve_for_reading(text) == place / real
        assert confinement.resolve_for_writing(text) == place / real


@pytest.mark.parametrize("text", ["file", "src/x", "in/x"])
def test_an_absolute_path_is_allowed_when_it_lies_in_the_workspace(place: Path, text: str) -> None:
    assert confined(place).resolve_for_writing(f"{place}/ws/{text}").is_relative_to(place / "ws")


@pytest.mark.parametrize(
    "text", ["../outside/file", "out/file", "dangling", "out", "..", "../ws2/x", "src/../../x", "in/../../x"]
)
def test_leaving_by_dots_or_links_is_refused_even_with_leave_for_absolute_paths(place: Path, text: str) -> None:
    for allows_outside in (False, True):
        confinement = confined(place, allows_outside=allows_outside)
        for written in (text, f"{place}/ws/{text}", f"/{place}/ws/{text}"):
            for resolve in (confinement.resolve_for_reading, confinement.resolve_for_writing):
                with pytest.raises(PathRefusedError, match="leads out of the workspace"):
                    resolve(written)


@pytest.mark.parametrize(
    "text", ["{place}/outside/file", "{place}/ws2", "/etc/passwd", "~", "~/notes", "/proc/self/root/etc"]
)
def test_an_absolute_path_outside_is_allowed_only_with_leave(place: Path, text: str) -> None:
    written = text.format(place=place)
    with pytest.raises(PathRefusedError, match="outside the workspace"):
        confined(place).resolve_for_writing(written)
    assert not confined(place, allows_outside=True).resolve_for_writing(written).is_relative_to(place / "ws")


def test_the_home_is_meant_by_a_tilde_when_there_is_one(place: Path) -> None:
    assert confined(place, allows_outside=True).resolve_for_reading("~/notes") == place / "home" / "notes"
    assert confine(place / "ws").resolve_for_reading("~/notes") == place / "ws" / "~" / "notes"


def test_another_folder_may_be_read_but_not_written_when_it_is_a_read_root(place: Path) -> None:
    (place / "spool").symlink_to("outside")
    confinement = confine(place / "ws", read_roots=(place / "spool",))
    assert confinement.resolve_for_reading(f"{place}/outside/file") == place / "outside" / "file"
    with pytest.raises(PathRefusedError):
        confinement.resolve_for_writing(f"{place}/outside/file")
    with pytest.raises(PathRefusedError):
        confinement.resolve_for_reading("out/file")


@pytest.mark.parametrize(
    "text", [".git/hooks/post-commit", ".git", "src/../.GIT/config", "sub/.git/config", "link/config"]
)
def test_git_folders_are_never_written(place: Path, text: str) -> None:
    (place / "ws" / "link").symlink_to(".git")
    confinement = confined(place, allows_outside=True)
    for written in (text, f"{place}/ws/{text}"):
        with pytest.raises(PathRefusedError, match="git commands"):
            confinement.resolve_for_writing(written)
        confinement.resolve_for_reading(written)
    with pytest.raises(PathRefusedError, match="git commands"):
        confinement.resolve_for_writing(f"{place}/ws2/.git/hooks/x")


def test_files_with_like_names_may_be_written(place: Path) -> None:
    for text in (".gitignore", ".github/workflows/ci.yml", "git"):
        confined(place).resolve_for_writing(text)


def test_a_workspace_inside_a_git_folder_may_be_written(place: Path) -> None:
    (place / "ws" / ".git" / "worktree").mkdir()
    worktree = place / "ws" / ".git" / "worktree"
    assert confine(worktree).resolve_for_writing("file") == worktree / "file"


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800"])
def test_it_is_refused_when_it_is_no_path(place: Path, text: str) -> None:
    with pytest.raises(PathRefusedError):
        confined(place).resolve_for_reading(text)


def test_the_workspace_may_be_named_by_way_of_a_link(place: Path) -> None:
    (place / "link").symlink_to("ws")
    confinement = confine(place / "link")
    assert confinement.resolve_for_writing("file") == place / "ws" / "file"
    assert confinement.resolve_for_writing(f"{place}/link/file") == place / "ws" / "file"


def test_paths_are_shortened_when_they_lie_in_the_workspace(place: Path) -> None:
    confinement = confined(place)
    assert confinement.shorten(place / "ws" / "src" / "a.py") == "src/a.py"
    assert confinement.shorten(place / "outside" / "file") == f"{place}/outside/file"


PIECES = st.sampled_from(["..", ".", "", "src", "in", "out", "dangling", "loop", "new", "~", ".git", "ws", "file"])


@settings(deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=7), st.booleans())
def test_no_relative_path_ever_leads_out(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], leave: bool
) -> None:
    base = Path(os.path.realpath(tmp_path_factory.getbasetemp())) / "generated"
    if not base.exists():
        (base / "ws" / "src").mkdir(parents=True)
        (base / "outside").mkdir()
        (base / "ws" / "out").symlink_to("../outside")
        (base / "ws" / "dangling").symlink_to("../outside/new")
        (base / "ws" / "in").symlink_to("src")
        (base / "ws" / "loop").symlink_to("loop")
        (base / "ws" / "file").touch()
    text = "/".join(pieces).lstrip("/")
    try:
        resolved = confine(base / "ws", allows_outside=leave).resolve_for_reading(text)
    except PathRefusedError:
        return
    assert resolved.is_relative_to(base / "ws")
    assert Path(os.path.realpath(base / "ws" / text)).is_relative_to(base / "ws")
