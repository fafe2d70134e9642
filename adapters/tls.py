"""TLS settings as people write them down: a context, or a certificate and its key.

Who knows what a context is passes one and decides everything. For the others there are files, and the
defaults of Python's ``ssl.create_default_context`` for the role; on the client the peer's certificate and host
name are checked (RFC 6455 §11.1.2). Which versions of TLS that allows depends on how Python was built, so 1.2
is asked for here (RFC 9325 §3.1.1); a machine whose policy is stricter keeps its policy.
"""

from __future__ import annotations

import ssl
from os import PathLike
from typing import TypeAlias

from ..api.errors import InvalidArgument

CertificateFiles: TypeAlias = "tuple[str | PathLike[str], str | PathLike[str]]"
"""Paths of a PEM file with the certificate (and its chain), and one with the private key."""

ServerTls: TypeAlias = "ssl.SSLContext | CertificateFiles"
"""A server-side context, or the files for one."""


def server_context(choice: ServerTls) -> ssl.SSLContext:
    """Return the context. Raises ``InvalidArgument`` for files that can't be read or do not fit together."""
    if isinstance(choice, ssl.SSLContext):
        return choice
    certificate, key = choice
    context = _modern(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:  # ``SSLError`` is an ``OSError``; a NUL in a path, ``ValueError``
        raise InvalidArgument(
            f"no TLS with these files: {error}", certificate=str(certificate), key=str(key)
        ) from error
    return context


def client_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context that trusts the authorities of a PEM file and no others; by default the system's.

    Raises ``InvalidArgument`` when the file can't be read or has no certificates.
    """
    try:
        return _modern(ssl.create_default_context(cafile=ca_file))
    except OSError as error:  # ``SSLError`` is one
        raise InvalidArgument(f"no certificates in this file: {error}", file=ca_file) from error


def _modern(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    return context


__all__ = ["CertificateFiles", "ServerTls", "client_context", "server_context"]
