"""Standard input as shells, CI runners and other programs hand it over."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.conftest import KEY, Serve
from tests.e2e.test_invocation import result_of, shell
from tests.fake_server import FakeServer, calls, slow, text

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@contextmanager
def started(server: FakeServer, *argv: str, stdin: int | IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "cline_cli", *argv],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def content(server: FakeServer) -> str:
    return str(server.requests[0].messages[-1]["content"])


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_run_does_not_wait_for_the_program_that_started_it(kind: str) -> None:
    if kind == "pipe":
        ours, theirs = os.pipe()[::-1]
    else:
        pair = socket.socketpair()
        ours, theirs = (end.detach() for end in pair)
    try:
        with FakeServer(text("ok")) as server, started(server, "--json", "hi there", stdin=theirs) as process:
            stdout, stderr = process.communicate(timeout=30)
        assert (process.returncode, stderr) == (0, b"")
        assert content(server) == "hi there"
        assert result_of(stdout)["stdin"] == {"kind": kind, "status": "idle", "bytes": 0}
    finally:
        os.close(ours)
        os.close(theirs)


def test_input_that_comes_after_all_ends_the_run_with_a_failure() -> None:
    with FakeServer(slow(["word "] * 300, 0.1)) as server:
        with started(server, "--json", "hi there", stdin=subprocess.PIPE) as process:
            assert process.stdin
            assert process.stdout
            line = b""
            while b'"content_start"' not in line:
                line = process.stdout.readline()
            process.stdin.write(b"late")
            process.stdin.flush()
            rest = process.stdout.read()
            assert process.stderr
            stderr = process.stderr.read()
            assert process.wait(30) == 1
    assert result_of(rest)["exitCode"] == 1
    assert rest.count(b'"content_start"') < 250  # it was stopped in the middle of its 300 words
    assert b"input arrived too late" in stderr


def test_input_that_came_during_the_last_words_is_not_overlooked() -> None:
    with FakeServer(text("ok")) as server:
        reading, writing = os.pipe()
        try:
            with started(server, "--stdin", "auto", "hi there", stdin=reading) as process:
                os.set_blocking(writing, False)
                while process.poll() is None and not server.requests:
                    pass
                os.write(writing, b"late")
                stdout, stderr = process.communicate(timeout=30)
        finally:
            os.close(reading)
            os.close(writing)
    # Either it was seen, or the run was over before it came.
    assert (process.returncode, stdout) in {(1, b""), (0, b"ok\n")}
    assert (b"too late" in stderr) == (process.returncode == 1)


@pytest.mark.parametrize("pause_s", [1, 3])
def test_a_producer_is_waited_for_however_late_it_begins(tmp_path: Path, pause_s: int) -> None:
    with FakeServer(text("ok")) as server:
        done = shell(f'(sleep {pause_s}; echo MARK; sleep 0.5; echo END) | cline "look at it"', server, tmp_path)
    assert (done.returncode, done.stdout) == (0, "ok\n")
    assert content(server) == "look at it\n\nMARK\nEND"
    assert re.search(r"waiting for stdin from \w+ \(pid \d+\)", done.stderr) or pause_s == 1


def test_a_producer_is_waited_for_when_it_is_substituted(tmp_path: Path) -> None:
    with FakeServer(text("ok")) as server:
        done = shell('cline "look at it" < <(sleep 1.5; echo MARK)', server, tmp_path)
    assert done.returncode == 0
    assert content(server) == "look at it\n\nMARK"


def test_what_commands_print_goes_along_as_files(tmp_path: Path) -> None:
    line = 'cline -f <(echo ONE) -f <(sleep 0.5; seq 100000) "compare"'
    with FakeServer(text("ok")) as server:
        done = shell(line, server, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    message = content(server)
    assert message.startswith("compare")
    assert ">\nONE\n</file_content>" in message
    assert "588,895 bytes, 100,000 lines" in message


def test_a_named_pipe_delivers(tmp_path: Path) -> None:
    line = 'mkfifo channel; (sleep 1; echo MARK) > channel & cline "look at it" < channel'
    with FakeServer(text("ok")) as server:
        done = shell(line, server, tmp_path)
    assert done.returncode == 0
    assert content(server) == "look at it\n\nMARK"


def test_a_socket_delivers() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, FakeServer(text("ok")) as server:
        with started(server, "hi there", stdin=theirs.fileno()) as process:
            ours.sendall(b"through a socket")
            ours.shutdown(socket.SHUT_WR)
            process.communicate(timeout=30)
    assert process.returncode == 0
    assert content(server) == "hi there\n\nthrough a socket"


@pytest.mark.parametrize(
    ("argv", "status", "sent"),
    [(["--stdin", "ignore"], "ignored", "hi there"), (["--stdin", "wait"], "sent", "hi there\n\nsome text")],
)
def test_what_is_done_about_stdin_can_be_said(serve: Serve, argv: list[str], status: str, sent: str) -> None:
    server, ask = serve(text("ok"))
    result = ask(*argv, "--json", "hi there", stdin=b"some text")
    assert dict(result_of(result.stdout)["stdin"])["status"] == status  # type: ignore[call-overload]  # an object
    assert content(server) == sent


def test_the_list_of_a_loop_is_left_alone(tmp_path: Path) -> None:
    line = "printf 'a\\nb\\nc\\n' > list; while read -r f; do cline \"look at $f\"; done < list"
    with FakeServer(text("ok"), repeat_last=True) as server:
        done = shell(line, server, tmp_path)
    assert (done.returncode, done.stdout) == (0, "ok\nok\nok\n")
    assert [request.messages[-1]["content"] for request in server.requests] == ["look at a", "look at b", "look at c"]
    assert "left alone" in done.stderr


@pytest.mark.parametrize("is_kept", [True, False])
def test_what_is_too_large_for_a_message_arrives_whole_in_a_file(serve: Serve, is_kept: bool) -> None:
    data = b"".join(b"line %d\n" % number for number in range(900_000))
    server, ask = serve(
        calls(("run_commands", {"commands": ["sha256sum ${SPOOLED:-$(ls -t $SPOOLS | head -1)}"]})), text("ok")
    )
    argv = ["--json"] if is_kept else ["--json", "--no-session"]
    result = ask(*argv, "hi there", stdin=data)
    assert result.exit_code == 5  # the call is only there to keep the run going for one more turn
    told = result_of(result.stdout)["stdin"]
    assert isinstance(told, dict)
    assert (told["status"], told["bytes"]) == ("spooled", len(data))
    message = content(server)
    assert len(message) < 100_000
    assert "line 0\n" in message
    assert "line 899999" in message
    assert str(told["path"]) in message
    assert Path(str(told["path"])).is_file() == is_kept
    if is_kept:
        assert Path(str(told["path"])).read_bytes() == data


def test_the_model_may_read_what_was_put_into_a_file_by_an_earlier_run(serve: Serve) -> None:
    server, ask = serve(text("ok"))
    told = result_of(ask("--json", "hi there", stdin=b"x" * 300_000).stdout)
    path, session_id = str(dict(told["stdin"])["path"]), str(told["session_id"])  # type: ignore[call-overload]  # as above
    server, ask = serve(calls(("read_files", {"files": [{"path": path}]})), text("ok"))
    ask("--id", session_id, "read it again")
    assert "xxx" in next(iter(server.requests[1].results.values()))


def test_all_of_it_is_sent_by_a_filter(serve: Serve) -> None:
    server, ask = serve(text("ok"))
    data = b"word " * 100_000
    assert ask("-n", "count", stdin=data).exit_code == 0
    assert content(server) == f"count\n\n{data.decode()}"


def test_an_image_is_attached_when_the_model_can_see(serve: Serve) -> None:
    server, ask = serve(text("A dot."))
    result = ask("--json", "what is it", stdin=PNG)
    assert dict(result_of(result.stdout)["stdin"])["status"] == "attached"  # type: ignore[call-overload]  # as above
    parts = json.dumps(server.requests[0].messages[-1]["content"])
    assert "data:image/png;base64," in parts


def test_an_image_is_refused_when_the_model_is_blind(serve: Serve) -> None:
    server, ask = serve()
    result = ask("-m", "deepseek/deepseek-v3.2", "what is it", stdin=PNG)
    assert result.exit_code == 2
    assert "deepseek" in result.stderr or "image" in result.stderr
    assert server.requests == []


def test_other_binary_data_is_described_and_kept(serve: Serve) -> None:
    server, ask = serve(text("ok"))
    data = b"\x7fELF" + bytes(range(256)) * 10
    told = dict(result_of(ask("--json", "what is it", stdin=data).stdout)["stdin"])  # type: ignore[call-overload]  # as above
    assert told["status"] == "spooled"
    assert Path(str(told["path"])).read_bytes() == data
    assert "ELF" in content(server)


def test_bytes_that_are_no_text_are_counted(serve: Serve) -> None:
    server, ask = serve(text("ok"))
    told = dict(result_of(ask("--json", "fix", stdin=b"caf\xe9 au lait").stdout)["stdin"])  # type: ignore[call-overload]  # as above
    assert told["replaced"] == 1
    assert content(server) == "fix\n\ncaf\ufffd au lait"
