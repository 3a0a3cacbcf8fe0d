"""The child process of the embedded model: loads it, and answers requests in JSON lines over its standard streams.

Run as a script, so that it needs nothing but the runtime, and in a process of its own, so that a crash of native code
or a kill for lack of memory is an error message and not the end of the program. The first line is the settings:

    <- {"model": FILE, "threads": N, "context": TOKENS, "folder": PRIVATE_FOLDER, "key": TEXT}
    -> {"event": "ready", "version": TEXT}
    <- {"id": 1, "prompt": TEXT, "max_tokens": N, "grammar": TEXT, "alternatives": N, "stop": TEXT, "is_prose": BOOL,
        "is_aside": BOOL}
    -> {"id": 1, "text": TEXT, "tokens": [[TEXT, [[TEXT, LOGARITHM], ...]], ...]}
    -> {"id": 1, "end": "stop" | "length", "input": N, "cached": N, "output": N}   or   {"id": 1, "error": TEXT, ...}
    <- {"id": 2, "restore": NAME} | {"id": 2, "save": NAME}         the state of what was read so far, in the folder
    -> {"id": 2, "end": "stop"}                                     or   {"id": 2, "error": TEXT}
    <- {"cancel": 1}                                                the end comes as "stop"

End of input ends the process. N are tokens; logarithms are natural ones of probabilities.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import queue
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import IO, TypeAlias, cast

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
Message: TypeAlias = "dict[str, JsonValue]"

_SET_PARENT_DEATH_SIGNAL = 1
"""Of Linux's prctl."""
_MAX_SOCKET_PATH_BYTES = 100
"""What every system takes."""


