"""Selftest: the kit on trial.

Every mutant has to be killed by the requirement that it names, not by another one and not by a hang: where
waiting is what is wrong, the check asks for a return (``Trial.returns``). Every oddball has to pass everything. Of a
mutant only the named requirement is run, and what it depends on: if one of those fails first, the name is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from .engine import Factory, Options, run
from .mutation import Mutant, Oddball
from .report import Entry, Outcome, Report
from .requirement import Level

PATIENCE_SECONDS: Final = 0.4
"""Short: what a mutant does not do, it never does. Oddballs have all the time of other implementations."""

_STILLBORN: Final = ("the factory raised", "raised NameError", "raised AttributeError")
"""How findings begin that tell of a mistake in a mutant, and not of what is to be wrong with it."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How one mutant or oddball ended. ``fault`` is ``""`` where the kit was right.

    ``kills`` is the id that must fail because of a mutant (``""`` for an oddball), ``killed_by`` what noticed it:
    ids, or the watchdog.
    """

    suite: str
    kind: str
    name: str
    why: str
    fault: str
    seconds: float
    report: Report
    kills: str = ""
    killed_by: str = ""
    cpu_seconds: float = 0.0


def _unlike(mutant: Mutant, entry: Entry, report: Report) -> str:
    """Return why a mutant does not count as killed, ``""`` if it does."""
    expected = Outcome.FAIL if entry.requirement.level is Level.MUST else Outcome.WARN
    if entry.outcome is Outcome.BLOCKED:
        return "" if mutant.races else f"killed by {entry.blocked_by} and not by {mutant.kills}"
    if entry.outcome is not expected:
        return f"survived {mutant.kills}: {entry.outcome}"
    summary = "" if entry.finding is None else entry.finding.summary
    if entry.finding is not None and entry.finding.hung:
        return f"killed by the watchdog, not by {mutant.kills} itself"
    if summary.startswith(_STILLBORN):
        return f"stillborn, not killed: {summary}"
    others = [each.requirement.id for each in report.failures if each.requirement.id != mutant.kills]
    return f"killed by {', '.join(others)}, too" if others else ""


def try_mutant(mutant: Mutant, seed: int) -> Proof:
    """Put one mutant under the requirement that must kill it."""
    begin = time.monotonic()
    options = Options(seed=seed, only=(mutant.kills,), patience_seconds=PATIENCE_SECONDS)
    report = run(mutant.suite, mutant.make, options)
    seconds = time.monotonic() - begin
    fault = _unlike(mutant, report[mutant.kills], report)
    suite, name = mutant.suite.name, named(mutant.make)
    return Proof(suite, "mutant", name, mutant.why, fault, seconds, report, mutant.kills, _killer(report))


def _killer(report: Report) -> str:
    """Return the ids that noticed something, ``"watchdog"`` with those that never returned."""
    found = [each for each in report.entries if each.outcome in (Outcome.FAIL, Outcome.WARN)]
    return ", ".join(
        f"{each.requirement.id} (watchdog)" if each.finding is not None and each.finding.hung else each.requirement.id
        for each in found
    )


def named(make: Factory) -> str:
    """Return what a factory is called."""
    return getattr(make, "__name__", type(make).__name__)


def try_oddball(oddball: Oddball, seed: int) -> Proof:
    """Put one oddball under its whole suite."""
    begin, cpu = time.monotonic(), time.process_time()
    report = run(oddball.suite, oddball.make, Options(seed=seed))
    used = time.process_time() - cpu
    bad = [each for each in report.entries if each.outcome not in (Outcome.PASS, Outcome.UNSUPPORTED)]
    reasons = [f"{each.requirement.id}: {each.finding.summary if each.finding else each.outcome}" for each in bad]
    fault = f"a false alarm: {'; '.join(reasons)}" if reasons else ""
    seconds = time.monotonic() - begin
    name = named(oddball.make)
    return Proof(oddball.suite.name, "oddball", name, oddball.why, fault, seconds, report, cpu_seconds=used)


def prove(mutants: Iterable[Mutant], oddballs: Iterable[Oddball], seed: int) -> Iterator[Proof]:
    """Yield one proof per mutant and oddball."""
    for mutant in mutants:
        yield try_mutant(mutant, seed)
    for oddball in oddballs:
        yield try_oddball(oddball, seed)


__all__ = ["PATIENCE_SECONDS", "Proof", "named", "prove", "try_mutant", "try_oddball"]
