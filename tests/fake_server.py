"""A real HTTP server on 127.0.0.1 that plays a script as a provider would: one turn a request, in order.

    with FakeServer(calls(("run_commands", {"commands": ["ls"]})), text("done")) as server:
        ...                                   # whoever is tested talks to server.base_url
    assert server.requests[1].results == {"call_1_1": "..."}

It speaks the formats of `tests/dialects/`, whichever the path of a request is of. It refuses what a real server would
not accept or the script does not hold: another path or method, a body that is not JSON, a request past the last turn, a
history in which a tool call is unanswered, answered twice or made twice, a result without a call, arguments that are
not JSON. Such a request gets a 500, and leaving the `with` raises AssertionError.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Literal, NamedTuple, Self

from cline_cli.agent.messages import JsonObject, JsonValue
from tests.dialects import Said, find_dialect, openai_chat, to_object, to_objects

End = Literal["end", "close", "reset", "hang"]
"""After the last piece: a proper end, a FIN or an RST in the middle of the body, or silence until the server closes."""

USAGE: JsonObject = {"prompt_tokens": 100, "completion_tokens": 10, "cost": 0.001}
PATH = "/api/v1/chat/completions"
event, delta_event = openai_chat.event, openai_chat.delta_event
EVENT_STREAM = {"Content-Type": "text/event-stream"}
_NUMBER = "{request}"


class Turn(NamedTuple):
    """One answer; made by the functions below."""

    pieces: tuple[bytes, ...]
    """The body, as it is written to the socket piece by piece; "{request}" in it becomes the request's number."""
    status: int = 200
    """0 answers nothing at all."""
    headers: Mapping[str, str] = EVENT_STREAM
    pause_s: float = 0
    """Before every piece."""
    then: End = "end"
    said: Said | None = None
    """The same in no wire format: what a request in another one than chat completions gets instead of `pieces`."""


