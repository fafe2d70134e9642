"""Broken batches and unusual ones. ``Correct`` is a window of two numbers on a shared list."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from ...api.errors import InvalidArgument, InvalidState
from ..mutation import Gallery
from ..suites.batch import BatchContract

GALLERY = Gallery(BatchContract)


class Correct:
    """A batch over a list; a window has a start and a stop in it."""

    def __init__(self, items: Iterable[object]) -> None:
        self.store = list(items)
        self.start = 0
        self.stop: int | None = None

    def window(self, start: int, stop: int) -> Self:
        new = type(self)(())
        new.store, new.start, new.stop = self.store, start, stop
        return new

    def bounds(self) -> tuple[int, int]:
        end = len(self.store)
        stop = end if self.stop is None else min(self.stop, end)
        return min(self.start, stop), stop

    def __len__(self) -> int:
        start, stop = self.bounds()
        return stop - start

    def __iter__(self) -> Iterator[object]:
        start, stop = self.bounds()
        return iter(self.store[start:stop])

    def __getitem__(self, index: int | slice) -> object:
        if isinstance(index, slice):
            return self.cut(index)
        return list(self)[operator.index(index)]

    def cut(self, index: slice) -> object:
        if index.step not in (None, 1):
            raise InvalidArgument("a window has step 1", step=index.step)
        first, last, _ = index.indices(len(self))
        return self.window(self.start + first, self.start + max(first, last))

    def append(self, item: object) -> None:
        if self.stop is not None:
            raise InvalidState("append to a window")
        self.store.append(item)

    def split(self, index: int) -> tuple[object, object]:
        if not 0 <= index <= len(self):
            raise InvalidArgument("split outside the batch", index=index)
        return self[:index], self[index:]

    def underlying(self) -> Sequence[object]:
        return self.store if self.stop is None else list(self)

    def reset(self) -> None:
        if self.stop is None:
            self.store.clear()
        else:
            self.stop = self.start


@GALLERY.mutant("BAT-01", "loses the last of many items")
class LosesLast(Correct):
    def __init__(self, items: Iterable[object]) -> None:
        super().__init__(list(items)[:64])


@GALLERY.mutant("BAT-02", "answers index len with the first item")
class WrapsAround(Correct):
    def __getitem__(self, index: int | slice) -> object:
        if isinstance(index, int) and index == len(self) > 0:
            index = 0
        return super().__getitem__(index)


@GALLERY.mutant("BAT-03", "does not clip a stop beyond the end")
class DoesNotClip(Correct):
    def cut(self, index: slice) -> object:
        if index.stop is not None and index.stop > len(self):
            raise IndexError("beyond the end")
        return super().cut(index)


@GALLERY.mutant("BAT-04", "ignores the step")
class IgnoresStep(Correct):
    def cut(self, index: slice) -> object:
        return super().cut(slice(index.start, index.stop))


@GALLERY.mutant("BAT-05", "puts the item at the index into both parts")
class SplitsTwice(Correct):
    def split(self, index: int) -> tuple[object, object]:
        first, second = super().split(index)
        return self[: index + 1], second


@GALLERY.mutant("BAT-06", "takes a split at -1 for one before the last")
class SplitsFromEnd(Correct):
    def split(self, index: int) -> tuple[object, object]:
        return self[:index], self[index:]


@GALLERY.mutant("BAT-07", "ignores None")
class IgnoresNone(Correct):
    def append(self, item: object) -> None:
        if item is not None:
            super().append(item)


@GALLERY.mutant("BAT-08", "lets a window overwrite its neighbour")
class WindowGrows(Correct):
    def append(self, item: object) -> None:
        if self.stop is None:
            self.store.append(item)
        else:
            self.store[self.stop : self.stop + 1] = [item]
            self.stop += 1


@GALLERY.mutant("BAT-09", "copies the items of a window")
class Copies(Correct):
    def window(self, start: int, stop: int) -> Self:
        new = super().window(0, stop - start)
        new.store = self.store[start:stop]
        return new

    def cut(self, index: slice) -> object:
        first, last, step = index.indices(len(self))
        if step != 1:
            raise InvalidArgument("a window has step 1", step=step)
        return self.window(first, max(first, last))


@GALLERY.mutant("BAT-10", "gives out a copy of the storage")
class GivesCopy(Correct):
    def underlying(self) -> Sequence[object]:
        return list(self)


@GALLERY.mutant("BAT-11", "gives out the whole storage for a window")
class GivesAll(Correct):
    def underlying(self) -> Sequence[object]:
        return self.store


@GALLERY.mutant("BAT-12", "forgets only half")
class ForgetsHalf(Correct):
    def reset(self) -> None:
        if self.stop is None:
            del self.store[len(self.store) // 2 + 1 :]
        else:
            super().reset()


@GALLERY.mutant("BAT-13", "clears the origin when a window is reset")
class ResetsOrigin(Correct):
    def reset(self) -> None:
        self.store.clear()


@GALLERY.mutant("BAT-14", "cuts a window of a window from the origin")
class CutsFromOrigin(Correct):
    def cut(self, index: slice) -> object:
        first, last, step = index.indices(len(self))
        if step != 1:
            raise InvalidArgument("a window has step 1", step=step)
        return self.window(first, max(first, last))


@GALLERY.mutant("BAT-15", "keeps an empty window at the end open for what is appended")
class StaysOpen(Correct):
    def window(self, start: int, stop: int) -> Self:
        new = super().window(start, stop)
        if start == stop == len(self.store) > 5:
            new.stop = stop + 1
        return new


GALLERY.oddball("a plain window on a list")(Correct)


@GALLERY.oddball("a batch whose storage is a tuple, replaced at each append")
class TupleBatch(Correct):
    def __init__(self, items: Iterable[object]) -> None:
        super().__init__(items)
        self.frozen: tuple[object, ...] | None = None

    def underlying(self) -> Sequence[object]:
        if self.frozen is None or list(self.frozen) != list(self):
            self.frozen = tuple(self)
        return self.frozen


__all__ = ["GALLERY"]
