"""The short road: whole, unfragmented data frames, which are nearly all traffic of a busy server.

Whatever this road can't vouch for (a cut, a fragmented or broken or huge frame, a control frame, an extension,
text that fails) it leaves untouched to the long road in ``receiver.py``, which takes one frame at a time and
knows every rule. So each rule is written once, and the long road is the clear twin of everything here.

There are four lanes, by what lies in the buffer:

- *one* frame and nothing else: what a peer that waits for answers sends (``receive_one``);
- a *run* of short frames of one kind and one length: a peer that does not wait. They are unmasked together,
  as one number, and cut apart by one call (``take_run``);
- other *short* frames, below 126 bytes: one number each;
- *medium* frames, with a length of 16 bits: unmasked where they lie, and lent as a view.
"""

from __future__ import annotations

from sys import getrefcount
from typing import Final

from ..api.codec import CodecEvent
from ..api.message import BINARY, TEXT, MessageKind
from ..api.pool import BufferPool
from .frames import FIN, PONG
from .masks import (
    LOW_BITS,
    MASKED_FRAME,
    MEDIUM_FRAME,
    REPEAT,
    RUN_FRAMES,
    SHORT_BYTES,
    split_run,
    unmask_in_place,
    unmask_run,
)
from .message import WireMessage
from .read_memory import MASKED_START, ReadMemory
from .utf8 import is_utf8

LEAST_RUN: Final = 3
"""From so many equal frames on they are cheaper together than one by one."""

# The kind of a message that one frame is, by the frame's first byte; 0 for every other first byte.
WHOLE_KIND: Final = tuple({FIN | TEXT: TEXT, FIN | BINARY: BINARY}.get(first, 0) for first in range(256))


_EMPTY_PONG: Final = FIN | PONG
_MEDIUM_START: Final = 4  # of a payload that is not masked

_number = int.from_bytes

# In place of a message that can be used again. As many hold it, nobody takes it for one.
_NO_SPARE: Final = WireMessage(BINARY, b"", 0)


def _alone_count() -> int:
    """Return the reference count of an object that one attribute and one variable hold, asked for in the words that
    are used below: what it is differs between versions of Python."""
    self = WireMessage(BINARY, b"", 0)
    self.tokens = []
    message = self.tokens
    return getrefcount(message)


_ALONE: Final = _alone_count()


