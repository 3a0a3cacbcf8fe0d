"""Where a line runs some of its text in a way that is not read: then a denied program may not be named in it. Pure.

GIT_EDITOR='rm -r .' git commit      a variable whose value other programs run
git config alias.st '!rm -r .'       a setting that does
echo 'rm -r .' > x; sh x             a file that the line writes and then runs
echo 'rm -r .' | python3 -c '...'    code that may start what it reads
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from cline_cli.policy._git import sets_something
from cline_cli.policy._words import HOLE, Script
from cline_cli.policy._wrappers import CARRIERS, SHELLS, is_one_word
from cline_cli.policy.programs import Program, Reading

RUN_VARIABLES = re.compile(
    r"PATH|LD_\w+|DYLD_\w+|(?:GIT_|MAN)?(?:PAGER|EDITOR)|VISUAL|BROWSER|LESS(?:OPEN|CLOSE)|\w+_(?:RSH|ASKPASS)|TAPE|SHELL"
    r"|GIT_\w*(?:SSH|EXTERNAL|CONFIG|EXEC|PROXY|EDITOR|TEMPLATE|DIR|PROTOCOL)\w*|PYTHON(?:STARTUP|BREAKPOINT)"
    r"|PERL5(?:OPT|DB)|RUBYOPT|NODE_OPTIONS|TAR_OPTIONS|\w*MAKEFLAGS|MAKEFILES|HOME|XDG_CONFIG_HOME|(?:npm|NPM)_(?:config|CONFIG)_\w+"
)
"""Variables that make other programs run something."""
HARMLESS_VALUES = frozenset({"", "cat", "true", ":"})
_WRITERS = frozenset(
    "awk cp curl dd ed find gawk iconv install link ln mv patch perl python3 rsync sed sort split tar tee touch uniq"
    " unzip wget".split()
)
"""Programs that write the files they name."""
_NAMING = frozenset("read mapfile readarray getopts printf".split())
_READ_ALWAYS: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("make", "gmake"), frozenset({"Makefile", "makefile", "GNUmakefile"})),
    **dict.fromkeys(("npm", "yarn", "pnpm", "npx"), frozenset({"package.json"})),
}
"""Files that say what these programs run."""
_STARTS_OTHERS = re.compile(r"system|exec|popen|spawn|getline|subprocess|eval|[`|!]")
_QUOTES = re.compile(r"""['"\\]""")


def find_hidden(reading: Reading) -> str:
    """Return the text of a line that may run some of it, without the names of the programs that were read."""
    programs = tuple(reading.all())
    starts = (
        any(is_run(name, value) for name, value in iter_variables(reading.script, programs)),
        any(_sets_git(program) for program in programs),
        any(_may_have_options(program) for program in programs),
        any(_is_in_git(target) for target in _find_targets(reading.script)),
        any(_starts_what_it_reads(program) for program in programs),
        _runs_what_it_writes(reading.script, programs),
    )
    if not any(starts):
        return ""
    texts = [word.text for simple in reading.script.commands for word in simple.words[1:]]
    texts += [value.text for simple in reading.script.commands for _, value in simple.assignments]
    texts += [simple.stdin.text for simple in reading.script.commands if simple.stdin]
    texts.append(reading.script.literals)
    together = "\n".join(texts).replace(HOLE, "")
    return f"{together}\n{_QUOTES.sub('', together)}"


def is_run(name: str, value: str) -> bool:
    return RUN_VARIABLES.fullmatch(name) is not None and value not in HARMLESS_VALUES


def iter_variables(script: Script, programs: Iterable[Program]) -> Iterator[tuple[str, str]]:
    """Yield the variables that a line sets, also by `env`, `export` and `read`, with their values as far as known."""
    for simple in script.commands:
        yield from ((name, value.text) for name, value in simple.assignments)
    for program in programs:
        if program.name in {"env", "sudo", "doas", "export", "declare", "typeset", "readonly"}:
            for word in program.words[1:]:
                name, is_set, value = word.text.partition("=")
                if is_set:
                    yield name, value
        elif program.name in _NAMING:
            yield from ((word.text, HOLE) for word in program.words[1:])


def _sets_git(program: Program) -> bool:
    """Whether it gives git a setting, or a hook, that could run something."""
    texts = [word.text for word in program.words[1:]]
    if program.name in _WRITERS and any(map(_is_in_git, texts)):
        return True
    return program.name == "git" and sets_something(texts)


def _may_have_options(program: Program) -> bool:
    """Whether words that are only known when it runs may be options that make it run something."""
    return program.name in CARRIERS and any(
        word.text.startswith(HOLE) and not is_one_word(word) for word in program.words[1:]
    )


def _is_in_git(path: str) -> bool:
    return re.search(r"(?:^|/)\.git/", path) is not None


def _find_targets(script: Script) -> Iterator[str]:
    for simple in script.commands:
        yield from (redirect.target.text for redirect in simple.redirects if redirect.writes)


def _starts_what_it_reads(program: Program) -> bool:
    options = {word.text for word in program.words[1:]}
    return bool(program.code) and (bool(options & {"-", "-f"}) or _STARTS_OTHERS.search(program.code) is not None)


def _runs_what_it_writes(script: Script, programs: tuple[Program, ...]) -> bool:
    """Whether a program of a line runs a file that the line writes otherwise, as far as names tell."""
    writers = Counter(name for program in programs for name in _written_files(program))
    writers.update(_base(text) for text in _find_targets(script))
    for program in programs:
        if run := _run_files(program):
            own = _written_files(program)
            if any(writers[name] > (name in own) for name in run):
                return True
    return False


def _run_files(program: Program) -> set[str]:
    """Return the names of the files that it runs: itself, if it is one, and scripts that it reads."""
    found = [program.words[0]]
    if program.name in SHELLS | {".", "source"}:
        found += [started.words[0] for started in program.inner]
    if program.code:
        found += program.words[1:]
    return {_base(word.text) for word in found if word.is_literal} | _READ_ALWAYS.get(program.name, frozenset()) - {""}


def _written_files(program: Program) -> set[str]:
    if program.name not in _WRITERS:
        return set()
    texts = [word.text for word in program.words[1:]]
    return {_base(one) for text in texts for one in (text, re.sub(r"^(?:--?[\w-]+=|-[A-Za-z]|\w+=)", "", text))}


def _base(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
