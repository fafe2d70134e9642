"""The parts of the simulated network keep the contracts of poller, listener and transport."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hioload_ws.api import (
    END_OF_STREAM,
    FAILED,
    READABLE,
    WOULD_BLOCK,
    WRITABLE,
    AlreadyExists,
    Closed,
    ConnectionLost,
    ConnectOptions,
    Handle,
    InvalidArgument,
    InvalidState,
    ListenOptions,
    MemoryAddress,
    NotFound,
    NotSupported,
    TcpAddress,
    Transport,
    TransportClosed,
)
from hioload_ws.fake.faults import Faults
from hioload_ws.fake.network import SimNetwork
from hioload_ws.fake.sim_host import SimListener
from hioload_ws.fake.sim_poller import WorldPoller
from hioload_ws.fake.sim_transport import SimTransport
from hioload_ws.fake.world import World

ADDRESS = TcpAddress("server", 80)
BOTH = READABLE | WRITABLE


def listen(network: SimNetwork, backlog: int = 8) -> SimListener:
    listener = network.host("server").registry.get("tcp").listen(ADDRESS, ListenOptions(backlog=backlog))
    assert isinstance(listener, SimListener)
    return listener


def connect(network: SimNetwork) -> SimTransport:
    transport = network.host("client").registry.get("tcp").connect(ADDRESS, ConnectOptions())
    assert isinstance(transport, SimTransport)
    return transport


def pair(network: SimNetwork) -> tuple[SimTransport, SimTransport]:
    """Return both ends of a connection that is made."""
    listener = listen(network)
    near = connect(network)
    network.settle()
    [far] = listener.accept_batch(8)
    assert isinstance(far, SimTransport)
    return near, far


def read(transport: Transport) -> bytes:
    """Return what has arrived."""
    buffer = bytearray(1 << 16)
    data = b""
    while (count_bytes := transport.recv_into(buffer)) > 0:
        data += buffer[:count_bytes]
    return data


def test_bytes_arrive_in_order_and_the_trace_says_when() -> None:
    network = SimNetwork(seed=5, latency_ns=1000)
    network.link("client", "server", jitter_ns=500, bandwidth_bytes_per_s=1_000_000_000)
    near, far = pair(network)
    for number in range(50):
        near.send([b"%03d" % number, b"x" * number])
    network.settle()
    assert read(far) == b"".join(b"%03d" % number + b"x" * number for number in range(50))
    near.close()
    network.settle()
    assert far.recv_into(bytearray(1)) == far.recv_into(bytearray(1)) == END_OF_STREAM
    # Written down, so that every Python has to come to the same.
    assert network.trace_hash == "80051c2cd0b14091da9522d000f50c163a54c464658b7a1c2b7bfe510a204e0c"


def test_a_long_trace_is_digested_as_it_comes() -> None:
    one, other = World(), World()
    for number in range(20_000):
        one.trace(b"%06d\n" % number)
    other.trace(b"".join(b"%06d\n" % number for number in range(20_000)))
    assert one.trace_hash == other.trace_hash != World().trace_hash


def test_a_window_fills_up_until_the_peer_reads() -> None:
    network = SimNetwork(window_bytes=10)
    near, far = pair(network)
    changes: list[bool] = []
    near.set_water_marks(4, 0, changes.append)
    assert near.send([b"0123456789", b"abcdef"]) == near.pending_bytes == 6
    assert (near.interest, near.readiness(), near.buffered) == (WRITABLE, 0, False)
    network.settle()
    buffer = bytearray(4)
    assert (far.recv_into(buffer), bytes(buffer)) == (4, b"0123")
    network.settle()
    assert near.readiness() == WRITABLE
    near.shutdown()
    assert near.flush() == 2
    with pytest.raises(InvalidState):
        near.send([b"x"])
    network.settle()
    assert read(far) == b"456789abcd"
    network.settle()
    assert (near.flush(), near.interest) == (0, 0)
    near.flush()
    near.shutdown()
    network.settle()
    assert (read(far), changes) == (b"ef", [True, False])
    assert far.recv_into(buffer) == END_OF_STREAM
    near.close()
    near.close()


def test_reading_checks_its_buffer_and_answers_when_nothing_came() -> None:
    near, _ = pair(SimNetwork())
    assert near.recv_into(bytearray(1)) == WOULD_BLOCK
    for wrong in (bytearray(), memoryview(b"x")):
        with pytest.raises(InvalidArgument):
            near.recv_into(wrong)


def test_closing_with_unread_bytes_resets_and_so_does_writing_to_who_has_closed() -> None:
    for has_unread in (True, False):
        network = SimNetwork()
        near, far = pair(network)
        if has_unread:
            near.send([b"unread"])
            network.settle()
        far.close()
        if not has_unread:
            near.send([b"nobody reads this"])
        network.settle()
        assert near.readiness() == BOTH | FAILED
        if not has_unread:
            assert near.recv_into(bytearray(1)) == END_OF_STREAM  # it came before the reset
        with pytest.raises(ConnectionLost):
            near.send([b"x"])
        with pytest.raises(ConnectionLost):
            near.recv_into(bytearray(1))
        with pytest.raises(ConnectionLost):
            near.flush()
        near.shutdown()
        near.close()
        network.settle()
        assert network.connection_count == 0


def test_what_arrived_before_a_reset_can_be_read_until_the_reset_is_met() -> None:
    for meets_it_first in (False, True):
        near, far = pair(network := SimNetwork())
        far.send([b"early"])
        near.send([b"unread"])
        network.settle()
        far.close()
        network.settle()
        if meets_it_first:
            with pytest.raises(ConnectionLost):
                near.flush()
        else:
            assert near.recv_into(bytearray(9)) == len(b"early")
        with pytest.raises(ConnectionLost):
            near.recv_into(bytearray(9))


def test_what_arrives_after_a_reset_or_a_crash_is_not_seen() -> None:
    network = SimNetwork()
    near, far = pair(network)
    far.send([b"late"])
    network.reset("client", "server")
    network.settle()
    with pytest.raises(ConnectionLost):
        read(near)
    other = SimNetwork()
    near, far = pair(other)
    far.send([b"late"])
    other.crash("client")
    near.close()
    other.settle()
    assert far.recv_into(bytearray(1)) == WOULD_BLOCK


def test_a_closed_transport_refuses_everything_but_questions() -> None:
    near, _ = pair(SimNetwork())
    near.close()
    calls: list[Callable[[], object]] = [
        lambda: near.recv_into(bytearray(1)),
        lambda: near.send([]),
        near.flush,
        near.shutdown,
        lambda: near.set_water_marks(1, 1, None),
        lambda: near.handle,
        lambda: near.interest,
        lambda: near.buffered,
        lambda: near.pending_bytes,
    ]
    for call in calls:
        with pytest.raises(TransportClosed):
            call()
    assert (near.features().name, near.peer_address) == ("tcp", ADDRESS)
    assert near.local_address.host == "client"


def test_what_is_sent_while_connecting_leaves_once_connected() -> None:
    network = SimNetwork()
    listener = listen(network)
    near = connect(network)
    assert (near.send([b"early"]), near.flush(), near.interest, near.readiness()) == (5, 5, WRITABLE, 0)
    near.shutdown()
    network.settle()
    assert near.flush() == 0
    network.settle()
    [far] = listener.accept_batch(1)
    assert read(far) == b"early"
    assert far.recv_into(bytearray(1)) == END_OF_STREAM


def test_who_gives_up_connecting_is_not_accepted_or_is_found_gone() -> None:
    network = SimNetwork()
    listener = listen(network)
    connect(network).close()
    network.settle()
    assert listener.accept_batch(1) == []
    near = connect(network)
    network.run_for(150_000)  # The request is there, the answer is on its way.
    near.close()
    network.settle()
    [far] = listener.accept_batch(1)
    assert far.recv_into(bytearray(1)) in (WOULD_BLOCK, END_OF_STREAM)


def test_a_listener_keeps_its_contract() -> None:
    network = SimNetwork()
    listener = listen(network, backlog=1)
    assert (str(listener.address), listener.is_full) == ("server:80", False)
    near = connect(network)
    network.settle()
    assert listener.is_full
    with pytest.raises(InvalidArgument):
        listener.accept_batch(0)
    with pytest.raises(AlreadyExists):
        listen(network)
    listener.close()
    listener.close()
    with pytest.raises(TransportClosed):
        listener.accept_batch(1)
    network.settle()
    with pytest.raises(ConnectionLost):
        near.recv_into(bytearray(1))


def test_a_provider_refuses_what_it_can_not_do() -> None:
    network = SimNetwork()
    provider = network.host("server").registry.get("tcp")
    assert (provider.name, provider.features().name, provider.availability().available) == ("tcp", "tcp", True)
    for address, options, error in (
        (MemoryAddress("x"), ListenOptions(), NotSupported),
        (ADDRESS, ListenOptions(reuse_port=True), NotSupported),
        (ADDRESS, ListenOptions(backlog=0), InvalidArgument),
        (TcpAddress("elsewhere", 80), ListenOptions(), InvalidArgument),
    ):
        with pytest.raises(error):
            provider.listen(address, options)
    chosen = provider.listen(TcpAddress("localhost", 0), ListenOptions()).address
    assert isinstance(chosen, TcpAddress)
    assert (chosen.host, chosen.port > 49_000) == ("server", True)
    provider.connect(TcpAddress("127.0.0.1", chosen.port), ConnectOptions()).close()


@pytest.fixture
def poller() -> WorldPoller:
    return SimNetwork().host("a").poller()


def test_a_poller_keeps_its_contract(poller: WorldPoller) -> None:
    for call, error in (
        (lambda: poller.register(Handle(99), READABLE), InvalidArgument),
        (lambda: poller.register(Handle(1), 64), InvalidArgument),
        (lambda: poller.modify(Handle(1), 0), NotFound),
        (lambda: poller.unregister(Handle(1)), NotFound),
        (lambda: poller.poll(0, 0), InvalidArgument),
        (lambda: poller.poll(None, 1), InvalidState),
    ):
        with pytest.raises(error):
            call()
    poller.wake()
    assert poller.poll(None, 1) == []
    poller.close()
    poller.wake()
    with pytest.raises(Closed):
        poller.poll(0, 1)
    assert poller.describe() == "a #0 waits for nothing"


def test_a_poll_that_waits_lets_time_pass_and_bytes_arrive() -> None:
    network = SimNetwork()
    near, far = pair(network)
    poller = network.host("client").poller()
    poller.register(near.handle, READABLE)
    with pytest.raises(AlreadyExists):
        poller.register(near.handle, READABLE)
    assert len(poller) == 1
    began_ns = network.clock.now_ns()
    assert poller.poll(777, 8) == []
    assert network.clock.now_ns() == began_ns + 777
    far.send([b"x"])
    assert poller.poll(None, 8) == [(near.handle, READABLE)]
    assert network.clock.now_ns() == began_ns + 777 + 100_000
    network.world.at(network.clock.now_ns() + 5, lambda _: poller.wake())
    read(near)
    assert poller.poll(None, 8) == []
    poller.close()


def test_whoever_did_not_fit_comes_first_next_time_and_many_are_counted() -> None:
    network = SimNetwork()
    listener = listen(network)
    ends = [connect(network) for _ in range(7)]
    network.settle()
    poller = network.host("client").poller()
    for end in ends:
        poller.register(end.handle, WRITABLE)
    handles = [end.handle for end in ends]
    seen = [handle for _ in range(4) for handle, _ in poller.poll(0, 2)]
    assert seen == [*handles, handles[0]]
    assert "and 2 more" in poller.describe()
    poller.modify(handles[0], 0)
    assert "to be broken" in poller.describe()
    poller.unregister(handles[1])
    assert len(listener.accept_batch(9)) == 7
    poller.close()


def test_partial_reads_delays_and_shortages_on_one_connection() -> None:
    with Faults() as faults:
        network = SimNetwork(faults=faults)
        near, far = pair(network)
        faults.on("send", host="client").partial(0).then.partial(2).delay(1_000_000)
        faults.on("recv", host="server").partial(0).then.partial(1)
        faults.on("recv", host="client", peer="server").reset()
        assert near.send([b"abc"]) == 3
        assert [near.flush(), near.flush()] == [1, 0]
        began_ns = network.clock.now_ns()
        network.settle()
        # What follows the late packet waits for it: the order of a stream is kept.
        assert network.clock.now_ns() - began_ns == 1_100_000
        assert far.recv_into(bytearray(8)) == WOULD_BLOCK
        assert far.recv_into(bytearray(8)) == 1
        assert read(far) == b"bc"
        far.send([b"x"])
        network.settle()
        with pytest.raises(ConnectionLost):
            near.recv_into(bytearray(1))
    with Faults() as faults:
        network = SimNetwork(faults=faults)
        near, _ = pair(network)
        faults.on("send").skip().exhaust()
        with pytest.raises(InvalidArgument, match="can not do that on send"):
            near.send([b"x"])
        faults.on("recv").skip()
        network = SimNetwork(faults=faults)
        near, far = pair(network)
        far.send([b"x"])
        network.settle()
        assert read(near) == b"x"


def test_a_direction_can_be_shaped_alone() -> None:
    network = SimNetwork()
    network.one_way("client", "server").shape(latency_ns=5)
    with pytest.raises(InvalidArgument):
        network.one_way("client", "server").shape(bandwidth_bytes_per_s=0)
    pair(network)
    assert network.clock.now_ns() == 100_005


def test_nobody_is_there() -> None:
    with pytest.raises(InvalidState, match="nobody is there"):
        World().run_until(lambda: False)
