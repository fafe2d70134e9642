"""In-process transport: a pair of ends, and listeners by name, without any network.

Under each pair is a socketpair(2). A queue of buffers between two objects would save the kernel's copy, but
no poller of the system could watch it: one descriptor has to say "readable" and "writable" independently, and
only a socket does. So this transport is honest rather than clever: what runs over it meets real readiness,
partial sends, half close and back-pressure, and ``shared_memory`` is not claimed.

A waiting connection is an entry in a queue and a ring of the bell: connecting may happen on another thread
than accepting. The lock is for that meeting only; no byte passes through it.
"""

from __future__ import annotations

import itertools
import socket
import threading
from collections import deque
from collections.abc import Sequence
from typing import ClassVar, Final

from ..api.errors import (
    AlreadyExists,
    ConnectionLost,
    InvalidArgument,
    ResourceExhausted,
    TransportClosed,
)
from ..api.registry import ListenOptions
from ..api.transport import Address, Features, Listener, MemoryAddress, Transport
from ..api.types import Handle
from ..internal.wakeup import Wakeup
from .provider import StreamProvider
from .stream import NamedTransport
from .system_errors import connect_error, listen_error

_pair_numbers: Final = itertools.count(1)


class MemoryTransport(NamedTransport):
    """One end of an in-process pair."""

    __slots__ = ()

    FEATURES = Features("memory", zero_copy=True, batch=True, lock_free=True, descriptor=True)


def memory_pair() -> tuple[MemoryTransport, MemoryTransport]:
    """Return two connected ends; each is the caller's to close. Raises ``ResourceExhausted`` without
    descriptors."""
    number = next(_pair_numbers)
    return _pair(MemoryAddress(f"pair-{number}-a"), MemoryAddress(f"pair-{number}-b"))


def _pair(first: MemoryAddress, second: MemoryAddress) -> tuple[MemoryTransport, MemoryTransport]:
    """Return two connected ends with these addresses."""
    try:
        one, other = socket.socketpair()
    except OSError as error:
        raise connect_error(error, second) from error
    return MemoryTransport(one, local=first, peer=second), MemoryTransport(other, local=second, peer=first)


class MemoryListener:
    """Implements ``api.transport.Listener`` for a name. Thread rules: the reactor's thread, but ``offer``."""

    __slots__ = ("_address", "_backlog", "_bell", "_lock", "_names", "_waiting")

    def __init__(
        self,
        address: MemoryAddress,
        backlog: int,
        names: dict[str, MemoryListener],
        lock: threading.Lock,
    ) -> None:
        """Listen for the name's owner; ``names`` and ``lock`` are the provider's. Raises ``OSError`` without
        descriptors."""
        self._bell = Wakeup()
        self._address = address
        self._backlog = backlog
        self._names = names
        self._lock = lock
        # Invariant: while something waits, the bell has rung.
        self._waiting: deque[MemoryTransport] = deque()

    @property
    def handle(self) -> Handle:
        """What a poller watches; raises ``TransportClosed`` after ``close``."""
        self._check_open()
        return Handle(self._bell.fileno())

    @property
    def address(self) -> MemoryAddress:
        """The name it listens at; also after ``close``."""
        return self._address

    def offer(self, client: MemoryAddress) -> MemoryTransport | None:
        """Put one end of a new pair into the queue and return the other; ``None`` when the queue is full.

        The caller holds the provider's lock. Any thread. Raises ``ResourceExhausted`` without descriptors.
        """
        if len(self._waiting) >= self._backlog:
            return None
        near, far = _pair(client, self._address)
        self._waiting.append(far)
        self._bell.wake()
        return near

    def accept_batch(self, max_count: int) -> Sequence[Transport]:
        """Accept up to ``max_count`` connections; see ``Listener.accept_batch``."""
        self._check_open()
        if max_count < 1:
            raise InvalidArgument("max_count is 1 or more", max_count=max_count)
        with self._lock:
            count = min(max_count, len(self._waiting))
            accepted = [self._waiting.popleft() for _ in range(count)]
            if not self._waiting:
                self._bell.drain()
        return accepted

    def close(self) -> None:
        """Give the name back; who still waits in the queue sees the end of the stream. Idempotent."""
        with self._lock:
            if self._names.get(self._address.name) is self:
                del self._names[self._address.name]
            self._bell.close()
            while self._waiting:
                self._waiting.popleft().close()

    def _check_open(self) -> None:
        if self._bell.fileno() < 0:
            raise TransportClosed("the listener is closed")


class MemoryProvider(StreamProvider):
    """Makes in-process listeners and connections; ``name`` is ``"memory"``. Each provider has its own names.

    Thread rules: any thread.
    """

    __slots__ = ("_lock", "_names", "_numbers")

    FEATURES: ClassVar[Features] = MemoryTransport.FEATURES

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: dict[str, MemoryListener] = {}
        self._numbers = itertools.count(1)

    def _try(self) -> None:
        for end in socket.socketpair():
            end.close()

    def _listen(self, address: Address, options: ListenOptions) -> Listener:
        if not isinstance(address, MemoryAddress):
            raise self._foreign(address)
        self._no_reuse_port(options)
        with self._lock:
            if address.name in self._names:
                raise AlreadyExists(f"something listens at {address} already", address=str(address))
            try:
                listener = MemoryListener(address, options.backlog, self._names, self._lock)
            except OSError as error:
                raise listen_error(error, address) from error
            self._names[address.name] = listener
        return listener

    def _connect(self, address: Address) -> Transport:
        if not isinstance(address, MemoryAddress):
            raise self._foreign(address)
        client = MemoryAddress(f"{address.name}-client-{next(self._numbers)}")
        with self._lock:
            listener = self._names.get(address.name)
            if listener is None:
                raise ConnectionLost(f"nobody listens at {address}", address=str(address))
            transport = listener.offer(client)
        if transport is None:
            raise ResourceExhausted(f"too many connections wait at {address}", resource="backlog")
        return transport


__all__ = ["MemoryListener", "MemoryProvider", "MemoryTransport", "memory_pair"]
