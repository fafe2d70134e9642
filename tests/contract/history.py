"""Histories: what operations of several threads returned, and whether one after the other could have, too.

An operation has a begin and an end. Two whose spans do not touch happened in that order; two that overlap may have
happened in either. A history is *linearizable* (Herlihy and Wing, 1990) when there is an order of all operations
that keeps to this and in which each returned what it would have returned alone. The check tries orders, depth
first, and remembers which sets of operations with which state have led nowhere (Wing and Gong, 1993; Lowe, 2017).
It is exponential at worst, so histories are short.

Two traps. Results are compared with sentinels and not with ``None``, which is a legal item. And a strict checker
refuses what is right: where a push is claimed but not yet published, "empty" is a legal answer while operations
overlap. So a model is told which operations overlapped others (``Call.overlaps``), and decides.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

MAX_CALLS: Final = 40
"""Most operations of a history."""

S = TypeVar("S", bound=Hashable)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Raised:
    """The result of an operation that raised."""

    kind: type[BaseException]


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of one thread. ``begin`` and ``end`` are moments that grow; ``part`` orders the parts of a
    batch, which share a span."""

    thread: str
    name: str
    argument: object
    result: object
    begin: int
    end: int
    part: int = 0
    overlaps: bool = False
    """Whether another thread's operation overlapped it."""

    def __str__(self) -> str:
        argument = "" if self.argument is None else repr(self.argument)
        result = f"raised {self.result.kind.__name__}" if isinstance(self.result, Raised) else repr(self.result)
        return f"{self.thread}: {self.name}({argument}) -> {result}"


Model = Callable[[S, Call], Iterable[S]]
"""Returns the states in which a call may leave a state; none where it could not have returned what it did."""


class Recorder:
    """Tells of the calls of all threads, each when it ends. Threads have to take turns, as a controller has them."""

    def __init__(self, ended: Callable[[Call], object], moment: Callable[[], int] | None = None) -> None:
        """Give each call to ``ended``; ``moment`` tells moments (``None``: counted)."""
        self._ended = ended
        self._moment = itertools.count().__next__ if moment is None else moment

    def call(self, thread: str, name: str, function: Callable[[], R], argument: object = None) -> R | None:
        """Return ``function()`` and tell of the call; an ``Exception`` is its result and is not raised."""
        begin = self._moment()
        answer: R | None = None
        try:
            answer = function()
            result: object = answer
        except Exception as error:
            result = Raised(type(error))
        self._ended(Call(thread, name, argument, result, begin, self._moment()))
        return answer


def with_overlaps(calls: Sequence[Call]) -> list[Call]:
    """Return the calls, each marked whether one of another thread overlapped it."""

    def overlaps(each: Call) -> bool:
        return any(
            other.thread != each.thread and other.begin < each.end and each.begin < other.end for other in calls
        )

    return [replace(each, overlaps=overlaps(each)) for each in calls]


def linearizable(calls: Sequence[Call], start: S, model: Model[S]) -> bool:
    """Return whether one order explains all calls. Raises ``ValueError`` for more than ``MAX_CALLS``."""
    if len(calls) > MAX_CALLS:
        raise ValueError(f"a history has {MAX_CALLS} calls at most, this one has {len(calls)}")
    marked = with_overlaps(calls)
    needs = [_before(each, marked) for each in marked]
    everything = (1 << len(marked)) - 1
    seen: set[tuple[int, S]] = set()
    waiting: list[tuple[int, S]] = [(0, start)]
    while waiting:
        done, state = waiting.pop()
        if done == everything:
            return True
        for number, each in enumerate(marked):
            bit = 1 << number
            if not done & bit and needs[number] & ~done == 0:
                for after in model(state, each):
                    key = (done | bit, after)
                    if key not in seen:
                        seen.add(key)
                        waiting.append(key)
    return False


def _before(call: Call, calls: Sequence[Call]) -> int:
    """Return the set, as bits, of the calls that have to come before one."""
    mask = 0
    for number, other in enumerate(calls):
        same_batch = other.thread == call.thread and other.begin == call.begin and other.part < call.part
        if other.end < call.begin or same_batch:
            mask |= 1 << number
    return mask


__all__ = ["MAX_CALLS", "Call", "Model", "Raised", "Recorder", "linearizable", "with_overlaps"]
