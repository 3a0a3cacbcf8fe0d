from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import stat
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cline_cli.session.prompt_history import (
    KEPT_BYTES,
    MAX_BYTES,
    MAX_CHARACTERS,
    MAX_PROMPTS,
    PromptHistory,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "prompts.jsonl"


def add(path: Path | None, *texts: str) -> PromptHistory:
    history = PromptHistory(path)
    for text in texts:
        history.add(text)
    return history


def load(path: Path) -> list[str]:
    return PromptHistory(path).load()


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def line(text: str) -> bytes:
    return json.dumps({"text": text}).encode() + b"\n"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_was_typed_is_there_in_its_order_when_another_session_begins(path: Path) -> None:
    add(path, "one", "two\nlines")
    add(path, "three é 🙂")
    assert load(path) == ["one", "two\nlines", "three é 🙂"]


def test_nothing_is_there_when_nothing_was_typed(path: Path) -> None:
    assert load(path) == []
    assert not path.parent.exists()


def test_nothing_is_written_when_there_is_no_file(tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    history = add(None, "one", "one", "two")
    assert history.load() == ["one", "two"]
    assert sorted(tmp_path.rglob("*")) == before


def test_the_newest_are_kept_in_memory_when_they_are_many() -> None:
    history = add(None, *map(str, range(MAX_PROMPTS + 5)))
    assert history.load() == [str(number) for number in range(5, MAX_PROMPTS + 5)]


def test_one_is_left_when_it_was_typed_several_times_in_a_row(path: Path) -> None:
    add(path, "a", "a", "b", "a")
    assert len(path.read_bytes().splitlines()) == 3
    add(path, "a")
    assert load(path) == ["a", "b", "a"]


@pytest.mark.parametrize("text", ["", " \n\t", "x" * (MAX_CHARACTERS + 1)])
def test_a_text_is_not_kept_when_it_is_blank_or_too_long(path: Path, text: str) -> None:
    add(path, "a", text)
    assert load(path) == ["a"]


def test_a_text_is_kept_when_it_is_as_long_as_may_be(path: Path) -> None:
    add(path, "x" * MAX_CHARACTERS)
    assert load(path) == ["x" * MAX_CHARACTERS]


def test_secrets_do_not_reach_the_disk_when_they_were_typed(path: Path) -> None:
    PromptHistory(path, lambda text: text.replace("hunter22", "***")).add("my key is hunter22")
    assert b"hunter22" not in path.read_bytes()
    assert load(path) == ["my key is ***"]


def test_only_this_user_can_read_it_whatever_the_umask(path: Path) -> None:
    old = os.umask(0o277)
    try:
        add(path, "a")
    finally:
        os.umask(old)
    assert (mode_of(path), mode_of(path.parent)) == (0o600, 0o700)


def test_others_are_shut_out_when_the_file_was_open_to_them(path: Path) -> None:
    write(path, line("a"))
    path.chmod(0o644)
    add(path, "b")
    assert mode_of(path) == 0o600


def test_a_link_is_neither_followed_nor_replaced(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(line("theirs"))
    path.parent.mkdir()
    path.symlink_to(target)
    add(path, "mine")
    assert load(path) == []
    assert target.read_bytes() == line("theirs")
    assert path.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_file_of_another_user_is_left_alone(path: Path) -> None:
    write(path, line("theirs"))
    os.chown(path, 12345, 12345)
    add(path, "mine")
    assert load(path) == []
    assert path.read_bytes() == line("theirs")


def test_nobody_waits_when_a_named_pipe_is_in_its_place(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    add(path, "a")
    assert load(path) == []


def test_nothing_is_kept_when_there_can_be_no_file(path: Path) -> None:
    path.mkdir(parents=True)
    assert add(path, "a").load() == []
    path.rmdir()
    path.parent.rmdir()
    path.parent.write_text("in the way")
    assert add(path, "a").load() == []
    assert add(Path("/dev/full/x"), "a").load() == []


@pytest.mark.parametrize(
    "foreign",
    [
        b'{"text": "to',
        b"\xff\xfe\0",
        b"[]\n12\nnull\n",
        b'{"text": 3}\n{"other": "x"}\n',
        b'{"text": ""}\n{"text": " "}\n',
        b"[" * 100_000,
        b'"\xed\xa0\x80"',
        b"1" * 10_000,
        b'{"text": "' + b"x" * (MAX_CHARACTERS + 1) + b'"}',
    ],
)
def test_the_rest_is_read_when_something_of_it_is_damaged(path: Path, foreign: bytes) -> None:
    write(path, line("before") + foreign)
    assert load(path) == ["before"]
    add(path, "after")
    assert load(path) == ["before", "after"]


def test_half_a_character_is_replaced_when_it_was_typed_or_read(path: Path) -> None:
    add(path, "a\udcffb")
    with path.open("ab") as file:
        file.write(b'{"text": "c\\ud800d"}\n')
    assert load(path) == ["a?b", "c?d"]


def test_the_newest_are_read_when_there_are_many(path: Path) -> None:
    write(path, b"".join(line(str(number)) for number in range(MAX_PROMPTS + 10)))
    before = path.read_bytes()
    assert load(path) == [str(number) for number in range(10, MAX_PROMPTS + 10)]
    assert path.read_bytes() == before


def test_the_file_is_written_anew_when_it_has_grown_long(path: Path) -> None:
    write(path, b"".join(line(str(number)) for number in range(2 * MAX_PROMPTS + 1)))
    newest = [str(number) for number in range(MAX_PROMPTS + 1, 2 * MAX_PROMPTS + 1)]
    assert load(path) == newest
    assert path.read_bytes() == b"".join(map(line, newest))
    assert mode_of(path) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_the_file_is_written_anew_when_it_has_grown_large(path: Path) -> None:
    texts = [f"{number}{'x' * 90_000}" for number in range(MAX_BYTES // 90_000 + 1)]
    write(path, b"".join(map(line, texts)))
    found = load(path)
    assert found == texts[-len(found) :]
    assert KEPT_BYTES - 100_000 < path.stat().st_size <= KEPT_BYTES
    assert load(path) == found


def test_secrets_are_taken_out_when_the_file_is_written_anew(path: Path) -> None:
    write(path, b"".join(line(f"{number} hunter22") for number in range(2 * MAX_PROMPTS + 1)))
    PromptHistory(path, lambda text: text.replace("hunter22", "***")).load()
    assert b"hunter22" not in path.read_bytes()


def test_the_end_is_read_when_a_foreign_file_is_huge(path: Path) -> None:
    write(path, b"")
    with path.open("r+b") as file:
        file.truncate(1 << 36)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + line("end"))
    assert load(path) == ["end"]
    assert path.read_bytes() == line("end")


def _add_many(path: Path, name: str) -> None:
    for number in range(300):
        PromptHistory(path).add(f"{name} {number}")
        time.sleep(0.0005)


def test_every_line_is_there_when_processes_add_while_it_is_written_anew(path: Path) -> None:
    write(path, line("begin"))
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=_add_many, args=(path, name)) for name in "abc"]
    for other in others:
        other.start()
    rounds = 0
    while any(other.is_alive() for other in others):
        if path.stat().st_size < 100_000:
            with path.open("ab") as file:
                file.write(b"\n" + b"[      ]\n" * (2 * MAX_PROMPTS) + b"[" + b" " * MAX_BYTES + b"]\n")
        load(path)
        rounds += path.stat().st_size < 100_000
    for other in others:
        other.join()
    assert [other.exitcode for other in others] == [0, 0, 0]
    assert rounds
    assert set(load(path)) == {"begin", *(f"{name} {number}" for name in "abc" for number in range(300))}


def test_it_is_added_to_but_not_written_anew_when_somebody_holds_the_lock(path: Path) -> None:
    write(path, b"".join(line(str(number)) for number in range(2 * MAX_PROMPTS + 1)))
    before = path.read_bytes()
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        add(path, "new")
        assert load(path)[-1] == "new"
    assert path.read_bytes() == before + line("new")


@given(st.lists(st.text(st.characters(), max_size=20), max_size=20))
def test_what_is_loaded_is_what_was_added(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("history") / "file"
    add(path, *texts)
    expected: list[str] = []
    for text in texts:
        clean = text.encode("utf-8", "replace").decode()
        if text.strip() and expected[-1:] != [clean]:
            expected.append(clean)
    assert load(path) == expected


@given(
    st.binary(max_size=200), st.text(min_size=1, max_size=5).filter(lambda text: text.strip() and text.isprintable())
)
def test_any_file_is_read_and_added_to(tmp_path_factory: pytest.TempPathFactory, data: bytes, text: str) -> None:
    path = tmp_path_factory.mktemp("history") / "file"
    path.write_bytes(data)
    before = load(path)
    add(path, text)
    after = load(path)
    assert after[-1] == text
    assert after in (before, [*before, text])
