from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from cline_cli.config.paths import NOWHERE, Candidate, find_in_platform, find_original, find_paths
from cline_cli.environment import Environment
from cline_cli.errors import UsageError


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


def test_there_is_no_place_when_the_system_does_not_know_the_user() -> None:
    def find(name: str) -> str:
        raise RuntimeError("Could not determine home directory.")

    assert find_in_platform(find) == NOWHERE
    assert not Path(NOWHERE).exists()


@pytest.mark.parametrize("name", ["config", "data_dir"])
def test_a_folder_that_is_named_empty_is_refused_when_a_script_had_none(name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} needs a value"):
        find_paths(environment({}), **{name: ""})


def test_a_folder_is_taken_by_its_name_when_nobody_of_that_name_has_a_home() -> None:
    assert find_paths(environment({}), config="~nobody-of-this-name/c").config == Path("/here/~nobody-of-this-name/c")


def test_the_originals_settings_are_looked_for_where_somebody_says() -> None:
    variables = {"CLINE_PROVIDER_SETTINGS_PATH": "p.json", "CLINE_DATA_DIR": "/data", "CLINE_DIR": "/all"}
    found = find_paths(environment(variables))
    assert found.original_providers == (
        Candidate(Path("/here/p.json"), "$CLINE_PROVIDER_SETTINGS_PATH", is_lasting=False),
        Candidate(Path("/data/settings/providers.json"), "$CLINE_DATA_DIR", is_lasting=False),
        Candidate(Path("/all/data/settings/providers.json"), "$CLINE_DIR"),
    )
    assert [place.path for place in found.original_globals] == [
        Path("/data/settings/global-settings.json"),
        Path("/all/data/settings/global-settings.json"),
    ]


def test_the_originals_settings_are_looked_for_where_the_flags_say() -> None:
    found = find_paths(environment({}), config="/all", data_dir="/data")
    assert [place.reason for place in found.original_providers] == ["--data-dir", "--config"]
    assert find_paths(environment({})).original_providers == ()


def test_the_first_file_of_the_original_that_exists_counts(tmp_path: Path) -> None:
    in_home = tmp_path / ".cline" / "data" / "settings" / "providers.json"
    named = Candidate(tmp_path / "named.json", "$X")
    missing = find_original([named], tmp_path)
    assert missing
    assert (missing.path, missing.exists) == (in_home, False)
    in_home.parent.mkdir(parents=True)
    in_home.touch()
    assert find_original([named], tmp_path) == Candidate(in_home, "the original command's folder")
    named.path.touch()
    assert find_original([named], tmp_path) == named
    assert find_original([], None) is None
