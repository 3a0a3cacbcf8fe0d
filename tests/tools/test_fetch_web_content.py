from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cline_cli.agent.messages import JsonObject, TextPart
from cline_cli.agent.tool import ToolError
from cline_cli.network import page as page_module
from cline_cli.network.page import PageError, is_private, is_private_name, read_host
from cline_cli.tools import Workplace
from cline_cli.tools.fetch_web_content import FetchWebContent, build, to_markdown
from cline_cli.workspace.confinement import confine

HTML = """<!doctype html><html><head><title>The title</title><style>x{}</style><script>evil()</script></head>
<body><nav>menu</nav><main><h1>Head</h1><p>Some <b>bold</b> and <a href="/x">a link</a>.</p>
<pre><code class="language-py">x = 1</code></pre><ul><li>one<li>two</ul>
<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table><img src="x.png"></main></body></html>"""


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host = f"127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
        pages: dict[str, tuple[int, dict[str, str], bytes]] = {
            "/page": (200, {"Content-Type": "text/html; charset=utf-8"}, HTML.encode()),
            "/text": (200, {"Content-Type": "text/plain; charset=latin-1"}, "caf\xe9".encode("latin-1")),
            "/json": (200, {"Content-Type": "application/json"}, b'{"a": 1}'),
            "/pdf": (200, {"Content-Type": "application/pdf"}, b"%PDF"),
            "/big": (200, {"Content-Type": "text/plain"}, b"x" * 200_000),
            "/none": (404, {"Content-Type": "text/html"}, b"<html><body>Not here</body></html>"),
            "/moved": (302, {"Location": "/text"}, b""),
            "/loop": (302, {"Location": "/loop"}, b""),
            "/away": (302, {"Location": f"http://localhost:{host.partition(':')[2]}/text"}, b""),
            "/inside": (302, {"Location": "http://169.254.169.254/latest/meta-data"}, b""),
            "/headers": (200, {"Content-Type": "text/plain"}, str(self.headers).encode()),
        }
        status, headers, body = pages[self.path]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the overridden one
        pass


@pytest.fixture
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def tool(
    folder: Path,
    may_reach: Callable[[str], bool] = lambda host: host == "127.0.0.1",
    may_fetch: Callable[[str], bool] = lambda _: True,
) -> FetchWebContent:
    return build(Workplace(confine(folder), {"NO_PROXY": "*"}, may_reach=may_reach, may_fetch=may_fetch))


def fetch(made: FetchWebContent, *urls: str) -> list[dict[str, str]]:
    given: JsonObject = {"requests": [{"url": url, "prompt": "read it"} for url in urls]}
    output = asyncio.run(made.run(given, lambda _: None))
    assert isinstance(output.parts[0], TextPart)
    found: list[dict[str, str]] = json.loads(output.parts[0].text)
    return found


def test_a_page_comes_as_markdown(tmp_path: Path, site: str) -> None:
    (found,) = fetch(tool(tmp_path), f"{site}/page")
    text = found["result"]
    assert text.startswith("# Head")
    for part in ("Some **bold** and [a link](/x).", "x = 1", "- one", "| a | b |"):
        assert part in text
    for part in ("evil", "x{}", "menu", "x.png"):
        assert part not in text


def test_text_and_json_come_as_they_are(tmp_path: Path, site: str) -> None:
    found = fetch(tool(tmp_path), f"{site}/text", f"{site}/json", f"{site}/moved")
    assert [one["result"] for one in found] == ["café", '{"a": 1}', f"café\n[now at {site}/text]"]


def test_what_is_no_text_too_long_or_not_there_is_said(tmp_path: Path, site: str) -> None:
    pdf, big, none = fetch(tool(tmp_path), f"{site}/pdf", f"{site}/big", f"{site}/none")
    assert "application/pdf" in pdf["error"]
    assert "its beginning only: it has 200,000 bytes" in big["result"]
    assert none["error"] == "HTTP 404"
    assert none["result"] == "Not here"


def test_no_more_is_read_than_the_limit(tmp_path: Path, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "MAX_BYTES", 1000)
    (found,) = fetch(tool(tmp_path), f"{site}/big")
    assert "more than 1,000 bytes" in found["result"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://0/",
        "http://2130706433/",
        "http://10.1.2.3/",
        "http://169.254.169.254/latest",
        "http://[fd00::1]/",
        "http://[64:ff9b::7f00:1]/",
    ],
)
def test_addresses_of_private_networks_are_refused(tmp_path: Path, url: str) -> None:
    (found,) = fetch(tool(tmp_path, lambda _: False), url)
    assert "private network" in found["error"] or "no host" in found["error"]


def test_redirects_are_judged_like_the_first_address(tmp_path: Path, site: str) -> None:
    inside, loop = fetch(tool(tmp_path), f"{site}/inside", f"{site}/loop")
    assert "private network" in inside["error"]
    assert "redirects more than 5 times" in loop["error"]
    (away,) = fetch(tool(tmp_path, lambda _: True, lambda host: host != "localhost"), f"{site}/away")
    assert "not allowed by itself" in away["error"]


def test_behind_a_proxy_what_is_written_is_judged(tmp_path: Path) -> None:
    variables = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"}
    made = build(Workplace(confine(tmp_path), variables))
    for url in ("http://10.0.0.1/", "http://intranet/", "http://x.internal/"):
        (found,) = fetch(made, url)
        assert "private network" in found["error"]


def test_nothing_of_ours_goes_along(tmp_path: Path, site: str) -> None:
    (found,) = fetch(tool(tmp_path), f"{site}/headers")
    names = {line.partition(":")[0].lower() for line in found["result"].splitlines() if ":" in line}
    assert names == {"host", "accept", "accept-encoding", "connection", "user-agent"}


@pytest.mark.parametrize(
    "url", ["ftp://x/", "file:///etc/passwd", "https://", "https://a:b@c/", "http://a:99999/", "x y"]
)
def test_what_is_no_address_of_a_page_is_refused(url: str) -> None:
    with pytest.raises(PageError):
        read_host(url)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111"])
def test_public_addresses_are_public(address: str) -> None:
    assert not is_private(address)
    assert not is_private_name("example.org")


def test_arguments_are_read_as_others_write_them(tmp_path: Path) -> None:
    made = tool(tmp_path)
    wanted = {"requests": [{"url": "https://a.org/x"}]}
    for given in ({"requests": [{"url": "https://a.org/x", "prompt": "p"}]}, {"url": "a.org/x"}, {"urls": ["a.org/x"]}):
        assert made.normalize(given) == wanted
    assert made.scope(wanted).hosts == ("a.org",)
    assert made.summary({"urls": ["a.org", "b.org"]}) == "fetch https://a.org (+1 more)"
    assert made.summary({}) == "fetch pages"
    wrongs: tuple[JsonObject, ...] = ({}, {"requests": []}, {"requests": [{"url": ""}]}, {"urls": ["a"] * 6})
    for wrong in wrongs:
        with pytest.raises(ToolError):
            made.normalize(wrong)


def test_a_page_without_a_heading_gets_its_title() -> None:
    assert to_markdown("<title>T</title><p>x</p>") == "# T\n\nx"
