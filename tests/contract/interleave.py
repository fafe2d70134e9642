"""Interleaving: what happens when another thread comes in between, decided and not hoped for.

Threads that race by chance almost never meet: under the GIL a planted race showed in none of 20 000 runs. So
the moment is chosen. An operation runs with a trace function (``sys.settrace``) that counts the byte codes of
the implementation, and at the chosen one the other thread runs its operations to the end, while the first is
held. Then the first goes on. Trying every byte code in turn covers all schedules with one interruption, and the
same schedules each time; most real races need no more.

Works on unmodified Python code. What is written in C is one step, as it is with the GIL. Where the other thread
has to wait (a lock that the first one holds), it gets a short time and the first goes on: a lock is slow here,
but no failure.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Final, Generic, TypeVar

from .trial import Trial

MAX_POINTS: Final = 600
"""Most byte codes of one operation that are tried; longer operations are tried at their beginning only."""

FIRST_WAIT_SECONDS: Final = 0.02
LATER_WAIT_SECONDS: Final = 0.001

_KIT: Final = str(Path(__file__).resolve().parent)
_OTHERS: Final = (str(Path(_KIT) / "mutants"),)

R = TypeVar("R")


class Interruption:
    """One schedule: hold an operation at byte code number ``at``, and let another thread work meanwhile."""

    __slots__ = ("_blocked", "_seen", "_thread", "at")

    def __init__(self, at: int, blocked: list[None]) -> None:
        self.at = at
        self._blocked = blocked
        self._seen = 0
        self._thread: _Other[object] | None = None

    @property
    def reached(self) -> bool:
        """Whether the operation was long enough to be interrupted here."""
        return self._thread is not None

    def run(self, operation: Callable[[], R], meanwhile: Callable[[], object]) -> tuple[R, object]:
        """Run ``operation`` here and ``meanwhile`` on another thread, in the middle of it (or after it, where
        it is too short); return what both returned. What either raises is raised."""
        other = _Other(meanwhile)

        def interrupt() -> None:
            self._thread = other
            if not other.start_and_wait(LATER_WAIT_SECONDS if self._blocked else FIRST_WAIT_SECONDS):
                self._blocked.append(None)

        result = _traced(operation, self._counter(interrupt))
        if self._thread is None:
            other.start_and_wait(None)
        return result, other.result()

    def _counter(self, interrupt: Callable[[], None]) -> Callable[[], bool]:
        """Return the function that is asked at each byte code whether to go on tracing."""

        # Runs inside the trace function, where no coverage tool can see it.
        def step() -> bool:  # pragma: no cover
            self._seen += 1
            if self._seen <= self.at:
                return True
            interrupt()
            return False

        return step


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


def _traced(operation: Callable[[], R], step: Callable[[], bool]) -> R:
    """Run ``operation`` and call ``step`` before each byte code outside the kit, until it says ``False``."""

    # A trace function runs untraced: coverage tools can't see it, and see nothing while it is in place.
    def enter(frame: FrameType, event: str, argument: object) -> object:  # pragma: no cover
        name = frame.f_code.co_filename
        if name.startswith(_KIT) and not name.startswith(_OTHERS):
            return None
        frame.f_trace_opcodes = True
        return visit

    def visit(frame: FrameType, event: str, argument: object) -> object:  # pragma: no cover
        if event == "opcode" and not step():
            sys.settrace(None)
            return None
        return visit

    before = sys.gettrace()
    sys.settrace(enter)  # type: ignore[arg-type]  # the stubs want a trace function to return itself
    try:  # pragma: no cover - untraced, see above
        return operation()
    finally:
        sys.settrace(before)


def interruptions(trial: Trial) -> Iterator[Interruption]:
    """Yield one schedule after the other, until one was not reached; each needs a fresh subject.

    At least one is yielded: where the operation has no byte code to interrupt (it is written in C, or another
    thread would have to wait), both run one after the other.
    """
    blocked: list[None] = []
    at = 0
    while at < MAX_POINTS:
        trial.forget()
        schedule = Interruption(at, blocked)
        yield schedule
        if not schedule.reached:
            break
        at += 1
    if at == 0:
        trial.note("nothing to interrupt: the operation is a single step for Python")


__all__ = ["FIRST_WAIT_SECONDS", "LATER_WAIT_SECONDS", "MAX_POINTS", "Interruption", "interruptions"]
