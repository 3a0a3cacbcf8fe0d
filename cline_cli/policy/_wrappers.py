"""The options of programs that start another one, as far as is needed to find that one behind them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from cline_cli.policy._words import HOLE, WILD, UnreadableError, Word

Kind = Literal["plain", "transparent", "strict", "runner"]
"""What an allowed inner program says of the whole: nothing, there is none · enough, `timeout 9 make` does what `make`
does · not enough, `sudo make` is more than `make` · either of the two may be what is allowed: `uv run pytest`."""


class Wrapper(NamedTuple):
    kind: Kind
    flags: str = ""
    """Letters of options without a value."""
    values: str = ""
    """Letters of options with one."""
    long_flags: str = ""
    long_values: str = ""
    operands: int = 0
    """How many words come before the program: a duration, a file."""
    takes_assignments: bool = False


_ENV = "ignore-environment null debug"
_SUDO_FLAGS = "non-interactive preserve-env set-home stdin background askpass reset-timestamp"
_SUDO_VALUES = "user group host prompt chdir role type"

WRAPPERS: Mapping[str, Wrapper] = {
    "builtin": Wrapper("transparent"),
    "busybox": Wrapper("transparent"),
    "chronic": Wrapper("transparent"),
    "command": Wrapper("transparent", "p"),
    "doas": Wrapper("strict", "n", "uC"),
    "env": Wrapper("transparent", "i0v", "uC", _ENV, "unset chdir", takes_assignments=True),
    "exec": Wrapper("transparent", "cl", "a"),
    "flock": Wrapper("transparent", "sxunoFv", "wE", "shared exclusive nonblock", "timeout wait", operands=1),
    "ionice": Wrapper("transparent", "t", "cn", "ignore", "class classdata"),
    "nice": Wrapper("transparent", "", "n", "", "adjustment"),
    "nohup": Wrapper("transparent"),
    "setsid": Wrapper("transparent", "cfw", "", "ctty fork wait"),
    "stdbuf": Wrapper("transparent", "", "ioe", "", "input output error"),
    "sudo": Wrapper("strict", "AbEHnPSkKB", "ughpCDRTrt", _SUDO_FLAGS, _SUDO_VALUES, takes_assignments=True),
    "taskset": Wrapper("transparent", "ac", "", "all-tasks cpu-list", operands=1),
    "time": Wrapper("transparent", "apqv", "fo", "append portability quiet verbose", "format output"),
    "timeout": Wrapper("transparent", "v", "ks", "foreground preserve-status verbose", "kill-after signal", operands=1),
    "toybox": Wrapper("transparent"),
    "unbuffer": Wrapper("transparent", "p"),
    "xargs": Wrapper(
        "transparent",
        "0rtx",
        "ILnPsdaE",
        "null no-run-if-empty verbose exit",
        "max-args max-procs max-lines max-chars delimiter arg-file replace eof",
    ),
    "xvfb-run": Wrapper("transparent", "a", "ens", "auto-servernum", "server-args server-num error-file"),
}
RUNNERS: Mapping[str, frozenset[str]] = {
    "bundle": frozenset({"exec"}),
    "conda": frozenset({"run"}),
    "direnv": frozenset({"exec"}),
    "hatch": frozenset({"run"}),
    "mise": frozenset({"exec", "x"}),
    "npm": frozenset({"exec", "x"}),
    "npx": frozenset(),
    "pdm": frozenset({"run"}),
    "pipenv": frozenset({"run"}),
    "pipx": frozenset({"run"}),
    "pnpm": frozenset({"exec", "dlx"}),
    "poetry": frozenset({"run"}),
    "rye": frozenset({"run"}),
    "uv": frozenset({"run"}),
    "uvx": frozenset(),
    "yarn": frozenset({"exec", "dlx", "run"}),
}
"""Program -> its words that start another one; empty where it always does. Their options are too many to know."""
CARRIERS: Mapping[str, frozenset[str]] = {
    "fzf": frozenset({"--preview", "--bind"}),
    "install": frozenset({"--strip-program"}),
    "man": frozenset({"-P", "--pager"}),
    "rg": frozenset({"--pre", "--hostname-bin"}),
    "rsync": frozenset({"-e", "--rsh"}),
    "scp": frozenset({"-S", "-o"}),
    "sftp": frozenset({"-S", "-o", "-D"}),
    "sort": frozenset({"--compress-program"}),
    "split": frozenset({"--filter"}),
    "ssh": frozenset({"-o"}),
    "tar": frozenset({"-I", "--use-compress-program", "--to-command", "--checkpoint-action", "--rsh-command", "-F"}),
}
"""Program -> options whose value is something to run."""
TEXT_OPTIONS: Mapping[str, str] = {
    **dict.fromkeys(("cc", "c++", "gcc", "g++", "clang", "clang++"), r"-wrapper()"),
    **dict.fromkeys(("less", "more"), r"\+(.*)"),
    "rpm": r"(?:-E|--eval)(.*)",
    "tar": r"-?[A-Za-z]*?[IF](.*)|--(?:info|new-vol).*",
    "zip": r"-TT(.*)|--unzip-command.*",
}
"""Program -> the words that make it run something, with what it runs, if that is in them: its words are code then."""
LAUNCHERS = frozenset(
    "catchsegv choom cpulimit dbus-run-session dumb-init eatmydata envdir faketime gdbserver heaptrack hyperfine i386"
    " linux32 linux64 numactl perf pkexec proxychains proxychains4 rlwrap rr setarch systemd-cat tini torsocks tsocks"
    " uname26 uftrace valgrind watchexec x86_64".split()
)
"""Programs that start another one, with options that are not known here."""
SHELLS = frozenset("sh bash dash ash zsh ksh mksh rbash".split())
INTERPRETERS = re.compile(
    r"(?:python|pypy|perl|ruby|node|nodejs|deno|bun|php|lua|tclsh|expect|R|Rscript|awk|gawk|mawk|nawk|sed|vim?|nvim|ex|ed"
    r"|emacs|gdb|make|gmake|ninja|osascript|pwsh|julia|irb|ghci|sqlite3|psql|mysql|screen|tmux|at|batch|ssh)[\d.]*"
)
"""Programs whose words may be code, in which a name that is denied is not let pass."""
REFUSED = frozenset(
    "parallel strace ltrace chroot unshare nsenter fish csh tcsh nu elvish systemd-run crontab chrt runcon"
    " bwrap firejail sg newgrp run-parts gosu su-exec setpriv start-stop-daemon prlimit proot fakeroot entr socat"
    " ncat".split()
)
"""Programs that run what they are told, in ways that are not read."""


_LETTERS = frozenset("cefhlmnoruvxCEO")
_LONG_OPTIONS = frozenset({"--norc", "--noprofile", "--posix", "--login", "--verbose"})
HARMLESS_SWITCHES = frozenset("pipefail errexit nounset xtrace verbose noclobber noglob globstar nullglob".split())
_ATTACHED = {"nice": r"-\d+", "xargs": r"-(?:i.*|l\d*|e.*)"}
"""Options whose value, if any, is always written with them."""


def find_program(name: str, words: Sequence[Word]) -> int:
    """Return at which of its words (the first is its own name) the program behind a wrapper stands; 0 for none.

    Raises:
        UnreadableError: it has options that are not known here, so it cannot be told.
    """
    wrapper = WRAPPERS[name]
    at = 1
    while at < len(words):
        word = words[at].text
        if not words[at].is_literal and word.startswith(("-", "\0", "\1")):
            raise UnreadableError(f"the words behind {name} are only known when it runs")
        if word == "--":
            at += 1
            break
        if not word.startswith("-") or (word == "-" and name != "env"):
            break
        at += _width(name, wrapper, word)
    for _ in range(wrapper.operands):
        at += 1
    while wrapper.takes_assignments and at < len(words) and "=" in words[at].text:
        at += 1
    if any(not is_one_word(word) for word in words[1:at]):
        raise UnreadableError(f"the words behind {name} are only known when it runs")
    return at if at < len(words) else 0


def is_one_word(word: Word) -> bool:
    """Return whether a word is just one when it runs: what is not quoted may be several, or none."""
    is_quoted = re.fullmatch(r'[\w./:=%+,-]*"[^"@*]*"', word.source) is not None
    return word.is_literal or (is_quoted and WILD not in word.text)


def _width(name: str, wrapper: Wrapper, word: str) -> int:
    """Return how many words an option takes, itself among them.

    Raises:
        UnreadableError: it is not known.
    """
    if word.startswith("--"):
        option, is_given, _ = word[2:].partition("=")
        if option in wrapper.long_values.split():
            return 1 if is_given else 2
        if option in wrapper.long_flags.split():
            return 1
    elif re.fullmatch(_ATTACHED.get(name, "(?!)"), word):
        return 1
    else:
        for position, letter in enumerate(word[1:], 1):
            if letter in wrapper.values:
                return 1 if word[position + 1 :] else 2
            if letter not in wrapper.flags:
                break
        else:
            return 1
    raise UnreadableError(f"{name} has an option {word}, which is not read")


def read_shell_options(words: tuple[Word, ...]) -> tuple[int, bool]:
    """Return at which word the options of a shell end, and whether the next one is a script itself.

    Raises:
        UnreadableError: they cannot be told, or do what is not read.
    """
    at = 1
    has_text = False
    while at < len(words):
        option = words[at].text
        if option.startswith(HOLE) or (not words[at].is_literal and option.startswith(("-", "+"))):
            raise UnreadableError("the options of a shell are only known when it runs")
        if option in {"--", "-"}:
            return at + 1, has_text
        if not option.startswith(("-", "+")) or len(option) == 1:
            break
        is_long = option.startswith("--")
        if option not in _LONG_OPTIONS if is_long else set(option[1:]) - _LETTERS:
            raise UnreadableError(f"a shell has an option {option}, which is not read")
        has_text |= "c" in option and not is_long
        if option[-1] in "oO" and not is_long:
            at += 1
            if at < len(words) and words[at].text not in HARMLESS_SWITCHES:
                raise UnreadableError("a shell is switched to what is not read")
        at += 1
    return at, has_text
