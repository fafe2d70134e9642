"""Messages and codecs for tests: the real ones, without a wire.

A ``WireMessage`` is a value with an owner's rules and does no I/O, so a test of a handler gets the real thing:
one that raises ``UseAfterRelease`` when the handler keeps it without ``retain``. A ``WebSocketCodec`` does no I/O
either; what a test adds is memory that is poisoned and masking keys that are the same in every run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from ..api.codec import CodecEvent, Role
from ..api.extension import Extension
from ..api.message import BINARY, TEXT
from ..api.pool import BufferPool
from ..api.transport import Sendable
from ..protocol.codec import WebSocketCodec
from ..protocol.limits import Limits
from ..protocol.message import WireMessage
from ..transport.outgoing import view_of
from .memory import FakeBufferPool


def fake_message(data: str | bytes, pool: BufferPool | None = None) -> WireMessage:
    """Return a message as a handler gets it: borrowed, text for ``str``; ``retain`` copies into ``pool``.

    Call ``expire()`` where the driver would: when the handler has returned.
    """
    kind, payload = (TEXT, data.encode()) if isinstance(data, str) else (BINARY, data)
    view = memoryview(bytearray(payload)).toreadonly()
    return WireMessage(kind, view, len(view), FakeBufferPool() if pool is None else pool)


def counting_mask_keys() -> Callable[[], bytes]:
    """Return a source of masking keys that counts: predictable, which no client may be outside a test (RFC
    6455 §5.3)."""
    numbers = itertools.count(1)
    return lambda: (next(numbers) % 2**32).to_bytes(4, "big")


def fake_codec(
    role: Role, *, pool: BufferPool | None = None, limits: Limits | None = None, extensions: Sequence[Extension] = ()
) -> WebSocketCodec:
    """Return a real codec with poisoned memory and masking keys that count."""
    return WebSocketCodec(
        role,
        limits=Limits() if limits is None else limits,
        pool=FakeBufferPool() if pool is None else pool,
        mask_key=counting_mask_keys(),
        extensions=extensions,
    )


def joined(parts: Sequence[Sendable]) -> bytearray:
    """Return the parts of a frame as one piece, in memory that a codec may unmask in place."""
    return bytearray().join(view_of(part) for part in parts)


def transfer(parts: Sequence[Sendable], receiver: WebSocketCodec, piece_bytes: int | None = None) -> list[CodecEvent]:
    """Give what one codec encoded to another, in pieces of ``piece_bytes`` (default: one); return the events.

    Messages among them are copied into memory of their own, so that later pieces do not end them.
    """
    data = memoryview(joined(parts))
    step = piece_bytes or max(len(data), 1)
    events: list[CodecEvent] = []
    for start in range(0, len(data), step):
        for event in receiver.receive(data[start : start + step]):
            if isinstance(event, WireMessage):
                event = WireMessage(event.kind, event.copy(), len(event))
            events.append(event)
    return events


__all__ = ["counting_mask_keys", "fake_codec", "fake_message", "joined", "transfer"]
