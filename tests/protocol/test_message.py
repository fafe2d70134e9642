"""Messages: borrowed, retained, copied, in each of the three kinds of memory, and every misuse."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hioload_ws.api.buffer import Buffer
from hioload_ws.api.errors import DoubleRelease, ResourceExhausted, UseAfterRelease
from hioload_ws.api.message import BINARY, TEXT, Message
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.protocol.message import WireMessage

PAYLOAD = "grüße".encode()
KINDS = ["plain", "shared", "pooled"]


@pytest.fixture
def pool() -> Iterator[SlabBufferPool]:
    with SlabBufferPool(leaks="disabled", slab_bytes=65536) as made:
        yield made
        assert made.stats().in_use_count == 0


def make(memory: str, pool: SlabBufferPool, payload: bytes = PAYLOAD) -> WireMessage:
    if memory == "plain":
        return WireMessage(TEXT, payload, len(payload))
    if memory == "shared":
        return WireMessage(TEXT, memoryview(bytearray(payload)).toreadonly(), len(payload), pool)
    buffer = pool.acquire(len(payload))
    buffer.data()[:] = payload
    return WireMessage(TEXT, None, len(payload), None, buffer)


ACCESSES: list[Callable[[WireMessage], object]] = [
    lambda message: message.data,
    lambda message: message.text,
    lambda message: message.copy(),
    lambda message: message.retain(),
]


@pytest.mark.parametrize("memory", KINDS)
def test_a_borrowed_message_shows_its_payload_read_only(memory: str, pool: SlabBufferPool) -> None:
    message: Message = make(memory, pool)
    assert message.data == PAYLOAD and message.data.readonly and message.data.format == "B"
    assert (message.text, message.copy(), len(message), message.kind) == ("grüße", PAYLOAD, 7, TEXT)
    assert "7 bytes" in repr(message)
    with message.data as view:
        assert view == PAYLOAD
    assert message.data == PAYLOAD  # a view that its user released took nothing from the next
    assert isinstance(message, WireMessage)
    message.expire()


@pytest.mark.parametrize("access", ACCESSES)
@pytest.mark.parametrize("memory", KINDS)
def test_after_the_handler_returned_every_access_raises(
    memory: str, access: Callable[[WireMessage], object], pool: SlabBufferPool
) -> None:
    message = make(memory, pool)
    message.expire()
    message.expire()
    assert pool.stats().in_use_count == 0
    with pytest.raises(UseAfterRelease):
        access(message)
    with pytest.raises(DoubleRelease):
        message.release()
    assert len(message) == 7


@pytest.mark.parametrize("memory", KINDS)
@pytest.mark.parametrize("expire_first", [True, False])
def test_a_retained_message_lives_until_its_last_release(
    memory: str, expire_first: bool, pool: SlabBufferPool
) -> None:
    message = make(memory, pool)
    assert message.retain() is message
    message.retain()
    if expire_first:
        message.expire()
    message.release()
    assert message.text == "grüße" and message.data == PAYLOAD and message.copy() == PAYLOAD
    message.release()
    if not expire_first:
        assert message.copy() == PAYLOAD  # still borrowed
        message.expire()
    with pytest.raises(UseAfterRelease):
        message.data  # noqa: B018  # the access is the test
    with pytest.raises(DoubleRelease):
        message.release()


@pytest.mark.parametrize("memory", KINDS)
def test_a_release_without_a_retain_raises_and_the_loan_goes_on(memory: str, pool: SlabBufferPool) -> None:
    message = make(memory, pool)
    with pytest.raises(DoubleRelease):
        message.release()
    assert message.copy() == PAYLOAD
    message.expire()


def test_retaining_shared_memory_copies_once_and_no_longer_follows_it(pool: SlabBufferPool) -> None:
    shared = bytearray(PAYLOAD)
    message = WireMessage(BINARY, memoryview(shared).toreadonly(), len(shared), pool)
    message.retain().retain()
    shared[:] = bytes(len(shared))
    assert message.data == PAYLOAD and pool.stats().acquired_count == 1
    message.expire()
    message.release()
    message.release()


def test_retaining_an_empty_shared_message_needs_no_buffer(pool: SlabBufferPool) -> None:
    message = WireMessage(BINARY, memoryview(b""), 0, pool)
    message.retain()
    message.expire()
    assert message.copy() == b"" and pool.stats().acquired_count == 0
    message.release()


def test_a_retain_that_gets_no_memory_raises_and_changes_nothing() -> None:
    with SlabBufferPool(limit_bytes=1) as full:
        message = WireMessage(BINARY, memoryview(b"abc"), 3, full)
        with pytest.raises(ResourceExhausted):
            message.retain()
        assert message.copy() == b"abc"
        with pytest.raises(DoubleRelease):
            message.release()


def test_what_can_be_sent_is_the_cheapest_form_to_keep(pool: SlabBufferPool) -> None:
    plain, shared, pooled = (make(memory, pool) for memory in KINDS)
    assert isinstance(plain.sendable(), bytes)
    view = shared.sendable()
    assert isinstance(view, memoryview) and view.readonly
    buffer = pooled.sendable()
    assert isinstance(buffer, Buffer) and buffer.ref_count == 1
    buffer.retain()  # as a transport does that has not sent it yet
    for message in (plain, shared, pooled):
        message.expire()
    assert buffer.copy() == PAYLOAD
    buffer.release()
    for message in (plain, shared):
        with pytest.raises(UseAfterRelease):
            message.sendable()


def test_binary_data_that_is_not_text_does_not_decode() -> None:
    with pytest.raises(UnicodeDecodeError):
        WireMessage(BINARY, b"\xff", 1).text  # noqa: B018  # the access is the test


def test_a_retained_message_may_be_released_on_another_thread_while_it_expires(pool: SlabBufferPool) -> None:
    for _ in range(200):
        message = make("pooled", pool).retain()
        other = threading.Thread(target=message.release)
        other.start()
        message.expire()
        other.join()
        assert pool.stats().in_use_count == 0


@settings(max_examples=100, deadline=None)
@given(
    memory=st.sampled_from(KINDS),
    steps=st.lists(st.sampled_from(["retain", "release", "expire", "look"]), max_size=12),
)
def test_any_order_of_calls_keeps_the_counts(memory: str, steps: list[str]) -> None:
    with SlabBufferPool(leaks="disabled", slab_bytes=65536) as pool:
        message, retained, borrowed = make(memory, pool), 0, True
        for step in steps:
            alive = borrowed or retained > 0
            if step == "retain" and alive:
                message.retain()
                retained += 1
            elif step == "release" and retained:
                message.release()
                retained -= 1
            elif step == "release":
                with pytest.raises(DoubleRelease):
                    message.release()
            elif step == "expire":
                message.expire()
                borrowed = False
            elif alive:
                assert message.copy() == PAYLOAD == message.data
            else:
                with pytest.raises(UseAfterRelease):
                    message.copy()
        for _ in range(retained):
            message.release()
        message.expire()
        assert pool.stats().in_use_count == 0


@pytest.mark.parametrize("memory", KINDS)
def test_an_owned_message_and_views_of_it_do_not_see_the_shared_memory_change(
    memory: str, pool: SlabBufferPool
) -> None:
    shared = bytearray(PAYLOAD)
    message = make(memory, pool)
    if memory == "shared":
        message = WireMessage(TEXT, memoryview(shared).toreadonly(), len(shared), pool)
    message.own()
    view = message.data
    shared[:] = bytes(len(shared))
    assert view == PAYLOAD
    del view
    message.expire()
    with pytest.raises(UseAfterRelease):
        message.copy()
