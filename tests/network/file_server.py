"""A server on 127.0.0.1 that gives one file, as servers do and as they should not."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    content: bytes
    has_ranges: bool = True
    is_chunked: bool = False
    """No length is told."""
    told_bytes: int | None = None
    """A length that is not that of the content."""
    cuts: list[int] = field(default_factory=list)
    """After how many bytes each of the first answers breaks off."""
    status: int = 200
    redirects_from: str = ""
    """This path leads to the file's."""
    is_shifted: bool = False
    """It answers with another range than it was asked for."""
    encoding: str = ""
    is_held: bool = False
    """After the content nothing more comes, and no end."""
    pages: dict[str, bytes] = field(default_factory=dict)
    """What other paths than the file's give, as HTML."""
    paths: list[str] = field(default_factory=list)
    """What was asked for, request by request."""
    on_request: Callable[[str], None] = lambda path: None
    ranges: list[str | None] = field(default_factory=list)
    """The same, of the file only: the ranges."""
    released: threading.Event = field(default_factory=threading.Event)
    origin: str = ""

    @property
    def url(self) -> str:
        return f"{self.origin}/file.gguf"

    @contextlib.contextmanager
    def serve(self) -> Iterator[FileServer]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words: object) -> None:
                pass

            def do_GET(self) -> None:  # the base class calls it so
                outer.paths.append(self.path)
                outer.on_request(self.path)
                outer.answer(self)

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
            thread.start()
            self.origin = f"http://127.0.0.1:{server.server_address[1]}"
            try:
                yield self
            finally:
                self.released.set()
                server.shutdown()
                thread.join()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if self.redirects_from and handler.path == self.redirects_from:
            handler.send_response(302)
            handler.send_header("Location", self.url)
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        if handler.path in self.pages:
            handler.send_response(200)
            handler.send_header("Content-Type", "text/html")
            handler.send_header("Content-Length", str(len(self.pages[handler.path])))
            handler.end_headers()
            handler.wfile.write(self.pages[handler.path])
            return
        self.ranges.append(handler.headers["Range"])
        start = self._start_of(handler)
        body = self.content[start:]
        handler.send_response(206 if start else self.status)
        if start:
            end = len(self.content)
            first = start + 1 if self.is_shifted else start
            handler.send_header("Content-Range", f"bytes {first}-{end - 1}/{self.told_bytes or end}")
        if self.encoding:
            handler.send_header("Content-Encoding", self.encoding)
        if self.is_chunked:
            handler.send_header("Transfer-Encoding", "chunked")
        else:
            handler.send_header("Content-Length", str(self.told_bytes if self.told_bytes is not None else len(body)))
        handler.end_headers()
        cut = self.cuts.pop(0) if self.cuts else None
        with contextlib.suppress(OSError):
            self._send(handler, body[:cut])
            if self.is_held:
                self.released.wait()
        handler.close_connection = True

    def _start_of(self, handler: BaseHTTPRequestHandler) -> int:
        asked = handler.headers["Range"] if self.has_ranges and self.status == 200 else None
        return int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0

    def _send(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if not self.is_chunked:
            handler.wfile.write(body)
            return
        for start in range(0, len(body), 100):
            piece = body[start : start + 100]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")
