"""What a tool is given when it is built: where it may work, and the variables of what it starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cline_cli.workspace.confinement import Confinement


class Workplace(NamedTuple):
    confinement: Confinement
    variables: Mapping[str, str]
    """The environment of commands, without keys of ours."""
