"""Differences: what was got beside what was wanted, short enough to read.

Three mebibytes that differ in one byte are of no use in a terminal. So values are shortened, and for sequences
the first place where they differ is named, with a little of both sides around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

MAX_SHOWN: Final = 160
"""Characters of a value that are shown."""

_AROUND: Final = 8


def shown(value: object) -> str:
    """Return ``repr(value)``, shortened in the middle; an object whose ``repr`` raises is named by its type."""
    if isinstance(value, (bytes, bytearray, memoryview)) and len(value) > MAX_SHOWN // 8:
        return f"{type(value).__name__} of {memoryview(value).nbytes} bytes, {bytes(value[:_AROUND])!r}..."
    try:
        text = repr(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    if len(text) <= MAX_SHOWN:
        return text
    half = MAX_SHOWN // 2 - 2
    return f"{text[:half]}...{text[-half:]}"


def first_difference(got: object, wanted: object) -> str:
    """Return where two sequences of one kind begin to differ, or ``""`` for anything else."""
    if isinstance(got, (bytes, bytearray, memoryview)) and isinstance(wanted, (bytes, bytearray, memoryview)):
        return _of_sequences(bytes(got), bytes(wanted), "byte")
    if isinstance(got, (list, tuple)) and isinstance(wanted, (list, tuple)):
        return _of_sequences(got, wanted, "item")
    return ""


def _of_sequences(got: Sequence[object], wanted: Sequence[object], unit: str) -> str:
    common = min(len(got), len(wanted))
    # Slices compare in C: a difference in megabytes is found by halving, not by walking.
    start, stop = 0, common
    if got[:common] == wanted[:common]:
        if len(got) == len(wanted):
            return ""
        return f"the same up to {unit} {common}, then got {len(got)} and wanted {len(wanted)} {unit}s in all"
    while stop - start > 1:
        middle = (start + stop) // 2
        if got[start:middle] == wanted[start:middle]:
            start = middle
        else:
            stop = middle
    near = slice(max(start - 2, 0), start + _AROUND)
    return f"first at {unit} {start}: got {got[near]!r}, wanted {wanted[near]!r}"


__all__ = ["MAX_SHOWN", "first_difference", "shown"]
