"""Puts a script of completion where the next shell finds it, and takes it away again; nothing else is changed.

    bash    <data>/completion.bash    and a marked block in ~/.bashrc that reads it
    zsh     <data>/completion.zsh     and a marked block in $ZDOTDIR/.zshrc, else ~/.zshrc
    fish    $XDG_CONFIG_HOME/fish/completions/cline.fish, and cline-cli.fish beside it, which fish finds by name

<data> is $XDG_DATA_HOME/cline, else ~/.local/share/cline. A start-up file is edited at the end of its symbolic links,
in one step, and only if it is a file of this user that may be written.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from cline_cli.errors import ClineError, UsageError
from cline_cli.machine.files import ChangedError, NotRegularError, open_regular, write_confined

SHELLS = ("bash", "zsh", "fish")
MARK = b"`cline completion "
"""Stands near the beginning of every script of ours; a file without it is somebody else's."""
MARK_WITHIN = 500
BEGIN = b"# >>> cline completion >>>\n"
END = b"# <<< cline completion <<<"
BY_WHOM = b"# Written by `cline completion install`; `cline completion uninstall` takes it away."
FOR_A_NEW_FILE = b" The file was made for it."
FOR_A_CUT_LINE = b" The line before had no end."
"""What the file was before, so that it can be as it was again."""
FOR_CLINE_CLI = """\
# Completion of cline-cli for fish: as of cline. Written by `cline completion install`.
complete --command cline-cli --wraps cline
"""
MAX_BYTES = 1 << 22
LOGIN_FILES = (".bash_profile", ".bash_login", ".profile")
"""Of which a login shell of bash reads the first that there is, and ~/.bashrc only if that says so."""


class Place(NamedTuple):
    """What a shell reads."""

    shell: str
    home: Path
    scripts: tuple[Path, ...]
    """The first is the whole script; a further one only says that `cline-cli` is completed as `cline` is."""
    startup: Path | None
    """The file that gets a block; None where the shell finds the script itself."""


class Report(NamedTuple):
    lines: tuple[str, ...]
    notices: tuple[str, ...] = ()


class _Kept(NamedTuple):
    """A file as it was read, at the end of its symbolic links."""

    name: Path
    """As it is called."""
    target: Path
    """A real path."""
    data: bytes
    status: os.stat_result | None
    """None where there is none."""


def find_place(shell: str, home: Path | None, variables: Mapping[str, str]) -> Place:
    """Return where completion of a shell is put.

    Raises:
        UsageError: there is no HOME.
    """
    if home is None or not home.is_absolute():
        raise UsageError("HOME is not set to a folder, so no shell would find the completion", "Set HOME")
    if shell == "fish":
        folder = _folder(variables, "XDG_CONFIG_HOME", home / ".config") / "fish" / "completions"
        return Place(shell, home, (folder / "cline.fish", folder / "cline-cli.fish"), None)
    script = _folder(variables, "XDG_DATA_HOME", home / ".local" / "share") / "cline" / f"completion.{shell}"
    startup = home / ".bashrc" if shell == "bash" else _folder(variables, "ZDOTDIR", home) / ".zshrc"
    return Place(shell, home, (script,), startup)


def install(place: Place, script: str, variables: Mapping[str, str]) -> Report:
    """Write the script, and the block that reads it; doing so again brings both up to date.

    Raises:
        UsageError: a path cannot be written into a start-up file.
        ClineError: a file is somebody else's, or cannot be written; every file was looked at before the first is.
    """
    own = place.scripts[0]
    for path in (*place.scripts, *((place.startup,) if place.startup else ())):
        if not str(path).isprintable():
            raise UsageError(f"cannot install at {str(path)!r}: there are control characters in the path")
    scripts = [_read_script(path) for path in place.scripts]
    startup = _read(place.startup) if place.startup else None
    after = _add_block(startup, _to_line(place.shell, own, place.home)) if startup else b""
    texts = [f"{script}\n{_to_footer(place.shell, own)}\n", FOR_CLINE_CLI]
    lines: list[str] = []
    for old, text in zip(scripts, texts, strict=False):
        _write(old, text.encode("utf-8", "surrogateescape"))
        lines.append(f"Wrote {old.name}")
    if startup and after == startup.data:
        lines.append(f"{startup.name} reads it already.")
    elif startup:
        _write(startup, after)
        lines.append(f"Added a block to {startup.name} that reads it.")
    here = "" if place.shell == "fish" else f"; in this one: source {quote(str(own))}"
    lines.append(f"It works in the next {place.shell}{here}")
    lines.append("Try: cline --mo<TAB>")
    return Report(tuple(lines), tuple(_find_obstacles(place, variables)))


