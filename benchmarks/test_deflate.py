"""Cost of permessage-deflate without I/O: a message in, a message out, by size and by kind of context.

Run with ``pytest benchmarks/test_deflate.py``. The messages are JSON with a fixed seed, because what
compression costs depends on what is compressed. Every benchmark asserts that what it measured was done right.

Measured with CPython 3.11.2 (Debian) and zlib 1.2.13 on one of two shared, busy cores; microseconds per message,
medians, for 1 MiB the best round:

    encode, context taken over     100 B: 6.4   1000 B: 24    16 KiB: 270   1 MiB: 18 900
    encode, fresh context          100 B: 7.0   1000 B: 17    16 KiB: 170   1 MiB: 20 300
    receive, context taken over    100 B: 6.2   1000 B: 9.9   16 KiB: 36    1 MiB: 2 770
    receive, fresh context         100 B: 5.4   1000 B: 9.1   16 KiB: 35    1 MiB: 2 780
"""

from __future__ import annotations

import itertools
import json
import random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hioload_ws.api.codec import Role
from hioload_ws.api.extension import Extension
from hioload_ws.api.message import TEXT
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.protocol.codec import WebSocketCodec
from hioload_ws.protocol.deflate import PermessageDeflate
from hioload_ws.protocol.message import WireMessage

SIZES = [100, 1000, 16384, 1 << 20]


def document(size_bytes: int, seed: int = 5) -> bytes:
    """Return JSON of about this size: records whose keys repeat and whose values vary."""
    source, records, length = random.Random(seed), list[dict[str, object]](), 0
    while length < size_bytes:
        name = "".join(source.choices("abcdefghijklmnopqrstuvwxyz", k=8))
        record = {"id": source.randrange(10**6), "name": name, "price": round(source.random() * 1000, 2)}
        records.append(record)
        length += len(json.dumps(record)) + 2
    return json.dumps(records).encode()


def extensions(fresh: bool) -> tuple[Extension, Extension]:
    """Return the two ends of an agreed extension, the client's first."""
    factory = PermessageDeflate(
        server_no_context_takeover=fresh, client_no_context_takeover=fresh, min_bytes=0
    )
    answer = factory.accept_offer(factory.offers()[0])
    assert answer is not None
    return factory.accept_answer(answer.parameters), answer.extension


def codec(role: Role, pool: SlabBufferPool, extension: Extension) -> WebSocketCodec:
    return WebSocketCodec(role, pool=pool, mask_key=lambda: b"\x37\xfa\x21\x3d", extensions=[extension])


@pytest.mark.parametrize("fresh", [False, True], ids=["takeover", "fresh"])
@pytest.mark.parametrize("size_bytes", SIZES)
def test_encode_message(benchmark: BenchmarkFixture, size_bytes: int, fresh: bool) -> None:
    # More than a window of others in turn: one message again and again would only refer to itself.
    payloads = [document(size_bytes, seed) for seed in range(max(2, (1 << 16) // size_bytes))]
    turns = itertools.cycle(payloads)
    client, server = extensions(fresh)
    with SlabBufferPool(leaks="disabled") as pool:
        sender = codec(Role.SERVER, pool, server)
        receiver = codec(Role.CLIENT, pool, client)

        def encode() -> bytes:
            parts = sender.encode_message(TEXT, next(turns))
            return b"".join(part for part in parts if isinstance(part, bytes))

        (message,) = receiver.receive(memoryview(bytearray(encode())))
        assert isinstance(message, WireMessage) and message.copy() == payloads[0]
        assert 0 < len(benchmark(encode)) < size_bytes
        sender.close()
        receiver.close()


@pytest.mark.parametrize("fresh", [False, True], ids=["takeover", "fresh"])
@pytest.mark.parametrize("size_bytes", SIZES)
def test_receive_message(benchmark: BenchmarkFixture, size_bytes: int, fresh: bool) -> None:
    payload = document(size_bytes)
    client, server = extensions(fresh)
    with SlabBufferPool(leaks="disabled") as pool:
        sender = codec(Role.CLIENT, pool, client)
        receiver = codec(Role.SERVER, pool, server)
        # The first message of a context refers to nothing, so it may come again and again.
        parts = sender.encode_message(TEXT, payload)
        stream = b"".join(part for part in parts if isinstance(part, bytes))
        memory = bytearray(stream)
        view = memoryview(memory)

        def receive() -> WireMessage:
            memory[:] = stream
            (message,) = receiver.receive(view)
            assert isinstance(message, WireMessage)
            return message

        assert benchmark(receive).copy() == payload
        sender.close()
        receiver.close()


def test_agree(benchmark: BenchmarkFixture) -> None:
    factory = PermessageDeflate()
    answer = benchmark(factory.accept_offer, factory.offers()[0])
    assert answer is not None and answer.parameters == ()
