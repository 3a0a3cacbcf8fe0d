from __future__ import annotations

from itertools import product

import pytest

from cline_cli.policy.decide import Action, Mode, Policy, Verdict, propose
from cline_cli.policy.rules import Rules, parse_rule

MODES: tuple[Mode, ...] = ("act", "plan")
TEST = Action("command", "pytest -q")
LOOK = Action("command", "git status && git diff | head -5")
EDIT = Action("edit", "src/a.py")
FETCH = Action("fetch", "docs.example.org")


def rules(allow: tuple[str, ...] = (), deny: tuple[str, ...] = (), *, is_limit: bool = False) -> Rules:
    allowing = tuple(parse_rule(text) for text in allow)
    return Rules(allowing, tuple(parse_rule(text, is_denying=True) for text in deny), is_limit=is_limit)


def policy(*given: Rules, mode: Mode = "act", auto_approve: bool = False, is_interactive: bool = False) -> Policy:
    return Policy(mode, auto_approve, is_interactive, given, leads_outside=lambda path: path.startswith("/"))


def judge(*actions: Action, by: Policy, changes: bool = True) -> str:
    return by.judge(actions, changes=changes).kind


@pytest.mark.parametrize(("mode", "auto_approve", "is_interactive"), list(product(MODES, (True, False), (True, False))))
def test_a_call_that_only_reads_always_runs(mode: Mode, auto_approve: bool, is_interactive: bool) -> None:
    given = policy(mode=mode, auto_approve=auto_approve, is_interactive=is_interactive)
    assert judge(by=given, changes=False) == "allow"
    assert judge(LOOK, by=given) == "allow"


@pytest.mark.parametrize("action", [TEST, EDIT])
@pytest.mark.parametrize(
    ("mode", "auto_approve", "is_interactive", "kind"),
    [
        ("act", True, True, "allow"),
        ("act", True, False, "allow"),
        ("act", False, True, "ask"),
        ("act", False, False, "deny"),
        ("plan", True, True, "deny"),
        ("plan", True, False, "deny"),
        ("plan", False, True, "deny"),
        ("plan", False, False, "deny"),
    ],
)
def test_a_call_that_changes_something_is_judged_by_how_the_run_was_started(
    action: Action, mode: Mode, auto_approve: bool, is_interactive: bool, kind: str
) -> None:
    verdict = policy(mode=mode, auto_approve=auto_approve, is_interactive=is_interactive).judge((action,))
    assert verdict.kind == kind
    assert bool(verdict.reason) == bool(verdict.told) == (kind == "deny")


def test_what_changes_something_without_saying_what_is_judged_likewise() -> None:
    assert judge(by=policy(auto_approve=True)) == "allow"
    assert judge(by=policy(is_interactive=True)) == "ask"
    assert judge(by=policy()) == "deny"
    assert judge(by=policy(auto_approve=True, mode="plan")) == "deny"


@pytest.mark.parametrize("auto_approve", [True, False])
def test_what_is_denied_never_runs(auto_approve: bool) -> None:
    given = policy(rules(("pytest *",), ("pytest --pdb*", "edit:*.lock")), auto_approve=auto_approve)
    assert judge(TEST, by=given) == "allow"
    assert judge(Action("command", "cd x; timeout 9 pytest --pdb"), by=given) == "deny"
    assert judge(Action("edit", "web/package.lock"), by=given) == "deny"
    assert judge(Action("command", "pytest > x.lock"), by=given) == "deny"


def test_one_part_that_is_denied_denies_the_whole_call() -> None:
    assert judge(TEST, Action("command", "rm x"), by=policy(rules((), ("rm *",)), auto_approve=True)) == "deny"


def test_what_is_allowed_runs_without_being_asked_for() -> None:
    given = policy(rules(("pytest *", "edit:src/**", "fetch:*.example.org")))
    assert [judge(action, by=given) for action in (TEST, EDIT, FETCH, LOOK)] == ["allow"] * 4
    assert judge(Action("command", "make"), by=given) == "deny"
    assert judge(Action("edit", "Makefile"), by=given) == "deny"
    assert judge(Action("fetch", "example.com"), by=given) == "deny"
    asked = policy(rules(("pytest *",)), is_interactive=True)
    assert (judge(TEST, by=asked), judge(EDIT, by=asked)) == ("allow", "ask")


