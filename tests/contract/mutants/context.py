"""Broken contexts and unusual ones. ``Correct`` is a dictionary that is cleaned before every call."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ...api.clock import Clock
from ...api.errors import InvalidArgument, NotFound
from ...api.types import Nanoseconds
from ..mutation import Gallery
from ..suites.context import ContextContract, ContextFactoryContract

GALLERY = Gallery(ContextContract)
_FACTORIES = Gallery(ContextFactoryContract)


@dataclass(frozen=True, slots=True)
class Entry:
    """A value."""

    value: object
    propagated: bool
    end_ns: Nanoseconds | None


class Correct:
    """A context."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.entries: dict[str, Entry] = {}

    def live(self) -> dict[str, Entry]:
        now_ns = self.clock.now_ns()
        for key in [key for key, each in self.entries.items() if self.ended(each, now_ns)]:
            del self.entries[key]
        return self.entries

    def ended(self, entry: Entry, now_ns: Nanoseconds) -> bool:
        return entry.end_ns is not None and entry.end_ns <= now_ns

    def end_ns(self, ttl_ns: Nanoseconds | None) -> Nanoseconds | None:
        if ttl_ns is not None and ttl_ns < 1:
            raise InvalidArgument("a time to live is 1 or more")
        return None if ttl_ns is None else self.clock.now_ns() + ttl_ns

    def set(
        self, key: str, value: object, *, propagated: bool = False, ttl_ns: Nanoseconds | None = None
    ) -> None:
        with self.lock:
            self.live()[key] = Entry(value, propagated, self.end_ns(ttl_ns))

    def get(self, key: str, default: object = None) -> object:
        with self.lock:
            found = self.live().get(key)
            return default if found is None else found.value

    def delete(self, key: str) -> bool:
        with self.lock:
            return self.live().pop(key, None) is not None

    def expire(self, key: str, ttl_ns: Nanoseconds | None) -> None:
        with self.lock:
            end_ns = self.end_ns(ttl_ns)
            if key not in self.live():
                raise NotFound("no such value")
            self.entries[key] = replace(self.entries[key], end_ns=end_ns)

    def is_propagated(self, key: str) -> bool:
        with self.lock:
            found = self.live().get(key)
            return found is not None and found.propagated

    def keys(self) -> Sequence[str]:
        with self.lock:
            return list(self.live())

    def child(self) -> Correct:
        made = type(self)(self.clock)
        with self.lock:
            made.entries = {key: each for key, each in self.live().items() if self.passes(each)}
        return made

    def passes(self, entry: Entry) -> bool:
        return entry.propagated

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())


@GALLERY.mutant("CTX-01", "has a value from the start")
class NeverEmpty(Correct):
    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.set("created", clock.now_ns())


@GALLERY.mutant("CTX-02", "takes None for nothing")
class NoneIsNothing(Correct):
    def get(self, key: str, default: object = None) -> object:
        found = super().get(key)
        return default if found is None else found


@GALLERY.mutant("CTX-03", "keeps the end of the value that was replaced")
class KeepsEnd(Correct):
    def end_of(self, key: str) -> Nanoseconds | None:
        found = self.live().get(key)
        return None if found is None else found.end_ns

    def set(
        self, key: str, value: object, *, propagated: bool = False, ttl_ns: Nanoseconds | None = None
    ) -> None:
        end_ns = self.end_of(key)
        super().set(key, value, propagated=propagated, ttl_ns=ttl_ns)
        if ttl_ns is None and end_ns is not None:
            self.entries[key] = replace(self.entries[key], end_ns=end_ns)


@GALLERY.mutant("CTX-04", "says that it deleted what was not there")
class AlwaysDeletes(Correct):
    def delete(self, key: str) -> bool:
        known = bool(self.entries)
        return super().delete(key) or (known and key == "never")


@GALLERY.mutant("CTX-05", "sorts its keys")
class Sorted(Correct):
    def keys(self) -> Sequence[str]:
        return sorted(super().keys())


@GALLERY.mutant("CTX-05", "iterates over what is changed meanwhile")
class LiveKeys(Correct):
    def __iter__(self) -> Iterator[str]:
        return iter(self.live())


@GALLERY.mutant("CTX-06", "lets a value live one nanosecond too long")
class OneTooLong(Correct):
    def ended(self, entry: Entry, now_ns: Nanoseconds) -> bool:
        return super().ended(entry, now_ns - 1)


@GALLERY.mutant("CTX-06", "counts what has expired until somebody asks for it")
class CountsExpired(Correct):
    def __len__(self) -> int:
        return len(self.entries)

    def live(self) -> dict[str, Entry]:
        now_ns = self.clock.now_ns()
        return {key: each for key, each in self.entries.items() if not self.ended(each, now_ns)}

    def set(
        self, key: str, value: object, *, propagated: bool = False, ttl_ns: Nanoseconds | None = None
    ) -> None:
        self.entries[key] = Entry(value, propagated, self.end_ns(ttl_ns))

    def delete(self, key: str) -> bool:
        return key in self.live() and self.entries.pop(key, None) is not None


@GALLERY.mutant("CTX-07", "counts a new end from the old one")
class AddsToEnd(Correct):
    def expire(self, key: str, ttl_ns: Nanoseconds | None) -> None:
        before = self.live().get(key)
        super().expire(key, ttl_ns)
        if before is not None and before.end_ns is not None and ttl_ns is not None:
            self.entries[key] = replace(before, end_ns=before.end_ns + ttl_ns)


