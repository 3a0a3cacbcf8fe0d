"""Stand-ins for the guided set-up: a person with prepared answers, and the world outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cline_cli.catalog.weights import WEIGHTS, Weights
from cline_cli.commands._dev_tty import NoAnswerError
from cline_cli.commands._guided import Embedded
from cline_cli.providers import PROVIDERS, Endpoint
from cline_cli.providers.local_servers import LocalServer

SMALL = WEIGHTS["qwen2.5-coder-1.5b"]


@dataclass
class FakeTerminal:
    """Gives one answer after the other, and Ctrl-D when there is none left; an exception is raised."""

    answers: list[str | BaseException]
    columns: int = 80
    seen: str = ""
    """All that was shown, questions among it."""
    questions: list[str] = field(default_factory=list)
    secret_questions: list[str] = field(default_factory=list)

    def tell(self, text: str) -> None:
        self.seen += text

    def ask(self, question: str) -> str:
        self.questions.append(question)
        return self._answer(question)

    def ask_secret(self, question: str) -> str:
        self.secret_questions.append(question)
        return self._answer(question)

    def _answer(self, question: str) -> str:
        self.seen += f"{question}\n"
        answer = self.answers.pop(0) if self.answers else NoAnswerError()
        if isinstance(answer, BaseException):
            raise answer
        return answer


@dataclass
class FakeOutside:
    servers: tuple[LocalServer, ...] = ()
    embedded: Embedded = Embedded(SMALL, is_installed=False, problem=None)
    check: Callable[[Endpoint], tuple[str, ...]] = lambda endpoint: ()
    addresses: dict[str, str] = field(default_factory=dict)
    checked: list[Endpoint] = field(default_factory=list)
    models_asked: list[str] = field(default_factory=list)
    installed: list[Weights] = field(default_factory=list)
    install_error: BaseException | None = None
    searches: int = 0

    def find_servers(self) -> tuple[LocalServer, ...]:
        self.searches += 1
        return self.servers

    def find_address(self, provider: str) -> str:
        return self.addresses.get(provider, PROVIDERS[provider].base_url)

    def find_embedded(self) -> Embedded:
        return self.embedded

    def check_key(self, endpoint: Endpoint, model: str) -> tuple[str, ...]:
        self.checked.append(endpoint)
        self.models_asked.append(model)
        return self.check(endpoint)

    def install(self, weights: Weights) -> None:
        if self.install_error:
            raise self.install_error
        self.installed.append(weights)
