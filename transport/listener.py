"""Listener: accepts connections from one listening stream socket, many per call.

accept(2) reports three kinds of trouble, and mixing them up is what makes servers spin or die. *The
connection* died in the queue, or the network has an error for it: skip it, the next one is fine. *We* have no
descriptor left: the connection stays in the queue, and the handle stays readable, so the caller must hear of
it and pause. *The listener* itself is broken: say so.

Skipped connections count towards ``max_count``. So a call is bounded even when every connection in a long
queue is dead, and the level-triggered poller brings us back for the rest.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from ..api.errors import InvalidArgument, TransportClosed
from ..api.transport import Address, Transport
from ..api.types import Handle
from .system_errors import EXHAUSTED, NOT_LISTENING, exhausted

Adopt = Callable[[socket.SocketType, object], Transport]
"""Makes a transport of an accepted socket and the peer's name.

An ``OSError`` means: the connection is dead.
"""


class StreamListener:
    """Implements ``api.transport.Listener`` over a listening socket. Thread rules: the reactor's thread."""

    __slots__ = ("_address", "_adopt", "_handle", "_kind", "_socket")

    def __init__(self, listening: socket.socket, address: Address, adopt: Adopt) -> None:
        """Take over ``listening`` (bound, listening, non-blocking)."""
        self._socket = listening
        self._kind = int(listening.family), int(listening.type), listening.proto
        self._handle = Handle(listening.fileno())
        self._address = address
        self._adopt = adopt

    @property
    def handle(self) -> Handle:
        """What a poller watches; raises ``TransportClosed`` after ``close``."""
        self._check_open()
        return self._handle

    @property
    def address(self) -> Address:
        """Where it really listens; also after ``close``."""
        return self._address

    def accept_batch(self, max_count: int) -> Sequence[Transport]:
        """Accept up to ``max_count`` connections; see ``Listener.accept_batch``."""
        self._check_open()
        if max_count < 1:
            raise InvalidArgument("max_count is 1 or more", max_count=max_count)
        accepted: list[Transport] = []
        for _ in range(max_count):
            try:
                stream, peer = self._accept()
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                if error.errno in EXHAUSTED:
                    if accepted:
                        break
                    raise exhausted(error, f"accept at {self._address}") from error
                if error.errno in NOT_LISTENING:
                    if accepted:
                        break
                    raise TransportClosed("the socket does not listen any more", errno=error.errno) from error
                continue
            try:
                accepted.append(self._adopt(stream, peer))
            except OSError:
                stream.close()
        return accepted

    def _accept(self) -> tuple[socket.SocketType, object]:
        """Accept one connection, as ``socket.accept`` does. That one, written in Python, looks up the names of
        family and type for every connection and makes a ``socket.socket``, which adds names and files to
        ``SocketType``; without that, accepting and closing costs 3 of 9 microseconds and 40 of 88 bytes less."""
        number, peer = self._socket._accept()  # type: ignore[attr-defined]  # what ``socket.accept`` stands on
        return socket.SocketType(*self._kind, number), peer

    def close(self) -> None:
        """Stop listening. Idempotent."""
        self._handle = Handle(-1)
        self._socket.close()

    def _check_open(self) -> None:
        if self._handle < 0:
            raise TransportClosed("the listener is closed")


__all__ = ["Adopt", "StreamListener"]
