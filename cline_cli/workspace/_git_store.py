"""States of a git repository, kept in it as commits on a ref of their own.

Nothing that the person sees of the repository changes: the index is a copy of theirs, no hook runs, no reflog is
written, and what git ignores is neither kept nor touched. Bytes are kept as they are, without git's filters, so that
line ends come back as they were.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cline_cli.machine.files import scratch_file
from cline_cli.machine.process import Command, run_process
from cline_cli.workspace._states import MAX_FILE_BYTES, Entry, State

REFS = "refs/cline/checkpoints"
MAX_FILES = 100_000
MAX_NEW_BYTES = 300_000_000
"""Of files that are new or changed since the last commit, and are kept in every checkpoint."""
MAX_LEFT_OUT = 1_000
MAX_HIDDEN = 10_000
_TIMEOUT_S = 120.0
_MAX_BYTES = 256 * 1024 * 1024
_SWITCHES = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.fileMode=true"),
    *("-c", "core.splitIndex=false"),
    *("-c", "core.logAllRefUpdates=false"),
    *("-c", "core.quotePath=false"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
)
"""The project's own settings could name programs for git to start, or have it look away."""
_IDENTITY = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_AUTHOR_NAME": "cline",
    "GIT_AUTHOR_EMAIL": "cline@localhost",
    "GIT_COMMITTER_NAME": "cline",
    "GIT_COMMITTER_EMAIL": "cline@localhost",
}
_CONVERTING = ("text", "eol", "filter", "ident", "working-tree-encoding")
"""Attributes with which git keeps other bytes than those of the file."""
_SHA1_DIGITS = 40


class GitError(Exception):
    """Git did not do what it should; the message is what it said."""


