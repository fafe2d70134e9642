"""Requirements: the sentences that an implementation is held to, as data.

A requirement is written down once, here, and not hidden in a test: its id is what a failure names, what a broken
implementation has to be killed by, and what a table in a README is made from. The check that proves it is a
method of a suite, marked with the id; neither exists without the other, and ``catalogue.faults`` says so.

*Level* is RFC 2119's: a broken MUST is a failure, a broken SHOULD a warning, and a MAY that is not there is
merely unsupported. *Depends* keeps one root cause one failure: what builds on a broken requirement is reported
as blocked and not run.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar


class Level(enum.StrEnum):
    """How binding a requirement is (RFC 2119)."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence that an implementation is held to.

    ``id`` is unique over all suites (``"RNG-03"``) and never reused. ``since`` is the version of the contract
    that it came with (``"1.0"``). With a ``capability`` it applies to implementations that declare it; the
    others are checked to refuse. ``depends`` lists ids of the same suite, all further up.
    """

    id: str
    level: Level
    sentence: str
    since: str = "1.0"
    capability: str | None = None
    depends: tuple[str, ...] = ()


def must(
    id: str, sentence: str, *depends: str, since: str = "1.0", capability: str | None = None
) -> Requirement:
    """Return a requirement of level MUST; ``depends`` are the ids that it builds on."""
    return Requirement(id, Level.MUST, sentence, since, capability, depends)


def should(
    id: str, sentence: str, *depends: str, since: str = "1.0", capability: str | None = None
) -> Requirement:
    """Return a requirement of level SHOULD; ``depends`` are the ids that it builds on."""
    return Requirement(id, Level.SHOULD, sentence, since, capability, depends)


Function = TypeVar("Function", bound=Callable[..., None])

_ID: Final = "__contract_requirement__"
_REFUSAL: Final = "__contract_refusal__"


def requirement(id: str) -> Callable[[Function], Function]:
    """Mark a method ``check(self, trial)`` of a suite as the proof of a requirement."""

    def mark(function: Function) -> Function:
        setattr(function, _ID, id)
        return function

    return mark


def refusal(capability: str) -> Callable[[Function], Function]:
    """Mark a method ``check(self, trial)`` of a suite as what holds *without* a capability.

    It has to find a typed error, promptly, and the state unchanged; where the thing works although it is not
    declared, it says so with ``trial.warn``.
    """

    def mark(function: Function) -> Function:
        setattr(function, _REFUSAL, capability)
        return function

    return mark


def checked_id(function: object) -> str | None:
    """Return the id that a function proves, or ``None``."""
    found: str | None = getattr(function, _ID, None)
    return found


def refused_capability(function: object) -> str | None:
    """Return the capability whose absence a function checks, or ``None``."""
    found: str | None = getattr(function, _REFUSAL, None)
    return found


def version_of(text: str) -> tuple[int, ...]:
    """Return ``"1.10"`` as ``(1, 10)``, for comparing. Raises ``ValueError`` for anything else."""
    return tuple(int(part) for part in text.split("."))


def closure(wanted: Iterable[str], requirements: Iterable[Requirement]) -> set[str]:
    """Return the ids ``wanted`` and all that they depend on, directly or not."""
    by_id = {each.id: each for each in requirements}
    found: set[str] = set()
    waiting = [id for id in wanted if id in by_id]
    while waiting:
        id = waiting.pop()
        if id not in found:
            found.add(id)
            waiting.extend(by_id[id].depends)
    return found


__all__ = [
    "Level",
    "Requirement",
    "checked_id",
    "closure",
    "must",
    "refusal",
    "refused_capability",
    "requirement",
    "should",
    "version_of",
]
