"""A crowd of clients that talk to one server under faults: what the tests of scale and of equal traces play.

Run as a program, with a number of clients and each one's share of messages, it prints the digest of what happened.
"""

from __future__ import annotations

import sys

from hioload_ws.adapters import Client, Server
from hioload_ws.api import CloseEvent, Connection, Message, OpenEvent
from hioload_ws.fake.faults import Faults
from hioload_ws.fake.network import SimNetwork

MS = 1_000_000
SECOND = 1000 * MS
BURST = 10


class Crowd:
    """Clients that send bursts and wait for the echoes, until each has sent its share."""

    def __init__(self, client_count: int, share: int, faults: Faults) -> None:
        script = faults.on("send", nth=client_count * 3 // 2, host="client")
        for _ in range(10):
            script.partial(7).then.delay(40 * MS).then.reset().then.skip(client_count // 10).then  # noqa: B018
        script.skip()
        self.network = SimNetwork(seed=3, faults=faults)
        self.network.link("client", "server", latency_ns=5 * MS, jitter_ns=3 * MS, bandwidth_bytes_per_s=10**9)
        seams = self.network.host("server").seams
        self.server = Server("server", 9001, max_connections=client_count, **seams)
        self.server.route("/")(lambda connection, message: connection.send(message))
        self.network.serve(self.server)
        self.received_count = self.broken_count = self.ended_count = 0
        for _ in range(client_count):
            self.network.connect(self._client(share))
        self.network.run_until(lambda: self.ended_count == client_count, limit_ns=600 * SECOND)
        self.server.shutdown()
        self.network.run_for(SECOND)

    def _client(self, share: int) -> Client:
        client = Client("ws://server:9001/", read_buffer_bytes=2048, **self.network.host("client").seams)
        left = [share, 0]

        def burst(connection: Connection) -> None:
            if not left[0]:
                connection.close()
            left[1] = min(BURST, left[0])
            for _ in range(left[1]):
                left[0] -= 1
                connection.send(b"x" * 32)

        def count(connection: Connection, message: Message) -> None:
            self.received_count += 1
            left[1] -= 1
            if not left[1]:
                burst(connection)

        def opened(event: OpenEvent) -> None:
            burst(event.connection)

        def closed(event: CloseEvent) -> None:
            self.ended_count += 1
            self.broken_count += event.code != 1000

        client.on_open(opened)
        client.on_message(count)
        client.on_close(closed)
        return client


def play(client_count: int, share: int) -> str:
    """Let a crowd talk under faults and check what it got; return the digest of what happened."""
    with Faults() as faults:
        crowd = Crowd(client_count, share, faults)
    assert crowd.broken_count == 10
    assert (client_count - 10) * share <= crowd.received_count < client_count * share
    assert crowd.network.connection_count == 0
    return crowd.network.trace_hash


if __name__ == "__main__":
    print(play(int(sys.argv[1]), int(sys.argv[2])))
