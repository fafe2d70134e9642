"""Cost of the room of fakes: messages through the simulated network, calls on a virtual clock, poisoned memory.

Run with ``pytest benchmarks/test_fake.py``. Every benchmark asserts that what it measured was done right.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hioload_ws.adapters import Client, Server
from hioload_ws.api import Connection, Message
from hioload_ws.fake import FakeBufferPool, SimNetwork, VirtualClock, virtual_scheduler

MESSAGES = 500


@pytest.mark.parametrize("clients", [1, 50])
def test_messages_through_the_simulated_network(benchmark: BenchmarkFixture, clients: int) -> None:
    """A real server and real clients, from the first connection to the last; each message goes there and back."""

    def world() -> int:
        network = SimNetwork(seed=1)
        network.link("client", "server", latency_ns=1_000_000)
        app = Server("server", 9001, **network.host("server").seams)
        app.route("/")(lambda connection, message: connection.send(message))
        network.serve(app)
        left = [MESSAGES // clients] * clients

        def connect(number: int) -> Client:
            client = Client("ws://server:9001/", **network.host("client").seams)

            def answer(connection: Connection, message: Message) -> None:
                left[number] -= 1
                if left[number]:
                    connection.send(message)
                else:
                    connection.close()

            client.on_open(lambda event: event.connection.send(b"x" * 32))
            client.on_message(answer)
            network.connect(client)
            return client

        crowd = [connect(number) for number in range(clients)]
        network.run_until(lambda: all(client.ended for client in crowd))
        app.shutdown()
        network.run_for(1_000_000_000)
        return sum(left)

    assert benchmark(world) == 0


def test_calls_on_a_virtual_clock(benchmark: BenchmarkFixture) -> None:
    def calls() -> int:
        clock = VirtualClock()
        scheduler = virtual_scheduler(clock)
        seen: list[int] = []
        for number in range(1000):
            scheduler.schedule(1 + number * 7919 % 1000, lambda: seen.append(1))
        clock.advance(1000)
        scheduler.run_due(1000)
        return len(seen)

    assert benchmark(calls) == 1000


def test_acquire_and_release_of_poisoned_memory(benchmark: BenchmarkFixture) -> None:
    pool = FakeBufferPool()

    def turns() -> int:
        for _ in range(100):
            pool.acquire(1000).release()
        return pool.stats().in_use_count

    assert benchmark(turns) == 0
