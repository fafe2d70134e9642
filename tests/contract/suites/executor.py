"""The contract of ``Executor`` and its ``Task``: each function that was accepted runs once, or is cancelled.

``make`` returns an executor. One whose workers go on only when told returns a pair, with a function that lets a
worker take one task and finish it; such an executor is used from one thread, and the requirements of the
capability ``threads`` do not apply. What the workers must not finish yet waits at a *gate* (``executor_crew.py``).
The requirements about several threads are in ``executor_threads.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ...api.errors import Cancelled, Closed, InvalidArgument, ResourceExhausted, TimedOut
from ...api.executor import Task
from ..requirement import must, refusal, requirement
from ..trial import Trial
from .executor_crew import Crew, Gate
from .executor_threads import PARALLEL, THREADS, ThreadsContract

TASKS = (
    must("EXE-01", "A submitted function runs, and result() returns what it returned, each time it is asked."),
    must("EXE-02", "What the function raises, result() raises, also SystemExit; the workers go on.", "EXE-01"),
    must("EXE-03", "Each of many tasks runs, once, also those that tasks submit.", "EXE-01"),
    must("EXE-12", "worker_count is the size last asked for.", "EXE-01"),
    PARALLEL,  # whoever occupies all workers builds on it
    must("EXE-04", "A task is done when its outcome is final, not before, and stays it.", "EXE-01", "EXE-21"),
    must("EXE-05", "A queued task can be cancelled: it never runs, and result() raises Cancelled.", "EXE-04"),
    must("EXE-06", "cancel answers False for a task that runs, is done or was cancelled; nothing changes.", "EXE-05"),
    must("EXE-07", "result() with a time-out raises TimedOut when it passes, and the task goes on.", "EXE-21"),
    must("EXE-08", "A callback is called once when the outcome is final, at once when it is already.", "EXE-05"),
    must("EXE-09", "What a callback raises is not raised, and stops neither workers nor other callbacks.", "EXE-08"),
    must("EXE-10", "A full queue refuses with ResourceExhausted; what was accepted runs.", "EXE-03"),
    must("EXE-11", "The books balance at every moment, and count what happened.", "EXE-05", "EXE-10"),
    must("EXE-13", "A size below 1 raises InvalidArgument, and nothing changes.", "EXE-12"),
    must("EXE-14", "No resize loses or repeats a task, whether queued or running.", "EXE-03", "EXE-21"),
    must("EXE-15", "shutdown runs what is queued, answers True, and is idempotent.", "EXE-03"),
    must("EXE-16", "After shutdown submit and resize raise Closed; outcomes can still be asked for.", "EXE-15"),
    must("EXE-17", "shutdown(cancel_queued=True) cancels what is queued.", "EXE-15", "EXE-05"),
    must("EXE-18", "Leaving a with block shuts down and waits, and passes on what the block raised.", "EXE-15"),
)


class ExecutorContract(ThreadsContract, name="executor", requirements=(*TASKS, *THREADS)):
    """What every executor owes; override ``make``."""

    @requirement("EXE-01")
    def results_come_back(self, trial: Trial) -> None:
        crew = self.crew(trial)
        for value in (None, 0, "text", object(), Cancelled("a value, not an outcome")):
            task = crew.submit(partial(_same, value))
            for _ in range(2):
                trial.same(crew.result(task), value, "the result")

    @requirement("EXE-02")
    def exceptions_come_back(self, trial: Trial) -> None:
        crew = self.crew(trial, worker_count=1)
        for error in (ValueError("of the task"), SystemExit(3), Cancelled("raised by a task")):
            task = crew.submit(partial(_raise, error))
            for _ in range(2):
                try:
                    got = crew.result(task)
                except BaseException as raised:
                    trial.same(raised, error, "what result() raised")
                else:
                    trial.fail("result() of a function that raised did not raise", got=got, wanted=error)
            trial.true(task.done and not task.cancelled, "a task that raised is done, and was not cancelled")
        trial.equal(crew.result(crew.submit(lambda: "alive")), "alive", "the result of the next task")

    @requirement("EXE-03")
    def every_task_runs_once(self, trial: Trial) -> None:
        for worker_count in (1, 3):
            crew = self.crew(trial, worker_count=worker_count)
            ran: list[int] = []
            inner: list[Task[object]] = []
            trial.did("submit 200 functions; every tenth submits another one")
            tasks = [crew.submit(partial(_work, crew, ran, inner, number), quiet=True) for number in range(200)]
            for task in tasks:
                crew.result(task)
            for task in inner:
                crew.result(task)
            wanted = [*range(200), *range(1000, 1200, 10)]
            trial.equal(sorted(ran), wanted, "the numbers of those that ran, sorted")

    @requirement("EXE-04")
    def done_is_final(self, trial: Trial) -> None:
        crew = self.crew(trial)
        seen: list[tuple[bool, bool]] = []
        box: list[Task[object]] = []

        def look() -> None:
            task = crew.reached(box)
            seen.append((task.done, task.cancelled))

        gates = crew.hold()
        box.append(task := crew.submit(look))
        trial.equal((task.done, task.cancelled), (False, False), "done and cancelled of a queued task")
        crew.release(gates)
        crew.result(task)
        trial.equal(seen, [(False, False)], "done and cancelled while it ran")
        for _ in range(2):
            trial.equal((task.done, task.cancelled), (True, False), "done and cancelled when it has returned")

    @requirement("EXE-05")
    def queued_tasks_can_be_cancelled(self, trial: Trial) -> None:
        crew = self.crew(trial)
        ran: list[str] = []
        gates = crew.hold()
        tasks = [crew.submit(partial(ran.append, name)) for name in "abc"]
        trial.did("cancel() of the second")
        trial.same(tasks[1].cancel(), True, "what cancel answers")
        trial.equal((tasks[1].done, tasks[1].cancelled), (True, True), "done and cancelled")
        trial.raises(Cancelled, "result() of it", lambda: crew.result(tasks[1]))
        crew.release(gates)
        for task in (tasks[0], tasks[2]):
            crew.result(task)
        crew.come_to_rest()
        trial.equal(sorted(ran), ["a", "c"], "what ran")
        trial.raises(Cancelled, "result() of it, again", lambda: crew.result(tasks[1]))

    @requirement("EXE-06")
    def late_cancels_are_refused(self, trial: Trial) -> None:
        crew = self.crew(trial)
        box: list[Task[object]] = []
        answers: list[bool] = []
        trial.did("submit a function that cancels its own task")

        def cancel() -> str:
            answers.append(crew.reached(box).cancel())
            return "done"

        box.append(task := crew.submit(cancel))
        trial.equal(crew.result(task), "done", "the result of a task that was cancelled while it ran")
        trial.equal(answers, [False], "what cancel answered while it ran")
        trial.equal((task.cancel(), task.cancelled), (False, False), "cancel and cancelled, when it is done")
        gates = crew.hold()
        other = crew.submit(lambda: None)
        trial.equal((other.cancel(), other.cancel()), (True, False), "what cancel answers, twice")
        trial.true(other.cancelled, "it stays cancelled")
        crew.release(gates)

    @requirement("EXE-07")
    def waiting_can_time_out(self, trial: Trial) -> None:
        crew = self.crew(trial)
        gates = crew.hold()
        task = crew.submit(lambda: "late")
        timeouts_ns = (0, -1) if crew.step else (0, -1, 2_000_000)
        for timeout_ns in timeouts_ns:
            trial.raises(TimedOut, f"result({timeout_ns})", partial(task.result, timeout_ns))
            trial.equal((task.done, task.cancelled), (False, False), "done and cancelled after it")
        crew.release(gates)
        trial.equal(crew.result(task), "late", "the result in the end")
        trial.equal(task.result(0), "late", "what result(0) answers then")

    @requirement("EXE-08")
    def callbacks_are_called_once(self, trial: Trial) -> None:
        crew = self.crew(trial)
        called: list[str] = []
        gates = crew.hold()
        ends: dict[str, Callable[[], object]] = {"returns": lambda: 1, "raises": partial(_raise, ValueError("of it"))}
        tasks = {name: crew.submit(function) for name, function in ends.items()}
        tasks["cancelled"] = crew.submit(lambda: 1)
        for name, task in tasks.items():
            trial.did(f"add_done_callback() to the one that is to be: {name}")
            for _ in range(2):
                task.add_done_callback(partial(called.append, name))
        trial.equal(called, [], "what was called before any outcome")
        tasks["cancelled"].cancel()
        crew.wait(lambda: len(called) == 2, "the callbacks of a cancelled task were not called")
        crew.release(gates)
        crew.wait(lambda: len(called) >= 6, "not all callbacks were called", lambda: called)
        crew.come_to_rest()
        trial.equal(sorted(called), sorted([*tasks] * 2), "the callbacks that were called")
        for task in tasks.values():
            trial.did("add_done_callback() to one that has its outcome")
            task.add_done_callback(lambda: called.append("late"))
            trial.equal(called.pop(), "late", "the callback that was called within add_done_callback")

    @requirement("EXE-09")
    def callbacks_do_no_harm(self, trial: Trial) -> None:
        crew = self.crew(trial, worker_count=1)
        called: list[int] = []
        for error in (ValueError("of a callback"), SystemExit(1)):
            gates = crew.hold()
            task = crew.submit(lambda: "fine")
            called.clear()
            for function in (partial(called.append, 1), partial(_raise, error), partial(called.append, 2)):
                task.add_done_callback(function)
            crew.release(gates)
            trial.equal(crew.result(task), "fine", "the result of a task whose callback raised")
            crew.wait(lambda: len(called) == 2, "a callback behind one that raised was not called", lambda: called)
            trial.did("add_done_callback(one that raises) to a task that is done")
            task.add_done_callback(partial(_raise, error))
            trial.equal(crew.result(crew.submit(lambda: "next")), "next", "the result of the next task")

    @requirement("EXE-10")
    def full_queue_refuses(self, trial: Trial) -> None:
        crew = self.crew(trial, worker_count=1, queue_capacity=4)
        gates = crew.hold()
        ran: list[int] = []
        tasks: list[Task[object]] = []
        trial.did("submit until it is refused")
        try:
            while len(tasks) < 1000:
                tasks.append(crew.submit(partial(ran.append, len(tasks))))
        except ResourceExhausted:
            trial.did("ResourceExhausted")
        trial.true(1 <= len(tasks) <= 5, "a queue of 4 takes 4, and a worker one", got=len(tasks))
        trial.raises(ResourceExhausted, "submit, again", lambda: crew.submit(lambda: ran.append(-1)))
        crew.release(gates)
        for task in tasks:
            crew.result(task)
        trial.equal(crew.result(crew.submit(lambda: "again")), "again", "the result of one that was submitted later")
        crew.come_to_rest()
        trial.equal(sorted(ran), list(range(len(tasks))), "what ran")

    @requirement("EXE-11")
    def books_balance(self, trial: Trial) -> None:
        crew = self.crew(trial, queue_capacity=6)
        gates = crew.hold()
        tasks = [crew.submit(function) for function in (lambda: 1, partial(_raise, ValueError("of it")), lambda: 3)]
        crew.books()
        tasks[2].cancel()
        refused_count = 0
        try:
            while refused_count == 0 and len(tasks) < 100:
                tasks.append(crew.submit(crew.books))  # looks from within a task, too
        except ResourceExhausted:
            refused_count = 1
        crew.books()
        crew.release(gates)
        for task in tasks:
            crew.wait_done(task)
        crew.come_to_rest()
        books = crew.books()
        found = (books.submitted_count, books.failed_count, books.cancelled_count, books.refused_count)
        wanted = (len(tasks) + len(gates), 1, 1, refused_count)
        trial.equal(found, wanted, "submitted, failed, cancelled and refused")
        trial.equal((books.running_count, books.queued_count), (0, 0), "running and queued when all is over")
        for task in tasks[3:]:
            crew.result(task)

    @requirement("EXE-12")
    def size_is_what_was_asked(self, trial: Trial) -> None:
        crew = self.crew(trial, worker_count=2)
        trial.equal(crew.executor.worker_count, 2, "worker_count of a new one")
        for size in (5, 1, 1, 3):
            trial.did(f"resize({size})")
            crew.executor.resize(size)
            trial.equal(crew.executor.worker_count, size, "worker_count")
            trial.equal(crew.result(crew.submit(lambda: "works")), "works", "the result of a task")
        trial.equal(int(crew.executor.node), int(crew.executor.node), "node")

    @requirement("EXE-13")
    def sizes_below_one_are_refused(self, trial: Trial) -> None:
        crew = self.crew(trial, worker_count=2)
        for size in (0, -1):
            trial.raises(InvalidArgument, f"resize({size})", partial(crew.executor.resize, size))
            trial.equal(crew.executor.worker_count, 2, "worker_count")
        trial.equal(crew.result(crew.submit(lambda: "works")), "works", "the result of a task")

    @requirement("EXE-14")
    def resizing_loses_nothing(self, trial: Trial) -> None:
        crew = self.crew(trial, worker_count=3)
        ran: list[int] = []

        def add(number: int) -> Task[object]:
            return crew.submit(partial(ran.append, number), quiet=True)

        tasks: list[Task[object]] = []
        held: list[Gate] = []
        for sizes in ((1,), (4, 2), (1, 5, 2, 4), (3, 1)):
            gates = crew.hold()
            held += gates
            trial.did(f"submit 20 functions while all workers are busy; resize to {sizes}")
            tasks += [add(number) for number in range(len(tasks), len(tasks) + 20)]
            for size in sizes:
                crew.executor.resize(size)
            crew.release(gates)
            for task in tasks:
                crew.result(task)
        trial.did("submit 200 functions, resizing after every fifth")
        for number in range(80, 280):
            tasks.append(add(number))
            if number % 5 == 0:
                crew.executor.resize(trial.rng.randint(1, 6))
        for task in tasks:
            crew.result(task)
        crew.come_to_rest()
        trial.equal(sorted(ran), list(range(280)), "the numbers of those that ran, sorted")
        counts = [len(gate.calls) for gate in held]
        trial.equal(counts, [1] * len(held), "how often each task ran that was running during a resize")
        crew.books()

    @requirement("EXE-15")
    def shutdown_finishes(self, trial: Trial) -> None:
        crew = self.crew(trial)
        ran: list[int] = []
        tasks = [crew.submit(partial(ran.append, number)) for number in range(20)]
        for _ in range(3):
            trial.did("shutdown()")
            trial.same(crew.executor.shutdown(), True, "the answer")
            trial.equal(sorted(ran), list(range(20)), "what ran")
        trial.true(all(task.done for task in tasks), "all tasks are done")

    @requirement("EXE-16")
    def closed_is_closed(self, trial: Trial) -> None:
        crew = self.crew(trial)
        task = crew.submit(lambda: "before")
        crew.executor.shutdown()
        before = crew.books()
        for _ in range(2):
            trial.raises(Closed, "submit after shutdown", lambda: crew.submit(lambda: None))
            trial.raises(Closed, "resize(2) after shutdown", lambda: crew.executor.resize(2))
        trial.equal(crew.books().submitted_count, before.submitted_count, "how many were submitted")
        trial.equal(crew.result(task), "before", "the result of a task of before")

    @requirement("EXE-17")
    def shutdown_can_cancel(self, trial: Trial) -> None:
        crew = self.crew(trial)
        ran: list[int] = []
        gates = crew.hold()
        tasks = [crew.submit(partial(ran.append, number)) for number in range(5)]
        trial.did("shutdown(cancel_queued=True, timeout_ns=0)")
        crew.executor.shutdown(cancel_queued=True, timeout_ns=0)
        trial.equal([task.cancelled for task in tasks], [True] * 5, "which of five queued tasks are cancelled")
        crew.release(gates)
        trial.same(crew.executor.shutdown(), True, "what shutdown() answers in the end")
        trial.equal(ran, [], "what ran")

    @requirement("EXE-18")
    def blocks_shut_down(self, trial: Trial) -> None:
        crew = self.crew(trial)
        ran: list[int] = []
        error = ValueError("of the block")
        trial.did("with executor: submit 10 functions, and raise")
        try:
            with crew.executor as inside:
                trial.same(inside, crew.executor, "what the block is given")
                for number in range(10):
                    crew.submit(partial(ran.append, number))
                raise error
        except ValueError as raised:
            trial.same(raised, error, "what the block passed on")
        else:
            trial.fail("the block passed on nothing of what was raised in it", wanted=error)
        trial.equal(sorted(ran), list(range(10)), "what has run when the block is left")
        trial.raises(Closed, "submit after the block", lambda: crew.submit(lambda: None))

    @refusal("threads")
    def works_step_by_step(self, trial: Trial) -> None:
        crew = self.crew(trial)
        task = crew.submit(lambda: "worked")
        trial.equal(crew.result(task), "worked", "the result of a task that was let go on step by step")


def _same(value: object) -> object:
    return value


def _raise(error: BaseException) -> object:
    raise error


def _work(crew: Crew, ran: list[int], inner: list[Task[object]], number: int) -> None:
    ran.append(number)
    if number % 10 == 0:
        inner.append(crew.executor.submit(partial(ran.append, number + 1000)))


SUITES = (ExecutorContract,)

__all__ = ["SUITES", "ExecutorContract"]
