"""Supervisor: a number of workers that are there, whatever happens to one of them.

Each worker has a *slot*, numbered from 0. A slot has one worker in force, and while it is replaced a second one: the
successor, which is started first; only when that says it is ready the old one is asked to end. So a slot never stands
empty on purpose.

A worker that ends without having been asked is lost: that is reported, and another takes its place. At once, the first
time; after a pause that doubles with every loss in a row; and after ``MAX_LOSSES`` of them not any more, because a
worker that can't live will not live by being started more often: then everything is stopped and the reason raised.
A worker that lived for ``STABLE_NS`` ends the row.

What a worker is (a process, a thread) and what it does, the supervisor does not know. It is told by the worker's own
``Seat`` what happens, and tells a worker to ``stop`` or ``kill``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from ..api.errors import HioloadError, WorkerLost
from ..api.reactor import Reactor
from ..api.scheduler import Cancelable
from ..api.types import Nanoseconds
from .faults import ErrorHook, report

MAX_LOSSES: Final = 6
"""So many workers of a slot lost in a row, and the supervisor gives up."""
FIRST_PAUSE_NS: Final[Nanoseconds] = 100_000_000
"""How long a slot stays empty after the second loss in a row; twice as long after each further one."""
STABLE_NS: Final[Nanoseconds] = 10_000_000_000
"""A worker that lived so long was no part of a row of losses."""


class Worker(Protocol):
    """A worker as the supervisor sees it. Thread rules: the reactor's thread."""

    def stop(self) -> None:
        """Ask it to finish what it began and to end."""

    def kill(self) -> None:
        """End it at once, if that is possible."""


class Seat:
    """One worker's place in its slot: what happens to the worker is told here."""

    __slots__ = ("_supervisor", "asked", "number", "ready", "started_ns", "worker")

    def __init__(self, supervisor: Supervisor, number: int, started_ns: Nanoseconds) -> None:
        self._supervisor = supervisor
        self.number = number
        """The slot's number."""
        self.started_ns = started_ns
        self.ready = False
        self.asked = False
        """Whether it was asked to end."""
        self.worker: Worker | None = None

    def is_ready(self) -> None:
        """The worker serves."""
        self._supervisor._is_ready(self)

    def has_ended(self, how: str) -> None:
        """The worker has gone."""
        self._supervisor._has_ended(self, how)


class _Slot:
    """One slot: who is in force, and who follows."""

    __slots__ = ("current", "leaving", "loss_count", "pause", "successor")

    def __init__(self) -> None:
        self.current: Seat | None = None
        self.successor: Seat | None = None
        self.leaving: list[Seat] = []
        self.loss_count = 0
        self.pause: Cancelable | None = None


