"""Metrics: counters, gauges and histograms, and the registry that knows them by name and labels.

**The hot path pays for an addition.** Whoever counts asks the registry once, keeps the counter, and from then
on no registry, no dictionary and no lock is involved. An owner for whom even a method call is too much may
write ``counter.count += n`` (n not negative), ``gauge.number = x``: these attributes are public for that
purpose. A series has one writer (``api.Counter``): each reactor asks for series of its own, told apart by a
label. With several writers nothing breaks, but additions may be lost, because ``+=`` is a load, an add and a
store.

**Names are shared, series are not unlimited.** All series of a name form a *family*: one kind, one help text,
for histograms one list of bounds. The number of series per name is limited, because a label that takes its
value from a client (a path, an id) would otherwise take the server's memory.

**Reading** takes a snapshot of which series exist and then asks each. A histogram derives its count from the
same copy of its buckets that it shows, so count and buckets always agree; its sum may be one observation
ahead or behind. """

from __future__ import annotations

import math
import re
import threading
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

from ..api.errors import AlreadyExists, InvalidArgument, ResourceExhausted
from ..api.metrics import Sample

DEFAULT_MAX_SERIES: Final = 1000

# The data model of Prometheus: metric names and label names. A label "__x" is reserved to its server.
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_PARTS: Final = ("_bucket", "_count", "_sum")
"""What a histogram appends to its name; these names are taken with it."""


class SimpleCounter:
    """A number that only grows; implements ``api.Counter``. One writer; any thread reads."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0

    def add(self, amount: int = 1) -> None:
        """Add ``amount``, 0 or more (else ``InvalidArgument``)."""
        if amount < 0:
            raise InvalidArgument("a counter only grows", amount=amount)
        self.count += amount

    @property
    def value(self) -> int:
        """The sum so far."""
        return self.count


class SimpleGauge:
    """A number that goes up and down; implements ``api.Gauge``. One writer; any thread reads."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number: float = 0.0

    def set(self, value: float) -> None:
        """Set the value."""
        self.number = value

    def add(self, amount: float) -> None:
        """Add to the value; negative amounts are allowed."""
        self.number += amount

    @property
    def value(self) -> float:
        """The value now."""
        return self.number


class BucketHistogram:
    """Counts by bucket; implements ``api.Histogram``. One writer; any thread reads."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """``bounds``: ascending, finite upper bounds, checked by the registry; a last bucket takes the
        rest."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation. Raises ``InvalidArgument`` for "not a number", which is in no bucket and
        would spoil the sum for ever."""
        if value != value:
            raise InvalidArgument("not a number is no observation")
        # The first bound that is not below the value: bounds are inclusive, as Prometheus' "le" is.
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def count(self) -> int:
        """Number of observations."""
        return sum(self._counts)

    @property
    def sum(self) -> float:
        """Sum of observations."""
        return self._sum

    def cumulative(self) -> Sequence[tuple[float, int]]:
        """Return each bound, infinity last, with the number of observations at or below it."""
        return _cumulative(self._bounds, self._counts.copy())


class _Asked:
    """A gauge or counter whose value a function knows."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], float]) -> None:
        self.function = function


class _AskedHistogram:
    """A histogram that somebody else keeps."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[], Distribution]) -> None:
        self.function = function


_Series: TypeAlias = "SimpleCounter | SimpleGauge | BucketHistogram | _Asked | _AskedHistogram"
_Labels: TypeAlias = "tuple[tuple[str, str], ...]"
_S = TypeVar("_S", SimpleCounter, SimpleGauge, BucketHistogram, _Asked, _AskedHistogram)


@dataclass(frozen=True, slots=True)
class Distribution:
    """What a histogram that is kept elsewhere says: ``counts[n]`` observations above ``bounds[n - 1]`` and not
    above ``bounds[n]``, one count more than bounds for what is above the last, and the sum of all observations."""

    bounds: Sequence[float]
    counts: Sequence[int]
    sum: float


@dataclass(frozen=True, slots=True)
class Family:
    """All series of one name at one moment, in order of their labels."""

    name: str
    kind: str
    help: str
    samples: Sequence[Sample]


class _Family:
    """All series of one name. Changed under the registry's lock."""

    __slots__ = ("bounds", "help", "kind", "series")

    def __init__(self, kind: str, bounds: tuple[float, ...]) -> None:
        self.kind = kind
        self.bounds = bounds
        self.help = ""
        self.series: dict[_Labels, _Series] = {}


