"""Your handlers under test without a socket: the real server and the real client on a simulated network.

Run it with ``python examples/without_sockets.py``. Only what they stand on is replaced (transports, clock, poller),
so an hour of silence takes no time, a link can be as slow as we like, and each run takes the same path.
"""

from __future__ import annotations

from hioload_ws import Client, CloseEvent, Connection, Message, OpenEvent, Server
from hioload_ws.fake.network import SimNetwork

SECOND_NS = 1_000_000_000


def shout(connection: Connection, message: Message) -> None:
    """The handler under test: a plain function of a connection and a message."""
    connection.send(message.text.upper())


def main() -> None:
    """Ask across a slow link, then be silent until the server has had enough."""
    network = SimNetwork(seed=7)
    network.link("laptop", "cloud", latency_ns=SECOND_NS // 5)
    server = Server("cloud", 80, idle_timeout_s=3600.0, **network.host("cloud").seams)
    server.on_message(shout)
    client = Client("ws://cloud/", **network.host("laptop").seams)

    def moment() -> str:
        return f"{network.clock.now_ns() / SECOND_NS:7.1f} s"

    @client.on_open
    def ask(event: OpenEvent) -> None:
        print(f"{moment()}  open")
        event.connection.send("can you hear me?")

    @client.on_message
    def hear(connection: Connection, message: Message) -> None:
        print(f"{moment()}  {message.text}")

    @client.on_close
    def end(event: CloseEvent) -> None:
        print(f"{moment()}  closed: {event.code} {event.reason}")

    network.serve(server)
    network.connect(client)
    network.run_until(lambda: client.ended)
    server.shutdown()
    network.settle()


if __name__ == "__main__":
    main()
