"""The receiving half against the clear reference: every cut, every prefix, both roles, both roads."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hioload_ws.api.codec import Role, ViolationDetected
from hioload_ws.api.errors import InvalidArgument, InvalidState, UseAfterRelease
from hioload_ws.api.extension import RSV1
from hioload_ws.protocol.limits import Limits
from hioload_ws.protocol.message import WireMessage
from hioload_ws.protocol.receiver import DIRECT_BYTES

if TYPE_CHECKING:
    from tests.protocol.conftest import Kit

RunKit = Callable[[Callable[["Kit"], None]], None]

SMALL = Limits(max_message_bytes=300, max_frame_bytes=200, max_fragments=3)
ROLES = [Role.SERVER, Role.CLIENT]
TEXTS = st.one_of(
    st.text(max_size=40).map(str.encode),
    st.binary(max_size=40),
    st.sampled_from(
        [b"", b"a" * 125, b"b" * 126, "ä€𐍈".encode() * 20, b"\xed\xa0\x80", b"\xf4\x90", b"\xc3"]
    ),
)
CLOSE_BODIES = st.one_of(
    st.sampled_from(
        [b"", b"\x03", b"\x03\xe8", b"\x03\xe8bye", b"\x03\xed", b"\x13\x87", b"\x03\xe8\xff", b"\x14"]
    ),
    st.binary(max_size=6),
)


@st.composite
def frames(draw: st.DrawFn) -> tuple[int, bytes, bool, int, bool, int | None]:
    """A frame, mostly legal: opcode, payload, fin, reserved bits, masked rightly, form of length."""
    opcode = draw(st.sampled_from([0, 0, 1, 1, 2, 2, 8, 9, 10, 3]))
    payload = draw(CLOSE_BODIES if opcode == 8 else TEXTS)
    fin = draw(st.booleans())
    reserved = draw(st.sampled_from([0] * 12 + [0x40, 0x10]))
    right_mask = draw(st.sampled_from([True] * 12 + [False]))
    form = draw(st.sampled_from([None] * 12 + [16, 64]))
    return opcode, payload, fin or opcode >= 8 and len(payload) % 5 != 4, reserved, right_mask, form


def build(kit: Kit, specs: list[tuple[int, bytes, bool, int, bool, int | None]], server: bool) -> bytes:
    stream = b""
    for opcode, payload, fin, reserved, right_mask, form in specs:
        key = b"\x9a\x00\xff\x41" if server is right_mask else None
        if form is None and opcode >= 8:
            payload = payload[:125]
        stream += kit.frame(opcode, payload, fin=fin, rsv=reserved, key=key, form=form)
    return stream


@settings(max_examples=200, deadline=None)
@given(
    specs=st.lists(frames(), max_size=6),
    cuts=st.lists(st.integers(0, 400), max_size=8),
    server=st.booleans(),
    limits=st.sampled_from([Limits(), SMALL]),
    flip=st.one_of(st.none(), st.tuples(st.integers(0, 300), st.integers(1, 255))),
)
def test_a_stream_of_frames_cut_anywhere_yields_what_the_reference_says(
    specs: list[tuple[int, bytes, bool, int, bool, int | None]],
    cuts: list[int],
    server: bool,
    limits: Limits,
    flip: tuple[int, int] | None,
    run_kit: RunKit,
) -> None:
    def example(kit: Kit) -> None:
        stream = bytearray(build(kit, specs, server))
        if flip is not None and flip[0] < len(stream):
            stream[flip[0]] ^= flip[1]
        bench = kit.bench(Role.SERVER if server else Role.CLIENT, limits)
        expected = kit.reference(bytes(stream), server=server, limits=limits)
        assert bench.feed(bytes(stream), cuts=cuts) == expected
        over = bool(expected) and expected[-1][0] in ("close", "violation")
        assert bench.codec.receiving is not over
        if over:
            assert bench.pool.stats().in_use_count == 0
            assert bench.feed(b"\x81\x00more") == expected

    run_kit(example)


@settings(max_examples=60, deadline=None)
@given(
    specs=st.lists(frames(), min_size=1, max_size=3),
    server=st.booleans(),
    limits=st.sampled_from([Limits(), SMALL]),
)
def test_every_prefix_is_judged_as_early_as_the_reference_can_prove(
    specs: list[tuple[int, bytes, bool, int, bool, int | None]],
    server: bool,
    limits: Limits,
    run_kit: RunKit,
) -> None:
    def example(kit: Kit) -> None:
        stream = build(kit, specs, server)
        bench = kit.bench(Role.SERVER if server else Role.CLIENT, limits)
        for stop in range(1, len(stream) + 1):
            bench.feed(stream[stop - 1 : stop])
            assert bench.events == kit.reference(stream[:stop], server=server, limits=limits)

    run_kit(example)


@settings(max_examples=200, deadline=None)
@given(
    stream=st.binary(max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=5),
    server=st.booleans(),
)
def test_random_bytes_raise_nothing_and_mean_what_the_reference_says(
    stream: bytes, cuts: list[int], server: bool, run_kit: RunKit
) -> None:
    def example(kit: Kit) -> None:
        bench = kit.bench(Role.SERVER if server else Role.CLIENT)
        assert bench.feed(stream, cuts=cuts) == kit.reference(stream, server=server)

    run_kit(example)


@pytest.mark.parametrize(
    "start",
    [
        b"\x81\xff" + bytes(6),
        b"\x82\xff\x80",
        b"\x82\xff\x00\x00\x00\x01",
        b"\x82\xfe\x00",
        b"\x82\xfe\x00\x7d",
    ],
)
def test_an_extended_length_is_refused_at_the_byte_that_proves_it(kit: Kit, start: bytes) -> None:
    bench = kit.bench()
    for stop in range(1, len(start) + 1):
        bench.feed(start[stop - 1 : stop])
        assert bench.events == kit.reference(start[:stop])


@pytest.mark.parametrize("size", [DIRECT_BYTES - 1, 65535, 65536, 200_000, (1 << 20) + 3])
@pytest.mark.parametrize("role", ROLES)
def test_receiving_directly_yields_the_same_as_receiving(kit: Kit, size: int, role: Role) -> None:
    payload = bytes(index * 7 & 0x7F for index in range(size))
    key = b"\x01\x80\x7f\xfe" if role is Role.SERVER else None
    stream = (
        kit.frame(9, b"before", key=key) + kit.frame(1, payload, key=key) + kit.frame(10, b"after", key=key)
    )
    expected = [("ping", b"before"), ("message", 1, payload), ("pong", b"after")]
    cuts = [20, 21, 5001, 5002, 9007, size // 2 + 1]
    for direct in (False, True):
        bench = kit.bench(role)
        assert bench.feed(stream, cuts=cuts, direct=direct) == expected
        assert (bench.direct_count > 0) is (direct and size >= DIRECT_BYTES)
    assert kit.bench(role).feed(stream) == expected


def test_fragments_may_be_received_directly(kit: Kit) -> None:
    first, second = b"a" * 40_000, "ä".encode() * 30_000
    stream = kit.frame(1, first, fin=False) + kit.frame(9) + kit.frame(0, second)
    bench = kit.bench()
    events = bench.feed(stream, cuts=[10, 100, 40_100, 40_101], direct=True)
    assert events == [("ping", b""), ("message", 1, first + second)]
    assert bench.direct_count >= 2


def test_a_direct_target_is_no_longer_than_what_is_missing_and_goes_with_the_frame(kit: Kit) -> None:
    bench = kit.bench()
    codec = bench.codec
    assert codec.direct_target() is None
    with pytest.raises(InvalidState):
        codec.receive_direct(0)
    bench.feed(kit.frame(2, b"x" * 100, announced=20_000))
    target = codec.direct_target()
    assert target is not None and len(target) == 19_900 and not target.readonly
    for count in (-1, 19_901):
        with pytest.raises(InvalidArgument):
            codec.receive_direct(count)
    assert codec.receive_direct(0) == []
    bench.feed(b"y" * 10_000)
    assert codec.direct_target() is None


def test_a_target_that_the_transport_did_not_use_is_given_back(kit: Kit) -> None:
    payload = b"unused" * 5000
    stream = kit.frame(2, payload)
    bench = kit.bench()
    bench.feed(stream[:8])
    assert bench.codec.direct_target() is not None and bench.pool.stats().in_use_count == 1
    assert bench.feed(stream[8:]) == [("message", 2, payload)]
    assert bench.pool.stats().in_use_count == 0


def test_bad_text_received_directly_is_refused(kit: Kit) -> None:
    bench = kit.bench(Role.CLIENT)
    bench.feed(kit.frame(1, b"a", key=None, announced=20_000))
    target = bench.codec.direct_target()
    assert target is not None
    target[:2] = b"b\xff"
    bench.note(bench.codec.receive_direct(2))
    assert bench.events == [("violation", 1007)] and bench.pool.stats().in_use_count == 0


def test_an_announcement_alone_holds_no_memory_and_an_idle_codec_owns_no_buffer(kit: Kit) -> None:
    bench = kit.bench()
    bench.feed(kit.frame(2, announced=30 << 20))
    assert bench.pool.stats().in_use_count == 0
    other = kit.bench()
    other.feed(kit.frame(2, b"cut", announced=4))
    assert other.pool.stats().in_use_count == 1
    assert other.feed(b"\x00") == [("message", 2, b"cut\x04")]
    assert other.pool.stats().in_use_count == 0


def test_an_exhausted_pool_closes_with_try_again_later(kit: Kit) -> None:
    bench = kit.bench(limit_bytes=8192)
    stream = kit.frame(2, b"x" * 30, announced=30_000)
    bench.feed(stream[:8])
    assert bench.codec.direct_target() is None
    bench.feed(stream[8:9])
    assert bench.events == [("violation", 1013)]


def test_whole_frames_are_views_into_what_was_read(kit: Kit) -> None:
    bench = kit.bench()
    data = bytearray(kit.frame(2, b"z" * 126))
    message = bench.codec.receive(memoryview(data))[0]
    assert isinstance(message, WireMessage)
    assert data[8:] == b"z" * 126 == message.data
    data[8] = 0
    assert message.data[0] == 0


@pytest.mark.parametrize("payload", [b"z" * 126, b"z" * 30_000, b"z" * 70_000])
def test_messages_in_memory_not_their_own_end_with_the_next_receiving_call(kit: Kit, payload: bytes) -> None:
    stream = kit.frame(2, payload)
    for ending in range(4):
        bench = kit.bench()
        bench.codec.receive(memoryview(bytearray(stream[:100] if ending % 2 else b"")))
        message = bench.codec.receive(memoryview(bytearray(stream[100:] if ending % 2 else stream)))[0]
        assert isinstance(message, WireMessage) and message.copy() == payload
        if ending < 2:
            bench.codec.receive(memoryview(bytearray(b"\x89")))
        elif ending == 2:
            bench.codec.receive_end()
        else:
            bench.codec.close()
        with pytest.raises(UseAfterRelease):
            message.copy()


def test_an_end_of_the_stream_is_told_once_and_drops_what_was_cut(kit: Kit) -> None:
    bench = kit.bench()
    bench.feed(kit.frame(1, b"abc", fin=False))
    bench.note(bench.codec.receive_end())
    bench.note(bench.codec.receive_end())
    assert bench.events == [("end",)]
    assert not bench.codec.receiving and bench.pool.stats().in_use_count == 0


def test_an_end_after_a_close_frame_is_no_event(kit: Kit) -> None:
    bench = kit.bench()
    bench.feed(kit.frame(8, b"\x03\xe8") + kit.frame(9, b"ignored"))
    bench.note(bench.codec.receive_end())
    assert bench.events == [("close", 1000, "")]


def test_a_close_frame_inside_a_fragmented_message_gives_it_up(kit: Kit) -> None:
    bench = kit.bench()
    assert bench.feed(kit.frame(2, b"x" * 50, fin=False) + kit.frame(8)) == [("close", 1005, "")]
    assert bench.pool.stats().in_use_count == 0


@pytest.mark.parametrize(
    ("body", "proof_bytes"),
    [
        (b"\x03\xe8bye", None),
        (b"\x03\xed", 2),  # 1005 is not for the wire
        (b"\x0b\xb8a\xffb", 4),  # a reason that is no text
    ],
)
def test_a_close_frame_in_pieces_is_judged_at_the_byte_that_proves_it(
    kit: Kit, body: bytes, proof_bytes: int | None
) -> None:
    bench = kit.bench()
    stream = kit.frame(8, body)
    for stop in range(1, len(stream) + 1):
        proven = proof_bytes is not None and stop >= 6 + proof_bytes
        bench.feed(stream[stop - 1 : stop])
        assert [event[0] for event in bench.events] == (
            ["violation"] if proven else ["close"] if stop == len(stream) else []
        )


def test_a_violation_names_its_rule_and_comes_after_the_events_before_it(kit: Kit) -> None:
    bench = kit.bench()
    stream = kit.frame(1, b"good") + kit.frame(9, b"p") + b"\xc1\x80" + kit.frame(1, b"never")
    events = bench.codec.receive(memoryview(bytearray(stream)))
    assert len(events) == 3 and isinstance(events[-1], ViolationDetected)
    assert "reserved bit" in events[-1].error.message and events[-1].error.context["first_byte"] == 0xC1


def test_a_reserved_bit_on_a_continuation_or_control_frame_is_refused_though_claimed(kit: Kit) -> None:
    for frame in (kit.frame(9, rsv=RSV1), kit.frame(1, b"aa", fin=False, rsv=RSV1) + kit.frame(0, rsv=RSV1)):
        bench = kit.bench(extensions=[kit.Doubling()])
        assert bench.feed(frame) == [("violation", 1002)]


def test_a_closed_codec_ignores_bytes(kit: Kit) -> None:
    bench = kit.bench()
    bench.feed(kit.frame(1, b"cut", fin=False))
    bench.codec.close()
    bench.codec.close()
    assert bench.feed(kit.frame(9)) == [] and not bench.codec.receiving and not bench.codec.sending
    assert list(bench.codec.receive_end()) == []


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("size", [126, 1000, 65535])
def test_medium_frames_are_taken_whole_wherever_the_run_is_cut(kit: Kit, role: Role, size: int) -> None:
    key = b"\x01\x80\x7f\xfe" if role is Role.SERVER else None
    payload = ("ä" * size).encode()[:size] if size % 2 == 0 else b"m" * size
    frame = kit.frame(1, payload, key=key)
    stream = kit.frame(2, b"short", key=key) + frame + frame
    expected = [("message", 2, b"short"), ("message", 1, payload), ("message", 1, payload)]
    for cut in (*range(1, 30), len(stream) - len(frame) + 3, len(stream) - 1):
        assert kit.bench(role).feed(stream, cuts=[cut]) == expected


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("size", [20, 126, 5000])
def test_bad_text_in_a_whole_frame_is_refused_after_the_messages_before_it(
    kit: Kit, role: Role, size: int
) -> None:
    key = b"\x01\x80\x7f\xfe" if role is Role.SERVER else None
    stream = kit.frame(1, b"good", key=key) + kit.frame(1, b"x" * (size - 1) + b"\xc3", key=key)
    assert kit.bench(role).feed(stream) == [("message", 1, b"good"), ("violation", 1007)]
    binary = kit.frame(2, b"x" * (size - 1) + b"\xc3", key=key)
    assert kit.bench(role).feed(binary) == [("message", 2, b"x" * (size - 1) + b"\xc3")]


@pytest.mark.parametrize("length", [0, 125])
def test_a_whole_frame_with_a_length_that_is_not_minimal_is_refused(kit: Kit, length: int) -> None:
    for form in (16, 64):
        assert kit.bench().feed(kit.frame(2, bytes(length), form=form)) == [("violation", 1002)]
    assert kit.bench().feed(kit.frame(2, bytes(65535), form=64)) == [("violation", 1002)]


def test_bad_text_is_refused_though_it_would_be_good_before_unmasking(kit: Kit) -> None:
    for size in (8, 200, 80_000):
        stream = kit.frame(1, b"xxx\x80" * (size // 4), key=b"\x00\x00\x00\x80")
        assert kit.bench().feed(stream) == [("violation", 1007)]


def test_a_ping_between_fragments_does_not_end_the_message(kit: Kit) -> None:
    start = kit.frame(1, b"a", fin=False) + kit.frame(9)
    assert kit.bench().feed(start + kit.frame(1, b"b")) == [("ping", b""), ("violation", 1002)]
    assert kit.bench().feed(start + kit.frame(0, b"b")) == [("ping", b""), ("message", 1, b"ab")]
