"""The contract of ``Clock``: two readings in nanoseconds, of which one never goes back.

A clock may stand still for as long as it likes (a virtual one does), so nothing here waits for it.
"""

from __future__ import annotations

import threading

from ...api.clock import Clock
from ..requirement import must, requirement, should
from ..suite import Contract
from ..trial import Trial

CLOCK = (
    must("CLK-01", "now_ns is a whole number of nanoseconds."),
    must("CLK-02", "now_ns is never less than before.", "CLK-01"),
    must("CLK-03", "unix_ns is a whole number of nanoseconds since 1970."),
    must("CLK-04", "Any thread may read it, and none sees time before what another has read.", "CLK-02"),
    should("CLK-05", "unix_ns is a date of this century.", "CLK-03"),
    must("CLK-06", "Reading is pure: it needs no waiting and moves nothing but time.", "CLK-02", "CLK-03"),
)

_CENTURY_NS = (946_684_800 * 10**9, 4_102_444_800 * 10**9)


class ClockContract(Contract, name="clock", requirements=CLOCK):
    """What every clock owes; override ``make``."""

    def make(self) -> Clock:
        """Return a clock."""
        raise NotImplementedError

    @requirement("CLK-01")
    def monotonic_is_an_integer(self, trial: Trial) -> None:
        now_ns = trial.make(self.make).now_ns()
        trial.true(type(now_ns) is int, "now_ns() is an int", got=now_ns)

    @requirement("CLK-02")
    def monotonic_never_goes_back(self, trial: Trial) -> None:
        clock = trial.make(self.make)
        last_ns = clock.now_ns()
        trial.did("now_ns(), again and again")
        for _ in range(trial.rounds(2000, 200_000)):
            now_ns = clock.now_ns()
            trial.true(now_ns >= last_ns, "now_ns() is never less than before", got=now_ns, wanted=last_ns)
            last_ns = now_ns

    @requirement("CLK-03")
    def wall_clock_is_an_integer(self, trial: Trial) -> None:
        unix_ns = trial.make(self.make).unix_ns()
        trial.true(type(unix_ns) is int and unix_ns >= 0, "unix_ns() is an int of 0 or more", got=unix_ns)

    @requirement("CLK-04")
    def threads_agree(self, trial: Trial) -> None:
        clock = trial.make(self.make)
        for _ in range(trial.rounds(10, 500)):
            read: list[object] = []
            before_ns = clock.now_ns()
            thread = threading.Thread(target=lambda: read.append(_reading(clock)), daemon=True)
            trial.did("now_ns() on another thread")
            thread.start()
            thread.join()
            after_ns = clock.now_ns()
            [seen] = read
            in_order = isinstance(seen, int) and before_ns <= seen <= after_ns
            trial.true(in_order, "another thread reads what lies between", got=seen, wanted=(before_ns, after_ns))

    @requirement("CLK-05")
    def wall_clock_is_of_this_century(self, trial: Trial) -> None:
        first_ns, last_ns = _CENTURY_NS
        unix_ns = trial.make(self.make).unix_ns()
        trial.true(first_ns <= unix_ns < last_ns, "2000 <= year < 2100", got=unix_ns)

    @requirement("CLK-06")
    def readings_are_independent(self, trial: Trial) -> None:
        clock = trial.make(self.make)
        first_ns = clock.now_ns()
        trial.did("unix_ns(), a thousand times")
        for _ in range(1000):
            clock.unix_ns()
        passed_ns = clock.now_ns() - first_ns
        trial.true(passed_ns < 10**9, "a thousand readings take less than a second", got=f"{passed_ns} ns")


def _reading(clock: Clock) -> object:
    try:
        return clock.now_ns()
    except Exception as error:
        return error


SUITES = (ClockContract,)

__all__ = ["SUITES", "ClockContract"]
