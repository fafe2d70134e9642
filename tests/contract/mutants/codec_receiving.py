"""The receiving half of the codec that the broken ones are made from.

It has no cleverness: one road, everything copied, bytes handled in the order in which they come. Each rule is a
method of its own, so that a broken codec is this one with one method changed.
"""

from __future__ import annotations

import itertools
from codecs import getincrementaldecoder
from collections.abc import Sequence
from typing import Final, Self

from ...api.codec import (
    CloseReceived,
    CodecEvent,
    PingReceived,
    PongReceived,
    Role,
    StreamEnded,
    ViolationDetected,
)
from ...api.errors import DoubleRelease, InvalidArgument, InvalidState, ProtocolViolation, UseAfterRelease
from ...api.extension import Extension
from ...api.message import MessageKind
from ...api.pool import BufferPool
from ..frames import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, masked

DATA: Final = (TEXT, BINARY)


class Note:
    """A message that is valid until it is ended, and longer while it is retained."""

    def __init__(self, kind: MessageKind, payload: bytes | bytearray | memoryview) -> None:
        self.kind = kind
        self.payload = payload
        self.retained = 0
        self.borrowed = True

    def check(self) -> None:
        if not (self.borrowed or self.retained):
            raise UseAfterRelease("ended")

    @property
    def data(self) -> memoryview:
        self.check()
        return memoryview(self.payload).toreadonly()

    @property
    def text(self) -> str:
        return str(self.data, "utf-8")

    def __len__(self) -> int:
        return len(self.payload)

    def copy(self) -> bytes:
        return bytes(self.data)

    def retain(self) -> Self:
        self.check()
        self.retained += 1
        return self

    def release(self) -> None:
        if not self.retained:
            raise DoubleRelease("not retained")
        self.retained -= 1

    def end(self) -> None:
        self.borrowed = False


class Text:
    """Checks UTF-8 that comes in pieces, at the first byte that proves it wrong."""

    def __init__(self) -> None:
        self.decoder = getincrementaldecoder("utf-8")()

    def feed(self, piece: bytes, final: bool) -> None:
        try:
            self.decoder.decode(piece, final)
        except UnicodeDecodeError as error:
            raise ProtocolViolation("not UTF-8", close_code=1007) from error
        state: object = self.decoder.getstate()[0]
        if isinstance(state, bytes) and state[:1] == b"\xed" and state[1:2] >= b"\xa0":
            raise ProtocolViolation("half a surrogate", close_code=1007)


