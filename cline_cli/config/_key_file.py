"""Keys in a file of this user, for machines without a keyring: `{"version": 1, "keys": {"cline": "..."}}`.

They lie there as plain text; the file is 0600 and in a folder that is made 0700. A file that is a link or another
user's is not touched.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from cline_cli.config._files import Content, read_small_file
from cline_cli.config._store import StoreError
from cline_cli.machine.files import locked, make_private_folder, write_atomic

VERSION = 1


class KeyFile:
    """A Store."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> str:
        return str(self._path)

    def read(self, provider: str) -> str | None:
        key = _keys(self._load()).get(provider)
        if key is not None and not isinstance(key, str):
            raise StoreError(f"the key of {provider} in it is no text")
        return key

    def write(self, provider: str, key: str) -> None:
        self._change(provider, key)
        if self.read(provider) != key:
            raise StoreError("it does not hold what was written")

    def delete(self, provider: str) -> bool:
        if self.read(provider) is None:
            return False
        self._change(provider, None)
        return True

    def weakness(self) -> str:
        """Return in a few words how others could get at the keys, or an empty text."""
        content = self._content()
        if content is None:
            return ""
        folder = self._path.parent
        if content.mode & 0o077:
            return f"other users may open it; `chmod 600 {self._path}` closes it"
        if folder.stat().st_mode & 0o022:
            return f"other users may replace it; `chmod 700 {folder}` closes its folder"
        return ""

    def _change(self, provider: str, key: str | None) -> None:
        try:
            make_private_folder(self._path.parent)
            with locked(self._path.with_name(f"{self._path.name}.lock")):
                document = self._load()
                keys = {**_keys(document), provider: key}
                document["keys"] = {name: value for name, value in keys.items() if value is not None}
                text = json.dumps({"version": VERSION, **document}, indent=2) + "\n"
                write_atomic(self._path, text.encode(), mode=0o600)
        except OSError as error:
            raise StoreError(error.strerror or type(error).__name__) from None

    def _load(self) -> dict[str, object]:
        content = self._content()
        if content is None:
            return {}
        try:
            document = json.loads(content.data)
        except json.JSONDecodeError as error:
            raise StoreError(f"line {error.lineno} is not valid JSON: {error.msg}") from None
        except (ValueError, RecursionError):
            raise StoreError("it is not valid JSON") from None
        if not isinstance(document, dict) or document.get("version") != VERSION:
            raise StoreError("it is not a file of keys, or one of a newer version")
        return document

    def _content(self) -> Content | None:
        """Return the file, once it is certain that it is one of this user."""
        try:
            content = read_small_file(self._path, follows_links=False)
        except OSError as error:
            raise StoreError(error.strerror or type(error).__name__) from None
        if content is not None and content.owner != os.geteuid():
            raise StoreError("it belongs to another user")
        return content


def _keys(document: dict[str, object]) -> dict[str, object]:
    keys = document.get("keys", {})
    if not isinstance(keys, dict):
        raise StoreError('"keys" in it is not an object')
    return keys
