"""What a place for keys is to the rest: read, write, delete, by the name of a provider."""

from __future__ import annotations

from typing import Protocol


class StoreError(Exception):
    """A store that is there does not do its work; the text says why, and never has a key in it."""


class NoStoreError(StoreError):
    """There is no such store on this machine."""


class Store(Protocol):
    @property
    def place(self) -> str:
        """For people: "the keyring", or a path."""
        ...

    def read(self, provider: str) -> str | None:
        """Return the provider's key, or None where there is none.

        Raises:
            StoreError: nobody can tell.
        """
        ...

    def write(self, provider: str, key: str) -> None:
        """Keep a key in place of an older one, and make sure that it can be read back.

        Raises:
            StoreError: it was not kept.
        """
        ...

    def delete(self, provider: str) -> bool:
        """Forget the provider's key; return whether there was one.

        Raises:
            StoreError: it may still be there.
        """
        ...
