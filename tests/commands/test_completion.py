from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from typer.core import TyperArgument, TyperOption

from cline_cli.agent.events import IterationStarted, MessageFinished
from cline_cli.agent.messages import AssistantMessage, TextPart, Usage, UserMessage
from cline_cli.argv import split
from cline_cli.catalog.models import list_served
from cline_cli.catalog.weights import WEIGHTS
from cline_cli.commands import VERBS
from cline_cli.commands._completion_grammar import (
    BY_FLAG,
    Flag,
    Grammar,
    Offer,
    Place,
    Word,
    read_command,
    read_grammar,
    read_places,
)
from cline_cli.commands._completion_install import MARK, MARK_WITHIN, SHELLS, find_place, install, uninstall
from cline_cli.commands._completion_install import Place as Where
from cline_cli.commands._completion_scripts import to_script
from cline_cli.commands._completion_words import MOST, Asked, Candidate, list_words
from cline_cli.commands._values import LEVELS
from cline_cli.commands.completion import app, find_own_command
from cline_cli.commands.history import DOERS
from cline_cli.commands.options import BUILT, OPTIONS
from cline_cli.config.paths import Paths, find_paths
from cline_cli.environment import Environment
from cline_cli.errors import ClineError, UsageError
from cline_cli.providers import PROVIDERS
from cline_cli.session.records import Header
from cline_cli.session.store import create

GRAMMAR = read_grammar()
SCRIPT = "# `cline completion bash` prints this.\n"
ANY_TEXT = {
    "policy": "--allow --deny",
    "run": "--allow --deny --apply-if --timeout --idle-timeout --request-timeout --key --system --retries"
    " --max-turns --max-total-tokens --max-cost",
    "auth": "--key --base-url --azure-api-version",
    "history": "--limit --page --title --prompt --metadata --days --max-bytes",
    "doctor": "--key",
}
"""Flags for whose values there is nothing to offer."""
WITH_APPS = [verb for verb, row in VERBS.items() if row.has_app and verb != "run"]


def flags_of(verb: str) -> dict[str, Flag]:
    return {name: flag for flag in GRAMMAR.flags[verb] for name in flag.all_names}


def places_of(grammar: Grammar) -> dict[tuple[str, ...], Offer]:
    return {place.path: place.offer for place in grammar.places}


def texts(offer: Offer) -> list[str]:
    return [word.text for word in offer.words]


def test_every_option_of_a_run_is_offered_when_it_is_built() -> None:
    offered = [name for flag in GRAMMAR.flags["run"] for name in flag.names]
    assert {option.names[0] for option in BUILT} <= set(offered)
    hidden = {name for option in OPTIONS if option.state != "built" for name in option.names}
    assert not hidden & set(offered)
    assert len(offered) == len(set(offered))
    assert set(flags_of("run")) >= {name for option in BUILT for name in option.names}


@pytest.mark.parametrize("verb", WITH_APPS)
def test_every_option_of_a_verb_is_offered_when_it_is_shown(verb: str) -> None:
    parameters = read_command(import_module(f"cline_cli.commands.{VERBS[verb].module}").app).params
    shown = {one.opts[0] for one in parameters if isinstance(one, TyperOption) and not one.hidden}
    assert shown <= {name for flag in GRAMMAR.flags[verb] for name in flag.names}
    assert all(flag.help for flag in GRAMMAR.flags[verb] if flag.names)


@pytest.mark.parametrize("verb", ["run", *WITH_APPS])
def test_a_value_is_offered_when_something_is_known_of_it(verb: str) -> None:
    nothing = {flag.long for flag in GRAMMAR.flags[verb] if flag.offer and flag.offer[1:] == ((), (), "")}
    ignored = {option.names[0] for option in OPTIONS if option.state != "built"} if verb == "run" else set()
    assert nothing - ignored == set(ANY_TEXT.get(verb, "").split())


def test_no_value_is_known_of_an_option_that_there_is_not() -> None:
    known = {flag.long for flags in GRAMMAR.flags.values() for flag in flags}
    assert set(BY_FLAG) <= known


