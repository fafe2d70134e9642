"""Mutants and oddballs: how the kit proves itself.

A *mutant* is an implementation that is broken in one way and names the requirement that has to notice. A kit
that lets one through checks less than it says. An *oddball* is right but unusual: one byte per read, room for
one item, time that stands still. A kit that refuses one demands more than the contract says. Both live in
``mutants/<interface>.py``, and ``selftest`` runs them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .engine import Factory
from .suite import Contract


@dataclass(frozen=True, slots=True)
class Mutant:
    """A broken implementation. ``kills`` is the id of the requirement that must fail because of it; ``why``
    says what is wrong with it. One that ``races`` may be caught by what the requirement builds on: the threads there
    are real, and sometimes they are lucky."""

    suite: type[Contract]
    kills: str
    why: str
    make: Factory
    races: bool = False


@dataclass(frozen=True, slots=True)
class Oddball:
    """A correct implementation that is unlike all others; ``why`` says how."""

    suite: type[Contract]
    why: str
    make: Factory


class Gallery:
    """The mutants and oddballs of one module, collected by decorating the factories."""

    def __init__(self, *suites: type[Contract]) -> None:
        """Collect for these suites: each mutant and oddball is put under every one of them that has the
        requirement."""
        self._suites = suites
        self.mutants: list[Mutant] = []
        self.oddballs: list[Oddball] = []

    def mutant(self, kills: str, why: str, *, races: bool = False) -> Callable[[Factory], Factory]:
        """Decorate a factory (or a class) of something broken."""

        def add(make: Factory) -> Factory:
            suites = [each for each in self._suites if any(one.id == kills for one in each.requirements)]
            if not suites:
                raise LookupError(f"no suite of this gallery has the requirement {kills}")
            self.mutants.append(Mutant(suites[0], kills, why, make, races))
            return make

        return add

    def oddball(self, why: str) -> Callable[[Factory], Factory]:
        """Decorate a factory (or a class) of something unusual that is right."""

        def add(make: Factory) -> Factory:
            self.oddballs.extend(Oddball(each, why, make) for each in self._suites)
            return make

        return add


__all__ = ["Gallery", "Mutant", "Oddball"]
