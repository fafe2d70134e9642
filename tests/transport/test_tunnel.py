"""What only a tunnel has: an exchange in front, and what may go wrong in it. The rest is in ``test_behaviour.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hioload_ws.api.errors import ConnectionLost, InvalidArgument, InvalidState, ProxyRefused, TransportClosed
from hioload_ws.api.poller import READABLE, WRITABLE
from hioload_ws.api.transport import END_OF_STREAM, WOULD_BLOCK, Transport
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.transport.memory import memory_pair
from hioload_ws.transport.tls import TlsTransport
from hioload_ws.transport.tunnel import TunnelTransport
from tests.transport.conftest import client_context, server_context
from tests.transport.knock import AGREED, Knock, open_up


class Ends:
    """A tunnel that has not been answered, and the far end, where the proxy is played."""

    def __init__(self) -> None:
        inner, self.far = memory_pair()
        self.near = TunnelTransport(inner, Knock())

    def read(self, end: Transport, size_bytes: int = 100) -> bytes:
        buffer = bytearray(size_bytes)
        count = end.recv_into(buffer)
        return bytes(buffer[: max(count, 0)])


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.near.close()
    made.far.close()


def test_while_the_proxy_is_asked_nothing_is_read_and_what_is_sent_waits(ends: Ends, pool: SlabBufferPool) -> None:
    near = ends.near
    assert near.interest == READABLE and not near.buffered
    with pool.acquire(5) as buffer:
        buffer.data()[:] = b"owned"
        assert near.send([b"one ", bytearray(b"two "), buffer]) == near.pending_bytes == 13
        assert buffer.ref_count == 2
        assert near.recv_into(bytearray(10)) == WOULD_BLOCK
        assert near.flush() == 13
        open_up(ends.far)
        assert ends.read(ends.far) == b""
        assert near.recv_into(bytearray(10)) == WOULD_BLOCK
        assert buffer.ref_count == 1
    assert ends.read(ends.far) == b"one two owned"
    assert (near.interest, near.pending_bytes) == (0, 0)


@pytest.mark.parametrize("space_bytes", [1, 5000])
def test_an_answer_that_comes_in_pieces_is_asked_for_until_it_is_whole(ends: Ends, space_bytes: int) -> None:
    assert ends.read(ends.far) == b"?"
    ends.far.send([b" " * space_bytes])
    assert ends.near.recv_into(bytearray(9)) == WOULD_BLOCK
    ends.far.send([b" " * space_bytes, b"!behind"])
    assert ends.read(ends.near) == b"behind"


def test_what_came_behind_the_answer_is_read_first_and_in_pieces(ends: Ends) -> None:
    open_up(ends.far, b"behind ")
    assert ends.read(ends.near, 3) == b"beh"
    ends.far.send([b"later"])
    assert ends.near.buffered
    assert ends.read(ends.near, 3) == b"ind"
    assert ends.read(ends.near, 9) == b" "
    assert ends.read(ends.near, 9) == b"later" and not ends.near.buffered


def test_a_refusal_is_raised_again_and_again_and_drops_what_waited(ends: Ends, pool: SlabBufferPool) -> None:
    with pool.acquire(5) as buffer:
        ends.near.send([buffer])
        ends.far.send([b"no!"])
        seen: list[ProxyRefused] = []
        calls: list[Callable[[], object]] = [
            lambda: ends.near.recv_into(bytearray(5)),
            ends.near.flush,
            lambda: ends.near.send([b"x"]),
        ]
        for call in calls:
            with pytest.raises(ProxyRefused, match="not today") as caught:
                call()
            assert caught.value.status == 403
            seen.append(caught.value)
        assert len(set(map(id, seen))) == 3  # a traceback of one must not keep alive what another met
        assert buffer.ref_count == 1
    assert (ends.near.interest, ends.near.pending_bytes, ends.near.buffered) == (0, 0, False)
    ends.near.shutdown()


def test_a_proxy_that_hangs_up_is_a_loss_that_names_it(ends: Ends) -> None:
    ends.far.shutdown()
    with pytest.raises(ConnectionLost, match="proxy: it hung up before it answered"):
        ends.near.recv_into(bytearray(5))


def test_a_proxy_that_is_not_there_is_a_loss_that_names_it() -> None:
    inner, far = memory_pair()
    far.close()
    with pytest.raises(ConnectionLost, match="no connection by way of the proxy: "):
        TunnelTransport(inner, Knock()).flush()
    inner.close()


@pytest.mark.parametrize("call", ["send", "flush", "recv_into"])
def test_a_reset_of_an_open_tunnel_is_one_of_any_connection(ends: Ends, call: str) -> None:
    open_up(ends.far)
    assert ends.near.recv_into(bytearray(5)) == WOULD_BLOCK
    while not ends.near.pending_bytes:
        ends.near.send([bytes(65536)])
    ends.far.close()
    calls: dict[str, Callable[[], object]] = {
        "send": lambda: ends.near.send([b"x"]),
        "flush": ends.near.flush,
        "recv_into": lambda: ends.near.recv_into(bytearray(1)),
    }
    with pytest.raises(ConnectionLost) as caught:
        calls[call]()
    assert "proxy" not in caught.value.message


def test_a_shutdown_while_asking_ends_the_output_behind_what_waited(ends: Ends) -> None:
    ends.near.send([b"last"])
    ends.near.shutdown()
    ends.near.shutdown()
    with pytest.raises(InvalidState):
        ends.near.send([b"x"])
    open_up(ends.far)
    assert ends.near.recv_into(bytearray(5)) == WOULD_BLOCK
    assert ends.read(ends.far) == b"last"
    assert ends.far.recv_into(bytearray(5)) == END_OF_STREAM


def test_water_marks_count_what_waits_for_the_tunnel(ends: Ends) -> None:
    told: list[bool] = []
    ends.near.set_water_marks(10, 5, told.append)
    ends.near.send([bytes(11)])
    assert told == [True] and ends.near.interest == READABLE
    open_up(ends.far)
    assert ends.near.recv_into(bytearray(5)) == WOULD_BLOCK
    assert ends.near.interest == WRITABLE  # the change is reported by a flush
    assert ends.near.flush() == 0
    assert told == [True, False] and ends.near.interest == 0


def test_a_producer_may_close_the_tunnel_from_within_its_water_mark(ends: Ends) -> None:
    ends.near.set_water_marks(1, 1, lambda above: ends.near.close())
    assert ends.near.send([b"four"]) == 0
    with pytest.raises(TransportClosed):
        ends.near.flush()


@pytest.mark.parametrize("buffer", [bytearray(), memoryview(b"readonly"), memoryview(bytearray(4))[::2]])
def test_a_buffer_that_nothing_fits_into_is_refused_before_anything_is_read(
    ends: Ends, buffer: bytearray | memoryview
) -> None:
    open_up(ends.far, b"x")
    with pytest.raises(InvalidArgument):
        ends.near.recv_into(buffer)
    assert ends.read(ends.near) == b"x"


def test_a_closed_tunnel_refuses_everything_but_its_addresses(ends: Ends) -> None:
    peer = ends.near.peer_address
    ends.near.close()
    ends.near.close()
    assert (ends.near.peer_address, ends.near.features().name) == (peer, "tunnel+memory")
    assert ends.near.local_address
    uses: list[Callable[[], object]] = [
        lambda: ends.near.handle, lambda: ends.near.interest, lambda: ends.near.buffered,
        lambda: ends.near.pending_bytes, ends.near.shutdown, lambda: ends.near.set_water_marks(1, 1, None),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(TransportClosed):
            use()


def test_tls_in_a_tunnel_begins_when_the_tunnel_opens_and_says_what_the_proxy_said() -> None:
    inner, far = memory_pair()
    tunnel = TunnelTransport(inner, Knock())
    near = TlsTransport(tunnel, client_context(), server_side=False, server_name="localhost")
    near.send([b"secret"])
    assert near.flush() > 0
    open_up(far)
    server = TlsTransport(far, server_context(), server_side=True)
    buffer = bytearray(10)
    while server.recv_into(buffer) == WOULD_BLOCK:
        assert near.recv_into(bytearray(10)) == WOULD_BLOCK
        near.flush()
    assert buffer[:6] == b"secret"
    near.close()
    server.close()


def test_a_refusal_below_tls_keeps_its_kind_and_status() -> None:
    inner, far = memory_pair()
    near = TlsTransport(TunnelTransport(inner, Knock()), client_context(), server_side=False, server_name="localhost")
    near.flush()
    far.send([b"no"])
    for _ in range(2):
        with pytest.raises(ProxyRefused) as caught:
            near.recv_into(bytearray(10))
        assert caught.value.status == 403
    near.close()
    far.close()


def test_tls_to_the_proxy_is_a_layer_below() -> None:
    near, far = memory_pair()
    proxy = TlsTransport(far, server_context(), server_side=True)
    tunnel = TunnelTransport(
        TlsTransport(near, client_context(), server_side=False, server_name="localhost"), Knock()
    )
    tunnel.send([b"through"])
    buffer = bytearray(1)
    while proxy.recv_into(buffer) == WOULD_BLOCK:
        tunnel.flush()
        assert tunnel.recv_into(bytearray(9)) == WOULD_BLOCK
    proxy.send([AGREED + b"first"])
    got = bytearray(9)
    assert tunnel.recv_into(got) == 5 and got[:5] == b"first"
    buffer = bytearray(9)
    assert proxy.recv_into(buffer) == 7 and buffer[:7] == b"through"
    tunnel.close()
    proxy.close()
