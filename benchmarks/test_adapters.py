"""Cost of a message through a connection: from the poller's word to the handler and back into the kernel.

Run with ``pytest benchmarks/test_adapters.py``; pytest-benchmark records the machine and the Python. Every benchmark
asserts that what it measured was done right. There is one connection, and no load generator: a round is the peer's
send, one turn of the server, and the peer's receive, so two system calls of each round are not ours.

Measured with CPython 3.11.2 (Debian, PGO) on one of two shared cores, nothing else running; medians, microseconds a
round:

    messages   1 of 32 B   1 of 125 B   1 of 1000 B   1 of 16 KiB   16 of 32 B   16 of 1000 B
    express    14          14           16            22            32           80
    clear      18          18           25            31            60           114
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hioload_ws import Connection, Message, Server
from hioload_ws.api.message import BINARY, MessageKind
from hioload_ws.protocol.masks import unmask_clear

KEY = b"\x37\xfa\x21\x3d"
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
SHAPES = [(32, 1), (125, 1), (1000, 1), (16384, 1), (32, 16), (1000, 16)]


def header(kind: MessageKind, length: int, mask_bit: int) -> bytes:
    """Return a header of a whole message below 64 KiB."""
    if length < 126:
        return bytes([0x80 | kind, mask_bit | length])
    return bytes([0x80 | kind, mask_bit | 126]) + length.to_bytes(2, "big")


@pytest.fixture(params=["express", "clear"])
def turn(request: pytest.FixtureRequest) -> Iterator[Callable[[bytes, int], bytes]]:
    """Return a function that sends bytes to an echo server and returns so many bytes of its answer.

    ``clear``: the connection does not know its socket, so that messages take the way that any transport takes.
    """
    server = Server("127.0.0.1", 0)
    opened: list[Connection] = []

    @server.on_message
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)

    server.on_open(lambda event: opened.append(event.connection))
    server.start()
    memory = bytearray(1 << 20)
    view = memoryview(memory)
    host, port = server.url.removeprefix("ws://").split(":")
    with socket.create_connection((host, int(port))) as peer:
        peer.sendall(REQUEST)
        while not opened:
            server.turn(10_000_000)
        if request.param == "clear":
            opened[0]._bare = None  # type: ignore[attr-defined]  # what a transport without a socket leads to
        peer.settimeout(10)
        peer.recv_into(memory)

        def exchange(data: bytes, count_bytes: int) -> bytes:
            peer.sendall(data)
            got = 0
            while got < count_bytes:
                server.turn(10_000_000)
                got += peer.recv_into(view[got:])
            return bytes(view[:got])

        yield exchange
    server.shutdown()  # begins it: this is the thread that turns the server
    while server.connection_count:
        server.turn(10_000_000)
    assert server.shutdown()


@pytest.mark.parametrize(("size_bytes", "count"), SHAPES)
def test_echo(
    benchmark: BenchmarkFixture, turn: Callable[[bytes, int], bytes], size_bytes: int, count: int
) -> None:
    payload = bytes(index % 251 for index in range(size_bytes))
    frame = header(BINARY, size_bytes, 0x80) + KEY + unmask_clear(payload, KEY)
    answer = header(BINARY, size_bytes, 0) + payload
    assert benchmark(turn, frame * count, len(answer) * count) == answer * count
