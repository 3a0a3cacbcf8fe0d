from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cline_cli.workspace.file_index import MAX_ENTRIES, MAX_FOLDERS, FileIndex, to_mention
from cline_cli.workspace.mentions import find_mentions

SWITCHES = ("-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "protocol.file.allow=always")


def make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *SWITCHES, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = Path(os.path.realpath(tmp_path)) / "project"
    make(path, "a.py", "src/b.py", "src/deep/c.png", "src/x.log", "with space.txt")
    return path


@pytest.fixture
def repository(folder: Path) -> Path:
    git(folder, "init", "-q")
    (folder / ".gitignore").write_text("*.log\nbuild/\n")
    return folder


def index_of(folder: Path, home: Path | None = None, max_files: int = 1000) -> FileIndex:
    variables = {**os.environ, "HOME": str(home or folder)}
    index = FileIndex(folder, variables, max_files)
    index.refresh()
    return index


def everything(folder: Path) -> list[str]:
    return index_of(folder).match("", 1000)


def test_nothing_is_found_when_nothing_was_listed_yet(folder: Path) -> None:
    index = FileIndex(folder, os.environ)
    before = (index.is_ready, index.match("a"))
    index.refresh()
    assert before == (False, [])
    assert (index.is_ready, index.match("a.p")) == (True, ["a.py"])


def test_files_and_their_folders_are_found_but_not_what_git_ignores(repository: Path) -> None:
    make(repository, "build/out")
    (repository / "empty").mkdir()
    git(repository, "add", "a.py", "src/b.py")
    assert everything(repository) == [
        ".gitignore",
        "a.py",
        "src/",
        "with space.txt",
        "src/b.py",
        "src/deep/",
        "src/deep/c.png",
    ]


def test_files_are_found_when_there_is_no_repository(folder: Path) -> None:
    (folder / ".gitignore").write_text("*.log\n")
    assert everything(folder) == [
        ".gitignore",
        "a.py",
        "src/",
        "with space.txt",
        "src/b.py",
        "src/deep/",
        "src/deep/c.png",
    ]


def test_paths_are_relative_to_the_folder_when_the_repository_is_larger(repository: Path) -> None:
    assert everything(repository / "src") == ["b.py", "deep/", "deep/c.png"]


def test_files_are_found_through_a_link_to_the_folder(repository: Path, tmp_path: Path) -> None:
    (repository / ".clineignore").write_text("deep\n")
    (tmp_path / "link").symlink_to(repository)
    assert everything(tmp_path / "link") == everything(repository)
    assert "src/deep/" not in everything(repository)
    assert index_of(tmp_path / "link").match("./src/") == ["./src/b.py", "./src/x.log"]


@pytest.mark.parametrize("in_repository", [True, False])
def test_what_is_kept_from_models_is_left_out(folder: Path, in_repository: bool) -> None:
    if in_repository:
        git(folder, "init", "-q")
    make(folder, "secret/key", ".env")
    (folder / ".clineignore").write_text("secret/\n.env\n")
    index = index_of(folder)
    assert index.match("key") == index.match("secret") == index.match("env") == []
    assert index.match("./secret/") == index.match("./.env") == []
    assert index.match(f"{folder}/sec") == []
    assert index.match("./src/d") == ["./src/deep/"]


def test_names_of_which_no_mention_can_be_written_are_left_out(repository: Path) -> None:
    odd = ["new\nline", "es\x1bc", 'quo"te', "tab\tx", "c1\x9bx", "line\u2028x", "~/x", "a/~/y"]
    make(repository, *odd)
    make(repository, "d" * 200 + "/" + "/".join(["e" * 200] * 4) + "/f")
    Path(os.fsdecode(os.fsencode(repository) + b"/\xff.txt")).touch()
    found = everything(repository)
    assert set(odd) & set(found) == {"a/~/y"}
    assert not [name for name in found if "\udcff" in name or name.startswith(("ddd", "~"))]


def test_names_in_a_folder_are_left_out_when_no_mention_can_be_written_of_them(folder: Path) -> None:
    make(folder, "odd/new\nline", 'odd/quo"te', "odd/fine")
    index = index_of(folder)
    assert index.match("./odd/") == ["./odd/fine"]
    make(folder, 'q"/x')
    assert index.match('./q"/') == []


def test_no_program_is_started_when_the_project_names_some_for_git(repository: Path) -> None:
    hook = repository / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {repository}/started\n")
    hook.chmod(0o755)
    git(repository, "add", "a.py")
    git(repository, "config", "core.fsmonitor", str(hook))
    assert "a.py" in everything(repository)
    assert not (repository / "started").exists()


def test_nothing_is_fetched_when_a_sparse_index_lacks_a_folder(repository: Path) -> None:
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "x")
    git(repository, "sparse-checkout", "set", "--cone", "--sparse-index", "src/deep")
    make(repository, "far/x")
    program = repository / "program"
    program.write_text(f"#!/bin/sh\ntouch {repository}/started\n")
    program.chmod(0o755)
    for name, value in (
        ("core.repositoryformatversion", "1"),
        ("extensions.partialClone", "origin"),
        ("remote.origin.url", "somewhere:x"),
        ("remote.origin.promisor", "true"),
        ("core.sshCommand", str(program)),
    ):
        git(repository, "config", name, value)
    for kept in (repository / ".git" / "objects").glob("??/*"):
        kept.unlink()
    index_of(repository)
    assert not (repository / "started").exists()


