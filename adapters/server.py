"""Server: an application in front; one reactor with its door and listener behind.

    app = Server("127.0.0.1", 9001)

    @app.route("/rooms/:room")
    def talk(conn, message):
        conn.send(message)

    app.run()

Its life: *configured* (routes and hooks are added), *started* (it listens, ``url`` is known), *draining*
(nothing new is let in, what was begun is finished), *ended*. Draining asks every connection to close with code
1001 and is over the moment the last one has gone; the time limit is for those that do not go.

One thread, the one in ``run``, owns everything. From other threads and from signal handlers there are ``post``
and ``shutdown``.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from threading import get_ident

from ..api.codec import Role
from ..api.connection import Connection, SendableMessage
from ..api.errors import InvalidState, TimedOut
from ..api.handler import CloseEvent, OpenEvent
from ..api.reactor import Reactor
from ..api.scheduler import Scheduler
from ..api.session import SessionStatus
from ..api.transport import Address, Listener, UnixAddress
from ..api.types import Nanoseconds
from ..control.config import ServerConfig
from ..internal.executor import do_nothing
from .accelerate import use_accelerators
from .acceptor import Acceptor
from .broadcast import broadcast
from .connection import WebSocketConnection
from .crew import Crew, WorkerState
from .door import Door
from .hub import ConnectionSettings, Hub, ns
from .placement import Place
from .roles import Host
from .server_parts import ServerParts
from .server_probes import show_inside
from .server_sessions import SessionDesk
from .settings import apply_settings, handshake_config, listen, make_reactor
from .signals import signals_call
from .traffic import Traffic

CONNECTING_NS: Nanoseconds = 2_000_000_000
"""How long a worker that drains waits for opening handshakes that had begun."""

_GOING_AWAY = 1001


class _Phase(enum.Enum):
    CONFIGURED = "configured"
    STARTED = "started"
    DRAINING = "draining"
    ENDED = "ended"


class Server(ServerParts, Host):
    """A WebSocket server on one reactor. Implements ``api.shutdown.GracefulShutdown``.

    Thread rules: configure and start it from one thread; ``run`` makes the calling thread the owner; ``post``,
    ``shutdown``, ``connection_count``, ``pool.stats()``, ``executor``, ``control``, ``metrics``, ``probes`` from any.
    """

    role = Role.SERVER

    _phase = _Phase.CONFIGURED
    _drained = True
    _acceptors: Sequence[Acceptor] = ()
    _hub: Hub | None = None
    _crew: Crew | None = None  # where there are several workers
    _lent: Listener | None = None  # what one of these accepts from
    _hooks: Sequence[Callable[[], None]] = ()  # how to remove ours from the configuration
    _at_loop_end: Callable[[], object] = staticmethod(do_nothing)

    @property
    def connection_count(self) -> int:
        """Connections that exist now, connecting and closing ones included. Of several workers: see ``metrics``."""
        return 0 if self._hub is None else len(self._hub.connections)

    @property
    def connections(self) -> Iterator[Connection]:
        """The open connections, as a snapshot. The reactor's thread only."""
        hub = self._running_hub()
        return iter([each for each in hub.connections if each.status is SessionStatus.ACTIVE])

    @property
    def address(self) -> Address:
        """Where it really listens (the chosen port, not 0). Raises ``InvalidState`` when it does not."""
        if self._crew is not None and self._phase is _Phase.STARTED:
            return self._crew.listeners[0].address
        if not self._acceptors:
            raise InvalidState("the server does not listen", state=self._phase.value)
        return self._acceptors[0].address

    @property
    def url(self) -> str:
        """The URL to connect to; for a Unix socket ``ws+unix:`` and its path. Errors as ``address``."""
        scheme = "ws" if self._tls is None else "wss"
        address = self.address
        return f"{scheme}+{address}" if isinstance(address, UnixAddress) else f"{scheme}://{address}"

    def start(self) -> None:
        """Listen. Peers may connect from now on; they are served once ``run`` is called.

        Raises ``InvalidState`` when it was started before, and what ``TransportProvider.listen`` raises; the
        server is then as before the call.
        """
        with self._life:
            if self._phase is not _Phase.CONFIGURED:
                raise InvalidState("a server starts once", state=self._phase.value)
            config = self.config
            if config.workers > 1 and self._lent is None:
                self._crew, self._phase = Crew(self), _Phase.STARTED
                return
            use_accelerators(config.mask_accelerator)
            reactor = make_reactor(config, self._make_poller, self._clock, self.report)
            hub: Hub | None = None
            try:
                settings = ConnectionSettings.from_config(config)
                traffic = Traffic(self.metrics)
                read_bytes = config.read_buffer_bytes
                hub = Hub(reactor, self.pool, settings, read_bytes, traffic, self._on_error, self.executor)
                door = self._make_door(hub, config)
                listener = listen(self._registry, config, self._tls) if self._lent is None else self._lent
                self._acceptors = [Acceptor(hub, listener, door.admit)]
            except BaseException:
                if hub is not None:
                    hub.close()
                reactor.close()
                raise
            self._hub = hub
            self._hooks = [
                self.control.on_reload(self.placement.follow),
                self.control.on_reload(lambda old, new: self.placement.resize(self.executor, old, new)),
                self.control.on_reload(lambda old, new: apply_settings(hub, door, new)),
            ]
            show_inside(self, hub, self._registry)
            self._phase = _Phase.STARTED

    def run(self, *, handle_signals: bool = True) -> None:
        """Start if need be, serve until ``shutdown``, and release everything.

        On the main thread SIGINT and SIGTERM call ``shutdown``, unless ``handle_signals`` is false. The thread is
        kept where ``node`` and ``cpu`` say meanwhile. Errors as ``start`` and ``Placement.held``; ``InvalidState``
        when it is running on another thread or has ended.
        """
        if self._phase is _Phase.CONFIGURED:
            self.start()
        if self._crew is not None:
            self._crew.run(handle_signals=handle_signals)
            return
        with self._life:
            hub = self._running_hub()
            if hub.owner_id is not None:
                raise InvalidState("the server is running already", state=self._phase.value)
            hub.owner_id = get_ident()
        try:
            with self.placement.held(), signals_call(self._ask_to_drain) if handle_signals else nullcontext():
                hub.reactor.run()
                self._at_loop_end()
        finally:
            self._release(hub)

    def restart(self) -> None:
        """Have every worker replaced: new ones start, and when they serve, the old ones drain; nobody is refused
        meanwhile. It only begins that (``workers`` tells), unless some are missing or replaced just now. A new worker
        has the program as it was when ``run`` began, not what its files say now. SIGUSR2 does the same. Any thread,
        also signal handlers. Raises ``InvalidState`` without several workers."""
        if self._crew is None:
            raise InvalidState("there is one worker, the thread in run", state=self._phase.value)
        self._crew.restart()

    @property
    def workers(self) -> Sequence[WorkerState]:
        """The workers that live, by number; none where the thread in ``run`` serves."""
        return () if self._crew is None else self._crew.states()

    def turn(self, timeout_ns: Nanoseconds | None = None) -> int:
        """Make one turn that waits at most ``timeout_ns``, and return the work done; for loops of other owners.
        The turn in which the last connection goes ends a shutdown. Errors as ``run``."""
        hub = self._running_hub()
        hub.owner_id = hub.owner_id or get_ident()
        work_count = hub.reactor.run_once(timeout_ns)
        if self._phase is _Phase.DRAINING and not hub.connections:
            self._release(hub)
        return work_count

    @contextmanager
    def background(self) -> Iterator[str]:
        """Serve on a thread of its own for the length of the block, then shut down; yields ``url``. Errors as
        ``start``; ``InvalidState`` for workers that are processes."""
        self.start()
        if self._crew is not None:
            self._crew.check_background()
        url = self.url
        thread = threading.Thread(target=self._run_unless_ended, name=f"hioload-ws {url}")
        thread.start()
        try:
            yield url
        finally:
            self.shutdown()
            thread.join()

    def post(self, function: Callable[[], object]) -> bool:
        """Have ``function()`` run on the server's thread, from any thread; ``False`` when its inbox is full or
        it has ended. Raises ``InvalidState`` before the start."""
        if self._hub is None and self._crew is None:
            raise InvalidState("the server has not started", state=self._phase.value)
        return self._reactor().post(function)

    def broadcast(
        self,
        data: SendableMessage,
        *,
        among: Iterable[Connection] | None = None,
        exclude: Collection[Connection] = (),
    ) -> int:
        """Send one message to many: all open connections, or those of ``among``, without those of ``exclude``.

        The frame is built once. Returns how many got it; those that are closing or whose send limit is reached
        do not. The reactor's thread only. Errors as ``Connection.send``.
        """
        # A snapshot; those that are not open yet, or not any more, are left out by the broadcast itself.
        targets = tuple(self._running_hub().connections) if among is None else among
        return broadcast(data, [each for each in targets if each not in exclude] if exclude else targets)

    def shutdown(self, timeout_ns: Nanoseconds | None = None) -> bool:
        """Stop accepting, ask every connection to close (code 1001), end when all have gone.

        ``timeout_ns`` bounds the wait (``None``: ``shutdown_timeout_s``); connections that are left are dropped
        then. Returns whether all ended by themselves. A second call waits for the same end. On the server's own
        thread, and in signal handlers, it only begins the shutdown and returns ``False``.
        """
        if self._crew is not None:
            return self._crew.shutdown(timeout_ns)
        with self._life:
            hub = self._hub
            if hub is None or hub.owner_id is None:
                # Nobody turns the loop, so nobody else can end it.
                self._release_idle()
                return self._drained
        if hub.owner_id == get_ident():
            self._ask_to_drain(timeout_ns)
            return False
        while not self._ended.is_set() and not self.post(lambda: self._drain(timeout_ns)):
            self._ended.wait(0.01)  # The inbox is full: the loop is busy emptying it.
        self._ended.wait()
        return self._drained

    def opened(self, connection: WebSocketConnection) -> None:
        """Tell the open handlers; what one raises closes the connection."""
        if self._spans is not None:
            self._spans.begin(connection)
        if self._open_handlers:
            self._tell_opened(OpenEvent(connection))
        if self._phase is _Phase.DRAINING:
            connection.close(_GOING_AWAY, "server shutting down")

    def closed(self, connection: WebSocketConnection, event: CloseEvent | None) -> None:
        """Tell the close handlers; the last one to go ends a shutdown."""
        if event is not None:
            if self._spans is not None:
                self._spans.end(event)
            self._tell_closed(event, self.report)
        if self._phase is _Phase.DRAINING:
            self._stop_if_empty()

    def _run_unless_ended(self) -> None:
        # Shut down before this thread came to run? Then that is what was asked for.
        with suppress(InvalidState):
            self.run(handle_signals=False)

    def _running_hub(self) -> Hub:
        hub = self._hub if self._crew is None else self._crew.hub_here()
        if hub is None or self._phase is _Phase.ENDED:
            raise InvalidState("the server does not run on this thread", state=self._phase.value)
        return hub

    def _reactor(self) -> Reactor:
        """The reactor of this thread's server, or that of the workers' supervisor."""
        hub = self._hub if self._crew is None else self._crew.hub_here()
        if hub is not None:
            return hub.reactor
        if self._crew is None or self._phase is _Phase.ENDED:
            raise InvalidState("the server does not run", state=self._phase.value)
        return self._crew.reactor

    def _become_worker(self, listener: Listener, place: Place | None, *, own_numbers: bool = False) -> None:
        """For crews: be one of several, which accepts from ``listener``."""
        self._crew, self._hub, self._phase, self._lent = None, None, _Phase.CONFIGURED, listener
        self._move_to(place, own_numbers=own_numbers)

    @property
    def scheduler(self) -> Scheduler:
        """Timers on the server's thread. Raises ``InvalidState`` unless it was started and has not ended."""
        return self._reactor().scheduler

    def report(self, error: BaseException, origin: object) -> None:
        """Count a fault and tell the error hook of it. Any thread; ``InvalidState`` before the start."""
        if self._crew is None or self._crew.hub_here() is not None:
            self._running_hub().report(error, origin)
        else:
            self._on_error(error, origin)

    def _make_door(self, hub: Hub, config: ServerConfig) -> Door:
        return Door(
            hub,
            self,
            self._router,
            self._request_hooks,
            SessionDesk(hub, self.sessions),
            handshake_config(config, self.extensions),
            config.max_connections,
        )

    def _ask_to_drain(self, timeout_ns: Nanoseconds | None = None) -> None:
        """Begin the shutdown from any point of the owner's work, a signal handler's included."""
        reactor = self._running_hub().reactor
        if not reactor.post(lambda: self._drain(timeout_ns)):
            reactor.at_turn_end(lambda: self._drain(timeout_ns))

    def _drain(self, timeout_ns: Nanoseconds | None) -> None:
        if self._phase is not _Phase.STARTED:
            return
        self._phase = _Phase.DRAINING
        self._close_listeners()
        hub = self._running_hub()
        for connection in tuple(hub.connections):
            # Others of a worker's port go on to serve: whoever was let in gets an answer rather than a reset.
            if self._lent is None or connection.status is not SessionStatus.CONNECTING:
                connection.close(_GOING_AWAY, "server shutting down")
        if timeout_ns is None:
            timeout_ns = ns(self.config.shutdown_timeout_s)
        hub.reactor.scheduler.schedule(min(timeout_ns, CONNECTING_NS), self._close_connecting)
        hub.reactor.scheduler.schedule(timeout_ns, self._force)
        self._stop_if_empty()

    def _close_connecting(self) -> None:
        """Those that were in the opening handshake when the draining began have had their time."""
        for connection in tuple(self._running_hub().connections):
            connection.close(_GOING_AWAY, "server shutting down")

    def _force(self) -> None:
        """The time is up: drop who is left."""
        self._drained = False
        for connection in tuple(self._running_hub().connections):
            connection.drop(TimedOut("the server shut down and did not wait any longer"))

    def _stop_if_empty(self) -> None:
        hub = self._running_hub()
        if not hub.connections:
            hub.reactor.stop()

    def _close_listeners(self) -> None:
        acceptors, self._acceptors = self._acceptors, ()
        for acceptor in acceptors:
            acceptor.close()

    def _release_idle(self) -> None:
        """End a server whose loop nobody turns."""
        if self._phase is not _Phase.ENDED:
            if self._hub is not None:
                self._release(self._hub)
            self.executor.shutdown(cancel_queued=True)
            self._phase = _Phase.ENDED
            self._ended.set()

    def _release(self, hub: Hub) -> None:
        """Let go of everything, after a shutdown or after the loop was interrupted."""
        self._close_listeners()
        for connection in tuple(hub.connections):
            connection.drop(TimedOut("the server's loop was interrupted"))
        self._phase = _Phase.ENDED
        for remove in self._hooks:
            remove()
        hub.close()
        hub.reactor.close()
        hub.owner_id = None
        self._close_parts()

    def _close_parts(self) -> None:
        self._phase = _Phase.ENDED
        self._own_sessions.close()
        self.pool.close()
        self._ended.set()  # before the wait: a task may wait for our end
        if self._lent is None or self._given_executor is None:  # else all workers use it
            self.executor.shutdown(cancel_queued=True, timeout_ns=ns(self.config.shutdown_timeout_s))


__all__ = ["Server"]
