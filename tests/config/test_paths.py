from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cline_cli.config.paths import find_paths
from cline_cli.environment import Environment


def environment(variables: Mapping[str, str], home: Path | None = Path("/home/ada")) -> Environment:
    return Environment(variables, Path("/here"), home, None, None, None, False, False, False)


@pytest.mark.parametrize(
    ("flag", "variables", "folder"),
    [
        ("F", {"CLINE_CONFIG": "C", "CLINE_DIR": "D"}, "/here/F"),
        (None, {"CLINE_CONFIG": "C", "CLINE_DIR": "D"}, "/here/C"),
        (None, {"CLINE_DIR": "/D"}, "/D"),
    ],
)
def test_the_settings_lie_where_it_is_said_first(flag: str | None, variables: dict[str, str], folder: str) -> None:
    assert find_paths(environment(variables), config=flag).config == Path(folder)


def test_the_state_lies_where_it_is_said() -> None:
    found = find_paths(environment({"CLINE_DATA_DIR": "D"}), data_dir="F")
    assert (found.state, found.reasons["state"]) == (Path("/here/F"), "--data-dir")
    assert find_paths(environment({"CLINE_DATA_DIR": "D"})).state == Path("/here/D")


def test_the_folder_of_the_original_is_used_when_it_is_there(tmp_path: Path) -> None:
    (tmp_path / ".cline" / "data").mkdir(parents=True)
    assert find_paths(environment({}, tmp_path)).state == tmp_path / ".cline" / "data"


@pytest.mark.parametrize(
    ("home", "variables", "is_homeless"),
    [
        (Path("/home/ada"), {}, False),
        (None, {}, True),
        (None, {"XDG_STATE_HOME": "/state"}, False),
        (None, {"CLINE_DATA_DIR": "/state"}, False),
    ],
)
def test_no_place_is_guessed_when_there_is_no_home(
    home: Path | None, variables: dict[str, str], is_homeless: bool
) -> None:
    assert find_paths(environment(variables, home)).is_homeless == is_homeless
