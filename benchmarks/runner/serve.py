"""Serve: the servers that are compared, each in the fewest lines its authors recommend, and none with compression.

``/`` sends every message back to its sender; ``/all`` sends it to every connection, by the helper the library has for
that. Run as ``python -m hioload_ws.bench.serve NAME``: prints ``{"port": N}``, ends when standard input ends.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import os
import select
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..adapters.server import Server
from ..api.connection import Connection
from ..api.message import Message
from .scenario import COROUTINES, NO_CTYPES, OURS, RAW, UNCOUNTED, WORKERS
from .uncounted import load_uncounted

_LOOK_NS: Final = 100_000_000
_ROOM: Final = 256 * 1024
_MOST_BYTES: Final = 64 * 1024 * 1024


def _say(port: int) -> None:
    print(json.dumps({"port": port}), flush=True)


def _ready(port: int, stop: Callable[[], object]) -> None:
    """Say the port, and have ``stop`` called when the runner has gone; it must end the server from any thread."""
    _say(port)

    def watch() -> None:
        sys.stdin.read()
        stop()

    threading.Thread(target=watch, daemon=True).start()


def _end() -> None:
    """End this process at once: nothing is left that anybody wants."""
    os._exit(0)


def _ours(accelerator: str = "auto", workers: int = 1) -> Server:
    app = Server("127.0.0.1", 0, max_connections=20_000, mask_accelerator=accelerator, workers=workers)

    @app.route("/all")
    def tell_all(connection: Connection, message: Message) -> None:
        app.broadcast(message)

    return app


def _port(app: Server) -> int:
    return int(app.url.rpartition(":")[2])


def _run_ours(app: Server) -> None:
    app.start()
    _ready(_port(app), app.shutdown)
    app.run()


def hioload() -> None:
    """Our server, with a function as handler."""
    _run_ours(_callbacks(_ours()))


def coroutines() -> None:
    """Our server, with a coroutine per connection."""
    app = _ours()

    @app.route("/")
    async def send_back(connection: Connection) -> None:
        async for message in connection:
            connection.send(message)

    _run_ours(app)


def no_ctypes() -> None:
    """The same, without the accelerator that needs ctypes."""
    _run_ours(_callbacks(_ours("off")))


def uncounted() -> None:
    """The same, without the lines that count."""
    load_uncounted(f"{__package__}.serve").hioload()


def workers() -> None:
    """The same, in two processes that share the port."""
    app = _callbacks(_ours(workers=2))
    app.start()
    # A process that forks has one thread, so it is the supervisor's that looks whether the input has ended.
    app.scheduler.schedule_every(_LOOK_NS, lambda: app.shutdown() if select.select([sys.stdin], [], [], 0)[0] else None)
    _say(_port(app))
    app.run()


def _callbacks(app: Server) -> Server:
    @app.route("/")
    def send_back(connection: Connection, message: Message) -> None:
        connection.send(message)

    return app


def raw() -> None:
    """A TCP echo on one epoll: what pure Python costs before there is any protocol."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    listener.setblocking(False)
    poller = select.epoll()
    poller.register(listener, select.EPOLLIN)
    socks: dict[int, socket.socket] = {}
    pending: dict[int, bytearray] = {}
    room = bytearray(_ROOM)
    view = memoryview(room)
    door = listener.fileno()
    _ready(listener.getsockname()[1], _end)
    while True:
        for handle, event in poller.poll():
            if handle == door:
                sock, _ = listener.accept()
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                socks[sock.fileno()] = sock
                poller.register(sock, select.EPOLLIN)
                continue
            sock = socks[handle]
            if event & select.EPOLLOUT:
                _send_rest(poller, sock, pending)
                continue
            try:
                count = sock.recv_into(view)
                sent = sock.send(view[:count]) if count else 0
            except BlockingIOError:
                sent = 0
            except OSError:
                count = sent = 0
            if not count:
                del socks[handle]
                sock.close()
            elif sent < count:
                pending[handle] = bytearray(view[sent:count])
                poller.modify(handle, select.EPOLLOUT)


