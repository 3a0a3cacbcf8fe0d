"""`cline auth` with a person at the terminal: provider, address, key, model, each asked only where it was not given.

    provider ──> address ──> key ──> is it taken? ──> model ──> Answers
       └ a server that was found, or the embedded model: no key

Everything is asked before anything is saved. What a server says is shown cleaned, and a name of its models is taken
only as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from cline_cli.catalog.runtime import Problem
from cline_cli.catalog.weights import Weights
from cline_cli.commands._choosing import (
    Item,
    find_provider,
    lay_out,
    read_number,
    wrap,
)
from cline_cli.commands._choosing_model import choose_model
from cline_cli.commands._dev_tty import NoAnswerError, Terminal
from cline_cli.commands._sign_in import Answers, Asked, check_model, find_address, refuse_what_is_useless
from cline_cli.config.addresses import check_base_url, is_same_origin
from cline_cli.config.credentials import clean_key
from cline_cli.config.settings import Settings
from cline_cli.errors import (
    KeyRefusedError,
    NoCreditError,
    NotSignedInError,
    ProviderError,
    RateLimitedError,
    ServerError,
    UnreachableError,
    UsageError,
)
from cline_cli.providers import PROVIDERS, Endpoint, Row, require
from cline_cli.providers.local_servers import LocalServer
from cline_cli.text import one_line, visible

DEFAULT_PROVIDER = "cline"
FIRST_CHOICES: Mapping[str, str] = {
    "cline": "one account, the models of all vendors",
    "anthropic": "Claude",
    "openai-native": "GPT",
    "gemini": "Gemini",
    "openrouter": "one account, the models of all vendors",
    "openai-compatible": "another server that speaks OpenAI's format, by its address",
}
"""What people use first; every other provider can be typed."""
MAX_TRIES = 3
EMBEDDED = "local"
ANY_SERVER = "openai-compatible"


class Embedded(NamedTuple):
    """The embedded model that suits this machine."""

    weights: Weights
    is_installed: bool
    problem: Problem | None
    """What keeps it from running here."""

    @property
    def about(self) -> str:
        size = self.weights.name.rpartition("-")[2].upper()
        there = "installed" if self.is_installed else f"{self.weights.size_bytes / 1e9:.1f} GB to fetch"
        return f"small local model ({size}), for trying things out; {there}, no key"


class Outside(Protocol):
    """What the guide needs besides the person."""

    def find_servers(self) -> tuple[LocalServer, ...]: ...
    def find_address(self, provider: str) -> str: ...
    def find_embedded(self) -> Embedded: ...
    def check_key(self, endpoint: Endpoint, model: str) -> tuple[str, ...]: ...
    def install(self, weights: Weights) -> None: ...


class _Checked(NamedTuple):
    key: str
    models: tuple[str, ...]


@dataclass(slots=True)
class Guide:
    """Asks one person what is missing, once."""

    terminal: Terminal
    outside: Outside
    settings: Settings
    _server: LocalServer | None = field(default=None, init=False)
    """That was chosen."""
    _found: tuple[LocalServer, ...] | None = field(default=None, init=False)
    """None before anybody has looked."""

    def find_servers(self) -> tuple[LocalServer, ...]:
        """Return the servers of this machine; they are looked for once."""
        if self._found is None:
            self._found = self.outside.find_servers()
        return self._found

    def complete(self, asked: Asked) -> Answers:
        """Return what is to be saved, having asked for what was not given.

        Raises:
            NoAnswerError: the person gave up.
            UsageError: what was given cannot be.
            NotSignedInError: no key was taken.
            ClineError: the embedded model could not be installed.
        """
        name, row = self._find_provider(asked.provider)
        refuse_what_is_useless(asked, name, row)
        if asked.model is not None:
            check_model(asked.model, name)
        if not row.key_variables:
            return self._choose_embedded(name, row, asked)
        if self._server and asked.base_url is None and asked.key is None:
            return self.choose_server(self._server, asked.model)
        address = self._find_address(asked, name, row)
        model = asked.model if asked.model is not None else self.settings.of(name).model or row.default_model
        checked = self._find_key(asked, name, row, address, model)
        if asked.model is None:
            is_offered = is_same_origin(address, row.base_url) or not checked.models or model in checked.models
            model = choose_model(self.terminal, name, checked.models, model if is_offered else "")
        return Answers(
            name, row, check_model(model, name), address, checked.key, is_model_fixed=asked.model is not None
        )

    def choose_server(self, server: LocalServer, named: str | None = None) -> Answers:
        """Return what is to be saved for a server that was found, having asked which of its models."""
        row = PROVIDERS[server.provider]
        saved = self.settings.of(server.provider).model
        default = saved if saved in server.models else next(iter(server.models), "")
        model = named if named is not None else choose_model(self.terminal, server.provider, server.models, default)
        return Answers(server.provider, row, check_model(model, server.provider), server.base_url, "")

    def choose_embedded(self, embedded: Embedded) -> Answers:
        """Return what is to be saved for the embedded model, having installed it where that is needed.

        Raises:
            ClineError: it cannot be had.
        """
        if embedded.problem:
            raise NotSignedInError(*embedded.problem)
        if not embedded.is_installed:
            self.outside.install(embedded.weights)
        return Answers(EMBEDDED, PROVIDERS[EMBEDDED], embedded.weights.name, "", "")

    def _choose_embedded(self, name: str, row: Row, asked: Asked) -> Answers:
        if asked.model is not None or name != EMBEDDED:
            return Answers(name, row, asked.model or row.default_model, "", "", is_model_fixed=asked.model is not None)
        return self.choose_embedded(self.outside.find_embedded())

    def _say(self, sentence: str) -> None:
        """Tell a sentence, broken between words where the terminal ends."""
        self.terminal.tell(wrap(sentence, self.terminal.columns))

    def _find_provider(self, given: str | None) -> tuple[str, Row]:
        if given is not None:
            return require(given)
        found = self.find_servers()
        servers = {server.provider: server for server in found if server.models}
        items = [Item(name, about) for name, about in FIRST_CHOICES.items()]
        items += [Item(server.provider, describe_server(server)) for server in servers.values()]
        embedded = self.outside.find_embedded()
        if embedded.problem is None:
            items.append(Item(EMBEDDED, embedded.about))
        default = self.settings.provider if self.settings.provider in PROVIDERS else DEFAULT_PROVIDER
        self.terminal.tell(f"Who is to answer?\n\n{lay_out(items, self.terminal.columns)}\n")
        for sentence in tell_empty(found):
            self._say(sentence)
        while True:
            answer = self.terminal.ask(f"A number or a name, ? for all names [{default}]: ") or default
            number = read_number(answer, len(items))
            if number is not None:
                answer = items[number].name
            if answer == "?":
                items = [Item(name) for name in PROVIDERS]
                self.terminal.tell(f"\n{lay_out(items, self.terminal.columns)}\n")
                continue
            meant = find_provider(answer)
            if meant.provider:
                self._server = servers.get(meant.provider)
                return meant.provider, PROVIDERS[meant.provider]
            self._say(meant.complaint)

    def _find_address(self, asked: Asked, name: str, row: Row) -> str:
        known = self.outside.find_address(name) if row.is_key_optional else ""
        known = known or self.settings.of(name).base_url or row.base_url
        is_own = row.is_key_optional or not row.base_url or name == ANY_SERVER
        is_settled = not is_own or (asked.provider is not None and bool(known))
        if asked.base_url is not None or is_settled:
            return find_address(asked, name, known)
        default = f" [{visible(known)}]" if known else ""
        while True:
            answer = self.terminal.ask(f"Address of the server{default}: ") or known
            try:
                return check_base_url(answer)
            except ValueError as error:
                self._say(f"That is no address: {error}.")

    def _find_key(self, asked: Asked, name: str, row: Row, address: str, model: str) -> _Checked:
        """Return a key that the provider takes, or that the person wants to keep all the same."""
        key = clean_key(asked.key, "-k") if asked.key is not None else "" if row.is_key_optional else None
        source = "-k"
        typed = 0
        while True:
            if key is None:
                if typed == MAX_TRIES:
                    message = f"not signed in to {name}: none of {MAX_TRIES} keys was taken, and nothing was saved"
                    raise NotSignedInError(message, "Run `cline auth` to try again")
                typed += 1
                source = "the terminal"
                key = self._ask_key(name, row, address)
                if key is None:
                    continue
            try:
                return _Checked(key, self._check(Endpoint(name, address, key, source, ""), model))
            except KeyRefusedError as error:
                self._say(_sentence(ProviderError(error.message)))
                key = None

    def _ask_key(self, name: str, row: Row, address: str) -> str | None:
        page = row.key_page if is_same_origin(address, row.base_url) else ""
        where = f"Make one at {page}." if page else f"Whoever runs {visible(address)} gives them out."
        self._say(f"{name} needs a key. {where}")
        answer = self.terminal.ask_secret("Key (it is not shown): ")
        try:
            return clean_key(answer, "the terminal")
        except UsageError as error:
            self._say(_sentence(error))
            return None

    def _check(self, endpoint: Endpoint, model: str) -> tuple[str, ...]:
        """Return the provider's models, none where it does not tell; a failure that says nothing of the key is told.

        Raises:
            KeyRefusedError: the key is none.
            NoAnswerError: the person does not want to keep a key that could not be checked.
        """
        self._say(f"Asking {endpoint.provider} ...")
        what = "The key is good" if endpoint.key else "It answers"
        try:
            models = self.outside.check_key(endpoint, model)
        except KeyRefusedError:
            raise
        except NoCreditError as error:
            self._say(f"{what}, but: {_sentence(error)}")
            return ()
        except (UnreachableError, ServerError, RateLimitedError) as error:
            self._say(_sentence(error))
            if self.terminal.ask("Save it all the same? y: yes   Enter: no: ").lower() not in {"y", "yes"}:
                raise NoAnswerError from None
            return ()
        except ProviderError as error:
            self._say(f"That could not be checked: {_sentence(error)}")
            return ()
        count = f", and there are {len(models)} models" if len(models) > 1 else ""
        self._say(f"{what}{count}.")
        return models


def describe_server(server: LocalServer) -> str:
    """Return where a server was found, and what it has."""
    first, *others = server.models
    more = f" and {len(others)} more" if others else ""
    return f"found at {server.base_url}: {one_line(first, 60)}{more}"


def tell_empty(servers: tuple[LocalServer, ...]) -> list[str]:
    """Return a sentence for each server that was found and has nothing to answer with."""
    empty = [server for server in servers if not server.models]
    return [f"{server.provider} runs at {server.base_url}, and has no model yet." for server in empty]


def _sentence(error: ProviderError | UsageError) -> str:
    words = one_line(str(error))
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith(('.', '?')) else '.'}"
