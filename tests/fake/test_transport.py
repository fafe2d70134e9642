"""The scripted transport plays by the rules of ``api.transport``."""

from __future__ import annotations

import pytest

from hioload_ws.api import (
    END_OF_STREAM,
    FAILED,
    READABLE,
    WOULD_BLOCK,
    WRITABLE,
    ConnectionLost,
    InvalidArgument,
    InvalidState,
    TransportClosed,
)
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.poller import ScriptedPoller
from hioload_ws.fake.transport import ScriptedTransport


@pytest.fixture
def poller() -> ScriptedPoller:
    return ScriptedPoller(VirtualClock())


@pytest.fixture
def transport(poller: ScriptedPoller) -> ScriptedTransport:
    return ScriptedTransport(poller, 7, name="test")


def readiness(poller: ScriptedPoller, transport: ScriptedTransport) -> int:
    """Return what the poller says of the transport, all bits asked for."""
    poller.register(transport.handle, READABLE | WRITABLE)
    events = poller.poll(0, 1)
    poller.unregister(transport.handle)
    return events[0][1] if events else 0


def test_fed_bytes_come_out_in_portions_and_then_the_end(transport: ScriptedTransport) -> None:
    buffer = bytearray(3)
    assert transport.recv_into(buffer) == WOULD_BLOCK
    transport.feed(b"hello")
    transport.feed_end()
    assert (transport.recv_into(buffer), bytes(buffer)) == (3, b"hel")
    assert (transport.recv_into(buffer), bytes(buffer[:2])) == (2, b"lo")
    assert transport.recv_into(buffer) == transport.recv_into(buffer) == END_OF_STREAM


@pytest.mark.parametrize("buffer", [bytearray(), memoryview(b"read-only")])
def test_a_buffer_that_can_not_be_filled_is_refused(
    transport: ScriptedTransport, buffer: bytearray | memoryview
) -> None:
    with pytest.raises(InvalidArgument):
        transport.recv_into(buffer)


def test_readiness_follows_what_is_there(poller: ScriptedPoller, transport: ScriptedTransport) -> None:
    assert readiness(poller, transport) == WRITABLE
    transport.limit_room(0)
    assert readiness(poller, transport) == 0
    transport.feed_hidden(b"abc")
    assert (readiness(poller, transport), transport.buffered) == (0, True)
    transport.feed(b"d")
    assert readiness(poller, transport) == READABLE
    transport.recv_into(bytearray(10))
    assert (readiness(poller, transport), transport.buffered) == (0, False)
    transport.reset()
    assert readiness(poller, transport) == READABLE | FAILED
    poller.register(handle := transport.handle, READABLE)
    transport.close()
    assert poller.poll(0, 1) == []
    poller.unregister(handle)


def test_the_system_takes_what_there_is_room_for(transport: ScriptedTransport) -> None:
    changes: list[bool] = []
    transport.set_water_marks(5, 1, changes.append)
    transport.limit_room(4)
    assert transport.send([b"0123", bytearray(b"456789")]) == 6
    assert (transport.interest, transport.pending_bytes) == (WRITABLE, 6)
    transport.limit_room(5)
    assert transport.flush() == 1
    transport.shutdown()
    assert not transport.output_ended
    transport.limit_room(None)
    assert transport.flush() == 0
    assert transport.interest == 0
    assert transport.output_ended
    assert bytes(transport.sent) == b"0123456789"
    assert transport.batches == [[bytes, bytearray]]
    assert changes == [True, False]
    transport.set_water_marks(5, 1, None)
    with pytest.raises(InvalidState):
        transport.send([b"x"])


def test_a_reset_is_met_by_every_call_that_moves_bytes(transport: ScriptedTransport) -> None:
    transport.limit_room(0)
    transport.send([b"pending"])
    transport.reset()
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            transport.recv_into(bytearray(1))
        with pytest.raises(ConnectionLost):
            transport.send([b"x"])
        with pytest.raises(ConnectionLost):
            transport.flush()
    assert transport.pending_bytes == 0


def test_a_closed_transport_refuses_everything_but_questions(transport: ScriptedTransport) -> None:
    transport.close()
    transport.close()
    assert transport.closed
    for call in (
        lambda: transport.recv_into(bytearray(1)),
        lambda: transport.send([]),
        transport.flush,
        transport.shutdown,
        lambda: transport.set_water_marks(1, 1, None),
        lambda: transport.handle,
        lambda: transport.interest,
        lambda: transport.buffered,
        lambda: transport.pending_bytes,
    ):
        with pytest.raises(TransportClosed):
            call()
    assert transport.features().name == "scripted"
    assert [str(transport.local_address), str(transport.peer_address)] == ["memory:test-local", "memory:test-peer"]
