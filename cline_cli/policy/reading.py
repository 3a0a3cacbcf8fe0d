"""The commands that only read the workspace, so that nobody need be asked about them. Pure.

A program is on the list with the options that make it write or start something; those, and every option that may be an
abbreviation of one, are not read-only. A path that leads out of the workspace is not the workspace, and what is only
known when the line runs is not read at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import chain, dropwhile
from typing import NamedTuple

from cline_cli.policy.judging import iter_targets, shorten
from cline_cli.policy.programs import Program, Reading, read_line
from cline_cli.policy.shell import HOLE, WILD, Simple, UnreadableError, Word

LeadsOutside = Callable[[str], bool]
"""Whether a path, as it stands in a command in the workspace folder, leads out of what may be read. May hold `*`."""

_NOTHING = re.compile(r"(?!)")
_FILES_FROM = r"--f.*"
_GIT_COMMANDS = frozenset("diff log show status blame ls-files rev-parse describe shortlog ls-tree cat-file".split())
_GIT_HARMLESS = frozenset({"--no-pager", "-P", "--no-optional-locks"})
_GIT_FORBIDDEN = re.compile(
    r"--(?:o|ou|out.*|e|ex|ext.*|te|tex.*|conte.*|no-i.*)(?:=.*)?|-O.*|--filt.*|--batch.*|--show-s.*|--help|-h|.*%G.*"
)
"""--output, --ext-diff, --textconv, --contents, --no-index, and what git takes for an abbreviation of them."""
_PROGRAMS: Mapping[str, re.Pattern[str]] = {
    name: re.compile(pattern) if pattern else _NOTHING
    for name, pattern in {
        "basename": "",
        "cat": "",
        "cd": "",
        "cmp": "",
        "column": "",
        "comm": "",
        "cut": "",
        "dirname": "",
        "du": rf"{_FILES_FROM}|-(?!-).*[XLD].*|--exclude-from.*|--de.*",
        "echo": "",
        "egrep": r"-(?!-).*[Rf].*|--de.*|--file.*|--exclude-from.*",
        "false": "",
        "fgrep": r"-(?!-).*[Rf].*|--de.*|--file.*|--exclude-from.*",
        "file": r"-(?!-).*[Cfm].*|--co.*|--f.*|--mag.*",
        "find": r"-(?:exec|execdir|ok|okdir|delete|fprint0?|fprintf|fls|files0-from|L|follow)",
        "grep": r"-(?!-).*[Rf].*|--de.*|--file.*|--exclude-from.*",
        "head": "",
        "ls": r"-(?!-).*[LH].*|--de.*",
        "md5sum": r"-(?!-).*c.*|--c.*",
        "nl": "",
        "printf": r"-v.*",
        "pwd": "",
        "rg": r"--pre.*|--hostname-bin.*|-(?!-).*[zfL].*|--search-zip|--file|--file=.*|--ignore-file.*|--follow",
        "sha256sum": r"-(?!-).*c.*|--c.*",
        "sort": rf"-(?!-).*[oT].*|--o.*|--co.*|--t.*|{_FILES_FROM}",
        "stat": "",
        "tail": r"-(?!-).*[fF].*|--f.*|--retry|--pid.*",
        "test": r"-v|-R",
        "[": r"-v|-R",
        "tr": "",
        "uniq": "",
        "tree": r"-(?!-).*[olR].*|--fromfile.*|--output.*",
        "true": "",
        "type": "",
        "uname": "",
        "wc": _FILES_FROM,
        "which": "",
    }.items()
}
_TEXT_FIRST = frozenset({"grep", "egrep", "fgrep", "rg"})
"""Their first operand is a pattern and not a path, where no option gave one."""
_WITHOUT_DANGER = frozenset({"cat", "head", "ls", "echo", "stat", "nl"})
"""Programs that have no option that does more than read."""
_TEXTS_ONLY = frozenset({"echo", "printf", "tr", "true", "false", "which", "type", "uname"})
_HARMLESS_VARIABLES = frozenset({"LC_ALL", "LANG", "TZ", "COLUMNS", "LC_COLLATE", "LC_CTYPE"})


class Finding(NamedTuple):
    only_reads: bool
    reason: str = ""


def only_reads(line: str, leads_outside: LeadsOutside) -> Finding:
    """Return whether a shell line does nothing but read what may be read, and if not, why."""
    try:
        if "[[" in line:
            return Finding(False, "it tests with [[ ]]")
        reading = read_line(line)
        if reading.script.computes:
            return Finding(False, "it calculates")
        check = _follow(line, reading, leads_outside)
    except UnreadableError as error:
        return Finding(False, f"it cannot be read: {error}")
    if not reading.programs:
        return Finding(False, "it runs no program")
    if target := next(iter_targets(reading), None):
        return Finding(False, f"it writes {target.source}")
    beside = (_find_fault_beside(simple, check) for simple in reading.script.commands)
    faults = (_find_fault(program, check) for program in reading.all())
    reason = next(filter(None, chain(beside, faults)), "")
    return Finding(not reason, reason)


def _find_fault_beside(simple: Simple, leads_outside: LeadsOutside) -> str:
    """Return what a command reads or sets beside its program that is more than reading; empty for nothing."""
    for name, value in simple.assignments:
        if name not in _HARMLESS_VARIABLES and not (value.source == "for" and name.islower()):
            return f"it sets {name}"
    for redirect in simple.redirects:
        if redirect.operator == "<" and _leads(redirect.target, leads_outside):
            return f"it reads {redirect.target.source}"
    if simple.words and simple.words[0].text == "uniq" and len(_operands_of_uniq(simple.words[1:])) > 1:
        return "uniq writes its second file"
    return ""


def _operands_of_uniq(words: tuple[Word, ...]) -> list[str]:
    texts = [word.text for word in words]
    before = texts[: texts.index("--")] if "--" in texts else texts
    behind = texts[len(before) + 1 :]
    numbers = {at + 1 for at, text in enumerate(before) if text in {"-f", "-s", "-w"}}
    options = (at for at, text in enumerate(before) if text.startswith("-") and text != "-")
    skipped = {*options, *(at for at in numbers if at < len(before) and before[at].isdecimal())}
    return [text for at, text in enumerate(before) if at not in skipped] + behind


def _follow(line: str, reading: Reading, leads_outside: LeadsOutside) -> LeadsOutside:
    """Return the check of paths for a line that may go to another folder first: a path may be meant here or there.

    Raises:
        UnreadableError: where it goes cannot be told.
    """
    moves = [program for program in reading.all() if program.name == "cd"]
    if not moves:
        return leads_outside
    if any(program.name == "git" for program in reading.all()):
        raise UnreadableError("the repository of another folder could have git start something")
    if re.search(r"\b(?:for|while|until|select|function)\b|\(\s*\)", line):
        raise UnreadableError("it may go to a folder more than once")
    if len(moves) > 1 or len(moves[0].words) != 2 or not moves[0].words[1].is_literal:
        raise UnreadableError("it goes to a folder that cannot be told")
    folder = moves[0].words[1].text
    if folder.startswith("-"):
        raise UnreadableError("it goes back to a folder")
    return lambda path: leads_outside(path) or leads_outside(f"{folder}/{path}")


def _leads(word: Word, leads_outside: LeadsOutside) -> bool:
    """Return whether a word is, or may turn out to be, a path that leads outside."""
    if HOLE in word.text:
        return True
    return leads_outside(word.text.replace(WILD, "*"))


def _find_fault(program: Program, leads_outside: LeadsOutside) -> str:
    """Return why a program does more than read; empty where it does not."""
    words = program.words[1:]
    forbidden = _PROGRAMS.get(program.name)
    if program.inner or program.words[0].text != program.name:
        return f"{shorten(program)} may do anything"
    if program.name == "git":
        words = tuple(dropwhile(lambda word: word.text in _GIT_HARMLESS, words))
        if not words or words[0].text not in _GIT_COMMANDS:
            return f"{shorten(program)} may change something"
        forbidden, words = _GIT_FORBIDDEN, words[1:]
    if forbidden is None:
        return f"{program.name} is not known to only read"
    for word in words:
        if fault := _find_unknown(program.name, word):
            return fault
        if word.text.startswith("-") and forbidden.fullmatch(word.text):
            return f"{program.name} {word.source} does more than read"
    if program.name in _TEXTS_ONLY:
        words = tuple(word for word in words if WILD in word.text)
    first = _find_pattern(words) if program.name in _TEXT_FIRST else None
    return next((fault for word in words if word is not first and (fault := _find_path(word, leads_outside))), "")


def _find_unknown(name: str, word: Word) -> str:
    """Return why it cannot be told what a word will be: names of files can look like options."""
    if HOLE in word.text:
        return f"{word.source} is only known when it runs"
    if WILD not in word.text:
        return ""
    may_be_option = word.text.startswith((WILD, "-")) and name not in _WITHOUT_DANGER
    if may_be_option or "[" in word.source or name == "uniq":
        return f"{name} may take a file of {word.source} for something else"
    return ""


def _find_pattern(words: tuple[Word, ...]) -> Word | None:
    """Return the operand that is a pattern and no path; None where an option gives it, or there is none."""
    if any(re.match(r"-(?!-).*e|--re|--files|--type-list", word.text) for word in words):
        return None
    texts = [word.text for word in words]
    if "--" in texts:
        before = [word for word in words[: texts.index("--")] if not word.text.startswith("-")]
        return (*before, *words[texts.index("--") + 1 :], None)[0]
    return next((word for word in words if not word.text.startswith("-")), None)


def _find_path(word: Word, leads_outside: LeadsOutside) -> str:
    if HOLE in word.text:
        return f"{word.source} is only known when it runs"
    return f"{word.source} leads out of the workspace" if _may_lead_outside(word, leads_outside) else ""


def _may_lead_outside(word: Word, leads_outside: LeadsOutside) -> bool:
    """Look at a word and at what may be a path in it: `--file=/x`, `-f/x`, `HEAD:../x`."""
    text = word.text.replace(WILD, "*")
    candidates = {text, text.partition("=")[2], text.partition(":")[2]}
    if text.startswith("-"):
        candidates.add(text[2:])
    return any(leads_outside(one) for one in candidates if one and not one.startswith("-"))
