"""Whom a run would ask, which model, where and with which key: what `app.choose` does, told piece by piece.

    the session that is gone on with -> provider -> model, address -> key -> choose

Each piece comes from the function that a run takes it from, and in the end a run's own function has the last word.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cline_cli.app import Chosen, Options, choose, new_session_id
from cline_cli.catalog.runtime import describe_missing, is_installed, read_host
from cline_cli.catalog.weights import WEIGHTS, find_installed
from cline_cli.commands._auth_status import describe_key
from cline_cli.commands._doctor_reading import Reading
from cline_cli.commands._doctor_report import Check, Status, from_error
from cline_cli.commands._sessions import keep_on, open_session
from cline_cli.commands._sign_in import warn_of_plain_http
from cline_cli.config._store import Store
from cline_cli.config.credentials import (
    FLAG_VARIABLE,
    Key,
    Recipient,
    find_key,
    find_optional_key,
    open_stores,
    read_key_line,
)
from cline_cli.config.paths import Paths
from cline_cli.config.settings import ADDRESS_VARIABLES, Settings, choose_provider, find_base_url
from cline_cli.environment import Environment
from cline_cli.errors import ClineError
from cline_cli.providers import KEY_VARIABLES, Row, require

NO_KEY = "none needed"


@dataclass(frozen=True, slots=True)
class Outlook:
    """Whom a run would ask, as far as it gets."""

    checks: tuple[Check, ...]
    provider: str = ""
    """Empty where there is none of that name; likewise the next."""
    model: str = ""
    base_url: str | None = None
    """None where it is not known; empty for a model of this machine."""
    key: Key | None = None
    chosen: Chosen | None = None
    """What a run would go on with; None where it would not get so far."""


class _Provider(NamedTuple):
    check: Check
    name: str = ""
    row: Row | None = None
    """None where there is no such provider."""


@dataclass(frozen=True, slots=True)
class _Around:
    """What a run would be asked, and where it would find itself."""

    reading: Reading
    environment: Environment
    paths: Paths

    @property
    def settings(self) -> Settings:
        return self.reading.opened.settings

    @property
    def variables(self) -> Mapping[str, str]:
        return self.environment.variables

    def complain(self, name: str, error: ClineError) -> Check:
        return from_error(name, self.reading.blame(error))

    def place(self, *key: str) -> str:
        """Return where a setting stands, for people."""
        return self.reading.opened.place(key) or "the settings"


def foresee(reading: Reading, environment: Environment, paths: Paths, keyring: Store) -> Outlook:
    """Settle provider, model, address and key as a run does, and say why each is what it is."""
    around = _Around(reading, environment, paths)
    options, session, checks = _go_on(around)
    provider = _find_provider(options, around, session)
    checks.append(provider.check)
    name, row = provider.name, provider.row
    if row is None:
        return Outlook(tuple(checks))
    candidates = (
        (reading.asked.options.model, "-m"),
        (around.variables.get("CLINE_MODEL"), "$CLINE_MODEL"),
        (options.model, session),
        (around.settings.of(name).model, around.place("providers", name, "model")),
        (row.default_model, f"the default of {name}"),
    )
    model, model_check = _find_model(name, candidates, paths)
    base_url, url_check = _find_address(name, row, around)
    checks += [model_check, url_check]
    if base_url is None:
        return Outlook(tuple(checks), name, model)
    key: Key | None = None
    if row.key_variables:
        recipient = Recipient(name, row.key_variables, base_url, row.base_url, row.is_key_optional)
        key, key_check = _find_key(recipient, around, keyring)
    else:
        key_check = Check("key", "ok", NO_KEY)
    checks.append(key_check)
    chosen: Chosen | None = None
    if model and (key or key_check.text == NO_KEY):
        chosen, run_checks = _agree(options, key, around)
        checks += run_checks
    return Outlook(tuple(checks), name, model, base_url, key, chosen)


def _go_on(around: _Around) -> tuple[Options, str, list[Check]]:
    """Return the options of the run, which session added to them, and what to say of it."""
    asked = around.reading.asked
    try:
        session = open_session(around.reading.given, around.paths, asked.workspace)
    except ClineError as error:
        return asked.options, "", [around.complain("session", error)]
    if session is None:
        return asked.options, "", []
    session.close()
    kept = keep_on(asked.options, session, around.variables)
    return kept, "" if kept is asked.options else f"session {session.id}", [Check("session", "ok", session.id)]


def _find_provider(options: Options, around: _Around, session: str) -> _Provider:
    found = choose_provider(options.provider, around.variables, around.settings, KEY_VARIABLES)
    source = found.source if found else "nothing is set up"
    if session:
        source = session
    elif found and found.source == "the settings":
        source = around.place("provider")
    elif found and any(f"${variable}" == source for names in KEY_VARIABLES.values() for variable in names):
        source += " is set"
    try:
        name, row = require(found.provider if found else "cline")
    except ClineError as error:
        check = around.complain("provider", error)
        return _Provider(check if source in check.text else check._replace(text=f"{check.text} ({source})"))
    if found and found.others:
        text = f"{name} ({source}); there are also keys for {', '.join(found.others)}"
        return _Provider(Check("provider", "note", text, "Choose with -P or CLINE_PROVIDER"), name, row)
    return _Provider(Check("provider", "ok", f"{name} ({source})"), name, row)


def _find_model(name: str, candidates: Sequence[tuple[str | None, str]], paths: Paths) -> tuple[str, Check]:
    """Return the first model of the candidates, each of which says where it comes from."""
    model, source = next(((model, source) for model, source in candidates if model), ("", ""))
    if not model:
        return "", Check("model", "fatal", f"{name} has no default model", "Name one with -m")
    if name == "local":
        return model, _check_weights(model, source, paths)
    return model, Check("model", "ok", f"{model} ({source})")


def _check_weights(model: str, source: str, paths: Paths) -> Check:
    """Say whether an embedded model could be loaded."""
    if model not in WEIGHTS:
        text = f"there is no embedded model {model} ({source})"
        return Check("model", "fatal", text, f"There is: {', '.join(WEIGHTS)}")
    if not is_installed():
        problem = describe_missing(read_host())
        return Check("model", "fatal", problem.message, problem.hint)
    file = find_installed(paths, model)
    if file is None:
        return Check("model", "fatal", f"{model} ({source}) is not installed", f"Run: cline local install {model}")
    return Check("model", "ok", f"{model} ({source}), {file}")


def _find_address(name: str, row: Row, around: _Around) -> tuple[str | None, Check]:
    try:
        url = find_base_url(name, row.base_url, around.variables, around.settings)
    except ClineError as error:
        return None, around.complain("address", error)
    if not url:
        return url, Check("address", "ok", "none: the model runs on this machine")
    source = f"that of {name}"
    if url != row.base_url:
        is_saved = url == around.settings.of(name).base_url
        source = around.place("providers", name, "base_url") if is_saved else f"${ADDRESS_VARIABLES[name]}"
    for warning in warn_of_plain_http(url):
        return url, Check("address", "bad", f"{warning} ({source})", "Use https:// if the server speaks it")
    return url, Check("address", "ok", f"{url} ({source})")


def _find_key(recipient: Recipient, around: _Around, keyring: Store) -> tuple[Key | None, Check]:
    flag = around.reading.given.text("key")
    stores = open_stores(around.paths, around.environment.home, keyring)
    try:
        secret = read_key_line(around.environment.stdin) if flag == "-" else flag
        find = find_optional_key if recipient.is_own_server else find_key
        key = find(recipient, secret, around.variables, around.settings, stores)
    except ClineError as error:
        return None, around.complain("key", error)
    if key is None:
        return None, Check("key", "ok", NO_KEY)
    if "--key" in around.reading.variables.names:
        key = dataclasses.replace(key, source=f"${FLAG_VARIABLE}")
    status: Status = "bad" if key.notice else "note" if key.is_plain_text else "ok"
    return key, Check("key", status, describe_key(key))


def _agree(options: Options, key: Key | None, around: _Around) -> tuple[Chosen | None, list[Check]]:
    """Let a run's own function choose: what it refuses is told, whatever was found up to here."""
    secret = key.value if key else None
    try:
        chosen = choose(options, secret, around.settings, around.environment, around.paths, new_session_id())
    except ClineError as error:
        return None, [around.complain("run", error)]
    if key is None:
        return chosen, []
    endpoint = dataclasses.replace(chosen.endpoint, key_source=key.source, has_other_key=key.also_saved)
    return chosen._replace(endpoint=endpoint), []
