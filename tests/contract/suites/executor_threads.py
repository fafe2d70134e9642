"""The part of the executor's contract about several threads: workers, and callers that meet each other.

Where two meet, one of them is held at each of its steps in turn while the other goes on (``interleave.py``), so
that a race is found because it is there and not because it happened.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from ...api.errors import Cancelled, Closed
from ...api.executor import Executor, Task
from ..interleave import interruptions
from ..requirement import must, requirement, should
from ..schedules import explore
from ..trial import Trial
from . import executor_history
from .executor_crew import Crew, CrewContract, Gate

_must, _should = (partial(level, capability="threads") for level in (must, should))

PARALLEL = _must("EXE-21", "As many tasks run at a time as there are workers, also after resize.", "EXE-12")

THREADS = (
    _must("EXE-22", "Two threads can submit at once: both tasks run, once.", "EXE-03"),
    _must("EXE-23", "cancel while a worker takes the task: it runs or is cancelled, not both.", "EXE-06"),
    _must("EXE-24", "A task that is submitted while another thread resizes is not lost.", "EXE-14"),
    _must("EXE-25", "A task that is submitted while another shuts down is refused, or runs.", "EXE-16"),
    _must("EXE-26", "A callback that is added while the task ends is called, once.", "EXE-08"),
    _must("EXE-27", "Several threads that wait for one result all get it.", "EXE-01", "EXE-21"),
    _must("EXE-28", "shutdown with a time-out answers False while a task runs; called again, it waits on.", "EXE-15"),
    _should("EXE-29", "When shutdown has answered True, no thread of the executor is left.", "EXE-15", "EXE-21"),
    _must(
        "EXE-30", "Whatever the schedule, each task runs once or is cancelled, and the books agree.", "EXE-14", "EXE-15"
    ),
)

MEETING_SECONDS: Final = 0.005
"""How long the other thread may take for what happens by itself, while the first is held."""

SCHEDULES: Final = 30
"""Of each scene, in a quick run."""


class ThreadsContract(CrewContract, name="executor-threads", requirements=()):
    """Several threads."""

    @requirement("EXE-21")
    def workers_are_parallel(self, trial: Trial) -> None:
        crew = self.crew(trial, worker_count=3)
        crew.release(crew.hold())
        crew.come_to_rest()
        for size in (5, 2):
            trial.did(f"resize({size})")
            crew.executor.resize(size)
            gates = crew.hold()
            crew.release(gates)
            crew.come_to_rest()

    @requirement("EXE-22")
    def submits_meet(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            crew = self.crew(trial, worker_count=1)
            ran: list[str] = []
            trial.did(f"hold submit at step {schedule.at}, and submit another function meanwhile")
            tasks: list[Task[object]] = []
            schedule.run(_adding(tasks, crew, ran, "a"), _adding(tasks, crew, ran, "b"))
            for task in tasks:
                crew.result(task)
            crew.come_to_rest()
            trial.equal(sorted(ran), ["a", "b"], "what ran")
            trial.equal(crew.books().submitted_count, 2, "how many were submitted")
            crew.end()

    @requirement("EXE-23")
    def cancel_meets_worker(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            crew = self.crew(trial, worker_count=1)
            ran: list[str] = []
            gates = crew.hold()
            task = _submit(crew, ran, "ran")
            trial.did(f"hold cancel at step {schedule.at}, and let the worker come to the task meanwhile")
            answer, _ = schedule.run(task.cancel, partial(_let_go, crew, gates, task))
            crew.wait_done(task)
            crew.come_to_rest()
            trial.equal((ran, task.cancelled), ([], True) if answer else (["ran"], False), "what ran, and cancelled")
            if answer:
                trial.raises(Cancelled, "result()", lambda: crew.result(task))
            crew.books()
            crew.end()

    @requirement("EXE-24")
    def resize_meets_submit(self, trial: Trial) -> None:
        for resize_first in (False, True):
            for schedule in interruptions(trial):
                crew = self.crew(trial, worker_count=2)
                ran: list[str] = []
                gates = crew.hold()
                tasks = [_submit(crew, ran, "before")]
                submit, resize = _adding(tasks, crew, ran, "meanwhile"), partial(crew.executor.resize, 1)
                held = "resize(1)" if resize_first else "submit"
                trial.did(f"hold {held} at step {schedule.at}, and let the other come meanwhile")
                if resize_first:
                    schedule.run(resize, submit)
                else:
                    schedule.run(submit, resize)
                crew.release(gates)
                for task in tasks:
                    crew.result(task)
                crew.come_to_rest()
                trial.equal(sorted(ran), ["before", "meanwhile"], "what ran")
                crew.end()

    @requirement("EXE-25")
    def shutdown_meets_submit(self, trial: Trial) -> None:
        for shutdown_first in (False, True):
            for schedule in interruptions(trial):
                crew = self.crew(trial, worker_count=1)
                ran: list[str] = []
                shutdown = partial(crew.executor.shutdown, timeout_ns=0)
                submit = partial(_submit_if_open, crew, ran)
                held = "shutdown" if shutdown_first else "submit"
                trial.did(f"hold {held} at step {schedule.at}, and let the other come meanwhile")
                if shutdown_first:
                    _, accepted = schedule.run(shutdown, submit)
                else:
                    accepted, _ = schedule.run(submit, shutdown)
                trial.same(crew.executor.shutdown(timeout_ns=_patience_ns(trial)), True, "what shutdown() answers")
                trial.equal(ran, ["accepted"] if accepted else [], "what ran")
                crew.books()

    @requirement("EXE-26")
    def callback_meets_end(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            crew = self.crew(trial, worker_count=1)
            called: list[str] = []
            gates = crew.hold()
            task = crew.submit(lambda: None)
            trial.did(f"hold add_done_callback at step {schedule.at}, and let the task end meanwhile")
            schedule.run(
                lambda: task.add_done_callback(lambda: called.append("called")),
                partial(_let_go, crew, gates, task),
            )
            crew.result(task)
            crew.wait(lambda: called, "the callback was never called")
            crew.come_to_rest()
            trial.equal(called, ["called"], "the calls of the callback")
            crew.end()

    @requirement("EXE-27")
    def everybody_gets_the_result(self, trial: Trial) -> None:
        crew = self.crew(trial)
        asking: list[bool] = []
        got: list[object] = []
        gates = crew.hold()
        task = crew.submit(lambda: "the result")

        def ask() -> None:
            asking.append(True)
            try:
                got.append(task.result(_patience_ns(trial)))
            except Exception as error:
                got.append(error)

        waiters = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
        trial.did("ask for the result on three threads")
        for waiter in waiters:
            waiter.start()
        crew.wait(lambda: len(asking) == 3, "no threads to wait on")
        time.sleep(MEETING_SECONDS)  # which is when they wait
        crew.release(gates)
        crew.wait(lambda: len(got) == 3, "not everybody who waits for a result gets it", lambda: got)
        trial.equal(got, ["the result"] * 3, "the results")

    @requirement("EXE-28")
    def shutdown_can_time_out(self, trial: Trial) -> None:
        crew = self.crew(trial, worker_count=1)
        gates = crew.hold()
        task = crew.submit(lambda: "late")
        for timeout_ns in (0, 2_000_000):
            trial.did(f"shutdown(timeout_ns={timeout_ns}) while a task runs")
            trial.same(crew.executor.shutdown(timeout_ns=timeout_ns), False, "the answer")
        trial.raises(Closed, "submit after it", lambda: crew.submit(lambda: None))
        crew.release(gates)
        trial.same(crew.executor.shutdown(timeout_ns=_patience_ns(trial)), True, "what shutdown() answers in the end")
        trial.equal(task.result(0), "late", "the result of what was queued")

    @requirement("EXE-29")
    def no_thread_is_left(self, trial: Trial) -> None:
        before = set(threading.enumerate())
        crew = self.crew(trial, worker_count=3)
        crew.release(crew.hold())
        crew.executor.shutdown()
        left = [thread.name for thread in threading.enumerate() if thread not in before]
        trial.equal(left, [], "the threads that were not there before")

    @requirement("EXE-30")
    def any_schedule(self, trial: Trial) -> None:
        def make(worker_count: int) -> Executor:
            made = trial.make(self.make, worker_count=worker_count, queue_capacity=8)
            return made[0] if isinstance(made, tuple) else made

        for scene in executor_history.scenes(make):
            explore(trial, scene, executor_history.judge(trial), quick=SCHEDULES)


def _submit(crew: Crew, ran: list[str], name: str) -> Task[object]:
    return crew.submit(partial(ran.append, name))


def _submit_if_open(crew: Crew, ran: list[str]) -> bool:
    """Submit a function; whether it was accepted."""
    try:
        crew.submit(partial(ran.append, "accepted"))
    except Closed:
        return False
    return True


def _adding(tasks: list[Task[object]], crew: Crew, ran: list[str], name: str) -> Callable[[], object]:
    """Return a call that submits a function and keeps the task."""
    return lambda: tasks.append(_submit(crew, ran, name))


def _let_go(crew: Crew, gates: list[Gate], task: Task[object]) -> None:
    """Let the workers go on, and wait for a moment until the task ends: who is held may be needed for it."""
    crew.release(gates)
    end = time.monotonic() + MEETING_SECONDS
    while not task.done and time.monotonic() < end:
        time.sleep(0)


def _patience_ns(trial: Trial) -> int:
    return int(trial.patience_seconds * 1e9)


__all__ = ["PARALLEL", "THREADS", "ThreadsContract"]
