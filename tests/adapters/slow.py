"""Coroutine handlers that take their time, and connections with them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from hioload_ws.adapters.connection import WebSocketConnection
from hioload_ws.adapters.routing import compose
from hioload_ws.api import BINARY, AnyHandler, Connection
from hioload_ws.internal.coroutines import sleep
from tests.adapters.bench import Bench, Peer


def open_with(bench: Bench, handler: AnyHandler) -> tuple[WebSocketConnection, Peer]:
    """Let a peer connect to this handler."""
    bench.router.fallback = compose(handler, ())
    return bench.open()


async def echo(connection: Connection) -> None:
    async for message in connection:
        connection.send(message)


class Log:
    """A handler that takes its time, and writes down what happens."""

    def __init__(self, wait: Callable[[], Awaitable[object]] = lambda: sleep(1)) -> None:
        self.lines: list[object] = []
        self.errors: list[BaseException] = []
        self._wait = wait

    async def slowly(self, connection: Connection) -> None:
        try:
            async for message in connection:
                self.lines.append(message.copy())
                await self._wait()
                self.lines.append("done")
            self.lines.append("over")
        except BaseException as error:
            self.errors.append(error)
            raise


def feed(peer: Peer, *payloads: bytes) -> None:
    """Let messages arrive in one read."""
    peer.transport.feed(b"".join(peer.encode(BINARY, payload) for payload in payloads))
