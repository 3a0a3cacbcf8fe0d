"""A server on 127.0.0.1 that lists models and looks at keys, as providers and local servers do, and as they should not.

with ModelServer({"/v1/models": models("a", "b")}, key="sk-1") as server:
    ...                       # without that key every path answers 401
assert server.asked == ["GET /v1/models"]
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import NamedTuple

from cline_cli.agent.messages import JsonValue
from tests.fake_server import text


class Answer(NamedTuple):
    body: bytes
    status: int = 200
    kind: str = "application/json"
    location: str = ""
    """Where a redirect leads."""
    hangs: bool = False
    """Nothing is sent until the server closes."""


def to_json(value: JsonValue, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status)


def models(*names: str) -> Answer:
    """Return a list of models of OpenAI's form."""
    return to_json({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


def tags(*names: str) -> Answer:
    """Return what Ollama says it has."""
    return to_json({"models": [{"name": name, "model": name, "size": 1} for name in names]})


def reply(words: str) -> Answer:
    """Return a streamed answer of chat completions."""
    return Answer(b"".join(text(words).pieces), kind="text/event-stream")


class ModelServer:
    """Serve from entering the `with` to leaving it. Paths without an answer are 404."""

    def __init__(self, answers: Mapping[str, Answer], key: str | None = None, open_paths: tuple[str, ...] = ()) -> None:
        """Take the answer to each path; with `key`, all but the `open_paths` want it."""
        self.asked: list[str] = []
        """Method and path of each request."""
        self.keys: list[str] = []
        """Likewise, the Authorization it came with, or an empty text."""
        self._answers = answers
        self._key = key
        self._open_paths = open_paths
        self._closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: object) -> None:
                """Write nothing."""

            def do_GET(self) -> None:  # the base class calls it so
                outer.answer(self)

            def do_POST(self) -> None:  # likewise
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.answer(self)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=lambda: self._http.serve_forever(0.01), daemon=True)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request. For the handler."""
        path = handler.path.partition("?")[0]
        self.asked.append(f"{handler.command} {path}")
        self.keys.append(handler.headers.get("Authorization", ""))
        answer = self._answers.get(path, to_json({"error": {"message": "there is nothing here"}}, 404))
        if self._key is not None and path not in self._open_paths and self.keys[-1] != f"Bearer {self._key}":
            answer = to_json({"error": {"message": "No such key", "code": "invalid_api_key"}}, 401)
        if answer.hangs:
            self._closing.wait()
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.kind)
        handler.send_header("Content-Length", str(len(answer.body)))
        if answer.location:
            handler.send_header("Location", answer.location)
        handler.end_headers()
        handler.wfile.write(answer.body)

    def __enter__(self) -> ModelServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
