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

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from cline_cli.policy.programs import Program, Reading, read_line
from cline_cli.policy.reading import LeadsOutside, only_reads
from cline_cli.policy.rules import Kind, Rule, Rules, iter_targets, parse_rule
from cline_cli.policy.rules import Verdict as Judgement
from cline_cli.policy.shell import UnreadableError

Mode = Literal["act", "plan"]

PLAN_ONLY = "Denied: this is plan mode, where nothing is changed. Do not look for another way; put it into your plan."
NOBODY_TO_ASK = (
    "Denied: nobody is there to approve it. Do not look for another way; finish with what you can do, and say what you"
    " would have done."
)
_BY_SUBCOMMAND = frozenset(
    "git npm pnpm yarn npx cargo go docker kubectl uv poetry pip make gh dotnet mvn bundle composer terraform rake"
    " python python3 apt apt-get brew systemctl sudo node".split()
)
"""Programs that do as many things as they have subcommands: what is allowed of them is one of these."""


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
        if action.kind == "command" and only_reads(action.what, self.leads_outside).only_reads:
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
        return all(one.is_literal and self._may_edit(one.text) for one in iter_targets(read_line(action.what)))

    def _may_edit(self, path: str) -> bool:
        action = Action("edit", path.removeprefix("./"))
        rules = (*self.rules, Rules(allow=tuple(self.remembered)))
        return ".." not in path.split("/") and any(_apply(one, action).is_allowed for one in rules)

    def _judge_targets(self, line: str) -> Verdict | None:
        """Deny what writes a file that may not be changed, as far as that can be read."""
        if not any(rules.of(rules.deny, "edit") for rules in self.rules):
            return None
        try:
            targets = list(iter_targets(read_line(line)))
        except UnreadableError:
            return None
        for target in targets:
            for rules in self.rules:
                judgement = rules.judge_edit(target.text.removeprefix("./"))
                if judgement.is_allowed is False:
                    return _deny_by_rule(rules, judgement)
        return None

    def _judge_plan(self, action: Action) -> Verdict:
        if action.kind == "command":
            finding = only_reads(action.what, self.leads_outside)
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
    try:
        reading = read_line(action.what)
    except UnreadableError:
        return ""
    patterns = {_propose_for(program) for program in _unlisted(reading)}
    return patterns.pop() if len(patterns) == 1 else ""


def _unlisted(reading: Reading) -> list[Program]:
    """Return the programs of a line that somebody has to allow."""
    nothing = Rules(allow=(Rule("command", "\n", ""),))
    return [
        program
        for program in reading.programs
        if nothing.judge_command(" ".join(word.source for word in program.words)).is_allowed is not True
    ]


def _propose_for(program: Program) -> str:
    words = program.words
    start = program.place if program.kind == "transparent" else 0
    chosen = [words[start].text]
    following = words[start + 1 :]
    if chosen[0] in _BY_SUBCOMMAND and following and following[0].is_literal and " " not in following[0].text:
        chosen.append(following[0].text)
    return f"{' '.join(chosen)} *"


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
