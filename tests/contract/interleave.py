"""Interleaving: what happens when another thread comes in between, decided and not hoped for.

Threads that race by chance almost never meet: under the GIL a planted race showed in none of 20 000 runs. So
the moment is chosen. An operation runs step by step (``stepping.py``), a step being one byte code of the
implementation. At the chosen step it is held, and another thread runs its operations to the end; then the first
goes on. Trying every step in turn covers all schedules with one interruption, and the same ones each time; most
real races need no more.

What is written in C is one step, as it is with the GIL, and so is what belongs to Python's own library. Where the
other thread has to wait (for a lock that the held one has), it gets a short time and the first goes on: a lock is
slow here, but no failure.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Final, Generic, TypeVar

from .stepping import Stepper, is_of_python, shown_instruction, stepper
from .trial import Trial

MAX_STEPS: Final = 600
"""Most steps of one operation that are tried; longer operations are tried at their beginning only."""

FIRST_WAIT_SECONDS: Final = 0.02
LATER_WAIT_SECONDS: Final = 0.0004
"""How long the other thread may take while the first is held; the short one once it was seen to wait."""

R = TypeVar("R")


class _Other(Generic[R]):
    """The other thread: runs a function once and keeps what came of it."""

    def __init__(self, function: Callable[[], R]) -> None:
        self._function = function
        self._results: list[R] = []
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._body, name="contract interleaving", daemon=True)

    def _body(self) -> None:
        try:
            self._results.append(self._function())
        except BaseException as error:
            self._errors.append(error)

    def start_and_wait(self, seconds: float | None) -> bool:
        """Start it and return whether it has ended within the time."""
        self._thread.start()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def result(self) -> R:
        """Wait for the end (the watchdog bounds that) and return the result, or raise."""
        self._thread.join()
        if self._errors:
            raise self._errors[0]
        return self._results[0]


@dataclass(frozen=True, slots=True)
class _Held:
    """Where an operation was held, as text when somebody asks: finding the line takes longer than the schedule."""

    code: CodeType
    offset: int

    def __str__(self) -> str:
        return f"  held at {shown_instruction((self.code, self.offset))}"


class Interruption:
    """One schedule: hold an operation at step number ``at``, and let another thread work meanwhile."""

    __slots__ = ("_blocked", "_seen", "_stepper", "_trial", "at", "reached")

    def __init__(self, trial: Trial, at: int, blocked: list[None], stepper: Stepper) -> None:
        self._trial = trial
        self.at = at
        self.reached = False
        """Whether the operation was long enough to be held there."""
        self._blocked = blocked
        self._seen = 0
        self._stepper = stepper

    def run(self, operation: Callable[[], R], meanwhile: Callable[[], object]) -> tuple[R, object]:
        """Run ``operation`` here and ``meanwhile`` on another thread, in the middle of it (or after it, where
        it is too short); return what both returned. What either raises is raised."""
        other = _Other(meanwhile)

        # Runs in the middle of the operation, where no coverage tool can see it.
        def step(code: CodeType, offset: int) -> bool:  # pragma: no cover - untraced
            if is_of_python(code):  # nobody's race: what it shares, it locks
                return True
            self._seen += 1
            if self._seen <= self.at:
                return True
            self.reached = True
            self._trial.did(_Held(code, offset))
            if not other.start_and_wait(LATER_WAIT_SECONDS if self._blocked else FIRST_WAIT_SECONDS):
                self._blocked.append(None)
            return False

        result = self._stepper.run(operation, step)
        if not self.reached:
            other.start_and_wait(None)
        return result, other.result()


def interruptions(trial: Trial) -> Iterator[Interruption]:
    """Yield one schedule after the other, until one was not reached; each needs a fresh subject.

    At least one is yielded; where the operation has no step to hold (it is written in C), both operations run
    one after the other, and the report notes it.
    """
    blocked: list[None] = []
    steps = stepper()
    trial.defer(steps.close)  # a check that ends in the middle leaves this generator as it is
    if not steps.first_run_counts:  # pragma: no cover - coverage is measured on 3.11
        trial.forget()
        yield Interruption(trial, MAX_STEPS, blocked, steps)
    for at in range(MAX_STEPS):
        trial.forget()
        schedule = Interruption(trial, at, blocked, steps)
        yield schedule
        if not schedule.reached:
            break
    if at == 0:
        trial.note("nothing to interrupt: the operation is a single step for Python")
    steps.close()


__all__ = ["FIRST_WAIT_SECONDS", "LATER_WAIT_SECONDS", "MAX_STEPS", "Interruption", "interruptions"]
