"""What histories of an object pool may look like, and the scenes that make them.

The model knows which objects are out, and whether the pool is closed. What it leaves open is whether an object that
came back is kept: that is the pool's business, as long as its books say so and its bound holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...api.errors import DoubleRelease, PoolClosed
from ...api.pool import ObjectPool
from ..history import Call, Raised, Recorder, linearizable
from ..schedules import Judge, Scene
from ..trial import Trial

MAX_IDLE = 1

Pool = ObjectPool[object]
Stage = tuple[Pool, list[object]]
"""A pool, and objects of it that are out in the beginning."""

State = tuple[frozenset[object], bool]
"""The objects that are out, and whether the pool is closed."""


def after(state: State, call: Call) -> Iterator[State]:
    """Yield the states that a call may lead to."""
    out, closed = state
    if call.name == "acquire":
        if call.result == Raised(PoolClosed):
            if closed:
                yield state
        elif not closed and not isinstance(call.result, Raised) and call.result not in out:
            yield out | {call.result}, closed
    elif call.name == "release":
        if call.argument in out and call.result is None:
            yield out - {call.argument}, closed
        elif call.argument not in out and call.result == Raised(DoubleRelease):
            yield state
    elif call.name == "close":
        yield out, True
    elif call.result == (len(out), True):
        yield state


def judge(trial: Trial, out: Sequence[object]) -> Judge:
    """Return a judge of histories in which the objects ``out`` are out in the beginning. (The list is filled anew
    for each history.)"""

    def judge_history(calls: Sequence[Call]) -> None:
        start: State = (frozenset(out), False)
        explained = linearizable(calls, start, after)
        trial.true(explained, "the answers can be explained by one operation after the other", got="no such order")

    return judge_history


def give_back(name: str, place: int) -> Callable[[Stage, Recorder], None]:
    """Return what a thread does that gives back an object."""

    def body(stage: Stage, recorder: Recorder) -> None:
        pool, out = stage
        recorder.call(name, "release", lambda: pool.release(out[place]), out[place])

    return body


def exchange(name: str, place: int) -> Callable[[Stage, Recorder], None]:
    """Return what a thread does that gives back an object and asks for another."""

    def body(stage: Stage, recorder: Recorder) -> None:
        pool, out = stage
        recorder.call(name, "release", lambda: pool.release(out[place]), out[place])
        recorder.call(name, "acquire", pool.acquire)

    return body


def borrow(name: str) -> Callable[[Stage, Recorder], None]:
    """Return what a thread does that asks for an object, and gives it back."""

    def body(stage: Stage, recorder: Recorder) -> None:
        item = recorder.call(name, "acquire", stage[0].acquire)
        if item is not None:
            recorder.call(name, "release", lambda: stage[0].release(item), item)

    return body


def close(stage: Stage, recorder: Recorder) -> None:
    """What a thread does that closes the pool."""
    recorder.call("closer", "close", stage[0].close)


def balanced(max_idle: int) -> Callable[[Stage, Recorder], None]:
    """Return what is done at the end: the books tell how many are out, and whether the bound holds."""

    def look(pool: Pool) -> tuple[int, bool]:
        books = pool.stats()
        out = books.created_count - books.idle_count - books.discarded_count
        bounded = books.acquired_count - books.released_count == out and books.idle_count <= max_idle
        return out, bounded

    def body(stage: Stage, recorder: Recorder) -> None:
        recorder.call("end", "books: out, and whether they balance", lambda: look(stage[0]))

    return body


def scenes(make: Callable[[int], Pool], out: list[object]) -> Iterator[Scene[Stage]]:
    """Yield the scenes; ``out`` is filled for each play with what is out in the beginning."""

    def stage(out_count: int, idle_count: int) -> Stage:
        pool = make(MAX_IDLE)
        found = [pool.acquire() for _ in range(out_count + idle_count)]
        for item in found[out_count:]:
            pool.release(item)
        out[:] = found[:out_count]
        return pool, found

    yield Scene(lambda: stage(2, 0), {"A": give_back("A", 0), "B": give_back("B", 1)}, balanced(MAX_IDLE))
    yield Scene(lambda: stage(0, 0), {"A": borrow("A"), "B": borrow("B")}, balanced(MAX_IDLE))
    yield Scene(lambda: stage(1, 0), {"A": give_back("A", 0), "closer": close}, balanced(0))
    yield Scene(lambda: stage(1, 1), {"A": borrow("A"), "B": exchange("B", 0)}, balanced(MAX_IDLE))


__all__ = ["Stage", "after", "judge", "scenes"]
