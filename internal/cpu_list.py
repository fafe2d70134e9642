"""CPU lists: how the kernel writes sets of CPUs and nodes, ``0-3,5,7-8``.

This is the "list format" of cpuset(7): decimal numbers and ranges with both ends included, separated by
commas; an empty text is the empty set. The kernel writes them sorted and without overlaps; people who type
them into a configuration do not, so any order and repetition is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from ..api.errors import InvalidArgument

MAX_ID: Final = 65_535
"""Highest number read. The largest kernels count to 8191; the bound keeps ``0-999999999`` from filling
memory."""

# ASCII digits only, and few of them: \\d would take digits of every script, and int() is quadratic.
_PART: Final = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """Return the numbers of a CPU list, ascending, each once.

    White space around the list and its parts is skipped. Raises ``InvalidArgument`` for anything that is not
    a list, a range that runs backwards, and numbers above ``MAX_ID``.
    """
    numbers: set[int] = set()
    if not text.strip():
        return ()
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise InvalidArgument("not a list of CPUs such as 0-3,5", text=text[:80], part=part[:80])
        first = int(match[1])
        last = int(match[2] or match[1])
        if first > last or last > MAX_ID:
            raise InvalidArgument("a range runs upwards, to MAX_ID at most", part=part, max_id=MAX_ID)
        numbers.update(range(first, last + 1))
    return tuple(sorted(numbers))


def format_cpu_list(numbers: Iterable[int]) -> str:
    """Return the shortest list of these numbers (0 or more), as the kernel would write it."""
    runs: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


__all__ = ["MAX_ID", "format_cpu_list", "parse_cpu_list"]
