"""Channel: messages between a process and one that it forked, over a pair of sockets.

A message is any object that can be pickled, with its length in front: four bytes, most significant first. Both ends
come from the same program and trust each other, as a process trusts its own memory; nothing of a peer gets here.

The end of the stream is a message too, and the most dependable one. The system closes what a process has open when
it ends, however it ends, so each side learns of the other's death without asking. For that no third process may hold
an end, see ``processes.py``.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Callable
from typing import Final

from ..api.errors import ResourceExhausted
from ..api.poller import READABLE, WRITABLE, Readiness
from ..api.reactor import Reactor
from ..api.types import Handle

MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
"""Most bytes that wait for the other end to read them."""

_LENGTH: Final = struct.Struct(">I")
_READ_BYTES: Final = 1 << 16
_LAST_WORDS_S: Final = 1.0


class Channel:
    """One end, at work in a reactor. Thread rules: the reactor's thread."""

    __slots__ = ("_inbound", "_on_end", "_on_message", "_outbound", "_reactor", "_socket")

    def __init__(
        self,
        reactor: Reactor,
        end: socket.socket,
        on_message: Callable[[object], object],
        on_end: Callable[[], object],
    ) -> None:
        """Take over a connected stream socket. ``on_message(object)`` gets what comes, ``on_end()`` is called once,
        when the other end has gone."""
        end.setblocking(False)
        self._reactor = reactor
        self._socket: socket.socket | None = end
        self._on_message = on_message
        self._on_end = on_end
        self._inbound = bytearray()
        self._outbound = bytearray()
        reactor.register(Handle(end.fileno()), READABLE, self._on_ready)

    def send(self, message: object) -> None:
        """Queue a message; nothing happens once the other end has gone.

        Raises ``ResourceExhausted`` when the other end does not read, and what ``pickle`` raises.
        """
        if self._socket is None:
            return
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        if len(self._outbound) + len(data) > MAX_WAITING_BYTES:
            raise ResourceExhausted("the other process does not read its messages", limit_bytes=MAX_WAITING_BYTES)
        self._outbound += _LENGTH.pack(len(data)) + data
        self._write()

    def close(self) -> None:
        """Hang up, without ``on_end``. Idempotent."""
        end, self._socket = self._socket, None
        if end is not None:
            self._reactor.unregister(Handle(end.fileno()))
            end.close()

    def finish(self) -> None:
        """Hang up when what waits has been sent, or the other end has not read it within a second. Idempotent."""
        end = self._socket
        if end is not None:
            end.settimeout(_LAST_WORDS_S)
            try:
                end.sendall(self._outbound)
            except OSError:
                pass  # it has gone, or does not read
            self._outbound.clear()
            self.close()

    def _on_ready(self, readiness: Readiness) -> None:
        if readiness & WRITABLE:
            self._write()
        if readiness != WRITABLE:
            self._read()

    def _read(self) -> None:
        end = self._socket
        assert end is not None  # nobody is called after unregister
        try:
            data = end.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # it was killed with messages of ours unread
        if not data:
            self.close()
            self._on_end()
            return
        self._inbound += data
        while self._socket is not None and (message := self._next_message()) is not None:
            self._on_message(pickle.loads(message))

    def _next_message(self) -> bytes | None:
        inbound = self._inbound
        if len(inbound) < _LENGTH.size:
            return None
        stop = _LENGTH.size + _LENGTH.unpack_from(inbound)[0]
        if len(inbound) < stop:
            return None
        message = bytes(inbound[_LENGTH.size : stop])
        del inbound[:stop]
        return message

    def _write(self) -> None:
        end = self._socket
        assert end is not None
        try:
            while self._outbound:
                del self._outbound[: end.send(self._outbound)]
        except BlockingIOError:
            pass
        except OSError:
            self._outbound.clear()  # it has gone, which reading will tell
        self._reactor.modify(Handle(end.fileno()), READABLE | WRITABLE if self._outbound else READABLE)


__all__ = ["MAX_WAITING_BYTES", "Channel"]
