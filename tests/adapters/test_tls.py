"""TLS settings: what makes a context, and how a wrong file is named."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from hioload_ws import Server, connect
from hioload_ws.adapters.tls import client_context, server_context
from hioload_ws.api import InvalidArgument

CERTIFICATES = Path(__file__).parent.parent / "transport" / "certs"
CERTIFICATE = CERTIFICATES / "localhost.pem"
KEY = CERTIFICATES / "localhost.key"


def test_a_context_is_used_as_it_is() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert server_context(context) is context


def test_two_files_make_a_context_for_servers_with_today_s_versions() -> None:
    context = server_context((CERTIFICATE, str(KEY)))
    assert context.protocol == ssl.PROTOCOL_TLS_SERVER
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE  # of clients: they seldom have a certificate


@pytest.mark.parametrize(
    ("certificate", "key"),
    [
        (CERTIFICATES / "absent.pem", KEY),
        (CERTIFICATE, CERTIFICATES / "absent.key"),
        (CERTIFICATE, CERTIFICATE),  # holds no key
        (CERTIFICATES / "authority.pem", KEY),  # a key of somebody else's certificate
        (CERTIFICATES / "make.sh", KEY),  # no PEM file
        ("nul\0", KEY),
    ],
)
def test_files_that_do_not_fit_are_named(certificate: str | Path, key: str | Path) -> None:
    with pytest.raises(InvalidArgument, match="no TLS with these files") as caught:
        server_context((certificate, key))
    assert caught.value.context == {"certificate": str(certificate), "key": str(key)}
    assert caught.value.__cause__ is not None


def test_a_server_refuses_wrong_files_before_anything_is_opened() -> None:
    with pytest.raises(InvalidArgument):
        Server("localhost", 0, tls=(CERTIFICATE, CERTIFICATE))


def test_a_client_s_context_trusts_the_file_only_and_checks_names() -> None:
    context = client_context(str(CERTIFICATES / "authority.pem"))
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.cert_store_stats()["x509"] == 1


def test_a_client_s_context_without_a_file_checks_too() -> None:
    context = client_context()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.parametrize("name", ["absent.pem", "make.sh", "localhost.key"])
def test_a_file_without_certificates_is_named(name: str) -> None:
    file = str(CERTIFICATES / name)
    with pytest.raises(InvalidArgument, match="no certificates in this file") as caught:
        client_context(file)
    assert caught.value.context == {"file": file}


def test_a_server_with_a_context_speaks_tls() -> None:
    app = Server("localhost", 0, tls=server_context((CERTIFICATE, KEY)))
    app.on_message(lambda connection, message: connection.send(message))
    trusting = ssl.create_default_context(cafile=CERTIFICATES / "authority.pem")
    with app.background() as url:
        assert url.startswith("wss://")
        port = url.rpartition(":")[2]
        with connect(f"wss://localhost:{port}/", tls=trusting) as connection:
            connection.send("secret")
            assert connection.receive(20.0) == "secret"
