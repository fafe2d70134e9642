"""The short road of the receiving half, lane by lane. The clear twin of each is ``receive``, one frame at a time."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hioload_ws.api import PongReceived
from hioload_ws.api.errors import DoubleRelease, UseAfterRelease
from hioload_ws.pool import SlabBufferPool
from hioload_ws.protocol.limits import Limits
from hioload_ws.protocol.masks import RUN_FRAMES, unmask_clear
from hioload_ws.protocol.message import WireMessage
from hioload_ws.protocol.read_memory import ReadMemory
from hioload_ws.protocol.receiver import Receiver
from hioload_ws.protocol.short_road import LEAST_RUN


@pytest.fixture(scope="module")
def pool() -> Iterator[SlabBufferPool]:
    with SlabBufferPool(leaks="advanced") as pool:
        yield pool
        assert pool.stats().in_use_count == 0


@given(
    first=st.sampled_from([0x81, 0x82, 0x01, 0x89, 0x88, 0xC1]),
    payload=st.binary(max_size=125) | st.text(max_size=30).map(str.encode),
    masks=st.booleans(),
    lie=st.integers(-2, 2),
)
@example(first=0x82, payload=b"abc", masks=True, lie=0)
@example(first=0x81, payload=b"abc", masks=False, lie=0)
@example(first=0x81, payload=b"a\xff", masks=True, lie=0)
@example(first=0x81, payload="\u00fc".encode(), masks=True, lie=0)
@example(first=0x89, payload=b"abc", masks=True, lie=0)
@example(first=0x82, payload=b"abc", masks=True, lie=1)
def test_what_the_short_road_takes_the_clear_road_takes_the_same(
    pool: SlabBufferPool, first: int, payload: bytes, masks: bool, lie: int
) -> None:
    length = max(0, min(125, len(payload) + lie))
    key = b"\x01\x80\xff\x00"
    body = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload)) if masks else payload
    wire = bytes([first, length | (0x80 if masks else 0)]) + (key if masks else b"") + body
    read = ReadMemory(memoryview(bytearray(wire + bytes(8))))
    message = Receiver(masks, Limits(), pool, ()).receive_one(read, len(wire))
    clear = Receiver(masks, Limits(), pool, ())
    events = clear.receive(memoryview(bytearray(wire)))
    if message is None:
        whole = first in (0x81, 0x82) and length == len(payload)
        assert not whole or not isinstance(events[0], WireMessage)
    else:
        [event] = events
        assert isinstance(event, WireMessage)
        assert (message.kind, message.copy()) == (event.kind, event.copy()) == (first & 15, payload)
    clear.close()


@given(
    first=st.sampled_from([0x8A, 0x8A, 0x8A, 0x0A, 0xCA, 0x89]),
    length=st.sampled_from([0, 0, 0, 1, 126]),
    tail=st.binary(max_size=2),
    masks=st.booleans(),
    expects_mask=st.booleans(),
)
@example(first=0x8A, length=0, tail=b"", masks=True, expects_mask=True)
@example(first=0x8A, length=0, tail=b"", masks=False, expects_mask=False)
@example(first=0x8A, length=0, tail=b"", masks=False, expects_mask=True)
@example(first=0x8A, length=0, tail=b"", masks=True, expects_mask=False)
@example(first=0x0A, length=0, tail=b"", masks=True, expects_mask=True)
@example(first=0x8A, length=1, tail=b"a", masks=True, expects_mask=True)
def test_an_empty_pong_that_is_taken_is_one_for_the_clear_road_too(
    pool: SlabBufferPool, first: int, length: int, tail: bytes, masks: bool, expects_mask: bool
) -> None:
    wire = bytes([first, length | (0x80 if masks else 0)]) + (b"mask" if masks else b"") + tail
    taken = Receiver(expects_mask, Limits(), pool, ()).take_empty_pong(
        memoryview(bytearray(wire + bytes(8))), len(wire)
    )
    clear = Receiver(expects_mask, Limits(), pool, ())
    events = clear.receive(memoryview(bytearray(wire)))
    is_pong = len(events) == 1 and isinstance(events[0], PongReceived) and not events[0].payload and not tail
    assert taken is is_pong
    clear.close()


def test_within_a_message_a_pong_is_left_to_the_clear_road(pool: SlabBufferPool) -> None:
    receiver = Receiver(False, Limits(), pool, ())
    pong = memoryview(bytearray(b"\x8a\x00"))
    assert receiver.take_empty_pong(pong, 2)
    assert not receiver.receive(memoryview(bytearray(b"\x82\x03a")))
    assert not receiver.take_empty_pong(pong, 2), "these are the rest of the payload"
    [message] = receiver.receive(pong)
    assert isinstance(message, WireMessage) and message.copy() == b"a\x8a\x00"
    receiver.close()


@given(
    first=st.sampled_from([0x81, 0x82, 0x01, 0x89, 0xC1]),
    length=st.sampled_from([126, 127, 1000, 16384, 65527, 65528, 65535]),
    fill=st.sampled_from([b"a", "\u00fc".encode(), b"a\xff"]),
    masks=st.booleans(),
    lie=st.sampled_from([0, 0, -1, 1]),
    limit_bytes=st.sampled_from([1000, 1 << 20]),
)
@example(first=0x81, length=1000, fill=b"a", masks=True, lie=0, limit_bytes=1000)
@example(first=0x81, length=1000, fill=b"a\xff", masks=True, lie=0, limit_bytes=1000)
@example(first=0x81, length=1000, fill=b"a\xff", masks=False, lie=0, limit_bytes=1000)
@example(first=0x82, length=16384, fill=b"a\xff", masks=False, lie=0, limit_bytes=1 << 20)
@example(first=0x82, length=16384, fill=b"a", masks=True, lie=0, limit_bytes=1000)
@example(first=0x89, length=126, fill=b"a", masks=True, lie=0, limit_bytes=1000)
@example(first=0x82, length=127, fill=b"a", masks=True, lie=-1, limit_bytes=1000)
def test_a_medium_frame_in_one_piece_is_what_the_clear_road_makes_of_it(
    pool: SlabBufferPool, first: int, length: int, fill: bytes, masks: bool, lie: int, limit_bytes: int
) -> None:
    payload = (fill * length)[:length]
    key = b"\x01\x80\xff\x00"
    body = unmask_clear(payload, key) if masks else payload
    header = bytes([first, 0xFE if masks else 0x7E]) + length.to_bytes(2, "big") + (key if masks else b"")
    wire = header + body
    data, limits = bytearray(wire + bytes(8)), Limits(max_message_bytes=limit_bytes)
    receiver, clear = Receiver(masks, limits, pool, ()), Receiver(masks, limits, pool, ())
    message = receiver.receive_one(ReadMemory(memoryview(data)), len(wire) + lie)
    events = clear.receive(memoryview(bytearray(wire)))
    event = events[0] if events else None
    if message is None:
        assert data == wire + bytes(8)
        assert lie or first not in (0x81, 0x82) or not isinstance(event, WireMessage)
    else:
        assert isinstance(event, WireMessage)
        assert not lie and (message.kind, message.copy()) == (event.kind, event.copy()) == (first & 15, payload)
        assert type(message.memory) is memoryview and message.memory.readonly
        message.expire()
    clear.close()


def test_one_short_frame_in_one_piece_ends_the_loans_before_it(pool: SlabBufferPool) -> None:
    receiver = Receiver(False, Limits(), pool, ())
    data = memoryview(bytearray(b"\x82\x7e\x00\x80" + b"x" * 128))
    [lent] = receiver.receive(data)
    assert isinstance(lent, WireMessage)
    message = receiver.receive_one(ReadMemory(memoryview(bytearray(b"\x82\x03abc-----"))), 5)
    assert message is not None
    assert message.copy() == b"abc"
    with pytest.raises(UseAfterRelease):
        lent.copy()
    [lent] = receiver.receive(data)
    assert isinstance(lent, WireMessage)
    assert receiver.receive_one(ReadMemory(memoryview(bytearray(data))), len(data)) is not None
    with pytest.raises(UseAfterRelease):
        lent.copy()


@pytest.mark.parametrize("length", [3, 200])
@pytest.mark.parametrize("kept", ["no", "named", "retained"])
def test_a_message_object_is_used_again_only_if_nobody_keeps_it(
    pool: SlabBufferPool, length: int, kept: str
) -> None:
    receiver = Receiver(True, Limits(), pool, ())

    def take(first: int, fill: bytes) -> WireMessage:
        payload = fill * length
        head = bytes([first, 0x80 | length]) if length < 126 else bytes([first, 0xFE]) + length.to_bytes(2, "big")
        wire = head + b"key!" + unmask_clear(payload, b"key!")
        message = receiver.receive_one(ReadMemory(memoryview(bytearray(wire + bytes(8)))), len(wire))
        assert message is not None
        assert (message.kind, message.copy(), len(message)) == (first & 15, payload, length)
        return message

    message = take(0x81, b"a")
    identity = id(message)
    if kept == "retained":
        message.retain().release()
    message.expire()
    named = message if kept == "named" else None
    del message
    following = take(0x82, b"b")
    assert (id(following) == identity) == (kept == "no")
    if named is not None:
        with pytest.raises(UseAfterRelease):
            named.copy()
    with pytest.raises(DoubleRelease):
        following.release()
    following.expire()
    with pytest.raises(UseAfterRelease):
        following.copy()
    receiver.close()


def test_a_retained_message_stays_what_it_is_when_the_next_ones_come(pool: SlabBufferPool) -> None:
    receiver = Receiver(False, Limits(), pool, ())
    kept = []
    for fill in (b"a", b"b"):
        wire = b"\x82\x7e\x00\xc8" + fill * 200
        message = receiver.receive_one(ReadMemory(memoryview(bytearray(wire))), len(wire))
        assert message is not None
        kept.append(message.retain())
        message.expire()
    assert [message.copy() for message in kept] == [b"a" * 200, b"b" * 200]
    for message in kept:
        message.release()


@pytest.mark.parametrize(
    "wire",
    [
        b"\x82\x03ab",  # cut
        b"\x82\x03abcd",  # more behind it
        b"\x02\x03abc",  # a fragment
        b"\x89\x03abc",  # a ping
        b"\x81\x03a\xffc",  # no UTF-8
        b"\x82\x83abc",  # masked by a server
    ],
)
def test_what_is_not_one_whole_short_frame_is_left_to_the_clear_road(pool: SlabBufferPool, wire: bytes) -> None:
    receiver = Receiver(False, Limits(), pool, ())
    data = bytearray(wire + b"------")
    assert receiver.receive_one(ReadMemory(memoryview(data)), len(wire)) is None
    assert bytes(data) == wire + b"------"
    assert receiver.open


def frame(first: int, payload: bytes, key: bytes | None) -> bytes:
    if key is None:
        return bytes([first, len(payload)]) + payload
    body = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    return bytes([first, len(payload) | 0x80]) + key + body


def taken_clearly(wire: bytes, masks: bool, pool: SlabBufferPool) -> list[tuple[int, bytes]]:
    """Return the messages at the start of a stream, taken one frame at a time."""
    receiver, messages = Receiver(masks, Limits(), pool, ()), []
    for event in receiver.receive(memoryview(bytearray(wire))):
        if not isinstance(event, WireMessage):
            break
        messages.append((event.kind, event.copy()))
    receiver.close()
    return messages


@given(
    frames=st.lists(
        st.tuples(
            st.sampled_from([0x81, 0x82, 0x82, 0x82, 0x89]),
            st.sampled_from([b"same", b"\xffnot", b"longer", "gr\xfc\xdfe".encode(), b"", b"x" * 125]),
            st.integers(1, 5),
        ),
        max_size=5,
    ),
    many=st.integers(1, 2 * RUN_FRAMES),
    keys=st.randoms(use_true_random=False),
    masks=st.booleans(),
    cut=st.integers(0, 8),
    before=st.integers(0, 9),
)
def test_runs_are_what_the_clear_road_makes_of_the_same_bytes(
    pool: SlabBufferPool,
    frames: list[tuple[int, bytes, int]],
    many: int,
    keys: random.Random,
    masks: bool,
    cut: int,
    before: int,
) -> None:
    flat = [(first, payload) for first, payload, count in frames for _ in range(count * (many if count == 5 else 1))]
    wire = b"".join(frame(first, payload, keys.randbytes(4) if masks else None) for first, payload in flat)
    wire = wire[: max(0, len(wire) - cut)]
    expected = taken_clearly(wire, masks, pool)
    receiver = Receiver(masks, Limits(), pool, ())
    data = memoryview(bytearray(b"?" * before + wire + b"??"))
    end, position, taken = before + len(wire), before, 0
    while (run := receiver.take_run(data, position, end)) is not None:
        kind, payloads, stop = run
        assert 0 < len(payloads) <= RUN_FRAMES
        assert stop == position + len(payloads) * (len(payloads[0]) + (6 if masks else 2)) <= end
        assert [(kind, payload) for payload in payloads] == expected[taken : taken + len(payloads)]
        assert all(type(payload) is bytes for payload in payloads)
        position, taken = stop, taken + len(payloads)
    assert bytes(data) == b"?" * before + wire + b"??"
    rest = expected[taken : taken + LEAST_RUN]
    if len(rest) == LEAST_RUN and len({(kind, len(payload)) for kind, payload in rest}) == 1:
        assert not rest[0][1]  # nothing that is a run was left, but empty messages
    receiver.close()


def test_a_run_ends_the_loans_before_it(pool: SlabBufferPool) -> None:
    receiver = Receiver(False, Limits(), pool, ())
    [lent] = receiver.receive(memoryview(bytearray(b"\x82\x7e\x00\x80" + b"x" * 128)))
    assert isinstance(lent, WireMessage)
    assert receiver.take_run(memoryview(bytearray(b"\x82\x01a" * 3)), 0, 9) == (2, [b"a"] * 3, 9)
    with pytest.raises(UseAfterRelease):
        lent.copy()


@pytest.mark.parametrize("limit_bytes", [3, 4])
def test_frames_above_the_limit_are_no_run(pool: SlabBufferPool, limit_bytes: int) -> None:
    receiver = Receiver(False, Limits(max_message_bytes=limit_bytes), pool, ())
    run = receiver.take_run(memoryview(bytearray(b"\x82\x04abcd" * 4)), 0, 24)
    assert run == (None if limit_bytes == 3 else (2, [b"abcd"] * 4, 24))


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("length", [1, 200])
def test_inside_a_message_no_frame_is_taken_in_a_hurry(pool: SlabBufferPool, masks: bool, length: int) -> None:
    receiver = Receiver(masks, Limits(), pool, ())
    start = frame(0x02, b"a", b"key!" if masks else None)
    assert not receiver.receive(memoryview(bytearray(start)))
    header = bytes([0x82, length]) if length < 126 else b"\x82\x7e" + length.to_bytes(2, "big")
    wire = bytes([header[0], header[1] | (0x80 if masks else 0)]) + header[2:] + (b"key!" if masks else b"")
    data = bytearray(wire + bytes(length) + bytes(8))
    assert receiver.receive_one(ReadMemory(memoryview(data)), len(wire) + length) is None
    receiver.close()


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("count_bytes", [1, 2, 5])
def test_less_than_a_frame_is_not_taken(pool: SlabBufferPool, masks: bool, count_bytes: int) -> None:
    receiver = Receiver(masks, Limits(), pool, ())
    data = memoryview(bytearray(b"\x82\x85key!hello"))
    assert receiver.receive_one(ReadMemory(data), count_bytes) is None


@pytest.mark.parametrize("masks", [False, True])
def test_a_long_frame_is_not_taken_in_a_hurry(pool: SlabBufferPool, masks: bool) -> None:
    receiver = Receiver(masks, Limits(), pool, ())
    second = 0xFF if masks else 0x7F
    wire = bytes([0x82, second]) + (70_000).to_bytes(8, "big") + (b"key!" if masks else b"") + bytes(70_000)
    assert receiver.receive_one(ReadMemory(memoryview(bytearray(wire))), len(wire)) is None


def test_inside_a_message_there_is_no_run(pool: SlabBufferPool) -> None:
    receiver = Receiver(False, Limits(), pool, ())
    assert not receiver.receive(memoryview(bytearray(b"\x02\x01a")))
    data = memoryview(bytearray(b"\x82\x01a" * 5))
    assert receiver.take_run(data, 0, len(data)) is None
    receiver.close()


@pytest.mark.parametrize(
    ("texts", "count"),
    [
        (["gr\xfc".encode()] * 4, 4),
        ([b"abcd", b"ab\xffd", b"abcd", b"abcd"], 1),
        ([b"ab\xffd", b"abcd", b"abcd"], None),
    ],
)
def test_a_run_of_texts_ends_before_one_that_is_no_text(
    pool: SlabBufferPool, texts: list[bytes], count: int | None
) -> None:
    receiver = Receiver(False, Limits(), pool, ())
    wire = b"".join(frame(0x81, text, None) for text in texts)
    run = receiver.take_run(memoryview(bytearray(wire)), 0, len(wire))
    assert run == (None if count is None else (1, texts[:count], count * len(wire) // len(texts)))
    receiver.close()


@pytest.mark.parametrize("same", [1, 2, 3, 4])
def test_a_run_ends_where_the_headers_change(pool: SlabBufferPool, same: int) -> None:
    receiver = Receiver(False, Limits(), pool, ())
    wire = frame(0x82, b"abcd", None) * same + frame(0x81, b"abcd", None) * (6 - same)
    run = receiver.take_run(memoryview(bytearray(wire)), 0, len(wire))
    assert run == (None if same < LEAST_RUN else (2, [b"abcd"] * same, 6 * same))
    receiver.close()
