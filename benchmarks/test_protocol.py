"""Cost of the protocol without I/O: a frame in, a frame out, masking, and text checks, by size; and handshakes.

Run with ``pytest benchmarks/test_protocol.py``; pytest-benchmark records the machine and the Python. Every
benchmark asserts that what it measured was done right. Each round begins with a copy of the stream into the
read buffer, because unmasking changes it; that copy is part of the figures.

Measured with CPython 3.11.2 (Debian, PGO) on one of two shared cores; medians, microseconds per message:

    receive, masked text, one frame per call    32 B: 0.9   125 B: 1.1   1000 B: 2.9   16 KiB: 15   1 MiB: 950
    the same, 16 frames of 32 B per call        0.5
    receive_one, what a hurried driver asks     32 B: 0.8   125 B: 1.1   1000 B: 2.6   16 KiB: 9
    take_run against receive, 16 frames         8 B: 0.4/1.2   32 B: 0.5/1.4   125 B: 0.9/1.6 (beside other work)
    encode, server, 32 B: 0.4                   encode, client, 32 B: 0.8
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hioload_ws.api.codec import Role
from hioload_ws.api.message import BINARY, TEXT
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.protocol.client_handshake import ClientHandshake
from hioload_ws.protocol.codec import WebSocketCodec
from hioload_ws.protocol.familiar import FamiliarHeads
from hioload_ws.protocol.handshake_config import HandshakeConfig
from hioload_ws.protocol.masks import unmask_clear, unmask_in_place
from hioload_ws.protocol.message import WireMessage
from hioload_ws.protocol.read_memory import ReadMemory
from hioload_ws.protocol.server_handshake import ServerHandshake
from hioload_ws.protocol.uri import parse_uri
from hioload_ws.protocol.utf8 import is_utf8

KEY = b"\x37\xfa\x21\x3d"


def make_codec(role: Role, pool: SlabBufferPool) -> WebSocketCodec:
    return WebSocketCodec(role, pool=pool, mask_key=lambda: KEY)


def client_frame(payload: bytes, pool: SlabBufferPool) -> bytes:
    parts = make_codec(Role.CLIENT, pool).encode_message(TEXT, payload)
    return b"".join(part for part in parts if isinstance(part, bytes))


@pytest.mark.parametrize("frame_count", [1, 16])
@pytest.mark.parametrize("size_bytes", [0, 32, 125, 126, 1000, 16384, 1 << 20])
def test_receive_masked_text(benchmark: BenchmarkFixture, size_bytes: int, frame_count: int) -> None:
    with SlabBufferPool(leaks="disabled") as pool:
        payload = b"a" * size_bytes
        stream = client_frame(payload, pool) * frame_count
        memory, codec = bytearray(stream), make_codec(Role.SERVER, pool)
        view = memoryview(memory)

        def receive() -> list[object]:
            memory[:] = stream
            return list(codec.receive(view))

        events = benchmark(receive)
        assert len(events) == frame_count
        assert all(isinstance(event, WireMessage) and event.copy() == payload for event in events)
        codec.close()
        assert pool.stats().in_use_count == 0


@pytest.mark.parametrize("size_bytes", [32, 125, 1000, 16384])
def test_receive_one_frame_in_a_hurry(benchmark: BenchmarkFixture, size_bytes: int) -> None:
    """What a driver asks before ``receive``, where a read brought one frame."""
    with SlabBufferPool(leaks="disabled") as pool:
        payload = b"a" * size_bytes
        stream = client_frame(payload, pool)
        memory, codec = bytearray(stream + bytes(8)), make_codec(Role.SERVER, pool)
        read, end = ReadMemory(memoryview(memory)), len(stream)

        def receive() -> WireMessage | None:
            memory[:end] = stream
            return codec.receiver.receive_one(read, end)

        message = benchmark(receive)
        assert message is not None and message.copy() == payload
        codec.close()


@pytest.mark.parametrize("way", ["run", "receive"])
@pytest.mark.parametrize("size_bytes", [8, 32, 125])
def test_take_sixteen_equal_frames(benchmark: BenchmarkFixture, size_bytes: int, way: str) -> None:
    """Together, or one by one."""
    with SlabBufferPool(leaks="disabled") as pool:
        payload = b"a" * size_bytes
        stream = client_frame(payload, pool) * 16
        codec = make_codec(Role.SERVER, pool)
        view = memoryview(bytearray(stream))

        def run() -> list[bytes]:
            taken = codec.receiver.take_run(view, 0, len(view))
            return [] if taken is None else taken[1]

        def receive() -> list[bytes]:
            return [event.copy() for event in codec.receive(view) if isinstance(event, WireMessage)]

        assert benchmark(run if way == "run" else receive) == [payload] * 16
        codec.close()


def test_receive_a_cut_frame_into_a_pooled_buffer(benchmark: BenchmarkFixture) -> None:
    with SlabBufferPool(leaks="disabled") as pool:
        payload = b"b" * 10_000
        stream = client_frame(payload, pool)
        codec = make_codec(Role.SERVER, pool)

        def receive() -> bytes:
            codec.receive(memoryview(bytearray(stream[:5000])))
            (message,) = codec.receive(memoryview(bytearray(stream[5000:])))
            assert isinstance(message, WireMessage)
            return message.copy()

        assert benchmark(receive) == payload
        codec.close()
        assert pool.stats().in_use_count == 0


@pytest.mark.parametrize("role", [Role.SERVER, Role.CLIENT])
@pytest.mark.parametrize("size_bytes", [32, 1000, 16384])
def test_encode_message(benchmark: BenchmarkFixture, role: Role, size_bytes: int) -> None:
    with SlabBufferPool(leaks="disabled") as pool:
        codec, payload = make_codec(role, pool), b"c" * size_bytes
        parts = benchmark(codec.encode_message, BINARY, payload)
        wire = b"".join(parts)
        assert wire[0] == 0x82 and len(wire) > size_bytes
        assert (
            unmask_clear(wire[-size_bytes:], KEY) if role is Role.CLIENT else wire[-size_bytes:]
        ) == payload


@pytest.mark.parametrize("size_bytes", [32, 599, 600, 16384, 1 << 20])
def test_unmask_in_place(benchmark: BenchmarkFixture, size_bytes: int) -> None:
    memory = bytearray(size_bytes)
    view = memoryview(memory)

    def twice() -> None:
        unmask_in_place(view, KEY)
        unmask_in_place(view, KEY)

    benchmark(twice)
    assert not any(memory)
    unmask_in_place(view, KEY)
    assert memory == unmask_clear(bytes(size_bytes), KEY)


@pytest.mark.parametrize("text", ["a" * 65536, "grüße " * 8192], ids=["ascii", "latin"])
def test_check_text(benchmark: BenchmarkFixture, text: str) -> None:
    assert benchmark(is_utf8, memoryview(text.encode()))


@pytest.mark.parametrize("way", ["by the clear road", "new each time", "familiar"])
def test_a_server_s_opening_handshake(benchmark: BenchmarkFixture, way: str) -> None:
    """A browser's request in one piece; ``new each time`` has a cookie of its own."""
    config = HandshakeConfig()
    heads = None if way == "by the clear road" else FamiliarHeads()
    extra = [(("Cookie", f"id={number}"),) for number in range(100)] if way == "new each time" else [()] * 100
    requests = [_browser(headers).request() for headers in extra]

    def shake_hands() -> int:
        count = 0
        for request in requests:
            server = ServerHandshake(config, heads)
            assert server.read(request)
            server.check()
            count += server.accept().startswith(b"HTTP/1.1 101 ")
        return count

    assert benchmark(shake_hands) == 100


def test_a_client_s_opening_handshake(benchmark: BenchmarkFixture) -> None:
    server = ServerHandshake(HandshakeConfig())
    assert server.read(_browser(()).request())
    server.check()
    answer = server.accept()

    def shake_hands() -> bool:
        return _browser(()).feed(answer) is not None

    assert benchmark(shake_hands)


def _browser(headers: tuple[tuple[str, str], ...]) -> ClientHandshake:
    own = (("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"), ("Accept-Language", "en-US,en;q=0.9"), ("DNT", "1"))
    return ClientHandshake(
        parse_uri("ws://127.0.0.1:9001/"), bytes(range(16)), headers=(*own, *headers), origin="http://localhost"
    )