def test_the_words_of_an_option_are_those_that_a_run_takes() -> None:
    assert texts(flags_of("run")["--thinking"].offer or Offer("")) == list(LEVELS)
    for name in ("--mode", "--compaction", "--stdin", "--output-format"):
        with pytest.raises(UsageError) as complaint:
            _read_run(f"{name}=nonsense")
        told = re.findall(r"\w+", complaint.value.hint.removeprefix("Give").replace(" or ", " "))
        assert texts(flags_of("run")[name].offer or Offer("")) == told


def _read_run(argument: str) -> None:
    from cline_cli.commands._given import (  # lazy: for this test only
        Given,
        read_compaction,
        read_manner,
        read_mode,
        read_stdin_mode,
    )
    from cline_cli.commands.run import app as run_app  # lazy: as above

    context = read_command(run_app).make_context("cline", [argument])
    given = Given(context.params)
    read_mode(given)
    read_compaction(given)
    read_manner(given, has_schema=False)
    read_stdin_mode(given)


def test_an_option_makes_those_void_that_cannot_stand_beside_it() -> None:
    flags = flags_of("run")
    assert {"--plan", "--act", "--mode", "-a", "-p"} <= set(flags["--plan"].rivals)
    assert "--no-tools" in flags["--continue"].rivals
    assert "--tui" in flags["--json"].rivals
    assert "--file" not in flags["--file"].rivals


@pytest.mark.parametrize("name", ["--help", "-h", "--help-all", "--version", "-V"])
def test_what_is_answered_without_a_run_is_offered(name: str) -> None:
    assert name in {name for flag in GRAMMAR.flags["run"] for name in flag.names}
    assert split([name]).verb in {"help", "version"}


def test_each_place_has_its_words() -> None:
    places = places_of(GRAMMAR)
    assert texts(places[()]) == [verb for verb in VERBS if verb != "run"]
    assert texts(places["auth",]) == ["status", "logout", *PROVIDERS]
    assert texts(places["auth", "logout"]) == list(PROVIDERS)
    assert texts(places["local",]) == ["install", "list", "remove"]
    assert texts(places["local", "install"]) == list(WEIGHTS)
    assert places["local", "remove"].asks == ("installed",)
    assert set(DOERS) - set(texts(places["history",])) == {"list"}
    assert places["history", "show"].asks == ("sessions",)
    assert texts(places["history", "export"]) == ["last"]
    assert texts(places["config",]) == ["list", "get", "set", "unset", "path", "edit"]
    assert {"timeout", "providers.cline.model", "stdin.max_bytes"} <= set(texts(places["config", "unset"]))
    assert texts(places["config", "set", "mode"]) == ["act", "plan"]
    assert texts(places["config", "set", "sessions.keep"]) == ["true", "false"]
    assert places["config", "set", "providers.anthropic.model"].asks == ("--provider=anthropic", "models")
    assert texts(places["completion",]) == [*SHELLS, "install", "uninstall"]
    assert texts(places["completion", "uninstall"]) == list(SHELLS)
    assert {"run", "json", "exit-codes"} & set(texts(places["help",]))
    goes_on = [place.path for place in GRAMMAR.places if place.goes_on]
    assert goes_on == [("history", "delete")]


@pytest.mark.parametrize("verb", WITH_APPS)
def test_every_kind_of_word_is_known_when_a_verb_takes_it(verb: str) -> None:
    parameters = read_command(import_module(f"cline_cli.commands.{VERBS[verb].module}").app).params
    metavars = [str(one.metavar) for one in parameters if isinstance(one, TyperArgument)]
    kinds = {word for metavar in metavars for word in re.findall("[A-Z]+", metavar)}
    free = {"WORD", "VALUE", "CMD"}
    assert kinds - free <= {"PROVIDER", "NAME", "ID", "KEY", "SHELL", "DIR"}


def test_a_metavar_says_what_may_stand_where() -> None:
    places = {place.path: place for place in read_places("x", "[PROVIDER] | show ID [FILE] | drop ID... | do")}
    assert texts(places["x",].offer) == ["show", "drop", "do", *PROVIDERS]
    assert places["x", "show", "ID"].offer.paths == "files"
    assert not places["x", "show"].goes_on
    assert places["x", "drop"].goes_on


def test_one_name_stands_for_one_offer() -> None:
    names = [offer.name for offer in GRAMMAR.offers]
    assert len(names) == len(set(names))


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    return name


