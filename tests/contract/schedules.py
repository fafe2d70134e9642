"""Exploration: what several threads do with one subject, under many schedules that are chosen and not hoped for.

A *scene* says how a subject is made, what each thread does with it, and what is done when all are through. It is
played again and again, each time with a fresh subject and another schedule, and each time somebody judges the
history that came out.

Tier A, the coarse one: threads can only change places at named steps of our own atomics and at locks. Fast, few
schedules, and all of them with two preemptions or less are tried. It sees only code that uses those. Tier B, the
fine one: at each byte code of unmodified Python that may touch something shared; there are far too many schedules,
so they are drawn (see ``strategies.py``). Where a scene meets named steps both are used, else the second alone.

The same seed gives the same schedules, so a failure comes again.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import CodeType
from typing import Final, Generic, TypeVar

from ..internal import atomics
from .controller import Controller, Deadlock, Endless, Reuse, Strategy, Switch, Task, shown_place
from .cooperative import in_charge
from .history import Call, Recorder
from .report import Finding
from .stepping import Stepper, is_of_python, shared_offsets, stepper
from .strategies import BoundedSearch, Pct, RandomWalk, Remembering, Scripted
from .trial import Broken, Trial
from .watchdog import Abandoned

QUICK_SCHEDULES: Final = 60
FULL_SCHEDULES: Final = 2_000
COARSE_PREEMPTIONS: Final = 2
FINE_PREEMPTIONS: Final = 1
DEPTH: Final = 3
MAX_REPLAYS: Final = 150
"""Replays spent on shortening a schedule."""

MAX_TOLD: Final = 60
"""Lines of a schedule that are told."""

S = TypeVar("S")
T = TypeVar("T")

Body = Callable[[S, Recorder], object]
"""What a thread does with the subject; it records what it does."""


@dataclass(frozen=True)
class Scene(Generic[S]):
    """What is played. ``make`` makes the subject, ``threads`` use it at the same time, each by its name, and
    ``finish`` uses it when all of them are through."""

    make: Callable[[], S]
    threads: Mapping[str, Body[S]]
    finish: Body[S] = lambda subject, recorder: None


class _Queue(deque[T]):
    """A deque that lets another thread come in before each of its steps."""

    def __init__(self, controller: Controller, name: str, items: Iterable[T]) -> None:
        super().__init__(items)
        self._point = controller.point
        self._name = name

    def append(self, item: T, /) -> None:
        self._point(f"{self._name}: append")
        super().append(item)

    def appendleft(self, item: T, /) -> None:
        self._point(f"{self._name}: appendleft")
        super().appendleft(item)

    def pop(self) -> T:  # type: ignore[override] # the stubs know an argument that a deque does not take
        self._point(f"{self._name}: pop")
        return super().pop()

    def popleft(self) -> T:
        self._point(f"{self._name}: popleft")
        return super().popleft()

    def __len__(self) -> int:
        self._point(f"{self._name}: len")
        return super().__len__()


@contextmanager
def _no_collection() -> Iterator[None]:
    """Switch the garbage collector off: it runs somebody's code (finalisers, callbacks) wherever it happens to, which
    is another place each time, and may be the middle of the controller's own decisions."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Play(Generic[S]):
    """One schedule of a scene: plays it, and can tell what happened."""

    def __init__(self, scene: Scene[S], strategy: Strategy, threads: Reuse, steps: Stepper | None) -> None:
        self._scene = scene
        self._steps = steps
        self._events: list[Call | Switch] = []
        self._recorder = Recorder(self._note)
        self.controller = Controller(strategy, threads)
        self.controller.switched = self._events.append

    @property
    def calls(self) -> Sequence[Call]:
        """What was recorded."""
        return [each for each in self._events if isinstance(each, Call)]

    def run(self, trial: Trial) -> None:
        """Play it. Raises ``Broken`` for a deadlock and for a run without end, and what a thread raised."""
        controller = self.controller
        controller.spawn("the beginning and the end", lambda: self._root(trial))

        def make_queue(name: str, items: Iterable[T]) -> deque[T]:
            return deque(items) if controller.own_task() is None else _Queue(controller, name, items)

        try:
            with in_charge(controller, self._adopt), atomics.replaced(make_queue), _no_collection():
                controller.run(trial.alive)
        except (Deadlock, Endless) as error:
            raise Broken(Finding(f"{type(error).__name__.lower()}: {error}")) from error

    def _root(self, trial: Trial) -> None:
        controller = self.controller
        subject = self._scene.make()
        tasks = [
            controller.spawn(name, self._stepped(self._bound(body, subject)))
            for name, body in self._scene.threads.items()
        ]
        controller.is_free = True
        controller.block(lambda: all(task.over for task in tasks), "wait for all threads")
        controller.is_free = False
        self._scene.finish(subject, self._recorder)

    def _note(self, call: Call) -> None:
        if not self.controller.is_over:
            self._events.append(call)

    def _bound(self, body: Body[S], subject: S) -> Callable[[], object]:
        return lambda: body(subject, self._recorder)

    def _adopt(self, name: str, body: Callable[[], object]) -> Task:
        # The numbers that Python gives to threads without a name are different each time.
        called = f"its thread {len(self.controller.tasks)}" if name.startswith("Thread-") else name
        return self.controller.spawn(called, self._stepped(body))

    def _stepped(self, body: Callable[[], object]) -> Callable[[], object]:
        """Return the body, with a point before each step that may matter."""
        steps, point = self._steps, self.controller.point
        if steps is None:
            return body

        # Runs inside the operation, where no coverage tool can see it.
        def step(code: CodeType, offset: int) -> bool:  # pragma: no cover - untraced
            if offset in shared_offsets(code) and not is_of_python(code):
                point((code, offset))
            return True

        return lambda: steps.run(body, step)

    def told(self) -> Iterator[str]:
        """Yield what happened, line by line, the last ``MAX_TOLD``: calls as they end, and who was held where."""
        root = self.controller.tasks[0]
        events = [each for each in self._events if isinstance(each, Call) or root not in each]
        if len(events) > MAX_TOLD:
            yield f"({len(events) - MAX_TOLD} lines before)"
        for event in events[-MAX_TOLD:]:
            if isinstance(event, Call):
                yield str(event)
            else:
                held, place, chosen = event
                yield f"    {held.name} is held at {shown_place(place)}; {chosen.name} goes on"


