"""Crew: the workers of one server, and what they have in common.

    Server.run, with workers > 1                       worker: a server of its own
      |                                                  reactor, hub, door, pool, sessions
      +-- Supervisor: who lives, who follows      <----- ready; numbers, once a second
      +-- sockets that listen, one per slot       ~~~~~> accepts from the one of its slot
      +-- configuration, checked                  -----> the same change, at once
      +-- numbers of all, added up                -----> stop: drain and end

*The port.* All sockets are opened here, before there is any worker (SO_REUSEPORT: the kernel deals new connections out
to them), and stay open. A worker only accepts from the one of its slot. So when it ends, however it ends, what waits in
that queue waits for the next one: no connection is refused or reset by a restart or a crash. Rejected: a socket opened
by each worker, because closing it resets what waits. Where sockets can't share an address, as Unix sockets can't, there
is one, and all accept from it.

*What is not shared.* Connections, sessions and their contexts are those of one worker; ``connections`` and
``broadcast`` reach no further. In worker processes everything else that the program has in memory is a copy, too.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from threading import get_ident
from typing import TYPE_CHECKING, Final

from ..api.errors import InvalidState
from ..api.transport import Address, Listener, Transport
from ..api.types import Handle, Nanoseconds
from ..control.config import ServerConfig
from ..control.knobs import values_of
from ..control.merged import MergedMetrics
from ..control.metrics import Family
from ..internal.processes import check_can_fork
from ..internal.supervisor import Seat, Supervisor, Worker
from .hub import Hub, ns
from .settings import listen_all, make_reactor
from .signals import signal_calls, signals_call
from .worker import ProcessWorker, ThreadWorker

if TYPE_CHECKING:
    import socket

    from .placement import Place
    from .server import Server

_MARGIN_NS: Final[Nanoseconds] = 2_000_000_000
"""How much longer than a worker itself its supervisor waits for the end of its connections."""
_RETRY_S: Final = 0.01


@dataclass(frozen=True, slots=True)
class WorkerState:
    """One worker at one moment."""

    number: int
    """Its slot's number, from 0; while it is replaced two have the same."""
    pid: int
    """The process it runs in."""
    ready: bool
    """Whether it serves."""
    leaving: bool
    """Whether it was asked to end."""


class SharedListener:
    """Implements ``api.transport.Listener`` for a worker: the socket is the crew's, and closing does not concern it."""

    __slots__ = ("_listener",)

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    @property
    def handle(self) -> Handle:
        """What a poller watches."""
        return self._listener.handle

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self._listener.address

    def accept_batch(self, max_count: int) -> Sequence[Transport]:
        """Accept what waits; as ``Listener.accept_batch``."""
        return self._listener.accept_batch(max_count)

    def close(self) -> None:
        """Nothing: others accept from it."""


def worker_kind(config: ServerConfig) -> str:
    """Return ``"process"`` or ``"thread"``."""
    if config.worker_kind != "auto":
        return config.worker_kind
    has_gil = getattr(sys, "_is_gil_enabled", lambda: True)  # Python 3.13
    return "process" if has_gil() else "thread"