class Supervisor:
    """Keeps workers alive. Thread rules: the reactor's thread."""

    __slots__ = (
        "_gave_up",
        "_is_empty",
        "_on_empty",
        "_on_error",
        "_reactor",
        "_slots",
        "_spawn",
        "_stopping",
        "drained",
        "replaced_count",
    )

    def __init__(
        self,
        reactor: Reactor,
        count: int,
        spawn: Callable[[Seat], Worker],
        on_error: ErrorHook,
        on_empty: Callable[[], object],
    ) -> None:
        """``spawn(seat)`` starts a worker and may raise ``HioloadError``, which counts as a loss. ``on_error`` gets
        a ``WorkerLost`` for each worker lost, and ``on_empty()`` is called when all have gone after ``stop``."""
        self._reactor = reactor
        self._spawn = spawn
        self._on_error = on_error
        self._on_empty = on_empty
        self._slots = [_Slot() for _ in range(count)]
        self._stopping = self._is_empty = False
        self._gave_up: WorkerLost | None = None
        self.drained = True
        """Whether no worker had to be killed."""
        self.replaced_count = 0
        """Workers that took the place of a lost one."""

    @property
    def gave_up(self) -> WorkerLost | None:
        """The loss after which it gave up."""
        return self._gave_up

    @property
    def seats(self) -> list[Seat]:
        """Every worker that lives."""
        found: list[Seat] = []
        for slot in self._slots:
            found += [seat for seat in (slot.current, slot.successor, *slot.leaving) if seat is not None]
        return found

    @property
    def is_complete(self) -> bool:
        """Whether every slot has a worker that serves, and none is being replaced."""
        return all(slot.current and slot.current.ready and not slot.successor for slot in self._slots)

    def start(self) -> None:
        """Start a worker for each slot."""
        for number in range(len(self._slots)):
            self._launch(number)

    def restart(self) -> bool:
        """Replace every worker by a new one, which serves before the old one ends; ``False``, and nothing done, while
        some slot has no worker that serves, or has a successor."""
        if self._stopping or not self.is_complete:
            return False
        for number in range(len(self._slots)):
            self._launch(number)
        return True

    def stop(self, patience_ns: Nanoseconds) -> None:
        """Ask all workers to end, and kill those that are left after ``patience_ns``. Idempotent."""
        if self._stopping:
            return
        self._stopping = True
        for slot in self._slots:
            if slot.pause is not None:
                slot.pause.cancel()
        for seat in self.seats:
            self._ask(seat)
        self._reactor.scheduler.schedule(patience_ns, self._kill)
        self._look_whether_empty()

    def _kill(self) -> None:
        for seat in self.seats:
            self.drained = False
            assert seat.worker is not None
            seat.worker.kill()

    def _launch(self, number: int) -> None:
        slot = self._slots[number]
        seat = Seat(self, number, self._reactor.clock.now_ns())
        try:
            seat.worker = self._spawn(seat)
        except HioloadError as error:
            self._lost(seat, f"it could not be started: {error}", error)
            return
        if slot.current is None:
            slot.current = seat
        else:
            slot.successor = seat

    def _ask(self, seat: Seat) -> None:
        if not seat.asked:
            seat.asked = True
            assert seat.worker is not None
            seat.worker.stop()

    def _is_ready(self, seat: Seat) -> None:
        seat.ready = True
        slot = self._slots[seat.number]
        if slot.successor is seat:
            old, slot.current, slot.successor = slot.current, seat, None
            assert old is not None  # else the successor would be in force
            slot.leaving.append(old)
            self._ask(old)

    def _has_ended(self, seat: Seat, how: str) -> None:
        slot = self._slots[seat.number]
        if seat in slot.leaving:
            slot.leaving.remove(seat)
        elif slot.successor is seat:
            slot.successor = None
        else:
            # A successor that is not ready yet will be in time, or there will be another one.
            slot.current, slot.successor = slot.successor, None
        if not seat.asked and not self._stopping:
            self._lost(seat, how, None)
        self._look_whether_empty()

    def _lost(self, seat: Seat, how: str, cause: HioloadError | None) -> None:
        """A worker has gone that nobody had asked to."""
        slot = self._slots[seat.number]
        lived_ns = self._reactor.clock.now_ns() - seat.started_ns
        slot.loss_count = 1 if lived_ns >= STABLE_NS else slot.loss_count + 1
        count = slot.loss_count
        error = WorkerLost("a worker ended that nobody had asked to", worker=seat.number, how=how, in_a_row=count)
        error.__cause__ = cause
        report(self._on_error, error, self._spawn)
        if slot.current is not None:
            return  # the one that was to be replaced goes on
        if slot.loss_count >= MAX_LOSSES:
            self._gave_up = self._gave_up or error
            self.stop(FIRST_PAUSE_NS)
            return
        pause_ns = FIRST_PAUSE_NS << slot.loss_count - 2 if slot.loss_count > 1 else 0
        slot.pause = self._reactor.scheduler.schedule(pause_ns, lambda: self._replace(seat.number))

    def _replace(self, number: int) -> None:
        self.replaced_count += 1
        self._launch(number)

    def _look_whether_empty(self) -> None:
        if self._stopping and not self._is_empty and not self.seats:
            self._is_empty = True
            self._on_empty()


__all__ = ["FIRST_PAUSE_NS", "MAX_LOSSES", "STABLE_NS", "Seat", "Supervisor", "Worker"]
