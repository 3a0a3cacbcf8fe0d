from __future__ import annotations

import asyncio
import re
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from cline_cli.network.trust import LAST_RESORT, SYSTEM, load_certificates, read_bundle
from tests.network.test_http import CERTIFICATE, with_tls

PACKAGE = Path(__file__).parent.parent.parent / "cline_cli"
NOWHERE = "/nowhere/at/all"


def paths(cafile: Path | None = None, capath: Path | None = None) -> ssl.DefaultVerifyPaths:
    """Return what an OpenSSL says that finds no more than this."""
    return ssl.DefaultVerifyPaths(
        str(cafile or ""),
        str(capath or ""),
        "SSL_CERT_FILE",
        NOWHERE,
        "SSL_CERT_DIR",
        NOWHERE,
    )


def is_of_truststore(context: ssl.SSLContext) -> bool:
    return type(context).__module__.startswith("truststore")


def test_openssl_reads_the_certificates_when_it_finds_some() -> None:
    loaded = load_certificates({}, paths(CERTIFICATE), "linux")
    assert loaded.place == ""
    assert not is_of_truststore(loaded.context)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_the_system_decides_when_it_has_a_store_of_its_own(platform: str) -> None:
    loaded = load_certificates({}, paths(CERTIFICATE), platform)
    assert loaded.place == SYSTEM
    assert is_of_truststore(loaded.context)


@pytest.mark.parametrize("platform", ["darwin", "win32", "linux"])
@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_the_person_decides_when_a_variable_names_certificates(platform: str, variable: str) -> None:
    loaded = load_certificates({variable: str(CERTIFICATE)}, paths(CERTIFICATE), platform)
    assert loaded.place == ""
    assert not is_of_truststore(loaded.context)


def test_the_system_decides_when_a_variable_names_nothing_that_is_there() -> None:
    assert load_certificates({"SSL_CERT_FILE": NOWHERE}, paths(), "darwin").place == SYSTEM


def test_the_bundle_of_the_system_is_found_when_openssl_does_not_know_of_it() -> None:
    loaded = load_certificates({}, paths(), "linux")
    # truststore looks where OpenSSL does, then in the places that systems are known to use.
    is_there = any(Path(place).is_file() for place in ("/etc/ssl/cert.pem", "/etc/ssl/certs/ca-certificates.crt"))
    assert loaded.place == (SYSTEM if is_there else LAST_RESORT)
    assert loaded.context.cert_store_stats()["x509"] > 50
    assert loaded.context.verify_mode == ssl.CERT_REQUIRED
    assert loaded.context.check_hostname


def test_certifi_is_the_last_resort_when_the_system_has_no_certificate(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(empty))  # truststore takes it for the system's
    loaded = load_certificates({}, paths(), "linux")
    assert loaded.place == LAST_RESORT
    assert loaded.context.cert_store_stats()["x509"] > 50
    assert loaded.context.verify_mode == ssl.CERT_REQUIRED


def test_a_bundle_is_read_once_when_it_serves_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    import truststore  # lazy: few tests need it

    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    context = read_bundle(truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert not is_of_truststore(context)
    assert context.cert_store_stats()["x509"] == 1


def test_a_server_is_trusted_when_truststore_finds_its_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    import truststore  # lazy: as above

    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    context = read_bundle(truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert with_tls(lambda url: ask(url, context)) == b"HTTP/1.1 200 OK"
    monkeypatch.delenv("SSL_CERT_FILE")
    strict = read_bundle(truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    with pytest.raises(ssl.SSLCertVerificationError):
        with_tls(lambda url: ask(url, strict))


def ask(url: str, context: ssl.SSLContext) -> bytes:
    async def exchange() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.strip("/").rpartition(":")[2]), ssl=context)
        writer.write(b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}')
        line = await reader.readline()
        writer.transport.abort()  # a farewell in TLS may take longer than the loop lives
        await writer.wait_closed()
        return line.strip()

    return asyncio.run(exchange())


def test_truststore_is_not_imported_when_openssl_has_certificates() -> None:
    code = (
        "import sys, os; from cline_cli.network.trust import load_trust; load_trust({});"
        "print('truststore' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"SSL_CERT_FILE": str(CERTIFICATE)},
        cwd=PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_no_line_of_the_source_turns_verification_off() -> None:
    off = re.compile(r"verify\s*=\s*False|CERT_NONE|_create_unverified|check_hostname\s*=\s*False|CERT_OPTIONAL")
    found = [file for file in PACKAGE.rglob("*.py") if off.search(file.read_text("utf-8"))]
    assert found == []
