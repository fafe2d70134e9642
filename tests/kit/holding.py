"""What every test of an implementation of ours under its contract says."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hioload_ws.contract import Contract, Outcome, check
from hioload_ws.contract.engine import Factory
from hioload_ws.contract.text import story
from tests.kit import ledger


@dataclass(frozen=True, slots=True)
class Cost:
    """What it took to hold one implementation to its contract."""

    suite: str
    name: str
    seconds: float
    cpu_seconds: float


class Mode:
    """How ``hold`` runs, and what it took so far; ``measure.py`` changes the one and reads the other."""

    full: bool = False
    seed: int = 1
    costs: Final[list[Cost]] = []


NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


def hold(
    suite: type[Contract],
    make: Factory,
    name: str,
    *,
    unsupported: Mapping[str, str] = NOTHING,
    warned: Mapping[str, str] = NOTHING,
) -> None:
    """Hold an implementation to a suite: every requirement was run and passes, but those of the capabilities
    in ``unsupported``, which are not declared and whose refusal was checked; ``warned`` are ids of level SHOULD
    that are known not to be met. Both say why. ``name`` is what the ledger calls it: one that is played begins with
    the name of the fake, as ``hioload_ws.fake`` exports it."""
    begin, cpu_begin = time.monotonic(), time.process_time()
    report = check(suite, make, seed=Mode.seed, full=Mode.full)
    Mode.costs.append(Cost(suite.name, name, time.monotonic() - begin, time.process_time() - cpu_begin))
    left = {entry.requirement.id: entry for entry in report.entries if entry.outcome is not Outcome.PASS}
    wanted = {each.id for each in suite.requirements if each.capability in unsupported}
    bad = [entry for id, entry in left.items() if id not in wanted and id not in warned]
    assert not bad, "\n".join(story(report, entry) for entry in bad)
    assert {id for id, entry in left.items() if entry.outcome is Outcome.UNSUPPORTED} == wanted
    assert {id for id, entry in left.items() if entry.outcome is Outcome.WARN} == set(warned)
    assert report.conformant
    ledger.record(suite, name, unsupported, warned)
