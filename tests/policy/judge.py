"""Lines around a denied program, and a real shell that says which of them would have run it.

The program is called `zap`: a stub on PATH that leaves a mark. Wrappers are put around one another, so that a line may
hide it two deep.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from itertools import product
from pathlib import Path

DIRECT = (
    "zap x",
    "zap",
    "STUBS/zap x",
    "'zap' x",
    '"zap" x',
    "z'a'p x",
    "z\\ap x",
    "$'z\\x61p' x",
    "$'\\172ap' x",
    '$"zap" x',
    "za\\\np x",
    "{zap,x}",
    "z{a,}p x",
    "z?p x",
    "STUBS/z?p x",
    "STUBS/[z]ap x",
    "A=1 zap x",
    "A=1 B=$(echo 2) zap x",
    "p=zap; $p x",
    "p=zap; ${p} x",
    'p=zap; "$p" x',
    "p=za; ${p}p x",
    "p='zap x'; $p",
    "p=ZAP; ${p,,} x",
    "p=xzap; ${p#x} x",
    "p=zapx; ${p%x} x",
    "p=zax; ${p/x/p} x",
    "p=zap; q=p; ${!q} x",
    'a=(zap x); "${a[@]}"',
    "a=(x zap); ${a[1]} x",
    "a=(zap); ${a} x",
    "declare -A m=([k]=zap); ${m[k]} x",
    'set -- zap x; "$@"',
    "set -- zap x; $*",
    "set -- zap; $1 x",
    "zap$IFS'x'",
    "zap${IFS}x",
    "IFS=,; p=zap,x; $p",
    "$(echo zap) x",
    "`echo zap` x",
    "$(printf 'z\\x61p') x",
    "$(<name) x",
    ">out zap x",
    "<name zap x",
    "2>&1 zap x",
    "zap x >out 2>&1",
    "{fd}>out zap x",
    "! zap x",
    "time zap x",
    "time -p zap x",
    "coproc zap x",
    "zap x &",
    "f() { zap x; }; f",
    "f() ( zap x ); f",
    "function f { zap x; }; f",
    "function f() { zap x; }; f",
    'f() { "$@"; }; f zap x',
    "f() { $1 x; }; f zap",
    "f() { eval \"$1\"; }; f 'zap x'",
    "ls() { zap x; }; ls",
    "f() if true; then zap x; fi; f",
    "f() for i in 1; do zap x; done; f",
    "shopt -s expand_aliases\nalias q='zap x'\nq",
    "shopt -s expand_aliases\nalias echo=zap\necho x",
    "bash -O expand_aliases -c $'alias q=zap\\nq x'",
    "trap 'zap x' EXIT",
    "trap 'zap x' 0",
    "trap -- 'zap x' EXIT; exit",
    "trap 'zap x' DEBUG; echo 1",
    "trap 'zap x' ERR; false",
    "PS4='$(zap x)'; set -x; echo 1",
    "PS4='$(zap x)' bash -xc 'echo 1'",
    "BASH_ENV=evil bash -c 'echo 1'",
    "env BASH_ENV=evil bash -c 'echo 1'",
    "export BASH_ENV=evil; bash -c 'echo 1'",
    "ENV=evil sh -ic 'echo 1'",
    "PROMPT_COMMAND='zap x' bash -ic 'echo 1'",
    "x='a[$(zap x)]'; echo $((x))",
    "x='a[$(zap x)]'; ((x))",
    "x='a[$(zap x)]'; let x",
    "x='a[$(zap x)]'; [[ x -eq 1 ]]",
    "x='a[$(zap x)]'; [[ -v $x ]]",
    "x='a[$(zap x)]'; [ -v \"$x\" ]",
    "x='a[$(zap x)]'; test -v \"$x\"",
    "x='a[$(zap x)]'; echo ${b[x]}",
    "x='a[$(zap x)]'; b[x]=1",
    "x='a[$(zap x)]'; echo ${b:x}",
    "x='a[$(zap x)]'; printf -v \"$x\" y",
    "x='a[$(zap x)]'; read \"$x\" <<<y",
    "x='a[$(zap x)]'; unset \"$x\"",
    "x='a[$(zap x)]'; declare -i n; n=x",
    "x='a[$(zap x)]'; declare -n r=$x; echo $r",
    "x='a[$(zap x)]'; for ((i=x;i<1;i++)); do :; done",
    "x='a[$(zap x)]'; echo ${!x}",
    "d='$'; x=\"a[$d(zap x)]\"; echo $((x))",
    "x=$(printf 'a[\\44(zap x)]'); echo $((x))",
    "x='$(zap x)'; echo ${x@P}",
    "mapfile -C 'zap x' -c 1 a <<<y",
    "readarray -c 1 -C 'zap' a <<<y",
    "compgen -C 'zap x' y",
    "complete -C 'zap' y",
    "hash -p STUBS/zap ls; ls x",
    "enable -n echo; zap x",
    "command_not_found_handle() { zap x; }; nosuchprogram",
    "select i in 1; do zap x; done <<<1",
    "case x in x) zap x ;; esac",
    "case x in (x|y) zap x ;& z) : ;; esac",
    "case $(zap x) in *) : ;; esac",
    "for i in $(zap x); do :; done",
    "for i in zap; do $i x; done",
    "for ((i=0; i<1; i++)) { zap x; }",
    "while zap x; do break; done",
    "until ! zap x; do break; done",
    "while read p; do $p x; done <<<zap",
    "read p <<<zap; $p x",
    "printf -v p zap; $p x",
    "if zap x; then :; fi",
    "if true; then zap x; fi",
    "if false; then :; elif zap x; then :; else :; fi",
    "if false; then :; else zap x; fi",
    "echo ${nosuch:-$(zap x)}",
    "echo ${nosuch:=`zap x`}",
    'echo "${nosuch:-"$(zap x)"}"',
    "echo $(( $(zap x; echo 1) + 1 ))",
    "echo $[ $(zap x; echo 1) + 1 ]",
    "[[ $(zap x) == y ]]",
    "[[ y =~ ^($(zap x)|z)$ ]]",
    "cat <(zap x)",
    "echo x > >(zap x)",
    "cat < <(zap x)",
    "cat <<E\n$(zap x)\nE",
    "cat <<E\n`zap x`\nE",
    "cat <<-E\n\t$(zap x)\n\tE",
    "cat <<<$(zap x)",
    'cat <<<"`zap x`"',
    "cat <<'E'\nE\nzap x",
    "cat <<E; zap x\nhi\nE",
    "cat <<\\E\nhi\nE\nzap x",
    "cat <<E <<F\nhi\nE\nhi\nF\nzap x",
    "cat <<'E' \\\n; zap x\nhi\nE",
    "echo hi # ok\nzap x",
    "echo a#b; zap x",
    "echo '\n'; zap x",
    'echo "# $(zap x)"',
    "echo hi;#\nzap x",
    "((echo hi); zap x)",
    "( (zap x) )",
    "{ zap x; }",
    "true && zap x",
    "false || zap x",
    "echo a | zap",
    "echo a |& zap",
    "true; zap x",
    "true & zap x",
    "true\nzap x",
    "true\r\nzap x",
    "echo $'it\\'s'; zap x",
    'echo "it\\"s"; zap x',
    "echo it\\'s; zap x; echo \\'",
    'echo "`echo \\"hi\\"; zap x`"',
    "echo `echo \\`zap x\\``",
)
"""What runs it in one way or another, or would if it were read as somebody hopes."""

WRAPPERS = (
    "{0}",
    "env {0}",
    "env -i PATH=$PATH {0}",
    "env -u A B=1 {0}",
    "env -S '{0}'",
    "env -- {0}",
    "/usr/bin/env {0}",
    "command {0}",
    "command -p {0}",
    "builtin command {0}",
    "exec {0}",
    "exec -a y {0}",
    "nice {0}",
    "nice -n 5 {0}",
    "nice -5 {0}",
    "nohup {0}",
    "timeout 5 {0}",
    "timeout -s KILL -k 1 5 {0}",
    "timeout --signal=KILL 5 {0}",
    "setsid {0}",
    "setsid -w {0}",
    "stdbuf -oL {0}",
    "ionice -c 3 {0}",
    "taskset 1 {0}",
    "flock lock {0}",
    "flock lock -c '{0}'",
    "sudo {0}",
    "sudo -u root -n {0}",
    "sudo A=1 {0}",
    "doas {0}",
    "busybox sh -c '{0}'",
    "echo x | xargs {0}",
    "echo x | xargs -n1 {0}",
    "echo zap | xargs -I_ _ x",
    "echo zap | xargs -I% sh -c '% x'",
    "echo 'zap x' | xargs -0 sh -c",
    "echo zap | xargs env",
    "xargs {0} <<<x",
    "xargs -a name {0}",
    "find . -maxdepth 0 -exec {0} ;",
    "find . -maxdepth 0 -exec {0} \\;",
    "find . -maxdepth 0 -exec {0} {{}} +",
    "find . -maxdepth 0 -execdir sh -c '{0}' \\;",
    'a=(. -maxdepth 0 -exec zap x \\;); find "${{a[@]}}"',
    "bash -c '{0}'",
    'bash -c "{0}"',
    "sh -c '{0}'",
    "dash -ec '{0}'",
    "bash -lc '{0}'",
    "bash -o pipefail -c '{0}'",
    "bash -c '\"$@\"' _ {0}",
    "bash -c '$0 x' zap",
    "bash -s <<E\n{0}\nE",
    "bash <<'E'\n{0}\nE",
    "bash <<<'{0}'",
    "echo '{0}' | bash",
    "echo '{0}' | sh -s",
    "bash <(echo '{0}')",
    "bash /dev/stdin <<<'{0}'",
    "source /dev/stdin <<<'{0}'",
    ". <(echo '{0}')",
    "eval '{0}'",
    'eval "{0}"',
    "eval {0}",
    "x='{0}'; eval \"$x\"",
    "eval \"$(echo '{0}')\"",
    "eval eval '{0}'",
    "$({0})",
    "echo $({0})",
    'echo "$({0})"',
    "echo `{0}`",
    "({0})",
    "{{ {0}\n}}",
    "true && {0}",
    "if true; then {0}\nfi",
    "for i in 1; do {0}\ndone",
    "while true; do {0}\nbreak; done",
    "f() {{ {0}\n}}; f",
    "cat <<E\n$({0})\nE",
    "[[ -n $({0}) ]]",
    "a=($({0}))",
    "trap '{0}' EXIT",
    "script -qc '{0}' /dev/null",
    "git -c alias.q='!{0}' q",
    "git -c core.pager='{0}' -p status",
    "python3 -c \"import os; os.system('{0}')\"",
    "perl -e 'system(\"{0}\")'",
    "awk 'BEGIN {{ system(\"{0}\") }}'",
    "sed '1e {0}' name",
    "tar cf /dev/null --checkpoint=1 --checkpoint-action=exec='{0}' name",
    "time {0}",
    "! {0}",
    "coproc {0}",
    "watch -n 1 -g '{0}'",
)


def lines() -> list[str]:
    """Return every direct line, and a few of them behind every wrapper, and behind two."""
    short = ("zap x", "'zap' x", "p=zap; $p x", "zap$IFS'x'", "sh -c zap", "echo $(zap x)")
    once = [wrapper.format(inner) for wrapper, inner in product(WRAPPERS, short)]
    twice = [outer.format(inner.format("zap x")) for outer, inner in product(WRAPPERS, WRAPPERS)]
    return list(dict.fromkeys((*DIRECT, *once, *twice)))


REPOSITORY = "git init -q .; git add name; git -c user.name=a -c user.email=a commit -qm x"
COMMIT = "git -c user.name=a -c user.email=a commit"


def outwitting() -> list[str]:
    """Return more lines, each for a folder of its own: options, variables, settings and files that run something."""
    text = (Path(__file__).parent / "outwitting.txt").read_text()
    return text.removesuffix("\n").replace("REPOSITORY", REPOSITORY).replace("COMMIT", COMMIT).split("\n%\n")


def prepare(folder: Path) -> Path:
    """Make the stub and what the lines read; return the folder of the stub."""
    stubs = folder / "stubs"
    stubs.mkdir()
    stub = stubs / "zap"
    stub.write_text(f"#!/bin/sh\n: > '{folder}/mark'\n")
    stub.chmod(0o755)
    for name in ("sudo", "doas"):
        program = stubs / name
        program.write_text(
            '#!/bin/sh\nwhile :; do case "$1" in -u) shift 2 ;; -*|*=*) shift ;; *) break ;; esac; done\nexec "$@"\n'
        )
        program.chmod(0o755)
    (folder / "name").write_text("zap\n")
    (folder / "evil").write_text("zap x\n")
    return stubs


def runs_it(line: str, folder: Path) -> bool:
    """Run a line in bash, and return whether the denied program was run."""
    mark = folder / "mark"
    mark.unlink(missing_ok=True)
    variables = {"PATH": f"{folder}/stubs:/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"}
    shell = subprocess.Popen(
        ["bash", "-c", line],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        shell.wait(timeout=3)
    except subprocess.TimeoutExpired:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, 9)
        shell.wait()
    return mark.exists()