class MetricsRegistry:
    """Metrics by name and labels; implements ``api.Metrics``, whose contract holds here. Any thread.

    Label values are strings. The words ``name``, ``help``, ``buckets`` and ``function`` can't be labels,
    because they are parameters; ``le`` can't be one of a histogram. """

    __slots__ = ("_extend", "_families", "_lock", "_max_series")

    def __init__(self, max_series_per_name: int = DEFAULT_MAX_SERIES) -> None:
        """``max_series_per_name``: 1 or more, else ``InvalidArgument``."""
        if max_series_per_name < 1:
            raise InvalidArgument("a limit is 1 or more", max_series_per_name=max_series_per_name)
        self._max_series = max_series_per_name
        self._families: dict[str, _Family] = {}
        self._extend: Callable[[Sequence[Family]], Sequence[Family]] | None = None
        # Re-entrant: a signal handler or finaliser may ask for a metric in the middle of any call.
        self._lock = threading.RLock()

    def counter(self, name: str, help: str = "", **labels: str) -> SimpleCounter:
        """Return the counter of a name and labels; errors as the contract says."""
        return self._get_or_make(SimpleCounter, SimpleCounter(), "counter", name, help, labels)

    def gauge(self, name: str, help: str = "", **labels: str) -> SimpleGauge:
        """Return a gauge; errors as ``counter``, and ``AlreadyExists`` where a function gives the value."""
        return self._get_or_make(SimpleGauge, SimpleGauge(), "gauge", name, help, labels)

    def histogram(
        self, name: str, buckets: Sequence[float], help: str = "", **labels: str
    ) -> BucketHistogram:
        """Return a histogram. A last bound of infinity may be given or left out.

        Errors as ``counter``; ``InvalidArgument`` for bounds that are none, not finite or not ascending;
        ``AlreadyExists`` where the name has other bounds.
        """
        bounds = _checked_bounds(buckets)
        if "le" in labels:
            raise InvalidArgument("the label le belongs to the buckets", name=name)
        made = BucketHistogram(bounds)
        return self._get_or_make(BucketHistogram, made, "histogram", name, help, labels, bounds)

    def observe_with(self, name: str, function: Callable[[], float], help: str = "", **labels: str) -> None:
        """Make a gauge that asks ``function``, on the collecting thread, when samples are collected.

        Errors as ``counter``, and ``AlreadyExists`` where there is such a series.
        """
        self._ask(_Asked, _Asked(function), "gauge", name, help, labels)

    def counter_with(self, name: str, function: Callable[[], float], help: str = "", **labels: str) -> None:
        """Make a counter that asks ``function``, whose answers never get smaller; otherwise as ``observe_with``."""
        self._ask(_Asked, _Asked(function), "counter", name, help, labels)

    def histogram_with(
        self, name: str, function: Callable[[], Distribution], help: str = "", **labels: str
    ) -> None:
        """Make a histogram that asks ``function``, for distributions that are counted elsewhere; errors and
        failures as ``observe_with``."""
        self._ask(_AskedHistogram, _AskedHistogram(function), "histogram", name, help, labels)

    def collect(self) -> Sequence[Sample]:
        """Return every series now, by name and labels.

        A histogram is a sample ``_bucket`` per bound (label ``le``, ascending), then ``_count`` and ``_sum``.
        """
        return tuple(sample for family in self.families() for sample in family.samples)

    def families(self) -> Sequence[Family]:
        """Return what ``collect`` does, with the help texts, grouped by name. No lock is held while
        functions are asked, so that they may use this registry."""
        with self._lock:
            found = [
                (name, family.kind, family.help, family.series.copy())
                for name, family in self._families.copy().items()
            ]
        families: Sequence[Family] = tuple(
            Family(name, kind, help, tuple(_read(name, kind, series)))
            for name, kind, help, series in sorted(found, key=lambda row: row[0])
        )
        return families if self._extend is None else self._extend(families)

    def extend(self, function: Callable[[Sequence[Family]], Sequence[Family]] | None) -> None:
        """From now on show ``function(families)`` in place of this registry's own families: with those that others
        keep. It is called on the collecting thread. ``None``: these only."""
        self._extend = function

    def _ask(
        self, wanted: type[_S], made: _S, kind: str, name: str, help: str, labels: Mapping[str, str]
    ) -> None:
        if kind == "histogram" and "le" in labels:
            raise InvalidArgument("the label le belongs to the buckets", name=name)
        if self._get_or_make(wanted, made, kind, name, help, labels) is not made:
            raise AlreadyExists("another function gives this value", name=name, labels=dict(labels))

    def _get_or_make(
        self,
        wanted: type[_S],
        made: _S,
        kind: str,
        name: str,
        help: str,
        labels: Mapping[str, str],
        bounds: tuple[float, ...] = (),
    ) -> _S:
        """Return the series of a name and labels, or ``made``, which is now it. No series changes on
        errors."""
        _check_words(name, labels)
        key = tuple(sorted(labels.items()))
        with self._lock:
            if name not in self._families:
                self._check_untaken(name, kind)
            family = self._families.setdefault(name, _Family(kind, bounds))
            if family.kind != kind or family.bounds != bounds:
                raise AlreadyExists("the metric's name is taken", name=name, kind=family.kind, asked=kind)
            series = family.series.get(key)
            if series is None:
                if len(family.series) >= self._max_series:
                    raise ResourceExhausted("too many series of one name", name=name, limit=self._max_series)
                series = family.series.setdefault(key, made)
            if not isinstance(series, wanted):
                message = "this series gets its value in another way"
                raise AlreadyExists(message, name=name, labels=dict(labels))
            family.help = family.help or help
        return series

    def _check_untaken(self, name: str, kind: str) -> None:
        """Raise ``AlreadyExists`` where a new name meets one that a histogram makes of its own."""
        parts = [f"{name}{part}" for part in _PARTS] if kind == "histogram" else []
        taken = [part for part in parts if part in self._families]
        for part in _PARTS:
            owner = self._families.get(name.removesuffix(part)) if name.endswith(part) else None
            if owner is not None and owner.kind == "histogram":
                taken.append(name)
        if taken:
            raise AlreadyExists("the name is taken by a part of a histogram", name=name, taken=taken[0])


