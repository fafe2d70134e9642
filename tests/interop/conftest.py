"""Fixtures of the interoperability tests: our echo server as a process, and a foreign server in a thread."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.echo_process import CERTIFICATES, EchoProcess
from tests.interop.foreign_server import ForeignServer


@pytest.fixture(scope="module")
def echo_url() -> Iterator[str]:
    """Return the URL of our echo server; its clean end is asserted when the module is done."""
    with EchoProcess() as server:
        yield server.url


@pytest.fixture(scope="module")
def tls_echo_url() -> Iterator[str]:
    """Return the `wss://` URL of our echo server."""
    with EchoProcess.with_tls() as server:
        yield server.url


@pytest.fixture(scope="module")
def echo_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the path of the Unix socket of our echo server, which has to be gone after its end."""
    path = tmp_path_factory.mktemp("echo") / "echo.sock"
    with EchoProcess("--unix", str(path)):
        yield str(path)
    assert not path.exists()


@pytest.fixture(scope="module")
def foreign_server() -> Iterator[ForeignServer]:
    """Return a foreign server on TCP."""
    server = ForeignServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def foreign_tls_server() -> Iterator[ForeignServer]:
    """Return a foreign server that speaks TLS with the tests' own certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "server.pem", CERTIFICATES / "server.key")
    server = ForeignServer(context)
    yield server
    server.close()


@pytest.fixture(scope="module")
def foreign_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the path of the Unix socket of a foreign server."""
    path = tmp_path_factory.mktemp("foreign") / "server.sock"
    server = ForeignServer(unix_path=str(path))
    yield path
    server.close()