def test_files_are_found_when_git_is_not_there(repository: Path) -> None:
    index = FileIndex(repository, {"PATH": ""})
    index.refresh()
    assert index.match("b.py") == ["src/b.py"]


def test_no_more_than_so_many_are_listed(folder: Path) -> None:
    make(folder, *(f"many/{number:03}" for number in range(300)))
    assert len(index_of(folder, max_files=100).match("many/", 1000)) == 1 + 100 - len(["a.py", "with space.txt"])
    git(folder, "init", "-q")
    files = [name for name in index_of(folder, max_files=100).match("", 1000) if not name.endswith("/")]
    assert len(files) == 100


def test_folders_are_limited_when_paths_are_deep(folder: Path) -> None:
    from cline_cli.workspace.file_index import _find_folders  # lazy: this test only

    files = (f"{number}{'/x' * 30}" for number in range(MAX_FOLDERS // 10))
    assert len(_find_folders(files)) == MAX_FOLDERS


def test_no_more_are_returned_than_were_asked_for(folder: Path) -> None:
    index = index_of(folder)
    assert index.match("", 2) == ["a.py", "src/"]
    assert index.match("s", 1) == ["src/"]
    assert index.match("./", 1) == ["./a.py"]


def test_what_was_taken_away_is_not_returned(folder: Path) -> None:
    make(folder, "a.pyi")
    index = index_of(folder)
    (folder / "a.py").unlink()
    assert index.match("a.py", 1) == ["a.pyi"]


def test_a_folder_ends_with_a_slash_when_git_names_it_like_a_file(repository: Path) -> None:
    (repository / "link").symlink_to("src")
    (repository / "dead").symlink_to("nowhere")
    index = index_of(repository)
    assert index.match("link") == ["link/"]
    assert index.match("dead") == ["dead"]


def test_the_former_files_are_found_while_they_are_listed_anew(repository: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    os.mkfifo(programs / "gate")
    index = FileIndex(repository, {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"})
    index.refresh()
    make(repository, "new.py")
    (programs / "git").write_text(f"#!/bin/sh\ncat {programs}/gate\nprintf 'new.py\\0'\n")
    (programs / "git").chmod(0o755)
    listing = threading.Thread(target=index.refresh)
    listing.start()
    with (programs / "gate").open("w"):  # git waits for its end
        found = (index.match("b.py"), index.match("new"))
    listing.join()
    assert found == (["src/b.py"], [])
    assert (index.match("b.py"), index.match("new")) == ([], ["new.py"])


def test_it_is_listed_while_other_commands_run_in_the_main_thread(repository: Path) -> None:
    import asyncio  # lazy: this test only

    from cline_cli.machine.process import Command, end_leftovers, run_process

    index = FileIndex(repository, os.environ)

    async def run() -> None:
        listing = [threading.Thread(target=index.refresh) for _ in range(3)]
        for thread in listing:
            thread.start()
        while any(thread.is_alive() for thread in listing):
            assert (await run_process(Command(("true",), repository, os.environ))).exit_code == 0
        await end_leftovers()

    asyncio.run(run())
    assert index.match("b.py") == ["src/b.py"]


def test_a_query_by_folder_is_looked_up_there(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "somewhere"
    make(home, "notes.md", ".hidden", "old/x")
    make(tmp_path, "beside.txt")
    index = index_of(folder, home)
    assert index.match("~/") == ["~/notes.md", "~/old/"]
    assert index.match("~/.") == ["~/.hidden"]
    assert index.match("~/nts") == ["~/notes.md"]
    assert index.match("./src/") == ["./src/b.py", "./src/deep/", "./src/x.log"]
    assert index.match("../bes") == ["../beside.txt"]
    assert index.match("../project/a.py") == ["../project/a.py"]
    assert index.match(f"{tmp_path}/bes") == [f"{tmp_path}/beside.txt"]
    assert "/" + folder.parts[1] + "/" in index.match("/", 1000)


@pytest.mark.parametrize("query", ["./none/x", "./a.py/x", "/\0/x", "./\udcff/", "~/x/y"])
def test_nothing_is_found_when_a_query_leads_nowhere(folder: Path, query: str) -> None:
    assert index_of(folder).match(query) == []


def test_there_is_no_home_when_none_is_known(folder: Path) -> None:
    index = FileIndex(folder, {})
    assert index.match("~/") == []
    assert index.match("./a.py") == ["./a.py"]


def test_a_folder_is_looked_up_before_anything_was_listed(folder: Path) -> None:
    assert FileIndex(folder, os.environ).match("./wi") == ["./with space.txt"]


def test_some_are_found_when_a_folder_is_full(folder: Path) -> None:
    make(folder, *(f"full/{number}" for number in range(MAX_ENTRIES + 50)))
    assert 0 < len(FileIndex(folder, os.environ).match("./full/1", MAX_ENTRIES + 50)) <= MAX_ENTRIES


@pytest.mark.parametrize(
    ("path", "mention"),
    [
        ("src/a.py", "@src/a.py"),
        ("src/", "@src/"),
        ("~/notes.md", "@~/notes.md"),
        ("@scope/pkg", "@@scope/pkg"),
        ("with space.txt", '@"with space.txt"'),
        ("it's", '@"it\'s"'),
        ("[slug].tsx", "@[slug].tsx"),
        ("(group)", '@"(group)"'),
        ("ends.", '@"ends."'),
        ("a,b", "@a,b"),
        ("no\u00a0break", '@"no\u00a0break"'),
        ("größe", "@größe"),
    ],
)
def test_a_mention_is_quoted_when_it_has_to_be(path: str, mention: str) -> None:
    assert to_mention(path) == mention


odd_names = st.text(
    st.one_of(st.sampled_from(" ()[]{}<>,.;:!?'`@#~$&\\-_\u00a0\u3000é🙂"), st.characters(codec="utf-8")),
    min_size=1,
    max_size=20,
)


@given(st.lists(odd_names, min_size=1, max_size=3), st.sampled_from(["{}", "see {} now", "({})", "{}, and", "{}."]))
@example(["wait..."], "{}")
@example(["@x"], "{}")
@example(["~"], "./{}")
def test_what_is_listed_is_found_when_it_is_mentioned(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], sentence: str
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    try:
        make(folder, "/".join(names))
    except (OSError, ValueError):
        return  # no name of a file
    index = FileIndex(folder, os.environ)
    index.refresh()
    for path in index.match("", 100):
        if sentence == "{}." and os.path.lexists(folder / f"{path}."):
            continue
        assert find_mentions(sentence.format(to_mention(path)), folder, None) == ((path,), ())
