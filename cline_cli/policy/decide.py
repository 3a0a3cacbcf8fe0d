"""Whether a tool call runs, is asked for, or is denied. The table of approvals:

                    reads the workspace    changes something
--plan              runs                   is denied
-y, --auto-approve  runs                   runs
interactive         runs                   is asked for
otherwise           runs                   is denied

Rules go before the table: what they deny never runs, what they allow needs no question, and where they list what
commands (edits, hosts) are allowed, -y allows no others. A shell line reads the workspace where `reading` says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from cline_cli.policy.rules import Kind, Rule, Rules, parse_rule
from cline_cli.policy.rules import Verdict as Judgement

if TYPE_CHECKING:  # lazy: as below
    from cline_cli.policy.reading import Finding

LeadsOutside = Callable[[str], bool]
"""Whether a path, as it stands in a command in the workspace folder, leads out of what may be read. May hold `*`."""
Mode = Literal["act", "plan"]

PLAN_ONLY = "Denied: this is plan mode, where nothing is changed. Do not look for another way; put it into your plan."
NOBODY_TO_ASK = (
    "Denied: nobody is there to approve it. Do not look for another way; finish with what you can do, and say what you"
    " would have done."
)


class Verdict(NamedTuple):
    kind: Literal["allow", "ask", "deny"]
    reason: str = ""
    """Why it is denied, for the model."""
    told: str = ""
    """The same for people."""


class Action(NamedTuple):
    """What a call would do, in the terms of rules."""

    kind: Kind
    what: str
    """A shell line; a file, by its path in the workspace or a whole path; a host."""


@dataclass(slots=True)
class Policy:
    mode: Mode = "act"
    auto_approve: bool = False
    is_interactive: bool = False
    rules: tuple[Rules, ...] = ()
    """Those of the environment, of the settings, of the command line: each may deny, and each may limit."""
    leads_outside: LeadsOutside = lambda _: True
    remembered: list[Rule] = field(default_factory=list)
    """What was answered with "always" in this session."""

    def judge(self, actions: tuple[Action, ...], *, changes: bool = True) -> Verdict:
        """Judge one call by all that it would do."""
        if not actions:
            return self._settle(changes=changes)
        verdicts = [self._judge_one(action) for action in actions]
        order = {"deny": 0, "ask": 1, "allow": 2}
        return min(verdicts, key=lambda verdict: order[verdict.kind])

    def may_ever(self, kind: Kind) -> bool:
        """Whether there is any call of this kind that could run, so that a tool for it is of use."""
        if any(rule.source in {"edit", "fetch"} for rules in self.rules for rule in rules.of(rules.deny, kind)):
            return False
        if kind == "command":
            return True
        if kind == "edit" and self.mode == "plan":
            return False
        has_rule = any(rules.of(rules.allow, kind) for rules in self.rules)
        return self.auto_approve or self.is_interactive or has_rule

    def allows_host(self, host: str) -> bool:
        """Whether a rule names this very host: then it may be one of a private network."""
        return any(rule.pattern == host for rules in self.rules for rule in rules.of(rules.allow, "fetch"))

    def remember(self, pattern: str) -> None:
        """Allow what matches for the rest of this session.

        Raises:
            PolicyError: it is no pattern.
        """
        self.remembered.append(parse_rule(pattern))

    def _judge_one(self, action: Action) -> Verdict:
        judgements = [(rules, _apply(rules, action)) for rules in self.rules]
        if denied := self._judge_by_rules(judgements, action):
            return denied
        if self.mode == "plan" and action.kind != "fetch":
            return self._judge_plan(action)
        if self.auto_approve or self._is_allowed(judgements, action):
            return Verdict("allow")
        if action.kind == "command" and _reads(action.what, self.leads_outside).only_reads:
            return Verdict("allow")
        return self._settle(action)

    def _judge_by_rules(self, judgements: list[tuple[Rules, Judgement]], action: Action) -> Verdict | None:
        """Return a denial where a rule denies, or what is not listed is denied."""
        for rules, judgement in judgements:
            if judgement.is_allowed is False:
                return _deny_by_rule(rules, judgement)
        for rules, judgement in judgements:
            has_list = bool(rules.of(rules.allow, action.kind))
            if judgement.is_allowed is None and has_list and (rules.is_limit or self._is_limited(judgements, action)):
                return _deny_by_rule(rules, judgement)
        return self._judge_targets(action.what) if action.kind == "command" else None

    def _is_limited(self, judgements: list[tuple[Rules, Judgement]], action: Action) -> bool:
        """With -y a list of what is allowed is all that is allowed; without, the rest is asked for."""
        is_listed = any(judgement.is_allowed for _, judgement in judgements)
        return self.auto_approve and self.mode == "act" and not is_listed and not self._is_remembered(action)

    def _is_remembered(self, action: Action) -> bool:
        return bool(_apply(Rules(allow=tuple(self.remembered)), action).is_allowed)

    def _is_allowed(self, judgements: list[tuple[Rules, Judgement]], action: Action) -> bool:
        """Whether a rule allows it, and the files that it writes beside."""
        is_listed = any(judgement.is_allowed for _, judgement in judgements) or self._is_remembered(action)
        if not is_listed or action.kind != "command":
            return is_listed
        if any(rules.allows_redirects for rules in self.rules):
            return True
        return all(target is not None and self._may_edit(target) for target in _targets(action.what))

    def _may_edit(self, path: str) -> bool:
        action = Action("edit", path.removeprefix("./"))
        rules = (*self.rules, Rules(allow=tuple(self.remembered)))
        return ".." not in path.split("/") and any(_apply(one, action).is_allowed for one in rules)

    def _judge_targets(self, line: str) -> Verdict | None:
        """Deny what writes a file that may not be changed, as far as that can be read."""
        if not any(rules.of(rules.deny, "edit") for rules in self.rules):
            return None
        for target in filter(None, _targets(line)):
            for rules in self.rules:
                judgement = rules.judge_edit(target.removeprefix("./"))
                if judgement.is_allowed is False:
                    return _deny_by_rule(rules, judgement)
        return None

    def _judge_plan(self, action: Action) -> Verdict:
        if action.kind == "command":
            finding = _reads(action.what, self.leads_outside)
            if finding.only_reads:
                return Verdict("allow")
            return Verdict("deny", f"{PLAN_ONLY} ({finding.reason}.)", "plan mode changes nothing")
        return Verdict("deny", PLAN_ONLY, "plan mode changes nothing")

    def _settle(self, action: Action | None = None, *, changes: bool = True) -> Verdict:
        """Judge by how the run was started alone."""
        if not changes:
            return Verdict("allow")
        if self.mode == "plan" and (action is None or action.kind != "fetch"):
            return Verdict("deny", PLAN_ONLY, "plan mode changes nothing")
        if self.auto_approve:
            return Verdict("allow")
        if self.is_interactive:
            return Verdict("ask")
        pattern = propose(action) if action else ""
        way = f"--allow '{pattern}' or -y lets it run" if pattern and "'" not in pattern else "-y lets it run"
        return Verdict("deny", NOBODY_TO_ASK, f"nobody is there to approve it; {way}")


def propose(action: Action) -> str:
    """Return a pattern that allows an action and those like it; empty where none does."""
    if action.kind != "command":
        return f"{action.kind}:{action.what}"
    from cline_cli.policy.judging import propose as propose_for  # lazy: 8 ms, and few calls are asked for

    return propose_for(action.what)


def _reads(line: str, leads_outside: LeadsOutside) -> Finding:
    from cline_cli.policy.reading import only_reads  # lazy: 10 ms, and with -y no command is looked at so

    return only_reads(line, leads_outside)


def _targets(line: str) -> list[str | None]:
    """Return the files that a line writes with redirections, None for one that is only known when it runs.

    A line that cannot be read writes none that could be told.
    """
    from cline_cli.policy.judging import find_targets  # lazy: as above

    return find_targets(line)


def _apply(rules: Rules, action: Action) -> Judgement:
    if action.kind == "command":
        return rules.judge_command(action.what)
    return rules.judge_edit(action.what) if action.kind == "edit" else rules.judge_fetch(action.what)


def _deny_by_rule(rules: Rules, judgement: Judgement) -> Verdict:
    by = f" ({judgement.rule})" if judgement.rule else ""
    return Verdict(
        "deny",
        f"Denied by {rules.name}: {judgement.reason}{by}. Do not look for another way.",
        f"{rules.name}: {judgement.reason}{by}",
    )
