"""A simulated machine: its name is its address, and it has ports, listeners and a registry of transports.

The registry is what a real ``Server`` or ``Client`` takes: its ``tcp`` makes listeners and connections on this
network instead of the kernel's. Connecting takes the two ways of a TCP handshake: a request goes to the other
host, an answer comes back; a port where nobody listens answers with a reset; a queue that is full, a crashed
host and a partition answer nothing, and the request is repeated every second.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypedDict, TypeVar

from ..api.errors import (
    AlreadyExists,
    InvalidArgument,
    NotSupported,
    TransportClosed,
)
from ..api.executor import Executor
from ..api.poller import READABLE, Poller, Readiness
from ..api.registry import Availability, ConnectOptions, ListenOptions
from ..api.transport import Address, Features, TcpAddress, Transport
from ..api.types import Handle
from ..transport.registry import Registry
from .clock import VirtualClock
from .executor import FakeExecutor, FakeTask
from .sim_poller import WorldPoller
from .sim_transport import FEATURES, SimTransport
from .world import Watcher, World

if TYPE_CHECKING:
    from .network import SimNetwork

OWN_NAMES: Final = frozenset({"", "127.0.0.1", "0.0.0.0", "::", "::1", "localhost"})
"""What a host calls itself besides its name."""

_FIRST_PORT: Final = 49_152  # RFC 6335 §6: dynamic ports


T = TypeVar("T")


class Seams(TypedDict):
    """The constructor arguments that put a ``Server`` or a ``Client`` onto a host."""

    registry: Registry
    clock: VirtualClock
    poller: Callable[[], Poller]
    executor: Executor


class SimExecutor(FakeExecutor):
    """Workers of a host: what is submitted is done at once in virtual time, but never within the call."""

    __slots__ = ("_world",)

    def __init__(self, world: World) -> None:
        super().__init__(world.clock)
        self._world = world

    def submit(self, function: Callable[[], T], /) -> FakeTask[T]:
        """Queue a function; errors as ``FakeExecutor.submit``."""
        task = super().submit(function)
        self._world.at(self._world.clock.now_ns(), self._work)
        return task

    def _work(self, argument: object) -> None:
        self.run_next()
        self._world.look_around()  # whoever waits for the result has it in its timers now


class SimListener:
    """Implements ``api.transport.Listener`` on a host. Thread rules: the world's thread."""

    __slots__ = ("_backlog", "_closed", "_handle", "_host", "_waiting", "_watcher", "address")

    def __init__(self, host: SimHost, handle: Handle, address: TcpAddress, backlog: int) -> None:
        self._host = host
        self._handle = handle
        self._backlog = backlog
        self._waiting: list[SimTransport] = []
        self._watcher: Watcher | None = None
        self._closed = False
        self.address = address
        """Where it listens."""

    @property
    def handle(self) -> Handle:
        """What a poller watches."""
        self._check_open()
        return self._handle

    @property
    def is_full(self) -> bool:
        """Whether no further connection may wait."""
        return len(self._waiting) >= self._backlog

    def accept_batch(self, max_count: int) -> Sequence[Transport]:
        """Accept what waits; contract as ``api.transport.Listener.accept_batch``."""
        self._check_open()
        if max_count < 1:
            raise InvalidArgument("max_count is 1 or more", max_count=max_count)
        self._host.network.check_faults("accept", self._host.name)
        accepted, self._waiting = self._waiting[:max_count], self._waiting[max_count:]
        return accepted

    def close(self) -> None:
        """Stop listening; who waits is reset. Idempotent."""
        if self._closed:
            return
        self._closed = True
        del self._host.listeners[self.address.port]
        for transport in self._waiting:
            transport.abort()
            transport.close()
        self._waiting.clear()
        del self._host.network.world.sources[self._handle]

    def add(self, transport: SimTransport) -> None:
        """For the network: a connection was made."""
        self._waiting.append(transport)
        if self._watcher is not None:
            self._watcher.touch(self._handle)

    def readiness(self) -> Readiness:
        """Return whether a connection waits."""
        return READABLE if self._waiting else 0

    def watched_by(self, watcher: Watcher | None) -> None:
        """Tell ``watcher`` of changes."""
        self._watcher = watcher

    def _check_open(self) -> None:
        if self._closed:
            raise TransportClosed("the listener is closed", address=str(self.address))


class SimHost:
    """A machine on the network. Made by ``SimNetwork.host``."""

    __slots__ = ("_ports", "crashed", "listeners", "name", "network", "registry")

    def __init__(self, network: SimNetwork, name: str) -> None:
        self.network = network
        self.name = name
        """Its address."""
        self.listeners: dict[int, SimListener] = {}
        """Who listens, by port."""
        self.crashed = False
        """Whether it is down: what is sent to it gets no answer."""
        self._ports = itertools.count(_FIRST_PORT)
        self.registry = Registry()
        """What a server or client on this host takes for ``registry=``."""
        self.registry.register(SimProvider(self))

    @property
    def seams(self) -> Seams:
        """``registry``, ``clock``, ``poller`` and ``executor`` for a ``Server`` or ``Client`` on this host."""
        return {
            "registry": self.registry,
            "clock": self.network.clock,
            "poller": self.poller,
            "executor": SimExecutor(self.network.world),
        }

    def poller(self) -> WorldPoller:
        """Make a poller for a reactor on this host."""
        return self.network.make_poller(self)

    def own_address(self, port: int) -> TcpAddress:
        """Return the address of one of its ports; 0 chooses one that nobody uses."""
        return TcpAddress(self.name, port or next(self._ports))


class SimProvider:
    """Implements ``api.registry.TransportProvider``: TCP as seen from one host."""

    __slots__ = ("_host",)

    name = "tcp"
    """What it stands for."""

    def __init__(self, host: SimHost) -> None:
        self._host = host

    def availability(self) -> Availability:
        """It always works."""
        return Availability(True)

    def features(self) -> Features:
        """Return what its transports can do."""
        return FEATURES

    def listen(self, address: Address, options: ListenOptions) -> SimListener:
        """Listen on a port of this host; contract as ``TransportProvider.listen``."""
        host = self._host
        own = self._checked(address, options.tls is not None or options.reuse_port)
        if own.host not in OWN_NAMES and own.host != host.name:
            raise InvalidArgument("a host listens at its own address only", address=str(own), host=host.name)
        if options.backlog < 1:
            raise InvalidArgument("backlog is 1 or more", backlog=options.backlog)
        if own.port in host.listeners:
            raise AlreadyExists("the port is taken", address=str(own))
        bound = host.own_address(own.port)
        handle = host.network.new_handle()
        listener = SimListener(host, handle, bound, options.backlog)
        host.listeners[bound.port] = listener
        host.network.world.sources[handle] = listener
        return listener

    def connect(self, address: Address, options: ConnectOptions) -> SimTransport:
        """Start to connect; contract as ``TransportProvider.connect``. A host that this network does not have
        is a name that does not resolve: ``ConnectionLost``."""
        host = self._host
        peer = self._checked(address, options.tls is not None)
        host.network.check_faults("connect", host.name)
        return host.network.open_connection(host, peer)

    @staticmethod
    def _checked(address: Address, wants_more: bool) -> TcpAddress:
        if not isinstance(address, TcpAddress) or wants_more:
            raise NotSupported("the simulated network has plain TCP only", address=str(address))
        return address


__all__ = ["OWN_NAMES", "Seams", "SimHost", "SimListener", "SimProvider"]
