"""What git starts: its own commands apart, what its options and settings name. Pure."""

from __future__ import annotations

import re

from cline_cli.policy._words import HOLE, UnreadableError, Word

HARMLESS_SETTING = re.compile(
    r"(?:user|color|advice|column|init|safe|http|protocol|gc|pack|fetch|push|pull|merge|rerere|status|branch|log)\.[\w.-]+=[^!]*"
    r"|core\.hookspath=/dev/null|core\.editor=(?:true|:)|core\.fsmonitor=(?:false|0)"
    r"|core\.(?:quotepath|autocrlf|filemode|safecrlf|longpaths|ignorecase|abbrev|bigfilethreshold|pager=(?:cat)?)\b.*"
    r"|(?:commit|tag)\.gpgsign=\w*|diff\.(?:noprefix|renames|renamelimit)=\w*",
    re.IGNORECASE,
)
_RUNNING = re.compile(r"--(?:config-env|exec-path=|upl|rec(?!u)|open)|ext::")
"""Options whose value git runs, by their shortest beginnings; and a remote that is a command."""
_STARTING = re.compile(r"(?:-x|--exec?|--extc?m?d?)(?:(=)(.*))?|-x(.+)", re.DOTALL)
_ANYTHING = Word(HOLE, "...")


def check_options(words: tuple[Word, ...]) -> None:
    """Look at what git is told.

    Raises:
        UnreadableError: it could run something that is not read.
    """
    texts = [word.text for word in words]
    greps, clones = "grep" in texts, "clone" in texts
    for option, value in zip(texts, (*texts[1:], HOLE), strict=True):
        if option == "-c" and not HARMLESS_SETTING.fullmatch(value):
            raise UnreadableError("a setting given to git could run something")
        is_pager = greps and option.startswith("-O") and option != "-O"
        if is_pager or _RUNNING.match(option) or (clones and option == "-u"):
            raise UnreadableError(f"git {option} is not read")
    if "filter-branch" in texts:
        raise UnreadableError("git filter-branch is not read")


def find_started(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Return the words of a script that git gives to a shell; none where there is no such script."""
    texts = [word.text for word in words]
    started: tuple[Word, ...] = ()
    if "foreach" in texts:
        started = tuple(word for word in words[texts.index("foreach") + 1 :] if not word.text.startswith("-"))
    for option, word in zip(texts, (*words[1:], _ANYTHING), strict=True):
        if match := _STARTING.fullmatch(option):
            attached = match[2] if match[1] else match[3]
            started = (word,) if attached is None else (Word(attached, ""),)
    return started


def find_bisected(words: tuple[Word, ...]) -> tuple[Word, ...]:
    """Return the words of the program that `git bisect run` starts; none where it is something else."""
    texts = [word.text for word in words]
    if "bisect" not in texts or "run" not in texts:
        return ()
    return words[texts.index("run") + 1 :] or (_ANYTHING,)


def sets_something(texts: list[str]) -> bool:
    """Return whether the words behind `git` give it a setting for good that could run something."""
    if "config" not in texts:
        return False
    given = [text for text in texts[texts.index("config") + 1 :] if not text.startswith("-")]
    given = given[1:] if given[:1] in (["set"], ["add"]) else given
    return len(given) > 1 and not HARMLESS_SETTING.fullmatch(f"{given[0]}={given[1]}")
