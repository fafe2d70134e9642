"""A WebSocket server that other people wrote (the `websockets` package), for our client to speak to."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Sequence
from typing import Final

import websockets.asyncio.server as foreign
from websockets.typing import Subprotocol

SUBPROTOCOLS: Final = [Subprotocol("second"), Subprotocol("third")]


def choose(connection: foreign.ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Return the first offered subprotocol that is one of ours; a client need not offer any."""
    return next((each for each in offered if each in SUBPROTOCOLS), None)


class ForeignServer:
    """A server made with the `websockets` package, on an event loop in a thread of its own.

    What a connection does is chosen by the path: `/` echoes; the others are named after what they do.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, unix_path: str | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server = self._run_start(tls, unix_path)

    def _run_start(self, tls: ssl.SSLContext | None, unix_path: str | None) -> foreign.Server:
        async def start() -> foreign.Server:
            if unix_path is not None:
                return await foreign.unix_serve(self._serve, unix_path, max_size=None)
            return await foreign.serve(
                self._serve, "127.0.0.1", 0, ssl=tls, max_size=None, select_subprotocol=choose
            )

        return asyncio.run_coroutine_threadsafe(start(), self._loop).result(10)

    @property
    def port(self) -> int:
        """The port it listens on."""
        port = next(iter(self._server.sockets)).getsockname()[1]
        assert isinstance(port, int)
        return port

    @staticmethod
    async def _serve(connection: foreign.ServerConnection) -> None:
        assert connection.request is not None
        match connection.request.path:
            case "/fragments":
                await connection.send(["one ", "two ", "three"])
                await connection.send([b"1", b"", b"23"])
            case "/at-once":
                # Nothing is awaited between the response and this, so both can lie in one segment.
                await connection.send("at once")
            case "/ping":
                waiter = await connection.ping(b"are you there")
                await asyncio.wait_for(waiter, 10)
                await connection.send("pong seen")
            case "/close-4321":
                await connection.close(4321, "because")
            case "/vanish":
                connection.transport.abort()
            case "/subprotocol":
                await connection.send(str(connection.subprotocol))
            case _:
                async for message in connection:
                    await connection.send(message)

    def close(self) -> None:
        """Close the server and its connections, and end the thread."""

        async def stop() -> None:
            self._server.close()
            await self._server.wait_closed()

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


__all__ = ["ForeignServer"]
