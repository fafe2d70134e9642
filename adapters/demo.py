"""Demo: a chat server with a page for browsers, which talks to itself first to have something to show.

One port serves three things: the page to a plain ``GET /``, the chat to WebSocket connections at
``/chat/:name``, and a health check at ``/health``. It is a small application of the public interface and
nothing more.
"""

from __future__ import annotations

import sys
import threading
import webbrowser
from collections import deque

from ..api.connection import Connection
from ..api.errors import HioloadError
from ..api.handler import CloseEvent, OpenEvent
from ..api.http import Request, Response
from ..api.message import TEXT, Message
from ..api.transport import TcpAddress
from .blocking import connect
from .console import printable
from .demo_page import PAGE
from .server import Server

KEPT_LINES = 50
"""How much of the conversation a newcomer sees."""

LINES = ("Hello!", "Every line you type reaches everybody who has this page open.", "Grüße, 你好, 👋")
"""What the demo says to itself."""

_HTML = (("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-store"))


def chat_server(host: str, port: int) -> Server:
    """Return a chat server, not started."""
    app = Server(host, port, max_message_bytes=65_536)
    kept: deque[str] = deque(maxlen=KEPT_LINES)

    def say(line: str) -> None:
        kept.append(line)
        app.broadcast(line)

    @app.on_request
    def serve_page(request: Request) -> Response | None:
        if request.path == "/" and request.method == "GET" and request.header("Upgrade") is None:
            return Response(200, headers=_HTML, body=PAGE.encode())
        if request.path == "/health":
            return Response(200, body=b"ok\n")
        return None

    @app.on_open
    def welcome(event: OpenEvent) -> None:
        for line in kept:
            event.connection.send(line)
        say(f"* {_name(event.connection)} is here")

    @app.on_close
    def farewell(event: CloseEvent) -> None:
        say(f"* {_name(event.connection)} has left")

    @app.route("/chat/:name")
    def talk(connection: Connection, message: Message) -> None:
        if message.kind == TEXT:
            say(f"{_name(connection)}: {message.text}")

    return app


def run(host: str, port: int, *, browser: bool = False, once: bool = False) -> int:
    """Serve the chat until SIGINT or SIGTERM (``once``: until the first messages are through).

    Returns 0, or 1 when ``once`` was asked for and the messages did not get through. Errors as
    ``Server.start``.
    """
    app = chat_server(host, port)
    app.start()
    guest = _Guest(app, browser, once)
    # From within the loop: when its first line is printed, signals end the demo in an orderly way.
    app.post(guest.start)
    app.run()
    guest.join()
    return 1 if once and guest.failed else 0


class _Guest(threading.Thread):
    """Joins the chat, says a few things and shows what comes back; does not outlive the demo by much."""

    def __init__(self, app: Server, browser: bool, once: bool) -> None:
        super().__init__(name="demo's guest")
        address = app.address
        assert isinstance(address, TcpAddress)  # It listens where it was told to.
        self._app = app
        self._address = address
        self._browser = browser
        self._once = once
        self.failed = False

    def run(self) -> None:
        try:
            self._chat()
        except HioloadError as error:  # Ctrl-C came first, or the chat does not work
            self.failed = True
            print(f"hioload-ws: the demo's own visit ended early: {error}", file=sys.stderr, flush=True)
        finally:
            if self._once:
                self._app.shutdown()

    def _chat(self) -> None:
        print(f"listening on ws://{self._address}", flush=True)
        with connect(f"ws://{self._address}/chat/demo") as connection:
            for line in LINES:
                connection.send(line)
            seen_count = 0
            while seen_count < len(LINES):
                received = str(connection.receive(timeout_s=10.0))
                print("  received:", printable(received), flush=True)
                seen_count += received.startswith("demo: ")
        if not self._once:
            page = f"http://{self._address}/"
            print(f"open {page} in a browser to chat; Ctrl-C ends", flush=True)
            if self._browser:
                webbrowser.open(page)


def _name(connection: Connection) -> str:
    """Return the name that the path gives, shortened: a peer chose it."""
    return connection.params["name"][:30]


__all__ = ["KEPT_LINES", "LINES", "chat_server", "run"]
