"""Masks: the XOR with a repeating key of four bytes that every client frame carries (RFC 6455 §5.3).

Masking is its own inverse: byte ``i`` of a payload is XORed with ``key[i % 4]``. Written down like that it is
a loop in Python over every byte, so the work is handed to C in one of these forms that were measured against
each other on memory of an ``mmap`` (CPython 3.11):

- *one big integer*: read the bytes as one number, XOR it with the key times ``0x…00000001_00000001``, write
  it back. 0.22 µs for 32 bytes, 0.75 µs for 512; above that the integers cost more than the second form.
- *four translations*: every fourth byte is XORed with the same value, which is a table look-up:
  ``b[i::4] = b[i::4].translate(table)``. 3.3 µs for 4 KiB, 1.3 GB/s for 1 MiB. It runs in a ``bytearray``
  beside the view: strided stores into a ``memoryview`` are seven times slower, so two plain copies more are
  the cheaper way. The work goes in blocks, which stay in the cache and bound the scratch memory.

- *a run of equal short frames as one big integer*, see ``unmask_run``.

A machine may have something faster for long payloads (``use_bulk_xor``).

``unmask_clear`` is the definition, and the oracle of the tests. *Phase*: how many bytes of the frame's
payload came before, so that a payload may arrive in pieces.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from struct import Struct
from typing import Final, TypeAlias

from ..api.types import ReadableMemory

KEY_BYTES: Final = 4
BIG_INTEGER_BELOW_BYTES: Final = 600
"""Up to here the big integer wins; measured, see above."""
_BLOCK_BYTES: Final = 64 * 1024

SHORT_BYTES: Final = 125
"""Lengths that fit into the header's seven bits (RFC 6455 §5.2); they have tables of their own below."""

KEY_BITS: Final = (1 << 32) - 1

