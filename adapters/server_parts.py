"""Parts of a server, before it starts: whatever an application can reach while nothing is open yet.

Making them checks all that can be wrong with the settings, so a server that could be made is one that can start as
far as this side of the system goes. What they do together, once there is a reactor, is ``server.py``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from ..api.clock import Clock
from ..api.executor import Executor
from ..api.extension import ExtensionFactory
from ..api.handler import Middleware
from ..api.poller import Poller
from ..api.registry import TransportRegistry
from ..api.session import SessionManager
from ..api.tracer import Tracer
from ..control.config import ServerConfig
from ..control.metrics import MetricsRegistry
from ..control.probes import ProbeRegistry
from ..control.registry import ConfigControl
from ..internal.clock import SystemClock
from ..internal.faults import ErrorHook, log_error
from ..pool.buffer_pool import SlabBufferPool
from ..session.context import ValueContext
from ..session.store import ShardedSessions
from ..transport.registry import default_registry
from .application import Application
from .placement import Machine, Place, Placement
from .server_sessions import InheritingContexts
from .settings import handshake_config
from .tls import ServerTls, server_context
from .tracing import ConnectionSpans


class ServerParts(Application):
    """An application with its configuration, memory, threads, sessions, numbers and probes."""

    control: ConfigControl[ServerConfig]
    """The configuration in force; change it with ``control.set_config``."""
    extensions: Sequence[ExtensionFactory]
    """What is accepted where a client offers it."""
    placement: Placement
    """Where the server's thread runs and its memory lies."""
    pool: SlabBufferPool
    """Where payload memory comes from."""
    executor: Executor
    """Threads for what blocks or computes, near that memory; they start with the first task."""
    context: ValueContext
    """Values of the server; what is propagated here is in the context of every session begun later."""
    sessions: SessionManager
    """The sessions of the open connections."""
    metrics: MetricsRegistry
    """Counters, gauges and histograms; the README of this room lists them."""
    probes: ProbeRegistry
    """The inside of the server, by name."""

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        *,
        unix: str | None = None,
        tls: ServerTls | None = None,
        config: ServerConfig | None = None,
        middleware: Sequence[Middleware] = (),
        extensions: Sequence[ExtensionFactory] = (),
        registry: TransportRegistry | None = None,
        clock: Clock | None = None,
        poller: Callable[[], Poller] | None = None,
        machine: Machine | None = None,
        executor: Executor | None = None,
        sessions: SessionManager | None = None,
        tracer: Tracer | None = None,
        on_error: ErrorHook = log_error,
        **settings: object,
    ) -> None:
        """Configure a server; nothing is opened yet.

        ``host`` and ``port`` (0: the system chooses), or ``unix``, say where to listen; ``tls`` is a context or
        the paths of certificate and key. ``settings`` are fields of ``ServerConfig`` and replace those of
        ``config``. ``extensions`` are accepted where a client offers them, whatever the configuration becomes.
        ``tracer`` gets a span per connection, ``on_error`` what handlers and hooks raise. ``registry``, ``clock``,
        ``poller`` (a function that makes one), ``machine`` and ``executor`` are seams for other transports, time,
        hardware and threads; the server owns what it is given. ``sessions`` is a store that servers share
        (``session.NodeSessions``) and stays its owner's; by default a server has its own, with contexts that inherit.
        Raises ``InvalidArgument`` naming every setting that is unknown or wrong, and for an extension that is there
        twice; for ``node`` and ``cpu`` as ``Placement``.
        """
        super().__init__(middleware)
        self._machine, self._given_executor, self._given_sessions = machine, executor, sessions
        places = {"host": host, "port": port, "unix_path": unix}
        settings.update({name: value for name, value in places.items() if value is not None})
        self.control = ConfigControl(ServerConfig.from_mapping(settings, "Server", config))
        self.extensions = tuple(extensions)
        handshake_config(self.config, self.extensions)  # a mistake in them shows here, not at the start
        self._tls = None if tls is None else server_context(tls)
        self._registry = default_registry() if registry is None else registry
        self._clock = SystemClock() if clock is None else clock
        self._make_poller = poller
        self._on_error = on_error
        self._spans = None if tracer is None else ConnectionSpans(tracer)
        self.placement = Placement(self.config, machine)
        self.context = ValueContext(self._clock)
        self.metrics = MetricsRegistry()
        self.probes = ProbeRegistry()
        self._make_own_parts()

    def _make_own_parts(self) -> None:
        """Make what belongs to one reactor: for the server, or for a worker that was copied from it."""
        self.pool = self.placement.make_pool(self.config)
        given = self._given_executor
        self.executor = self.placement.make_executor(self.config, self._on_error) if given is None else given
        self._own_sessions = ShardedSessions(self._clock, contexts=InheritingContexts(self.context))
        shared = self._given_sessions
        self.sessions = self._own_sessions if shared is None else shared
        self._life = threading.RLock()  # Re-entrant: a signal handler of the user's may call us.
        self._ended = threading.Event()

    def _move_to(self, place: Place | None, *, own_numbers: bool) -> None:
        """Be a worker in this place (``None``: where the configuration says), with parts of its own.

        ``own_numbers``: metrics and probes too, because those of the application are in the same process.
        """
        self.placement = Placement(self.config, self._machine)
        if place is not None:
            self.placement.settle(place)
        if own_numbers:
            self.metrics, self.probes = MetricsRegistry(), ProbeRegistry()
        self.metrics.extend(None)
        self._make_own_parts()

    @property
    def config(self) -> ServerConfig:
        """The configuration in force."""
        return self.control.config()


__all__ = ["ServerParts"]
