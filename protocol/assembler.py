"""Assembling: the one data message that is on its way in, when it does not lie whole in what was read.

A message that comes in pieces gets a pooled buffer, and its bytes are stored, and checked if they are text,
as they arrive. How much to ask for:

- an *unfragmented* message announces its length: the buffer has exactly that length;
- a *fragmented* one announces nothing, so its buffer grows to the next power of two: every byte is copied
  once more on average. Rejected: a list of buffers joined at the end. It copies as much, needs both copies at
  once, and a peer that sends fragments of one byte would hold a slot of 2 KiB for each.

The buffer is asked for when the first byte *of the payload* is at hand, so a header alone holds nothing. What
is asked for then is what was announced, within the limits: memory above 1 MiB is a mapping of its own, fresh
pages of which the kernel commits as they are written, so that an announcement costs address space (and counts
for the pool's limit), not memory. A pool that has no more is answered with 1013, try again later: the peer
did nothing wrong.

With extensions, pieces pass their ``decode`` first, in the reverse of the order agreed (RFC 6455 §9.1), and
the limit applies to what comes out. What goes in may be a little longer, since a transformation may add to
what it can't shrink: see ``encoded_limit_bytes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..api.buffer import Buffer
from ..api.errors import ProtocolViolation, ResourceExhausted
from ..api.extension import Extension
from ..api.message import TEXT, MessageKind
from ..api.pool import BufferPool
from ..api.types import ReadableMemory
from .close import INVALID_DATA, MESSAGE_TOO_BIG, TRY_AGAIN_LATER
from .limits import Limits
from .message import WireMessage
from .utf8 import Utf8Checker, is_utf8

NO_MESSAGE: Final = 0
_SMALLEST_GROWTH_BITS: Final = 11  # 2 KiB, the pool's smallest class


def encoded_limit_bytes(message_bytes: int) -> int:
    """Return how long the encoded form of a message at the limit may be: an eighth longer, and 1 KiB.

    DEFLATE's fixed codes make nine bits of a byte at worst (RFC 1951 §3.2.6); a checksum, padding or the blocks
    of a flush are covered by the kibibyte. Without this a message exactly at the limit, legal when plain, would
    be refused when it is encoded.
    """
    return message_bytes + message_bytes // 8 + 1024


class Assembler:
    """Collects one data message at a time; idle, it owns nothing. Any violation is raised as
    ``ProtocolViolation``; call ``drop`` then."""

    __slots__ = (
        "_buffer",
        "_checker",
        "_decoders",
        "_expected_bytes",
        "_extensions",
        "_filled_bytes",
        "_fragment_count",
        "_limits",
        "_memory",
        "_pool",
        "kind",
    )

    def __init__(self, limits: Limits, pool: BufferPool, extensions: Sequence[Extension]) -> None:
        self._limits = limits
        self._pool = pool
        self._extensions = tuple(extensions)
        self.kind: MessageKind = NO_MESSAGE
        """The kind of the message in progress, or ``NO_MESSAGE``."""
        self._buffer: Buffer | None = None
        self._memory: memoryview | None = None
        self._checker: Utf8Checker | None = None
        self._decoders: tuple[Extension, ...] = ()
        self._filled_bytes = 0
        self._expected_bytes = 0
        self._fragment_count = 0

    @property
    def decoding(self) -> bool:
        """Whether the message in progress passes an extension."""
        return bool(self._decoders)

    @property
    def frame_limit_bytes(self) -> int:
        """How much the next frame of this message may announce.

        What an extension decodes is limited by what comes out of it, the frame by its own limit, or where that
        follows from the message's, by ``encoded_limit_bytes``.
        """
        limits = self._limits
        if self._decoders:
            if limits.max_frame_bytes is None:
                return encoded_limit_bytes(limits.max_message_bytes)
            return limits.max_frame_bytes
        return min(limits.frame_bytes, limits.max_message_bytes - self._filled_bytes)

    def start(self, kind: MessageKind, reserved_bits: int) -> None:
        """Begin a message: its first frame's first byte has come, with these reserved bits."""
        self.kind = kind
        self._fragment_count = 1
        if self._extensions:
            self._decoders = tuple(
                extension
                for extension in reversed(self._extensions)
                if extension.begin(kind, reserved_bits & extension.rsv_bits)
            )

    def next_fragment(self) -> None:
        """Go on with the message: a continuation's first byte has come."""
        self._fragment_count += 1
        most = self._limits.max_fragments
        if most is not None and self._fragment_count > most:
            raise ProtocolViolation(
                "a message of too many fragments", close_code=MESSAGE_TOO_BIG, limit_count=most
            )

    def expect(self, length: int, whole: bool) -> None:
        """Say that a frame of ``length`` bytes follows; ``whole``: it is the message."""
        total = self._filled_bytes + length
        # Powers of two, so that a message of many fragments moves a logarithmic number of times.
        grown = total if whole else 1 << max((total - 1).bit_length(), _SMALLEST_GROWTH_BITS)
        self._expected_bytes = max(total, min(grown, self._limits.max_message_bytes))

    def whole(self, view: memoryview) -> WireMessage:
        """Finish an unfragmented, undecoded message that lies in ``view``, read-only, without moving it."""
        kind = self.kind
        self.drop()  # a target may have been asked for, and not used
        if kind == TEXT and not is_utf8(view):
            raise _not_utf8()
        return WireMessage(kind, view, len(view), self._pool)

    def add(self, chunk: memoryview, final: bool) -> None:
        """Store the next unmasked piece of payload; ``final``: the message ends with it."""
        if self._decoders:
            self._store_decoded(self._decoded(chunk, final), final)
        else:
            self._store(chunk, final)

    def add_whole_encoded(self, chunk: memoryview) -> WireMessage:
        """Decode an unfragmented message that is here whole. Decoded to ``bytes``, it is not moved again."""
        decoded = self._decoded(chunk, True)
        if type(decoded) is not bytes:
            self._store_decoded(decoded, True)
            return self.finish()
        kind = self.kind
        self._forget()
        if kind == TEXT and not is_utf8(decoded):
            raise _not_utf8()
        return WireMessage(kind, decoded, len(decoded))

    def finish(self) -> WireMessage:
        """Return the message whose last piece was added, and be idle."""
        kind, filled_bytes, buffer = self.kind, self._filled_bytes, self._buffer
        self._forget()
        if buffer is None or not filled_bytes:
            if buffer is not None:
                buffer.release()
            return WireMessage(kind, b"", 0)
        if len(buffer) != filled_bytes:
            part = buffer.slice(0, filled_bytes)  # shares the lease: a shorter name, nothing moves
            buffer.release()
            buffer = part
        return WireMessage(kind, None, filled_bytes, None, buffer)

    def target(self, length: int) -> memoryview | None:
        """Return where the next ``length`` bytes go; ``None`` where the pool has no memory for it."""
        try:
            memory = self._room()
        except ProtocolViolation:
            return None  # reported when bytes arrive
        return memory[self._filled_bytes : self._filled_bytes + length]

    def added_in_place(self, chunk: memoryview, final: bool) -> None:
        """Say that ``chunk``, a start of ``target``, was filled and unmasked there."""
        self._check(chunk, final)
        self._filled_bytes += len(chunk)

    def drop(self) -> None:
        """Give up what is in progress, and its memory. Idempotent."""
        buffer = self._buffer
        self._forget()
        if buffer is not None:
            buffer.release()

    def close(self) -> None:
        """Drop, and close the extensions."""
        self.drop()
        for extension in self._extensions:
            extension.close()
        self._extensions = ()

    def _forget(self) -> None:
        self.kind = NO_MESSAGE
        self._buffer = self._memory = self._checker = None
        self._decoders = ()
        self._filled_bytes = self._expected_bytes = 0

    def _check(self, chunk: ReadableMemory, final: bool) -> None:
        """Refuse text at the first byte that can't be right (RFC 6455 §8.1)."""
        if self.kind == TEXT:
            checker = self._checker
            if checker is None:
                self._checker = checker = Utf8Checker()
            if not checker.feed(chunk, final):
                raise _not_utf8()

    def _store(self, chunk: ReadableMemory, final: bool) -> None:
        self._check(chunk, final)
        if chunk:
            memory = self._room()
            stop = self._filled_bytes + len(chunk)
            memory[self._filled_bytes : stop] = chunk
            self._filled_bytes = stop

    def _decoded(self, chunk: ReadableMemory, final: bool) -> ReadableMemory:
        left_bytes = self._limits.max_message_bytes - self._filled_bytes
        last = self._decoders[-1]
        for extension in self._decoders:
            # Between two extensions the message still carries what the later one will take off.
            most_bytes = left_bytes if extension is last else encoded_limit_bytes(left_bytes)
            chunk = extension.decode(chunk, final, most_bytes)
        if len(chunk) > left_bytes:  # an extension that does not keep its contract
            raise ProtocolViolation("a message above the limit", close_code=MESSAGE_TOO_BIG)
        return chunk

    def _store_decoded(self, chunk: ReadableMemory, final: bool) -> None:
        self.expect(len(chunk), False)
        self._store(chunk, final)

    def _room(self) -> memoryview:
        """Return the buffer's memory, with room for what is expected: a larger buffer where there is less."""
        memory, old = self._memory, self._buffer
        if memory is not None and len(memory) >= self._expected_bytes:
            return memory
        buffer = self._pool.try_acquire(self._expected_bytes)
        if buffer is None:
            raise ProtocolViolation(
                "no memory for a message", close_code=TRY_AGAIN_LATER, wanted_bytes=self._expected_bytes
            ) from ResourceExhausted("the buffer pool has no more", size_bytes=self._expected_bytes)
        fresh = buffer.data()
        if memory is not None and old is not None:
            fresh[: self._filled_bytes] = memory[: self._filled_bytes]
            old.release()
        self._buffer, self._memory = buffer, fresh
        return fresh


def _not_utf8() -> ProtocolViolation:
    return ProtocolViolation("text that is not UTF-8", close_code=INVALID_DATA)


__all__ = ["NO_MESSAGE", "Assembler", "encoded_limit_bytes"]
