"""Console: an interactive client for a terminal or a pipe.

Lines from standard input become text messages; messages from the server are printed behind ``<``. A line
that begins with a slash is a command: ``/ping [TEXT]``, ``/close [CODE [REASON]]``; ``//`` sends a line that
begins with one. The end of the input (Ctrl-D) closes the connection politely, after what was typed has been
sent. But not at once: messages that arrive after our close frame are discarded, and the answers to the last
lines of a pipe would be among them.

Standard input may be a file, which no poller can watch, so a thread reads it and posts the lines to the
client's reactor. It reads with ``os.read``, not through ``sys.stdin``: a daemon thread that waits inside a
buffered reader keeps its lock, and Python aborts when it can't take that lock at exit.

A file is read faster than a network takes it. So there is room for a number of lines only, and a line gives
its room back when the connection has few bytes left to send: nothing is lost, and memory stays bounded.

What a peer wrote is shown with its control characters escaped: a terminal obeys them, and a server must not
be able to command it.
"""

from __future__ import annotations

import os
import sys
import threading
from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final, TextIO

from ..api.connection import Connection
from ..api.errors import ConnectionLost, HioloadError, InvalidArgument, InvalidState
from ..api.handler import CloseEvent, OpenEvent
from ..api.message import TEXT, Message
from ..api.session import SessionStatus
from .client import Client
from .tls import client_context

CLEAN_CODES: Final = (1000, 1001, 1005)
"""Codes a server may close with and nothing is wrong: done, going away, none given (RFC 6455 §7.4.1)."""

MAX_LINES: Final = 256
"""Most lines that were read and not sent yet."""

MAX_PENDING_BYTES: Final = 1024 * 1024
"""Lines give their room back while the connection has at most this much to send."""

WAIT_S: Final = 0.5
"""How long answers may come after the end of the input."""

_SHOWN_BYTES: Final = 64
_ESCAPES: Final = {
    number: f"\\x{number:02x}" for number in (*range(0x20), *range(0x7F, 0xA0)) if chr(number) not in "\t\n"
}


def run(
    url: str,
    *,
    headers: Sequence[str] = (),
    subprotocols: Sequence[str] = (),
    ca_file: str | None = None,
    unix: str | None = None,
    wait_s: float = WAIT_S,
    input_fd: int = 0,
    output: TextIO | None = None,
) -> int:
    """Talk until either side ends; return 0 after a clean close (a code of ``CLEAN_CODES``, or the one that
    was asked for with ``/close``), else 1.

    ``headers`` are ``NAME:VALUE``; ``wait_s`` is the time from the end of the input to our close. Raises what
    ``Client.run`` raises when there is no connection, what broke the connection, and ``OSError`` when
    ``output`` can't be written.
    """
    failures: list[BaseException] = []
    client = Client(
        url,
        headers=[_header(text) for text in headers],
        subprotocols=subprotocols,
        tls=None if ca_file is None else client_context(ca_file),
        unix=unix,
        on_error=lambda error, origin: failures.append(error),
    )
    talk = _Talk(client, wait_s, input_fd, sys.stdout if output is None else output)
    event = talk.until_closed()
    if failures:
        raise failures[0]
    talk.say(f"closed: {event.code} {printable(event.reason)}".rstrip())
    if event.error is not None:
        raise event.error
    return 0 if event.code in (*CLEAN_CODES, talk.asked_code) else 1


def obey(connection: Connection, line: str, output: TextIO) -> int | None:
    """Do what one line says: send it, or run its command; complaints go to ``output``.

    Returns the code when the line closed the connection, else ``None``.
    """
    if connection.status is not SessionStatus.ACTIVE:
        return None
    word, _, rest = line.partition(" ")
    try:
        if not line.startswith("/"):
            connection.send(line)
        elif line.startswith("//"):
            connection.send(line[1:])
        elif word == "/ping":
            connection.ping(rest.encode())
        elif word == "/close":
            text, _, reason = rest.partition(" ")
            code = _close_code(text)
            connection.close(code, reason)
            return code
        else:
            raise InvalidArgument(f"no command {word}: there are /ping and /close, and // sends a slash")
    except HioloadError as error:
        print(f"! {error}", file=output, flush=True)
    return None


