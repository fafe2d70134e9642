"""Worker: one server of several that share a port, as a process or as a thread.

A worker process is a fork in which the application itself serves: it lets go of the crew and becomes an ordinary
server, whose listener happens to be lent. It tells its supervisor three things (that it serves, its numbers once a
second, and by its end that it ended) and is told two: a changed configuration, and to drain. When the supervisor is
gone it drains as well, so no worker outlives it by more than that.

A worker thread is the same, but that the server is a copy of the application with parts of its own; they share the
configuration, routes and hooks. ``app`` in a handler is the original, which finds the copy by the calling thread.
"""

from __future__ import annotations

import copy
import os
import socket
import threading
import traceback
from contextlib import suppress
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Final, cast

from ..api.errors import HioloadError, InvalidState
from ..api.transport import Listener
from ..api.types import Nanoseconds
from ..control.merged import PackedFamily, pack
from ..internal.channel import Channel
from ..internal.processes import ForkedProcess
from ..internal.supervisor import Seat
from .placement import Place
from .signals import signal_calls

if TYPE_CHECKING:
    from .crew import Crew
    from .server import Server

NUMBERS_NS: Final[Nanoseconds] = 1_000_000_000
"""How often a worker process tells its numbers."""

_READY, _NUMBERS, _CONFIG, _DRAIN = "ready", "numbers", "config", "drain"


def serve(app: Server, end: socket.socket) -> None:
    """Serve as a worker process: until told to drain by what comes from ``end``, by its end, or by SIGTERM."""
    app.start()

    def drain(timeout_ns: Nanoseconds | None = None) -> None:
        with suppress(InvalidState):  # it has ended meanwhile
            app._ask_to_drain(timeout_ns)

    def obey(message: object) -> None:
        what, argument = cast("tuple[str, object]", message)
        if what == _DRAIN:
            drain(cast("Nanoseconds | None", argument))
            return
        try:
            app.control.set_config(**cast("dict[str, object]", argument))
        except HioloadError as error:  # the supervisor's hooks had nothing against it, one of this worker has
            app.report(error, obey)

    channel = Channel(app._running_hub().reactor, end, obey, drain)

    def tell_numbers() -> None:
        channel.send((_NUMBERS, pack(app.metrics.families())))

    def take_leave() -> None:
        tell_numbers()
        channel.finish()

    app.scheduler.schedule_every(NUMBERS_NS, tell_numbers)
    app.post(lambda: channel.send((_READY, None)))
    app._at_loop_end = take_leave
    with signal_calls("SIGTERM", drain):
        app.run(handle_signals=False)


def be_worker(crew: Crew, listener: Listener, place: Place | None, end: socket.socket) -> None:
    """In the child of a fork: be a worker, and the supervisor no more."""
    crew.forget()
    crew.app._become_worker(listener, place)
    serve(crew.app, end)


class ProcessWorker:
    """A worker process, seen from its supervisor. Thread rules: the supervisor's thread."""

    __slots__ = ("_crew", "_generation", "_process", "_seat", "pid")

    def __init__(
        self, crew: Crew, seat: Seat, listener: Listener, place: Place | None, generation: int
    ) -> None:
        """Fork; errors as ``ForkedProcess``."""
        self._crew = crew
        self._seat = seat
        self._generation = generation

        main = partial(be_worker, crew, listener, place)
        self._process = ForkedProcess(crew.reactor, main, self._hear, self._gone, crew.ends)
        self.pid = self._process.pid

    def stop(self) -> None:
        """Tell it to drain."""
        self._process.send((_DRAIN, self._crew.stop_timeout_ns))

    def change(self, changes: dict[str, object]) -> None:
        """Tell it of a changed configuration."""
        self._process.send((_CONFIG, changes))

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def reap(self) -> None:
        """End it at once, and wait for that."""
        self._process.reap()

    def update(self) -> None:
        """It tells its numbers by itself."""

    def _hear(self, message: object) -> None:
        what, argument = cast("tuple[str, object]", message)
        if what == _READY:
            self._seat.is_ready()
        else:
            families = cast("list[PackedFamily]", argument)
            self._crew.merged.update(self._seat.number, self._generation, families)

    def _gone(self, how: str) -> None:
        self._crew.gone(self._seat, self._generation, how)


class ThreadWorker:
    """A worker thread. Thread rules: the supervisor's thread."""

    __slots__ = ("_asked", "_crew", "_generation", "_seat", "_server", "_thread", "pid")

    def __init__(
        self, crew: Crew, seat: Seat, listener: Listener, place: Place | None, generation: int
    ) -> None:
        """Start the thread."""
        self._crew = crew
        self._seat = seat
        self._generation = generation
        self._asked = False
        self._server = copy.copy(crew.app)
        self._server._become_worker(listener, place, own_numbers=True)
        self.pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name=f"hioload-ws worker {seat.number}")
        self._thread.start()

    def stop(self) -> None:
        """Have it drain."""
        self._asked = True
        with suppress(InvalidState):  # it ends by itself just now, or has not begun, and will see
            self._server._ask_to_drain(self._crew.stop_timeout_ns)

    def change(self, changes: dict[str, object]) -> None:
        """It shares the configuration."""

    def kill(self) -> None:
        """Have it drop its connections; a thread can't be ended from outside."""
        with suppress(InvalidState):
            self._server.post(self._server._force)

    def reap(self) -> None:
        """Drop its connections and wait for its end."""
        self.stop()
        self.kill()
        self._thread.join()

    def update(self) -> None:
        """Take its numbers; any thread."""
        self._crew.merged.update(self._seat.number, self._generation, pack(self._server.metrics.families()))

    def _run(self) -> None:
        """On the worker's thread."""
        crew, server = self._crew, self._server
        crew.by_thread[get_ident()] = server
        how = "it returned"
        try:
            server.start()
            server.post(lambda: crew.tell(self._seat.is_ready))
            if self._asked:
                self.stop()
            server.run(handle_signals=False)
        except BaseException as error:
            traceback.print_exc()
            how = f"it raised {type(error).__name__}"
        finally:
            del crew.by_thread[get_ident()]
            crew.tell(lambda: self._gone(how))

    def _gone(self, how: str) -> None:
        self._thread.join()
        self.update()
        self._crew.gone(self._seat, self._generation, how)


__all__ = ["NUMBERS_NS", "ProcessWorker", "ThreadWorker", "be_worker", "serve"]
