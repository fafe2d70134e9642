"""Cost of moving bytes: a send and its receive by kind and shape, and the choice between join and vector.

Run with ``pytest benchmarks/test_transport.py``; pytest-benchmark records the machine and the Python. Every
benchmark asserts that what it measured was done right.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hioload_ws.api.poller import READABLE
from hioload_ws.api.registry import ConnectOptions, ListenOptions, TransportProvider
from hioload_ws.api.transport import Address, MemoryAddress, TcpAddress, Transport, UnixAddress
from hioload_ws.transport import MemoryProvider, TcpProvider, UnixProvider, memory_pair

SHAPES = [(1, 32), (16, 128), (2, 16384), (4, 65536)]
Pair = tuple[Transport, Transport]


@pytest.fixture(params=["tcp", "unix", "memory"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    kinds: dict[str, tuple[TransportProvider, Address]] = {
        "tcp": (TcpProvider(), TcpAddress("127.0.0.1", 0)),
        "unix": (UnixProvider(), UnixAddress("@hioload-benchmark")),
        "memory": (MemoryProvider(), MemoryAddress("benchmark")),
    }
    provider, address = kinds[request.param]
    listener = provider.listen(address, ListenOptions())
    client = provider.connect(listener.address, ConnectOptions())
    poller = select.poll()
    poller.register(listener.handle, READABLE)
    assert poller.poll(10_000)
    [server] = listener.accept_batch(1)
    client.flush()
    yield client, server
    for end in (client, server, listener):
        end.close()


def move(sender: Transport, receiver: Transport, batch: list[bytes], buffer: bytearray) -> int:
    """Send the batch and receive all of it; return the number of bytes."""
    total = sum(map(len, batch))
    sender.send(batch)
    got = 0
    while got < total:
        count = receiver.recv_into(buffer)
        if count > 0:
            got += count
        else:
            sender.flush()
    return got


@pytest.mark.parametrize(("parts", "size_bytes"), SHAPES)
def test_send_and_receive(benchmark: BenchmarkFixture, pair: Pair, parts: int, size_bytes: int) -> None:
    batch = [bytes(size_bytes)] * parts
    assert benchmark(move, *pair, batch, bytearray(1 << 20)) == parts * size_bytes
    assert pair[0].pending_bytes == 0


@pytest.mark.parametrize(("parts", "size_bytes"), SHAPES)
@pytest.mark.parametrize("way", ["join", "vector"])
def test_join_or_vector(benchmark: BenchmarkFixture, way: str, parts: int, size_bytes: int) -> None:
    """What ``outgoing.JOIN_BELOW_BYTES`` decides between, on bare sockets, into a buffer that holds all."""
    left, right = socket.socketpair()
    with left, right:
        left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        batch = [bytes(size_bytes)] * parts
        buffer = bytearray(1 << 20)

        def turn() -> int:
            sent = left.send(b"".join(batch)) if way == "join" else left.sendmsg(batch)
            got = 0
            while got < sent:
                got += right.recv_into(buffer)
            return got

        assert benchmark(turn) == parts * size_bytes


def test_make_and_close_a_pair(benchmark: BenchmarkFixture) -> None:
    def turn() -> None:
        for end in memory_pair():
            end.close()

    benchmark(turn)
    left, right = memory_pair()
    assert left.peer_address == right.local_address
    left.close()
    right.close()