def text(answer: str, *, usage: JsonObject | None = USAGE, finish: str = "stop", pieces: int = 3) -> Turn:
    """Stream `answer` in a few deltas."""
    size = max(1, -(-len(answer) // pieces))
    return say(Said(tuple(answer[start : start + size] for start in range(0, len(answer), size)), (), finish, usage))


def slow(deltas: Sequence[str], pause_s: float) -> Turn:
    """Stream the deltas with a pause before each."""
    return say(Said(tuple(deltas), usage=USAGE))._replace(pause_s=pause_s)


def calls(*tools: tuple[str, JsonObject | str], text: str = "", usage: JsonObject | None = USAGE) -> Turn:
    """Stream tool calls, the arguments in two pieces each; a str is sent as it stands.

    Their ids are call_R_N: N is the place in this reply, R the number of the request, both counted from 1.
    """
    made = [
        (f"call_{_NUMBER}_{place}", name, given if isinstance(given, str) else json.dumps(given))
        for place, (name, given) in enumerate(tools, start=1)
    ]
    return say(Said((text,) if text else (), tuple(made), "tool_calls", usage))


def say(said: Said) -> Turn:
    """Stream a reply, in the wire format of the request."""
    return Turn(openai_chat.render(said), said=said)


def status(code: int, body: str | bytes | JsonObject = b"", headers: Mapping[str, str] | None = None) -> Turn:
    """Answer with a status; an object is sent as JSON."""
    is_json = not isinstance(body, str | bytes)
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    kind = "application/json" if is_json else "text/html"
    return Turn((data,), code, {"Content-Type": kind, **(headers or {})})


def json_reply(answer: str, *, usage: JsonObject | None = USAGE) -> Turn:
    """Answer as to a request that was not to be streamed."""
    message: JsonObject = {"role": "assistant", "content": answer}
    choice: JsonObject = {"index": 0, "message": message, "finish_reason": "stop"}
    return status(200, openai_chat.whole(choice, usage))


def stream_bytes(raw: bytes, *, piece_bytes: int = 0, pause_s: float = 0, then: End = "end") -> Turn:
    """Send these very bytes as an event stream, in pieces of that size; 0 sends them at once."""
    size = piece_bytes or max(1, len(raw))
    pieces = tuple(raw[start : start + size] for start in range(0, len(raw), size))
    return Turn(pieces, pause_s=pause_s, then=then)


def hang() -> Turn:
    """Accept the request and never answer."""
    return Turn((), 0)


class Recorded(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: JsonObject
    """Empty where the body was no JSON object."""
    size_bytes: int
    """Of the body."""
    connection: int
    """Which connection it came on, counted from 1."""
    raw: bytes = b""
    """The body, byte for byte."""

    @property
    def messages(self) -> tuple[JsonObject, ...]:
        return to_objects(self.body.get("messages"))

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools that are offered."""
        dialect = find_dialect(self.method, self.path)
        return dialect.tools_of(self.body) if dialect else ()

    @property
    def results(self) -> Mapping[str, str]:
        """Call id -> content, of every tool result in the history."""
        dialect = find_dialect(self.method, self.path)
        return dialect.results_of(self.body) if dialect else {}


class FakeServer:
    """Serve from entering the `with` to leaving it; with `repeat_last` the last turn is played again and again."""

    def __init__(self, *turns: Turn, repeat_last: bool = False) -> None:
        self.requests: list[Recorded] = []
        self.failures: list[str] = []
        self._turns = turns
        self._repeat_last = repeat_last
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def base_url(self) -> str:
        return f"{self.origin}/api/v1"

    @property
    def connections(self) -> int:
        """How many connections were made so far."""
        return self._http.accepted

    def check(self) -> None:
        """Raise AssertionError if a request came that should not have come."""
        assert not self.failures, "; ".join(self.failures)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._http.shutdown()
        self._thread.join()
        self._http.close_all()
        if kind is None:
            self.check()

    def take_turn(self, request: Recorded) -> Turn:
        """Record a request and return what to answer. For the handler."""
        with self._lock:
            self.requests.append(request)
            number = len(self.requests)
            fault = _fault_of(request)
            if not fault and number > len(self._turns) and not (self._repeat_last and self._turns):
                fault = f"request {number} came, and the script has {len(self._turns)} turns"
            if fault:
                self.failures.append(fault)
                return status(500, {"error": {"message": f"the fake server refuses: {fault}"}})
        turn = self._turns[min(number, len(self._turns)) - 1]
        dialect = find_dialect(request.method, request.path)
        pieces = dialect.render(turn.said) if dialect and turn.said else turn.pieces
        pieces = tuple(piece.replace(_NUMBER.encode(), str(number).encode()) for piece in pieces)
        return turn._replace(pieces=pieces)

    def wait(self, seconds: float | None) -> bool:
        """Wait until the server is closed, at most so long; return whether it is. For the handler."""
        return self._stopping.wait(seconds)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    owner: FakeServer

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self.accepted = 0
        self._open: dict[socket.socket, int] = {}
        self._changed = threading.Condition()

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        connection, address = super().get_request()
        with self._changed:
            self.accepted += 1
            self._open[connection] = self.accepted
        return connection, address

    def number_of(self, connection: socket.socket) -> int:
        with self._changed:
            return self._open[connection]

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        assert isinstance(request, socket.socket)
        request.close()  # without the shutdown() of the base class, which would send a FIN before a reset
        with self._changed:
            self._open.pop(request, None)
            self._changed.notify_all()

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet: clients of tests go away in the middle on purpose."""

    def close_all(self) -> None:
        with self._changed:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            assert self._changed.wait_for(lambda: not self._open, 10), "a connection of the fake server did not end"
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Http

    def setup(self) -> None:
        super().setup()
        self._number = self.server.number_of(self.connection)

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            value: JsonValue = json.loads(raw)
        except ValueError:
            value = None
        headers = {name.lower(): content for name, content in self.headers.items()}
        request = Recorded(self.command, self.path, headers, to_object(value), len(raw), self._number, raw)
        self._play(self.server.owner.take_turn(request))

    do_POST = do_GET = do_PUT = _answer  # noqa: N815  # the base class looks for these names

    def _play(self, turn: Turn) -> None:
        owner = self.server.owner
        if turn.status == 0:
            owner.wait(None)
            self.close_connection = True
            return
        is_streamed = turn.headers.get("Content-Type") == "text/event-stream"
        self.send_response(turn.status)
        for name, value in turn.headers.items():
            self.send_header(name, value)
        if is_streamed:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(sum(map(len, turn.pieces))))
        self.end_headers()
        for piece in turn.pieces:
            if turn.pause_s and owner.wait(turn.pause_s):
                self.close_connection = True
                return
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if is_streamed and piece else piece)
        self._end(turn.then, is_streamed=is_streamed)

    def _end(self, then: End, *, is_streamed: bool) -> None:
        if then == "end":
            if is_streamed:
                self.wfile.write(b"0\r\n\r\n")
            return
        if then == "hang":
            self.server.owner.wait(None)
        if then == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Write nothing."""


def _fault_of(request: Recorded) -> str:
    """Return why this request is none that a real server would answer, or ""."""
    dialect = find_dialect(request.method, request.path)
    return dialect.fault_of(request.body) if dialect else f"{request.method} {request.path} is not served"
