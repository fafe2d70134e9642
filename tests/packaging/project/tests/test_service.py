"""A service of this project, tested without sockets, threads or waiting."""

from __future__ import annotations

import pytest
from hioload_ws import Client, Connection, Message, OpenEvent, Server
from hioload_ws.fake import FakeBufferPool, FakeTopology, Faults, SimNetwork, VirtualClock

SECOND_NS = 1_000_000_000


def shout(connection: Connection, message: Message) -> None:
    connection.send(message.text.upper())


def test_an_answer_comes_back_across_a_slow_link(sim_network: SimNetwork, fake_clock: VirtualClock) -> None:
    sim_network.link("laptop", "cloud", latency_ns=SECOND_NS)
    server = Server("cloud", 80, **sim_network.host("cloud").seams)
    server.on_message(shout)
    client = Client("ws://cloud/", **sim_network.host("laptop").seams)
    heard: list[str] = []

    @client.on_open
    def ask(event: OpenEvent) -> None:
        event.connection.send("hello")

    @client.on_message
    def hear(connection: Connection, message: Message) -> None:
        heard.append(message.text)
        connection.close()

    sim_network.serve(server)
    sim_network.connect(client)
    sim_network.run_until(lambda: client.ended)
    assert heard == ["HELLO"]
    assert fake_clock.now_ns() >= 4 * SECOND_NS
    server.shutdown()
    sim_network.settle()


@pytest.mark.machine("4x8, distance 10/21")
def test_a_machine_that_nobody_here_has(topology: FakeTopology) -> None:
    assert len(topology.nodes) == 4


def test_memory_that_runs_out(fake_pool: FakeBufferPool, faults: Faults) -> None:
    faults.on("acquire", nth=2).exhaust()
    with fake_pool.acquire(64) as buffer:
        assert len(buffer) == 64
    assert fake_pool.try_acquire(64) is None
