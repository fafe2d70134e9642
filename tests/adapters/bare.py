"""A scripted transport that lends its socket, so that every test of a connection can be made on the express road.

The socket moves bytes as the transport does, and answers as a socket does: it raises where nothing moves, and
where the peer has reset the connection.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from socket import socket
from typing import cast

from hioload_ws.api import WOULD_BLOCK, ConnectionLost
from hioload_ws.api.types import ReadableMemory, WritableMemory
from hioload_ws.fake.transport import ScriptedTransport


class BareSocket:
    """What an owner sees of the socket."""

    def __init__(self, transport: BareTransport) -> None:
        self.transport = transport

    def recv_into(self, buffer: WritableMemory) -> int:
        try:
            count_bytes = self.transport.recv_into(buffer)
        except ConnectionLost as error:
            raise ConnectionResetError(errno.ECONNRESET, "reset") from error
        if count_bytes == WOULD_BLOCK:
            raise BlockingIOError
        return count_bytes

    def send(self, data: ReadableMemory, flags: int) -> int:
        transport = self.transport
        if transport._lost:
            raise ConnectionResetError(errno.ECONNRESET, "reset")
        assert not transport.pending_bytes and not transport._output_ended and data
        taken_bytes = transport._write([data])
        if not taken_bytes:
            raise BlockingIOError
        transport.batches.append([type(data)])
        return taken_bytes


    def sendmsg(self, parts: Sequence[ReadableMemory], ancillary: tuple[()], flags: int) -> int:
        taken_bytes = self.send(b"".join(parts), flags)
        self.transport.batches[-1] = [type(part) for part in parts]
        return taken_bytes


class BareTransport(ScriptedTransport):
    """Adds ``api.SocketTransport`` to the scripted transport."""

    __slots__ = ()

    @property
    def bare_socket(self) -> socket:
        return cast(socket, BareSocket(self))

    def lost(self, error: OSError) -> ConnectionLost:
        assert self._lost
        self._outgoing.drop()
        return ConnectionLost("the connection was reset", errno=error.errno)
