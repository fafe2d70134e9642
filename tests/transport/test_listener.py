"""Accepting when accept(2) has bad news, and when descriptors have run out for real."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hioload_ws.api.errors import ResourceExhausted, TransportClosed
from hioload_ws.api.transport import TcpAddress, Transport
from hioload_ws.transport.listener import StreamListener
from hioload_ws.transport.tcp import TcpTransport

ADDRESS = TcpAddress("127.0.0.1", 1)


class ScriptedListening(socket.socket):
    """Answers accept(2) from a script: a number is an error, ``None`` a connection; then nothing waits."""

    def __init__(self) -> None:
        super().__init__()
        self.script: list[int | None] = []

    def _accept(self) -> tuple[int, object]:
        if not self.script:
            raise BlockingIOError(errno.EAGAIN, "nothing waits")
        number = self.script.pop(0)
        if number is not None:
            raise OSError(number, os.strerror(number))
        return socket.socket().detach(), ("127.0.0.1", 2)


class Bench:
    def __init__(self) -> None:
        self.listening = ScriptedListening()
        self.dead_streams = 0
        self.listener = StreamListener(self.listening, ADDRESS, self.adopt)

    def adopt(self, stream: socket.SocketType, peer: object) -> Transport:
        if self.dead_streams:
            self.dead_streams -= 1
            raise OSError(errno.EINVAL, "reset already")
        return TcpTransport(stream, host="127.0.0.1", port=2)

    def accept(self, script: list[int | None], max_count: int = 10) -> int:
        self.listening.script = script
        accepted = self.listener.accept_batch(max_count)
        for end in accepted:
            end.close()
        return len(accepted)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.listener.close()


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.EPROTO, errno.ENETUNREACH, errno.EPERM])
def test_a_connection_that_died_in_the_queue_is_skipped(bench: Bench, number: int) -> None:
    assert bench.accept([None, number, None]) == 2


def test_a_queue_of_dead_connections_does_not_hold_us_up(bench: Bench) -> None:
    script: list[int | None] = [errno.ECONNABORTED] * 100
    assert bench.accept(script, max_count=10) == 0
    assert len(bench.listening.script) == 90


def test_a_connection_that_dies_while_it_is_adopted_is_closed_and_skipped(bench: Bench) -> None:
    bench.dead_streams = 1
    assert bench.accept([None, None]) == 1


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_exhaustion_is_raised_when_nothing_was_accepted(bench: Bench, number: int) -> None:
    with pytest.raises(ResourceExhausted) as caught:
        bench.accept([errno.ECONNABORTED, number])
    assert caught.value.context["errno"] == number
    assert bench.accept([None, number]) == 1


def test_an_interrupted_accept_returns_what_there_is(bench: Bench) -> None:
    assert bench.accept([None, errno.EINTR, None]) == 1


def test_a_listener_that_somebody_else_closed_says_so(bench: Bench) -> None:
    assert bench.accept([None, errno.EINVAL]) == 1
    with pytest.raises(TransportClosed):
        bench.accept([errno.EINVAL])


EXHAUSTION = """
import os, resource, select, sys
from hioload_ws.api.errors import ResourceExhausted
from hioload_ws.api.registry import ConnectOptions, ListenOptions
from hioload_ws.api.transport import MemoryAddress, TcpAddress, UnixAddress
from hioload_ws.transport import MemoryProvider, TcpProvider, UnixProvider, memory_pair

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
memory = MemoryProvider()
kinds = [
    (TcpProvider(), TcpAddress("127.0.0.1", 0), TcpAddress("127.0.0.1", 0)),
    (UnixProvider(), UnixAddress(sys.argv[1]), UnixAddress(sys.argv[1] + "2")),
    (memory, MemoryAddress("name"), MemoryAddress("other")),
]
for provider, address, other in kinds:
    listener = provider.listen(address, ListenOptions())
    clients = [provider.connect(listener.address, ConnectOptions()) for _ in range(3)]
    poller = select.poll()
    poller.register(listener.handle, select.POLLIN)
    assert poller.poll(10_000)
    spare = []
    try:
        while True:
            spare.append(os.dup(0))
    except OSError:
        pass
    refused = 0
    for call in (
        lambda: provider.listen(other, ListenOptions()),
        lambda: provider.connect(listener.address, ConnectOptions()),
        memory_pair,
    ):
        try:
            call()
        except ResourceExhausted:
            refused += 1
    assert refused == 3, refused
    assert not provider.availability().available
    if provider is not memory:  # both ends of a waiting in-process connection exist already
        try:
            listener.accept_batch(10)
        except ResourceExhausted as error:
            assert error.context["resource"] == "descriptors"
        else:
            raise AssertionError("accepted without a descriptor")
        os.close(spare.pop())
        assert len(accepted := listener.accept_batch(10)) == 1
        clients.extend(accepted)
    for number in spare:
        os.close(number)
    accepted = listener.accept_batch(10)
    assert len(accepted) == (3 if provider is memory else 2)
    for end in [*accepted, *clients, listener]:
        end.close()
print("all kinds recovered")
"""


def test_without_descriptors_every_kind_says_so_and_goes_on_later(
    tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("s") / "socket"
    command = [sys.executable, "-W", "error", "-c", EXHAUSTION, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout == "all kinds recovered\n", done.stderr
