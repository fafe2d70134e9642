"""Controller: threads that run one at a time, in an order that is decided and not hoped for.

Each thread under control runs until a *point*: a place where another one may come in between. There the strategy
says who goes on, and the thread that was chosen gets the baton. So a run is one sequence of decisions; the same
decisions give the same run. Points are named steps of our own atomics (``internal/atomics.py``), operations of
locks, and single byte codes of unmodified Python (``stepping.py``).

A thread that waits for a lock is not chosen before the lock is free (``cooperative.py``). Where all wait, those
with a time-out are woken, for nothing else can happen any more; where none has one, that is a *deadlock* and is
told with what each waits for. A thread that is caught in something that this module can't see (a lock made in C)
is overtaken after a while, and lines up again when it comes back.
"""

from __future__ import annotations

import _thread
import contextlib
import threading
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Final, Protocol, TypeAlias

from .stepping import shown_instruction
from .watchdog import Abandoned

MAX_STEPS: Final = 20_000
"""Points of one run; more means that it never ends."""

FAIR_STEPS: Final = 400
"""Points that one thread may pass in a row while others can run: whoever spins waits for one of them."""

STUCK_SECONDS: Final = 0.05
"""How long there is no progress before whoever runs is overtaken (once to twice that)."""

CLOSE_SECONDS: Final = 1.0

Place: TypeAlias = "str | tuple[CodeType, int]"
"""Where a thread is held: a name, or a code object and an offset in it."""


class Deadlock(Exception):
    """All threads wait."""


class Endless(Exception):
    """A run does not end."""


class Task:
    """A thread under control."""

    __slots__ = (
        *("baton", "body", "error", "name", "number", "over", "place", "ready", "started", "stuck", "timed", "woken"),
    )

    def __init__(self, number: int, name: str, body: Callable[[], object]) -> None:
        self.number = number
        self.name = name
        self.body = body
        self.baton = _thread.allocate_lock()
        self.baton.acquire()
        self.error: BaseException | None = None
        self.place: Place = "its beginning"
        self.started = self.over = self.stuck = self.timed = self.woken = False
        self.ready: Callable[[], bool] | None = None
        """Whether what it waits for has come; ``None`` where it waits for nothing."""

    def can_run(self) -> bool:
        """Whether it may be chosen."""
        return not (self.over or self.stuck) and (self.ready is None or self.ready())


Switch: TypeAlias = "tuple[Task, Place, Task]"
"""Who was held, where, and who went on."""


class Strategy(Protocol):
    """Says who goes on. ``strategies.py`` has some."""

    def choose(self, current: Task | None, tasks: Sequence[Task]) -> Task:
        """Return one of ``tasks`` (not empty, by number). ``current`` is who asks: one of them, or ``None`` where
        it can't go on."""


class _Worker:
    """A thread of the system, and the body that it is to run next."""

    def __init__(self, owner: Reuse, body: Callable[[], object]) -> None:
        self.body: Callable[[], object] | None = body
        self.wake = _thread.allocate_lock()
        self.wake.acquire()
        self.gone = _thread.allocate_lock()
        self.gone.acquire()
        # Not a ``threading.Thread``: those made by a thread under control are look-alikes (``cooperative.py``).
        _thread.start_new_thread(owner._serve, (self,))


class Reuse:
    """Threads of the system that run one body after the other: starting one costs more than a whole run."""

    def __init__(self) -> None:
        self._idle: list[_Worker] = []
        self._all: list[_Worker] = []
        self._closed = False

    def run(self, body: Callable[[], object]) -> None:
        """Run ``body`` on one of them."""
        if self._idle:
            worker = self._idle.pop()
            worker.body = body
            worker.wake.release()
        else:
            self._all.append(_Worker(self, body))

    def _serve(self, worker: _Worker) -> None:
        try:
            while worker.body is not None:
                worker.body()
                worker.body = None
                self._idle.append(worker)
                if self._closed:  # looked at after the append: either this or ``close`` takes it off again
                    with contextlib.suppress(ValueError):
                        self._idle.remove(worker)
                        return
                worker.wake.acquire()
        finally:
            active: dict[int, object] = threading._active  # type: ignore[attr-defined]  # no stub has it
            active.pop(_thread.get_ident(), None)  # whoever asked for current_thread() got an entry
            worker.gone.release()

    def close(self) -> None:
        """End them all and wait for that; what is caught in something of its own stays behind. Idempotent."""
        self._closed = True
        while self._idle:
            self._idle.pop().wake.release()
        while self._all:
            self._all.pop().gone.acquire(timeout=CLOSE_SECONDS)


