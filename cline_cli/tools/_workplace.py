"""What a tool is given when it is built: where it may work, and the variables of what it starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Tool
from cline_cli.workspace.confinement import Confinement


class Workplace(NamedTuple):
    confinement: Confinement
    variables: Mapping[str, str]
    """The environment of commands, without keys of ours."""


class LocalTool(Tool, Protocol):
    """A tool of this room: it also says what a call means, in whatever form it was written."""

    def normalize(self, arguments: JsonObject) -> JsonObject:
        """Return the same call in the form of the tool's schema, for whoever has to judge or to show it.

        Raises:
            ToolError: it cannot be told what is meant.
        """
        ...
