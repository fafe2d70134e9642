"""The contract of ``api.transport`` about ends: shutdown, losses, close; kept by every kind of transport."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hioload_ws.api.errors import ConnectionLost, InvalidState, TransportClosed
from hioload_ws.api.transport import END_OF_STREAM, WOULD_BLOCK
from hioload_ws.pool.buffer_pool import SlabBufferPool
from tests.transport.conftest import Link, wait_readable


def test_shutdown_ends_one_direction_only(link: Link) -> None:
    link.client.send([b"last words"])
    link.client.shutdown()
    link.client.shutdown()
    with pytest.raises(InvalidState):
        link.client.send([b"more"])
    assert link.receive(link.server, link.client, 10) == b"last words"
    link.receive_end(link.server, link.client)
    link.server.send([b"heard you"])
    assert link.receive(link.client, link.server, 9) == b"heard you"
    link.server.shutdown()
    link.receive_end(link.client, link.server)


def test_the_end_of_the_stream_stays(link: Link) -> None:
    link.client.shutdown()
    link.receive_end(link.server, link.client)
    assert [link.server.recv_into(bytearray(9)) for _ in range(3)] == [END_OF_STREAM] * 3
    assert not link.server.buffered


def test_data_and_end_in_one_go_are_both_received(link: Link) -> None:
    link.client.send([b"abc"])
    link.client.shutdown()
    wait_readable(link.server)
    buffer = bytearray(100)
    assert link.server.recv_into(buffer) == 3
    while not link.server.buffered and link.server.recv_into(buffer) == WOULD_BLOCK:
        wait_readable(link.server)
    assert link.server.recv_into(buffer) == END_OF_STREAM


def test_shutdown_waits_for_what_is_pending(link: Link) -> None:
    total = link.fill()
    link.client.shutdown()
    with pytest.raises(InvalidState):
        link.client.send([b"more"])
    link.receive(link.server, link.client, total)
    link.client.flush()
    link.receive_end(link.server, link.client)


def test_data_that_waits_survives_our_own_shutdown(link: Link) -> None:
    data = bytes(range(250)) * 200
    link.server.send([data])
    wait_readable(link.client)
    buffer = bytearray(10)
    assert link.client.recv_into(buffer) == 10
    link.client.shutdown()
    assert link.receive(link.client, link.server, 49_990) == data[10:]


@pytest.mark.parametrize("call", ["recv_into", "send", "flush"])
def test_a_reset_is_met_by_each_call_and_stays(link: Link, pool: SlabBufferPool, call: str) -> None:
    link.fill()
    buffer = pool.acquire(10)
    link.client.send([buffer, b"x"])
    buffer.release()
    assert buffer.ref_count == 1
    link.reset_by_peer()
    calls: dict[str, Callable[[], object]] = {
        "recv_into": lambda: link.client.recv_into(bytearray(10)),
        "send": lambda: link.client.send([b"x"]),
        "flush": link.client.flush,
    }
    with pytest.raises(ConnectionLost) as caught:
        while True:  # what arrived before the reset is read first; what fits into the system is sent first
            assert calls[call]() != END_OF_STREAM
    assert isinstance(caught.value.__cause__, (OSError, ConnectionLost))
    assert caught.value.context["errno"]
    assert (link.client.pending_bytes, buffer.ref_count) == (0, 0)
    for again in calls.values():
        with pytest.raises(ConnectionLost):
            again()
    link.client.shutdown()
    assert link.client.interest == 0 and not link.client.buffered
    link.client.close()
    with pytest.raises(TransportClosed):
        link.client.flush()


def test_a_peer_that_is_gone_breaks_sending(link: Link) -> None:
    link.server.close()
    with pytest.raises(ConnectionLost):
        for _ in range(1000):
            link.client.send([bytes(65536)])
            wait_readable(link.client)


def test_shutdown_of_a_connection_that_is_gone_is_quiet(link: Link) -> None:
    link.reset_by_peer()
    link.client.shutdown()
    with pytest.raises(ConnectionLost):
        while True:
            link.client.recv_into(bytearray(10))
            link.client.flush()


def test_close_drops_what_is_pending_and_releases_it(link: Link, pool: SlabBufferPool) -> None:
    link.fill()
    with pool.acquire(10) as buffer:
        link.client.send([buffer])
        assert buffer.ref_count == 2
        link.client.close()
        assert buffer.ref_count == 1
    link.client.close()


def test_after_close_everything_raises_but_the_addresses_and_features(link: Link) -> None:
    end = link.client
    before = end.features()
    end.close()
    end.close()
    calls: list[Callable[[], object]] = [
        lambda: end.handle,
        lambda: end.interest,
        lambda: end.buffered,
        lambda: end.pending_bytes,
        lambda: end.recv_into(bytearray(1)),
        lambda: end.send([b"x"]),
        lambda: end.send([]),
        end.flush,
        end.shutdown,
        lambda: end.set_water_marks(1, 0, None),
    ]
    for call in calls:
        with pytest.raises(TransportClosed):
            call()
    assert end.features() == before
    assert end.peer_address == link.listener.address
    assert end.local_address == link.server.peer_address or "unix" in link.kind