@dataclass(frozen=True, slots=True)
class GitStore:
    root: Path
    """The top of the working tree, a real path."""
    variables: Mapping[str, str]
    """The environment of git."""

    async def take(self, ref: str) -> str:
        """Keep the state of now under a ref, and return its commit.

        Raises:
            GitError: it could not be kept; nothing was changed.
        """
        async with self._private_index() as index:
            try:
                tree, names, skipped = await self._write_tree(index)
            except GitError:
                if not index.exists():
                    raise
                index.unlink()  # theirs is damaged, or of a kind that this git does not know
                tree, names, skipped = await self._write_tree(index)
        left_out = [*skipped, *(name for name in names if name not in skipped and not _fits(self.root / name))]
        notes = {"modes": self._find_modes(names), "left_out": left_out[:MAX_LEFT_OUT]}
        head = await self._find_head()
        parents = ("-p", head) if head else ()
        message = f"checkpoint of cline\n\n{json.dumps(notes)}\n".encode()
        commit = (await self._git("commit-tree", tree, *parents, stdin=message)).decode().strip()
        await self._git("update-ref", ref, commit)
        return commit

    async def read(self, commit: str) -> State:
        """Return a state that was taken.

        Raises:
            GitError: it is not there any more.
        """
        listed = _split(await self._git("ls-tree", "-r", "-z", f"{commit}^{{tree}}"))
        message = (await self._git("cat-file", "commit", commit)).partition(b"\n\n")[2].decode("utf-8", "replace")
        notes = json.loads(message.partition("\n\n")[2])
        entries: dict[str, Entry] = {}
        for line in listed:
            about, _, path = line.partition("\t")
            mode, _, blob = about.split()
            if mode == "120000":
                entries[path] = Entry("link", blob)
            elif mode != "160000":
                usual = 0o755 if mode == "100755" else 0o644
                entries[path] = Entry("file", blob, notes["modes"].get(path, usual))
        return State(entries, tuple(notes["left_out"]))

    async def read_blob(self, blob: str) -> bytes:
        try:
            return await self._git("cat-file", "blob", blob)
        except GitError as error:
            raise OSError(0, str(error)) from error

    async def forget(self, prefix: str) -> None:
        """Remove the refs below a name; what they held goes with git's next clean-up."""
        for ref in (await self._git("for-each-ref", "--format=%(refname)", prefix)).decode().split():
            await self._git("update-ref", "-d", ref)

    async def list_sessions(self) -> tuple[str, ...]:
        """Return the sessions that have refs here."""
        refs = (await self._git("for-each-ref", "--format=%(refname)", REFS)).decode().split()
        return tuple(dict.fromkeys(ref.removeprefix(f"{REFS}/").partition("/")[0] for ref in refs))

    async def _write_tree(self, index: Path) -> tuple[str, list[str], set[str]]:
        """Return the tree of what is there, the names in it, and what would be too much to keep."""
        with suppress(GitError):  # it says no where something is unmerged, and has done its work
            await self._git("update-index", "-q", "--refresh", index=index)
        skipped = await self._put_in(index)
        tree = (await self._git("write-tree", index=index)).decode().strip()
        return tree, _split(await self._git("ls-files", "-z", index=index)), skipped

    async def _put_in(self, index: Path) -> set[str]:
        """Put into the index what is there as it is there, byte for byte; return what would be too much to keep."""
        changed = _split(await self._git("diff-files", "--name-only", "-z", "--ignore-submodules=all", index=index))
        others = _split(await self._git("ls-files", "-z", "--others", "--exclude-standard", index=index))
        unmerged = [line.partition("\t")[2] for line in _split(await self._git("ls-files", "-u", "-z", index=index))]
        converted = await self._find_converted(index)
        hidden = await self._find_hidden(index)
        listed = dict.fromkeys((*changed, *others, *unmerged, *converted, *hidden))
        paths = [name for name in listed if not name.endswith("/")]
        if len(paths) > MAX_FILES:
            raise GitError(f"more than {MAX_FILES:,} files are changed or new")
        kinds = {path: self._look_at(path) for path in paths}
        skipped = self._find_excess([path for path, kind in kinds.items() if kind and kind[0] != "120000"])
        kinds = {path: kind for path, kind in kinds.items() if path not in skipped}
        files = [path for path, kind in kinds.items() if kind and kind[0] != "120000"]
        blobs = await self._keep(files)
        for path, kind in kinds.items():
            if kind and kind[0] == "120000":
                blobs[path] = await self._keep_bytes(os.fsencode(kind[1]))
        digits = len(next(iter(blobs.values()), "") or await self._find_head()) or _SHA1_DIGITS
        lines: list[str] = []
        for path, kind in kinds.items():
            lines.append(f"0 {'0' * digits}\t{path}")  # takes away all stages of an unmerged one, too
            if kind and path in blobs:
                lines.append(f"{kind[0]} {blobs[path]}\t{path}")
        if lines:
            data = os.fsencode("".join(f"{line}\0" for line in lines))
            await self._git("update-index", "-z", "--index-info", stdin=data, index=index)
        return skipped

    def _find_excess(self, paths: Sequence[str]) -> set[str]:
        """Return the largest of these files that do not fit into MAX_NEW_BYTES with the others."""
        sizes: dict[str, int] = {}
        for path in paths:
            with suppress(OSError):
                sizes[path] = os.lstat(self.root / path).st_size
        room = MAX_NEW_BYTES
        excess: set[str] = set()
        for path in sorted(sizes, key=sizes.__getitem__):
            room -= sizes[path]
            if room < 0:
                excess.add(path)
        return excess

    def _look_at(self, path: str) -> tuple[str, str] | None:
        """Return what git calls a file's mode, and where a link leads; None for what is gone or not kept."""
        try:
            status = os.lstat(self.root / path)
            if stat.S_ISLNK(status.st_mode):
                return "120000", str((self.root / path).readlink())
        except OSError:
            return None
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            return None
        return ("100755" if status.st_mode & 0o100 else "100644"), ""

    def _find_modes(self, names: Sequence[str]) -> dict[str, int]:
        """Return the permissions that git does not know of: all but 0644 and 0755."""
        found: dict[str, int] = {}
        for name in names:
            with suppress(OSError):
                mode = stat.S_IMODE(os.lstat(self.root / name).st_mode)
                if mode not in {0o644, 0o755, 0o777}:
                    found[name] = mode
        return found

    async def _find_hidden(self, index: Path) -> list[str]:
        """Return the files that git was told not to look at: assume-unchanged, skip-worktree.

        In a sparse checkout of a large repository those that are not there are left as the index has them.
        """
        listed = _split(await self._git("ls-files", "-v", "-z", index=index))
        names = [line[2:] for line in listed if line[0].islower() or line[0] == "S"]
        return names if len(names) <= MAX_HIDDEN else [name for name in names if os.path.lexists(self.root / name)]

    async def _find_converted(self, index: Path) -> list[str]:
        """Return the files of which git keeps other bytes than there are, or might."""
        settings = await self._try("config", "--get-regexp", r"^core\.(autocrlf|attributesfile)$")
        info = await self._try("rev-parse", "--git-path", "info/attributes")
        has_own = bool(info) and os.path.exists(self.root / info.decode().strip())
        patterns = (":(glob)**/.gitattributes",)
        names = await self._git("ls-files", "-z", "--cached", "--others", "--", *patterns, index=index)
        if not names and not has_own and not re.search(rb"autocrlf (true|input)|attributesfile", settings):
            return []
        listed = await self._git("ls-files", "-z", "--cached", index=index)
        if re.search(rb"autocrlf (true|input)", settings):
            return _split(listed)
        found = _split(await self._git("check-attr", "-z", "--stdin", *_CONVERTING, stdin=listed, index=index))
        triples = zip(found[::3], found[2::3], strict=True)
        return list(dict.fromkeys(path for path, value in triples if value not in {"unspecified", "unset"}))

    async def _keep(self, paths: Sequence[str]) -> dict[str, str]:
        """Keep the bytes of files, and return their names in the store."""
        plain = [path for path in paths if "\n" not in path]
        data = os.fsencode("".join(f"{path}\n" for path in plain))
        named = (await self._git("hash-object", "-w", "--no-filters", "--stdin-paths", stdin=data)).decode().split()
        blobs = dict(zip(plain, named, strict=True))
        for path in paths:
            if path not in blobs:
                blobs[path] = await self._keep_bytes((self.root / path).read_bytes())
        return blobs

    async def _keep_bytes(self, data: bytes) -> str:
        return (await self._git("hash-object", "-w", "--no-filters", "--stdin", stdin=data)).decode().strip()

    async def _find_head(self) -> str:
        return (await self._try("rev-parse", "-q", "--verify", "HEAD^{commit}")).decode().strip()

    @asynccontextmanager
    async def _private_index(self) -> AsyncIterator[Path]:
        """Hold a copy of the index: git remembers in it which files it has looked at."""
        own = self.root / (await self._git("rev-parse", "--git-path", "index")).decode().strip()
        with tempfile.TemporaryDirectory(prefix="cline-") as folder:
            index = Path(folder, "index")
            with suppress(FileNotFoundError):
                index.write_bytes(own.read_bytes())
            yield index

    async def _try(self, *words: str) -> bytes:
        """Return what git prints, and nothing where it says no."""
        try:
            return await self._git(*words)
        except GitError:
            return b""

    async def _git(self, *words: str, stdin: bytes = b"", index: Path | None = None) -> bytes:
        """Raises GitError."""
        variables = {**self.variables, **_IDENTITY}
        for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"):
            variables.pop(name, None)
        if index:
            variables["GIT_INDEX_FILE"] = str(index)
        argv = ("git", *_SWITCHES, *words)
        try:
            with scratch_file(stdin) as descriptor:
                command = Command(
                    argv, self.root, variables, _TIMEOUT_S, max_bytes=_MAX_BYTES, drops_errors=True, stdin=descriptor
                )
                done = await run_process(command)
        except (OSError, ValueError) as error:
            raise GitError(f"git could not be started: {error}") from error
        if done.exit_code != 0 or done.omitted_bytes or done.is_timed_out:
            raise GitError(f"git {words[0]} failed ({done.signal_name or done.exit_code})")
        return done.head + done.tail


async def find_repository(workspace: Path, variables: Mapping[str, str]) -> GitStore | None:
    """Return the store of the repository that a folder belongs to; None where it belongs to none, or git is not there.

    A folder that the repository ignores does not belong to it.
    """
    if not any(os.path.lexists(folder / ".git") for folder in (workspace, *workspace.parents)):
        return None
    here = GitStore(workspace, variables)
    try:
        top = Path(os.fsdecode(await here._git("rev-parse", "--show-toplevel")).rstrip("\n"))
        if not top.is_absolute() or not workspace.is_relative_to(Path(os.path.realpath(top))):
            return None
        store = GitStore(Path(os.path.realpath(top)), variables)
    except GitError:
        return None
    if workspace == store.root:
        return store
    try:
        await here._git("check-ignore", "-q", "--", ".")
    except GitError:
        return store
    return None


def _fits(path: Path) -> bool:
    try:
        return os.lstat(path).st_size <= MAX_FILE_BYTES
    except OSError:
        return True


def _split(data: bytes) -> list[str]:
    return [os.fsdecode(item) for item in data.split(b"\0") if item]
