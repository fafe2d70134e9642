"""Verdict: compares a conformance run with the result that is on record, and says every difference.

A suite that is run by a program is believed when three things are certain: every case was played (a run that
stops early has no failures either), no row is worse than it was, and nothing went wrong at our end while the
suite was content (an error in a handler, a lease that was never returned). ``complaints`` looks at all three.

What is on record lies in ``expected.toml``: exact counts for each role, and the rows that are not ``OK``.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

RECORD: Final = Path(__file__).with_name("expected.toml")

RANKS: Final = (
    "OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT", "FAILED",
    "ERROR",
)  # fmt: skip
"""Every verdict of the suite, the best first."""

PASSED: Final = ("OK", "OK")


@dataclass(frozen=True, slots=True)
class Row:
    """One case: the verdicts on what was exchanged and on how it was closed, and what the suite says of it."""

    case: str
    behavior: str
    close: str
    story: str = ""

    @property
    def verdicts(self) -> tuple[str, str]:
        """Both verdicts."""
        return self.behavior, self.close


@dataclass(slots=True)
class Played:
    """A run: its rows in the order of the cases, and what went wrong at our end."""

    rows: list[Row] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def counts(self, column: str) -> Counter[str]:
        """Return how often each verdict stands in the column ``behavior`` or ``close``."""
        return Counter(getattr(row, column) for row in self.rows)


@dataclass(frozen=True, slots=True)
class Expected:
    """What one role has to yield: counts by column and verdict, and the rows that are not ``OK``.

    ``counts`` is ``None`` where only some of the cases are played.
    """

    counts: Mapping[str, Mapping[str, int]] | None
    rows: Mapping[str, tuple[str, str]]

    @property
    def case_count(self) -> int | None:
        """How many cases there are."""
        return None if self.counts is None else sum(self.counts["behavior"].values())


def on_record(role: str, selection: str | None) -> Expected:
    """Return what is on record for ``"server"`` or ``"client"`` and ``"core"`` or ``"all"`` (``None``: some)."""
    record = tomllib.loads(RECORD.read_text("utf-8"))[role]
    rows = {case: (behavior, close) for case, (behavior, close) in record["rows"].items()}
    return Expected(None if selection is None else record[selection], rows)


def complaints(played: Played, expected: Expected) -> Iterator[str]:
    """Yield one line for everything that is not as expected; nothing when the run is right."""
    yield from played.faults
    yield from _about_rows(played.rows, expected.rows)
    if not played.rows:
        yield "no case was played"
    if expected.counts is None:
        return
    if len(played.rows) != expected.case_count:
        yield f"{len(played.rows)} cases were played, not {expected.case_count}"
    for column, counts in expected.counts.items():
        found = played.counts(column)
        for verdict in RANKS:
            if found[verdict] != counts.get(verdict, 0):
                yield f"{column}: {verdict} {found[verdict]} times, not {counts.get(verdict, 0)}"


def _about_rows(rows: Sequence[Row], expected: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    for case, count in Counter(row.case for row in rows).items():
        if count > 1:
            yield f"case {case} was played {count} times"
    for row in rows:
        wanted = expected.get(row.case, PASSED)
        if row.verdicts == wanted:
            continue
        word = "worse" if _ranks(row.verdicts) > _ranks(wanted) else "not as on record"
        yield f"case {row.case} is {word}: {' / '.join(row.verdicts)}, not {' / '.join(wanted)}. {row.story}"


def _ranks(verdicts: tuple[str, str]) -> tuple[int, ...]:
    """Return the ranks, the worst first; a verdict that nobody knows is the worst of all."""
    ranks = (RANKS.index(each) if each in RANKS else len(RANKS) for each in verdicts)
    return tuple(sorted(ranks, reverse=True))


__all__ = ["PASSED", "RANKS", "RECORD", "Expected", "Played", "Row", "complaints", "on_record"]