class ShortRoad:
    """The part of a receiving half that takes whole frames; the rest of it is in ``Receiver``."""

    __slots__ = ("_between", "_expects_mask", "_lent", "_medium_limit_bytes", "_pool", "_short_limit_bytes", "_spare")

    def __init__(self, expects_mask: bool, limit_bytes: int, pool: BufferPool) -> None:
        """Take frames of at most ``limit_bytes``; -1 closes this road for good."""
        self._expects_mask = expects_mask
        self._pool = pool
        self._short_limit_bytes = min(limit_bytes, SHORT_BYTES)
        self._medium_limit_bytes = min(limit_bytes, 0xFFFF)
        # Invariant: ``_between`` is true iff the half is open, no frame is cut and no message unfinished.
        self._between = True
        self._lent: list[WireMessage] = []  # messages whose memory is not their own
        self._spare = _NO_SPARE  # what ``receive_one`` returned last

    def receive_one(self, read: ReadMemory, count_bytes: int) -> WireMessage | None:
        """Take the first ``count_bytes`` (1 or more) in ``read`` if they are one whole data frame, short or medium;
        else leave them untouched and return ``None``: they are for ``receive``, which takes twice as long for it.

        A medium message refers to ``read``, and its loan is the caller's to end, before that is filled again
        (``receive`` would see to that). The message object is used again when nobody keeps it, which is asked of the
        reference count: a new one costs 0.2 us.
        """
        data = read.memory
        masks = self._expects_mask
        length = count_bytes - (6 if masks else 2)
        payload: bytes | memoryview | None
        if length > self._short_limit_bytes:
            payload = self._medium_payload(read, count_bytes) if data[1] == (0xFE if masks else 0x7E) else None
            if payload is None:
                return None
            kind, length = WHOLE_KIND[data[0]], len(payload)
        else:
            if length < 0 or not self._between:
                return None
            if masks:
                first, second, key, short = MASKED_FRAME[length](data)
                kind = WHOLE_KIND[first]
                if not kind or second != length | 0x80:
                    return None
                short = ((_number(short, "little") ^ key * REPEAT[length]) & LOW_BITS[length]).to_bytes(
                    length, "little"
                )
            else:
                kind = WHOLE_KIND[data[0]]
                if not kind or data[1] != length:
                    return None
                short = data[2:count_bytes].tobytes()
            if kind == TEXT and not (short.isascii() or is_utf8(short)):
                return None
            payload = short
        if self._lent:
            self._end_loans()
        message = self._spare
        if getrefcount(message) != _ALONE or message.tokens is not None:
            message = self._spare = WireMessage(kind, payload, length, self._pool)
        else:
            message.kind, message.memory, message.size_bytes, message.borrowed = kind, payload, length, True
        return message

    def _medium_payload(self, read: ReadMemory, count_bytes: int) -> memoryview | None:
        """For ``receive_one``, which has seen that the header says a length of 16 bits: the payload of a whole medium
        frame, unmasked where it lies, or ``None``."""
        masks = self._expects_mask
        start = MASKED_START if masks else _MEDIUM_START
        first, _, length, key = MEDIUM_FRAME(read.memory)
        kind = WHOLE_KIND[first]
        if (
            start + length != count_bytes
            or not kind
            or not SHORT_BYTES < length <= self._medium_limit_bytes
            or not self._between
        ):
            return None
        payload = read.shown[start:count_bytes]
        if masks:
            read.unmask(length, key)
            read.lent = payload
        if kind == TEXT and not is_utf8(payload):
            if masks:  # back to what it was: the long road finds the same, and says it
                read.unmask(length, key)
            return None
        return payload

    def take_empty_pong(self, data: memoryview, count_bytes: int) -> bool:
        """Whether ``data[:count_bytes]`` is one whole pong without payload, between two messages: the answer to a
        keep-alive ping, which tells nothing but that it came. It is taken then.

        ``data`` has 2 bytes or more. Thousands of idle connections send nothing else.
        """
        if self._expects_mask:
            return count_bytes == 6 and data[0] == _EMPTY_PONG and data[1] == 0x80 and self._between
        return count_bytes == 2 and data[0] == _EMPTY_PONG and data[1] == 0 and self._between

    def take_run(
        self, data: memoryview, position: int, end: int
    ) -> tuple[MessageKind, list[bytes], int] | None:
        """Take equal short frames from ``position`` on and return their kind, their payloads, and where the
        first frame lies that was not taken; ``None``, with nothing taken, where no run begins.

        Equal are frames with the same first byte and the same length, of 1 to 125 bytes; at most
        ``RUN_FRAMES`` are taken. What is left is for the next call, or for ``receive``: this saves two thirds
        of what they cost there.
        """
        overhead = 6 if self._expects_mask else 2
        if end - position < LEAST_RUN * (overhead + 1) or not self._between:
            return None
        kind = WHOLE_KIND[data[position]]
        length = data[position + 1] - (0x80 if self._expects_mask else 0)
        if not kind or not 0 < length <= self._short_limit_bytes:
            return None
        stride = overhead + length
        count = min((end - position) // stride, RUN_FRAMES)
        if count < LEAST_RUN or data[position + stride] != data[position]:
            return None
        frames = data[position : position + count * stride].tobytes()
        firsts, seconds = frames[::stride], frames[1::stride]
        if firsts.count(firsts[0]) != count or seconds.count(seconds[0]) != count:
            # As long as the headers were the same, the next one is where we look for it.
            count = min(_same_count(firsts), _same_count(seconds))
            if count < LEAST_RUN:
                return None
            frames = frames[: count * stride]
        if self._expects_mask:
            frames = unmask_run(frames, length)
        payloads = split_run(frames, overhead, length)
        if kind == TEXT and not all(map(bytes.isascii, payloads)):
            del payloads[_valid_count(payloads) :]
            if not payloads:
                return None
        if self._lent:
            self._end_loans()
        return kind, payloads, position + len(payloads) * stride

    def _take_short_frames(self, data: memoryview, position: int, end: int, events: list[CodecEvent]) -> int:
        """Take whole data frames of any length but huge; return where the first other one begins.

        One number made of the payload, one multiplication and one XOR unmask a short frame, in a quarter of
        the long road's time.
        """
        masks, limit = self._expects_mask, self._short_limit_bytes
        overhead, mask_bit = (6, 0x80) if masks else (2, 0)
        while position + overhead <= end:
            kind = WHOLE_KIND[data[position]]
            length = data[position + 1] - mask_bit
            stop = position + overhead + length
            if not kind or not 0 <= length <= limit or stop > end:
                if (
                    kind
                    and length == 126
                    and (stop := self._take_medium_frame(data, kind, position, end, events))
                ):
                    position = stop
                    continue
                break
            if masks:
                _, _, key, payload = MASKED_FRAME[length](data, position)
                payload = ((_number(payload, "little") ^ key * REPEAT[length]) & LOW_BITS[length]).to_bytes(
                    length, "little"
                )
            else:
                payload = data[position + 2 : stop].tobytes()
            if kind == TEXT and not (payload.isascii() or is_utf8(payload)):
                break
            events.append(WireMessage(kind, payload, length))
            position = stop
        return position

    def _take_medium_frame(
        self, data: memoryview, kind: int, position: int, end: int, events: list[CodecEvent]
    ) -> int:
        """Take a frame with a length of 16 bits: unmask in place and lend a view. Return where the frame
        ends, or 0 for one that this road can't take. It saves a third of the long road at 1 KiB."""
        masks = self._expects_mask
        start = position + (8 if masks else 4)
        if start > end:
            return 0
        length = data[position + 2] << 8 | data[position + 3]
        stop = start + length
        if not SHORT_BYTES < length <= self._medium_limit_bytes or stop > end:
            return 0
        chunk = data[start:stop]
        key = data[start - 4 : start].tobytes()
        if masks:
            unmask_in_place(chunk, key)
        if kind == TEXT and not is_utf8(chunk):
            if masks:  # back to what it was: the long road finds the same, and says it
                unmask_in_place(chunk, key)
            return 0
        message = WireMessage(kind, chunk.toreadonly(), length, self._pool)
        self._lent.append(message)
        events.append(message)
        return stop

    def _end_loans(self) -> None:
        for message in self._lent:
            message.expire()
        self._lent.clear()


def _same_count(values: bytes) -> int:
    """Return how many bytes at the start are the same."""
    return len(values) - len(values.lstrip(values[:1]))


def _valid_count(texts: list[bytes]) -> int:
    """Return how many texts at the start are UTF-8."""
    for count, text in enumerate(texts):
        if not (text.isascii() or is_utf8(text)):
            return count
    return len(texts)


__all__ = ["LEAST_RUN", "ShortRoad"]