def test_with_leave_for_everything_a_list_is_all_that_may_run() -> None:
    given = policy(rules(("pytest *",)), auto_approve=True)
    assert judge(TEST, by=given) == "allow"
    assert judge(Action("command", "make"), by=given) == "deny"
    assert judge(LOOK, by=given) == "deny"
    assert judge(EDIT, by=given) == "allow", "a list of commands says nothing of edits"


def test_a_limit_denies_where_somebody_could_be_asked() -> None:
    given = policy(rules(("pytest *",), is_limit=True), is_interactive=True)
    assert judge(TEST, by=given) == "allow"
    assert judge(Action("command", "make"), by=given) == "deny"
    assert judge(LOOK, by=given) == "deny"


def test_a_limit_is_no_leave_for_another_rules_commands() -> None:
    both = policy(rules(("git *", "make *"), is_limit=True), rules(("make *", "npm *")), auto_approve=True)
    assert judge(Action("command", "make"), by=both) == "allow"
    assert judge(Action("command", "npm test"), by=both) == "deny"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("pytest > out.txt", "deny"),
        ("pytest > build/out.txt", "allow"),
        ("pytest > build/../src/a.py", "deny"),
        ('pytest > "$F"', "deny"),
        ("pytest > /dev/null 2>&1", "allow"),
    ],
)
def test_a_redirection_is_an_edit_of_its_file(line: str, kind: str) -> None:
    assert judge(Action("command", line), by=policy(rules(("pytest *", "edit:build/**")))) == kind


def test_always_holds_for_what_is_like_it() -> None:
    given = policy(is_interactive=True)
    action = Action("command", "npm run build -- --fast")
    assert judge(action, by=given) == "ask"
    given.remember(propose(action))
    assert judge(action, by=given) == judge(Action("command", "npm run test"), by=given) == "allow"
    assert judge(Action("command", "npm publish"), by=given) == "ask"


@pytest.mark.parametrize(
    ("action", "pattern"),
    [
        (TEST, "pytest *"),
        (Action("command", "cd web && npm test -- -u"), "npm test *"),
        (Action("command", "timeout 60 cargo build --release"), "cargo build *"),
        (Action("command", "make && rm -r out"), ""),
        (Action("command", "$X y"), ""),
        (EDIT, "edit:src/a.py"),
        (FETCH, "fetch:docs.example.org"),
    ],
)
def test_a_pattern_is_proposed_that_allows_it(action: Action, pattern: str) -> None:
    assert propose(action) == pattern
    if pattern:
        assert judge(action, by=policy(rules((pattern,)))) == "allow"


def test_a_denial_names_what_would_let_it_pass() -> None:
    verdict = policy().judge((TEST,))
    assert verdict.told == "nobody is there to approve it; --allow 'pytest *' or -y lets it run"
    assert policy().judge((Action("command", "a; b"),)).told == "nobody is there to approve it; -y lets it run"


def test_a_denial_by_a_rule_names_the_rule() -> None:
    verdict = policy(rules((), ("git push *",)), auto_approve=True).judge((Action("command", "make && git push"),))
    assert verdict == Verdict(
        "deny",
        "Denied by policy: git push is denied (git push *). Do not look for another way.",
        "policy: git push is denied (git push *)",
    )


@pytest.mark.parametrize(
    ("given", "offered"),
    [
        (policy(), {"command"}),
        (policy(auto_approve=True), {"command", "edit", "fetch"}),
        (policy(is_interactive=True), {"command", "edit", "fetch"}),
        (policy(is_interactive=True, mode="plan"), {"command", "fetch"}),
        (policy(rules(("edit:docs/**",))), {"command", "edit"}),
        (policy(rules((), ("edit",)), auto_approve=True), {"command", "fetch"}),
    ],
)
def test_what_could_never_run_is_told_apart(given: Policy, offered: set[str]) -> None:
    assert {kind for kind in ("command", "edit", "fetch") if given.may_ever(kind)} == offered
