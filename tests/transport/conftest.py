"""Fixtures of the transport's tests: every kind of it, as connected pairs that are closed after.

Nothing here sleeps: who has to wait for the system asks poll(2), with a limit.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from hioload_ws.api.poller import READABLE, WRITABLE
from hioload_ws.api.registry import ConnectOptions, ListenOptions, TransportProvider
from hioload_ws.api.transport import (
    END_OF_STREAM,
    WOULD_BLOCK,
    Address,
    Listener,
    MemoryAddress,
    TcpAddress,
    Transport,
    UnixAddress,
)
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.transport.memory import MemoryProvider
from hioload_ws.transport.stream import StreamTransport
from hioload_ws.transport.tcp import TcpProvider
from hioload_ws.transport.tls import TlsTransport
from hioload_ws.transport.tunnel import TunnelTransport
from hioload_ws.transport.unix import UnixProvider
from tests.transport.knock import Knock, open_up

CERTS = Path(__file__).parent / "certs"
LIMIT_MS = 10_000
TURNS = 100_000
KINDS = ["tcp4", "tcp6", "unix-path", "unix-abstract", "memory", "tls-tcp", "tls-memory", "tls12-memory", "tunnel-tcp",
         "tunnel-memory"]  # fmt: skip
_numbers = itertools.count(1)


class HasHandle(Protocol):
    @property
    def handle(self) -> int: ...


def wait_for(ends: Sequence[tuple[HasHandle, int]]) -> None:
    """Wait until one of the handles is ready for what stands beside it; fail after the limit."""
    poller = select.poll()
    for end, interest in ends:
        poller.register(end.handle, interest)
    assert poller.poll(LIMIT_MS), "nothing became ready"


def wait_readable(end: HasHandle) -> None:
    wait_for([(end, READABLE)])


def server_context(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTS / "localhost.pem", CERTS / "localhost.key")
    context.maximum_version = version
    return context


def client_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTS / "authority.pem"))


def raw_socket(transport: Transport) -> socket.SocketType:
    """Return the socket at the bottom, to make it small or to break it."""
    while isinstance(transport, (TlsTransport, TunnelTransport)):
        transport = transport._inner
    assert isinstance(transport, StreamTransport)
    return transport._socket


class Link:
    """A connected pair of one kind, and what tests do with it all the time."""

    def __init__(self, kind: str, listener: Listener, client: Transport, server: Transport) -> None:
        self.kind = kind
        self.tls = kind.startswith("tls")
        self.listener = listener
        self.client = client
        self.server = server

    def close(self) -> None:
        for end in (self.client, self.server, self.listener):
            end.close()

    def make_small(self) -> None:
        """Make the system take little at a time. (A small receive buffer would be TCP's silly window.)"""
        for end in (self.client, self.server):
            raw_socket(end).setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)

    def establish(self) -> None:
        """Drive both ends until neither wants anything: connected, handshakes made."""
        buffer = bytearray(1)
        for _ in range(TURNS):
            wanted = [(end, end.interest) for end in (self.client, self.server) if end.interest]
            if not wanted:
                return
            wait_for(wanted)
            for end, interest in wanted:
                end.flush()
                if interest & READABLE:
                    assert end.recv_into(buffer) == WOULD_BLOCK
        raise AssertionError("the ends never came to rest")

    def fill(self, sender: Transport | None = None) -> int:
        """Send until something stays pending; return how many bytes were sent."""
        sender = self.client if sender is None else sender
        total = 0
        while not sender.pending_bytes:
            sender.send([bytes(65536)])
            total += 65536
        return total

    def receive(self, receiver: Transport, sender: Transport, size_bytes: int) -> bytes:
        """Move bytes from ``sender`` to ``receiver`` until that has ``size_bytes``."""
        got = bytearray()
        buffer = bytearray(65536)
        while len(got) < size_bytes:
            if sender.interest & WRITABLE:
                sender.flush()
            count = receiver.recv_into(buffer)
            assert count != END_OF_STREAM, "ended too early"
            if count == WOULD_BLOCK:
                assert not receiver.buffered
                wait_for([(receiver, READABLE), (sender, sender.interest)])
            else:
                got += buffer[:count]
        return bytes(got)

    def receive_end(self, receiver: Transport, sender: Transport | None = None) -> None:
        """Wait for the end of the stream."""
        buffer = bytearray(1)
        while (count := receiver.recv_into(buffer)) == WOULD_BLOCK:
            if sender is not None and sender.interest:
                sender.flush()
            wait_readable(receiver)
        assert count == END_OF_STREAM

    def reset_by_peer(self) -> None:
        """Let the server end go away in a way that the client's system calls a reset."""
        if isinstance(raw_socket(self.server).getsockname(), tuple):
            linger = b"\1\0\0\0\0\0\0\0"  # struct linger: on, 0 s; close sends RST (socket(7))
            raw_socket(self.server).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            # A Unix socket that is closed with unread data resets its peer (unix(7)).
            with contextlib.suppress(BlockingIOError):  # full, which is unread enough
                raw_socket(self.client).send(b"never read")
        self.server.close()
        wait_readable(self.client)


