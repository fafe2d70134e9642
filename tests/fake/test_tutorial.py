"""How to test a program that uses this library without sockets, threads, sleeps or luck.

Read it from the top; nothing here is needed elsewhere. The program is ``chat``: what one says, all hear, and whoever
shouts is shown out. First its handler is tested alone, then the whole of it on a simulated network
with latency, a partition and a reset, in virtual time.
"""

from __future__ import annotations

from hioload_ws import Client, Server
from hioload_ws.api import Connection, Message
from hioload_ws.fake import FakeConnection, SimNetwork

SECOND = 1_000_000_000


def censor(connection: Connection, message: Message) -> None:
    """Repeat what is decent, and close the connection of who shouts."""
    if message.text.isupper():
        connection.close(4000, "no shouting")
    else:
        connection.send(message)


def test_the_handler_alone() -> None:
    connection = FakeConnection("/chat")
    connection.deliver(censor, "hello")
    connection.deliver(censor, "HELLO")
    assert connection.sent == ["hello"]
    assert connection.close_sent == (4000, "no shouting")
    connection.pool.check_leaks()


def chat(network: SimNetwork) -> Server:
    """Return the program, running on host ``server``."""
    app = Server("server", 9001, ping_interval_s=5.0, ping_timeout_s=5.0, **network.host("server").seams)

    @app.route("/chat")
    def say(connection: Connection, message: Message) -> None:
        app.broadcast(message)

    network.serve(app)
    return app


def guest(network: SimNetwork, name: str, heard: list[str]) -> Client:
    """Return a client on a host of its own that says its name and notes what it hears."""
    client = Client("ws://server:9001/chat", **network.host(name).seams)
    client.on_open(lambda event: event.connection.send(name))
    client.on_message(lambda connection, message: heard.append(message.text))
    network.link(name, "server", latency_ns=30_000_000)
    network.connect(client)
    return client


def test_all_hear_what_one_says_also_after_a_partition() -> None:
    network = SimNetwork(seed=1)
    app = chat(network)
    ann_heard: list[str] = []
    bob_heard: list[str] = []
    guest(network, "ann", ann_heard)
    bob = guest(network, "bob", bob_heard)
    network.run_until(lambda: sorted(bob_heard) == ["ann", "bob"])

    network.partition("ann", "server")
    assert bob.connection is not None
    bob.connection.send("are you there?")
    network.run_for(2 * SECOND)  # which takes no time
    assert bob_heard[-1] == "are you there?" != ann_heard[-1]
    network.heal("ann", "server")
    network.run_until(lambda: ann_heard[-1] == "are you there?", limit_ns=SECOND)

    app.shutdown()
    network.run_for(SECOND)
    assert bob.closed_event is not None
    assert bob.closed_event.code == 1001


def test_a_guest_that_vanishes_is_missed_after_two_pings() -> None:
    network = SimNetwork(seed=1)
    app = chat(network)
    heard: list[str] = []
    ann = guest(network, "ann", heard)
    network.run_until(lambda: heard == ["ann"])
    network.crash("ann")
    network.run_until(lambda: app.connection_count == 0, limit_ns=11 * SECOND)
    ann.close()
    app.shutdown()
    network.run_for(SECOND)
