"""Receiving: from bytes that are cut anywhere to events in wire order.

    between frames --header complete--> in a payload --last byte--> between frames
          |  ^                              |  ^
          +--+ header cut: kept (< 14 B)    +--+ payload cut: stored and checked as it comes

Two roads lead through here. The *short road* takes whole, unfragmented data frames, many at a time, and has a
module of its own (``short_road.py``). Whatever it can't vouch for it leaves untouched to the *long road*, which is
here, takes one frame at a time and knows every rule. So each rule is written once.

A violation travels as an exception from where it is found to ``receive``, which turns it into the last event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ..api.codec import (
    CloseReceived,
    CodecEvent,
    PingReceived,
    PongReceived,
    StreamEnded,
    ViolationDetected,
)
from ..api.errors import InvalidArgument, InvalidState, ProtocolViolation
from ..api.extension import Extension
from ..api.pool import BufferPool
from .assembler import Assembler
from .close import check_close_body, parse_close
from .frames import (
    CLOSE,
    CONTROL,
    FIN,
    MAX_HEADER_BYTES,
    OPCODE_BITS,
    PING,
    RSV_BITS,
    START,
    first_byte_fault,
    first_byte_table,
    parse_header,
)
from .limits import Limits
from .masks import unmask_in_place
from .short_road import ShortRoad

DIRECT_BYTES: Final = 16 * 1024
"""From so many missing bytes on it pays to receive them straight into the message's buffer."""


