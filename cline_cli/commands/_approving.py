"""Approvals in a run: the policy judges, the person is asked where it says so, the state before a change is kept."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from cline_cli.agent.approval import Allow, Deny
from cline_cli.agent.messages import JsonObject
from cline_cli.agent.tool import Scope, Tool, ToolError
from cline_cli.commands._changes import Changes
from cline_cli.policy.decide import Action, Policy, propose

Ask = Callable[[Tool, JsonObject, tuple[str, ...]], Awaitable[Allow | Deny]]
"""Puts a question to the person, with what "always" would allow."""


@dataclass(frozen=True, slots=True)
class Approving:
    policy: Policy
    changes: Changes
    ask: Ask
    tell: Callable[[str], Awaitable[None]]

    async def __call__(self, tool: Tool, arguments: JsonObject) -> Allow | Deny:
        """Answer for a call, as the agent asks before it.

        Raises:
            ClineError: the state before it cannot be kept, and the change might have to go back.
        """
        actions = to_actions(tool.scope(arguments))
        verdict = self.policy.judge(actions, changes=tool.spec.effect == "changes")
        if verdict.kind == "deny":
            return Deny(verdict.reason, verdict.told)
        answer: Allow | Deny = Allow(arguments)
        if verdict.kind == "ask":
            answer = await self._put_to_person(tool, arguments, actions)
        if isinstance(answer, Allow) and (told := await self.changes.expect(tool.scope(answer.arguments), self.policy)):
            await self.tell(told)
        return answer

    async def _put_to_person(self, tool: Tool, arguments: JsonObject, actions: tuple[Action, ...]) -> Allow | Deny:
        patterns = dict.fromkeys(propose(action) for action in actions)
        answer = await self.ask(tool, arguments, () if "" in patterns else tuple(patterns))
        if isinstance(answer, Allow) and answer.arguments != arguments:
            return self._judge_edited(tool, answer.arguments)
        if isinstance(answer, Allow) and answer.remembers:
            for pattern in patterns:
                self.policy.remember(pattern)
        return answer

    def _judge_edited(self, tool: Tool, arguments: JsonObject) -> Allow | Deny:
        """Answer for a call as the person wrote it: that is their yes, but what is denied stays so."""
        try:
            arguments = tool.normalize(arguments)
        except ToolError as error:
            return Deny(f"The user edited this call into one that cannot run: {error}")
        verdict = self.policy.judge(to_actions(tool.scope(arguments)), changes=tool.spec.effect == "changes")
        if verdict.kind == "deny":
            return Deny(f"The user edited this call. {verdict.reason}", verdict.told)
        return Allow(arguments)


def to_actions(scope: Scope) -> tuple[Action, ...]:
    """Return what a call would touch in the terms of a policy."""
    return (
        *(Action("command", command) for command in scope.commands),
        *(Action("edit", path) for path in scope.edits),
        *(Action("fetch", host) for host in scope.hosts),
    )
