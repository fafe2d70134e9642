"""What every test of an implementation of ours under its contract says."""

from __future__ import annotations

from collections.abc import Collection

from hioload_ws.contract import Contract, Outcome, check
from hioload_ws.contract.engine import Factory
from hioload_ws.contract.text import story


def hold(
    suite: type[Contract], make: Factory, *, unsupported: Collection[str] = (), warned: Collection[str] = ()
) -> None:
    """Hold an implementation to a suite: every requirement was run and passes, but those of the capabilities
    that are named, which are not declared and whose refusal was checked; ``warned`` are ids of level SHOULD that
    are known not to be met."""
    report = check(suite, make)
    left = {entry.requirement.id: entry for entry in report.entries if entry.outcome is not Outcome.PASS}
    wanted = {each.id for each in suite.requirements if each.capability in unsupported}
    bad = [entry for id, entry in left.items() if id not in wanted and id not in warned]
    assert not bad, "\n".join(story(report, entry) for entry in bad)
    assert {id for id, entry in left.items() if entry.outcome is Outcome.UNSUPPORTED} == wanted
    assert {id for id, entry in left.items() if entry.outcome is Outcome.WARN} == set(warned)
    assert report.conformant
