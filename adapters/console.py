"""Console: an interactive client for a terminal or a pipe.

Lines from standard input become text messages; messages from the server are printed behind ``<``. A line that
begins with a slash is a command: ``/ping``, ``/close [CODE [REASON]]``; ``//`` sends a line that begins with one.
The end of the input (Ctrl-D) closes the connection politely, after what was typed has been sent.

Standard input may be a file, which no poller can watch, so a thread reads it and posts the lines to the client's
reactor. It reads with ``os.read``, not through ``sys.stdin``: a daemon thread that waits inside a buffered
reader keeps its lock, and Python aborts when it can't take that lock at exit.
"""

from __future__ import annotations

import os
import ssl
import sys
import threading
from codecs import getincrementaldecoder
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TextIO

from ..api.connection import Connection
from ..api.errors import HioloadError, InvalidArgument
from ..api.handler import OpenEvent
from ..api.message import TEXT, Message
from ..api.session import SessionStatus
from .client import Client

_CLEAN_CODES = (1000, 1001, 1005)
_SHOWN_BYTES = 64
_MAX_LINES = 256


def run(
    url: str,
    *,
    headers: Sequence[str] = (),
    subprotocols: Sequence[str] = (),
    ca_file: str | None = None,
    unix: str | None = None,
    input_fd: int = 0,
    output: TextIO | None = None,
) -> int:
    """Talk until either side ends; return 0 after a clean close, else 1.

    ``headers`` are ``NAME:VALUE``. Raises what ``Client.run`` raises when there is no connection.
    """
    out = sys.stdout if output is None else output
    tls = None if ca_file is None else _trusting(ca_file)
    client = Client(
        url,
        headers=[_header(text) for text in headers],
        subprotocols=subprotocols,
        tls=tls,
        unix=unix,
    )

    @client.on_open
    def begin(event: OpenEvent) -> None:
        chosen = event.connection.subprotocol
        print(f"connected to {url}" + (f", subprotocol {chosen}" if chosen else ""), file=out, flush=True)
        reader = threading.Thread(target=_read_lines, args=(client, event.connection, input_fd, out), daemon=True)
        reader.start()

    @client.on_message
    def show(connection: Connection, message: Message) -> None:
        print("<", message.text if message.kind == TEXT else _shown(message), file=out, flush=True)

    event = client.run()
    print(f"closed: {event.code} {event.reason}".rstrip(), file=out, flush=True)
    if event.error is not None:
        raise event.error
    return 0 if event.code in _CLEAN_CODES else 1


def obey(connection: Connection, line: str, output: TextIO) -> None:
    """Do what one line says: send it, or run its command. Complaints go to ``output``."""
    if connection.status is not SessionStatus.ACTIVE:
        return
    word, _, rest = line.partition(" ")
    try:
        if not line.startswith("/"):
            connection.send(line)
        elif line.startswith("//"):
            connection.send(line[1:])
        elif word == "/ping":
            connection.ping(rest.encode())
        elif word == "/close":
            code, _, reason = rest.partition(" ")
            connection.close(int(code) if code.isdigit() else 1000, reason)
        else:
            print(f"! no such command: {word} (there are /ping and /close)", file=output, flush=True)
    except HioloadError as error:
        print(f"! {error}", file=output, flush=True)


def _read_lines(client: Client, connection: Connection, input_fd: int, output: TextIO) -> None:
    """On a thread of its own: post line after line to the client, and the end as a close."""
    room = threading.Semaphore(_MAX_LINES)

    def obey_one(line: str) -> None:
        room.release()
        obey(connection, line, output)

    for line in _lines(input_fd):
        # A file is read faster than a network takes it: at most so many lines wait in the reactor's inbox.
        room.acquire()
        client.post(partial(obey_one, line))
    client.post(connection.close)


def _lines(input_fd: int) -> Iterator[str]:
    """Yield the lines of a descriptor without their ends, as they come; bytes that are no UTF-8 are replaced."""
    decoder = getincrementaldecoder("utf-8")("replace")
    rest = ""
    while True:
        data = os.read(input_fd, 65536)
        rest += decoder.decode(data, final=not data)
        *lines, rest = rest.split("\n")
        yield from (line.removesuffix("\r") for line in lines)
        if not data:
            if rest:
                yield rest
            return


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise InvalidArgument("a header is NAME:VALUE", header=text)
    return name.strip(), value.strip()


def _trusting(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise InvalidArgument(f"no certificates in this file: {error}", file=ca_file) from error


def _shown(message: Message) -> str:
    """Return the start of a binary message in hexadecimal, and its length."""
    dots = "…" if len(message) > _SHOWN_BYTES else ""
    return f"[{len(message)} bytes] {bytes(message.data[:_SHOWN_BYTES]).hex(' ')}{dots}"


__all__ = ["obey", "run"]
