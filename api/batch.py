"""Batch: a window on a sequence, made to be handed from stage to stage.

Batching is how this library saves calls: a stage takes what is there, does it in one go and passes the rest
on. A batch can be cut and split without copying its items, because a part is a window on the same storage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar, overload

T = TypeVar("T")


class Batch(Protocol[T]):
    """An ordered, indexable run of items with constant-time windows.

    A window (``batch[a:b]``, ``split``) shares storage with the batch it was cut from: it sees items by the
    positions it was cut at. Only a batch that is no window may grow. Thread rules: one thread at a time.
    """

    def __len__(self) -> int:
        """Return the number of items."""

    @overload
    def __getitem__(self, index: int, /) -> T: ...

    @overload
    def __getitem__(self, index: slice, /) -> Batch[T]: ...

    def __getitem__(self, index: int | slice, /) -> T | Batch[T]:
        """Return an item (negative indices count from the end; ``IndexError`` outside), or a window of step
        1.

        A slice clips like ``list``; any step but 1 raises ``InvalidArgument``.
        """

    def __iter__(self) -> Iterator[T]:
        """Iterate over the items in order."""

    def append(self, item: T) -> None:
        """Add an item at the end.

        Raises ``InvalidState`` on a window: it would overwrite its neighbour's items.
        """

    def split(self, index: int) -> tuple[Batch[T], Batch[T]]:
        """Return the windows ``[:index]`` and ``[index:]``; ``0 <= index <= len``, else
        ``InvalidArgument``."""

    def underlying(self) -> Sequence[T]:
        """Return the storage itself, without a copy; borrowed until the next ``append`` or ``reset``.

        Of a window, the sequence holds exactly the window's items and may be a copy.
        """

    def reset(self) -> None:
        """Forget the items and keep the batch for reuse.

        On a window: the window becomes empty, its origin is unchanged.
        """


__all__ = ["Batch"]
