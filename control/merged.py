"""Merged metrics: what several workers count, as one.

Each worker has a registry of its own, since a series has one writer. Now and then it sends all of it (``pack``) to
whoever collects, where a ``MergedMetrics`` keeps the latest word of each. Shown are, for every name, the sum over all
workers with the labels that the worker gave, and the worker's own series with one label more, ``worker``. (A query
that adds up series must choose: ``{worker=""}`` are the sums, ``{worker!=""}`` the parts.)

A counter never goes back, so what a worker had counted when it ended stays in the sums, and in its successor's
series; histograms are counters in this respect. A gauge says what is now, so it ends with its worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

from ..api.metrics import Sample
from .metrics import Family

PackedFamily: TypeAlias = "tuple[str, str, str, list[tuple[str, tuple[tuple[str, str], ...], float]]]"
"""Name, kind, help, and for each sample its name, labels and value: nothing that can't travel."""

_Series: TypeAlias = "dict[tuple[str, tuple[tuple[str, str], ...]], float]"
_Table: TypeAlias = "dict[str, tuple[str, str, _Series]]"
"""By name: kind, help, and the values by sample name and labels."""

LABEL: Final = "worker"


def pack(families: Iterable[Family]) -> list[PackedFamily]:
    """Return families in a form that can be sent to another process."""
    return [
        (
            family.name,
            family.kind,
            family.help,
            [(sample.name, tuple(sample.labels.items()), sample.value) for sample in family.samples],
        )
        for family in families
    ]


def _add(table: _Table, families: Iterable[PackedFamily]) -> None:
    """Add families to those of a table, value by value."""
    for name, kind, help, samples in families:
        _, _, series = table.setdefault(name, (kind, help, {}))
        for sample_name, labels, value in samples:
            series[sample_name, labels] = series.get((sample_name, labels), 0) + value


def _samples(kind: str, series: _Series, **more: str) -> Iterator[Sample]:
    for (name, labels), value in series.items():
        yield Sample(name, kind, MappingProxyType({**dict(labels), **more}), value)


class _Source:
    """One worker's numbers: the latest of each worker that lives, by generation, and what the others counted."""

    __slots__ = ("latest", "past")

    def __init__(self) -> None:
        self.latest: dict[int, list[PackedFamily]] = {}
        self.past: list[PackedFamily] = []

    def table(self) -> _Table:
        """Return all of it as one."""
        table: _Table = {}
        for families in (*self.latest.values(), self.past):
            _add(table, families)
        return table


class MergedMetrics:
    """The numbers of several workers. Thread rules: update on one thread; read on any."""

    __slots__ = ("_sources",)

    def __init__(self, count: int) -> None:
        """Make room for workers 0 to ``count - 1``."""
        self._sources = [_Source() for _ in range(count)]

    def update(self, worker: int, generation: int, families: list[PackedFamily]) -> None:
        """Keep the latest word of a worker; ``generation`` tells it from others that have its number."""
        source = self._sources[worker]
        source.latest = {**source.latest, generation: families}  # a new one: a reader has the old or the new

    def ended(self, worker: int, generation: int) -> None:
        """A worker has gone: its gauges end, and what it counted stays."""
        source = self._sources[worker]
        left, past = dict(source.latest), _Source()
        past.past = source.past
        past.latest = {0: [family for family in left.pop(generation, ()) if family[1] != "gauge"]}
        source.past = _packed(past.table())
        source.latest = left

    def add_to(self, own: Sequence[Family]) -> Sequence[Family]:
        """Return the families of the collecting process, ``own``, with those of the workers."""
        total: _Table = {}
        _add(total, pack(own))
        parts: dict[str, list[Sample]] = {}
        for number, source in enumerate(self._sources):
            table = source.table()
            _add(total, _packed(table))
            for name, (kind, _, series) in table.items():
                parts.setdefault(name, []).extend(_samples(kind, series, **{LABEL: str(number)}))
        return tuple(
            Family(name, kind, help, (*_samples(kind, series), *parts.get(name, ())))
            for name, (kind, help, series) in sorted(total.items())
        )


def _packed(table: _Table) -> list[PackedFamily]:
    return [
        (name, kind, help, [(sample_name, labels, value) for (sample_name, labels), value in series.items()])
        for name, (kind, help, series) in table.items()
    ]


__all__ = ["LABEL", "MergedMetrics", "PackedFamily", "pack"]
