"""Coroutine handlers on the simulated network: hours of sleep, and workers without threads."""

from __future__ import annotations

from hioload_ws.adapters import Client, Server
from hioload_ws.api import Connection, Message
from hioload_ws.fake.network import SimNetwork
from hioload_ws.internal.coroutines import in_worker, sleep

HOUR_NS = 3600 * 1_000_000_000


def talk() -> tuple[list[str], int, str]:
    """Let a client's coroutine talk to a server's; return what it heard, how long it took, and the trace."""
    network = SimNetwork(seed=7)
    server = Server("server", 9001, **network.host("server").seams)
    heard: list[str] = []

    @server.route("/")
    async def answer(connection: Connection, message: Message) -> None:
        await sleep(3600)
        connection.send(await in_worker(message.text.upper))

    client = Client("ws://server:9001/", **network.host("client").seams)

    @client.on_message
    async def ask(connection: Connection) -> None:
        for question in ("one", "two"):
            connection.send(question)
            heard.append((await connection.receive()).text)

    network.serve(server)
    network.connect(client)
    network.run_until(lambda: client.ended)
    return heard, network.clock.now_ns(), network.trace_hash


def test_a_coroutine_waits_for_hours_in_no_time_and_each_run_is_the_same() -> None:
    heard, now_ns, trace = talk()
    assert heard == ["ONE", "TWO"]
    assert 2 * HOUR_NS <= now_ns < 2.01 * HOUR_NS
    assert (heard, now_ns, trace) == talk()
