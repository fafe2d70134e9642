"""Both halves together: what one codec sends, the other receives, however it is cut; and the answers owed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hioload_ws.api.codec import (
    CloseReceived,
    Codec,
    PingReceived,
    PongReceived,
    Role,
    StreamEnded,
    ViolationDetected,
)
from hioload_ws.api.errors import InvalidArgument, ProtocolViolation
from hioload_ws.api.message import BINARY, TEXT
from hioload_ws.api.transport import Sendable
from hioload_ws.protocol.limits import Limits
from hioload_ws.protocol.message import WireMessage

if TYPE_CHECKING:
    from tests.protocol.conftest import Kit
    from tests.protocol.reference import PlainEvent

RunKit = Callable[[Callable[["Kit"], None]], None]
Control = tuple[str, bytes]

PAYLOADS = st.one_of(
    st.text(max_size=60).map(str.encode), st.text(min_size=100, max_size=200).map(str.encode)
)
CONTROLS = st.lists(st.tuples(st.sampled_from(["ping", "pong"]), st.binary(max_size=125)), max_size=2)
MESSAGES = st.tuples(
    st.sampled_from([TEXT, BINARY]), PAYLOADS, st.lists(st.integers(0, 600), max_size=3), CONTROLS
)


def send_all(
    kit: Kit, codec: Codec, messages: list[tuple[int, bytes, list[int], list[Control]]]
) -> tuple[bytes, list[PlainEvent]]:
    """Encode every message in fragments, with control frames between; return stream and events."""
    stream, expected = b"", list[tuple[object, ...]]()
    for kind, payload, cuts, controls in messages:
        edges = [0, *sorted(cut for cut in cuts if cut <= len(payload)), len(payload)]
        pieces = list(zip(edges, edges[1:], strict=False))
        for index, (start, stop) in enumerate(pieces):
            last = index == len(pieces) - 1
            stream += kit.wire(codec.encode_message(kind, payload[start:stop], first=index == 0, final=last))
            for name, body in controls if index == 0 and not last else ():
                stream += kit.wire(codec.encode_ping(body) if name == "ping" else codec.encode_pong(body))
                expected.append((name, body))
        expected.append(("message", kind, payload))
    return stream, expected


@settings(max_examples=150, deadline=None)
@given(
    messages=st.lists(MESSAGES, max_size=5),
    cuts=st.lists(st.integers(0, 1500), max_size=8),
    sender_is_client=st.booleans(),
    ending=st.sampled_from([None, (1000, "bye"), (3000, "ü"), (None, "")]),
)
def test_the_peer_receives_exactly_what_was_sent_however_it_is_cut(
    messages: list[tuple[int, bytes, list[int], list[Control]]],
    cuts: list[int],
    sender_is_client: bool,
    ending: tuple[int | None, str] | None,
    run_kit: RunKit,
) -> None:
    roles = (Role.CLIENT, Role.SERVER) if sender_is_client else (Role.SERVER, Role.CLIENT)

    def example(kit: Kit) -> None:
        sender, receiver = kit.bench(roles[0]), kit.bench(roles[1])
        stream, expected = send_all(kit, sender.codec, messages)
        if ending is not None:
            stream += kit.wire(sender.codec.encode_close(*ending))
            expected.append(("close", ending[0] or 1005, ending[1]))
        assert receiver.feed(stream, cuts=cuts) == expected
        assert kit.reference(stream, server=sender_is_client) == expected
        assert receiver.codec.receiving is (ending is None)
        assert receiver.pool.stats().in_use_count == 0

    run_kit(example)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(20_000, 100_000), min_size=1, max_size=3),
    cuts=st.lists(st.one_of(st.integers(0, 16), st.integers(0, 300_000)), max_size=6),
    direct=st.booleans(),
    asks=st.booleans(),
)
def test_a_large_message_survives_any_cut_directly_or_not(
    sizes: list[int], cuts: list[int], direct: bool, asks: bool, run_kit: RunKit
) -> None:
    pieces = [("aä€𐍈" * (size // 10)).encode() for size in sizes]

    def example(kit: Kit) -> None:
        codec, stream = kit.bench(Role.CLIENT).codec, b""
        for index, piece in enumerate(pieces):
            final = index == len(pieces) - 1
            stream += kit.wire(codec.encode_message(TEXT, piece, first=index == 0, final=final))
        bench = kit.bench()
        expected = [("message", TEXT, b"".join(pieces))]
        assert bench.feed(stream, cuts=cuts, direct=direct, asks=asks) == expected
        assert bench.pool.stats().in_use_count == 0

    run_kit(example)


def answer(codec: Codec, stream: bytes) -> list[Sequence[Sendable]]:
    return [codec.answer(event) for event in codec.receive(memoryview(bytearray(stream)))]


def test_a_ping_is_owed_a_pong_of_the_same_payload_and_a_pong_or_message_nothing(kit: Kit) -> None:
    stream = kit.frame(9, b"are you there") + kit.frame(10, b"x") + kit.frame(1, b"hi")
    answers = answer(kit.bench().codec, stream)
    assert [list(parts) for parts in answers] == [[b"\x8a\x0dare you there"], [], []]


@pytest.mark.parametrize(
    ("body", "echo"),
    [(b"", b"\x88\x00"), (b"\x03\xe9bye", b"\x88\x02\x03\xe9"), (b"\x0f\xa0", b"\x88\x02\x0f\xa0")],
)
def test_a_close_frame_is_owed_its_code(kit: Kit, body: bytes, echo: bytes) -> None:
    codec = kit.bench().codec
    assert [list(parts) for parts in answer(codec, kit.frame(8, body))] == [[echo]]
    assert not codec.sending and not codec.receiving


def test_a_violation_is_owed_a_close_frame_with_its_code(kit: Kit) -> None:
    codec = kit.bench().codec
    assert [list(parts) for parts in answer(codec, kit.frame(1, b"\xff"))] == [[b"\x88\x02\x03\xef"]]
    assert not codec.sending


def test_answers_are_for_any_event_and_empty_once_the_sending_half_is_closed(kit: Kit) -> None:
    codec = kit.bench().codec
    assert list(codec.answer(StreamEnded())) == []
    assert list(codec.answer(PongReceived(b""))) == []
    codec.encode_close()
    for event in (PingReceived(b"x"), CloseReceived(1000, ""), ViolationDetected(ProtocolViolation("x"))):
        assert list(codec.answer(event)) == []


def test_a_reply_to_an_earlier_message_may_leave_before_the_answer_to_a_close(kit: Kit) -> None:
    codec, wire = kit.bench().codec, b""
    for event in codec.receive(memoryview(bytearray(kit.frame(1, b"last") + kit.frame(8, b"\x03\xe8")))):
        if isinstance(event, WireMessage):
            wire += kit.wire(codec.encode_message(event.kind, event.sendable()))
        wire += kit.wire(codec.answer(event))
    assert wire == b"\x81\x04last\x88\x02\x03\xe8"


def test_an_echo_of_a_pooled_message_passes_the_buffer_on(kit: Kit) -> None:
    bench, payload = kit.bench(), b"q" * 5000
    stream = kit.frame(2, payload)
    bench.codec.receive(memoryview(bytearray(stream[:1000])))
    (message,) = bench.codec.receive(memoryview(bytearray(stream[1000:])))
    assert isinstance(message, WireMessage)
    _, part = bench.codec.encode_message(message.kind, message.sendable())
    assert not isinstance(part, bytes | bytearray | memoryview)
    part.retain()
    message.expire()
    assert part.copy() == payload and bench.pool.stats().in_use_count == 1
    part.release()


def test_a_codec_knows_its_role_and_starts_with_both_halves_open(kit: Kit) -> None:
    for role in Role:
        codec = kit.bench(role).codec
        assert (codec.role, codec.receiving, codec.sending) == (role, True, True)
        assert codec.receive(memoryview(bytearray())) == []


def test_two_extensions_may_not_claim_the_same_bit(kit: Kit) -> None:
    with pytest.raises(InvalidArgument):
        kit.bench(extensions=[kit.Doubling(), kit.Doubling()])


@pytest.mark.parametrize("limits", [Limits(max_message_bytes=3), Limits(max_frame_bytes=3)])
def test_limits_hold_on_the_short_road_too(kit: Kit, limits: Limits) -> None:
    stream = kit.frame(1, b"abc") + kit.frame(1, b"abcd")
    assert kit.bench(limits=limits).feed(stream) == [("message", 1, b"abc"), ("violation", 1009)]