def printable(text: str) -> str:
    """Return a peer's text for a terminal: control characters escaped, lines after the first indented."""
    return text.translate(_ESCAPES).replace("\n", "\n  ")


class _Talk:
    """What the callbacks, the loop and the reading thread share."""

    __slots__ = (
        "_client",
        "_input_fd",
        "_output",
        "_over",
        "_owed_count",
        "_room",
        "_wait_s",
        "asked_code",
    )

    def __init__(self, client: Client, wait_s: float, input_fd: int, output: TextIO) -> None:
        self._client = client
        self._wait_s = wait_s
        self._input_fd = input_fd
        self._output = output
        # The reading thread acquires, the client's thread releases: now, or later when it owes.
        self._room = threading.Semaphore(MAX_LINES)
        self._owed_count = 0
        self._over = threading.Event()
        self.asked_code: int | None = None
        client.on_open(self._begin)
        client.on_message(self._show)

    def until_closed(self) -> CloseEvent:
        """As ``Client.run``; after each turn, lines whose bytes have left give their room back."""
        client = self._client
        try:
            client.start()
            while not client.ended:
                client.turn()
                self._give_back()
        finally:
            client.close()
            # A thread that waits, for room or for answers, shall see that it is over.
            self._over.set()
            self._room.release()
        if client.closed_event is not None:
            return client.closed_event
        failure = client.failure
        if isinstance(failure, ConnectionLost):
            # "Connection refused" alone does not say by whom.
            message = f"no connection to {client.uri.text}: {failure.message}"
            raise ConnectionLost(message, **failure.context) from failure
        raise failure or InvalidState("the client was closed before it connected")

    def say(self, text: str) -> None:
        print(text, file=self._output, flush=True)

    def _begin(self, event: OpenEvent) -> None:
        chosen = event.connection.subprotocol
        self.say(f"connected to {self._client.uri.text}" + (f", subprotocol {chosen}" if chosen else ""))
        threading.Thread(target=self._read, args=(event.connection,), daemon=True).start()

    def _show(self, connection: Connection, message: Message) -> None:
        self.say("< " + (printable(message.text) if message.kind == TEXT else _shown(message)))

    def _read(self, connection: Connection) -> None:
        """On a thread of its own: post line after line to the client, and the end as a close."""
        for line in _lines(self._input_fd):
            self._room.acquire()
            if not self._client.post(partial(self._obey, connection, line)):
                return  # The conversation is over.
        self._over.wait(self._wait_s)
        self._client.post(connection.close)

    def _obey(self, connection: Connection, line: str) -> None:
        self._owed_count += 1
        code = obey(connection, line, self._output)
        if code is not None:
            self.asked_code = code

    def _give_back(self) -> None:
        connection = self._client.connection
        if self._owed_count and connection is not None and connection.pending_bytes <= MAX_PENDING_BYTES:
            self._room.release(self._owed_count)
            self._owed_count = 0


def _lines(input_fd: int) -> Iterator[str]:
    """Yield the lines of a descriptor without their ends, as they come; what is no UTF-8 is replaced."""
    decoder = getincrementaldecoder("utf-8")("replace")
    rest = ""
    while True:
        try:
            data = os.read(input_fd, 65536)
        except OSError:
            data = b""  # A terminal that has gone (EIO) sends nothing any more, which is an end too.
        rest += decoder.decode(data, final=not data)
        *lines, rest = rest.split("\n")
        yield from (line.removesuffix("\r") for line in lines)
        if not data:
            if rest:
                yield rest
            return


def _close_code(text: str) -> int:
    """Return the code to close with: 1000 if none is given. Whether it may be sent is checked later."""
    if not text:
        return 1000
    if not (text.isascii() and text.isdigit() and len(text) == 4):
        raise InvalidArgument("/close takes a code of four digits and then a reason", code=text)
    return int(text)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise InvalidArgument("a header is NAME:VALUE", header=text)
    return name.strip(), value.strip()


def _shown(message: Message) -> str:
    """Return the start of a binary message in hexadecimal, and its length."""
    dots = "…" if len(message) > _SHOWN_BYTES else ""
    return f"[{len(message)} bytes] {bytes(message.data[:_SHOWN_BYTES]).hex(' ')}{dots}".rstrip()


__all__ = ["CLEAN_CODES", "MAX_LINES", "MAX_PENDING_BYTES", "obey", "printable", "run"]
