"""A scene on a simulated network: a server in the cloud, and clients that come back to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hioload_ws import Client, Connection, Message, OpenEvent, Response, Server
from hioload_ws.adapters.backoff import Backoff
from hioload_ws.adapters.blocking import BlockingConnection
from hioload_ws.adapters.reconnect import Attempt, Reconnect, WaitEvent, reconnecting
from hioload_ws.fake.network import SimNetwork

SECOND_NS = 1_000_000_000
QUICK = Backoff(first_s=4.0, max_s=16.0)


class Scene:
    """A server that can be taken down and brought up, and clients that come back to it."""

    def __init__(self) -> None:
        self.network = SimNetwork(seed=1)
        self.answer: Response | None = None
        self.waits: list[float] = []
        self.outcomes: list[object] = []
        self.opened_s: list[float] = []
        self.errors: list[BaseException] = []

    def up(self) -> Server:
        server = Server("cloud", 80, shutdown_timeout_s=1.0, **self.network.host("cloud").seams)
        server.on_message(self.serve)
        server.on_request(lambda request: self.answer)
        self.network.serve(server)
        return server

    def serve(self, connection: Connection, message: Message) -> None:
        """Echo, or close with the code that the text is."""
        if message.text.isdigit():
            connection.close(int(message.text))
        else:
            connection.send(message)

    def now_s(self) -> float:
        return self.network.clock.now_ns() / SECOND_NS

    def at(self, when_s: float, function: Callable[[], object]) -> None:
        self.network.world.at(round(when_s * SECOND_NS), lambda _: function())

    def client(self, **options: object) -> Client:
        client = Client("ws://cloud/", **self.network.host("me").seams, **options)  # type: ignore[arg-type]  # a test's
        client.on_open(lambda event: self.opened_s.append(self.now_s()))
        return client

    def reconnect(
        self, prepare: Callable[[Client], object] = lambda client: None, backoff: Backoff = QUICK, **options: object
    ) -> Reconnect:
        def make() -> Client:
            client = self.client(**options)
            prepare(client)
            return client

        seams = self.network.host("me").seams
        made = Reconnect(
            make, backoff, random=lambda: 0.5, clock=seams["clock"], poller=seams["poller"],
            on_error=lambda error, origin: self.errors.append(error),
        )  # fmt: skip

        @made.on_wait
        def note(event: WaitEvent) -> None:
            self.waits.append(event.delay_s)
            self.outcomes.append(event.outcome)
            assert event.failure_count <= len(self.waits)

        return made

    def blocking(self, url: str = "ws://cloud/") -> BlockingConnection:
        return BlockingConnection(Client(url, **self.network.host("me").seams), None)

    def attempts(self, backoff: Backoff = QUICK) -> Iterator[Attempt]:
        def wait(seconds: float) -> None:
            self.waits.append(seconds)
            self.network.run_for(round(seconds * SECOND_NS))

        return reconnecting(
            self.blocking, backoff, random=lambda: 0.5, wait=wait, clock=self.network.clock
        )


def say(text: str) -> Callable[[Client], object]:
    """Return a preparation: say something once the connection is open."""

    def prepare(client: Client) -> None:
        @client.on_open
        def begin(event: OpenEvent) -> None:
            event.connection.send(text)

    return prepare
