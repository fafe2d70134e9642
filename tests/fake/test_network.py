"""The real server and client run on the simulated network, and meet there what goes wrong on real ones."""

from __future__ import annotations

import pytest

from hioload_ws.adapters import Client, Server
from hioload_ws.api import (
    CloseEvent,
    Connection,
    ConnectionLost,
    InvalidArgument,
    InvalidState,
    Message,
    TimedOut,
)
from hioload_ws.fake.clock import DEFAULT_UNIX_NS
from hioload_ws.fake.faults import Faults
from hioload_ws.fake.network import SimNetwork

MS = 1_000_000
SECOND = 1000 * MS


class Scene:
    """A server that echoes on host ``server``, and clients on host ``client``."""

    def __init__(self, network: SimNetwork, **settings: object) -> None:
        self.network = network
        self.errors: list[BaseException] = []
        self.server = Server(
            "server", 9001, on_error=self._note, **network.host("server").seams, **settings  # type: ignore[arg-type]
        )
        self.server.route("/")(self.echo)
        self.closed: list[CloseEvent] = []
        self.server.on_close(self.closed.append)
        self.got: list[bytes] = []
        network.serve(self.server)

    def _note(self, error: BaseException, origin: object) -> None:
        self.errors.append(error)

    def echo(self, connection: Connection, message: Message) -> None:
        connection.send(message)

    def client(self, *messages: bytes, **settings: object) -> Client:
        """Connect a client that sends ``messages`` and closes after as many answers."""
        client = Client(
            "ws://server:9001/",
            on_error=self._note,
            **self.network.host("client").seams,
            **settings,  # type: ignore[arg-type]
        )
        left = [len(messages)]

        @client.on_open
        def send_all(event: object) -> None:
            assert client.connection is not None
            for message in messages:
                client.connection.send(message)

        @client.on_message
        def count(connection: Connection, message: Message) -> None:
            self.got.append(message.copy())
            left[0] -= 1
            if not left[0]:
                connection.close()

        self.network.connect(client)
        return client

    def end(self) -> None:
        """Shut the server down, and see to it that nothing is left."""
        assert not self.server.shutdown()
        self.network.run_for(60 * SECOND)
        assert self.server.shutdown()
        assert self.network.connection_count == 0
        assert self.errors == []


def test_server_and_client_talk_with_the_latency_of_the_link() -> None:
    network = SimNetwork()
    network.link("client", "server", latency_ns=20 * MS)
    scene = Scene(network)
    client = scene.client(b"one", b"two")
    network.run_until(lambda: len(scene.got) == 2)
    # One way each: request to connect, answer, handshake, its answer, messages, echoes.
    assert network.clock.now_ns() == 6 * 20 * MS
    network.run_until(lambda: client.ended)
    assert (scene.got, client.closed_event and client.closed_event.code) == ([b"one", b"two"], 1000)
    scene.end()
    assert [event.code for event in scene.closed] == [1000]


def play(seed: int, *, shuffle: bool = False) -> str:
    """Let fifty clients talk under faults, and return the digest of what happened."""
    with Faults() as faults:
        faults.on("send", nth=80, host="client").partial(7).then.reset()
        faults.on("send", nth=60, host="server").delay(30 * MS)
        faults.on("recv", nth=70).partial(3)
        network = SimNetwork(seed=seed, shuffle=shuffle, faults=faults)
        network.link("client", "server", latency_ns=5 * MS, jitter_ns=3 * MS, bandwidth_bytes_per_s=10_000_000)
        scene = Scene(network)
        clients = [scene.client(*(b"x" * (number * 37 + each) for each in range(8))) for number in range(50)]
        network.run_until(lambda: all(client.ended for client in clients))
    assert 8 * 49 <= len(scene.got) < 8 * 50
    scene.end()
    return network.trace_hash


def test_a_run_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    digest = play(1)
    assert digest == play(1)
    assert digest != play(2)
    assert play(3, shuffle=True) == play(3, shuffle=True)


def test_a_partition_delays_and_nothing_is_lost() -> None:
    network = SimNetwork()
    scene = Scene(network)
    client = scene.client(b"hello", b"again")
    network.run_until(lambda: client.connection is not None)
    network.partition("client", "server")
    network.run_for(5 * SECOND)
    assert scene.got == []
    network.heal("client", "server")
    network.run_until(lambda: client.ended, limit_ns=SECOND)
    assert scene.got == [b"hello", b"again"]
    scene.end()


def test_a_partition_that_lasts_is_noticed_by_the_keep_alive_of_both() -> None:
    network = SimNetwork()
    scene = Scene(network, ping_interval_s=1.0, ping_timeout_s=1.0)
    client = scene.client(b"x", ping_interval_s=1.0, ping_timeout_s=1.0)
    network.run_until(lambda: client.connection is not None)
    network.partition("client", "server")
    network.run_for(5 * SECOND)
    assert client.closed_event is not None
    assert isinstance(client.closed_event.error, TimedOut)
    assert [type(event.error) for event in scene.closed] == [TimedOut]
    network.heal("client", "server")
    scene.end()


def test_a_host_that_crashes_says_nothing_and_is_found_out() -> None:
    network = SimNetwork()
    scene = Scene(network, ping_interval_s=1.0, ping_timeout_s=1.0)
    client = scene.client(b"x")
    network.run_until(lambda: client.connection is not None)
    network.crash("client")
    network.run_for(5 * SECOND)
    assert [type(event.error) for event in scene.closed] == [TimedOut]
    client.close()
    scene.end()