class Crew:
    """The workers of a server. Thread rules: the thread in ``run``; ``tell``, ``stop``, ``restart``, ``hub_here`` and
    ``states`` from any."""

    def __init__(self, app: Server) -> None:
        """Listen. Raises what ``TransportProvider.listen`` raises, and as ``check_can_fork`` for processes."""
        config = app.config
        self._make_worker: type[ProcessWorker] | type[ThreadWorker] = ThreadWorker
        if worker_kind(config) == "process":
            check_can_fork()
            self._make_worker = ProcessWorker
        self.app = app
        """The server."""
        self.merged = MergedMetrics(config.workers)
        """The numbers of all workers."""
        self.ends: set[socket.socket] = set()
        """Our ends of the pairs to worker processes."""
        self.by_thread: dict[int, Server] = {}
        """The servers of worker threads, by their threads' numbers."""
        self.stop_timeout_ns: Nanoseconds | None = None
        """How long workers that are asked to end may wait for their connections."""
        self._places: Sequence[Place | None] = app.placement.places(config) or [None] * config.workers
        self._workers: dict[Seat, ProcessWorker | ThreadWorker] = {}
        self._generation = 0
        self._owner_id: int | None = None
        self._ended = threading.Event()
        self.reactor = make_reactor(config, app._make_poller, app._clock, app._on_error)
        """The supervisor's reactor."""
        try:
            self.listeners = listen_all(app._registry, config, app._tls)
        except BaseException:
            self.reactor.close()
            raise
        self.supervisor = Supervisor(self.reactor, config.workers, self._spawn, app._on_error, self.reactor.stop)
        self._unhook = app.control.on_reload(self._pass_on)
        app.metrics.extend(self._collect)

    def states(self) -> Sequence[WorkerState]:
        """Return the workers that live, by number, and who leaves first."""
        found = [
            WorkerState(seat.number, worker.pid, seat.ready, seat.asked)
            for seat, worker in self._workers.copy().items()
        ]
        return tuple(sorted(found, key=lambda state: (state.number, not state.leaving)))

    def run(self, *, handle_signals: bool) -> None:
        """Keep the workers until ``stop``. Errors as ``check_can_fork`` for processes; raises the ``WorkerLost``
        after which there was no use in going on."""
        signals = signals_call(self.stop) if handle_signals else nullcontext()
        restarts = signal_calls("SIGUSR2", self.restart) if handle_signals else nullcontext()
        try:
            if self._make_worker is ProcessWorker:
                check_can_fork()
            self._owner_id = get_ident()
            with signals, restarts:
                self.supervisor.start()
                self.reactor.run()
        finally:
            self.release()
        if self.supervisor.gave_up is not None:
            raise self.supervisor.gave_up

    def check_background(self) -> None:
        """Let go of everything and raise ``InvalidState`` if the workers are processes: ``background`` has a thread
        of its own, and where there are others no process is forked."""
        if self._make_worker is ProcessWorker:
            self.release()
            raise InvalidState("processes are forked by the only thread: use run, or worker_kind='thread'")

    def shutdown(self, timeout_ns: Nanoseconds | None) -> bool:
        """As ``Server.shutdown``."""
        if self._owner_id is None:
            self.release()  # Nobody runs it, so nobody else can end it.
        else:
            self.stop(timeout_ns)
            if get_ident() == self._owner_id or get_ident() in self.by_thread:
                return False
            self._ended.wait()
        return self.supervisor.drained

    def stop(self, timeout_ns: Nanoseconds | None = None) -> None:
        """Have all workers drain and end; from any thread and from signal handlers."""
        self.tell(lambda: self._stop(timeout_ns))

    def restart(self) -> None:
        """Have every worker replaced; from any thread and from signal handlers."""
        self.tell(self.supervisor.restart)

    def tell(self, function: Callable[[], object]) -> None:
        """Have ``function()`` run on the supervisor's thread, even if its inbox is full just now."""
        while not self.reactor.post(function) and not self._ended.wait(_RETRY_S):
            pass

    def hub_here(self) -> Hub | None:
        """Return the hub of the worker whose thread this is; ``None`` on any other thread."""
        server = self.by_thread.get(get_ident())
        return None if server is None else server._hub

    def gone(self, seat: Seat, generation: int, how: str) -> None:
        """For workers: this one has ended."""
        self.merged.ended(seat.number, generation)
        self._workers.pop(seat, None)
        seat.has_ended(how)

    def forget(self) -> None:
        """For a worker process: this is no supervisor any more."""
        self.reactor.close_after_fork()
        self._unhook()

    def release(self) -> None:
        """Let go of everything; workers that are left are killed. Idempotent."""
        for worker in tuple(self._workers.values()):
            worker.reap()
        self._workers.clear()
        self._unhook()
        for listener in self.listeners:
            listener.close()
        self.reactor.close()
        self.app._close_parts()
        self._ended.set()

    def _stop(self, timeout_ns: Nanoseconds | None) -> None:
        self.stop_timeout_ns = ns(self.app.config.shutdown_timeout_s) if timeout_ns is None else timeout_ns
        self.supervisor.stop(self.stop_timeout_ns + _MARGIN_NS)

    def _spawn(self, seat: Seat) -> Worker:
        self._generation += 1
        listener = SharedListener(self.listeners[seat.number % len(self.listeners)])
        worker = self._make_worker(self, seat, listener, self._places[seat.number], self._generation)
        self._workers[seat] = worker
        return worker

    def _pass_on(self, old: ServerConfig, new: ServerConfig) -> None:
        """A configuration that is about to be in force goes to the workers. Those that are forked later have it."""
        before = values_of(old)
        changes = {name: value for name, value in values_of(new).items() if value != before[name]}

        def tell_all() -> None:
            for worker in self._workers.values():
                worker.change(changes)

        self.tell(tell_all)

    def _collect(self, own: Sequence[Family]) -> Sequence[Family]:
        for worker in tuple(self._workers.values()):
            worker.update()
        return self.merged.add_to(own)


__all__ = ["Crew", "SharedListener", "WorkerState", "worker_kind"]
