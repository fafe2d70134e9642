"""The contract of ``Batch``: an ordered run of items, and windows on it that copy nothing.

A list with the same items is the model: whatever a batch answers, the list answers too.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from ...api.batch import Batch
from ...api.errors import InvalidArgument, InvalidState
from ..model import Operation, explore
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

BATCH = (
    must("BAT-01", "Length and items are those that the batch was made of, the very same objects, in order."),
    must("BAT-02", "Negative indices count from the end, and outside IndexError is raised.", "BAT-01"),
    must("BAT-03", "A slice is a window, and clips like a list.", "BAT-01"),
    must("BAT-04", "A slice of any step but 1 raises InvalidArgument.", "BAT-03"),
    must("BAT-05", "split gives the windows before and from an index.", "BAT-03"),
    must("BAT-06", "split outside 0 to len raises InvalidArgument.", "BAT-05"),
    must("BAT-07", "append adds at the end.", "BAT-01"),
    must("BAT-08", "append to a window raises InvalidState and overwrites nothing.", "BAT-03", "BAT-07"),
    must("BAT-09", "A window sees what its positions hold: it shares storage.", "BAT-03"),
    must("BAT-10", "underlying() is the storage itself, without a copy.", "BAT-01"),
    must("BAT-11", "underlying() of a window holds exactly the window's items.", "BAT-03"),
    must("BAT-12", "reset forgets the items, and the batch can be filled again.", "BAT-07"),
    must("BAT-13", "reset of a window empties the window and leaves its origin.", "BAT-03", "BAT-12"),
    must("BAT-14", "A window of a window has the items that a list's slice of a slice has.", "BAT-03"),
    must("BAT-15", "Any mixture of operations does what lists do that share their items.", "BAT-09", "BAT-13"),
)


class BatchContract(Contract, name="batch", requirements=BATCH):
    """What every batch owes; override ``make``."""

    def make(self, items: Sequence[object]) -> Batch[object]:
        """Return a new batch of these items."""
        raise NotImplementedError

    def batch(self, trial: Trial, count: int) -> tuple[Batch[object], list[object]]:
        """Return a fresh batch of ``count`` different objects, and these objects."""
        items: list[object] = [f"item {number}" for number in range(count)]
        return trial.make(self.make, items), items

    @requirement("BAT-01")
    def items_are_there(self, trial: Trial) -> None:
        for count in (0, 1, 2, 100):
            batch, items = self.batch(trial, count)
            trial.equal(len(batch), count, "the length")
            trial.equal(list(batch), items, "the items")
            trial.equal([batch[at] for at in range(count)], items, "the items by index")
            trial.true(all(got is item for got, item in zip(batch, items, strict=True)), "the same objects")
            trial.equal(list(batch), items, "the items, iterated over once more")

    @requirement("BAT-02")
    def indices_are_those_of_a_list(self, trial: Trial) -> None:
        batch, items = self.batch(trial, 3)
        for index in (-1, -2, -3):
            trial.did(f"batch[{index}]")
            trial.equal(batch[index], items[index], "the item")
        for index in (3, 4, -4, -5, 10**9):
            trial.raises(IndexError, f"batch[{index}]", lambda at=index: batch[at])  # type: ignore[misc]
        empty, _ = self.batch(trial, 0)
        for index in (0, -1):
            trial.raises(IndexError, f"batch[{index}] of none", lambda at=index: empty[at])  # type: ignore[misc]

    @requirement("BAT-03")
    def slices_clip(self, trial: Trial) -> None:
        ends = (None, 0, 1, 3, 4, 5, 99, -1, -4, -5, -99)
        batch, items = self.batch(trial, 5)
        for start in ends:
            for stop in ends:
                trial.did(f"batch[{start}:{stop}]")
                window = batch[start:stop]
                trial.equal(list(window), items[start:stop], "the items of the window")
                trial.equal(len(window), len(items[start:stop]), "the length of the window")

    @requirement("BAT-04")
    def steps_are_refused(self, trial: Trial) -> None:
        batch, items = self.batch(trial, 5)
        trial.equal(list(batch[1:4:1]), items[1:4], "a slice of step 1")
        for step in (2, -1, 5):
            trial.raises(InvalidArgument, f"batch[::{step}]", lambda by=step: batch[::by])  # type: ignore[misc]

    @requirement("BAT-05")
    def split_cuts(self, trial: Trial) -> None:
        batch, items = self.batch(trial, 4)
        for index in range(5):
            trial.did(f"split({index})")
            first, second = batch.split(index)
            trial.equal((list(first), list(second)), (items[:index], items[index:]), "the two windows")
        trial.equal(list(batch), items, "the batch afterwards")

    @requirement("BAT-06")
    def split_outside_is_refused(self, trial: Trial) -> None:
        batch, items = self.batch(trial, 4)
        for index in (-1, 5, 99):
            trial.raises(InvalidArgument, f"split({index})", lambda at=index: batch.split(at))  # type: ignore[misc]
        trial.equal(list(batch), items, "the batch afterwards")

    @requirement("BAT-07")
    def append_adds(self, trial: Trial) -> None:
        for count in (0, 1, 5):
            batch, items = self.batch(trial, count)
            for extra in ("x", None, "y"):
                trial.did(f"append({extra!r})")
                batch.append(extra)
                items = [*items, extra]
                trial.equal(list(batch), items, "the items")
            trial.equal(batch[-1], "y", "the last one")

    @requirement("BAT-08")
    def windows_do_not_grow(self, trial: Trial) -> None:
        batch, items = self.batch(trial, 4)
        for name, window in (("batch[1:3]", batch[1:3]), ("batch[:]", batch[:]), ("split", batch.split(2)[0])):
            before = list(window)
            trial.raises(InvalidState, f"append to {name}", lambda to=window: to.append("x"))  # type: ignore[misc]
            trial.equal(list(window), before, "the window afterwards")
        trial.equal(list(batch), items, "the batch afterwards")

    @requirement("BAT-09")
    def windows_share(self, trial: Trial) -> None:
        batch, items = self.batch(trial, 4)
        window = batch[1:3]
        storage = batch.underlying()
        if not isinstance(storage, list):
            trial.note("the storage is no list: that windows see changes could not be tried")
            return
        trial.did("change item 1 in underlying()")
        storage[1] = "changed"
        trial.equal(list(batch), [items[0], "changed", *items[2:]], "the batch")
        trial.equal(list(window), ["changed", items[2]], "the window")
        trial.did("append to the batch")
        batch.append("x")
        trial.equal(list(window), ["changed", items[2]], "the window, after the batch grew")

    @requirement("BAT-10")
    def underlying_is_the_storage(self, trial: Trial) -> None:
        batch, items = self.batch(trial, 3)
        trial.equal(list(batch.underlying()), items, "the storage")
        trial.same(batch.underlying(), batch.underlying(), "the storage, asked for twice")

    @requirement("BAT-11")
    def underlying_of_a_window(self, trial: Trial) -> None:
        batch, items = self.batch(trial, 5)
        for start, stop in ((0, 5), (1, 3), (2, 2), (4, 5)):
            trial.did(f"batch[{start}:{stop}].underlying()")
            trial.equal(list(batch[start:stop].underlying()), items[start:stop], "the items")

    @requirement("BAT-12")
    def reset_forgets(self, trial: Trial) -> None:
        batch, _ = self.batch(trial, 3)
        for round_ in range(3):
            trial.did("reset()")
            batch.reset()
            trial.equal((len(batch), list(batch), list(batch.underlying())), (0, [], []), "the empty batch")
            batch.append(round_)
            trial.equal(list(batch), [round_], "the batch, filled again")

    @requirement("BAT-13")
    def reset_of_a_window(self, trial: Trial) -> None:
        batch, items = self.batch(trial, 4)
        window, other = batch[1:3], batch[1:3]
        trial.did("reset() of batch[1:3]")
        window.reset()
        trial.equal((len(window), list(window)), (0, []), "the window")
        trial.equal(list(batch), items, "its origin")
        trial.equal(list(other), items[1:3], "another window on the same items")

    @requirement("BAT-14")
    def windows_nest(self, trial: Trial) -> None:
        for _ in range(trial.rounds(50, 1000)):
            batch, items = self.batch(trial, 8)
            for _ in range(3):
                start, stop = trial.rng.randint(-9, 9), trial.rng.randint(-9, 9)
                trial.did(f"batch = batch[{start}:{stop}]")
                batch, items = batch[start:stop], items[start:stop]
                trial.equal(list(batch), items, "the items")
                trial.equal(len(batch), len(items), "the length")

    @requirement("BAT-15")
    def model_agrees(self, trial: Trial) -> None:
        explore(trial, _draw, lambda script: self._replay(trial, script), scripts=trial.rounds(25, 400))

    def _replay(self, trial: Trial, script: Sequence[Operation]) -> None:
        """Do a script; windows are known by the positions that they have in the items of the root."""
        batch, items = self.batch(trial, 4)
        spans: list[tuple[Batch[object], range]] = []
        for number, (name, at) in enumerate(script):
            trial.did(f"{name} {at}")
            if name == "append":
                items.append(f"later {number}")
                batch.append(items[-1])
            elif name == "window":
                spans.append((batch[at:], range(min(at, len(items)), len(items))))
            elif name == "reset window" and spans:
                window, span = spans[at % len(spans)]
                window.reset()
                spans[at % len(spans)] = window, span[:0]
            elif spans:
                window, span = spans[at % len(spans)]
                middle = at % (len(span) + 1)
                pair = window.split(middle)
                spans += list(zip(pair, (span[:middle], span[middle:]), strict=True))
            trial.equal(list(batch), items, "the items of the root")
            for window, span in spans:
                trial.equal(list(window), [items[each] for each in span], "the items of a window")
                trial.equal(len(window), len(span), "the length of a window")


def _draw(rng: random.Random) -> Operation:
    return rng.choice(("append", "append", "window", "reset window", "split")), rng.randint(0, 6)


SUITES = (BatchContract,)

__all__ = ["SUITES", "BatchContract"]
