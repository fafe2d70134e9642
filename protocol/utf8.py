"""UTF-8: text is checked as it arrives, and refused at the first byte that can't be right (RFC 6455 §8.1).

The work is CPython's own decoder (RFC 3629). Asked for a partial decode it returns how many bytes it used;
what is left, at most three bytes, is the start of a character that may still become valid. It refuses a
*prefix* that no continuation can save (``C0``, ``E0 80``, ``F4 90``, ``F5``) without waiting for the rest,
with one exception, which is dealt with here (``ED A0``); the tests try every prefix against the table of the
RFC.

The text made on the way is thrown away: there is no cheaper complete check in the standard library. Blocks
keep it small.
"""

from __future__ import annotations

from codecs import utf_8_decode
from typing import Final

from ..api.types import ReadableMemory

_BLOCK_BYTES: Final = 64 * 1024


class Utf8Checker:
    """Checks one text that arrives in pieces, cut anywhere."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, chunk: ReadableMemory, final: bool) -> bool:
        """Return whether the text can still be (``final``: is) valid UTF-8 with this piece at its end.

        ``chunk`` is borrowed for the call and may be empty. After ``False`` the checker is of no more use.
        """
        start = 0
        try:
            if self._tail:
                # Finish the character that the last piece began. Its first byte says how long it is.
                first = self._tail[0]
                length = 2 if first < 0xE0 else 3 if first < 0xF0 else 4
                start = length - len(self._tail)
                character = self._tail + chunk[:start]
                _, used = utf_8_decode(character, "strict", final)
                self._tail = character[used:]
                if self._tail:  # the piece was too short for it
                    return not _is_half_surrogate(self._tail)
            end = len(chunk)
            while start < end:
                stop = start + _BLOCK_BYTES
                last = stop >= end
                _, used = utf_8_decode(chunk[start:stop], "strict", final and last)
                start += used
                if last:
                    break
            self._tail = bytes(chunk[start:])
        except UnicodeDecodeError:
            return False
        return not _is_half_surrogate(self._tail)


def _is_half_surrogate(tail: bytes) -> bool:
    """Return whether a kept start is ``ED A0`` to ``ED BF``: the one that CPython keeps though nothing can
    save it (its ``surrogatepass`` needs to see the third byte). RFC 3629 §4 forbids all of D800 to DFFF."""
    return len(tail) == 2 and tail[0] == 0xED and tail[1] >= 0xA0


def is_utf8(text: ReadableMemory) -> bool:
    """Return whether ``text`` is valid UTF-8 as a whole."""
    try:
        if len(text) > _BLOCK_BYTES:
            return Utf8Checker().feed(text, True)
        utf_8_decode(text, "strict", True)
    except UnicodeDecodeError:
        return False
    return True


__all__ = ["Utf8Checker", "is_utf8"]
