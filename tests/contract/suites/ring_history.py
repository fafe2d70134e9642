"""What histories of a ring may look like, and the scenes that make them.

The model is a plain queue with a bound. It forgives what the contract of ``Ring`` does: a short batch is only binding
where no other operation overlapped it, and with many producers or consumers neither are "empty" and "full".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ...api.ring import EMPTY, Ring
from ..history import Call, Raised, Recorder, linearizable
from ..schedules import Judge, Scene
from ..trial import Trial

State = tuple[object, ...]
Make = Callable[[int], Ring[object]]


def parts(calls: Sequence[Call]) -> Iterator[Call]:
    """Yield the calls, batches taken apart: each item of a batch goes in or out by itself."""
    for each in calls:
        if isinstance(each.result, Raised):
            yield each
        elif each.name == "enqueue_batch" and isinstance(each.argument, str) and isinstance(each.result, int):
            items = each.argument
            for part, item in enumerate(items[: each.result]):
                yield replace(each, name="try_enqueue", argument=item, result=True, part=part)
            if each.result < len(items):
                left = items[each.result]
                yield replace(each, argument=left, result=False, part=each.result)
        elif each.name == "dequeue_batch" and isinstance(each.result, list):
            for part, item in enumerate(each.result):
                yield replace(each, name="try_dequeue", argument=None, result=item, part=part)
            if len(each.result) != each.argument:
                yield replace(each, argument=None, result=EMPTY, part=len(each.result))
        else:
            yield each


def judge(trial: Trial, capacity: int, start: str, *, forgiving: bool) -> Judge:
    """Return a judge for histories of a ring that had ``start`` in it; ``forgiving`` as the contract is with many
    threads."""

    def after(state: State, call: Call) -> Iterator[State]:
        may_refuse = call.overlaps and (forgiving or call.name.endswith("batch"))
        if "enqueue" in call.name:
            if call.result is True and len(state) < capacity:
                yield (*state, call.argument)
            elif call.result is False and (may_refuse or len(state) == capacity):
                yield state
        elif call.result is EMPTY:
            if may_refuse or not state:
                yield state
        elif state and state[0] == call.result:
            yield state[1:]

    def judge_history(calls: Sequence[Call]) -> None:
        before: State = tuple(start)
        explained = linearizable(list(parts(calls)), before, after)
        trial.true(explained, "the answers can be explained by one operation after the other", got="no such order")

    return judge_history


def producer(name: str, count: int, *, batch: bool = False) -> Callable[[Ring[object], Recorder], None]:
    """Return what a thread does that puts in ``count`` items, named after it."""

    def body(ring: Ring[object], recorder: Recorder) -> None:
        items = "".join(chr(ord(name) + number) for number in range(count))
        if batch:
            recorder.call(name, "enqueue_batch", lambda: ring.enqueue_batch(items), items)
            return
        for item in items:
            recorder.call(name, "try_enqueue", lambda: ring.try_enqueue(item), item)

    return body


def consumer(name: str, count: int, *, batch: bool = False) -> Callable[[Ring[object], Recorder], None]:
    """Return what a thread does that takes up to ``count`` items."""

    def body(ring: Ring[object], recorder: Recorder) -> None:
        if batch:
            recorder.call(name, "dequeue_batch", lambda: ring.dequeue_batch(count), count)
            return
        for _ in range(count):
            recorder.call(name, "try_dequeue", ring.try_dequeue)

    return body


def emptied(ring: Ring[object], recorder: Recorder) -> None:
    """Fill the ring and take everything out, so that a lost place or item shows."""
    recorder.call("end", "try_enqueue", lambda: ring.try_enqueue("z"), "z")
    for _ in range(ring.capacity + 2):
        recorder.call("end", "try_dequeue", ring.try_dequeue)


def holding(make: Make, capacity: int, items: str) -> Ring[object]:
    """Return a ring with these items in it."""
    ring = make(capacity)
    ring.enqueue_batch(items)
    return ring


Play = tuple[int, str, Scene[Ring[object]]]
"""A capacity, what is in the ring in the beginning, and a scene."""


def one_of_each(make: Make) -> Iterator[Play]:
    """Yield scenes with one producer and one consumer."""
    threads = {"A": producer("A", 3), "taker": consumer("taker", 3)}
    yield 2, "x", Scene(lambda: holding(make, 2, "x"), threads, emptied)
    threads = {"A": producer("A", 3, batch=True), "taker": consumer("taker", 3, batch=True)}
    yield 2, "", Scene(lambda: make(2), threads, emptied)


def many_of_each(make: Make) -> Iterator[Play]:
    """Yield scenes with several producers and consumers."""
    some = {"A": producer("A", 2), "a": producer("a", 2), "taker": consumer("taker", 2)}
    yield 3, "x", Scene(lambda: holding(make, 3, "x"), some, emptied)
    others = {"first": consumer("first", 1), "second": consumer("second", 2), "A": producer("A", 2)}
    yield 1, "x", Scene(lambda: holding(make, 1, "x"), others, emptied)
    batches = {"A": producer("A", 3, batch=True), "first": consumer("first", 2), "second": consumer("second", 2)}
    yield 2, "", Scene(lambda: make(2), batches, emptied)


__all__ = ["consumer", "emptied", "judge", "many_of_each", "one_of_each", "parts", "producer"]