def uninstall(place: Place) -> Report:
    """Take away what `install` wrote.

    Raises:
        ClineError: a file is somebody else's, or cannot be written; every file was looked at before the first is.
    """
    scripts = [_read_script(path) for path in place.scripts]
    startup = _read(place.startup) if place.startup else None
    rest = _remove_block(startup) if startup else b""
    lines: list[str] = []
    if startup and rest is None:
        lines.append(f"Removed {_remove(startup)}, which was made for this.")
    elif startup and rest is not None and rest != startup.data:
        _write(startup, rest)
        lines.append(f"Removed the block from {startup.name}")
    lines.extend(f"Removed {_remove(old)}" for old in scripts if old.status)
    if place.shell != "fish":
        with contextlib.suppress(OSError):  # something else is in it, or it is not there
            place.scripts[0].parent.rmdir()
    return Report(tuple(lines) or (f"No completion for {place.shell} was installed.",))


def _folder(variables: Mapping[str, str], name: str, default: Path) -> Path:
    """Return the folder that a variable names, if it names one: a relative path is none."""
    value = Path(variables.get(name, ""))
    return value if value.is_absolute() else default


def _to_line(shell: str, script: Path, home: Path) -> bytes:
    """Return the line that reads the script, for whatever shell comes upon it."""
    path = quote(str(script))
    if script.is_relative_to(home):
        path = f'"$HOME"/{quote(str(script.relative_to(home)))}'
    only = '[ -n "${BASH_VERSION-}" ] && [ -n "${PS1-}" ] && ' if shell == "bash" else ""
    return f"if {only}[ -r {path} ]; then . {path}; fi\n".encode()


def _to_footer(shell: str, script: Path) -> str:
    """Return what a script that lies in a file says of itself, so that it is noticed when the command is newer."""
    return "__cline_renew (status --current-filename)" if shell == "fish" else f"_cline_file={quote(str(script))}"


def _add_block(startup: _Kept, line: bytes) -> bytes:
    """Return the file with one block in it: in the place of one that is there, else at the end."""
    data = startup.data
    old = _find_blocks(startup)
    if old:
        first = old[0]
        inner = BEGIN + first["by_whom"] + b"\n" + line + END + b"\n"
        rest = b"".join(
            data[one.end() : two] for one, two in zip(old, [*(b.start() for b in old[1:]), None], strict=True)
        )
        return data[: first.start()] + inner + rest
    by_whom = BY_WHOM
    if startup.status is None:
        by_whom += FOR_A_NEW_FILE
    elif data and not data.endswith(b"\n"):
        by_whom += FOR_A_CUT_LINE
        data += b"\n"
    return data + BEGIN + by_whom + b"\n" + line + END + b"\n"


def _remove_block(startup: _Kept) -> bytes | None:
    """Return the file without blocks, as it was before; None where there was none."""
    data = startup.data
    for block in reversed(_find_blocks(startup)):
        before, after = data[: block.start()], data[block.end() :]
        if FOR_A_CUT_LINE in block["by_whom"] and not after:
            before = before.removesuffix(b"\n")
        data = before + after
        if FOR_A_NEW_FILE in block["by_whom"] and not data:
            return None
    return data


