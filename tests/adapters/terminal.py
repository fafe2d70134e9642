"""A terminal for the console's tests: what is typed, what is shown, and a server to talk to."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hioload_ws import Connection, Message, Server

CERTIFICATES = Path(__file__).parent.parent / "transport" / "certs"
PATIENCE_S = 20.0


class Terminal:
    """A pipe to type into, and a place where everything that is shown ends up."""

    def __init__(self) -> None:
        self.input_fd, self._typing_fd = os.pipe()
        self._typing = True
        self.output = io.StringIO()

    def type(self, text: str | bytes) -> None:
        """Type; blocks while the pipe is full."""
        data = text.encode() if isinstance(text, str) else text
        while data:
            data = data[os.write(self._typing_fd, data) :]

    def end(self) -> None:
        """The input ends."""
        if self._typing:
            self._typing = False
            os.close(self._typing_fd)

    @property
    def lines(self) -> list[str]:
        """What was shown."""
        return self.output.getvalue().splitlines()


def wait_for_readers() -> None:
    """Wait until no thread reads the input any more."""
    for thread in threading.enumerate():
        if thread.daemon:
            thread.join(PATIENCE_S)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Return a terminal that is cleaned up, reading thread included."""
    terminal = Terminal()
    yield terminal
    terminal.end()
    wait_for_readers()
    os.close(terminal.input_fd)


@pytest.fixture
def app() -> Server:
    """Return an echo server that ends a conversation when it is told ``bye``, not started."""
    app = Server("127.0.0.1", 0, subprotocols=["chat"])

    @app.on_message
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)
        if bytes(message.data) == b"bye":
            connection.close(1000, "bye bye")

    return app
