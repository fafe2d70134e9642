"""Trial: what a check works with.

A check says what it does (``did``), compares (``equal``, ``true``, ``raises``) and gets its subjects made
(``make``). The trial keeps the story, so that a failure can tell it; closes what was made, whatever happened;
and counts every step as a sign of life, so that the watchdog can tell a long check from one that hangs.

A check ends at its first broken expectation: what comes after would only be its echo.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NoReturn, ParamSpec, TypeVar

from .difference import first_difference, shown
from .report import Finding

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
E = TypeVar("E", bound=BaseException)

MAX_STEPS: Final = 24
"""Steps of the story that are kept; the oldest go first."""


class Broken(Exception):
    """An expectation of a check does not hold; carries the finding."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.summary)
        self.finding = finding


class KitError(Exception):
    """The kit itself is wrong, and nothing is known about the subject."""


class Trial:
    """The circumstances of one check. Thread rules: the check's thread, except where a method says else."""

    def __init__(
        self,
        seed: str,
        *,
        full: bool = False,
        patience_seconds: float = 1.0,
        script: Sequence[tuple[str, int]] | None = None,
    ) -> None:
        """Draw from ``seed``; ``full`` asks for more rounds; wait ``patience_seconds`` for anything that
        should happen by itself; do ``script`` in place of random ones."""
        self.rng = random.Random(seed)
        self.full = full
        self.patience_seconds = patience_seconds
        self.script = script
        self.script_used = False
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.subject_made = False
        self.sign_of_life = 0
        """Grows with each step. Any thread may read it."""
        self.awaited = ""
        """The call that ``returns`` waits for, if it does. Any thread may read it."""
        self._steps: deque[object] = deque(maxlen=MAX_STEPS)
        self._closing: deque[Callable[[], object]] = deque()

    def make(self, factory: Callable[P, S], *args: P.args, **kwargs: P.kwargs) -> S:
        """Return a fresh subject, and close it at the end if it has a ``close``.

        A factory that raises, whatever it raises, breaks the requirement: it is no reason to skip.
        """
        arguments = ", ".join([*(shown(each) for each in args), *(f"{key}={shown(kwargs[key])}" for key in kwargs)])
        self.did(f"make({arguments})")
        self.subject_made = True
        try:
            subject = factory(*args, **kwargs)
        except BaseException as error:
            raised = f"the factory raised {type(error).__name__}: {error}"
            raise Broken(Finding(raised, self.steps, raised, "a fresh subject")) from error
        for part in subject if isinstance(subject, tuple) else (subject,):
            close = getattr(part, "close", None)
            if callable(close):
                self.defer(close)
        return subject

    @property
    def steps(self) -> tuple[str, ...]:
        """The story up to now."""
        return tuple(str(step) for step in self._steps)

    def did(self, step: object) -> None:
        """Add a step to the story; its ``str`` is asked for if the story is told."""
        self.sign_of_life += 1
        self._steps.append(step)

    def alive(self) -> None:
        """Tell the watchdog that the check goes on. (Every other method does so, too.)"""
        self.sign_of_life += 1

    def forget(self) -> None:
        """Begin the story anew: what comes now has nothing to do with what was before."""
        self.sign_of_life += 1
        self._steps.clear()

    def rounds(self, quick: int, full: int) -> int:
        """Return how often to repeat something random."""
        return full if self.full else quick

    def fail(self, summary: str, *, got: object = None, wanted: object = None) -> NoReturn:
        """End the check: the requirement is broken."""
        raise Broken(
            Finding(summary, self.steps, shown(got), shown(wanted), first_difference(got, wanted))
        )

    def equal(self, got: object, wanted: object, what: str) -> None:
        """Expect ``got == wanted``; ``what`` names it, as in "the items that came out"."""
        self.sign_of_life += 1
        if got != wanted:
            self.fail(f"{what}: not what was wanted", got=got, wanted=wanted)

    def same(self, got: object, wanted: object, what: str) -> None:
        """Expect the very same object."""
        self.sign_of_life += 1
        if got is not wanted:
            self.fail(f"{what}: not the same object", got=got, wanted=wanted)

    def true(self, condition: object, what: str, *, got: object = None, wanted: object = True) -> None:
        """Expect something; ``what`` is the sentence that has to hold."""
        self.sign_of_life += 1
        if not condition:
            self.fail(f"does not hold: {what}", got=condition if got is None else got, wanted=wanted)

    def raises(self, kind: type[E], call: str, function: Callable[[], object]) -> E:
        """Expect that ``function()``, told as ``call``, raises ``kind``, and does not wait; return the exception."""
        try:
            result = self.returns(call, function)
        except kind as error:
            return error
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            raise Broken(Finding(f"{call} raised the wrong error", self.steps, text, kind.__name__)) from error
        return self.fail(f"{call} did not raise {kind.__name__}", got=result, wanted=kind)

    def returns(self, call: str, function: Callable[[], R]) -> R:
        """Expect that ``function()``, told as ``call``, ends while the watchdog's patience lasts; return what it
        returned. Where it waits instead, that is what the check has found, and no hang."""
        self.did(call)
        self.awaited = call
        try:
            return function()
        finally:
            self.awaited = ""

    def warn(self, text: str) -> None:
        """Tell of something that is not broken, but not good either: a pass becomes a warning."""
        self.sign_of_life += 1
        self.warnings.append(text)

    def note(self, text: str) -> None:
        """Put a remark in the report."""
        self.sign_of_life += 1
        self.notes.append(text)

    def defer(self, function: Callable[[], object]) -> None:
        """Call ``function`` when the check is over; the last one first."""
        self._closing.append(function)

    def close(self) -> None:
        """Close everything that was made. What that raises is noted: there are checks for closing. Any thread,
        once the check is over or given up."""
        while self._closing:
            function = self._closing.pop()
            try:
                function()
            except Exception as error:
                self.notes.append(f"closing the subject raised {type(error).__name__}: {error}")


__all__ = ["MAX_STEPS", "Broken", "KitError", "Trial"]
