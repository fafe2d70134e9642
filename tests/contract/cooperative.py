"""Locks and threads of the standard library, under a controller.

Unmodified Python code makes its locks by ``threading.Lock()`` and its threads by ``threading.Thread``. While a
controller is *in charge*, what a thread under its control makes there is a look-alike: a lock whose waiting is
known to the controller, a thread that the controller runs. Conditions, events, semaphores and queues of the
standard library are made of these in Python, so they come along. Other threads of the process get the real thing.

What escapes: locks made before, or by ``from threading import Lock``; those of C code. The controller overtakes
a thread that is caught in one, which costs time and decides nothing wrongly.
"""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final

from .controller import Controller, Task
from .trial import KitError

UNCONTROLLED_WAIT_SECONDS: Final = 0.2
UNCONTROLLED_NAP_SECONDS: Final = 0.0005


class CooperativeLock:
    """What ``threading.Lock()`` or ``RLock()`` is under a controller."""

    def __init__(self, controller: Controller, recursive: bool) -> None:
        self._controller = controller
        self._recursive = recursive
        self._owner: object = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As the real one; a time-out passes when nobody else can do anything."""
        task = self._controller.own_task()
        me: object = _thread.get_ident() if task is None else task
        if self._recursive and self._owner == me:
            self._count += 1
            return True
        if task is not None:
            self._controller.point("acquire a lock")
        if self._owner is not None and not self._waited(task, blocking, timeout):
            return False
        self._owner, self._count = me, 1
        return True

    __enter__ = acquire

    def _waited(self, task: Task | None, blocking: bool, timeout: float) -> bool:
        """Wait until it is free; return whether it is."""
        if not blocking or timeout == 0:
            return False
        if task is not None:
            return self._controller.block(lambda: self._owner is None, "wait for a lock", timed=timeout > 0)
        # A thread that is not ours: it closes what is left, or is a guest. Whoever has the lock may never go on.
        end = time.monotonic() + (UNCONTROLLED_WAIT_SECONDS if timeout < 0 else timeout)
        while self._owner is not None:
            if time.monotonic() > end:
                if timeout < 0:
                    raise RuntimeError("a thread of an exploration has this lock, and will not go on")
                return False
            time.sleep(UNCONTROLLED_NAP_SECONDS)
        return True

    def release(self) -> None:
        """As the real one."""
        task = self._controller.own_task()
        if self._owner is None or (self._recursive and self._owner != (task or _thread.get_ident())):
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._owner = None
            if task is not None:
                self._controller.point("release a lock")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def locked(self) -> bool:
        """As the real one."""
        return self._owner is not None

    # What ``threading.Condition`` asks a lock for.

    def _is_owned(self) -> bool:
        return self._owner == (self._controller.own_task() or _thread.get_ident() if self._recursive else self._owner)

    def _release_save(self) -> int:
        count, self._count = self._count, 1
        self.release()
        return count

    def _acquire_restore(self, count: int) -> None:
        self.acquire()
        self._count = count

    def _at_fork_reinit(self) -> None:
        self._owner, self._count = None, 0


class _Patches:
    """Replaces names of ``threading`` and puts them back."""

    def __init__(self, controller: Controller, adopt: Callable[[str, Callable[[], object]], Task]) -> None:
        self._controller = controller
        self._adopt = adopt
        self._kept: list[tuple[Any, str, Any]] = []
        self._tasks: dict[threading.Thread, Task] = {}

    def put_in(self) -> None:
        """Put the look-alikes in place."""
        lock, recursive = threading.Lock, threading.RLock
        self._replace(threading, "Lock", self._maker(lock, recursive=False))
        self._replace(threading, "_allocate_lock", self._maker(lock, recursive=False))
        self._replace(threading, "RLock", self._maker(recursive, recursive=True))
        for name in ("start", "join", "is_alive"):
            self._replace(threading.Thread, name, getattr(self, f"_{name}")(getattr(threading.Thread, name)))

    def put_back(self) -> None:
        """Put the real ones back."""
        while self._kept:
            place, name, value = self._kept.pop()
            setattr(place, name, value)

    def _replace(self, place: Any, name: str, value: Any) -> None:
        self._kept.append((place, name, getattr(place, name)))
        setattr(place, name, value)

    def _maker(self, real: Callable[[], Any], *, recursive: bool) -> Callable[[], Any]:
        def make() -> Any:
            if self._controller.own_task() is None:
                return real()
            return CooperativeLock(self._controller, recursive)

        return make

    def _start(self, real: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
        def start(thread: threading.Thread) -> None:
            if self._controller.own_task() is None:
                real(thread)
                return
            if thread in self._tasks:
                raise RuntimeError("threads can only be started once")

            def body() -> None:
                active: dict[int, threading.Thread] = threading._active  # type: ignore[attr-defined] # no stub has it
                active[_thread.get_ident()] = thread  # what current_thread() answers
                try:
                    thread.run()
                finally:
                    active.pop(_thread.get_ident(), None)

            self._tasks[thread] = self._adopt(thread.name, body)

        return start

    def _join(
        self, real: Callable[[threading.Thread, float | None], None]
    ) -> Callable[[threading.Thread, float | None], None]:
        def join(thread: threading.Thread, timeout: float | None = None) -> None:
            task = self._tasks.get(thread)
            if task is None:
                real(thread, timeout)
            elif self._controller.own_task() is None:
                raise KitError("a thread of an exploration is joined after its end")
            elif timeout is None or timeout > 0:
                place = f"join {thread.name}"
                self._controller.block(lambda: task.over, place, timed=timeout is not None)

        return join

    def _is_alive(self, real: Callable[[threading.Thread], bool]) -> Callable[[threading.Thread], bool]:
        def is_alive(thread: threading.Thread) -> bool:
            task = self._tasks.get(thread)
            return real(thread) if task is None else not task.over

        return is_alive


@contextmanager
def in_charge(controller: Controller, adopt: Callable[[str, Callable[[], object]], Task]) -> Iterator[None]:
    """Have the controller in charge of the locks and threads that its threads make within the block.

    ``adopt(name, body)`` is how it takes over a thread that one of them starts.
    """
    patches = _Patches(controller, adopt)
    patches.put_in()
    try:
        yield
    finally:
        patches.put_back()


__all__ = ["CooperativeLock", "in_charge"]