def run_shell(shell: str, program: str, *arguments: str) -> str:
    options = {"bash": ("--norc", "--noprofile"), "zsh": ("-f",), "fish": ("--no-config",)}[shell]
    done = subprocess.run(
        [shell, *options, "-c", program, *arguments], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_script_is_one_of_its_shell(shell: str, tmp_path: Path) -> None:
    script = to_script(shell, GRAMMAR, ("/a b/it's cline",))
    (tmp_path / "script").write_text(script)
    subprocess.run([shell, "-n", str(tmp_path / "script")], check=True, timeout=50)
    assert all(line.isprintable() for line in script.splitlines() if "\t" not in line)
    assert MARK in script[:MARK_WITHIN].encode()


HOSTILE = "$(touch made)`touch made`;touch made #'\"\\ *?[a]{b,c}~!%"


def test_no_word_of_a_table_is_run_by_a_shell(shell: str, tmp_path: Path) -> None:
    offer = Offer(f"name {HOSTILE}", (Word(f"word{HOSTILE}", f"help{HOSTILE}"),))
    flag = Flag(("--flag", "-f"), (), f"help: [{HOSTILE}]", offer)
    places = (Place((), offer), Place(("verb", HOSTILE), offer, goes_on=True))
    script = to_script(shell, Grammar({"run": (flag,), "verb": (flag,)}, {"v": "verb"}, places), (f"/{HOSTILE}",))
    (tmp_path / "script").write_text(script)
    source = "autoload -Uz compinit && compinit -D -u; source" if shell == "zsh" else "source"
    ask, answer = {
        "bash": (
            'COMP_WORDS=(cline ""); COMP_CWORD=1; COMP_LINE="cline "; COMP_POINT=6; _cline; eval "echo $COMPREPLY"',
            f"word{HOSTILE}",
        ),
        "zsh": (
            f"_cline_choices {shlex.quote(offer.name)}; print -r -- $choices[1]",
            f"word{HOSTILE}:help{HOSTILE}".replace("\\", "\\\\"),
        ),
        "fish": ("complete --do-complete='cline '", f"word{HOSTILE}\thelp{HOSTILE}"),
    }[shell]
    seen = run_shell(shell, f"{source} {shlex.quote(str(tmp_path / 'script'))}; {ask}")
    assert seen == f"{answer}\n"
    assert not Path("made").exists()


def providers_of(prefix: str) -> str:
    return " ".join(name for name in PROVIDERS if name.startswith(prefix))


BASH_CASES = [
    ("cline ", "auth models local history config policy undo diff trust doctor completion version help"),
    ("cline hi", "history"),
    ("cline --mo", "--model --mode"),
    ("cline --mode ", "act plan"),
    ("cline --mode=pl", "plan"),
    ("cline --mode=", "act plan"),
    ("cline --stdin w", "wait"),
    ("cline -P op", providers_of("op")),
    ("cline -yqP openr", "openrouter"),
    ("cline --plan --ac", ""),
    ("cline -p --mo", "--model"),
    ("cline --file x --fi", "--file"),
    ("cline --timeout ", ""),
    ("cline --timeout 9 h", "history help"),
    ("cline -t9 h", "history help"),
    ("cline --thinking x", "xhigh"),
    ("cline --thinking high lo", "local"),
    ("cline --thinking lo", "low local"),
    ("cline --retries 3 lo", "local"),
    ("cline fix --th", "--thinking"),
    ("cline fix h", ""),
    ('cline "fix it" h', ""),
    ('cline "hi', "history"),
    ("cline -- h", ""),
    ("cline -- --mo", ""),
    ("cline task h", ""),
    ("cline --task", "--taskId"),
    ("cline --reasoning-effort m", "medium models"),
    ("cline auth ", f"status logout {providers_of('')}"),
    ("cline --config /x auth --ba", "--base-url"),
    ("cline auth --baseurl x lo", f"logout {providers_of('lo')}"),
    ("cline auth logout an", "anthropic"),
    ("cline auth -p an", "anthropic"),
    ("cline auth -- lo", f"logout {providers_of('lo')}"),
    ("cline local i", "install"),
    ("cline local install qwen2.5-coder-1", "qwen2.5-coder-1.5b"),
    ("cline h s", "search show"),
    ("cline history delete x la", "last"),
    ("cline history export x --format m", "md"),
    ("cline config set cred", "credentials.store"),
    ("cline config set credentials.store f", "file"),
    ("cline config set timeout ", ""),
    ("cline completion in", "install"),
    ("cline completion install z", "zsh"),
    ("cline help exi", "exit-codes"),
    ("cline version ", ""),
    ("cline acp ", ""),
    ('cline auth --provider "an', "anthropic"),
    ("cline auth --provider=an", "anthropic"),
]
BASH_SETTINGS = (
    "",
    "set -u; shopt -s failglob nocasematch",
    "enable -n compopt; set -o posix; set -f; IFS=x",
    "set -Eeuo pipefail; shopt -s inherit_errexit; trap 'echo failure' ERR",
)


@pytest.mark.parametrize("settings", BASH_SETTINGS)
def test_bash_offers_what_may_stand_there(settings: str, tmp_path: Path) -> None:
    (tmp_path / "script").write_text(to_script("bash", GRAMMAR, ()))
    calls = []
    for line, _ in BASH_CASES:
        words = re.findall(r'"[^"]*"?|=|[^\s="]+', line)
        if line.endswith(" "):
            words.append("")
        calls.append(
            f"COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1} COMP_LINE={shlex.quote(line)}"
            f' COMP_POINT={len(line)}; _cline; (IFS=" "; echo "${{COMPREPLY[*]-}}")'
        )
    program = f"{settings}\nsource {shlex.quote(str(tmp_path / 'script'))}\n" + "\n".join(calls)
    answers = run_shell("bash", program).splitlines()
    assert [(line, answer) for (line, _), answer in zip(BASH_CASES, answers, strict=True)] == BASH_CASES


def test_bash_takes_nothing_that_its_version_3_does_not_know() -> None:
    script = to_script("bash", GRAMMAR, ())
    newer = r"declare -A|local -A|mapfile|readarray|\$\{\w+(,,|\^\^)|local -n|&>>|\|&|\$\{\w+\[-1\]|printf .*%\(|@\("
    assert not re.findall(newer, script)
    assert all("2>/dev/null" in line for line in script.splitlines() if re.match(r"\s+(\[\[.*\]\] && )?compopt", line))


FISH_CASES = [
    ("cline hi", "history"),
    ("cline --mod", "--mode --model"),
    ("cline --mode ", "act plan"),
    ("cline --mode=pl", "--mode=plan"),
    ("cline -P op", providers_of("op")),
    ("cline --plan --ac", ""),
    ("cline -yqP openr", "openrouter"),
    ("cline --thinking xh", "xhigh"),
    ("cline fix hi", ""),
    ("cline -- hi", ""),
    ("cline --task", "--taskId"),
    ("cline auth --ba", "--base-url"),
    ("cline auth logout an", "anthropic"),
    ("cline h delete x la", "last"),
    ("cline config set credentials.store f", "file"),
    ("cline completion install z", "zsh"),
    ("cline help exi", "exit-codes"),
    ("cline version ", ""),
    ("cline-cli hi", "history"),
]


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_offers_what_may_stand_there(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(to_script("fish", GRAMMAR, ()))
    calls = "\n".join(f"complete --do-complete={shlex.quote(line)}; echo ---" for line, _ in FISH_CASES)
    wraps = "complete --command cline-cli --wraps cline"
    seen = run_shell("fish", f"source {tmp_path / 'script'}\n{wraps}\n{calls}")
    answers = [" ".join(row.split("\t")[0] for row in part.split("\n") if row) for part in seen.split("---\n")][:-1]
    assert [(line, answer) for (line, _), answer in zip(FISH_CASES, answers, strict=True)] == FISH_CASES


def place_of(shell: str, home: Path, **variables: str) -> Where:
    return find_place(shell, home, variables)


def tree_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.parametrize("before", [None, b"", b"alias a=b\n", b"alias a=b", b"\xff\xfe\r\n# end\n\n"])
def test_all_is_as_before_when_it_is_taken_away(name: str, before: bytes | None, private_home: Path) -> None:
    place = place_of(name, private_home)
    if before is not None and place.startup:
        place.startup.write_bytes(before)
    was = tree_of(private_home)
    install(place, SCRIPT, {})
    once = tree_of(private_home)
    assert install(place, SCRIPT, {}).lines[:1] == (f"Wrote {place.scripts[0]}",)
    assert tree_of(private_home) == once != was
    uninstall(place)
    assert tree_of(private_home) == was
    assert uninstall(place).lines == (f"No completion for {name} was installed.",)


def test_what_was_added_later_stays_when_the_block_goes(private_home: Path) -> None:
    place = place_of("bash", private_home)
    startup = private_home / ".bashrc"
    startup.write_bytes(b"one")
    install(place, SCRIPT, {})
    with startup.open("ab") as file:
        file.write(b"two\n")
    install(place, f"{SCRIPT}:\n", {})
    assert startup.read_bytes().startswith(b"one\n# >>>")
    assert startup.read_bytes().endswith(b"<<<\ntwo\n")
    uninstall(place)
    assert startup.read_bytes() == b"one\ntwo\n"


def test_one_block_is_left_when_there_were_two(private_home: Path) -> None:
    place = place_of("zsh", private_home)
    install(place, SCRIPT, {})
    startup = private_home / ".zshrc"
    once = startup.read_bytes()
    startup.write_bytes(once + b"between\n" + once)
    install(place, SCRIPT, {})
    assert startup.read_bytes() == once + b"between\n"


@pytest.mark.parametrize("damage", [b"# <<< cline completion <<<\n", b"# >>> cline completion >>>\n"])
def test_nothing_is_changed_when_a_block_is_not_whole(private_home: Path, damage: bytes) -> None:
    place = place_of("bash", private_home)
    install(place, SCRIPT, {})
    startup = private_home / ".bashrc"
    startup.write_bytes(startup.read_bytes().replace(damage, b"") + b"mine\n")
    was = tree_of(private_home)
    for is_installed in (True, False):
        with pytest.raises(ClineError, match="not whole"):
            install(place, f"{SCRIPT}:\n", {}) if is_installed else uninstall(place)
        assert tree_of(private_home) == was


def test_the_file_at_the_end_of_a_link_is_edited_and_keeps_its_mode(private_home: Path, tmp_path: Path) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    target = dotfiles / "bashrc"
    target.write_text("mine\n")
    target.chmod(0o600)
    (private_home / ".bashrc").symlink_to(target)
    place = place_of("bash", private_home)
    install(place, SCRIPT, {})
    assert (private_home / ".bashrc").is_symlink()
    assert "cline completion" in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    uninstall(place)
    assert target.read_text() == "mine\n"
    assert (private_home / ".bashrc").is_symlink()


@pytest.mark.parametrize("name", SHELLS)
def test_a_link_of_the_person_stays_when_the_file_behind_it_was_made_for_this(
    name: str, private_home: Path, tmp_path: Path
) -> None:
    place = place_of(name, private_home)
    link = place.startup or place.scripts[0]
    link.parent.mkdir(parents=True, exist_ok=True)
    inner = tmp_path / "inner"
    inner.symlink_to("dotfiles/rc")
    link.symlink_to(inner)
    install(place, SCRIPT, {})
    target = tmp_path / "dotfiles" / "rc"
    assert "cline completion" in target.read_text()
    assert f"Removed {target}" in "\n".join(uninstall(place).lines)
    assert not target.exists()
    assert (link.readlink(), inner.readlink()) == (inner, Path("dotfiles/rc"))
    assert tree_of(private_home) == {}
    assert uninstall(place).lines == (f"No completion for {name} was installed.",)


@pytest.mark.parametrize("name", SHELLS)
def test_only_folders_of_others_stay_when_it_is_taken_away(name: str, private_home: Path) -> None:
    place = place_of(name, private_home)
    install(place, SCRIPT, {})
    uninstall(place)
    stay = {".config", ".config/fish", ".config/fish/completions"} if name == "fish" else {".local", ".local/share"}
    assert {str(path.relative_to(private_home)) for path in private_home.rglob("*")} == stay


def make_read_only(path: Path) -> None:
    path.write_text("mine\n")
    path.chmod(0o444)


def make_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate((1 << 22) + 1)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (make_read_only, "it is read-only. Make it writable first"),
        (os.mkfifo, "it is a named pipe"),
        (Path.mkdir, "it is a folder"),
        (make_large, "it is larger than"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links|it is a symbolic link"),
    ],
)
def test_nothing_is_written_when_the_start_up_file_cannot_be_changed(
    private_home: Path, make: object, told: str
) -> None:
    assert callable(make)
    make(private_home / ".bashrc")
    with pytest.raises(ClineError, match=told):
        install(place_of("bash", private_home), SCRIPT, {})
    assert not (private_home / ".local").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only the administrator can make a file of another user")
def test_nothing_is_written_when_the_start_up_file_is_another_users(private_home: Path) -> None:
    startup = private_home / ".bashrc"
    startup.write_text("theirs\n")
    os.chown(startup, 12345, 12345)
    with pytest.raises(ClineError, match="belongs to another user"):
        install(place_of("bash", private_home), SCRIPT, {})
    startup.unlink()
    os.chown(private_home, 12345, 12345)
    with pytest.raises(ClineError, match="belongs to another user"):
        install(place_of("bash", private_home), SCRIPT, {})
    assert tree_of(private_home) == {}


def test_a_script_of_somebody_else_is_left(private_home: Path) -> None:
    place = place_of("fish", private_home)
    place.scripts[0].parent.mkdir(parents=True)
    place.scripts[0].write_text("complete -c cline -a mine\n")
    was = tree_of(private_home)
    for is_installed in (True, False):
        with pytest.raises(ClineError, match=r"cline\.fish was not written by cline. Move it away first"):
            install(place, SCRIPT, {}) if is_installed else uninstall(place)
    assert tree_of(private_home) == was


def test_the_folders_of_the_environment_are_used_when_they_are_whole_paths(private_home: Path) -> None:
    away = private_home / "away"
    variables = {"XDG_CONFIG_HOME": f"{away}/c", "XDG_DATA_HOME": f"{away}/d", "ZDOTDIR": f"{away}/z"}
    assert place_of("fish", private_home, **variables).scripts[0] == away / "c/fish/completions/cline.fish"
    zsh = place_of("zsh", private_home, **variables)
    assert (zsh.startup, zsh.scripts[0]) == (away / "z/.zshrc", away / "d/cline/completion.zsh")
    relative = dict.fromkeys(variables, "relative")
    assert place_of("zsh", private_home, **relative) == place_of("zsh", private_home)


def test_there_is_no_place_without_a_home() -> None:
    for home in (None, Path("relative")):
        with pytest.raises(UsageError, match="HOME is not set"):
            find_place("bash", home, {})


def test_a_path_is_quoted_when_it_is_written_into_a_start_up_file(tmp_path: Path, shell: str) -> None:
    home = tmp_path / "it's $(touch made) a \\home"
    (home / ".bashrc").parent.mkdir()
    folder = home / "da'ta"
    place = place_of(shell, home, XDG_DATA_HOME=str(folder), XDG_CONFIG_HOME=str(folder))
    marked = to_script(shell, GRAMMAR, ()) + "\necho read\n"
    install(place, marked, {})
    startup = place.startup or place.scripts[0]
    skipped = "compdef() { :; }; PS1=x;" if shell == "zsh" else "PS1=x;" if shell == "bash" else ""
    program = f"{skipped} source {shlex.quote(str(startup))}".replace(
        "'\"'\"'", "\\'" if shell == "fish" else "'\"'\"'"
    )
    seen = subprocess.run(
        [shell, "-c", program], env={**os.environ, "HOME": str(home)}, capture_output=True, text=True, check=False
    )
    assert (seen.stdout, seen.stderr) == ("read\n", "")
    assert not Path("made").exists()


def test_control_characters_in_a_path_are_refused(tmp_path: Path) -> None:
    home = tmp_path / "a\nb"
    home.mkdir()
    with pytest.raises(UsageError, match="control characters"):
        install(place_of("bash", home), SCRIPT, {})


def test_login_shells_are_told_of_when_they_do_not_read_the_file(private_home: Path) -> None:
    place = place_of("bash", private_home)
    (private_home / ".profile").write_text("PATH=~/bin:$PATH\n")
    (notice,) = install(place, SCRIPT, {}).notices
    assert f"login shells read {private_home / '.profile'}, which does not read ~/.bashrc" in notice
    (private_home / ".profile").write_text("[ -r ~/.bashrc ] && . ~/.bashrc\n")
    assert not install(place, SCRIPT, {}).notices


def test_a_folder_of_start_up_files_is_told_of_when_only_zsh_knows_it(private_home: Path) -> None:
    (private_home / ".zshenv").write_text("ZDOTDIR=~/.config/zsh\n")
    place = place_of("zsh", private_home)
    assert "sets ZDOTDIR" in "".join(install(place, SCRIPT, {}).notices)
    assert not install(place, SCRIPT, {"ZDOTDIR": str(private_home)}).notices


@pytest.fixture
def paths(private_home: Path) -> Paths:
    return find_paths(Environment({}, Path.cwd(), private_home, None, None, None, False, False, False))


def words_of(kind: str, paths: Paths, provider: str | None = None, prefix: str = "", **variables: str) -> list[str]:
    lines = list_words(kind, Asked(provider, variables, paths, prefix)).splitlines()
    return [line.split("\t")[0] for line in lines]


def save_settings(paths: Paths, text: str) -> None:
    paths.config.mkdir(parents=True, exist_ok=True)
    paths.settings_file.write_text(text)


def test_the_models_of_the_provider_that_a_run_would_ask_are_offered(paths: Paths) -> None:
    assert words_of("models", paths)[0] == PROVIDERS["cline"].default_model
    assert words_of("models", paths, OPENAI_API_KEY="x")[0] == PROVIDERS["openai-native"].default_model
    assert words_of("models", paths, CLINE_PROVIDER="local") == list(WEIGHTS)
    save_settings(paths, 'provider = "anthropic"\n[providers.anthropic]\nmodel = "mine"\n')
    models = words_of("models", paths)
    assert models[:2] == ["mine", PROVIDERS["anthropic"].default_model]
    assert "claude-haiku-4-5" in models
    assert not [model for model in models if "/" in model]
    assert "anthropic/claude-haiku-4.5" in words_of("models", paths, "openrouter")
    assert len(models) == len(set(models))


def test_the_provider_on_the_line_counts_when_there_is_such_a_one(paths: Paths) -> None:
    assert words_of("models", paths, "local", CLINE_PROVIDER="cline") == list(WEIGHTS)
    assert words_of("models", paths, "openai") == list(list_served("openai-compatible"))
    assert words_of("models", paths, "status")[0] == PROVIDERS["cline"].default_model


def test_only_the_saved_model_is_offered_when_the_server_is_another(paths: Paths) -> None:
    save_settings(paths, '[providers.openai-compatible]\nmodel = "qwen:7b"\nbase_url = "http://127.0.0.1:1234/v1"\n')
    assert words_of("models", paths, "openai") == ["qwen:7b"]


def test_the_known_models_are_offered_when_the_settings_are_broken(paths: Paths) -> None:
    save_settings(paths, "provider = ")
    assert words_of("models", paths)[0] == PROVIDERS["cline"].default_model


@pytest.mark.parametrize(
    "word", ["", "-rf", "a\tb", "a\nb", "a\u200bb", "a\u202eb", "\x1b[2J", "a\x9bb", "\ud800", "x" * 201]
)
def test_a_word_is_not_offered_when_it_cannot_be_seen_or_reads_as_an_option(paths: Paths, word: str) -> None:
    candidates = [Candidate(word, "text"), Candidate("a b'$c", "one\ttwo\nthree\x1b]0;four\x07")]
    lines = list_words("some", Asked(None, {}, paths), {"some": lambda _: candidates})
    assert lines == "a b'$c\tone two three\n"


def save_session(paths: Paths, session_id: str, prompt: str) -> None:
    header = Header(session_id, "2026-11-01T10:00:00.000Z", "/work", "cline", "m", "act")
    reply = AssistantMessage((TextPart("Done."),), "stop", Usage(), "m")
    messages = (UserMessage((TextPart(prompt),)), reply)
    session = create(paths.state / "sessions", header)
    session.record(IterationStarted(1, True), messages[:1])
    session.record(MessageFinished(reply), messages)
    session.close()


def test_sessions_are_offered_with_what_they_are_about(paths: Paths) -> None:
    save_session(paths, "1754000000001_aaaaa", "Fix the bug")
    save_session(paths, "1754000000002_bbbbb", "evil\t\x1b]0;x\x07\x1b[31m\u202e $(touch made)\nsecond line")
    lines = list_words("sessions", Asked(None, {}, paths)).splitlines()
    ids, descriptions = zip(*(line.split("\t") for line in lines), strict=True)
    assert set(ids) == {"1754000000001_aaaaa", "1754000000002_bbbbb"}
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d \w", text) and text.isprintable() for text in descriptions)
    assert words_of("sessions", paths, prefix="1754000000001") == ["1754000000001_aaaaa"]
    assert words_of("sessions", paths, prefix="nothing") == []


def test_nothing_is_offered_when_the_sessions_cannot_be_read(paths: Paths) -> None:
    assert list_words("sessions", Asked(None, {}, paths)) == ""
    paths.state.mkdir(parents=True)
    (paths.state / "sessions").write_text("a file")
    assert list_words("sessions", Asked(None, {}, paths)) == ""
    assert list_words("nonsense", Asked(None, {}, paths)) == ""


def test_no_more_is_read_than_is_shown(paths: Paths) -> None:
    read: list[int] = []

    def count(_: Asked) -> Iterator[Candidate]:
        for number in range(1000):
            read.append(number)
            yield Candidate(f"word{number}")

    assert len(list_words("some", Asked(None, {}, paths), {"some": count}).splitlines()) == MOST
    assert len(read) == MOST


def test_models_of_this_machine_are_offered_when_they_are_there(paths: Paths) -> None:
    assert words_of("installed", paths) == []
    weights = next(iter(WEIGHTS.values()))
    paths.models.mkdir(parents=True)
    with (paths.models / weights.file).open("wb") as file:
        file.truncate(weights.size_bytes)
    assert words_of("installed", paths) == [weights.name]
    lines = list_words("models", Asked("local", {}, paths)).splitlines()
    assert [line.split("\t")[1].split(";")[0] for line in lines] == ["installed", "not installed"]


def run_command(home: Path | None, *words: str, **variables: str) -> str:
    out = Path("out")
    with out.open("w+b") as stdout, Path("err").open("w+b") as stderr:
        environment = Environment(
            variables, Path.cwd(), home, None, stdout.fileno(), stderr.fileno(), False, False, False
        )
        app(list(words), standalone_mode=False, obj=environment)
    return out.read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "takes bash, zsh, fish, install or uninstall, and one of these is needed"),
        (("tcsh",), "not 'tcsh'"),
        (("bash", "zsh"), "not 'bash zsh'"),
        (("install", "tcsh"), "there is no completion for 'tcsh', only for bash, zsh and fish"),
        (("install", "bash", "zsh"), "one shell at a time"),
        (("install",), "SHELL is not set"),
        (("--config", "x", "bash"), "takes no options"),
    ],
)
def test_one_clear_line_is_told_when_it_is_asked_for_wrongly(
    private_home: Path, words: tuple[str, ...], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        run_command(private_home, *words)
    assert tree_of(private_home) == {}


def test_the_shell_is_that_of_the_person_when_none_is_named(private_home: Path) -> None:
    assert "completion.zsh" in run_command(private_home, "install", SHELL="/opt/bin/zsh")
    assert set(tree_of(private_home)) == {".zshrc", ".local/share/cline/completion.zsh"}
    assert "Removed" in run_command(private_home, "uninstall", SHELL="/opt/bin/zsh")
    with pytest.raises(UsageError, match="SHELL is '/bin/tcsh'"):
        run_command(private_home, "install", SHELL="/bin/tcsh")


def test_nothing_is_said_when_a_script_asks_for_what_cannot_be_told(private_home: Path) -> None:
    for words in (("nonsense",), ("models", "--cwd", "/no/such"), ("sessions", "--data-dir", "~nobody-here/x")):
        assert run_command(private_home, "words", *words) == ""


def test_a_script_asks_the_program_that_wrote_it(tmp_path: Path) -> None:
    command = tmp_path / "cline"
    command.write_text("")
    assert find_own_command(str(command), "/usr/bin/python3") == ()
    command.chmod(0o700)
    assert find_own_command(str(command), "/usr/bin/python3") == (str(command),)
    assert find_own_command(str(tmp_path / "nothing"), "/usr/bin/python3") == ()
    module = str(tmp_path / "cline_cli" / "__main__.py")
    assert find_own_command(module, "/bin/sh") == ("/bin/sh", "-P", "-m", "cline_cli")
