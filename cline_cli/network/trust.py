"""Which certificates a server is trusted by: those a person names, else the system's, else those that httpx brings.

    SSL_CERT_FILE, SSL_CERT_DIR name some          these, read by OpenSSL
    macOS, Windows                                 the system decides, through truststore
    OpenSSL was built to find the system's         these, read by OpenSSL
    it was not, as in Pythons that are downloaded  the system's bundle, which truststore knows where to look for
    there is no bundle                             those of certifi, as old as the installation

Whatever it is, those that REQUESTS_CA_BUNDLE and NODE_EXTRA_CA_CERTS name are trusted too. There is no way to trust a
server without a certificate.
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from cline_cli.errors import UnreachableError

OPENSSL_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
SYSTEM = "those of the system (truststore)"
LAST_RESORT = "those of certifi (there are none of the system)"


class Loaded(NamedTuple):
    """Certificates, without the extra ones."""

    context: ssl.SSLContext
    place: str
    """Where they come from, for people; empty where OpenSSL found them: `describe_trust` knows the paths."""


def load_trust(variables: Mapping[str, str]) -> ssl.SSLContext:
    """Return what connections are to be made with.

    Reading a bundle takes 20 ms, so none is read twice; a folder is read by OpenSSL as far as it is needed.

    Raises:
        UnreachableError: extra certificates cannot be read.
    """
    paths = ssl.get_default_verify_paths()
    context = load_certificates(variables, paths).context
    add_extra(context, variables, paths)
    return context


def load_certificates(
    variables: Mapping[str, str], paths: ssl.DefaultVerifyPaths, platform: str = sys.platform
) -> Loaded:
    """Return the certificates that hold on a platform, as `sys.platform` names it; `paths` is where OpenSSL looks."""
    has_own = has_own_certificates(paths)
    if has_own and any(variables.get(name) for name in OPENSSL_VARIABLES):
        return Loaded(ssl.create_default_context(), "")
    if platform in {"darwin", "win32"}:
        return Loaded(_load_system(), SYSTEM)
    if has_own:
        return Loaded(ssl.create_default_context(), "")
    context = read_bundle(_load_system())
    if context.cert_store_stats()["x509"]:
        return Loaded(context, SYSTEM)
    import httpx  # lazy: 60 ms, which every request pays anyway

    return Loaded(httpx.create_ssl_context(trust_env=False), LAST_RESORT)


def has_own_certificates(paths: ssl.DefaultVerifyPaths) -> bool:
    """Whether OpenSSL finds certificates by itself, of the system or in SSL_CERT_FILE and SSL_CERT_DIR."""
    return bool(paths.cafile or (paths.capath and any(Path(paths.capath).glob("*.0"))))


def read_bundle(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return the context in which truststore has read a bundle, so that not every connection reads it again.

    It reads it when a connection begins; one that leads nowhere is enough.
    """
    return context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost").context


def add_extra(context: ssl.SSLContext, variables: Mapping[str, str], paths: ssl.DefaultVerifyPaths) -> None:
    """Trust what the variables of other programs name as well.

    Raises:
        UnreachableError: it cannot be read.
    """
    for name in CA_VARIABLES:
        path = variables.get(name)
        if path and path != paths.cafile:
            try:
                context.load_verify_locations(path)
            except OSError as error:
                message = f"cannot use the certificates in {path}: {error.strerror or 'they cannot be read'}"
                raise UnreachableError(message, f"Correct ${name}, or unset it") from None


def _load_system() -> ssl.SSLContext:
    import truststore  # lazy: 10 ms, where OpenSSL alone does not find the system's certificates

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