def _check_words(name: str, labels: Mapping[str, str]) -> None:
    if _NAME.fullmatch(name) is None:
        raise InvalidArgument("malformed metric name", name=name)
    for label, value in labels.items():
        if _LABEL.fullmatch(label) is None:
            raise InvalidArgument("malformed label name", name=name, label=label)
        if not isinstance(value, str):
            raise InvalidArgument("a label's value is a string", name=name, label=label, value=value)


def _checked_bounds(buckets: Sequence[float]) -> tuple[float, ...]:
    bounds = tuple(float(bound) for bound in buckets)
    if bounds and bounds[-1] == math.inf:
        bounds = bounds[:-1]
    ascending = all(low < high for low, high in zip(bounds, bounds[1:], strict=False))
    if not bounds or not ascending or not all(map(math.isfinite, bounds)):
        raise InvalidArgument("bounds are one or more finite, ascending numbers", buckets=tuple(buckets))
    return bounds


def _cumulative(bounds: Sequence[float], counts: Sequence[int]) -> Sequence[tuple[float, int]]:
    """Return each bound, infinity last, with the sum of the counts up to it."""
    return tuple(zip((*bounds, math.inf), accumulate(counts), strict=True))


def _read(name: str, kind: str, series: Mapping[_Labels, _Series]) -> Iterator[Sample]:
    """Read all series of a name, in order of their labels."""
    for labels in sorted(series):
        try:
            yield from _samples(name, kind, labels, series[labels])
        except Exception:  # by contract: what a function raises leaves its samples out
            continue


def _samples(name: str, kind: str, labels: _Labels, series: _Series) -> Sequence[Sample]:
    """Read one series; raises what its function raises."""
    if isinstance(series, BucketHistogram):
        return _buckets(name, labels, series.cumulative(), series.sum)
    if isinstance(series, _AskedHistogram):
        told = series.function()
        return _buckets(name, labels, _cumulative(told.bounds, told.counts), told.sum)
    value = float(series.function()) if isinstance(series, _Asked) else series.value
    return (Sample(name, kind, MappingProxyType(dict(labels)), value),)


def _buckets(
    name: str, labels: _Labels, rows: Sequence[tuple[float, int]], total: float
) -> Sequence[Sample]:
    """Return a histogram's samples: a bucket per bound, the count, and the sum of what was observed."""
    shown = MappingProxyType(dict(labels))
    return (
        *(
            Sample(f"{name}_bucket", "histogram", MappingProxyType({**shown, "le": number_text(bound)}), count)
            for bound, count in rows
        ),
        Sample(f"{name}_count", "histogram", shown, rows[-1][1]),
        Sample(f"{name}_sum", "histogram", shown, total),
    )


def number_text(value: float) -> str:
    """Return a number as text formats write it: ``3``, ``0.25``, ``+Inf``, ``-Inf``, ``NaN``."""
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


__all__ = [
    "DEFAULT_MAX_SERIES",
    "BucketHistogram",
    "Distribution",
    "Family",
    "MetricsRegistry",
    "SimpleCounter",
    "SimpleGauge",
    "number_text",
]
