"""Batch: one list, and windows on it.

A batch either *is* the storage (the root: it may grow) or is a window: a start and a stop in the root's list.
Cutting costs two integers and copies no item. Windows work by position: what the root does to its list shows
through them, and a position that the root no longer has is simply not in the window any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Generic, TypeVar, overload

from ..api.errors import InvalidArgument, InvalidState

T = TypeVar("T")


class ListBatch(Generic[T]):
    """A batch over a Python list; implements ``api.Batch``, whose contract holds here.

    ``items`` are copied into a list of the batch's own. Items need no releasing by the batch: it holds
    references, never counts.
    """

    __slots__ = ("_items", "_start", "_stop")

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items: list[T] = list(items)
        self._start = 0
        self._stop: int | None = None  # None: the root, which ends where its list ends

    @classmethod
    def _window(cls, items: list[T], start: int, stop: int) -> ListBatch[T]:
        window = cls()
        window._items = items
        window._start = start
        window._stop = stop
        return window

    def _bounds(self) -> tuple[int, int]:
        """Return start and stop in the list. Invariant: ``start <= stop <= len(list)``."""
        end = len(self._items)
        stop = end if self._stop is None else min(self._stop, end)
        return min(self._start, stop), stop

    def __len__(self) -> int:
        start, stop = self._bounds()
        return stop - start

    @overload
    def __getitem__(self, index: int, /) -> T: ...

    @overload
    def __getitem__(self, index: slice, /) -> ListBatch[T]: ...

    def __getitem__(self, index: int | slice, /) -> T | ListBatch[T]:
        """Return an item (``IndexError`` outside), or a window of step 1 (else ``InvalidArgument``)."""
        start, stop = self._bounds()
        if isinstance(index, slice):
            first, last, step = index.indices(stop - start)
            if step != 1:
                raise InvalidArgument("a window has step 1", step=step)
            return self._window(self._items, start + first, start + max(first, last))
        position = index + (start if index >= 0 else stop)
        if not start <= position < stop:
            raise IndexError(f"index {index} outside a batch of {stop - start}")
        return self._items[position]

    def __iter__(self) -> Iterator[T]:
        start, stop = self._bounds()
        for position in range(start, stop):
            yield self._items[position]

    def append(self, item: T) -> None:
        """Add an item at the end. Raises ``InvalidState`` on a window."""
        if self._stop is not None:
            raise InvalidState("append to a window of a batch", start=self._start, stop=self._stop)
        self._items.append(item)

    def split(self, index: int) -> tuple[ListBatch[T], ListBatch[T]]:
        """Return the windows before and from ``index``. Raises ``InvalidArgument`` outside 0 to ``len``."""
        start, stop = self._bounds()
        if not 0 <= index <= stop - start:
            raise InvalidArgument("split outside the batch", index=index, length=stop - start)
        middle = start + index
        return self._window(self._items, start, middle), self._window(self._items, middle, stop)

    def underlying(self) -> Sequence[T]:
        """Return the list itself; of a window, a copy of its part."""
        start, stop = self._bounds()
        return self._items if self._stop is None else self._items[start:stop]

    def reset(self) -> None:
        """Forget the items. A window becomes empty and its origin stays as it is."""
        if self._stop is None:
            self._items.clear()
        else:
            self._stop = self._start

    def __repr__(self) -> str:
        kind = "batch" if self._stop is None else "window"
        return f"<{kind} of {len(self)}>"


__all__ = ["ListBatch"]