Judge = Callable[[Sequence[Call]], object]
"""Looks at a history and raises ``Broken`` for one that may not be."""


def explore(
    trial: Trial,
    scene: Scene[S],
    judge: Judge,
    *,
    quick: int = QUICK_SCHEDULES,
    full: int = FULL_SCHEDULES,
    fine: bool | None = None,
) -> int:
    """Play a scene under many schedules; return how many. Raises ``Broken`` for the first that is judged so.

    ``fine`` chooses tier B alone (``True``) or tier A alone (``False``). Thread rules: the check's thread.
    """
    return _Exploration(trial, scene, judge, trial.rounds(quick, full)).run(fine)


class _Exploration(Generic[S]):
    def __init__(self, trial: Trial, scene: Scene[S], judge: Judge, budget: int) -> None:
        self._trial = trial
        self._scene = scene
        self._judge = judge
        self._budget = budget
        self._count = 0
        self._controller: Controller | None = None
        self._threads = Reuse()
        self._steps = stepper()
        trial.defer(self.close)

    def close(self) -> None:
        """Leave nothing behind, also where a play was given up in the middle. Idempotent."""
        if self._controller is not None:
            self._controller.abort(Abandoned())
        self._threads.close()
        self._steps.close()

    def run(self, fine: bool | None) -> int:
        """Play all schedules."""
        try:
            first = self._play(Pct(self._trial.rng, 0, 1), self._steps)
            if fine is not True and first.named_count:
                self._search(None, COARSE_PREEMPTIONS)
            if fine is not False:
                self._search(self._steps, FINE_PREEMPTIONS)
        finally:
            self.close()
        return self._count

    def _search(self, steps: Stepper | None, preemptions: int) -> None:
        """Visit schedules with few preemptions, then, where those were too many, draw some with more."""
        rng, step_count = self._trial.rng, 0
        search = BoundedSearch(rng, preemptions)
        for _ in range(self._budget):
            if not search.begin():
                break
            played = self._play(search, steps)
            step_count = max(step_count, played.step_count)
            if played.overtaken_count:  # it waits in a way that takes real time here: once is enough
                break
        else:
            for number in range(self._budget // 3):
                strategy = RandomWalk(rng) if number % 3 == 2 else Pct(rng, step_count, DEPTH)
                self._play(strategy, steps)

    def _play(self, strategy: Strategy, steps: Stepper | None) -> Controller:
        """Play one schedule and judge it; return what controlled it. Raises ``Broken`` with the shortest schedule
        like it that is broken, too."""
        self._count += 1
        remembering = Remembering(strategy)
        controller, finding = self._attempt(remembering, steps)
        if finding is not None:
            raise Broken(self._shortened(remembering.decisions, steps, finding))
        return controller

    def _attempt(self, strategy: Strategy, steps: Stepper | None) -> tuple[Controller, Finding | None]:
        self._trial.forget()
        play = Play(self._scene, strategy, self._threads, steps)
        self._controller = play.controller
        try:
            play.run(self._trial)
            self._judge(play.calls)
        except Broken as broken:
            return play.controller, replace(broken.finding, did=tuple(play.told()))
        finally:
            self._controller = None
        return play.controller, None

    def _shortened(self, decisions: Mapping[int, int], steps: Stepper | None, finding: Finding) -> Finding:
        """Take back ever smaller blocks of decisions for as long as something is broken."""
        kept = sorted(decisions.items())
        size, replays = len(kept), 0
        while size:
            start = 0
            while start < len(kept) and replays < MAX_REPLAYS:
                fewer = kept[:start] + kept[start + size :]
                replays += 1
                _, found = self._attempt(Scripted(dict(fewer)), steps)
                if found is None:
                    start += size
                else:
                    kept, finding = fewer, found
            size //= 2
        return replace(finding, summary=f"{finding.summary} (schedule {self._count}, shortened)")


__all__ = ["FULL_SCHEDULES", "QUICK_SCHEDULES", "Body", "Judge", "Play", "Scene", "explore"]
