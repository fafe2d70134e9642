"""Scenes for executors under any schedule, workers included, and what has to be true when they are over.

The workers are threads that the executor starts, so they are under control like those that call it. What each task
came to is compared with what its submitter was told: accepted means that it runs once or is cancelled, refused that
it never runs; and the books have to say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...api.errors import Closed
from ...api.executor import Executor, Task
from ..history import Call, Recorder
from ..schedules import Body, Judge, Scene
from ..trial import Trial


class Stage:
    """An executor, and what became of what it was given."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.ran: list[str] = []
        self.accepted: dict[str, Task[object]] = {}
        self.cancelled: list[str] = []

    def submit(self, name: str) -> Task[object] | None:
        """Submit a function of that name; ``None`` where the executor is closed."""
        try:
            task: Task[object] = self.executor.submit(lambda: self.ran.append(name))
        except Closed:
            return None
        self.accepted[name] = task
        return task

    def cancel(self, name: str) -> bool:
        """Cancel a task that was accepted before."""
        answer = self.accepted[name].cancel()
        if answer:
            self.cancelled.append(name)
        return answer

    def end(self) -> list[str]:
        """Shut down; return what is not as it was promised, each as a sentence."""
        faults = [] if self.executor.shutdown() else ["shutdown() answered False and had no time-out"]
        for name, task in self.accepted.items():
            runs, wanted = self.ran.count(name), 0 if name in self.cancelled else 1
            if runs != wanted:
                faults.append(f"{name} ran {runs} times and not {wanted}")
            if not task.done or task.cancelled != (name in self.cancelled):
                faults.append(f"{name}: done {task.done}, cancelled {task.cancelled}")
        faults += [f"{name} was refused, and ran" for name in self.ran if name not in self.accepted]
        books = self.executor.stats()
        found = books.submitted_count, books.completed_count, books.cancelled_count
        right = len(self.accepted), len(self.accepted) - len(self.cancelled), len(self.cancelled)
        if (*found, books.queued_count, books.running_count) != (*right, 0, 0):
            faults.append(f"the books: {books}")
        return faults


def judge(trial: Trial) -> Judge:
    """Return a judge that reads what ``Stage.end`` returned."""

    def judge_history(calls: Sequence[Call]) -> None:
        trial.equal(calls[-1].result, [], "what is not as it was promised")

    return judge_history


def _submit(name: str) -> Body[Stage]:
    return lambda stage, recorder: recorder.call(name, "submit", lambda: stage.submit(name), name)


def _submit_and_wait(name: str) -> Body[Stage]:
    def body(stage: Stage, recorder: Recorder) -> None:
        task = recorder.call(name, "submit", lambda: stage.submit(name), name)
        if task is not None:
            recorder.call(name, "result", task.result)

    return body


def _end(stage: Stage, recorder: Recorder) -> None:
    recorder.call("end", "what is not as promised", stage.end)


def scenes(make: Callable[[int], Executor]) -> Iterator[Scene[Stage]]:
    """Yield the scenes; ``make`` is called with the number of workers."""

    def with_task() -> Stage:
        stage = Stage(make(1))
        stage.submit("first")
        return stage

    def cancel(stage: Stage, recorder: Recorder) -> None:
        recorder.call("canceller", "cancel", lambda: stage.cancel("first"), "first")

    def resize(stage: Stage, recorder: Recorder) -> None:
        recorder.call("owner", "resize", lambda: stage.executor.resize(1), 1)

    def shut(stage: Stage, recorder: Recorder) -> None:
        recorder.call("owner", "shutdown", stage.executor.shutdown)

    yield Scene(lambda: Stage(make(2)), {"A": _submit("A"), "B": _submit("B")}, _end)
    yield Scene(with_task, {"canceller": cancel, "A": _submit("A")}, _end)
    yield Scene(lambda: Stage(make(2)), {"owner": resize, "A": _submit_and_wait("A")}, _end)
    yield Scene(lambda: Stage(make(1)), {"owner": shut, "A": _submit("A")}, _end)


__all__ = ["Stage", "judge", "scenes"]