def main() -> None:
    """Serve until the end of input."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    # Native code prints to descriptor 1 as it likes: the protocol keeps a copy of it, and 1 becomes standard error.
    output = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    requests: queue.Queue[Message] = queue.Queue()
    cancelled: set[int] = set()
    settings = json.loads(sys.stdin.readline())
    threading.Thread(target=_read, args=(requests, cancelled), daemon=True).start()
    model = Model(settings)
    _write(output, {"event": "ready", "version": model.version})
    while True:
        request = requests.get()
        number = cast("int", request["id"])
        try:
            if "prompt" in request:
                model.complete(request, partial(_write, output), partial(cancelled.__contains__, number))
            else:
                action = "restore" if "restore" in request else "save"
                model.keep(action, cast("str", request[action]))
                _write(output, {"id": number, "end": "stop"})
        except RequestError as error:
            _write(output, {"id": number, **error.details})
        cancelled.discard(number)


class RequestError(Exception):
    """The runtime refused a request."""

    def __init__(self, details: Message) -> None:
        super().__init__(details.get("error"))
        self.details = details


class Model:
    """A loaded model with two sequences."""

    def __init__(self, settings: Mapping[str, JsonValue]) -> None:
        os.environ["OMP_WAIT_POLICY"] = "passive"  # threads that spin starve a busy machine
        os.environ["GOMP_SPINCOUNT"] = "0"
        os.environ["GGML_NO_BACKTRACE"] = "1"  # a failed assertion must not start a debugger
        import xllamacpp  # lazy: it reads the variables above as it loads

        parameters = xllamacpp.CommonParams()
        parameters.model.path = settings["model"]
        parameters.n_ctx = settings["context"]
        parameters.n_parallel = 2  # the conversation, and what is asked aside: each keeps what it has read
        parameters.kv_unified = True
        parameters.verbosity = 0
        parameters.warmup = False
        parameters.ui = False
        parameters.endpoint_props = False
        parameters.n_threads_http = 1
        parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = settings["threads"]
        # The runtime insists on a listener: a socket in a folder that is ours alone is the closest door there is.
        folder = cast("str", settings["folder"])
        self._socket = f"{folder}/s.sock"  # the ending tells the runtime what it is
        self._key = cast("str", settings["key"])
        self._has_socket = len(os.fsencode(self._socket)) < _MAX_SOCKET_PATH_BYTES
        parameters.hostnames = [self._socket if self._has_socket else "127.0.0.1"]
        parameters.api_keys = [self._key]
        parameters.slot_save_path = f"{folder}/"
        self.version: str = xllamacpp.__version__
        self._server = xllamacpp.Server(parameters)

    def complete(self, request: Message, write: Callable[[Message], None], is_cancelled: Callable[[], bool]) -> None:
        """Write what the model adds to a prompt, as it comes, and the end.

        Raises:
            RequestError: the runtime refused the request.
        """
        reply = _Reply(cast("int", request["id"]), cast("str", request.get("stop", "")), write, is_cancelled)
        body: Message = {
            "prompt": request["prompt"],
            "max_tokens": request["max_tokens"],
            "temperature": 0,
            "cache_prompt": True,
            "stream": True,
            "id_slot": int(bool(request.get("is_aside"))),
        }
        if request.get("grammar"):
            body["grammar"] = request["grammar"]
        if request.get("alternatives"):
            body["n_probs"] = request["alternatives"]
        if request.get("is_prose"):
            body |= {"dry_multiplier": 0.8, "dry_allowed_length": 6}  # or a small model says the same for ever
        answer = self._server.handle_completions(body, reply.take)
        for outcome in (answer, reply.failure):
            if isinstance(outcome, dict) and "error" in outcome:
                raise RequestError(_describe(outcome["error"]))
        write(reply.to_end())

    def keep(self, action: str, name: str) -> None:
        """Save the state of the conversation to a file of the private folder, or restore it from there.

        Raises:
            RequestError: it cannot be done.
        """
        if not self._has_socket:
            raise RequestError({"error": f"{action}: the temporary folder has too long a name"})
        connection = _Connection(self._socket)
        try:
            connection.request(
                "POST",
                f"/slots/0?action={action}",
                json.dumps({"filename": name}),
                {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
            )
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise RequestError({"error": f"{action}: {error}"}) from error
        finally:
            connection.close()
        if status != 200:
            raise RequestError({"error": f"{action}: HTTP {status}"})


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Reply:
    """One reply as the runtime hands it over."""

    def __init__(
        self, number: int, stop: str, write: Callable[[Message], None], is_cancelled: Callable[[], bool]
    ) -> None:
        self.failure: JsonValue = None
        self._number = number
        self._stop = stop
        self._write = write
        self._is_cancelled = is_cancelled
        self._text = ""
        self._reason: JsonValue = "stop"
        self._usage: Mapping[str, JsonValue] = {}
        self._tokens = 0

    def take(self, data: JsonValue) -> bool:
        """Pass a piece on; return whether the runtime shall stop."""
        for piece in cast("list[Message]", data if isinstance(data, list) else [data]):
            if "error" in piece:
                self.failure = piece
                return True
            if isinstance(piece.get("usage"), dict):
                self._usage = cast("Mapping[str, JsonValue]", piece["usage"])
            for choice in cast("list[Message]", piece.get("choices") or []):
                self._take_choice(choice)
        return self._is_cancelled() or bool(self._stop and self._stop in self._text)

    def to_end(self) -> Message:
        """Return the last event of the reply."""
        details = cast("Mapping[str, int]", self._usage.get("prompt_tokens_details") or {})
        return {
            "id": self._number,
            "end": "length" if self._reason == "length" else "stop",
            "input": self._usage.get("prompt_tokens", 0),
            "cached": details.get("cached_tokens", 0),
            "output": self._usage.get("completion_tokens", self._tokens),
        }

    def _take_choice(self, choice: Message) -> None:
        text = cast("str", choice.get("text") or "")
        self._text += text
        self._reason = choice.get("finish_reason") or self._reason
        if text:
            self._tokens += 1
            scores = cast("Mapping[str, list[Message]]", choice.get("logprobs") or {})
            tokens = [_to_token(token) for token in scores.get("content") or []]
            self._write({"id": self._number, "text": text, **({"tokens": tokens} if tokens else {})})


def _to_token(token: Message) -> list[JsonValue]:
    others = [[_decode(other), other["logprob"]] for other in cast("list[Message]", token["top_logprobs"])]
    return [_decode(token), others]


def _decode(token: Message) -> str:
    return bytes(cast("list[int]", token["bytes"])).decode("utf-8", "replace")


def _describe(error: JsonValue) -> Message:
    if not isinstance(error, dict):
        return {"error": str(error)}
    kind = "too_long" if error.get("type") == "exceed_context_size_error" else ""
    return {"error": str(error.get("message", error)), "kind": kind}


def _read(requests: queue.Queue[Message], cancelled: set[int]) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "cancel" in message:
            cancelled.add(message["cancel"])
        else:
            requests.put(message)
    os._exit(0)  # the parent is gone, and native threads would hold up an orderly exit


def _write(output: IO[str], event: Message) -> None:
    try:
        output.write(json.dumps(event) + "\n")
    except OSError:
        os._exit(0)


if __name__ == "__main__":
    main()
