"""Keys in the keyring of the operating system. The service is "cline", the user name is the provider's.

Backends are foreign code that talks to foreign processes: any of them may raise anything, and may never answer. So
everything, from the import to the answer, happens in a daemon thread, and all of it together has one deadline.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from cline_cli.config._store import NoStoreError, StoreError

SERVICE = "cline"
ABSENT = "none-of-this-name"
"""No provider is called that: asking for its key shows whether a keyring answers."""
TIMEOUT_S = 3.0
MAX_CAUSE_CHARACTERS = 200
MEANINGS = {
    "KeyringLocked": "it is locked",
    "InitError": "it is locked, or was never set up",
    "PasswordSetError": "it did not take the key",
    "ModuleNotFoundError": "a part of it is not installed",
}
"""Names of exceptions, most of them keyring's own -> what they mean to people."""

FREEDESKTOP = "keyring.backends.SecretService"
SILENT = frozenset(
    {FREEDESKTOP, *(f"keyring.backends.{name}" for name in ("libsecret", "macOS", "Windows", "chainer"))}
)
"""Modules of backends that open no window for a key that is not there, once they are unlocked."""

Answer = TypeVar("Answer")


class Backend(Protocol):
    """What is used of a `keyring.backend.KeyringBackend`."""

    def get_password(self, service: str, username: str) -> str | None: ...
    def set_password(self, service: str, username: str, password: str) -> None: ...
    def delete_password(self, service: str, username: str) -> None: ...


class KeyringStore:
    """A Store. `load` finds the backend when it is first needed; `timeout_s` is for the life of the object."""

    place = "the keyring"

    def __init__(self, load: Callable[[], Backend] | None = None, timeout_s: float = TIMEOUT_S) -> None:
        self._load = load or load_backend
        self._backend: Backend | None = None
        self._failure: StoreError | None = None
        """Why nothing more is asked of it."""
        self._timeout_s = timeout_s
        self._left_s = timeout_s

    def name(self) -> str:
        """Return what the backend calls itself: untrusted text.

        Raises:
            NoStoreError: there is none.
            StoreError: it is not safe, or does not answer.
        """
        return self._ask(lambda backend: str(getattr(backend, "name", type(backend).__name__)))

    def check(self) -> bool:
        """See whether it would give a key, without a window that opens and without making anything.

        False says that it was not asked, because that might open a window.

        Raises:
            StoreError: it is locked, was never set up, or does not answer.
        """
        return self._ask(_check)

    def read(self, provider: str) -> str | None:
        return self._ask(lambda backend: _get(backend, provider))

    def write(self, provider: str, key: str) -> None:
        def keep(backend: Backend) -> None:
            backend.set_password(SERVICE, provider, key)
            if _get(backend, provider) != key:
                raise StoreError("it did not give back the key that it was given")

        self._ask(keep, secret=key)

    def delete(self, provider: str) -> bool:
        def forget(backend: Backend) -> bool:
            if _get(backend, provider) is None:
                return False
            backend.delete_password(SERVICE, provider)
            if _get(backend, provider) is not None:
                raise StoreError("it still has the key that it was told to forget")
            return True

        return self._ask(forget)

    def _ask(self, operation: Callable[[Backend], Answer], secret: str = "") -> Answer:
        """Carry an operation out within what is left of the time.

        Raises:
            StoreError: it failed, or did not end in time; its text never has the secret in it.
        """
        if self._failure:
            raise self._failure
        answers: queue.SimpleQueue[tuple[Answer] | StoreError] = queue.SimpleQueue()

        def work() -> None:
            try:
                answers.put((operation(self._loaded()),))
            except StoreError as error:
                answers.put(error)
            except BaseException as error:  # noqa: BLE001  # foreign code: a panic of its Rust parts is no Exception
                answers.put(StoreError(_describe(error, secret)))

        started = time.monotonic()
        threading.Thread(target=work, name="keyring", daemon=True).start()
        try:
            answer = answers.get(timeout=max(self._left_s, 0))
        except queue.Empty:
            self._failure = StoreError(f"it did not answer within {self._timeout_s:g} s")
            raise self._failure from None
        self._left_s -= time.monotonic() - started
        if isinstance(answer, StoreError):
            if self._backend is None:
                self._failure = answer
            raise answer
        return answer[0]

    def _loaded(self) -> Backend:
        if self._backend is None:
            self._backend = self._load()
        return self._backend


