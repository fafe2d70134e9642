"""Processes: workers that are forks of this one.

A fork has everything that its parent has: the program's functions, whatever they refer to, and the sockets that
listen. That is why a worker can be made of an application that was put together by running a script. It is also the
danger: a lock that another thread held at that moment stays locked in the child for ever. So there must be no other
thread; ``check_can_fork`` says whether that is so, and where there is no fork at all.

Between parent and child there is a pair of sockets (``channel.py``). A child closes what it inherited of the pairs of
others: as long as it held them, those others would not learn of the parent's death.

The parent is told of a child's end by the end of its stream. The child has then closed its files on its way out, so
``waitpid(2)`` has its status at once, or a moment later.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Final

from ..api.errors import InvalidState, NotSupported, ResourceExhausted
from ..api.reactor import Reactor
from ..api.types import Nanoseconds
from .channel import Channel

_LOOK_AGAIN_NS: Final[Nanoseconds] = 2_000_000
_HELD_BACK: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2") if hasattr(signal, name)
)
"""Signals that wait while a fork is under way: the child must not run handlers of its parent."""

ChildMain = Callable[[socket.socket], object]
"""What a child does, with its end of the pair; then it ends."""


def check_can_fork() -> None:
    """Raise ``NotSupported`` where the system has no ``fork``, and ``InvalidState`` while other threads run."""
    if not hasattr(os, "fork"):
        raise NotSupported("this system has no fork(2): use worker_kind='thread'", platform=sys.platform)
    others = [thread.name for thread in threading.enumerate() if thread is not threading.current_thread()]
    if others:
        raise InvalidState("other threads run, and a fork would copy the locks they hold", threads=tuple(others))


def run_child(main: ChildMain, end: socket.socket, inherited: tuple[socket.socket, ...]) -> int:
    """Be the child: let go of what belongs to others, call ``main(end)``, and return the exit code.

    What escapes from ``main`` is shown on standard error, as Python does at the end of a program; the code is 1.
    """
    for each in inherited:
        each.close()
    try:
        main(end)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code


class ForkedProcess:
    """One child. Thread rules: the reactor's thread."""

    __slots__ = ("_channel", "_ends", "_on_exit", "_own_end", "_reactor", "pid")

    def __init__(
        self,
        reactor: Reactor,
        main: ChildMain,
        on_message: Callable[[object], object],
        on_exit: Callable[[str], object],
        ends: set[socket.socket],
    ) -> None:
        """Fork. ``on_exit(how)`` is called once, with ``"status 1"`` or ``"signal SIGKILL"``. ``ends`` are the
        parent's ends of all children, which this one adds to. Raises ``ResourceExhausted`` when the system has no
        process or descriptor left."""
        self._reactor = reactor
        self._on_exit = on_exit
        self._ends = ends
        try:
            self._own_end, child_end = socket.socketpair()
        except OSError as error:
            raise ResourceExhausted("the system has no descriptor left for a worker", errno=error.errno) from error
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
        try:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()  # else what is in their buffers is written twice
            self.pid = os.fork()
            if not self.pid:  # pragma: no cover - the child's side, which run_child is; it is tested by itself
                for number in _HELD_BACK:
                    signal.signal(number, signal.SIG_IGN)
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
                os._exit(run_child(main, child_end, (self._own_end, *ends)))
        except OSError as error:
            self._own_end.close()
            raise ResourceExhausted("the system has no process left for a worker", errno=error.errno) from error
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            child_end.close()
        ends.add(self._own_end)
        self._channel = Channel(reactor, self._own_end, on_message, self._look)

    def send(self, message: object) -> None:
        """Send to the child; errors as ``Channel.send``."""
        self._channel.send(message)

    def kill(self) -> None:
        """End it at once (SIGKILL). Harmless when it has ended."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def reap(self) -> None:
        """End it at once, and wait for that, without ``on_exit``. Idempotent."""
        if self._own_end in self._ends:
            self.kill()
            self._channel.close()
            self._ends.discard(self._own_end)
            os.waitpid(self.pid, 0)

    def _look(self) -> None:
        """Its stream has ended: ask for its status, and again, until it has one."""
        if self._own_end not in self._ends:
            return
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            self._reactor.scheduler.schedule(_LOOK_AGAIN_NS, self._look)
            return
        self._ends.discard(self._own_end)
        self._on_exit(how_it_ended(status))


def how_it_ended(status: int) -> str:
    """Return in words what ``waitpid`` tells."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"status {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:  # a real-time signal
        return f"signal {-code}"


__all__ = ["ChildMain", "ForkedProcess", "check_can_fork", "how_it_ended", "run_child"]
