"""Ways to a server on real sockets: through a proxy, with TLS to either end, with credentials, and past it."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from hioload_ws import ConnectionLost, Server, connect
from hioload_ws.adapters.dial import Dialer
from hioload_ws.adapters.proxy import Proxy, ProxyChoice
from hioload_ws.adapters.tls import client_context, server_context
from hioload_ws.api import ConnectOptions, InvalidArgument, NotSupported, ProxyRefused, Transport
from hioload_ws.api.transport import Address
from hioload_ws.control.config import ServerConfig
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.poller import ScriptedPoller
from hioload_ws.fake.transport import ScriptedTransport
from hioload_ws.protocol.uri import parse_uri
from hioload_ws.transport.registry import Registry
from hioload_ws.transport.tcp import TcpProvider
from tests.adapters.live import CERTIFICATES, echo_server
from tests.adapters.proxies import ConnectProxy

CERTIFICATE, KEY = CERTIFICATES / "localhost.pem", CERTIFICATES / "localhost.key"
TRUSTING = client_context(str(CERTIFICATES / "authority.pem"))


def tls_server() -> Server:
    app = Server("localhost", 0, tls=(CERTIFICATE, KEY))
    app.on_message(lambda connection, message: connection.send(message))
    return app


def test_messages_pass_through_a_proxy() -> None:
    with echo_server().background() as url, ConnectProxy() as proxy:
        with connect(f"{url}/path", proxy=f"http://127.0.0.1:{proxy.port}") as connection:
            for message in ("hello", b"x" * 3_000_000):
                connection.send(message)
                assert connection.receive(timeout_s=20) == message
            assert str(connection.connection.peer_address) == f"127.0.0.1:{proxy.port}"
    place = url.removeprefix("ws://")
    assert proxy.requests == [f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n"]


def test_tls_through_the_tunnel_checks_the_name_of_the_far_end() -> None:
    with tls_server().background() as url, ConnectProxy() as proxy:
        through = f"http://127.0.0.1:{proxy.port}"
        port = url.rpartition(":")[2].strip("/")
        with connect(f"wss://localhost:{port}/", proxy=through, tls=TRUSTING) as connection:
            connection.send("secret")
            assert connection.receive(timeout_s=20) == "secret"
            assert connection.connection.features().name == "tls+tunnel+tcp"
        with pytest.raises(ConnectionLost, match="certificate was refused"):
            connect(f"wss://localhost:{port}/", proxy=through)  # an authority that nobody here trusts
        with pytest.raises(ConnectionLost, match="certificate was refused"):
            connect(f"wss://other.example:{port}/", proxy=through, tls=TRUSTING)  # the right one, for another name
    assert [request.split(" ")[1] for request in proxy.requests] == [
        f"localhost:{port}", f"localhost:{port}", f"other.example:{port}",
    ]  # fmt: skip


def test_tls_to_the_proxy_and_tls_to_the_server_are_two() -> None:
    with tls_server().background() as url, ConnectProxy(tls=server_context((CERTIFICATE, KEY))) as proxy:
        through = Proxy(f"https://localhost:{proxy.port}", tls=TRUSTING)
        with connect(url, proxy=through, tls=TRUSTING) as connection:
            connection.send("twice wrapped")
            assert connection.receive(timeout_s=20) == "twice wrapped"
            assert connection.connection.features().name == "tls+tunnel+tls+tcp"
        with pytest.raises(ConnectionLost, match="certificate was refused"):
            connect(url, proxy=f"https://localhost:{proxy.port}", tls=TRUSTING)


def test_credentials_open_the_way_and_wrong_ones_are_a_407() -> None:
    with echo_server().background() as url, ConnectProxy("Basic bWU6c2VjcmV0") as proxy:
        with connect(url, proxy=f"http://me:secret@127.0.0.1:{proxy.port}"):
            pass
        token = Proxy(f"127.0.0.1:{proxy.port}", headers=[("Proxy-Authorization", "Basic bWU6c2VjcmV0")])
        with connect(url, proxy=token):
            pass
        for user_info in ("", "me:wrong@"):
            with pytest.raises(ProxyRefused) as caught:
                connect(url, proxy=f"http://{user_info}127.0.0.1:{proxy.port}")
            assert caught.value.status == 407


def test_a_server_that_the_proxy_does_not_reach_is_a_502() -> None:
    with ConnectProxy() as proxy, ConnectProxy() as closed:
        pass
    with ConnectProxy() as proxy, pytest.raises(ProxyRefused) as caught:
        connect(f"ws://127.0.0.1:{closed.port}/", proxy=f"127.0.0.1:{proxy.port}")
    assert caught.value.status == 502


def test_a_proxy_that_is_not_there_is_named() -> None:
    with ConnectProxy() as closed:
        pass
    with pytest.raises(ConnectionLost, match="by way of the proxy"):
        connect("ws://127.0.0.1:9/", proxy=f"127.0.0.1:{closed.port}")


def test_the_environment_is_asked_when_the_caller_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with echo_server().background() as url, ConnectProxy() as proxy:
        monkeypatch.setitem(os.environ, "HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        with connect(url):
            assert proxy.requests == []
        with connect(url, proxy="env"):
            assert len(proxy.requests) == 1
        monkeypatch.setitem(os.environ, "no_proxy", "127.0.0.0/8")
        with connect(url, proxy="env"):
            assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    ("proxy", "kind"), [("http://x/y", InvalidArgument), ("socks5://x", NotSupported), ("env", InvalidArgument)]
)
def test_a_wrong_proxy_or_one_before_a_unix_socket_is_refused_at_once(proxy: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        connect("ws://localhost/", proxy=proxy, unix="/run/x" if proxy == "env" else None)


def test_a_unix_socket_is_reached_directly(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    app = Server(unix=path)
    app.on_message(lambda connection, message: connection.send(message))
    with app.background(), connect("ws://anything/", unix=path) as connection:
        connection.send("x")
        assert connection.receive(timeout_s=20) == "x"


class OneTransport(TcpProvider):
    def __init__(self, transport: ScriptedTransport) -> None:
        self.transport = transport

    def connect(self, address: Address, options: ConnectOptions) -> Transport:
        return self.transport


def dial(proxy: ProxyChoice, tls: ssl.SSLContext | None) -> ScriptedTransport:
    transport = ScriptedTransport(ScriptedPoller(VirtualClock()), 1)
    registry = Registry()
    registry.register(OneTransport(transport))
    with pytest.raises(InvalidArgument):
        Dialer(registry, ServerConfig(), unix=None, tls=tls, proxy=proxy).connect(parse_uri("wss://server/"))
    return transport


def test_what_fails_after_the_proxy_was_dialled_leaves_nothing_open() -> None:
    assert dial("http://proxy", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)).closed
