"""Raw sockets that speak WebSocket badly on purpose: a small frame builder and reader, both ends of a wire.

Nothing here comes from the library under test: what a frame looks like is written down a second time (RFC
6455 §5.2), so that one misunderstanding cannot hide in both. The builder makes every frame, legal or not; the
reader returns what is on the wire and judges nothing. Every wait has a time limit.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

LIMIT_S: Final = 20.0

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

KEY: Final = base64.b64encode(bytes(range(16))).decode()
MASK: Final = b"\x37\xfa\x21\x3d"
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_of(key: str) -> str:
    """Return the Sec-WebSocket-Accept for a key (RFC 6455 §4.2.2)."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


def masked(payload: bytes, mask: bytes) -> bytes:
    """Return the payload XORed with the repeated mask (RFC 6455 §5.3); the same call takes the mask off."""
    repeated = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")


def header(opcode: int, length: int, *, fin: bool = True, rsv: int = 0, mask: bytes | None = MASK) -> bytes:
    """Return a frame header; `length` (up to 2**64 - 1) is written in the shortest form that holds it."""
    first, bit = (0x80 if fin else 0) | rsv << 4 | opcode, 0x80 if mask is not None else 0
    if length < 126:
        start = struct.pack("!BB", first, bit | length)
    elif length < 65_536:
        start = struct.pack("!BBH", first, bit | 126, length)
    else:
        start = struct.pack("!BBQ", first, bit | 127, length)
    return start + (mask or b"")


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes | None = MASK
) -> bytes:
    """Return a frame, masked as a client's unless `mask` is `None`."""
    body = payload if mask is None else masked(payload, mask)
    return header(opcode, len(payload), fin=fin, rsv=rsv, mask=mask) + body


def close_frame(code: int, reason: bytes = b"", mask: bytes | None = MASK) -> bytes:
    """Return a close frame with a code and a reason (RFC 6455 §5.5.1)."""
    return frame(CLOSE, struct.pack("!H", code) + reason, mask=mask)


def request(
    *,
    method: str = "GET",
    path: str = "/",
    version: str = "HTTP/1.1",
    host: str | None = "127.0.0.1",
    key: str | None = KEY,
    extra: str = "",
) -> bytes:
    """Return an opening handshake's request (RFC 6455 §4.1); `None` leaves a field out."""
    lines = [f"{method} {path} {version}"]
    lines += [f"Host: {host}"] if host is not None else []
    lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    lines += [f"Sec-WebSocket-Key: {key}"] if key is not None else []
    return ("\r\n".join(lines) + "\r\n" + extra + "\r\n").encode()


def response(key: str, *, accept: str | None = None) -> bytes:
    """Return a response that accepts the handshake (RFC 6455 §4.2.2); `accept` is another value for it."""
    value = accept_of(key) if accept is None else accept
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {value}\r\n\r\n"
    ).encode()


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it lay on the wire, its payload unmasked. `mask` is `None` for an unmasked one."""

    opcode: int
    payload: bytes
    fin: bool
    rsv: int
    mask: bytes | None

    @property
    def close_code(self) -> int | None:
        """The code of a close frame, `None` without one."""
        return int(struct.unpack_from("!H", self.payload)[0]) if len(self.payload) >= 2 else None


class Wire:
    """One end of a connection, with a buffer for what was read beyond the piece that was asked for."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(LIMIT_S)
        self.socket = sock
        self._read = b""

    @classmethod
    def to(cls, port: int) -> Wire:
        """Connect to a port of loopback; no handshake."""
        return cls(socket.create_connection(("127.0.0.1", port), LIMIT_S))

    @classmethod
    def open(cls, port: int, path: str = "/") -> Wire:
        """Connect to a port of loopback and finish the opening handshake."""
        wire = cls.to(port)
        wire.send(request(path=path))
        answer = wire.read_head()
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        assert f"sec-websocket-accept: {accept_of(KEY)}".lower() in answer.decode().lower(), answer
        return wire

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.socket.sendall(data)

    def _more(self) -> None:
        piece = self.socket.recv(262_144)
        if not piece:
            raise EOFError(f"the peer ended the connection; left over: {self._read[:80]!r}")
        self._read += piece

    def read_exactly(self, count: int) -> bytes:
        """Return exactly `count` bytes, or raise `EOFError`."""
        if len(self._read) >= count:
            taken, self._read = self._read[:count], self._read[count:]
            return taken
        target = bytearray(count)
        filled = len(self._read)
        target[:filled], self._read = self._read, b""
        with memoryview(target) as view:
            while filled < count:
                got = self.socket.recv_into(view[filled:])
                if not got:
                    raise EOFError(f"the peer ended the connection after {filled} of {count} bytes")
                filled += got
        return bytes(target)

    def read_head(self) -> bytes:
        """Return an HTTP head, up to and with its empty line."""
        while b"\r\n\r\n" not in self._read:
            self._more()
        head, self._read = self._read.split(b"\r\n\r\n", 1)
        return head + b"\r\n\r\n"

    def read_frame(self) -> Frame:
        """Return the next frame, or raise `EOFError`."""
        first, second = self.read_exactly(2)
        length = second & 0x7F
        if length == 126:
            length = int(struct.unpack("!H", self.read_exactly(2))[0])
        elif length == 127:
            length = int(struct.unpack("!Q", self.read_exactly(8))[0])
        mask = self.read_exactly(4) if second & 0x80 else None
        payload = self.read_exactly(length)
        if mask is not None:
            payload = masked(payload, mask)
        return Frame(first & 0x0F, payload, bool(first & 0x80), first >> 4 & 0x07, mask)

    def echoes(self, payload: bytes = b"still here", opcode: int = TEXT) -> bool:
        """Send a message and return whether the same comes back."""
        self.send(frame(opcode, payload))
        got = self.read_frame()
        return (got.opcode, got.payload) == (opcode, payload)

    def read_to_close(self) -> Frame:
        """Read frames up to the close frame and return that one."""
        while (got := self.read_frame()).opcode != CLOSE:
            pass
        return got

    def read_to_end(self) -> bytes:
        """Return everything up to the end of the stream; a reset counts as the end."""
        rest, self._read = [self._read], b""
        try:
            while piece := self.socket.recv(262_144):
                rest.append(piece)
        except ConnectionResetError:
            pass
        return b"".join(rest)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


class WireServer:
    """A listening socket on loopback, for a client under test to connect to."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(LIMIT_S)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"ws://127.0.0.1:{self._socket.getsockname()[1]}"

    def accept(self) -> tuple[Wire, str]:
        """Accept a connection, read its request, and return it with its Sec-WebSocket-Key."""
        wire = Wire(self._socket.accept()[0])
        for line in wire.read_head().decode().split("\r\n"):
            name, _, value = line.partition(":")
            if name.lower() == "sec-websocket-key":
                return wire, value.strip()
        wire.close()
        raise AssertionError("the client sent no Sec-WebSocket-Key")

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "KEY",
    "LIMIT_S",
    "MASK",
    "PING",
    "PONG",
    "TEXT",
    "Frame",
    "Wire",
    "WireServer",
    "accept_of",
    "close_frame",
    "frame",
    "header",
    "masked",
    "request",
    "response",
]