# One 32-bit one per word: the key times this is the key repeated. Index: words.
_REPEAT_WORDS: Final = tuple(
    sum(1 << 32 * word for word in range(count)) for count in range(-(-BIG_INTEGER_BELOW_BYTES // 4) + 1)
)
REPEAT: Final = tuple(_REPEAT_WORDS[-(-length // 4)] for length in range(SHORT_BYTES + 1))
"""``key * REPEAT[n]`` is the little-endian key over at least ``n`` bytes."""
LOW_BITS: Final = tuple((1 << 8 * length) - 1 for length in range(SHORT_BYTES + 1))
"""``number & LOW_BITS[n]`` keeps the first ``n`` bytes of a little-endian number."""

MASKED_FRAME: Final = tuple(Struct(f"<BBI{length}s").unpack_from for length in range(SHORT_BYTES + 1))
"""``MASKED_FRAME[n](data, position)``: first byte, second byte, little-endian key, masked payload of ``n`` bytes."""

MEDIUM_FRAME: Final = Struct(">BBH4s").unpack_from
"""``MEDIUM_FRAME(data)``: first byte, second byte, length and (if it is masked) key of a frame with a length of 16
bits."""

RUN_FRAMES: Final = 64
"""Most frames that are unmasked as one number: what a frame costs hardly falls any more, and tables grow."""

BulkXor: TypeAlias = Callable[[memoryview, bytes, int], object]
StandingXor: TypeAlias = Callable[[memoryview], Callable[[int, bytes], object]]
_bulk_xor: BulkXor | None = None
_standing_xor: StandingXor | None = None

_XOR_TABLES: Final = tuple(bytes(byte ^ key for byte in range(256)) for key in range(256))


def unmask_clear(payload: ReadableMemory, key: bytes, phase: int = 0) -> bytes:
    """Return the payload masked or unmasked, byte by byte: the definition of RFC 6455 §5.3."""
    return bytes(byte ^ key[(phase + index) % 4] for index, byte in enumerate(payload))


def use_bulk_xor(function: BulkXor | None, standing: StandingXor | None = None) -> None:
    """From now on leave longer payloads, all over the process, to ``function`` (``None``: to this module).

    ``function(view, key, phase)`` must do what ``unmask_in_place`` does, for ``BIG_INTEGER_BELOW_BYTES`` and
    more; ``standing`` what ``unmasker`` does. It is a hook because a faster form needs the machine, and this room
    does not know of any.
    """
    global _bulk_xor, _standing_xor
    _bulk_xor, _standing_xor = function, standing


@cache
def _run_plan(length: int) -> tuple[int, tuple[int, ...]]:
    """Return the bits where the keys of ``RUN_FRAMES`` frames lie, and the shifts that repeat each key over its
    payload."""
    key_bits = sum(KEY_BITS << 8 * (2 + (6 + length) * frame) for frame in range(RUN_FRAMES))
    words, covered, shifts = (length + 3) >> 2, 1, []
    while covered < words:
        step = min(covered, words - covered)
        shifts.append(32 * step)
        covered += step
    return key_bits, tuple(shifts)


def unmask_run(frames: bytes, length: int) -> bytes:
    """Unmask equal short frames all at once, and return them, the bytes of their headers and keys undefined.

    ``frames``: 1 to ``RUN_FRAMES`` whole client frames of ``length`` (1 to 125) bytes of payload each, so that
    two bytes of header, four of key and the payload repeat. All of it is one number; cut down to the keys, and
    shifted and added to itself until each key covers its payload, it is what the payloads are XORed with. Where
    the last word of a key sticks out it falls on the header behind it, which nobody needs any more.

    0.13 us a frame for 16 frames of 32 bytes, a third of what they cost one by one.
    """
    key_bits, shifts = _run_plan(length)
    number = int.from_bytes(frames, "little")
    keys = number & key_bits
    for shift in shifts:
        keys |= keys << shift
    size_bytes = len(frames)
    return (number ^ keys << 32).to_bytes(size_bytes + 3, "little")[:size_bytes]


@cache
def _run_format(overhead: int, length: int) -> Struct:
    return Struct(f"{overhead}x{length}s")


def split_run(frames: bytes, overhead: int, length: int) -> list[bytes]:
    """Return the payloads of equal frames, each ``overhead`` bytes and then ``length`` bytes of payload."""
    return [payload for (payload,) in _run_format(overhead, length).iter_unpack(frames)]


def unmask_in_place(view: memoryview, key: bytes, phase: int = 0) -> None:
    """Mask or unmask ``view`` where it lies.

    ``view``: writable, format ``B``, contiguous; borrowed for the call. ``key``: 4 bytes. ``phase``: payload
    bytes of this frame that came before, 0 or more.
    """
    turn = phase & 3
    if turn:
        key = key[turn:] + key[:turn]
    length = len(view)
    if length < BIG_INTEGER_BELOW_BYTES:
        words = (length + 3) >> 2
        number = int.from_bytes(view, "little") ^ int.from_bytes(key, "little") * _REPEAT_WORDS[words]
        view[:] = number.to_bytes(words << 2, "little")[:length]
        return
    if _bulk_xor is not None:
        _bulk_xor(view, key, 0)
        return
    for start in range(0, length, _BLOCK_BYTES):  # Invariant: blocks are whole words, so the key never turns
        block = view[start : start + _BLOCK_BYTES]
        block[:] = _translated(block, key)


def unmasker(view: memoryview) -> Callable[[int, bytes], object]:
    """Return a function of a length (1 or more) and a key that unmasks so many bytes at the start of ``view``.

    For memory that is used again and again: ``view`` is as for ``unmask_in_place``, and borrowed as long as the
    function is used. It saves half of what an accelerator costs beside its work.
    """
    if _standing_xor is not None:
        return _standing_xor(view)
    return lambda length, key: unmask_in_place(view[:length], key)


def masked(payload: ReadableMemory, key: bytes) -> bytes:
    """Return a masked copy of ``payload``; ``key``: 4 bytes."""
    length = len(payload)
    if length < BIG_INTEGER_BELOW_BYTES:
        words = (length + 3) >> 2
        number = int.from_bytes(payload, "little") ^ int.from_bytes(key, "little") * _REPEAT_WORDS[words]
        return number.to_bytes(words << 2, "little")[:length]
    if length <= _BLOCK_BYTES and _bulk_xor is None:
        return bytes(_translated(payload, key))
    result = bytearray(payload)
    unmask_in_place(memoryview(result), key)
    return bytes(result)


def _translated(payload: ReadableMemory, key: bytes) -> bytearray:
    scratch = bytearray(payload)
    for index in range(KEY_BYTES):
        scratch[index::4] = scratch[index::4].translate(_XOR_TABLES[key[index]])
    return scratch


__all__ = [
    "BIG_INTEGER_BELOW_BYTES",
    "BulkXor",
    "KEY_BITS",
    "KEY_BYTES",
    "LOW_BITS",
    "MASKED_FRAME",
    "MEDIUM_FRAME",
    "REPEAT",
    "RUN_FRAMES",
    "SHORT_BYTES",
    "StandingXor",
    "masked",
    "split_run",
    "unmask_clear",
    "unmask_in_place",
    "unmask_run",
    "unmasker",
    "use_bulk_xor",
]