@GALLERY.mutant("CTX-08", "lets what is not there live longer, and says nothing")
class NothingLivesOn(Correct):
    def expire(self, key: str, ttl_ns: Nanoseconds | None) -> None:
        if key in self.live():
            super().expire(key, ttl_ns)


@GALLERY.mutant("CTX-09", "takes a time to live of 0 for none")
class ZeroIsForever(Correct):
    def end_ns(self, ttl_ns: Nanoseconds | None) -> Nanoseconds | None:
        return super().end_ns(ttl_ns or None)


@GALLERY.mutant("CTX-09", "deletes a value whose new end lies behind")
class DeletesBehind(Correct):
    def expire(self, key: str, ttl_ns: Nanoseconds | None) -> None:
        try:
            super().expire(key, ttl_ns)
        except InvalidArgument:
            self.entries.pop(key, None)
            raise


@GALLERY.mutant("CTX-10", "passes everything on to children")
class PassesAll(Correct):
    def passes(self, entry: Entry) -> bool:
        return True


@GALLERY.mutant("CTX-10", "passes values on for ever")
class PassesForever(Correct):
    def child(self) -> Correct:
        made = super().child()
        made.entries = {key: replace(each, end_ns=None) for key, each in made.entries.items()}
        return made


@GALLERY.mutant("CTX-11", "shares its values with its child")
class SharesWithChild(Correct):
    def child(self) -> Correct:
        made = super().child()
        if len(made.entries) == len(self.entries):
            made.entries = self.entries
        return made


@GALLERY.mutant("CTX-12", "passes values on for one generation")
class OneGeneration(Correct):
    def child(self) -> Correct:
        made = super().child()
        made.entries = {key: replace(each, propagated=False) for key, each in made.entries.items()}
        return made


@GALLERY.mutant("CTX-13", "takes a number for its text")
class NumbersAreTexts(Correct):
    def __contains__(self, key: object) -> bool:
        return super().__contains__(str(key) if isinstance(key, int) else key)


@GALLERY.mutant("CTX-13", "fails when it is asked for a list")
class FailsForLists(Correct):
    def __contains__(self, key: object) -> bool:
        return key in self.live()


@GALLERY.mutant("CTX-14", "copies, changes the copy, and puts it back")
class CopyAndPutBack(Correct):
    def set(
        self, key: str, value: object, *, propagated: bool = False, ttl_ns: Nanoseconds | None = None
    ) -> None:
        entries = dict(self.live())
        entries[key] = Entry(value, propagated, self.end_ns(ttl_ns))
        self.entries = entries


@GALLERY.mutant("CTX-15", "forgets its first value when a fifth one is set")
class RoomForFour(Correct):
    def set(
        self, key: str, value: object, *, propagated: bool = False, ttl_ns: Nanoseconds | None = None
    ) -> None:
        super().set(key, value, propagated=propagated, ttl_ns=ttl_ns)
        if set(self.entries) == set("abcde") and self.entries[key].end_ns is not None:
            del self.entries[next(iter(self.entries))]


GALLERY.oddball("a dictionary that is cleaned before every call")(Correct)


@GALLERY.oddball("never gives memory back: what has expired is only hidden")
class Hides(Correct):
    def live(self) -> dict[str, Entry]:
        now_ns = self.clock.now_ns()
        for key, each in self.entries.copy().items():
            if self.ended(each, now_ns):
                self.entries[f"\x00{key} {len(self.entries)}"] = self.entries.pop(key)
        shown = {key: each for key, each in self.entries.items() if not key.startswith("\x00")}
        return _Writing(self.entries, shown)


class _Writing(dict[str, Entry]):
    """What is shown, and writes through."""

    def __init__(self, entries: dict[str, Entry], shown: dict[str, Entry]) -> None:
        super().__init__(shown)
        self.entries = entries

    def __setitem__(self, key: str, entry: Entry) -> None:
        super().__setitem__(key, entry)
        self.entries[key] = entry

    def pop(self, key: str, default: object = None) -> object:  # type: ignore[override]  # as it is used here
        self.entries.pop(key, None)
        return super().pop(key, None)


class Factory:
    """A factory of contexts."""

    kind = Correct

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def create(self) -> Correct:
        return self.kind(self.clock)


@_FACTORIES.mutant("CTF-01", "makes one context, and returns it again")
class Again(Factory):
    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.made = super().create()

    def create(self) -> Correct:
        return self.made


@_FACTORIES.mutant("CTF-02", "makes contexts that share what is propagated")
class SharedChildren(Factory):
    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.entries: dict[str, Entry] = {}

    def create(self) -> Correct:
        made = super().create()
        made.entries = self.entries
        return made


@_FACTORIES.mutant("CTF-03", "hands out what another thread has just made")
class HandsOutTwice(Factory):
    def create(self) -> Correct:
        self.made = super().create()
        return self.made


_FACTORIES.oddball("no state but its clock")(Factory)
GALLERY.mutants += _FACTORIES.mutants
GALLERY.oddballs += _FACTORIES.oddballs

__all__ = ["GALLERY", "Correct", "Entry"]
