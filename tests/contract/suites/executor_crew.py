"""An executor on trial, and what its checks do with it all the time.

Workers go on by themselves, on threads, or step by step when told; a check is written once for both. What has to
stay undone for a while is behind *gates*: functions that occupy every worker until they are let go. Workers that
go step by step need none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from ...api.errors import TimedOut
from ...api.executor import Executor, ExecutorStats, Task
from ..suite import Contract
from ..trial import Trial

Made: TypeAlias = "Executor | tuple[Executor, Callable[[], object]]"

TICK_SECONDS: Final = 0.02
NAP_SECONDS: Final = 0.0002


class Gate:
    """A function that occupies a worker until it is let go."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.opened = threading.Event()
        self.calls: list[None] = []
        """One for each time that it ran (appending is one step for any number of threads)."""

    def __call__(self) -> None:
        self.calls.append(None)
        self.started.set()
        self.opened.wait()


class Crew:
    """An executor, and how it goes on."""

    def __init__(self, trial: Trial, made: Made) -> None:
        self.trial = trial
        self.executor: Executor
        self.step: Callable[[], object] | None
        self.executor, self.step = made if isinstance(made, tuple) else (made, None)
        self._gates: list[tuple[Gate, Task[object]]] = []
        trial.defer(self.end)

    def submit(self, function: Callable[[], object], *, quiet: bool = False) -> Task[object]:
        """Submit a function; ``quiet``: the story says so elsewhere."""
        if not quiet:
            self.trial.did("submit(a function)")
        self.trial.alive()
        return self.executor.submit(function)

    def wait(
        self, condition: Callable[[], object], complaint: str, got: Callable[[], object] = lambda: None
    ) -> None:
        """Let the workers go on until a condition holds; fail with the complaint where it never does. Time that
        a busy machine takes counts a tick at most."""
        quiet_seconds = 0.0
        while not condition():
            if quiet_seconds >= self.trial.patience_seconds:
                self.trial.fail(complaint, got=got(), wanted="it happens by itself")
            begin = time.monotonic()
            self.trial.alive()
            if self.step is not None:
                self.step()
            time.sleep(NAP_SECONDS)
            quiet_seconds += min(time.monotonic() - begin, TICK_SECONDS)

    def wait_done(self, task: Task[object]) -> None:
        """Wait for the outcome of a task, whatever it is."""
        self.wait(lambda: task.done, "a task that was accepted has no outcome")

    def result(self, task: Task[object]) -> object:
        """Return the result of a task, or raise what it raised."""
        if self.step is not None:
            self.wait_done(task)
            return task.result(0)
        waited_seconds = 0.0
        while True:
            self.trial.alive()
            begin = time.monotonic()
            try:
                return task.result(int(TICK_SECONDS * 1e9))
            except TimedOut:
                waited_seconds += min(time.monotonic() - begin, TICK_SECONDS)
                if waited_seconds >= self.trial.patience_seconds:
                    self.trial.fail("a task that was accepted has no outcome", got=TimedOut, wanted="an outcome")

    def reached(self, box: Sequence[Task[object]]) -> Task[object]:
        """For a function that runs: return its own task, which ``submit`` may not have returned yet."""
        self.wait(lambda: box, "submit did not return while the task ran")
        return box[0]

    def hold(self) -> list[Gate]:
        """Occupy all workers; return the gates that do it."""
        if self.step is not None:
            return []
        gates = [Gate() for _ in range(self.executor.worker_count)]
        self.trial.did(f"occupy {len(gates)} workers")
        for gate in gates:
            self._gates.append((gate, self.executor.submit(gate)))
        self.wait(lambda: all(gate.started.is_set() for gate in gates), "not as many tasks run as there are workers")
        return gates

    def release(self, gates: Sequence[Gate]) -> None:
        """Let the workers go on."""
        if gates:
            self.trial.did("let the workers go on")
        for gate in gates:
            gate.opened.set()

    def books(self) -> ExecutorStats:
        """Return the books, after looking whether they balance. Any thread."""
        books = self.executor.stats()
        ended_count = books.completed_count + books.failed_count + books.cancelled_count
        accounted_count = ended_count + books.running_count + books.queued_count
        self.trial.equal(accounted_count, books.submitted_count, "ended, running and queued: all that were submitted")
        return books

    def come_to_rest(self) -> None:
        """Wait until nothing is queued or runs, by the books."""

        def rests() -> bool:
            books = self.executor.stats()
            return not books.running_count and not books.queued_count

        self.wait(rests, "by its books it never comes to rest", self.executor.stats)

    def end(self) -> None:
        """Let everything go, whatever the check has left. Idempotent."""
        for gate, _ in self._gates:
            gate.opened.set()
        self.executor.shutdown(cancel_queued=True, timeout_ns=500_000_000)


class CrewContract(Contract, name="executor", requirements=()):
    """What the parts share: how an executor is made."""

    def make(self, *, worker_count: int, queue_capacity: int) -> Made:
        """Return a new executor with that many workers and places for tasks that wait; with a second element
        where workers go on only when told: a function that lets one take a task and finish it."""
        raise NotImplementedError

    def crew(self, trial: Trial, *, worker_count: int = 2, queue_capacity: int = 1024) -> Crew:
        """Return a fresh executor."""
        return Crew(trial, trial.make(self.make, worker_count=worker_count, queue_capacity=queue_capacity))

    def declared(self, trial: Trial) -> frozenset[str]:
        """Return ``threads`` where the workers go on by themselves."""
        return frozenset() if self.crew(trial).step else frozenset({"threads"})


__all__ = ["Crew", "CrewContract", "Gate", "Made"]
