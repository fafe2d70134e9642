"""Coroutines on a reactor, without an event loop of their own.

A coroutine is a function that can stop in the middle. Whoever called ``send`` gets what its ``await`` yields, and
calls ``send`` again when that has come to pass. So three things are enough to run one: an object that says what is
waited for (``Wait``), somebody who steps (``Routine``), and something that has timers and takes work from other
threads, which is the reactor that there is anyway (``Runner`` holds the ends of it). There is no queue of ready
tasks: whatever happens to a coroutine steps it at once, and it runs until it waits again.

What may be awaited is therefore what yields a ``Wait`` of ours. A future of asyncio yields itself, for asyncio's
loop to see; here nobody would ever wake it. Such an ``await`` raises, and says so, instead of hanging.

Ending a coroutine from outside is an exception at the place where it waits: ``interrupt``. Its ``finally`` and
``async with`` blocks run, and may wait again. ``abort`` is for the case that nobody can wait any longer:
``GeneratorExit``, after which Python allows no further ``await``.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from threading import get_ident
from typing import Final, Generic, ParamSpec, TypeAlias, TypeVar

from ..api.errors import InvalidArgument
from ..api.executor import Executor, Task
from ..api.scheduler import Cancelable, Scheduler
from ..api.types import Nanoseconds

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Step: TypeAlias = "tuple[Callable[[object], object], object]"
"""How a coroutine goes on: ``send`` or ``throw`` of it, and what with."""

_NS_PER_S: Final = 1_000_000_000
_RETRY_S: Final = 0.01


class Wait(ABC, Generic[T_co]):
    """Something that a coroutine awaits. Thread rules: the reactor's thread."""

    __slots__ = ()

    @abstractmethod
    def begin(self, routine: Routine) -> None:
        """Arrange that ``routine.resume(self, value)`` or ``routine.fail(self, error)`` is called later, once, and
        never within this call. What this raises is raised at the ``await``."""

    @abstractmethod
    def cancel(self) -> None:
        """The routine does not wait any more: whatever was arranged may be dropped."""

    def __await__(self) -> Generator[Wait[T_co], T_co, T_co]:
        return (yield self)


class Runner:
    """What coroutines of one reactor need of it. Thread rules: its thread, except ``post``."""

    __slots__ = ("_closed", "_post", "executor", "scheduler")

    def __init__(
        self,
        scheduler: Scheduler,
        post: Callable[[Callable[[], object]], bool],
        executor: Executor,
    ) -> None:
        """``scheduler`` and ``post`` are the reactor's; ``executor`` runs what blocks, and stays the caller's."""
        self.scheduler = scheduler
        self.executor = executor
        self._post = post
        self._closed = threading.Event()

    def post(self, function: Callable[[], object]) -> None:
        """Have ``function()`` run on the reactor's thread, from a worker's. A full inbox is waited for, since
        somebody waits for the result; after ``close`` nobody does."""
        while not self._post(function) and not self._closed.wait(_RETRY_S):
            pass

    def close(self) -> None:
        """The reactor ends: let no worker wait for it. Idempotent; any thread."""
        self._closed.set()


