from __future__ import annotations

import os
import ssl
from pathlib import Path

import httpx
import pytest

from cline_cli.errors import UnreachableError
from cline_cli.network.http import check_proxies
from cline_cli.network.route import Proxy, describe_trust, find_credentials, find_proxy, hide_credentials

URLS = (
    "https://api.cline.bot/api/v1",
    "http://10.0.0.5:8080/x",
    "https://sub.example.com:8443",
    "https://example.com",
    "http://localhost:1",
    "http://[::1]:9/",
    "https://EXAMPLE.com:443/",
    "http://127.0.0.1:8080",
)
PROXIES: tuple[dict[str, str], ...] = (
    {"HTTPS_PROXY": "http://user:word@p1:1"},
    {"https_proxy": "http://p2:1", "HTTPS_PROXY": "http://p1:1"},
    {"https_proxy": "", "HTTPS_PROXY": "http://p1:1"},
    {"HTTP_PROXY": "p3:3", "HTTPS_PROXY": "p4:4"},
    {"ALL_PROXY": "http://p4:4"},
    {"all_proxy": "http://p4:4", "http_proxy": "http://p5:1"},
    {"HTTP_PROXY": "http://p5:1", "REQUEST_METHOD": "GET"},
    {"http_proxy": "http://p5:1", "REQUEST_METHOD": "GET"},
    {"Https_Proxy": "http://p9:9"},
)
EXCEPTIONS = (
    "",
    "*",
    "bot",
    "cline.bot",
    "example.com",
    ".example.com",
    "*.example.com",
    "example.com:8443",
    "api.cline.bot:443",
    "10.0.0.5",
    "10.0.0.0/8",
    "localhost",
    "LOCALHOST",
    "::1",
    "https://example.com",
    "http://example.com",
    "all://example.com",
    "https://*.example.com",
    "https://*example.com",
    "127.0.0.1:8080",
    " foo , example.com ",
)
CERTIFICATE = Path(__file__).with_name("localhost.pem")


def proxy_of_httpx(client: httpx.Client, url: str) -> str | None:
    """Return the proxy that httpx itself goes through; nothing public tells it."""
    transport = client._transport_for_url(httpx.URL(url))
    if transport is client._transport:
        return None
    assert isinstance(transport, httpx.HTTPTransport)
    proxy = getattr(transport._pool, "_proxy_url")  # noqa: B009  # it is of a subclass
    return f"{proxy.scheme.decode()}://{proxy.host.decode()}:{proxy.port}"


@pytest.mark.parametrize("exceptions", EXCEPTIONS)
@pytest.mark.parametrize("proxies", PROXIES, ids="-".join)
def test_the_proxy_that_is_told_is_the_one_that_is_used(
    monkeypatch: pytest.MonkeyPatch, proxies: dict[str, str], exceptions: str
) -> None:
    variables = {**proxies, "NO_PROXY": exceptions}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with httpx.Client(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) as client:
        for url in URLS:
            proxy = find_proxy(url, variables)
            address = proxy.address if proxy and not proxy.is_bypassed else None
            told = f"http://{address}" if address and "://" not in address else address
            assert told == proxy_of_httpx(client, url), url


def test_a_proxy_is_told_without_its_password() -> None:
    url, variables = "https://example.com", {"HTTPS_PROXY": "http://user:canary@proxy:3128"}
    assert find_proxy(url, variables) == Proxy("http://proxy:3128", "$HTTPS_PROXY", False)
    variables["no_proxy"] = "example.com"
    assert find_proxy(url, variables) == Proxy("http://proxy:3128", "$HTTPS_PROXY", True)
    assert find_proxy("http://example.com", variables) is None


def test_the_system_is_asked_only_when_no_variable_says_anything() -> None:
    def read_system() -> dict[str, str]:
        return {"https": "http://of-the-system:1"}

    found = find_proxy("https://example.com", {}, read_system)
    assert found == Proxy("http://of-the-system:1", "the system's settings", False)
    assert find_proxy("https://example.com", {"NO_PROXY": "x"}, read_system) is None


@pytest.mark.parametrize(
    ("url", "hidden", "credentials"),
    [
        ("http://user:a@b@host:1/p", "http://host:1/p", "user:a@b@"),
        ("user:word@host:1", "host:1", "user:word@"),
        ("http://host:1", "http://host:1", ""),
    ],
)
def test_credentials_are_taken_out_of_an_address(url: str, hidden: str, credentials: str) -> None:
    assert hide_credentials(url) == hidden
    assert find_credentials(url) == credentials


def test_a_proxy_that_no_client_takes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    check_proxies(os.environ)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("ALL_PROXY", "socks5://user:canary@proxy:1")
    with pytest.raises(UnreachableError, match=r"cannot use the proxy in \$ALL_PROXY") as caught:
        check_proxies(os.environ)
    assert "canary" not in str(caught.value)


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_the_places_of_certificates_are_told_with_why(monkeypatch: pytest.MonkeyPatch, empty: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.setenv("SSL_CERT_DIR", str(empty))
    trust = describe_trust(os.environ)
    assert trust.places == (f"{CERTIFICATE} ($SSL_CERT_FILE)",)
    assert not trust.is_empty
    (problem,) = trust.problems
    assert problem.startswith(f"$SSL_CERT_DIR names {empty}, which holds none")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE.parent / "." / CERTIFICATE.name))
    assert describe_trust(os.environ).places == (f"{CERTIFICATE} ($SSL_CERT_FILE)",)


@pytest.mark.parametrize(("content", "fault"), [(None, "does not exist"), (b"none", "holds no certificate")])
def test_what_was_named_and_is_of_no_use_is_told(
    monkeypatch: pytest.MonkeyPatch, empty: Path, content: bytes | None, fault: str
) -> None:
    file = empty / "ca.pem"
    if content:
        file.write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(empty))
    trust = describe_trust(os.environ)
    assert f"$SSL_CERT_FILE names {file}, which {fault}" in trust.problems
    assert not any(str(file) in place for place in trust.places)
    # OpenSSL takes what is there for the whole; where nothing is, httpx brings its own.
    assert trust.is_empty == (content is not None)


def test_a_bad_file_is_noticed_when_another_one_is_good(monkeypatch: pytest.MonkeyPatch, empty: Path) -> None:
    file = empty / "ca.pem"
    file.write_bytes(b"none")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(empty))
    monkeypatch.setenv("NODE_EXTRA_CA_CERTS", str(CERTIFICATE))
    trust = describe_trust(os.environ)
    assert trust.places == (f"{CERTIFICATE} ($NODE_EXTRA_CA_CERTS)",)
    assert f"$SSL_CERT_FILE names {file}, which holds no certificate" in trust.problems
    assert not trust.is_empty


def test_extra_certificates_that_cannot_be_read_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(UnreachableError, match=r"cannot use the certificates in /nowhere/ca\.pem"):
        describe_trust(os.environ)
