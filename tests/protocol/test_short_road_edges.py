"""The edges of the short road: lengths, counts and headers just on this side of a limit, and just on the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from hioload_ws.api import ViolationDetected
from hioload_ws.pool import SlabBufferPool
from hioload_ws.protocol.limits import Limits
from hioload_ws.protocol.masks import RUN_FRAMES
from hioload_ws.protocol.message import WireMessage
from hioload_ws.protocol.read_memory import ReadMemory
from hioload_ws.protocol.receiver import Receiver
from hioload_ws.protocol.short_road import LEAST_RUN

if TYPE_CHECKING:
    from tests.protocol.conftest import Kit


@pytest.fixture
def pool() -> Iterator[SlabBufferPool]:
    with SlabBufferPool(leaks="advanced") as pool:
        yield pool
        assert pool.stats().in_use_count == 0


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("length", [0, 1, 124, 125])
def test_short_frames_of_every_length_are_taken_in_a_hurry_and_have_bytes_of_their_own(
    kit: Kit, pool: SlabBufferPool, masks: bool, length: int
) -> None:
    wire = kit.frame(2, b"x" * length, key=b"key!" if masks else None)
    receiver = Receiver(masks, Limits(), pool, ())
    message = receiver.receive_one(ReadMemory(memoryview(bytearray(wire + bytes(8)))), len(wire))
    events = receiver.receive(memoryview(bytearray(wire * 3)))
    assert len(events) == 3
    for event in (message, *events):
        assert isinstance(event, WireMessage)
        assert type(event.memory) is bytes and event.memory == b"x" * length
    receiver.close()


@pytest.mark.parametrize("start", [b"\x82\x05\x00\x80", b"\x82\x7f"])
def test_a_frame_without_mask_is_not_taken_for_another_with_it(pool: SlabBufferPool, start: bytes) -> None:
    receiver = Receiver(True, Limits(), pool, ())
    [event] = receiver.receive(memoryview(bytearray(start + bytes(200))))
    assert isinstance(event, ViolationDetected)
    assert event.error.close_code == 1002
    receiver.close()


def test_after_a_huge_frame_which_stays_where_it_was_read_the_half_rests(pool: SlabBufferPool) -> None:
    receiver = Receiver(False, Limits(), pool, ())
    [message] = receiver.receive(memoryview(bytearray(b"\x82\x7f" + (70_000).to_bytes(8, "big") + bytes(70_000))))
    assert isinstance(message, WireMessage) and receiver.resting
    assert message.copy() == bytes(70_000) and pool.stats().in_use_count == 0
    receiver.close()


def test_what_looks_like_headers_in_a_longer_frame_makes_no_run(kit: Kit, pool: SlabBufferPool) -> None:
    receiver = Receiver(False, Limits(), pool, ())
    wire = b"".join(kit.frame(2, text, key=None) for text in (b"abcd", b"abcd\x82\x06", b"abcd"))
    assert receiver.take_run(memoryview(bytearray(wire)), 0, len(wire)) is None
    receiver.close()


@pytest.mark.parametrize("left_bytes", [1, 2, 8])
def test_near_the_end_of_the_memory_there_is_no_run(pool: SlabBufferPool, left_bytes: int) -> None:
    receiver = Receiver(False, Limits(), pool, ())
    data = memoryview(bytearray(b"\x82\x01a" * 9))
    position = len(data) - len(data) % 3 - left_bytes
    assert receiver.take_run(data, position, len(data)) is None
    receiver.close()


@pytest.mark.parametrize("count", [2, 3, RUN_FRAMES, RUN_FRAMES + 1])
def test_a_run_of_masked_frames_is_unmasked_each_with_its_key(kit: Kit, pool: SlabBufferPool, count: int) -> None:
    receiver = Receiver(True, Limits(), pool, ())
    texts = [number.to_bytes(2, "big") for number in range(count)]
    wire = b"".join(kit.frame(2, text, key=text * 2) for text in texts)
    run = receiver.take_run(memoryview(bytearray(wire)), 0, len(wire))
    taken = min(count, RUN_FRAMES)
    assert run == (None if count < LEAST_RUN else (2, texts[:taken], 8 * taken))
    receiver.close()


def test_two_frames_that_would_have_room_for_three_are_no_run(kit: Kit, pool: SlabBufferPool) -> None:
    receiver = Receiver(False, Limits(), pool, ())
    data = memoryview(bytearray(kit.frame(2, b"abcd", key=None) * 2))
    assert receiver.take_run(data, 0, len(data)) is None
    receiver.close()
