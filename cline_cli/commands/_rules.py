"""The rules of a run: those of the environment, of the settings and of the command line, each read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from cline_cli.commands._given import Given
from cline_cli.config.settings import PolicySettings, Settings
from cline_cli.errors import UsageError
from cline_cli.policy.rules import PolicyError, Rules, parse_permissions, parse_rule

VARIABLE: Final = "CLINE_COMMAND_PERMISSIONS"
FORM: Final = 'It is of the form {"allow": ["git *"], "deny": ["rm *"], "allowRedirects": false}'


def read_rules(given: Given, settings: Settings, variables: Mapping[str, str]) -> tuple[Rules, ...]:
    """Return all rules that are in force, none where there are none.

    Raises:
        UsageError: one is no rule, or does not do what its examples say.
    """
    try:
        found = (_from_variable(variables.get(VARIABLE, "")), _from_settings(settings.policy), _from_options(given))
    except PolicyError as error:
        raise UsageError(f"a policy cannot be used: {error}", "Nothing runs without it") from None
    return tuple(rules for rules in found if rules is not None)


def _from_variable(text: str) -> Rules | None:
    """Read what the original command reads: it limits commands, and redirects are off unless allowed."""
    if not text.strip():
        return None
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        cause = error.msg if isinstance(error, json.JSONDecodeError) else "it is nested too deeply"
        raise UsageError(f"{VARIABLE} is not valid JSON: {cause}", FORM) from None
    try:
        rules = parse_permissions(value, VARIABLE)
    except PolicyError as error:
        raise UsageError(str(error), FORM) from None
    if any(rule.kind != "command" for rule in (*rules.allow, *rules.deny)):
        raise UsageError(f"{VARIABLE} governs commands only", "--allow and --deny take edit: and fetch:")
    return rules._replace(allows_redirects=bool(rules.allows_redirects), is_limit=True)


def _from_settings(policy: PolicySettings) -> Rules | None:
    table = {"allow": json.loads(policy.allow), "deny": json.loads(policy.deny)}
    rules = parse_permissions(table, "policy")._replace(allows_redirects=policy.allow_redirects, name="the policy")
    return rules if rules.allow or rules.deny or rules.allows_redirects is not None else None


def _from_options(given: Given) -> Rules | None:
    allow = tuple(parse_rule(text) for text in given.texts("allow"))
    deny = tuple(parse_rule(text, is_denying=True) for text in given.texts("deny"))
    return Rules(allow, deny, name="--allow and --deny") if allow or deny else None
