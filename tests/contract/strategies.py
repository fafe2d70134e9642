"""Strategies: three ways through the tree of all schedules.

*Bounded search* visits every schedule with at most so many preemptions (a thread is taken off although it could
go on). Most races need one or two (Musuvathi and Qadeer, "Iterative Context Bounding", 2007), and when it has come
to its end, that is a proof up to the bound. Those it did not get to are any, not the last ones.

*PCT* (Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs", 2010) gives the
threads random priorities, always runs the highest, and lowers it at ``depth - 1`` random moments. A bug that needs
``depth`` decisions is found with a probability of at least 1 in ``threads * steps ** (depth - 1)`` per run, and far
more often in practice. Few switches, so runs are fast.

*Random walk* switches at each point with an even chance: what is left over when the other two have biases.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from .controller import Strategy, Task


class RandomWalk:
    """Anybody, at each point."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def choose(self, current: Task | None, tasks: Sequence[Task]) -> Task:
        """Return any of them."""
        return self._rng.choice(tasks)


class Pct:
    """Random priorities that change at a few random moments of a run of about ``steps`` points."""

    def __init__(self, rng: random.Random, steps: int, depth: int) -> None:
        self._rng = rng
        self._changes = {rng.randrange(max(steps, 1)) for _ in range(depth - 1)}
        self._priorities: dict[int, float] = {}
        self._count = 0
        self._lowest = 0.0

    def choose(self, current: Task | None, tasks: Sequence[Task]) -> Task:
        """Return the one of the highest priority."""
        for each in tasks:
            if each.number not in self._priorities:
                self._priorities[each.number] = 1 + self._rng.random()
        if current is not None and self._count in self._changes:
            self._lowest -= 1
            self._priorities[current.number] = self._lowest
        self._count += 1
        return max(tasks, key=lambda each: self._priorities[each.number])


class BoundedSearch:
    """All schedules with at most ``preemptions``, each once, in a random order; one per ``begin``.

    A schedule is the list of its decisions. One that has been played shows where it could have gone another way;
    each such way, up to that place, is a beginning that waits to be played.
    """

    def __init__(self, rng: random.Random, preemptions: int) -> None:
        self._rng = rng
        self._bound = preemptions
        self._beginnings: list[tuple[int, ...]] = [()]
        self._beginning: tuple[int, ...] = ()
        self._chosen: list[int] = []
        self._used = 0

    def begin(self) -> bool:
        """Go to the next schedule; ``False`` when all have been visited."""
        if not self._beginnings:
            return False
        place = self._rng.randrange(len(self._beginnings))
        self._beginnings[place], self._beginnings[-1] = self._beginnings[-1], self._beginnings[place]
        self._beginning = self._beginnings.pop()
        self._chosen = []
        self._used = 0
        return True

    def choose(self, current: Task | None, tasks: Sequence[Task]) -> Task:
        """Follow the beginning; after it, go on with whoever runs, and note the other ways."""
        if current is not None and self._used >= self._bound:
            return current
        depth = len(self._chosen)
        found = tasks[0] if current is None else current
        if depth < len(self._beginning):
            # A subject that does not do the same each time may not have the one that is wanted: anybody, then.
            found = next((each for each in tasks if each.number == self._beginning[depth]), found)
        else:
            self._beginnings += [(*self._chosen, each.number) for each in tasks if each is not found]
        self._chosen.append(found.number)
        self._used += current is not None and found is not current
        return found


class Remembering:
    """Another strategy, whose decisions it remembers: the number of the decision and of the thread, for each that
    was not the plain one (whoever runs goes on; the first one, where nobody does)."""

    def __init__(self, inner: Strategy) -> None:
        self._inner = inner
        self._count = 0
        self.decisions: dict[int, int] = {}

    def choose(self, current: Task | None, tasks: Sequence[Task]) -> Task:
        """Return what the other one chooses."""
        chosen = self._inner.choose(current, tasks)
        if chosen is not (tasks[0] if current is None else current):
            self.decisions[self._count] = chosen.number
        self._count += 1
        return chosen


class Scripted:
    """Decisions that were remembered, or some of them."""

    def __init__(self, decisions: Mapping[int, int]) -> None:
        self._decisions = decisions
        self._count = 0

    def choose(self, current: Task | None, tasks: Sequence[Task]) -> Task:
        """Return who was chosen then, if that is possible now, else the plain one."""
        wanted = self._decisions.get(self._count)
        self._count += 1
        plain = tasks[0] if current is None else current
        return next((each for each in tasks if each.number == wanted), plain)


__all__ = ["BoundedSearch", "Pct", "RandomWalk", "Remembering", "Scripted"]