def _send_rest(poller: select.epoll, sock: socket.socket, pending: dict[int, bytearray]) -> None:
    rest = pending[sock.fileno()]
    del rest[: sock.send(rest)]
    if not rest:
        del pending[sock.fileno()]
        poller.modify(sock.fileno(), select.EPOLLIN)


def websockets() -> None:
    """PyPI websockets, its asyncio server with the C extension, and its ``broadcast``."""
    library: Any = importlib.import_module("websockets.asyncio.server")
    members: set[Any] = set()

    async def handle(connection: Any) -> None:
        if connection.request.path == "/all":
            members.add(connection)
            async for message in connection:
                library.broadcast(members, message)
        else:
            async for message in connection:
                await connection.send(message)

    async def main() -> None:
        options = {"compression": None, "max_size": _MOST_BYTES, "ping_interval": None, "backlog": 4096}
        async with library.serve(handle, "127.0.0.1", 0, **options) as server:
            _ready(server.sockets[0].getsockname()[1], _end)
            await asyncio.get_running_loop().create_future()

    asyncio.run(main())


def picows() -> None:
    """PyPI picows (Cython) on uvloop (C)."""
    library: Any = importlib.import_module("picows")
    loops: Any = importlib.import_module("uvloop")
    members: set[Any] = set()

    def on_ws_connected(self: Any, transport: Any) -> None:
        if transport.request.path == b"/all":
            members.add(transport)

    def on_ws_frame(self: Any, transport: Any, frame: Any) -> None:
        if frame.msg_type == library.WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        elif transport in members:
            payload = frame.get_payload_as_bytes()
            for each in members:
                each.send(frame.msg_type, payload)
        else:
            transport.send(frame.msg_type, frame.get_payload_as_memoryview())

    def on_ws_disconnected(self: Any, transport: Any) -> None:
        members.discard(transport)

    methods = {each.__name__: each for each in (on_ws_connected, on_ws_frame, on_ws_disconnected)}
    listener = type("Echo", (library.WSListener,), methods)

    async def main() -> None:
        server = await library.ws_create_server(
            lambda request: listener(),
            "127.0.0.1",
            0,
            max_frame_size=_MOST_BYTES,
            backlog=4096,
        )
        _ready(server.sockets[0].getsockname()[1], _end)
        await server.serve_forever()

    loops.run(main())


def aiohttp() -> None:
    """PyPI aiohttp, its parser in C."""
    web: Any = importlib.import_module("aiohttp.web")
    kind: Any = importlib.import_module("aiohttp").WSMsgType
    members: set[Any] = set()

    async def handle(request: Any) -> Any:
        connection = web.WebSocketResponse(compress=False, max_msg_size=_MOST_BYTES)
        await connection.prepare(request)
        if request.path == "/all":
            members.add(connection)
        async for message in connection:
            if message.type == kind.BINARY and request.path == "/all":
                for each in members:
                    await each.send_bytes(message.data)
            elif message.type == kind.BINARY:
                await connection.send_bytes(message.data)
        members.discard(connection)
        return connection

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/", handle)
        app.router.add_get("/all", handle)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
        await site.start()
        _ready(runner.addresses[0][1], _end)
        await asyncio.get_running_loop().create_future()

    asyncio.run(main())


SERVERS: Final[Mapping[str, Callable[[], None]]] = {
    OURS: hioload,
    COROUTINES: coroutines,
    NO_CTYPES: no_ctypes,
    UNCOUNTED: uncounted,
    WORKERS: workers,
    RAW: raw,
    "websockets": websockets,
    "picows": picows,
    "aiohttp": aiohttp,
}


def main(name: str) -> None:
    """Run one server until standard input ends."""
    # What a peer logs about clients that hang up is no part of what is measured, nor of the table.
    logging.disable(logging.ERROR)
    SERVERS[name]()


if __name__ == "__main__":
    main(sys.argv[1])
