"""Metrics: numbers about what the process does, cheap enough to keep on.

Three kinds: a counter only grows, a gauge is set, a histogram counts observations by bucket. A metric may
have labels; each combination of label values is a series, and their number is limited, because an unlimited
one is how metrics take down servers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Counter(Protocol):
    """A number that only grows.

    Thread rules: one writer per series, or exactness is not promised; any thread reads.
    """

    def add(self, amount: int = 1) -> None:
        """Add ``amount``, 0 or more (else ``InvalidArgument``)."""

    @property
    def value(self) -> int:
        """The sum so far."""


class Gauge(Protocol):
    """A number that goes up and down."""

    def set(self, value: float) -> None:
        """Set the value."""

    def add(self, amount: float) -> None:
        """Add to the value; negative amounts are allowed."""

    @property
    def value(self) -> float:
        """The value now."""


class Histogram(Protocol):
    """Counts of observations in buckets with fixed upper bounds, plus their number and sum."""

    def observe(self, value: float) -> None:
        """Count one observation in the first bucket whose bound is not below it."""

    @property
    def count(self) -> int:
        """Number of observations."""

    @property
    def sum(self) -> float:
        """Sum of observations."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One series at one moment: ``name{labels} value``."""

    name: str
    kind: str
    """``"counter"``, ``"gauge"`` or ``"histogram"``."""
    labels: Mapping[str, str]
    value: float


class Metrics(Protocol):
    """A registry of metrics.

    Thread rules: any thread. Asking twice for the same name and labels gives the same series.
    """

    def counter(self, name: str, help: str = "", **labels: str) -> Counter:
        """Return a counter. Raises ``InvalidArgument`` for a malformed name or label, ``AlreadyExists``
        where the name has another kind, and ``ResourceExhausted`` beyond the limit of series per name."""

    def gauge(self, name: str, help: str = "", **labels: str) -> Gauge:
        """Return a gauge; errors as ``counter``."""

    def histogram(self, name: str, buckets: Sequence[float], help: str = "", **labels: str) -> Histogram:
        """Return a histogram with ascending upper bounds (else ``InvalidArgument``); errors as
        ``counter``."""

    def observe_with(self, name: str, function: Callable[[], float], help: str = "", **labels: str) -> None:
        """Make a gauge whose value is asked from ``function`` when samples are collected: it costs nothing
        in between. What it raises leaves the sample out."""

    def collect(self) -> Sequence[Sample]:
        """Return every series now, by name and labels."""


__all__ = ["Counter", "Gauge", "Histogram", "Metrics", "Sample"]