def test_connecting_to_a_crashed_host_runs_into_the_time_limit() -> None:
    network = SimNetwork()
    scene = Scene(network)
    network.crash("server")
    client = scene.client(b"x", handshake_timeout_s=3.0)
    network.run_until(lambda: client.ended)
    assert isinstance(client.failure, TimedOut)
    assert 3 * SECOND <= network.clock.now_ns() < 4 * SECOND
    scene.server.shutdown()


def test_a_reset_reaches_both_ends() -> None:
    network = SimNetwork()
    scene = Scene(network)
    client = scene.client(b"x", b"y")
    network.run_until(lambda: client.connection is not None)
    assert network.reset("client", "server") == 2
    network.run_until(lambda: client.ended and bool(scene.closed))
    assert client.closed_event is not None
    assert isinstance(client.closed_event.error, ConnectionLost)
    assert isinstance(scene.closed[0].error, ConnectionLost)
    scene.end()


def test_a_slow_reader_holds_the_writer_back_and_gets_everything() -> None:
    network = SimNetwork(window_bytes=4096)
    network.slow_reader("client", "server", 100_000)
    scene = Scene(network)
    client = scene.client(bytes(300_000))
    network.run_until(lambda: bool(scene.server.connection_count) and any(
        connection.pending_bytes > 200_000 for connection in scene.server.connections
    ))
    network.run_until(lambda: client.ended)
    assert [len(message) for message in scene.got] == [300_000]
    assert network.clock.now_ns() >= 3 * SECOND
    scene.end()


def test_nobody_listens_and_nobody_is_called_so() -> None:
    network = SimNetwork()
    network.host("server")
    client = Client("ws://server:1/", **network.host("client").seams)
    network.connect(client)
    network.run_until(lambda: client.ended)
    assert isinstance(client.failure, ConnectionLost)
    with pytest.raises(ConnectionLost, match="no such host"):
        network.connect(Client("ws://nowhere/", **network.host("client").seams))


def test_a_full_queue_is_asked_again_until_there_is_room() -> None:
    network = SimNetwork()
    with Faults() as faults:
        network = SimNetwork(faults=faults)
        faults.on("accept").exhaust()
        scene = Scene(network, backlog=1)
        clients = [scene.client(b"x") for _ in range(3)]
        network.run_until(lambda: all(client.ended for client in clients))
    assert len(scene.got) == 3
    assert network.clock.now_ns() > SECOND
    assert [type(error).__name__ for error in scene.errors] == ["ResourceExhausted"]
    scene.errors.clear()
    scene.end()


def test_a_blocking_client_lets_the_server_go_on_while_it_waits() -> None:
    network = SimNetwork()
    scene = Scene(network)
    client = Client("ws://server:9001/", **network.host("client").seams)
    client.on_open(lambda event: event.connection.send("hello"))
    client.on_message(lambda connection, message: connection.close(4000, message.text))
    assert client.run().code == 4000
    scene.end()


def test_a_deadlock_is_named() -> None:
    network = SimNetwork()
    scene = Scene(network, ping_interval_s=0.0)
    with pytest.raises(InvalidState, match=r"deadlock: .*server #0 waits for 1 to be READABLE"):
        network.run_until(lambda: bool(scene.got))
    with pytest.raises(InvalidState, match="did not come to pass"):
        network.run_until(lambda: bool(scene.got), limit_ns=SECOND)
    scene.server.shutdown()
    network.settle()


def test_a_post_to_another_reactor_is_run() -> None:
    network = SimNetwork()
    scene = Scene(network, ping_interval_s=0.0)
    ran: list[int] = []
    client = scene.client(b"x", ping_interval_s=0.0)
    client.on_close(lambda event: scene.server.post(lambda: ran.append(1)))
    network.run_until(lambda: bool(ran))
    scene.end()


def test_scripted_faults_of_every_kind_are_obeyed() -> None:
    with Faults() as faults:
        faults.on("connect").step_clock(SECOND)
        faults.on("connect", nth=2).reset()
        faults.on("connect", nth=3).exhaust()
        faults.on("connect", nth=4).fail(OSError("no route"))
        faults.on("connect", nth=5).duplicate()
        network = SimNetwork(faults=faults)
        scene = Scene(network)
        client = scene.client(b"x")
        assert network.clock.unix_ns() == DEFAULT_UNIX_NS + SECOND
        for kind in ("ConnectionLost", "ResourceExhausted", "OSError", "InvalidArgument"):
            with pytest.raises(Exception) as caught:
                scene.client(b"x")
            assert type(caught.value).__name__ == kind
        network.run_until(lambda: client.ended)
        scene.end()


def test_duplicated_bytes_break_one_connection_in_an_orderly_way() -> None:
    with Faults() as faults:
        network = SimNetwork(faults=faults)
        scene = Scene(network)
        faults.on("send", host="client").duplicate()
        client = scene.client(b"x")
        network.run_until(lambda: client.ended, limit_ns=60 * SECOND)
    assert scene.errors == []
    scene.end()


def test_what_makes_no_network_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        SimNetwork(latency_ns=0)
    network = SimNetwork()
    with pytest.raises(InvalidArgument):
        network.host("localhost")
    with pytest.raises(InvalidArgument):
        network.link("a", "b", latency_ns=0)
    with pytest.raises(InvalidArgument):
        network.run_for(-1)
    stranger = Client("ws://b/", **SimNetwork().host("b").seams)
    with pytest.raises(InvalidArgument, match="seams"):
        network.connect(stranger)
    stranger.close()
    server = Server("server", 9001, registry=network.host("server").registry, clock=network.clock)
    with pytest.raises(InvalidArgument):
        network.serve(server)
    server.shutdown()
