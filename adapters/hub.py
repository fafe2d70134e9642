"""Hub: what all connections of one reactor share.

A connection should own as little as possible, because there are many. So the memory that bytes are received
into, the wheel of deadlines, the counters and the settings live here, once per reactor. The read memory can be
shared because one thread reads one connection at a time and hands out what it read before it reads the next:
*current* names the connection whose bytes lie in it, and whatever refers to those bytes has left, or was
copied, when its turn ends. (On the express road of ``inbound.py`` it may wait for the turn of the reactor: then the
next connection reads into another buffer, of which there are a few.)

Sending is gathered: a connection that was written to outside its own turn is put on the *dirty* list, and the
list is sent once, at the end of the reactor's turn.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import get_ident
from typing import TYPE_CHECKING

from ..api.buffer import Buffer
from ..api.errors import ResourceExhausted, WrongThread
from ..api.executor import Executor
from ..api.pool import BufferPool
from ..api.reactor import Reactor
from ..api.types import Nanoseconds
from ..control.config import ServerConfig
from ..internal.coroutines import Runner
from ..internal.deadlines import DeadlineWheel
from ..internal.faults import ErrorHook
from ..protocol.limits import Limits
from ..protocol.read_memory import LEAST_BYTES, ReadMemory
from .traffic import Traffic

if TYPE_CHECKING:
    from .connection import WebSocketConnection
    from .wire import Wire

TICK_NS = 50_000_000
"""How finely time-outs are looked at: nobody minds a time-out of 10 s that comes 50 ms late."""

MOST_WAITING = 16
"""Most replies that wait for the end of the turn. Sent one behind the other they cost less than each at once: a peer
that sleeps is woken by the first, and those on the same machine are awake for the rest. The bound is for their
latency, where handlers are slow."""

MOST_READS = 8
"""Most buffers to read into, one after the other, while replies that lie in them wait. All together stay in the
processor's second cache, where messages have 16 KiB."""

SPARE_READ_BYTES = 128 * 1024
"""Size of all of them but the first, which has the size that is configured, if that is less. Twice 64 KiB, which are a
popular size of messages and need a little more: read whole, one is neither copied nor read twice."""

_NS_PER_S = 1_000_000_000
_KEY_POOL_COUNT = 256


def ns(seconds: float) -> Nanoseconds:
    """Return a duration that people typed in seconds as nanoseconds."""
    return round(seconds * _NS_PER_S)


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """What bounds a connection. Durations of 0 mean: never."""

    limits: Limits
    send_limit_bytes: int
    high_water_bytes: int
    low_water_bytes: int
    handshake_timeout_ns: Nanoseconds
    ping_interval_ns: Nanoseconds
    ping_timeout_ns: Nanoseconds
    idle_timeout_ns: Nanoseconds
    session_ttl_ns: Nanoseconds
    close_timeout_ns: Nanoseconds

    @classmethod
    def from_config(cls, config: ServerConfig) -> ConnectionSettings:
        """Return the part of a configuration that concerns one connection."""
        return cls(
            limits=Limits(
                max_message_bytes=config.max_message_bytes,
                max_frame_bytes=config.max_frame_bytes,
                max_fragments=config.max_fragments,
            ),
            send_limit_bytes=config.send_limit_bytes,
            high_water_bytes=config.high_water_bytes,
            low_water_bytes=config.low_water_bytes,
            handshake_timeout_ns=ns(config.handshake_timeout_s),
            ping_interval_ns=ns(config.ping_interval_s),
            ping_timeout_ns=ns(config.ping_timeout_s),
            idle_timeout_ns=ns(config.idle_timeout_s),
            session_ttl_ns=ns(config.session_ttl_s),
            close_timeout_ns=ns(config.close_timeout_s),
        )


class MaskKeys:
    """Fresh, unpredictable masking keys (RFC 6455 §5.3), from the system's generator in blocks.

    A system call per frame would cost more than the frame; a block is used up, each key once.
    """

    __slots__ = ("_block", "_offset")

    def __init__(self) -> None:
        self._block = b""
        self._offset = 0

    def __call__(self) -> bytes:
        """Return four bytes that nobody has seen."""
        offset = self._offset
        if offset >= len(self._block):
            self._block = secrets.token_bytes(4 * _KEY_POOL_COUNT)
            offset = 0
        self._offset = offset + 4
        return self._block[offset : offset + 4]