class Bench:
    """Makes providers, addresses, listeners and links, and closes them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.memory = MemoryProvider()
        self._made: list[Transport | Listener] = []

    def provider(self, kind: str) -> TransportProvider:
        if "tcp" in kind:
            return TcpProvider()
        return UnixProvider() if "unix" in kind else self.memory

    def address(self, kind: str) -> Address:
        number = next(_numbers)
        if "tcp" in kind:
            return TcpAddress("::1" if kind == "tcp6" else "127.0.0.1", 0)
        if kind == "unix-path":
            return UnixAddress(str(self.directory / f"{number}.sock"))
        if kind == "unix-abstract":
            return UnixAddress(f"@hioload-test-{self.directory}-{number}"[-100:].replace("/", "@", 1)[:100])
        return MemoryAddress(f"name-{number}")

    def listen(self, kind: str, backlog: int = 16) -> Listener:
        version = ssl.TLSVersion.TLSv1_2 if "12" in kind else ssl.TLSVersion.TLSv1_3
        tls = server_context(version) if "tls" in kind else None
        listener = self.provider(kind).listen(self.address(kind), ListenOptions(backlog=backlog, tls=tls))
        self._made.append(listener)
        return listener

    def connect(self, kind: str, address: Address) -> Transport:
        tls = client_context() if "tls" in kind else None
        name = "localhost" if "tls" in kind else None
        client = self.provider(kind).connect(address, ConnectOptions(tls=tls, server_name=name))
        self._made.append(client)
        if "tunnel" in kind:
            client = TunnelTransport(client, Knock())
            self._made.append(client)
        return client

    def accept(self, listener: Listener) -> Transport:
        wait_readable(listener)
        [server] = listener.accept_batch(1)
        self._made.append(server)
        return server

    def keep(self, made: Transport | Listener) -> None:
        self._made.append(made)

    def link(self, kind: str, *, established: bool = True) -> Link:
        listener = self.listen(kind)
        client = self.connect(kind, listener.address)
        link = Link(kind, listener, client, self.accept(listener))
        if "tunnel" in kind:
            wait_readable(link.server)
            open_up(link.server)
        if established:
            link.establish()
        return link

    def close(self) -> None:
        for made in self._made:
            made.close()


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    directory = tmp_path_factory.mktemp("s")
    made = Bench(directory)
    yield made
    made.close()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of transport in turn."""
    name = str(request.param)
    if name == "tcp6" and not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    return name


@pytest.fixture
def link(bench: Bench, kind: str) -> Link:
    return bench.link(kind)


@pytest.fixture
def pool() -> Iterator[SlabBufferPool]:
    """A pool of which every buffer has to be back at the end of the test."""
    with SlabBufferPool(leaks="disabled") as made:
        yield made
        assert made.stats().in_use_count == 0


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
