"""Live servers, as the tests on real sockets need them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from hioload_ws import Connection, Message, Server

CERTIFICATES = Path(__file__).parent.parent / "transport" / "certs"
PATIENCE_S = 20.0


def echo_server(**settings: object) -> Server:
    """Return an echo server on a free port, not started."""
    app = Server("127.0.0.1", 0, **settings)  # type: ignore[arg-type]  # settings of a test

    @app.on_message
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)

    return app


def run_on(app: Server, function: Callable[[], object]) -> None:
    """Run ``function`` on the server's thread and wait for it."""
    done = threading.Event()

    def run() -> None:
        try:
            function()
        finally:
            done.set()

    assert app.post(run)
    assert done.wait(PATIENCE_S)
