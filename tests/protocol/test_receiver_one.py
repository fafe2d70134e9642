"""The shortest road of the receiving half: one whole, short frame in one piece. Its twin is ``receive``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import UseAfterRelease
from hioload_ws.pool import SlabBufferPool
from hioload_ws.protocol.limits import Limits
from hioload_ws.protocol.message import WireMessage
from hioload_ws.protocol.receiver import Receiver


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
def test_what_the_short_road_takes_the_clear_road_takes_the_same(
    pool: SlabBufferPool, first: int, payload: bytes, masks: bool, lie: int
) -> None:
    length = max(0, min(125, len(payload) + lie))
    key = b"\x01\x80\xff\x00"
    body = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload)) if masks else payload
    wire = bytes([first, length | (0x80 if masks else 0)]) + (key if masks else b"") + body
    message = Receiver(masks, Limits(), pool, ()).receive_one(memoryview(bytearray(wire + bytes(8))), len(wire))
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


def test_one_short_frame_in_one_piece_ends_the_loans_before_it(pool: SlabBufferPool) -> None:
    receiver = Receiver(False, Limits(), pool, ())
    data = memoryview(bytearray(b"\x82\x7e\x00\x80" + b"x" * 128))
    [lent] = receiver.receive(data)
    assert isinstance(lent, WireMessage)
    message = receiver.receive_one(memoryview(bytearray(b"\x82\x03abc---")), 5)
    assert message is not None
    assert message.copy() == b"abc"
    with pytest.raises(UseAfterRelease):
        lent.copy()


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
    assert receiver.receive_one(memoryview(data), len(wire)) is None
    assert bytes(data) == wire + b"------"
    assert receiver.open
