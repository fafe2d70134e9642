"""What the tests of the codec share: a frame builder, extensions, and a bench; the clear parser is in
``reference.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from hioload_ws.api.codec import (
    CloseReceived,
    CodecEvent,
    PingReceived,
    PongReceived,
    Role,
    StreamEnded,
    ViolationDetected,
)
from hioload_ws.api.errors import ProtocolViolation
from hioload_ws.api.extension import RSV1, RSV2, Extension
from hioload_ws.api.message import MessageKind
from hioload_ws.api.transport import Sendable
from hioload_ws.api.types import ReadableMemory
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.protocol.codec import WebSocketCodec
from hioload_ws.protocol.limits import Limits
from hioload_ws.protocol.message import WireMessage
from tests.protocol.reference import PlainEvent, Reference, utf8_verdict

class Doubling:
    """A toy extension: each byte twice on the wire, for messages whose first frame has RSV1."""

    name = "x-doubling"
    rsv_bits = RSV1

    def __init__(self) -> None:
        self.odd = b""
        self.closed = False

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        return bytes(byte for byte in payload for _ in (0, 1)), RSV1 if first else 0

    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        self.odd = b""
        return rsv_bits == RSV1

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        doubled = self.odd + chunk
        if len(doubled) // 2 > max_bytes:
            raise ProtocolViolation("above the limit", close_code=1009)
        self.odd = doubled[len(doubled) // 2 * 2 :]
        if final and self.odd:
            raise ProtocolViolation("half a byte", close_code=1007)
        return doubled[: len(doubled) // 2 * 2 : 2]

    def close(self) -> None:
        self.closed = True


class Flipping:
    """A toy extension: inverts every second byte of every message and claims RSV2; decodes to a bytearray.

    It does not commute with ``Doubling``, so the order of a chain can be seen.
    """

    name = "x-flipping"
    rsv_bits = RSV2

    def __init__(self) -> None:
        self.sent = self.received = 0

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        start = 0 if first else self.sent
        self.sent = start + len(payload)
        return bytes(byte ^ 255 * (index % 2) for index, byte in enumerate(payload, start)), RSV2 * first

    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        if rsv_bits != RSV2:
            raise ProtocolViolation("not flipped")
        self.received = 0
        return True

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        start = self.received
        self.received = start + len(chunk)
        return bytearray(byte ^ 255 * (index % 2) for index, byte in enumerate(chunk, start))

    def close(self) -> None:
        pass


class Bench:
    """A codec on a pool of its own; what it said so far, in plain tuples."""

    def __init__(
        self,
        role: Role,
        limits: Limits | None = None,
        extensions: Sequence[Extension] = (),
        limit_bytes: int | None = None,
    ) -> None:
        self.pool = SlabBufferPool(leaks="disabled", slab_bytes=65536, limit_bytes=limit_bytes)
        self.codec = WebSocketCodec(
            role,
            limits=Limits() if limits is None else limits,
            pool=self.pool,
            mask_key=lambda: b"\x37\xfa\x21\x3d",
            extensions=extensions,
        )
        self.events: list[PlainEvent] = []
        self.direct_count = 0

    def feed(
        self, stream: bytes, *, cuts: Sequence[int] = (), direct: bool = False, asks: bool = False
    ) -> list[PlainEvent]:
        """Feed ``stream``, cut before the given offsets; with ``direct`` as a transport does that can, with
        ``asks`` as one that asks for a target and then does not use it."""
        edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
        for start, stop in zip(edges, edges[1:], strict=False):
            piece = stream[start:stop]
            while direct and piece and (target := self.codec.direct_target()) is not None:
                count = min(len(piece), len(target))
                target[:count] = piece[:count]
                self.note(self.codec.receive_direct(count))
                self.direct_count += 1
                piece = piece[count:]
            if asks:
                self.codec.direct_target()
            self.note(self.codec.receive(memoryview(bytearray(piece))))
        return self.events

    def note(self, events: Sequence[CodecEvent]) -> None:
        """Process events as a driver does: a message ends when its handler has returned."""
        for event in events:
            self.events.append(plain(event))
            if isinstance(event, WireMessage):
                event.expire()

    def close(self) -> None:
        """Close the codec: no lease may be left."""
        self.codec.close()
        assert self.pool.stats().in_use_count == 0
        self.pool.close()


def plain(event: CodecEvent) -> PlainEvent:
    """Return an event as a tuple of its data."""
    if isinstance(event, PingReceived):
        return "ping", event.payload
    if isinstance(event, PongReceived):
        return "pong", event.payload
    if isinstance(event, CloseReceived):
        return "close", event.code, event.reason
    if isinstance(event, ViolationDetected):
        return "violation", event.error.close_code
    if isinstance(event, StreamEnded):
        return ("end",)
    assert isinstance(event, WireMessage)
    assert event.data.readonly and bytes(event.data) == event.copy() and len(event) == len(event.data)
    return "message", event.kind, event.copy()


class Kit:
    """What tests take from here, as one fixture."""

    Doubling = Doubling
    Flipping = Flipping

    def __init__(self) -> None:
        self.made: list[Bench] = []

    def bench(
        self,
        role: Role = Role.SERVER,
        limits: Limits | None = None,
        extensions: Sequence[Extension] = (),
        limit_bytes: int | None = None,
    ) -> Bench:
        """Return a bench; it is closed, and its books are checked, by ``close_all``."""
        made = Bench(role, limits, extensions, limit_bytes)
        self.made.append(made)
        return made

    def close_all(self) -> None:
        while self.made:
            self.made.pop().close()

    def reference(
        self, stream: bytes, *, server: bool = True, limits: Limits | None = None
    ) -> list[PlainEvent]:
        return Reference(server, Limits() if limits is None else limits).run(stream)

    def utf8_verdict(self, text: bytes) -> str:
        return utf8_verdict(text)

    def frame(
        self,
        opcode: int,
        payload: bytes = b"",
        *,
        fin: bool = True,
        rsv: int = 0,
        key: bytes | None = b"\x01\x02\x03\x04",
        announced: int | None = None,
        form: int | None = None,
    ) -> bytes:
        """Return a frame, legal or not; ``key=None``: unmasked. ``form``: 7, 16 or 64 bits of length."""
        length = len(payload) if announced is None else announced
        form = form or (7 if length < 126 else 16 if length < 65536 else 64)
        mask_bit = 0 if key is None else 0x80
        second, extended = {7: (length, 0), 16: (126, 2), 64: (127, 8)}[form]
        head = bytes(((0x80 if fin else 0) | rsv | opcode, mask_bit | second))
        head += length.to_bytes(8, "big")[8 - extended :]
        if key is None:
            return head + payload
        return head + key + bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))

    def wire(self, parts: Sequence[Sendable]) -> bytes:
        """Return what parts look like on the wire."""
        return b"".join(
            bytes(part) if isinstance(part, bytes | bytearray | memoryview) else part.copy() for part in parts
        )


@pytest.fixture
def kit() -> Iterator[Kit]:
    made = Kit()
    yield made
    made.close_all()


@pytest.fixture(scope="session")
def run_kit() -> Callable[[Callable[[Kit], None]], None]:
    """Return a runner that gives each Hypothesis example a kit of its own."""

    def run(example: Callable[[Kit], None]) -> None:
        made = Kit()
        try:
            example(made)
        finally:
            made.close_all()

    return run
