"""Reactor and scheduler in virtual time: the real ones, over a poller and a clock that a test plays.

``PollReactor`` and ``TimerScheduler`` do no I/O themselves. They ask a poller and a clock, so the real thing over
a ``ScriptedPoller`` and a ``VirtualClock`` is the best fake of either there is, and a second implementation would
only be a second truth. What is here puts the parts together.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..api.errors import InvalidState
from ..api.types import Nanoseconds
from ..internal.reactor import PollReactor
from ..internal.timers import TimerScheduler
from .clock import VirtualClock
from .poller import ScriptedPoller


@dataclass(slots=True)
class VirtualReactor:
    """A real reactor and the three things a test holds in its hand. Close it with ``reactor.close()``.

    What callbacks raise is kept in ``errors``; ``settle`` and ``advance`` raise the first of it.
    """

    clock: VirtualClock
    poller: ScriptedPoller
    reactor: PollReactor
    errors: list[BaseException] = field(default_factory=list)

    def settle(self, max_turns: int = 10_000) -> int:
        """Turn until a turn finds nothing to do, without letting time pass; return the work done.

        Raises ``InvalidState`` when it never comes to rest, and what a callback raised.
        """
        work_count = 0
        for _ in range(max_turns):
            done_count = self.reactor.run_once(0)
            if self.errors:
                raise self.errors.pop(0)
            work_count += done_count
            if not done_count:
                return work_count
        raise InvalidState("the reactor never comes to rest", turns=max_turns)

    def advance(self, duration_ns: Nanoseconds) -> int:
        """Let time pass and everything happen that falls due meanwhile, each at its moment."""
        end_ns = self.clock.now_ns() + duration_ns
        work_count = self.settle()
        while (deadline_ns := self.reactor.scheduler.next_deadline_ns()) is not None and deadline_ns <= end_ns:
            self.clock.advance(max(deadline_ns - self.clock.now_ns(), 0))
            work_count += self.settle()
        self.clock.advance(end_ns - self.clock.now_ns())
        return work_count + self.settle()


def virtual_reactor(clock: VirtualClock | None = None) -> VirtualReactor:
    """Return a real ``PollReactor`` over a ``ScriptedPoller`` and ``clock`` (default: a new one)."""
    clock = VirtualClock() if clock is None else clock
    poller = ScriptedPoller(clock)
    errors: list[BaseException] = []
    reactor = PollReactor(poller, clock, on_error=lambda error, origin: errors.append(error))
    return VirtualReactor(clock, poller, reactor, errors)


def virtual_scheduler(clock: VirtualClock) -> TimerScheduler:
    """Return a real ``TimerScheduler`` on ``clock``: advance the clock, then call ``run_due``."""
    return TimerScheduler(clock)


__all__ = ["VirtualReactor", "virtual_reactor", "virtual_scheduler"]
