r"""permessage-deflate: compressed messages (RFC 7692), an extension like any that a user could write.

A message's payload becomes a run of DEFLATE blocks (RFC 1951) that ends in an empty stored block, because that
is how a compressor is flushed to a whole byte. The last four bytes of that block are always the same, so they
are not sent, and the receiver puts them back (§7.2.1, §7.2.2)::

    payload -> blocks ... | 00 | 00 00 ff ff          RSV1 on the message's first frame
               \--- sent ----/ \- understood -/       says that it was compressed

*Memory* is what compression costs. With zlib a compressor takes 2**(window bits + 2) + 2**(mem_level + 9)
bytes, 256 KiB at 15 and 8, a decompressor 2**window bits + 7 KiB, 39 KiB at 15. So a direction that must not
take its context over holds nothing between messages: its compressors come from a small pool that all
connections of a factory share, and are reset by a full flush, after which nothing refers to what was before
(4 µs for 350 bytes, 19 µs with a new compressor). A direction that takes it over gets its half at the first
compressed message. Ten thousand idle chat connections cost nothing the one way and 3 GB the other.

*A window of 2**8 bytes* can be asked for (§7.1.2), and zlib can inflate such a stream, but its deflate can't
make one: raw, it refuses 8. Declining would be legal; instead we look for matches at a distance of one only
(``Z_RLE``), which keeps to any window.

*Trust.* A kilobyte may inflate to a megabyte, so inflating goes in steps and stops at the limit, with what was
made until then, an eighth for growing and a step or two (1009). A stream that is not DEFLATE, or ends inside a
block, is 1007: the frames were right, what they carry is not what RSV1 says it is. The RFC leaves the code open.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Final, NamedTuple

from ..api.errors import HandshakeFailed, InvalidArgument, ProtocolViolation
from ..api.extension import RSV1, Extension, ExtensionAnswer, ExtensionParameters
from ..api.message import MessageKind
from ..api.types import ReadableMemory
from .close import INVALID_DATA, MESSAGE_TOO_BIG
from .deflate_parameters import (
    MAX_WINDOW_BITS,
    MIN_WINDOW_BITS,
    DeflateParameters,
    answer_offer,
    check_answer,
    offers_for,
    parse_parameters,
)

if TYPE_CHECKING:
    from zlib import _Compress, _Decompress

NAME: Final = "permessage-deflate"

IDLE_COUNT: Final = 4
"""Most idle compressors kept per window size: a reactor needs one, and one per message it sends in
fragments."""

TAIL: Final = b"\x00\x00\xff\xff"
"""What ends a flushed stream, and is not sent (RFC 7692 §7.2.1 step 3)."""

_EMPTY_BLOCK: Final = b"\x00"  # a stored block without bytes, without its tail (RFC 7692 §7.2.3.6)
_LAST_BLOCK: Final = b"\x03\x00"  # a block without bytes that ends a stream
_STEP_IN_BYTES: Final = 8 * 1024
"""How much is inflated at a time: zlib copies what it did not get to, so this must be small."""
_STEP_OUT_BYTES: Final = 64 * 1024
"""How much may come out at a time: this much a bomb can waste beyond the limit."""


class Direction(NamedTuple):
    """What was agreed for one direction."""

    window_bits: int
    takes_over: bool


class Compressors:
    """Makes compressors, and keeps a few whose history is gone.

    Thread rules: any. ``list.append`` and ``list.pop`` are atomic, and the count may be passed by a little.
    """

    __slots__ = ("_idle", "_level", "_mem_level")

    def __init__(self, level: int, mem_level: int) -> None:
        self._level = level
        self._mem_level = mem_level
        self._idle: tuple[list[_Compress], ...] = tuple([] for _ in range(MAX_WINDOW_BITS + 1))

    def take(self, window_bits: int) -> _Compress:
        """Return a compressor without history for a window of 8 to 15 bits."""
        try:
            return self._idle[window_bits].pop()
        except IndexError:
            pass
        if window_bits == MIN_WINDOW_BITS:
            return zlib.compressobj(self._level, zlib.DEFLATED, -9, self._mem_level, zlib.Z_RLE)
        return zlib.compressobj(self._level, zlib.DEFLATED, -window_bits, self._mem_level)

    def give(self, window_bits: int, compressor: _Compress) -> None:
        """Take back a compressor after a full flush."""
        idle = self._idle[window_bits]
        if len(idle) < IDLE_COUNT:
            idle.append(compressor)

    @property
    def idle_count(self) -> int:
        """How many are kept."""
        return sum(map(len, self._idle))


class DeflateExtension:
    """permessage-deflate on one connection; implements ``api.Extension``, whose contract holds here."""

    __slots__ = ("_compressing", "_compressors", "_deflater", "_inflater", "_min_bytes", "received", "sent")

    name: Final = NAME
    rsv_bits: Final = RSV1

    def __init__(self, compressors: Compressors, min_bytes: int, sent: Direction, received: Direction) -> None:
        self.sent = sent
        """What was agreed for messages that we send."""
        self.received = received
        """What was agreed for messages that we receive."""
        self._compressors = compressors
        self._min_bytes = min_bytes
        self._compressing = False  # the message that is being sent
        # Invariant: between messages a direction that does not take its context over has ``None`` here.
        self._deflater: _Compress | None = None
        self._inflater: _Decompress | None = None

    def encode(
        self, kind: MessageKind, payload: ReadableMemory, first: bool, final: bool
    ) -> tuple[ReadableMemory, int]:
        """Compress a fragment, and flush it, so that the peer can read what was sent so far."""
        if first:
            # Nobody knows how long a fragmented message will be; a whole one says it.
            self._compressing = not final or len(payload) >= self._min_bytes
        if not self._compressing:
            return payload, 0
        deflater = self._deflater
        window_bits, takes_over = self.sent
        if deflater is None:
            deflater = self._deflater = self._compressors.take(window_bits)
        body = deflater.compress(payload)
        if not final:
            return body + deflater.flush(zlib.Z_SYNC_FLUSH), RSV1 if first else 0
        if takes_over:
            body += deflater.flush(zlib.Z_SYNC_FLUSH)[: -len(TAIL)]
        else:
            body += deflater.flush(zlib.Z_FULL_FLUSH)[: -len(TAIL)]  # RFC 7692 §7.1.1: no history is left
            self._deflater = None
            self._compressors.give(window_bits, deflater)
        # A compressor with nothing to flush may return nothing at all; on the wire that is one byte.
        return body or _EMPTY_BLOCK, RSV1 if first else 0

    def begin(self, kind: MessageKind, rsv_bits: int) -> bool:
        """A message with RSV1 was compressed, one without was not (RFC 7692 §6)."""
        return rsv_bits == RSV1

    def decode(self, chunk: ReadableMemory, final: bool, max_bytes: int) -> ReadableMemory:
        """Inflate a piece of a message to at most ``max_bytes``; the result is ``bytes`` of its own."""
        # Not a list of pieces: joining them would take the message's memory twice.
        output = BytesIO()
        if len(chunk) <= _STEP_IN_BYTES:
            self._inflate(b"".join((chunk, TAIL)) if final else chunk, max_bytes, output)
        else:
            view = memoryview(chunk)
            for start in range(0, len(view), _STEP_IN_BYTES):
                self._inflate(view[start : start + _STEP_IN_BYTES], max_bytes, output)
            if final:
                self._inflate(TAIL, max_bytes, output)  # RFC 7692 §7.2.2 step 1
        if final:
            self._end_message()
        return output.getvalue()  # the memory it was written to, not a copy

    def close(self) -> None:
        """Forget both contexts."""
        self._deflater = self._inflater = None

    def _context(self) -> _Decompress:
        """Return the decompressor; where there is none, a new one."""
        inflater = self._inflater
        if inflater is None:
            inflater = self._inflater = zlib.decompressobj(-self.received.window_bits)
        return inflater

    def _inflate(self, data: ReadableMemory, max_bytes: int, output: BytesIO) -> None:
        """Append what ``data`` inflates to, unless it would be more than ``max_bytes`` then."""
        inflater = self._context()
        left_bytes = max_bytes - output.tell()
        while True:
            # One byte more than allowed tells "exactly at the limit" from "above". (0 would mean: no limit.)
            most_bytes = min(left_bytes + 1, _STEP_OUT_BYTES)
            try:
                piece = inflater.decompress(data, most_bytes)
            except zlib.error as error:
                raise ProtocolViolation("a payload that is no DEFLATE", close_code=INVALID_DATA) from error
            if len(piece) > left_bytes:
                raise ProtocolViolation("a message above the limit", close_code=MESSAGE_TOO_BIG)
            left_bytes -= len(piece)
            output.write(piece)
            if inflater.eof:
                # RFC 7692 §7.2.3.4: a block with BFINAL set ends a stream, and another may follow. To that
                # nothing before it exists any more (RFC 1951 §3.2.3).
                data = inflater.unused_data
                self._inflater = None
                inflater = self._context()
                if not data:
                    return
            elif inflater.unconsumed_tail:
                data = inflater.unconsumed_tail
            elif len(piece) == most_bytes:
                data = b""  # all is read, but more may be ready to come out
            else:
                return

    def _end_message(self) -> None:
        """Check that the message ended where a block does, and let go of its context unless it is taken over.

        A stream that was cut inside a block would swallow the tail as data, quietly. The check is whether one
        more block, which ends a stream and is empty, is understood; a context to keep is not touched by that.
        The copy takes 1 µs.
        """
        probe = self._context()
        if self.received.takes_over:
            probe = probe.copy()
        else:
            self._inflater = None
        try:
            output = probe.decompress(_LAST_BLOCK, 1)
        except zlib.error as error:
            raise ProtocolViolation("a payload cut inside a block", close_code=INVALID_DATA) from error
        if output or not probe.eof or probe.unused_data:
            raise ProtocolViolation("a payload cut inside a block", close_code=INVALID_DATA)


class PermessageDeflate:
    """Negotiates permessage-deflate for either role; implements ``api.ExtensionFactory``.

    Thread rules: any; what its connections share is safe to share.
    """

    __slots__ = ("_compressors", "_fallback", "_min_bytes", "_wishes")

    name: Final = NAME

    def __init__(
        self,
        *,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        server_max_window_bits: int = MAX_WINDOW_BITS,
        client_max_window_bits: int = MAX_WINDOW_BITS,
        level: int = 6,
        mem_level: int = 8,
        min_bytes: int = 128,
        fallback: bool = True,
    ) -> None:
        """Say what this end wants; the four first parameters are those of RFC 7692 §7.1.

        ``server_no_context_takeover``, ``client_no_context_takeover``: messages of that side do not refer to
        earlier ones. ``server_max_window_bits``, ``client_max_window_bits`` (8 to 15): how far back they may
        refer, in powers of two; 8 compresses badly with zlib (see above). About its own messages an end keeps
        these wishes in any case. About the other's: a server's wish for the client's window is void where the
        client did not offer to limit it; a client's wishes are demands, which with ``fallback`` it is willing
        to do without, and without ``fallback`` prefers no compression to.

        ``level`` (0 to 9, none to best) and ``mem_level`` (1 to 9) are zlib's. ``min_bytes`` (0 or more):
        messages shorter than that are sent as they are, unless sent in fragments.

        Raises ``InvalidArgument`` for a value out of range.
        """
        for name, value, lowest, highest in (
            ("server_max_window_bits", server_max_window_bits, MIN_WINDOW_BITS, MAX_WINDOW_BITS),
            ("client_max_window_bits", client_max_window_bits, MIN_WINDOW_BITS, MAX_WINDOW_BITS),
            ("level", level, 0, 9),
            ("mem_level", mem_level, 1, 9),
            ("min_bytes", min_bytes, 0, None),
        ):
            if not isinstance(value, int) or value < lowest or (highest is not None and value > highest):
                raise InvalidArgument(f"{name} is out of range", value=value, lowest=lowest, highest=highest)
        self._wishes = DeflateParameters(
            bool(server_no_context_takeover),
            bool(client_no_context_takeover),
            None if server_max_window_bits == MAX_WINDOW_BITS else server_max_window_bits,
            None if client_max_window_bits == MAX_WINDOW_BITS else client_max_window_bits,
        )
        self._fallback = fallback
        self._min_bytes = min_bytes
        self._compressors = Compressors(level, mem_level)

    @property
    def idle_compressor_count(self) -> int:
        """Compressors kept for the next message of whichever connection does not take its context over."""
        return self._compressors.idle_count

    def offers(self) -> Sequence[ExtensionParameters]:
        """Client: return one offer, or with ``fallback`` and demands a second without them."""
        return [offer.render() for offer in offers_for(self._wishes, self._fallback)]

    def accept_offer(self, parameters: ExtensionParameters) -> ExtensionAnswer | None:
        """Server: answer an offer; a malformed one is declined (RFC 7692 §7.1)."""
        try:
            offer = parse_parameters(parameters, offer=True)
        except HandshakeFailed:
            return None
        answer = answer_offer(offer, self._wishes)
        return ExtensionAnswer(answer.render(), self._make(*_directions(answer)))

    def accept_answer(self, parameters: ExtensionParameters) -> Extension:
        """Client: make the extension that the answer describes, kept to our own wishes too.

        Raises ``HandshakeFailed`` (status 101) for an answer that is malformed or fits no offer.
        """
        answer = parse_parameters(parameters, offer=False)
        check_answer(answer, self._wishes, self._fallback)
        received, _ = _directions(answer)
        wishes = self._wishes
        # Our own hints bind us, whether the server repeats them or not (RFC 7692 §7.1.1.2, §7.1.2.2).
        sent = Direction(
            answer.client_max_window_bits or wishes.client_max_window_bits or MAX_WINDOW_BITS,
            not (answer.client_no_context_takeover or wishes.client_no_context_takeover),
        )
        return self._make(sent, received)

    def _make(self, sent: Direction, received: Direction) -> DeflateExtension:
        return DeflateExtension(self._compressors, self._min_bytes, sent, received)


def _directions(agreed: DeflateParameters) -> tuple[Direction, Direction]:
    """Return what an answer says about the server's messages, and about the client's."""
    return (
        Direction(agreed.server_max_window_bits or MAX_WINDOW_BITS, not agreed.server_no_context_takeover),
        Direction(agreed.client_max_window_bits or MAX_WINDOW_BITS, not agreed.client_no_context_takeover),
    )


__all__ = ["IDLE_COUNT", "NAME", "TAIL", "Compressors", "DeflateExtension", "Direction", "PermessageDeflate"]
