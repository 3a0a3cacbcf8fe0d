"""The processed prefix, kept on disk: reading a thousand tokens takes a small machine 15 s, loading them 0.1 s.

What lies there is handed to native code that ends the process over a broken file, so its digest is checked first.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
from contextlib import aclosing
from pathlib import Path

from cline_cli.errors import ProviderError
from cline_cli.providers._local_process import Child

_DIGEST_BYTES = hashlib.sha256().digest_size
_NAME = "prefix"
_KEPT = 4
"""Files, of about 25 MB each."""


class PrefixState:
    """The state of one model after one prefix."""

    def __init__(self, folder: Path, model: str, version: str, prefix: str) -> None:
        key = hashlib.sha256("\0".join((model, version, prefix)).encode()).hexdigest()
        self._file = folder / f"{key[:32]}.state"
        self._prefix = prefix

    async def restore(self, child: Child) -> bool:
        """Return whether the child has the state now; a file that is not as it was written is removed.

        Raises:
            ProviderError: the child ended over it; the file is removed.
        """
        copy = child.folder / _NAME
        if not await asyncio.to_thread(self._copy_to, copy):
            return False
        try:
            async with aclosing(child.request({"restore": _NAME})) as events:
                async for _ in events:
                    pass
        except ProviderError:
            self._file.unlink(missing_ok=True)
            if child.is_alive:
                return False
            raise
        finally:
            copy.unlink(missing_ok=True)
        return True

    async def make(self, child: Child) -> None:
        """Let the child read the prefix, and keep the state; where nothing can be kept, the next run reads it again.

        Raises:
            ProviderError: the child ended, or the prefix is too long for it.
        """
        async with aclosing(child.request({"prompt": self._prefix, "max_tokens": 1})) as events:
            async for _ in events:
                pass
        copy = child.folder / _NAME
        try:
            async with aclosing(child.request({"save": _NAME})) as events:
                async for _ in events:
                    pass
            await asyncio.to_thread(self._keep, copy)
        except ProviderError:
            if not child.is_alive:
                raise
        finally:
            copy.unlink(missing_ok=True)

    def _copy_to(self, copy: Path) -> bool:
        try:
            data = self._file.read_bytes()
        except OSError:
            return False
        digest, state = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        with contextlib.suppress(OSError):
            if hashlib.sha256(state).digest() == digest:
                copy.write_bytes(state)
                os.utime(self._file)
                return True
            self._file.unlink()
        return False

    def _keep(self, copy: Path) -> None:
        with contextlib.suppress(OSError):
            state = copy.read_bytes()
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=self._file.parent, prefix=".state.")
            with contextlib.ExitStack() as undo:
                undo.callback(Path(name).unlink, missing_ok=True)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(hashlib.sha256(state).digest() + state)
                Path(name).replace(self._file)
            states = sorted(self._file.parent.glob("*.state"), key=lambda path: path.stat().st_mtime)
            for old in states[:-_KEPT]:
                old.unlink()