class Controller:
    """One run. Made on the thread that calls ``run``; the others call ``point`` and ``block``."""

    def __init__(self, strategy: Strategy, threads: Reuse) -> None:
        self._strategy = strategy
        self._threads = threads
        self._guard = _thread.allocate_lock()
        self._done = _thread.allocate_lock()
        self._done.acquire()
        self._by_ident: dict[int, Task] = {}
        self._current: Task | None = None
        self._in_a_row = 0
        self._fault: BaseException | None = None
        self.tasks: list[Task] = []
        self.is_free = False
        """Whether the strategy is asked; where not, everybody runs until it waits."""
        self.step_count = 0
        """Points passed while the strategy was asked."""
        self.named_count = self.overtaken_count = 0
        """Points passed that have a name, and threads that were caught in something that can't be seen."""
        self.switched: Callable[[Switch], object] = lambda switch: None
        """Called with each switch."""

    @property
    def is_over(self) -> bool:
        """Whether the run has failed: what threads do on their way home tells nothing."""
        return self._fault is not None

    def own_task(self) -> Task | None:
        """Return the task of the calling thread, ``None`` for one that is not under control."""
        return self._by_ident.get(_thread.get_ident())

    def spawn(self, name: str, body: Callable[[], object]) -> Task:
        """Add a thread; it begins when it is chosen. Before ``run``, or by a thread under control."""
        with self._guard:
            task = Task(len(self.tasks), name, body)
            self.tasks.append(task)
        return task

    def run(self, alive: Callable[[], object] = lambda: None) -> None:
        """Let all threads run to their end. Raises the first thing that one of them raised, ``Deadlock`` and
        ``Endless``. ``alive()`` is called now and then, as long as there is progress."""
        with self._guard:
            self._go_on(None)
        before, rounds = -1, 0
        while not self._done.acquire(timeout=STUCK_SECONDS):
            with self._guard:
                if self._fault is not None:
                    rounds += 1
                    if rounds * STUCK_SECONDS > CLOSE_SECONDS:
                        break
                    continue
                current, now = self._current, self.step_count
                if now != before:
                    alive()
                elif current is not None and any(each.can_run() for each in self.tasks if each is not current):
                    current.stuck = True
                    self.overtaken_count += 1
                    self._go_on(None)
                before = now
        if self._fault is not None:
            raise self._fault

    def abort(self, fault: BaseException) -> None:
        """End the run from outside: threads that are held go home. Any thread."""
        with self._guard:
            self._end(fault)

    def point(self, place: Place) -> None:
        """Let the strategy decide who goes on. A thread that is not under control just passes."""
        task = self._by_ident.get(_thread.get_ident())
        if task is None:
            return
        with self._guard:
            task.place = place
            if not self._passes(task):
                return
        self._wait(task)

    def _passes(self, task: Task) -> bool:
        """Decide at a point; return whether the task has to wait for the baton."""
        if self._fault is not None:
            raise Abandoned
        if self._lines_up(task):
            return True
        if not self.is_free:
            return False
        self.step_count += 1
        self.named_count += isinstance(task.place, str)
        if self.step_count > MAX_STEPS:
            self._end(Endless(f"no end after {MAX_STEPS} steps; {task.name} is at {shown_place(task.place)}"))
            raise Abandoned
        return self._go_on(task) is not task

    def _lines_up(self, task: Task) -> bool:
        """Return whether a task was overtaken, and has to wait for its turn now that it is back."""
        task.stuck = False
        if self._current is None:
            self._current = task
        return self._current is not task

    def block(self, ready: Callable[[], bool], place: Place, *, timed: bool = False) -> bool:
        """Wait, as the calling task, until ``ready()``; return ``False`` for one that is ``timed`` and whose time
        has come because nobody else could do anything."""
        task = self.own_task()
        assert task is not None
        while True:
            with self._guard:
                if self._fault is not None:
                    raise Abandoned
                behind = self._lines_up(task)
                if not behind and (ready() or task.woken):
                    woken, task.woken, task.ready = task.woken, False, None
                    return ready() or not woken
                task.place, task.ready, task.timed = place, ready, timed
                if not behind and self._go_on(None, task) is task:
                    continue
            self._wait(task)

    def _wait(self, task: Task) -> None:
        task.baton.acquire()
        if self._fault is not None:
            raise Abandoned

    def _go_on(self, current: Task | None, leaving: Task | None = None) -> Task | None:
        """Choose who goes on and give out the baton. With the guard held."""
        tasks = [each for each in self.tasks if each.can_run()]
        if not tasks:
            tasks = [each for each in self.tasks if each.timed and each.ready is not None and not each.over][:1]
            for each in tasks:
                each.woken = True
        if not tasks:
            self._nobody()
            return None
        chosen = tasks[0]
        if current is not None and self._in_a_row > FAIR_STEPS and len(tasks) > 1:
            chosen = next(each for each in tasks if each is not current)
        elif len(tasks) > 1 and self.is_free:
            chosen = self._strategy.choose(current, tasks)
        self._in_a_row = self._in_a_row + 1 if chosen is current else 0
        if chosen is not current:
            held = current if current is not None else leaving
            if held is not None and self.is_free and held is not chosen:
                self.switched((held, held.place, chosen))
            self._current = chosen
            if chosen is not leaving:
                self._wake(chosen)
        return chosen

    def _wake(self, task: Task) -> None:
        """Give a task the baton; its thread begins with the first one it gets."""
        if task.started:
            task.baton.release()
        else:
            task.started = True
            self._threads.run(lambda: self._live(task))

    def _nobody(self) -> None:
        """Nobody can run: all are over, or it is a deadlock, or all hope is with one that is stuck."""
        if any(each.stuck and not each.over for each in self.tasks):
            self._current = None
            return
        waiting = [each for each in self.tasks if not each.over]
        if waiting:
            lines = [f"{each.name} at {shown_place(each.place)}" for each in waiting]
            self._end(Deadlock(f"all wait: {', '.join(lines)}"))
        else:
            self._current = None
            self._done.release()

    def _end(self, fault: BaseException) -> None:
        """Give up: every thread that is held is sent home. With the guard held."""
        if self._fault is None:
            self._fault = fault
            for each in self.tasks:
                each.over |= not each.started
                if not each.over and each.baton.locked():
                    each.baton.release()
            self._all_gone()

    def _all_gone(self) -> None:
        """Tell ``run`` once nobody is left, after a fault. With the guard held."""
        if all(each.over or each.stuck for each in self.tasks) and self._done.locked():
            self._done.release()

    def _live(self, task: Task) -> None:
        self._by_ident[_thread.get_ident()] = task
        try:
            task.body()
        except Abandoned:
            pass
        except BaseException as error:
            task.error = error
        finally:
            del self._by_ident[_thread.get_ident()]
            with self._guard:
                self._leave(task)

    def _leave(self, task: Task) -> None:
        """A task is over. With the guard held."""
        task.over = True
        if self._fault is not None:
            self._all_gone()
        elif task.error is not None:
            self._end(task.error)
        elif self._current is task or self._current is None:
            self._go_on(None)


def shown_place(place: Place) -> str:
    """Return a place as text: a name, or file, line and instruction."""
    return place if isinstance(place, str) else shown_instruction(place)


__all__ = ["Controller", "Deadlock", "Endless", "Place", "Reuse", "Strategy", "Switch", "Task", "shown_place"]
