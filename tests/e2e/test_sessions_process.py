"""Sessions as others meet them: killed at any moment, many at once, read by programs that know the original's files."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest

from cline_cli.agent.repair import INTERRUPTED
from tests.conftest import RunCline
from tests.e2e.conftest import KEY, Serve
from tests.fake_server import FakeServer, Recorded, Turn, calls, text
from tests.session.test_originals import MESSAGES, make_original

STEPS = 20
KILLS = 6
CUT = "the body is no JSON object with a model and messages"
"""What the server says of a request whose sender was killed in the middle of it."""


class Work(FakeServer):
    """A model that works in steps, two calls each: a slow one, and a quick one behind it. It never does one twice."""

    def take_turn(self, request: Recorded) -> Turn:
        super().take_turn(request)
        replies = [message for message in request.messages if message.get("tool_calls")]
        step = len(replies)
        if step == STEPS:
            return text("All done.")
        slow = f"sleep 0.03; echo slow{step} >> log"
        return calls(
            ("run_commands", {"commands": [slow]}),
            ("run_commands", {"commands": [f"echo quick{step} >> log"]}),
            text=f"Step {step}.",
        )


def variables_for(server: FakeServer) -> dict[str, str]:
    return {**os.environ, "CLINE_API_KEY": KEY, "CLINE_API_BASE_URL": server.origin}


def begin(server: FakeServer, *argv: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "cline_cli", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables_for(server),
    )


def run_and_kill(server: FakeServer, after_s: float) -> bytes:
    """Return what a run printed until it was killed."""
    with begin(server, "--json", "-y", "work in steps") as process:
        until_s = time.monotonic() + 30
        while not server.requests and time.monotonic() < until_s:
            time.sleep(0.01)
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        stdout, _ = process.communicate(timeout=30)
    return stdout


def acknowledged(stdout: bytes) -> list[str]:
    """Return the ids of the calls that were said to be over."""
    lines = [json.loads(line) for line in stdout.split(b"\n")[:-1]]
    events = [line["event"] for line in lines if line["type"] == "agent_event"]
    return [
        event["toolCallId"] for event in events if (event["type"], event.get("contentType")) == ("content_end", "tool")
    ]


def sessions_of(home: Path) -> list[Path]:
    folder = home / ".local" / "state" / "cline" / "sessions"
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def read_json(path: Path) -> dict[str, object]:
    value = json.loads(path.read_bytes())
    assert isinstance(value, dict)
    return value


def entries_of(session: Path) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", read_json(session / f"{session.name}.messages.json")["messages"])


def blocks_of(session: Path, kind: str) -> list[dict[str, object]]:
    blocks = [block for entry in entries_of(session) for block in cast("list[dict[str, object]]", entry["content"])]
    return [block for block in blocks if block["type"] == kind]


@pytest.mark.parametrize("seed", range(KILLS))
def test_every_step_that_was_told_is_there_when_the_run_was_killed(seed: int, private_home: Path) -> None:
    after_s = random.Random(seed).uniform(0, 1.5)
    with Work(text(""), repeat_last=True) as server:
        told = acknowledged(run_and_kill(server, after_s))
        time.sleep(0.1)  # for the command that goes on without it
        asked = len(server.requests)
        with begin(server, "--continue", "-y", "go on") as process:
            stdout, stderr = process.communicate(timeout=50)
        server.failures[:] = [fault for fault in server.failures if fault != CUT]
    assert (process.returncode, stdout) == (0, b"All done.\n"), stderr
    results = server.requests[asked].results
    assert [identity for identity in told if INTERRUPTED in results.get(identity, INTERRUPTED)] == []
    done = Path("log").read_text().split()
    assert len(done) == len(set(done))  # none was run again
    assert len(done) >= 2 * STEPS - 2
    (session,) = sessions_of(private_home)
    used = [block["id"] for block in blocks_of(session, "tool_use")]
    assert used == [block["tool_use_id"] for block in blocks_of(session, "tool_result")]
    assert len(used) == 2 * STEPS
    assert read_json(session / f"{session.name}.json")["status"] == "completed"


def test_what_was_done_is_there_when_the_run_is_killed_while_another_call_runs(private_home: Path) -> None:
    both = calls(
        ("run_commands", {"commands": ["echo $$ > shell; exec sleep 300"]}),
        ("run_commands", {"commands": ["echo done > quick; echo sa''id"]}),
    )
    with FakeServer(both, text("Went on.")) as server:
        with begin(server, "-y", "do both") as process:
            until_s = time.monotonic() + 30
            while time.monotonic() < until_s and b"said" not in b"".join(records_of(private_home)):
                time.sleep(0.02)
            process.kill()
            process.communicate(timeout=30)
        with suppress(ProcessLookupError):
            os.kill(int(Path("shell").read_text()), signal.SIGKILL)
        with begin(server, "--continue", "-y", "go on") as process:
            stdout, _ = process.communicate(timeout=50)
    assert stdout == b"Went on.\n"
    slow, quick = server.requests[1].results.values()
    assert INTERRUPTED in slow
    assert "said" in quick


def records_of(home: Path) -> list[bytes]:
    return [file.read_bytes() for file in (home / ".local" / "state" / "cline" / "sessions").glob("*/*.jsonl")]


def test_nothing_is_lost_or_mixed_when_many_run_at_once(private_home: Path, cline: RunCline) -> None:
    names = [f"run{number}" for number in range(8)]
    providers = ("cline", "openrouter", "anthropic")

    def ask(name: str) -> str:
        works = calls(("run_commands", {"commands": [f"echo {name} >> {name}"]}))
        with FakeServer(works, text(f"Answer of {name}.")) as server:
            with begin(server, "-y", f"question of {name}") as process:
                stdout, stderr = process.communicate(timeout=50)
        assert process.returncode == 0, stderr
        return stdout.decode()

    def look(_: int) -> list[object]:
        answer = cline("history", "--json", "--limit", "0")
        assert answer.exit_code == 0, answer.stderr
        return cast("list[object]", json.loads(answer.stdout))

    def configure(provider: str) -> int:
        return cline("config", "set", f"providers.{provider}.model", f"model-of-{provider}").exit_code

    with ThreadPoolExecutor(6) as pool:
        answers = pool.map(ask, names)
        looks = pool.map(look, range(3))
        pruned = pool.submit(cline, "history", "prune")
        configured = pool.map(configure, providers)
        assert list(answers) == [f"Answer of {name}.\n" for name in names]
        assert all(len(rows) <= len(names) for rows in looks)
        assert pruned.result().exit_code == 0
        assert list(configured) == [0, 0, 0]
    sessions = sessions_of(private_home)
    assert len(sessions) == len(names)
    for session in sessions:
        name = str(read_json(session / f"{session.name}.json")["prompt"]).removeprefix("question of ")
        assert [block["text"] for block in blocks_of(session, "text")] == [f"question of {name}", f"Answer of {name}."]
    assert {name for name in names if Path(name).read_text() == f"{name}\n"} == set(names)
    models = cline("config", "--json").text
    assert all(f'"model-of-{provider}"' in models for provider in providers)


def test_a_harness_finds_what_it_looks_for_when_it_reads_the_originals_folder(private_home: Path, serve: Serve) -> None:
    (private_home / ".cline" / "data").mkdir(parents=True)
    works = calls(("run_commands", {"commands": ["echo hi"]}), text="I look.")
    _, ask = serve(works, text("Done."))
    assert ask("-y", "do it now").text == "Done.\n"
    (session,) = (private_home / ".cline" / "data" / "sessions").iterdir()
    found = [(entry["role"], [block["type"] for block in entry["content"]]) for entry in entries_of(session)]  # type: ignore[attr-defined]
    assert found == [
        ("user", ["text"]),
        ("assistant", ["text", "tool_use"]),
        ("user", ["tool_result"]),
        ("assistant", ["text"]),
    ]
    replies = [entry for entry in entries_of(session) if entry["role"] == "assistant"]
    for reply in replies:
        metrics = cast("dict[str, float]", reply["metrics"])
        assert (metrics["inputTokens"], metrics["outputTokens"], metrics["cost"]) == (100, 10, 0.001)
        assert reply["modelInfo"] == {"id": "fake/model", "provider": "cline"}
    row = read_json(session / f"{session.name}.json")
    assert (row["session_id"], row["status"], row["exit_code"]) == (session.name, "completed", 0)
    assert row["messages_path"] == str(session / f"{session.name}.messages.json")


def test_a_session_of_the_original_goes_on_when_it_is_named(private_home: Path, serve: Serve) -> None:
    path = make_original(private_home / ".cline" / "data" / "sessions")
    server, ask = serve(text("Went on."))
    result = ask("--id", path.name, "and more")
    assert (result.exit_code, result.text) == (0, "Went on.\n")
    assert "begun in /theirs" in result.stderr
    said = server.requests[0].messages[1:]
    assert [message["role"] for message in said] == ["user", "assistant", "tool", "tool", "user"]
    assert server.requests[0].body["model"] == "vendor/model"
    assert INTERRUPTED in server.requests[0].results["t2"]
    assert entries_of(path)[:3] == MESSAGES
    assert [entry["role"] for entry in entries_of(path)[3:]] == ["user", "user", "assistant"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(kilobytes: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "cline-test", str(folder)]
        if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
            pytest.skip("only root can mount")
        return folder

    yield mount
    subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


@pytest.mark.parametrize("kilobytes", [8, 24, 64, 128])
def test_the_run_is_done_and_the_rest_stays_readable_when_the_disk_fills_up(
    kilobytes: int, small_disk: Callable[[int], Path], serve: Serve, cline: RunCline
) -> None:
    disk = small_disk(kilobytes)
    works = [calls(("run_commands", {"commands": [f"seq 1 {number}000"]}), text="x" * 3000) for number in range(1, 9)]
    _, ask = serve(*works, text("Done."), text("Went on."))
    result = ask("-y", "fill it up", "--data-dir", str(disk))
    assert (result.exit_code, result.text) == (0, "Done.\n")
    complaints = [result.stderr.count(words) for words in ("saved of this run", "are not kept any more")]
    assert max(complaints) == 1
    for file in disk.glob("sessions/*/*.json"):
        read_json(file)
    listed = cline("history", "--json", "--data-dir", str(disk))
    assert listed.exit_code == 0
    rows = json.loads(listed.stdout)
    if rows:
        assert ask("--id", rows[0]["sessionId"], "go on", "--data-dir", str(disk)).text == "Went on.\n"


def test_old_sessions_go_when_a_run_has_ended(private_home: Path, serve: Serve) -> None:
    _, ask = serve(text("One."), text("Two."), text("Three."))
    ask("the first question")
    (old,) = sessions_of(private_home)
    os.utime(old / f"{old.name}.jsonl", (1, 1))
    old.parent.with_name("sessions.pruned").unlink()
    ask("the second question", CLINE_NO_SESSION="1")
    assert old.is_dir()
    ask("the third question")
    assert not old.exists()
    assert len(sessions_of(private_home)) == 1


def test_nothing_is_kept_when_the_settings_say_so(private_home: Path, serve: Serve, cline: RunCline) -> None:
    assert cline("config", "set", "sessions.keep", "false").exit_code == 0
    _, ask = serve(text("One."))
    assert ask("the first question").text == "One.\n"
    assert not (private_home / ".local" / "state" / "cline" / "sessions").exists()


@pytest.mark.parametrize("kind", ["garbage", "newer", "folder", "loop"])
def test_one_clear_line_is_said_and_nothing_changes_when_the_session_cannot_be_used(
    kind: str, private_home: Path, serve: Serve
) -> None:
    server, ask = serve(text("One."))
    ask("the first question")
    (session,) = sessions_of(private_home)
    file = session / f"{session.name}.jsonl"
    content = file.read_bytes()
    match kind:
        case "garbage":
            file.write_bytes(b"\x00\xff garbage\n" + content)
        case "newer":
            file.write_bytes(content.replace(b'"version":1', b'"version":2', 1))
        case "folder":
            file.unlink()
            file.mkdir()
        case "loop":
            file.unlink()
            file.symlink_to(file)
    before = {path.name: path.lstat().st_mtime_ns for path in session.iterdir()}
    result = ask("--id", session.name, "go on")
    assert (result.exit_code, result.stdout) == (2, b"")
    assert result.stderr.startswith("cline: ")
    assert result.stderr.count("\n") == 1
    assert session.name in result.stderr
    assert {path.name: path.lstat().st_mtime_ns for path in session.iterdir()} == before
    assert len(server.requests) == 1


def test_the_same_history_is_sent_when_the_originals_files_were_taken_away(private_home: Path, serve: Serve) -> None:
    server, ask = serve(text("One."), text("Two."))
    ask("the first question")
    (session,) = sessions_of(private_home)
    for name in (f"{session.name}.json", f"{session.name}.messages.json"):
        (session / name).unlink()
    shutil.rmtree(session / "spool", ignore_errors=True)
    assert ask("--continue", "the second question").text == "Two.\n"
    assert [message["content"] for message in server.requests[1].messages[1:]] == [
        "the first question",
        "One.",
        "the second question",
    ]
    assert len(entries_of(session)) == 4
