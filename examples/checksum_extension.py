"""An extension of your own: every message carries a CRC-32, and one that does not match ends the connection.

Run it with ``python examples/checksum_extension.py``. It needs nothing but the loopback interface. TCP's own
checksum is short, and proxies that rewrite streams make mistakes; a checksum from end to end finds them.

All that an extension needs is in ``hioload_ws.api.extension``: a *factory* that negotiates, and an *extension*
that holds the state of one connection. Compression is built from the same two, and the two go together: here
the client offers both, the checksum first, so it is computed over what the application sent and travels
compressed.

On the wire a message is its payload and then four bytes, most significant first. No reserved bit is claimed:
once agreed, every message has a checksum. A sender computes it fragment by fragment, a receiver piece by piece,
holding back the last four bytes it has seen, because they may be the checksum.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

from hioload_ws import Connection, Message, Server, connect
from hioload_ws.api.errors import HandshakeFailed, ProtocolViolation
from hioload_ws.api.extension import Extension, ExtensionAnswer, ExtensionFactory, ExtensionParameters
from hioload_ws.api.message import MessageKind
from hioload_ws.api.types import ReadableMemory
from hioload_ws.protocol import PermessageDeflate

CRC_BYTES: Final = 4


class ChecksumExtension:
    """Appends the checksum to what is sent, takes it off and checks it where messages come in."""

    name: Final = "x-checksum"
    rsv_bits: Final = 0

    def __init__(self) -> None:
        self._sent_crc = 0  # of the message that is being sent, so far
        self._received_crc = 0  # of the message that is coming in, so far,
        self._held = b""  # without these bytes: the last ones, which may be its checksum

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        """Return the payload, on the last fragment with the checksum of the message behind it."""
        self._sent_crc = zlib.crc32(payload, 0 if first else self._sent_crc)
        if not final:
            return payload, 0
        return b"".join((payload, self._sent_crc.to_bytes(CRC_BYTES, "big"))), 0

    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        """Every message has a checksum."""
        self._received_crc, self._held = 0, b""
        return True

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        """Return what is certainly payload. ``ProtocolViolation`` for a message without a checksum or with a
        wrong one (1007: its data is not what it should be), and above the limit (1009)."""
        known = b"".join((self._held, chunk))
        payload, self._held = known[:-CRC_BYTES], known[-CRC_BYTES:]
        if len(payload) > max_bytes:
            raise ProtocolViolation("a message above the limit", close_code=1009)
        self._received_crc = zlib.crc32(payload, self._received_crc)
        if final and self._held != self._received_crc.to_bytes(CRC_BYTES, "big"):
            raise ProtocolViolation("a message that fails its checksum", close_code=1007)
        return payload

    def close(self) -> None:
        """There is nothing to release."""


class Checksum:
    """Negotiates ``x-checksum``, which has no parameters."""

    name: Final = "x-checksum"

    def offers(self) -> Sequence[ExtensionParameters]:
        """Client: one offer, and no way to want it otherwise."""
        return [()]

    def accept_offer(self, parameters: ExtensionParameters) -> ExtensionAnswer | None:
        """Server: decline what has parameters we have never heard of."""
        return None if parameters else ExtensionAnswer((), ChecksumExtension())

    def accept_answer(self, parameters: ExtensionParameters) -> Extension:
        """Client: an answer with parameters fits no offer of ours."""
        if parameters:
            raise HandshakeFailed("x-checksum has no parameters", status=101)
        return ChecksumExtension()


def make_server() -> Server:
    """Return an echo server on a free port that can do both."""
    app = Server("127.0.0.1", 0, extensions=[PermessageDeflate(), Checksum()])

    @app.on_message
    def echo(connection: Connection, message: Message) -> None:
        connection.send(message)

    return app


def main() -> None:
    """Send a message there and back, with its checksum, compressed."""
    extensions: list[ExtensionFactory] = [Checksum(), PermessageDeflate()]
    with make_server().background() as url, connect(url, extensions=extensions) as connection:
        for text in ("hello", "hello " * 1000):
            connection.send(text)
            answer = connection.receive(10)
            print(f"{len(text)} characters there and back: {'the same' if answer == text else 'damaged'}")


if __name__ == "__main__":
    main()