def _find_blocks(startup: _Kept) -> list[re.Match[bytes]]:
    blocks = list(_BLOCK.finditer(startup.data))
    begun, ended = (len(re.findall(rb"^" + re.escape(mark.strip()), startup.data, re.M)) for mark in (BEGIN, END))
    if begun != len(blocks) or ended != len(blocks):
        message = f"the lines of cline completion in {startup.name} are not whole"
        raise ClineError(message, f"Remove by hand what lies between {BEGIN.decode().strip()} and {END.decode()}")
    return blocks


def _read_script(path: Path) -> _Kept:
    kept = _read(path)
    if kept.status and MARK not in kept.data[:MARK_WITHIN]:
        raise ClineError(f"{path} was not written by cline", "Move it away first")
    return kept


def _read(path: Path) -> _Kept:
    """Return the file at the end of a path, if it is one that may be changed.

    Raises:
        ClineError: it is none: another user's, read-only, no regular file, or it cannot be read.
    """
    target = Path(os.path.realpath(path))
    try:
        descriptor = open_regular(target)
    except FileNotFoundError:
        _check_folder(path, target)
        return _Kept(path, target, b"", None)
    except NotRegularError as error:
        raise ClineError(f"cannot change {path}: it is {error.kind}", "Move it away first") from None
    except OSError as error:
        raise ClineError(f"cannot read {path}: {error.strerror}", "Make it readable first") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ClineError(f"cannot change {path}: it is larger than {MAX_BYTES:,} bytes")
    if status.st_uid != os.geteuid():
        raise ClineError(f"cannot change {path}: it belongs to another user", "Run this as that user")
    if not status.st_mode & stat.S_IWUSR or not os.access(target, os.W_OK):
        raise ClineError(f"cannot change {path}: it is read-only", "Make it writable first")
    return _Kept(path, target, data, status)


def _check_folder(path: Path, target: Path) -> None:
    """Refuse to leave files of the system's administrator in the home of somebody else."""
    folder = next((each for each in target.parents if os.path.isdir(each)), Path("/"))
    if os.geteuid() == 0 and folder.stat().st_uid != 0:
        raise ClineError(f"cannot write {path}: {folder} belongs to another user", "Run this as that user")


def _write(kept: _Kept, data: bytes) -> None:
    try:
        write_confined(kept.target, data, expected=kept.status)
    except ChangedError as error:
        raise ClineError(f"cannot write {kept.name}: {error}", "Try again") from None
    except OSError as error:
        raise ClineError(f"cannot write {kept.name}: {error.strerror}") from None


def _remove(kept: _Kept) -> Path:
    """Remove a file and return its name; a symbolic link that leads to it is the person's, and stays."""
    try:
        kept.target.unlink()
    except OSError as error:
        raise ClineError(f"cannot remove {kept.name}: {error.strerror}") from None
    return kept.target if kept.name.is_symlink() else kept.name


def _find_obstacles(place: Place, variables: Mapping[str, str]) -> Iterator[str]:
    """Yield why some shells may not read the start-up file."""
    if place.shell == "bash":
        files = [place.home / name for name in LOGIN_FILES]
        login = next((file for file in files if os.path.isfile(file)), None)
        if login and not _mentions(login, b"bashrc"):
            yield f"login shells read {login}, which does not read ~/.bashrc; for those add to it: . ~/.bashrc"
        elif login is None and sys.platform == "darwin":
            yield f"login shells, which Terminal opens, read {files[0]}; write into it: . ~/.bashrc"
    elif place.shell == "zsh" and not variables.get("ZDOTDIR") and _mentions(place.home / ".zshenv", b"ZDOTDIR"):
        yield "~/.zshenv sets ZDOTDIR without exporting it: if zsh reads another .zshrc, say ZDOTDIR=... before this"


def _mentions(path: Path, word: bytes) -> bool:
    try:
        with os.fdopen(open_regular(Path(os.path.realpath(path))), "rb") as file:
            return word in file.read(MAX_BYTES)
    except OSError:
        return False


_BLOCK = re.compile(
    rb"^" + re.escape(BEGIN) + rb"(?P<by_whom>[^\n]*)\n(?:(?!# >>> cline)[^\n]*\n)*?" + re.escape(END) + rb"(?:\n|\Z)",
    re.M,
)
