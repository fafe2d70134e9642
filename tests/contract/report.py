"""Reports: what came out, counted honestly.

Seven outcomes, because two are not enough. *Blocked* is not a failure of its own: it builds on one that is
reported. *Unsupported* is not a pass: it says that the thing is absent and refuses properly. *Untested* and
*kit-error* say that nothing is known. From these the verdict follows, and it is "conformant" only when every
MUST that applies was run and passed, and at least one was: an implementation that declares nothing proves
nothing. All renderings take their numbers from here.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from .requirement import Level, Requirement


class Outcome(enum.StrEnum):
    """What is known about one requirement after a run."""

    PASS = "pass"
    FAIL = "fail"
    WARN = "warn"
    UNSUPPORTED = "unsupported"
    BLOCKED = "blocked"
    UNTESTED = "untested"
    KIT_ERROR = "kit-error"


class Verdict(enum.StrEnum):
    """What a report comes to."""

    CONFORMANT = "conformant"
    WARNINGS = "conformant, with warnings"
    NOT_CONFORMANT = "not conformant"
    INCOMPLETE = "incomplete"
    """Nothing is broken, but something that binds was not tested (a selection, an error of the kit)."""
    NOTHING = "nothing was tested"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found to be wrong. ``did`` are the steps that led there, oldest first."""

    summary: str
    did: tuple[str, ...] = ()
    got: str = ""
    wanted: str = ""
    difference: str = ""
    trace: str = ""
    """Stacks: of an exception, or of all threads where something never returned."""
    hung: bool = False
    """Something did not return of which the check did not ask it, and the watchdog ended the check."""
    script: str = ""
    """The operations that led there, where a model found it: what ``replay`` does again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The outcome of one requirement. ``blocked_by`` is the id that it builds on and that is not met."""

    requirement: Requirement
    outcome: Outcome
    finding: Finding | None = None
    blocked_by: str = ""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """The outcomes of one suite on one implementation, in the order of the suite."""

    suite: str
    subject: str
    seed: int
    version: str
    """Of the kit."""
    entries: tuple[Entry, ...]
    locator: str = ""
    """``module:name`` of the factory, ``""`` where it has none (a lambda)."""
    full: bool = False
    """Whether it was a run with more rounds."""

    def __getitem__(self, id: str) -> Entry:
        """Return the entry of a requirement. Raises ``KeyError`` for an id that the suite has not."""
        for entry in self.entries:
            if entry.requirement.id == id:
                return entry
        raise KeyError(id)

    @property
    def counts(self) -> Mapping[Outcome, int]:
        """How many requirements ended how; every outcome is in it."""
        counts = dict.fromkeys(Outcome, 0)
        for entry in self.entries:
            counts[entry.outcome] += 1
        return counts

    @property
    def failures(self) -> tuple[Entry, ...]:
        """The entries that failed."""
        return tuple(entry for entry in self.entries if entry.outcome is Outcome.FAIL)

    @property
    def findings(self) -> tuple[Entry, ...]:
        """The entries that somebody has to look at, the root causes first: failures before errors of the kit
        before warnings, and what blocks much before what blocks little."""
        order = (Outcome.FAIL, Outcome.KIT_ERROR, Outcome.WARN)
        found = [entry for entry in self.entries if entry.outcome in order]

        def rank(entry: Entry) -> tuple[int, int]:
            return order.index(entry.outcome), -len(self.blocked_by(entry.requirement.id))

        return tuple(sorted(found, key=rank))

    def blocked_by(self, id: str) -> tuple[str, ...]:
        """Return the ids of the requirements that were not run because of this one."""
        return tuple(entry.requirement.id for entry in self.entries if entry.blocked_by == id)

    @property
    def seconds(self) -> float:
        """How long the checks took together."""
        return sum(entry.seconds for entry in self.entries)

    @property
    def verdict(self) -> Verdict:
        """What it comes to."""
        outcomes = {entry.outcome for entry in self.entries}
        binding = {entry.outcome for entry in self.entries if entry.requirement.level is Level.MUST}
        if Outcome.FAIL in outcomes:
            return Verdict.NOT_CONFORMANT
        if not outcomes - {Outcome.UNTESTED, Outcome.UNSUPPORTED, Outcome.BLOCKED}:
            return Verdict.NOTHING
        if binding & {Outcome.UNTESTED, Outcome.BLOCKED, Outcome.KIT_ERROR} or Outcome.PASS not in binding:
            return Verdict.INCOMPLETE
        return Verdict.WARNINGS if Outcome.WARN in outcomes else Verdict.CONFORMANT

    @property
    def conformant(self) -> bool:
        """Whether every MUST that applies was run and passed, and at least one was."""
        return self.verdict in (Verdict.CONFORMANT, Verdict.WARNINGS)

    def repeat(self, id: str) -> str:
        """Return the command that runs one requirement again as it was run here."""
        if self.locator:
            full = " --full" if self.full else ""
            return f"hioload-ws contract repro {id} {self.locator} --seed {self.seed}{full}"
        full = ", full=True" if self.full else ""
        return f'check({self.suite}, make, only=["{id}"], seed={self.seed}{full})'

    def program(self, entry: Entry) -> str:
        """Return a program that repeats what a model found, to be pasted; ``""`` for anything else."""
        if entry.finding is None or not entry.finding.script:
            return ""
        module, _, name = self.locator.rpartition(":")
        importable = module and not module.endswith(".py") and "." not in name
        make = f"from {module} import {name} as make" if importable else "make = ...  # what makes your component"
        head = "from hioload_ws.contract import replay"
        return f'{head}\n{make}\n\nreplay("{entry.requirement.id}", make, {entry.finding.script})'


__all__ = ["Entry", "Finding", "Outcome", "Report", "Verdict"]
