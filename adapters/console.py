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

With ``reconnect`` lines that are typed while there is no connection wait for the next one, and keep their room.

What a peer wrote is shown with its control characters escaped: a terminal obeys them, and a server must not
be able to command it.
"""

from __future__ import annotations

import os
import sys
import threading
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, TextIO, cast

from ..api.connection import Connection
from ..api.errors import ConnectionLost, HioloadError, InvalidArgument
from ..api.handler import CloseEvent, OpenEvent
from ..api.message import TEXT, Message
from ..api.session import SessionStatus
from .backoff import Outcome, is_transient
from .client import Client
from .reconnect import Reconnect, WaitEvent
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
    proxy: str | None = None,
    max_redirects: int = 0,
    reconnect: bool = False,
    wait_s: float = WAIT_S,
    input_fd: int = 0,
    output: TextIO | None = None,
) -> int:
    """Talk until either side ends; return 0 after a clean close (a code of ``CLEAN_CODES``, or the one that
    was asked for with ``/close``), else 1.

    ``headers`` are ``NAME:VALUE``; ``reconnect``: come back after a broken connection, lines wait meanwhile;
    ``wait_s`` is the time from the end of the input to our close. Raises what ``Reconnect.run`` raises when there is
    no connection, what broke the connection, and ``OSError`` when ``output`` can't be written.
    """
    failures: list[BaseException] = []
    fields = [_header(text) for text in headers]
    tls = None if ca_file is None else client_context(ca_file)

    def keep(error: BaseException, origin: object) -> None:
        failures.append(error)

    def make() -> Client:
        return Client(
            url,
            headers=fields,
            subprotocols=subprotocols,
            tls=tls,
            unix=unix,
            proxy=proxy,
            max_redirects=max_redirects,
            on_error=keep,
        )

    talk = _Talk(url, make, wait_s, input_fd, sys.stdout if output is None else output)
    comeback = Reconnect(talk.prepared, is_transient=is_transient if reconnect else _never, on_error=keep)
    event = talk.until_closed(comeback)
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
        "_comeback",
        "_held",
        "_input_fd",
        "_make",
        "_output",
        "_over",
        "_owed_count",
        "_reader",
        "_room",
        "_url",
        "_wait_s",
        "asked_code",
    )

    _comeback: Reconnect

    def __init__(
        self, url: str, make: Callable[[], Client], wait_s: float, input_fd: int, output: TextIO
    ) -> None:
        self._url = url
        self._make = make
        self._wait_s = wait_s
        self._input_fd = input_fd
        self._output = output
        self._reader = threading.Thread(target=self._read, daemon=True)
        # Lines that came while there was no connection.
        self._held: deque[str] = deque()
        # The reading thread acquires, the client's thread releases: now, or later when it owes.
        self._room = threading.Semaphore(MAX_LINES)
        self._owed_count = 0
        self._over = threading.Event()
        self.asked_code: int | None = None

    def prepared(self) -> Client:
        """Return a new client that talks to us."""
        client = self._make()
        client.on_open(self._begin)
        client.on_message(self._show)
        return client

    def until_closed(self, comeback: Reconnect) -> CloseEvent:
        """As ``Reconnect.run``; after each turn, lines whose bytes have left give their room back."""
        self._comeback = comeback
        comeback.on_wait(self._explain)
        try:
            comeback.start()
            while not comeback.ended:
                comeback.turn()
                self._give_back()
        finally:
            comeback.close()
            # A thread that waits, for room or for answers, shall see that it is over.
            self._over.set()
            self._room.release(MAX_LINES)
        failure = comeback.failure
        if failure is None:
            return cast(CloseEvent, comeback.closed_event)
        if type(failure) is ConnectionLost:
            # "Connection refused" alone does not say by whom.
            message = f"no connection to {self._url}: {failure.message}"
            raise ConnectionLost(message, **failure.context) from failure
        raise failure

    def say(self, text: str) -> None:
        print(text, file=self._output, flush=True)

    def _begin(self, event: OpenEvent) -> None:
        client = cast(Client, self._comeback.client)
        chosen = event.connection.subprotocol
        self.say(f"connected to {client.uri.text}" + (f", subprotocol {chosen}" if chosen else ""))
        if not self._reader.ident:
            self._reader.start()
        for _ in range(len(self._held)):
            self._obey(self._held.popleft())

    def _explain(self, event: WaitEvent) -> None:
        outcome = event.outcome
        if isinstance(outcome, CloseEvent):
            words = f"closed: {outcome.code} {printable(outcome.reason)}".rstrip()
        else:
            words = printable(str(outcome))
        self.say(f"! {words}; again in {event.delay_s:.1f} s")

    def _show(self, connection: Connection, message: Message) -> None:
        self.say("< " + (printable(message.text) if message.kind == TEXT else _shown(message)))

    def _read(self) -> None:
        """On a thread of its own: post line after line to the client, and the end as a close."""
        for line in _lines(self._input_fd):
            self._room.acquire()
            if not self._comeback.post(partial(self._obey, line)):
                return  # The conversation is over.
        for _ in range(MAX_LINES):
            self._room.acquire()  # All lines have left, those that waited for a connection too.
        self._over.wait(self._wait_s)
        self._comeback.post(self._comeback.stop)

    def _obey(self, line: str) -> None:
        connection = self._connection()
        if connection is None or connection.status is not SessionStatus.ACTIVE:
            self._held.append(line)  # for the next connection, if there is one
            return
        self._owed_count += 1
        code = obey(connection, line, self._output)
        if code is not None:
            self.asked_code = code
            self._comeback.stop()

    def _connection(self) -> Connection | None:
        client = self._comeback.client
        return None if client is None else client.connection

    def _give_back(self) -> None:
        connection = self._connection()
        if self._owed_count and (connection is None or connection.pending_bytes <= MAX_PENDING_BYTES):
            self._room.release(self._owed_count)
            self._owed_count = 0


def _never(outcome: Outcome) -> bool:
    """Stand in for ``is_transient`` where nobody wants to come back."""
    return False


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
