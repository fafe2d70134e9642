"""permessage-deflate in the codec: agreed on in headers, for both roles, with any messages cut anywhere."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hioload_ws.api.codec import Role
from hioload_ws.api.extension import RSV1, RSV2, Extension, ExtensionFactory
from hioload_ws.api.message import BINARY, TEXT
from hioload_ws.protocol.deflate import TAIL, DeflateExtension, PermessageDeflate
from hioload_ws.protocol.limits import Limits
from hioload_ws.protocol.negotiation import accept_answers, accept_offers, make_offers
from hioload_ws.protocol.tokens import parse_extensions, render_extensions

if TYPE_CHECKING:
    from tests.protocol.conftest import Bench, Kit
    from tests.protocol.reference import PlainEvent

RunKit = Callable[[Callable[["Kit"], None]], None]
Message = tuple[int, bytes, list[int]]

FACTORIES = st.builds(
    PermessageDeflate,
    server_no_context_takeover=st.booleans(),
    client_no_context_takeover=st.booleans(),
    server_max_window_bits=st.integers(8, 15),
    client_max_window_bits=st.integers(8, 15),
    level=st.integers(0, 9),
    mem_level=st.integers(1, 9),
    min_bytes=st.sampled_from([0, 1, 20, 200]),
    fallback=st.booleans(),
)
TEXTS = st.one_of(st.text(max_size=40), st.text("abü€𐍈 ", max_size=400)).map(str.encode)
BLOBS = st.one_of(
    st.binary(max_size=100),
    st.builds(lambda seed, size: random.Random(seed).randbytes(size), st.integers(0, 2), st.integers(0, 9000)),
    st.builds(bytes, st.integers(0, 200_000)),
)
CUTS = st.lists(st.integers(0, 600), max_size=3)
MESSAGES = st.lists(
    st.one_of(st.tuples(st.just(TEXT), TEXTS, CUTS), st.tuples(st.just(BINARY), BLOBS, CUTS)), max_size=6
)


def agree(
    client: list[ExtensionFactory], server: list[ExtensionFactory]
) -> tuple[tuple[Extension, ...], tuple[Extension, ...]]:
    """Negotiate over headers as they are on the wire; return the client's extensions and the server's."""
    offers = parse_extensions([render_extensions(make_offers(client))])
    answers, servers = accept_offers(offers, server)
    return accept_answers(parse_extensions([render_extensions(answers)]), client), servers


def send_all(kit: Kit, bench: Bench, messages: list[Message]) -> tuple[bytes, list[PlainEvent]]:
    """Encode every message in fragments, with a ping between; return stream and events."""
    stream, expected = b"", list[tuple[object, ...]]()
    for kind, payload, cuts in messages:
        edges = [0, *sorted(cut for cut in cuts if cut <= len(payload)), len(payload)]
        pieces = list(zip(edges, edges[1:], strict=False))
        for index, (start, stop) in enumerate(pieces):
            final = index == len(pieces) - 1
            piece = payload[start:stop]
            stream += kit.wire(bench.codec.encode_message(kind, piece, first=index == 0, final=final))
            if not final:
                stream += kit.wire(bench.codec.encode_ping(b"between"))
                expected.append(("ping", b"between"))
        expected.append(("message", kind, payload))
    return stream, expected


def frames(stream: bytes) -> list[tuple[int, bytes]]:
    """Return first byte and unmasked payload of every frame."""
    found = []
    while stream:
        length, size = stream[1] & 0x7F, {126: 2, 127: 8}.get(stream[1] & 0x7F, 0)
        if size:
            length = int.from_bytes(stream[2 : 2 + size], "big")
        start = 2 + size
        key = bytes(4)
        if stream[1] & 0x80:
            key, start = stream[start : start + 4], start + 4
        masked = stream[start : start + length]
        mask = (key * (length // 4 + 1))[:length]
        plain = (int.from_bytes(masked, "big") ^ int.from_bytes(mask, "big")).to_bytes(length, "big")
        found.append((stream[0], plain))
        stream = stream[start + length :]
    return found


def inflated_by_zlib(stream: bytes, bits: int, takes_over: bool) -> list[bytes]:
    """Return the messages of a stream as RFC 7692 §7.2.2 says, with zlib alone."""
    inflater, payload, compressed, messages = zlib.decompressobj(-bits), b"", False, []
    for first, piece in frames(stream):
        if first & 0x0F > 2:
            assert not first & 0x70
            continue
        if first & 0x0F:
            payload, compressed = b"", bool(first & RSV1)
        else:
            assert not first & 0x70
        payload += piece
        if first & 0x80:
            if compressed:
                inflater = inflater if takes_over else zlib.decompressobj(-bits)
                payload = inflater.decompress(payload + TAIL)
                assert not inflater.eof and not inflater.unconsumed_tail
            messages.append(payload)
    return messages


@settings(max_examples=150, deadline=None)
@given(
    client=FACTORIES,
    server=FACTORIES,
    both_ways=st.tuples(MESSAGES, MESSAGES),
    cuts=st.lists(st.one_of(st.integers(0, 40), st.integers(0, 30_000)), max_size=8),
)
def test_any_messages_arrive_both_ways_however_they_are_cut(
    client: PermessageDeflate,
    server: PermessageDeflate,
    both_ways: tuple[list[Message], list[Message]],
    cuts: list[int],
    run_kit: RunKit,
) -> None:
    def example(kit: Kit) -> None:
        ours, theirs = agree([client], [server])
        ends = kit.bench(Role.CLIENT, extensions=ours), kit.bench(Role.SERVER, extensions=theirs)
        for sender, receiver, extension, messages in (
            (ends[0], ends[1], ours[0], both_ways[0]),
            (ends[1], ends[0], theirs[0], both_ways[1]),
        ):
            assert isinstance(extension, DeflateExtension)
            stream, expected = send_all(kit, sender, messages)
            assert receiver.feed(stream, cuts=cuts) == expected
            assert inflated_by_zlib(stream, *extension.sent) == [payload for _, payload, _ in messages]

    run_kit(example)


@settings(max_examples=150, deadline=None)
@given(client=FACTORIES, server=FACTORIES)
def test_both_ends_agree_on_the_same_and_each_keeps_its_wishes(
    client: PermessageDeflate, server: PermessageDeflate
) -> None:
    (ours,), (theirs,) = agree([client], [server])
    assert isinstance(ours, DeflateExtension) and isinstance(theirs, DeflateExtension)
    assert theirs.sent == ours.received
    # A client may hold itself to less than the server counts on, never to more.
    assert ours.sent.window_bits <= theirs.received.window_bits
    assert ours.sent.takes_over <= theirs.received.takes_over


@settings(max_examples=200, deadline=None)
@given(
    payload=st.one_of(st.binary(max_size=60), st.binary(max_size=60).map(zlib.compress).map(lambda each: each[2:])),
    takes_over=st.booleans(),
    limit_bytes=st.integers(1, 100),
    cuts=st.lists(st.integers(0, 70), max_size=4),
)
def test_any_bytes_are_a_message_within_the_limit_or_a_violation(
    payload: bytes, takes_over: bool, limit_bytes: int, cuts: list[int], run_kit: RunKit
) -> None:
    def example(kit: Kit) -> None:
        for edges in ([], cuts):
            answer = PermessageDeflate(client_no_context_takeover=not takes_over).accept_offer(())
            assert answer is not None
            limits = Limits(max_message_bytes=limit_bytes, max_frame_bytes=1000)
            bench = kit.bench(limits=limits, extensions=[answer.extension])
            (event,) = bench.feed(kit.frame(2, payload, rsv=RSV1), cuts=edges)
            if event[0] == "message":
                decoded = event[2]
                assert isinstance(decoded, bytes) and len(decoded) <= limit_bytes
                inflater = zlib.decompressobj(-15)
                assert decoded.startswith(inflater.decompress(payload + TAIL))
            else:
                assert event in (("violation", 1007), ("violation", 1009))

    run_kit(example)


def server_bench(kit: Kit, limits: Limits | None = None) -> Bench:
    answer = PermessageDeflate().accept_offer(())
    assert answer is not None
    return kit.bench(limits=limits, extensions=[answer.extension])


def test_rsv1_is_for_the_first_frame_of_a_data_message_only(kit: Kit) -> None:
    hello = bytes.fromhex("f2 48 cd c9 c9 07 00")
    assert server_bench(kit).feed(kit.frame(1, hello, rsv=RSV1)) == [("message", TEXT, b"Hello")]
    assert server_bench(kit).feed(kit.frame(1, b"Hello")) == [("message", TEXT, b"Hello")]
    start = kit.frame(1, hello[:3], rsv=RSV1, fin=False)
    assert server_bench(kit).feed(start + kit.frame(9, b"p") + kit.frame(0, hello[3:])) == [
        ("ping", b"p"),
        ("message", TEXT, b"Hello"),
    ]
    for stream in (
        start + kit.frame(0, hello[3:], rsv=RSV1),
        kit.frame(1, b"Hel", fin=False) + kit.frame(0, hello, rsv=RSV1),
        kit.frame(9, b"p", rsv=RSV1),
        kit.frame(8, b"", rsv=RSV1),
        kit.frame(1, hello, rsv=RSV1 | RSV2),
    ):
        assert server_bench(kit).feed(stream) == [("violation", 1002)]


def test_text_is_checked_after_inflating(kit: Kit) -> None:
    (ours, _) = agree([PermessageDeflate(min_bytes=0)], [PermessageDeflate()])
    sender = kit.bench(Role.CLIENT, extensions=ours)
    stream = kit.wire(sender.codec.encode_message(BINARY, b"\xff\xfe" * 50))
    assert server_bench(kit).feed(stream) == [("message", BINARY, b"\xff\xfe" * 50)]
    as_text = bytes([stream[0] - 1]) + stream[1:]
    assert server_bench(kit).feed(as_text) == [("violation", 1007)]
    assert server_bench(kit).feed(as_text, cuts=[9]) == [("violation", 1007)]


def test_a_bomb_is_refused_with_1009_and_leaves_nothing(kit: Kit) -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = (deflater.compress(bytes(10_000_000)) + deflater.flush(zlib.Z_SYNC_FLUSH))[:-4]
    for step in (len(bomb) + 99, 100):
        bench = server_bench(kit, Limits(max_message_bytes=100_000))
        cuts = [*range(0, len(bomb), step)]
        assert bench.feed(kit.frame(2, bomb, rsv=RSV1), cuts=cuts) == [("violation", 1009)]
        assert bench.pool.stats().in_use_count == 0


@pytest.mark.parametrize("size_bytes", [1, 1000, 100_000])
@pytest.mark.parametrize("mem_level", [1, 9])
def test_a_message_at_the_limit_arrives_although_it_can_not_be_compressed(
    kit: Kit, size_bytes: int, mem_level: int
) -> None:
    payload = random.Random(7).randbytes(size_bytes)
    ours, theirs = agree([PermessageDeflate(min_bytes=0, mem_level=mem_level)], [PermessageDeflate()])
    stream = kit.wire(kit.bench(Role.CLIENT, extensions=ours).codec.encode_message(BINARY, payload))
    assert len(stream) > size_bytes + 6
    bench = kit.bench(limits=Limits(max_message_bytes=size_bytes), extensions=theirs)
    assert bench.feed(stream) == [("message", BINARY, payload)]
