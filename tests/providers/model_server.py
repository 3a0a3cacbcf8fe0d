"""A server on 127.0.0.1 that gives lists of models, page by page, and whatever else a path is to be answered with."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple

from cline_cli.agent.messages import JsonValue


class Answer(NamedTuple):
    body: bytes
    status: int = 200
    headers: Mapping[str, str] = {"Content-Type": "application/json"}
    hangs: bool = False
    """After its body nothing more comes, and no end."""


def to_answer(value: JsonValue | bytes | Answer) -> Answer:
    if isinstance(value, Answer):
        return value
    return Answer(value if isinstance(value, bytes) else json.dumps(value).encode())


class ModelServer:
    """Answers each path, with its query, as it is told; any other path gets a 404."""

    def __init__(self, answers: Mapping[str, JsonValue | bytes | Answer]) -> None:
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        """Path and headers (names in lower case) of each request."""
        self._answers = answers
        self._ending = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: object) -> None:
                pass

            def do_GET(self) -> None:  # the base class calls it so
                outer.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                answer = to_answer(outer._answers.get(self.path, Answer(b"404 page not found\n", 404)))
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body) + answer.hangs))
                self.end_headers()
                self.wfile.write(answer.body)
                if answer.hangs:
                    outer._ending.wait()

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
