"""Broken registries of metrics and unusual ones. ``Correct`` is one dictionary of series."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence

from ...api.errors import AlreadyExists, InvalidArgument, ResourceExhausted
from ...api.metrics import Sample
from ..mutation import Gallery
from ..suites.metrics import MetricsContract

GALLERY = Gallery(MetricsContract)

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class Number:
    """A counter, a gauge or a histogram: what it was asked for decides which methods are used."""

    def __init__(self) -> None:
        self.value: float = 0
        self.count = 0
        self.sum = 0.0
        self.function: Callable[[], float] | None = None

    def set(self, value: float) -> None:
        self.value = value

    def add(self, amount: float = 1) -> None:
        self.value += amount

    def observe(self, value: float) -> None:
        self.count += 1
        self.sum += value

    def now(self) -> float:
        return self.value if self.function is None else self.function()


class Counter(Number):
    """A counter."""

    def add(self, amount: float = 1) -> None:
        if amount < 0:
            raise InvalidArgument("a counter only grows")
        super().add(amount)


Key = tuple[str, tuple[tuple[str, str], ...]]


class Correct:
    """A registry."""

    kinds: Mapping[str, type[Number]] = {"counter": Counter, "gauge": Number, "histogram": Number}

    def __init__(self, *, max_series_per_name: int) -> None:
        self.limit = max_series_per_name
        self.lock = threading.RLock()
        self.series: dict[Key, Number] = {}
        self.kind_of: dict[str, str] = {}

    def find(self, kind: str, name: str, labels: Mapping[str, str]) -> Number:
        self.check(name, labels)
        with self.lock:
            return self.find_or_make(kind, name, self.key(name, labels))

    def check(self, name: str, labels: Mapping[str, str]) -> None:
        if not all(_NAME.fullmatch(each) for each in (name, *labels)):
            raise InvalidArgument("malformed")

    def key(self, name: str, labels: Mapping[str, str]) -> Key:
        return name, tuple(sorted(labels.items()))

    def find_or_make(self, kind: str, name: str, key: Key) -> Number:
        if self.kind_of.get(name, kind) != kind:
            raise AlreadyExists("another kind")
        found = self.series.get(key)
        if found is None:
            self.check_room(name)
            self.kind_of[name] = kind
            found = self.series[key] = self.kinds[kind]()
        return found

    def check_room(self, name: str) -> None:
        if sum(key[0] == name for key in self.series) >= self.limit:
            raise ResourceExhausted("too many")

    def counter(self, name: str, help: str = "", **labels: str) -> Number:
        return self.find("counter", name, labels)

    def gauge(self, name: str, help: str = "", **labels: str) -> Number:
        return self.find("gauge", name, labels)

    def histogram(self, name: str, buckets: Sequence[float], help: str = "", **labels: str) -> Number:
        self.check_bounds(buckets)
        return self.find("histogram", name, labels)

    def check_bounds(self, buckets: Sequence[float]) -> None:
        pairs = zip(buckets, list(buckets)[1:], strict=False)
        if not buckets or any(math.isnan(each) for each in buckets) or not all(low < high for low, high in pairs):
            raise InvalidArgument("not ascending")

    def observe_with(self, name: str, function: Callable[[], float], help: str = "", **labels: str) -> None:
        self.find("gauge", name, labels).function = function

    def collect(self) -> Sequence[Sample]:
        found: list[Sample] = []
        for (name, labels), number in self.ordered():
            found += self.samples(name, dict(labels), number)
        return found

    def ordered(self) -> list[tuple[Key, Number]]:
        return sorted(self.series.items(), key=lambda each: each[0])

    def samples(self, name: str, labels: Mapping[str, str], number: Number) -> Sequence[Sample]:
        kind = self.kind_of[name]
        if kind == "histogram":
            count = Sample(f"{name}_count", kind, labels, number.count)
            return (count, Sample(f"{name}_sum", kind, labels, number.sum))
        try:
            return (Sample(name, kind, labels, number.now()),)
        except Exception:
            return ()


def breaks(kills: str, why: str, kind: str, number: type[Number]) -> None:
    """Add a registry with a broken kind of number."""
    kinds = {**Correct.kinds, kind: number}
    GALLERY.mutant(kills, why)(type(number.__name__, (Correct,), {"kinds": kinds, "__module__": __name__}))


class AtLeastOne(Counter):
    def add(self, amount: float = 1) -> None:
        super().add(amount or 1)


class FloatCounter(Counter):
    def add(self, amount: float = 1) -> None:
        super().add(float(amount) if amount > 10**15 else amount)
        self.value = int(self.value)


class Shrinks(Counter):
    def add(self, amount: float = 1) -> None:
        self.value += amount
        if amount < 0:
            raise InvalidArgument("a counter only grows")


class OnlyUp(Number):
    def add(self, amount: float = 1) -> None:
        super().add(abs(amount))


class CountsPositive(Number):
    def observe(self, value: float) -> None:
        if value > 0:
            super().observe(value)


breaks("MET-01", "adds one where nothing is to be added", "counter", AtLeastOne)
breaks("MET-01", "counts as a float", "counter", FloatCounter)
breaks("MET-02", "shrinks, then complains", "counter", Shrinks)
breaks("MET-03", "has a gauge that goes up only", "gauge", OnlyUp)
breaks("MET-04", "observes what is above zero", "histogram", CountsPositive)


@GALLERY.mutant("MET-05", "keeps labels in the order in which they came")
class OrderOfLabels(Correct):
    def key(self, name: str, labels: Mapping[str, str]) -> Key:
        return name, tuple(labels.items())


@GALLERY.mutant("MET-06", "takes an empty label for none")
class EmptyIsNone(Correct):
    def key(self, name: str, labels: Mapping[str, str]) -> Key:
        return super().key(name, {label: value for label, value in labels.items() if value})


@GALLERY.mutant("MET-07", "lets a name have several kinds")
class ManyKinds(Correct):
    def find_or_make(self, kind: str, name: str, key: Key) -> Number:
        self.kind_of.pop(name, None)
        return super().find_or_make(kind, name, key)


@GALLERY.mutant("MET-08", "takes any label")
class AnyLabel(Correct):
    def check(self, name: str, labels: Mapping[str, str]) -> None:
        super().check(name, {})


@GALLERY.mutant("MET-08", "looks at the beginning of a name")
class BeginningOfName(Correct):
    def check(self, name: str, labels: Mapping[str, str]) -> None:
        if not all(_NAME.match(each) for each in (name, *labels)):
            raise InvalidArgument("malformed")


@GALLERY.mutant("MET-09", "sorts its bounds")
class SortsBounds(Correct):
    def check_bounds(self, buckets: Sequence[float]) -> None:
        super().check_bounds(sorted(set(buckets)))


@GALLERY.mutant("MET-10", "has no limit")
class NoLimit(Correct):
    def check_room(self, name: str) -> None:
        return None


@GALLERY.mutant("MET-10", "refuses at the limit what is there, too")
class RefusesAll(Correct):
    def find_or_make(self, kind: str, name: str, key: Key) -> Number:
        self.check_room(name)
        return super().find_or_make(kind, name, key)


@GALLERY.mutant("MET-11", "shows a counter as it was when it was collected first")
class Remembers(Correct):
    def samples(self, name: str, labels: Mapping[str, str], number: Number) -> Sequence[Sample]:
        if number.function is None:
            value = number.value
            number.function = lambda: value
        return super().samples(name, labels, number)


@GALLERY.mutant("MET-12", "does not show histograms")
class NoHistograms(Correct):
    def samples(self, name: str, labels: Mapping[str, str], number: Number) -> Sequence[Sample]:
        return () if self.kind_of[name] == "histogram" else super().samples(name, labels, number)


@GALLERY.mutant("MET-13", "shows series in the order in which they were made")
class OrderOfMaking(Correct):
    def ordered(self) -> list[tuple[Key, Number]]:
        return list(self.series.items())


@GALLERY.mutant("MET-14", "asks a function once, when it comes")
class AsksEarly(Correct):
    def observe_with(self, name: str, function: Callable[[], float], help: str = "", **labels: str) -> None:
        number = self.find("gauge", name, labels)
        try:
            number.set(function())
        except Exception:
            number.function = function


@GALLERY.mutant("MET-15", "raises what a function raises")
class RaisesFaults(Correct):
    def samples(self, name: str, labels: Mapping[str, str], number: Number) -> Sequence[Sample]:
        found = super().samples(name, labels, number)
        if not found:
            number.now()
        return found


@GALLERY.mutant("MET-15", "shows a function that raises as 0")
class ZeroForFaults(Correct):
    def samples(self, name: str, labels: Mapping[str, str], number: Number) -> Sequence[Sample]:
        return super().samples(name, labels, number) or (Sample(name, self.kind_of[name], labels, 0),)


@GALLERY.mutant("MET-16", "looks for a series, then makes it, without a lock")
class NoLock(Correct):
    def find(self, kind: str, name: str, labels: Mapping[str, str]) -> Number:
        self.check(name, labels)
        return self.find_or_make(kind, name, self.key(name, labels))


GALLERY.oddball("one dictionary of series, and histograms without buckets")(Correct)


@GALLERY.oddball("shows a histogram in one sample, its count, under its own name")
class OneSample(Correct):
    def samples(self, name: str, labels: Mapping[str, str], number: Number) -> Sequence[Sample]:
        if self.kind_of[name] == "histogram":
            return (Sample(name, "histogram", labels, number.count),)
        return super().samples(name, labels, number)


__all__ = ["GALLERY", "Correct", "Counter", "Number"]