class Receiving:
    """The receiving half of a codec that copies, with what both halves share."""

    note = Note
    target_bytes = 0
    """Size of direct targets; there are none with 0."""

    def __init__(
        self, role: Role, *, pool: BufferPool, max_message_bytes: int, extensions: Sequence[Extension] = ()
    ) -> None:
        self.role = role
        self.pool = pool
        self.limit_bytes = max_message_bytes
        self.extensions = tuple(extensions)
        self.claimed = sum(each.rsv_bits for each in extensions)
        self.receiving = self.sending = True
        self.stash = b""  # bytes of the frame at hand that were not looked at
        self.head: tuple[int, int, bytes | None] | None = None  # first byte, length, key
        self.taken = 0  # bytes of its payload that were
        self.body = b""  # payload of a control frame up to there
        self.kind = 0  # of the message at hand
        self.parts: list[bytes] = []
        self.encoded = False
        self.target: memoryview | None = None
        self.lent: list[Note] = []
        self.text = Text()
        self.sent_kind = 0
        self.keys = itertools.count(1)

    def receive(self, data: memoryview) -> Sequence[CodecEvent]:
        self.end_loans()
        events: list[CodecEvent] = []
        if self.receiving:
            self.stash += self.copied(data)
            try:
                while self.receiving and self.step(events):
                    pass
            except ProtocolViolation as error:
                events.append(ViolationDetected(error))
                self.end()
        return events

    def copied(self, data: memoryview) -> bytes:
        return bytes(data)

    def end_loans(self) -> None:
        for note in self.lent:
            note.end()
        self.lent.clear()

    def end(self) -> None:
        self.receiving = False
        self.stash, self.head, self.parts = b"", None, []

    def step(self, events: list[CodecEvent]) -> bool:
        """Take what there is of a header or of a payload; return whether that was anything."""
        if self.head is None:
            return self.take_header(events)
        return self.take_payload(events)

    def take_header(self, events: list[CodecEvent]) -> bool:
        if not self.stash:
            return False
        found = self.read_header(self.stash)
        if found is None:
            return False
        size_bytes, length = found
        key = self.stash[size_bytes - 4 : size_bytes] if self.role is Role.SERVER else None
        self.head = (self.stash[0], length, key)
        self.stash = self.stash[size_bytes:]
        self.taken = 0
        first = self.stash_first()
        if first & 0x0F in DATA:
            self.begin_message(first)
        if not length:
            self.take_piece(b"", events)
        return True

    def stash_first(self) -> int:
        return 0 if self.head is None else self.head[0]

    def begin_message(self, first: int) -> None:
        self.kind = first & 0x0F
        self.text = Text()
        chosen = [each.begin(self.kind, first & each.rsv_bits) for each in self.extensions]
        self.encoded = any(chosen)

    def read_header(self, stash: bytes) -> tuple[int, int] | None:
        """Return the size of a header and the length in it; ``None`` while it is incomplete."""
        first = stash[0]
        self.judge_first(first)
        if len(stash) < 2:
            return None
        self.judge_mask(stash[1] & 0x80)
        length = stash[1] & 0x7F
        extended = {126: 2, 127: 8}.get(length, 0)
        if first & 0x08:
            self.judge_control(first, length)
            extended = 0
        known = stash[2 : 2 + extended]
        least, most = length, length
        if extended:
            least = int.from_bytes(known.ljust(extended, b"\x00"), "big")
            most = int.from_bytes(known.ljust(extended, b"\xff"), "big")
            self.judge_length(extended, least, most)
        if not first & 0x08:
            self.judge_limit(least)
        size_bytes = 2 + extended + (4 if self.role is Role.SERVER else 0)
        return (size_bytes, least) if len(stash) >= size_bytes else None

    def judge_first(self, first: int) -> None:
        opcode = first & 0x0F
        if opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise ProtocolViolation("a reserved opcode")
        if first & 0x70 & ~(self.claimed if opcode in DATA else 0):
            raise ProtocolViolation("a reserved bit")
        self.judge_order(opcode)
        if opcode >= CLOSE and not first & FIN:
            raise ProtocolViolation("a control frame in fragments")

    def judge_order(self, opcode: int) -> None:
        if opcode < CLOSE and (opcode == CONTINUATION) != bool(self.kind):
            raise ProtocolViolation("a fragment out of order")

    def judge_mask(self, mask: int) -> None:
        if bool(mask) != (self.role is Role.SERVER):
            raise ProtocolViolation("a wrong mask")

    def judge_control(self, first: int, length: int) -> None:
        if length > 125 or (first & 0x0F == CLOSE and length == 1):
            raise ProtocolViolation("a wrong length of a control frame")

    def judge_length(self, extended: int, least: int, most: int) -> None:
        if least >> 63 and extended == 8 or most < (126 if extended == 2 else 65536):
            raise ProtocolViolation("a length in the wrong form")

    def judge_limit(self, least: int) -> None:
        extra = 1024 if self.extensions else 0
        if least + self.stored_bytes() > self.limit_bytes + extra:
            raise ProtocolViolation("too long", close_code=1009)

    def stored_bytes(self) -> int:
        return sum(map(len, self.parts))

    def take_payload(self, events: list[CodecEvent]) -> bool:
        if not self.stash or self.head is None:
            return False
        first, length, key = self.head
        piece = self.stash[: length - self.taken]
        self.stash = self.stash[len(piece) :]
        if key is not None:
            piece = self.unmasked(piece, key)
        self.take_piece(piece, events)
        return True

    def unmasked(self, piece: bytes, key: bytes) -> bytes:
        turn = self.taken % 4
        return masked(piece, key[turn:] + key[:turn])

    def take_piece(self, piece: bytes, events: list[CodecEvent]) -> None:
        """Take a piece of a payload, unmasked, perhaps an empty one."""
        if self.head is None:
            return
        first, length, _ = self.head
        self.taken += len(piece)
        complete = self.taken == length
        if complete:
            self.head = None
        if first & 0x08:
            self.take_control(first & 0x0F, piece, complete, events)
        else:
            self.take_data(piece, complete and bool(first & FIN), events)

    def take_control(self, opcode: int, piece: bytes, complete: bool, events: list[CodecEvent]) -> None:
        self.body += piece
        if opcode == CLOSE:
            self.judge_close(self.body, complete)
        if not complete:
            return
        body, self.body = self.body, b""
        if opcode == PING:
            events.append(PingReceived(body))
        elif opcode == PONG:
            events.append(PongReceived(body))
        else:
            events.append(self.closed(body))
            self.end()

    def closed(self, body: bytes) -> CloseReceived:
        return CloseReceived(int.from_bytes(body[:2], "big"), body[2:].decode()) if body else CloseReceived(1005, "")

    def judge_close(self, body: bytes, complete: bool) -> None:
        if body:
            least = int.from_bytes(body[:2].ljust(2, b"\x00"), "big")
            most = int.from_bytes(body[:2].ljust(2, b"\xff"), "big")
            if not any(self.may_be_sent(code) for code in range(least, most + 1)):
                raise ProtocolViolation("a wrong close code")
        Text().feed(body[2:], complete)

    def may_be_sent(self, code: int) -> bool:
        return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999

    def take_data(self, piece: bytes, final: bool, events: list[CodecEvent]) -> None:
        if self.encoded:
            piece = self.decoded(piece, final)
        if self.kind == TEXT:
            self.text.feed(piece, final)
        self.parts.append(piece)
        if final:
            note = self.note(self.kind, self.assembled())
            self.kind, self.parts = 0, []
            self.lent.append(note)
            events.append(note)

    def assembled(self) -> bytes:
        return b"".join(self.parts)

    def decoded(self, piece: bytes, final: bool) -> bytes:
        left_bytes = self.limit_bytes - self.stored_bytes()
        for number, each in enumerate(reversed(self.extensions), 1):
            piece = bytes(each.decode(piece, final, left_bytes + 1024 * (number < len(self.extensions))))
        return piece

    def receive_end(self) -> Sequence[CodecEvent]:
        self.end_loans()
        if not self.receiving:
            return ()
        self.end()
        return (StreamEnded(),)

    def direct_target(self) -> memoryview | None:
        if not self.target_bytes or self.head is None:
            return None
        left_bytes = self.head[1] - self.taken
        self.target = memoryview(bytearray(min(left_bytes, self.target_bytes)))
        return self.target

    def receive_direct(self, count_bytes: int) -> Sequence[CodecEvent]:
        if self.target is None or self.head is None:
            raise InvalidState("no target")
        if not 0 <= count_bytes <= len(self.target):
            raise InvalidArgument("outside the target")
        target, self.target = self.target, None
        return self.receive(target[:count_bytes])


__all__ = ["DATA", "Note", "Receiving", "Text"]
