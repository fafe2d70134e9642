"""A reactor on trial, its handles, and the log of what ran."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from ...api.poller import READABLE, Interest, Readiness
from ...api.reactor import Reactor
from ..suite import Contract
from ..trial import Trial
from .lines import Line, Lines, SocketLines

Made: TypeAlias = "Reactor | tuple[Reactor, Lines]"

MILLISECOND_NS: Final = 1_000_000
LONG_NS: Final = 20_000 * MILLISECOND_NS
"""Longer than anybody has patience."""

MANY_TURNS: Final = 50
"""In how many turns what has a budget has to come to everybody."""

FLOOD_COUNT: Final = 2000
"""How often a function that asks for itself again runs at most: more than any turn should grant."""


class Desk:
    """A reactor at work."""

    def __init__(self, trial: Trial, reactor: Reactor, lines: Lines) -> None:
        self.trial = trial
        self.reactor = reactor
        self.lines = lines
        self.log: list[object] = []
        trial.defer(reactor.stop)  # ends a turn that would wait for ever

    def noting(self, name: object, then: Callable[[], object] | None = None) -> Callable[[], None]:
        """Return a function that writes its name into the log, and then does something."""

        def function() -> None:
            self.trial.alive()
            self.log.append(name)
            if then is not None:
                then()

        return function

    def watch(
        self, name: str, interest: Interest = READABLE, then: Callable[[], object] | None = None, *, ready: bool = True
    ) -> Line:
        """Make a handle and register it; its callback writes the name into the log."""
        line = self.lines.add()
        line.set(readable=ready, writable=False)
        self.register(line, name, interest, then)
        return line

    def register(
        self, line: Line, name: str, interest: Interest = READABLE, then: Callable[[], object] | None = None
    ) -> None:
        """Register a handle."""
        note = self.noting(name, then)

        def callback(readiness: Readiness) -> None:
            note()

        self.trial.did(f"register({name}, {interest})")
        self.reactor.register(line.handle, interest, callback)

    def turn(self, timeout_ns: int = 0) -> int:
        """Make one turn; return the work done."""
        return self.trial.returns(f"run_once({timeout_ns})", partial(self.reactor.run_once, timeout_ns))

    def turn_until(self, condition: Callable[[], object], complaint: str) -> None:
        """Make turns until something holds."""
        for _ in range(MANY_TURNS):
            if condition():
                return
            self.turn()
        self.trial.fail(complaint, got=self.log[-20:], wanted=f"it happens within {MANY_TURNS} turns")

    def endless(self, name: str, again: Callable[[Callable[[], None]], object]) -> Callable[[], None]:
        """Return a function that asks for itself ``again``; not for ever, so that a turn which knows no bound ends,
        and is found out."""

        def function() -> None:
            self.log.append(name)
            if self.log.count(name) < FLOOD_COUNT:
                again(function)

        return function

    def no_flood(self, name: str) -> None:
        """Expect that a turn has not run such a function as often as it asked."""
        count = self.log.count(name)
        self.trial.true(count < FLOOD_COUNT, "a turn has a bound, though functions ask for themselves again", got=count)

    def taken(self) -> list[object]:
        """Return the log, and begin it anew."""
        found, self.log[:] = list(self.log), []
        return found


class ReactorBase(Contract, name="reactor", requirements=()):
    """What the parts share: how a reactor is made."""

    def make(self) -> Made:
        """Return a new reactor, over a clock that runs by itself or is moved by waiting; with ``Lines`` if it does
        not watch descriptors. What callbacks raise is to go to an error hook that bears it."""
        raise NotImplementedError

    def desk(self, trial: Trial) -> Desk:
        """Return a fresh reactor with its lines."""
        made = trial.make(self.make)
        reactor, lines = made if isinstance(made, tuple) else (made, SocketLines(trial))
        return Desk(trial, reactor, lines)

    def declared(self, trial: Trial) -> frozenset[str]:
        """Return ``threads`` where others may wake it."""
        return frozenset({"threads"}) if self.desk(trial).lines.threads else frozenset()


__all__ = ["LONG_NS", "MANY_TURNS", "MILLISECOND_NS", "Desk", "ReactorBase"]