class Routine(ABC):
    """One coroutine, and what it waits for. Thread rules: the reactor's thread."""

    __slots__ = ("_coroutine", "_send", "_throw", "_wait", "ended", "runner")

    def __init__(self, coroutine: Coroutine[object, object, object], runner: Runner) -> None:
        """Own a coroutine that was not started."""
        self._coroutine = coroutine
        self._send: Callable[[object], object] = coroutine.send
        self._throw: Callable[[object], object] = coroutine.throw  # type: ignore[assignment]  # errors only
        self._wait: Wait[object] | None = None
        self.runner = runner
        self.ended = False
        """Whether it has returned or raised."""

    def start(self) -> None:
        """Let it run up to its first wait. Once."""
        self._step(self._send, None)

    def resume(self, wait: Wait[object], value: object) -> None:
        """What it waited for has come; nothing happens if it no longer waits for that."""
        if self._wait is wait:
            self._wait = None
            self._step(self._send, value)

    def fail(self, wait: Wait[object], error: BaseException) -> None:
        """As ``resume``, and raise ``error`` there."""
        if self._wait is wait:
            self._wait = None
            self._step(self._throw, error)

    def interrupt(self, error: Exception) -> None:
        """Raise ``error`` where it waits. It must be waiting."""
        self._forget_wait()
        self._step(self._throw, error)

    def abort(self) -> None:
        """End it where it waits, without further waiting (``GeneratorExit``). It must be waiting."""
        self._forget_wait()
        try:
            self._coroutine.close()
        except Exception as error:  # its own, or RuntimeError: it awaited something all the same
            self._end(error)
        else:
            self._end(None)

    def _forget_wait(self) -> None:
        wait, self._wait = self._wait, None
        if wait is not None:
            wait.cancel()

    def _step(self, step: Callable[[object], object], argument: object) -> None:
        """Let it run until it waits, or has ended."""
        following: Step | None = (step, argument)
        while following is not None:
            step, argument = following
            try:
                awaited = step(argument)
            except BaseException as error:
                return self._stopped(error)
            following = self._arrange(awaited)
        return None

    def _arrange(self, awaited: object) -> Step | None:
        """Arrange for what the coroutine waits for now; or return how it goes on at once."""
        if not isinstance(awaited, Wait):
            return self._throw, InvalidArgument(
                "this can not be awaited here: a handler may await messages and drain() of its connection, "
                "sleep() and in_worker() of hioload_ws, and coroutines made of these",
                awaited=type(awaited).__name__,
            )
        self._wait = awaited
        try:
            awaited.begin(self)
        except Exception as error:
            self._wait = None
            return self._throw, error
        return None

    def _stopped(self, error: BaseException) -> None:
        """It did not come to a wait: ``send`` or ``throw`` has raised this."""
        if isinstance(error, Exception):
            self._end(None if isinstance(error, StopIteration) else error)
        else:
            self._end(None)
            raise error  # Ctrl-C is for whoever runs the reactor

    def _end(self, error: Exception | None) -> None:
        self.ended = True
        self._finished(error)

    @abstractmethod
    def _finished(self, error: Exception | None) -> None:
        """It has returned, or raised ``error``."""


class _Sleep(Wait[None]):
    """A moment in time."""

    __slots__ = ("_delay_ns", "_timer")

    _timer: Cancelable

    def __init__(self, delay_ns: Nanoseconds) -> None:
        self._delay_ns = delay_ns

    def begin(self, routine: Routine) -> None:
        """Set a timer."""
        self._timer = routine.runner.scheduler.schedule(self._delay_ns, partial(routine.resume, self, None))

    def cancel(self) -> None:
        """Take the timer back."""
        self._timer.cancel()


class _WorkerCall(Wait[T_co]):
    """The result of a function that runs elsewhere."""

    __slots__ = ("_function", "_owner", "_routine", "_task")

    _task: Task[T_co]

    def __init__(self, function: Callable[[], T_co]) -> None:
        self._function = function
        self._owner = get_ident()
        self._routine: Routine | None = None  # who waits

    def begin(self, routine: Routine) -> None:
        """Submit the function; errors as ``Executor.submit``."""
        self._routine = routine
        self._task = task = routine.runner.executor.submit(self._function)
        task.add_done_callback(self._done)

    def cancel(self) -> None:
        """Withdraw the function if no worker has taken it; else only its result is dropped."""
        self._routine = None
        self._task.cancel()

    def _done(self) -> None:
        """The outcome is there. On the thread that made it."""
        routine = self._routine
        if routine is None:
            return
        if get_ident() == self._owner:
            # Done before we asked to be told. Waiting for room in the inbox would be waiting for ourselves.
            routine.runner.scheduler.schedule(0, self._deliver)
        else:
            routine.runner.post(self._deliver)

    def _deliver(self) -> None:
        routine, self._routine = self._routine, None
        if routine is None:
            return
        try:
            value = self._task.result(0)
        except BaseException as error:
            routine.fail(self, error)
        else:
            routine.resume(self, value)


def sleep(seconds: float) -> Awaitable[None]:
    """Await this in a handler to go on ``seconds`` later (0: after the events that are due now).

    Raises ``InvalidArgument`` for a negative number and for "not a number". ``Cancelled`` is raised at the
    ``await`` where the connection has gone meanwhile.
    """
    if not 0 <= seconds < float("inf"):
        raise InvalidArgument("a time to sleep is 0 or more seconds", seconds=seconds)
    return _Sleep(round(seconds * _NS_PER_S))


def in_worker(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
    """Await this in a handler for the result of ``function(*args, **kwargs)``, run by a worker thread.

    For functions that block or compute long. What the function raises is raised at the ``await``; so is
    ``ResourceExhausted`` when too many calls wait for a worker, and ``Cancelled`` where the connection has gone
    meanwhile (the function is withdrawn if no worker has taken it; a running one is never interrupted). The
    function must not touch connections; a message it gets stays valid until the handler asks for the next one.
    """
    return _WorkerCall(partial(function, *args, **kwargs))


__all__ = ["Routine", "Runner", "Step", "Wait", "in_worker", "sleep"]