def load_backend() -> Backend:
    """Return the backend that keyring prefers among those that keep keys safe.

    Raises:
        NoStoreError: there is none.
        StoreError: there is one, and it is not safe or does not answer.
        BaseException: whatever else comes out of foreign code.
    """
    import logging  # lazy: keyring brings it

    import keyring.backend  # lazy: 57-90 ms
    import keyring.core  # lazy: see above
    from keyring.backends import fail, null  # lazy: see above

    # Plug-ins that do not load are logged with a traceback, which would end up on stderr.
    logging.getLogger("keyring").addHandler(logging.NullHandler())
    keyring.core.init_backend(limit=keyring.core.recommended)
    backend = keyring.core.get_keyring()
    if isinstance(backend, null.Keyring):
        raise StoreError("it is switched off: it takes keys and forgets them")
    if isinstance(backend, fail.Keyring):
        for other in keyring.backend.get_all_keyring():
            if 0 < other.priority < 1:
                raise StoreError(f"the only one here, {other.name}, does not keep keys safe")
        _check_bus()
        raise NoStoreError("there is no keyring on this machine")
    if not backend.priority >= 1:
        raise StoreError(f"{backend.name} does not keep keys safe")
    return backend


def _check_bus() -> None:
    """Tell a bus that hangs from none at all: keyring takes both for "no backend".

    Raises:
        StoreError: the session bus was reached and says nothing.
    """
    from keyring.backends.SecretService import Keyring  # lazy: see load_backend

    try:
        _ = Keyring.priority
    except TimeoutError:
        raise StoreError("the D-Bus session bus does not answer") from None
    except (RuntimeError, OSError):
        return


def _check(backend: Backend) -> bool:
    """Look before asking: reading unlocks what is locked, and makes what is missing, both with a window."""
    parts: list[Backend] = list(getattr(backend, "backends", (backend,)))  # several, where it is a chain
    modules = {type(part).__module__ for part in (backend, *parts)}
    if not modules <= SILENT:
        return False
    for part in parts:
        if type(part).__module__ == FREEDESKTOP:
            _check_secret_service(part)
    _get(backend, ABSENT)
    return True


def _check_secret_service(backend: Backend) -> None:
    """See that the collection it would look into is there and open.

    Raises:
        StoreError: it is not.
        BaseException: whatever else comes out of foreign code.
    """
    from keyring.backends import SecretService  # lazy: see load_backend

    service = vars(SecretService)["secretstorage"]  # keyring's own dependency, and only where there is D-Bus
    chosen = getattr(backend, "preferred_collection", None)
    connection = service.dbus_init()
    try:
        collection = service.Collection(connection, chosen) if chosen else service.Collection(connection)
        is_locked = collection.is_locked()
    except service.exceptions.ItemNotFoundException:
        raise StoreError("it was never set up") from None
    finally:
        connection.close()
    if is_locked:
        raise StoreError("it is locked")


def _get(backend: Backend, provider: str) -> str | None:
    key = backend.get_password(SERVICE, provider)
    if key is not None and not isinstance(key, str):
        raise StoreError("it answered with something that is no text")
    return key


def _describe(error: BaseException, secret: str) -> str:
    """Return the cause in one line; what a backend says is dropped when the key is in it."""
    name = type(error).__name__
    cause = " ".join(str(error).split())[:MAX_CAUSE_CHARACTERS]
    if not cause.isprintable() or (secret and secret in str(error)):
        cause = ""
    told = f"{name}: {cause}" if cause else name
    return f"{MEANINGS[name]} ({told})" if name in MEANINGS else told