class Receiver(ShortRoad):
    """The receiving half of a codec; ``api.Codec`` says what its calls do."""

    __slots__ = (
        "_assembler",
        "_claimed_bits",
        "_control",
        "_first",
        "_key",
        "_length",
        "_meaning",
        "_stash",
        "left_bytes",
        "open",
    )

    def __init__(
        self, expects_mask: bool, limits: Limits, pool: BufferPool, extensions: Sequence[Extension]
    ) -> None:
        # An extension has to see every message, so with one there is no short road.
        limit_bytes = -1 if extensions else min(limits.max_message_bytes, limits.frame_bytes)
        super().__init__(expects_mask, limit_bytes, pool)
        self.open = True
        self._assembler = Assembler(limits, pool, extensions)
        self._claimed_bits = 0
        for extension in extensions:
            self._claimed_bits |= extension.rsv_bits
        self._stash = b""  # the start of a header
        self._first = 0  # of the frame at hand: its first byte,
        self._meaning = 0  # what that means (a cell of the table),
        self._length = 0  # its payload's length,
        self.left_bytes = 0  # how much of that is missing (read by drivers: see ``direct_target``),
        self._key = b""  # its mask (b"": none),
        self._control = b""  # and what there is of a control frame's payload, unmasked

    @property
    def resting(self) -> bool:
        """Whether this half is open, between two frames, with no message unfinished: as if it were new."""
        return self._between

    def reopen(self) -> None:
        """After the half has closed: be as if it were new, for another connection."""
        self.open = self._between = True

    def receive(self, data: memoryview) -> Sequence[CodecEvent]:
        """Take all of ``data`` and return the events that it completes."""
        if self._lent:
            self._end_loans()
        events: list[CodecEvent] = []
        position, end = 0, len(data)
        try:
            while position < end:
                if self._between:
                    position = self._take_short_frames(data, position, end, events)
                    if position == end:
                        break
                if self.left_bytes:
                    position = self._take_payload(data, position, events)
                elif self.open:
                    position = self._take_header(data, position, events)
                else:
                    break  # RFC 6455 §1.4: data after a close frame is discarded
        except ProtocolViolation as error:
            self._fail(error, events)
        return events

    def receive_end(self) -> Sequence[CodecEvent]:
        """Tell that the stream has ended."""
        self._end_loans()
        if not self.open:
            return ()
        self._end()
        return (StreamEnded(),)

    def direct_target(self) -> memoryview | None:
        """Return where the rest of a large frame's payload is wanted, or ``None``."""
        if self.left_bytes < DIRECT_BYTES or self._assembler.decoding:
            return None
        return self._assembler.target(self.left_bytes)

    def receive_direct(self, count_bytes: int) -> Sequence[CodecEvent]:
        """Say that ``count_bytes`` bytes were received into the start of ``direct_target()``."""
        target = self.direct_target()
        if target is None:
            raise InvalidState("there is no target to have received into")
        if not 0 <= count_bytes <= len(target):
            raise InvalidArgument(
                "a count outside the target", count_bytes=count_bytes, target_bytes=len(target)
            )
        self._end_loans()
        events: list[CodecEvent] = []
        chunk = target[:count_bytes]
        self._unmask(chunk)
        self.left_bytes -= count_bytes
        try:
            self._assembler.added_in_place(chunk, self._ends_message())
            if not self.left_bytes:
                self._end_data_frame(events)
        except ProtocolViolation as error:
            self._fail(error, events)
        return events

    def close(self) -> None:
        """Release everything; borrowed messages end here. Idempotent."""
        self._end_loans()
        self._end()
        self._assembler.close()

    def _take_header(self, data: memoryview, position: int, events: list[CodecEvent]) -> int:
        """The long road, between frames: take a header, or keep the start of one."""
        stash = self._stash
        prefix = stash + data[position : position + MAX_HEADER_BYTES - len(stash)]
        self._between = False
        if not stash:
            self._begin_frame(prefix[0])
        header = parse_header(prefix, self._expects_mask, self._assembler.frame_limit_bytes)
        if header is None:
            self._stash = prefix
            return len(data)
        header_bytes, length = header
        position += header_bytes - len(stash)
        self._stash = b""
        self._key = prefix[header_bytes - 4 : header_bytes] if self._expects_mask else b""
        self._length = self.left_bytes = length
        return self._take_payload(data, position, events)

    def _begin_frame(self, first: int) -> None:
        """Judge a frame's first byte."""
        assembler = self._assembler
        in_message = assembler.kind != 0
        meaning = first_byte_table(in_message, self._claimed_bits)[first]
        if meaning < 0:
            raise first_byte_fault(meaning, first)
        self._first, self._meaning = first, meaning
        if meaning == START:
            assembler.start(first & OPCODE_BITS, first & RSV_BITS)
        elif meaning != CONTROL:
            assembler.next_fragment()

    def _take_payload(self, data: memoryview, position: int, events: list[CodecEvent]) -> int:
        """The long road, in a payload: take what there is of it."""
        arrived = len(data) - position
        started = self.left_bytes < self._length
        taken = min(self.left_bytes, arrived)
        chunk = data[position : position + taken]
        self._unmask(chunk)
        self.left_bytes -= taken
        if self._meaning == CONTROL:
            self._take_control(chunk, events)
        elif started or self.left_bytes or not self._is_whole():
            if not started:
                self._assembler.expect(self._length, self._is_whole())
            self._assembler.add(chunk, self._ends_message())
            if not self.left_bytes:
                self._end_data_frame(events)
        else:
            self._take_whole(chunk, events)
        return position + taken

    def _take_whole(self, chunk: memoryview, events: list[CodecEvent]) -> None:
        """Finish a message that is one frame and lies in ``chunk``: nothing is moved."""
        if self._assembler.decoding:
            message = self._assembler.add_whole_encoded(chunk)
        else:
            message = self._assembler.whole(chunk.toreadonly())
        self._lent.append(message)
        self._between = True
        events.append(message)

    def _end_data_frame(self, events: list[CodecEvent]) -> None:
        """A data frame is complete, and with its last fragment the message."""
        if self._first & FIN:
            message = self._assembler.finish()
            self._lent.append(message)
            self._between = True
            events.append(message)

    def _take_control(self, chunk: memoryview, events: list[CodecEvent]) -> None:
        """Collect a control frame's payload (125 bytes at most) and make the event of a complete one."""
        body = self._control + chunk
        opcode = self._first & OPCODE_BITS
        if self.left_bytes:
            self._control = body
            if opcode == CLOSE:
                check_close_body(body, False)
            return
        self._control = b""
        self._between = self._assembler.kind == 0
        if opcode == PING:
            events.append(PingReceived(body))
        elif opcode == CLOSE:
            code, reason = parse_close(body)
            events.append(CloseReceived(code, reason))
            self._end()
        else:
            events.append(PongReceived(body))

    def _is_whole(self) -> bool:
        """Whether the data frame at hand is a message of its own."""
        return self._meaning == START and self._first & FIN != 0

    def _ends_message(self) -> bool:
        return not self.left_bytes and self._first & FIN != 0

    def _unmask(self, chunk: memoryview) -> None:
        """Unmask the next piece of the payload at hand. Call it before counting the piece."""
        if self._key:
            unmask_in_place(chunk, self._key, self._length - self.left_bytes)

    def _fail(self, error: ProtocolViolation, events: list[CodecEvent]) -> None:
        self._end()
        events.append(ViolationDetected(error))

    def _end(self) -> None:
        """Close this half: what was cut or unfinished is given up."""
        self.open = self._between = False
        self.left_bytes = 0
        self._stash = self._control = self._key = b""
        self._assembler.drop()


__all__ = ["DIRECT_BYTES", "Receiver"]
