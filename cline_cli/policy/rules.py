"""What may run, as its owner wrote it: patterns that allow and deny commands, edits and web addresses. Pure.

    "git log *"     a command: * is any characters, ? is one; "rm *" is also "rm"; a lone "rm" denies it with any words
    "edit:src/**"   a file that is changed, by its path in the workspace; "edit" is every file
    "fetch:*.org"   the host of a page that is fetched; "fetch" is every host

Deny wins. Where commands are allowed by patterns, every command of a line has to match one, behind wrappers too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from cline_cli.policy._glob import matches_path
from cline_cli.policy._patterns import Example, Kind, PolicyError, Rule, Verdict

__all__ = ["Example", "Kind", "PolicyError", "Rule", "Rules", "Verdict", "parse_permissions", "parse_rule"]


_PREFIX = re.compile(r"(edit|fetch)(?::|$)")


def parse_rule(text: str, examples: Iterable[Example] = (), *, is_denying: bool = False) -> Rule:
    """Return a pattern as a rule.

    Raises:
        PolicyError: it is none, or one of its examples does not hold.
    """
    if not text.strip():
        raise PolicyError("a pattern is empty")
    if re.search(r"[\0-\x1f\x7f]", text):
        raise PolicyError(f"the pattern {text!r} holds control characters")
    stripped = text.strip()
    match = _PREFIX.match(stripped)
    if match:
        kind: Kind = "edit" if match[1] == "edit" else "fetch"
        rest = stripped[match.end() :].strip() or ("**" if kind == "edit" else "*")
        rule = Rule(kind, rest.removeprefix("./"), stripped)
    else:
        rule = Rule("command", stripped, stripped)
    for example in examples:
        _check(rule, example, is_denying=is_denying)
    return rule


def _check(rule: Rule, example: Example, *, is_denying: bool) -> None:
    """Raises PolicyError."""
    rules = Rules(deny=(rule,)) if is_denying else Rules(allow=(rule,))
    if rule.kind == "edit":
        found = rules.judge_edit(example.line).rule
    elif rule.kind == "fetch":
        found = rules.judge_fetch(example.line).rule
    else:
        verdict = rules.judge_command(example.line)
        found = rule.source if verdict.is_allowed is (not is_denying) else ""
    if bool(found) is not example.matches:
        does = "does not match" if example.matches else "matches"
        raise PolicyError(f"the pattern {rule.source!r} {does} its example {example.line!r}")


class Rules(NamedTuple):
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    allows_redirects: bool | None = None
    """Whether commands may write files with `>`; None leaves that to whether those files may be edited."""
    is_limit: bool = False
    """What no pattern allows is denied, and not asked for: the rules come from whoever runs the job."""
    name: str = "policy"
    """What the rules are called to people: CLINE_COMMAND_PERMISSIONS."""

    def of(self, rules: tuple[Rule, ...], kind: Kind) -> tuple[Rule, ...]:
        return tuple(rule for rule in rules if rule.kind == kind)

    def judge_command(self, line: str) -> Verdict:
        """Return what the rules say of a shell line: refused where it cannot be read."""
        allow, deny = self.of(self.allow, "command"), self.of(self.deny, "command")
        if not allow and not deny and self.allows_redirects is not False:
            return Verdict(None)
        from cline_cli.policy.judging import judge_line  # lazy: 8 ms, and few runs have rules for commands

        return judge_line(line, allow, deny, allows_redirects=self.allows_redirects is not False)

    def judge_edit(self, path: str) -> Verdict:
        """Return what the rules say of a change to a file, named by its path in the workspace, or a whole path."""
        for rule in self.of(self.deny, "edit"):
            if matches_path(rule.pattern, path):
                return Verdict(False, f"{path} may not be changed", rule.source)
        return self._judge_allowed("edit", path)

    def judge_fetch(self, host: str) -> Verdict:
        """Return what the rules say of fetching from a host."""
        for rule in self.of(self.deny, "fetch"):
            if rule.matches_surely(host.lower()):
                return Verdict(False, f"nothing may be fetched from {host}", rule.source)
        return self._judge_allowed("fetch", host.lower())

    def _judge_allowed(self, kind: Kind, what: str) -> Verdict:
        allow = self.of(self.allow, kind)
        for rule in allow:
            is_path = kind == "edit"
            if matches_path(rule.pattern, what) if is_path else rule.matches_surely(what):
                return Verdict(True, "it is allowed", rule.source)
        return Verdict(None, f"{what} matches no pattern that allows it" if allow else "")


def parse_permissions(value: object, name: str) -> Rules:
    """Return the rules of a table: allow, deny, allowRedirects (or allow_redirects).

    A pattern is a string, or a table with `pattern` and its examples `match` and `not_match`.

    Raises:
        PolicyError: it is no such table.
    """
    if not isinstance(value, Mapping):
        raise PolicyError(f"{name} is not an object with allow and deny")
    unknown = set(value) - {"allow", "deny", "allowRedirects", "allow_redirects"}
    if unknown:
        raise PolicyError(f"{name} has an unknown field {sorted(map(str, unknown))[0]!r}")
    redirects = value.get("allowRedirects", value.get("allow_redirects"))
    if redirects is not None and not isinstance(redirects, bool):
        raise PolicyError(f"{name}: allowRedirects is neither true nor false")
    return Rules(
        tuple(_parse_all(value.get("allow"), f"{name}: allow", is_denying=False)),
        tuple(_parse_all(value.get("deny"), f"{name}: deny", is_denying=True)),
        redirects,
        name=name,
    )


def _parse_all(given: object, name: str, *, is_denying: bool) -> Iterator[Rule]:
    """Raises PolicyError."""
    if given is None:
        return
    if not isinstance(given, list | tuple):
        raise PolicyError(f"{name} is not a list of patterns")
    for item in given:
        if isinstance(item, str):
            yield _parse_one(item, (), name, is_denying=is_denying)
        elif isinstance(item, Mapping) and isinstance(item.get("pattern"), str):
            if unknown := set(item) - {"pattern", "match", "not_match"}:
                raise PolicyError(f"{name} has an unknown field {sorted(map(str, unknown))[0]!r}")
            examples = [
                Example(line, field == "match")
                for field in ("match", "not_match")
                for line in _strings(item.get(field), name)
            ]
            yield _parse_one(item["pattern"], examples, name, is_denying=is_denying)
        else:
            raise PolicyError(f"{name} holds {item!r}, which is no pattern")


def _parse_one(text: str, examples: Iterable[Example], name: str, *, is_denying: bool) -> Rule:
    """Raises PolicyError."""
    try:
        return parse_rule(text, examples, is_denying=is_denying)
    except PolicyError as error:
        raise PolicyError(f"{name}: {error}") from None


def _strings(given: object, name: str) -> list[str]:
    lines = [given] if isinstance(given, str) else given or []
    if not isinstance(lines, list | tuple) or not all(isinstance(line, str) for line in lines):
        raise PolicyError(f"{name}: match and not_match are lists of strings")
    return list(lines)