class Hub:
    """One reactor, and what its connections share. Thread rules: the reactor's thread, except ``report``."""

    __slots__ = (
        "_drains",
        "_read_buffers",
        "_reads",
        "_reads_used",
        "connections",
        "current",
        "dirty",
        "express",
        "in_place_bytes",
        "mask_key",
        "now_ns",
        "on_error",
        "owner_id",
        "pool",
        "reactor",
        "read",
        "runner",
        "settings",
        "split_count",
        "traffic",
        "wheel",
    )

    def __init__(
        self,
        reactor: Reactor,
        pool: BufferPool,
        settings: ConnectionSettings,
        read_buffer_bytes: int,
        traffic: Traffic,
        on_error: ErrorHook,
        executor: Executor,
    ) -> None:
        """Take ``read_buffer_bytes`` from ``pool`` to read into; errors as ``BufferPool.acquire``.

        ``executor`` runs blocking functions that handlers await, and stays the caller's."""
        self.reactor = reactor
        self.pool = pool
        self.settings = settings
        self.on_error = on_error
        self.now_ns: Callable[[], Nanoseconds] = reactor.clock.now_ns
        self.wheel = DeadlineWheel(reactor.scheduler, TICK_NS, self.report)
        self.traffic = traffic
        self.mask_key = MaskKeys()
        # A set that is walked in the order its members came, so that a run can be repeated.
        self.connections: dict[WebSocketConnection, None] = {}
        self.current: Wire | None = None
        # Instead of ``current`` during an *express turn*. Invariant: while it is set, that connection is open,
        # nothing of it is pending, and its batch holds replies, each in one piece or in two, and nothing else.
        self.express: Wire | None = None
        # How many bytes more than two each have the headers in the batch of an express turn. Not 0: it refers to
        # ``read``.
        self.in_place_bytes = 0
        # How many messages of that batch are two parts, header and payload; the others are one.
        self.split_count = 0
        self.owner_id: int | None = None
        self.runner = Runner(reactor.scheduler, reactor.post, executor)
        self.dirty: list[Wire] = []
        self._drains: dict[Wire, list[Callable[[], object]]] = {}
        self._read_buffers: list[Buffer] = [pool.acquire(read_buffer_bytes)]
        self._reads = [ReadMemory(self._read_buffers[0].data())]
        # Invariant: in ``_reads`` from ``_reads_used`` on nothing lies that has yet to be sent.
        self._reads_used = 0
        self.read = self._reads[0]
        """The memory that the next read may fill."""

    def report(self, error: BaseException, origin: object) -> None:
        """Count an exception that escaped somebody's function, and tell the error hook. Any thread."""
        self.traffic.errors.count += 1
        self.on_error(error, origin)

    def check_thread(self) -> None:
        """Raise ``WrongThread`` when the reactor runs on another thread."""
        owner_id = self.owner_id
        if owner_id is not None and owner_id != get_ident():
            raise WrongThread("a connection belongs to its reactor's thread: use post", owner=owner_id)

    def send_at_turn_end(self, wire: Wire) -> None:
        """Have ``wire.flush()`` called at the end of the turn. The caller asks once per turn."""
        if not self.dirty:
            self.reactor.at_turn_end(self._end_turn)
        self.dirty.append(wire)

    def send_all_at_turn_end(self, wires: Sequence[Wire]) -> None:
        """As ``send_at_turn_end``, for many."""
        if wires and not self.dirty:
            self.reactor.at_turn_end(self._end_turn)
        self.dirty += wires

    def send_soon(self, wire: Wire) -> None:
        """As ``send_at_turn_end``, or earlier: when ``MOST_WAITING`` wait already."""
        dirty = self.dirty
        if dirty and len(dirty) < MOST_WAITING:
            dirty.append(wire)
        else:
            try:
                self._flush_dirty()
            finally:
                self.send_at_turn_end(wire)

    def _flush_dirty(self) -> None:
        # A flush may close a connection, whose close handler may send to others: those wait for the next list.
        dirty, self.dirty = self.dirty, []
        rest = iter(dirty)
        try:
            for wire in rest:
                wire.flush()
        except BaseException:
            # What ends the reactor's run, from a close handler or a signal's: the others wait for it to go on.
            self.send_all_at_turn_end([*rest])
            raise

    def _end_turn(self) -> None:
        self._flush_dirty()
        self._reads_used = 0
        self.read = self._reads[0]

    def keep_read(self) -> None:
        """Something waits for the end of the turn that lies in ``read``: read elsewhere until it has left."""
        self._reads_used = used = self._reads_used + 1
        if used == len(self._reads) and not self._add_read():
            self._flush_dirty()
            self._reads_used = used = 0
        self.read = self._reads[used]

    def _add_read(self) -> bool:
        """Get more memory to read into, if there may be more, and the pool has some."""
        buffers = self._read_buffers
        if len(buffers) == MOST_READS:
            return False
        try:
            buffer = self.pool.acquire(min(len(self._reads[0].memory), SPARE_READ_BYTES))
        except ResourceExhausted:
            return False
        buffers.append(buffer)
        self._reads.append(ReadMemory(buffer.data()))
        return True

    def when_drained(self, wire: Wire, function: Callable[[], object]) -> None:
        """Have ``function()`` called, at the end of a turn, once the peer of ``wire`` has read enough or has gone."""
        self._drains.setdefault(wire, []).append(function)

    def drained(self, wire: Wire) -> None:
        """The peer of ``wire`` has read enough, or has gone."""
        for function in self._drains.pop(wire, ()):
            self.reactor.at_turn_end(function)

    def close(self) -> None:
        """Forget all deadlines and give the read memory back. Idempotent."""
        self.runner.close()
        self.wheel.close()
        buffers, self._read_buffers = self._read_buffers, []
        if buffers:
            self._reads = [ReadMemory(memoryview(bytearray(LEAST_BYTES)))]
            self.read = self._reads[0]
            self._reads_used = 0
        for buffer in buffers:
            buffer.release()


__all__ = ["TICK_NS", "ConnectionSettings", "Hub", "MaskKeys", "ns"]
