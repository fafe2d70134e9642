"""A link: one direction of the way between two simulated hosts.

It models what a program can see of a network, and no more: *latency* (how long the first byte is under way),
*bandwidth* (how long the bytes of everybody on this link take, one behind the other), *jitter* (a random share
on top, by the world's seed) and *partition*. Under a partition nothing is lost, because what runs here is TCP:
packets wait and are sent again, so they arrive after the partition is healed, or never if it is not. What was
under way already still arrives.

Order holds per connection, not per link: jitter lets connections overtake each other, and never the bytes of
one connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..api.errors import InvalidArgument
from ..api.types import Nanoseconds
from .world import World

_NS_PER_S = 1_000_000_000


class Lane:
    """The place of one connection on a link: what keeps its bytes in order."""

    __slots__ = ("arrives_ns",)

    def __init__(self) -> None:
        self.arrives_ns: Nanoseconds = 0
        """When the last packet that was sent arrives."""


_Packet: TypeAlias = "tuple[Lane, int, Callable[[object], object], object, Nanoseconds]"


class Link:
    """One direction between two hosts. Change it with ``shape``, ``partition`` and ``heal``."""

    __slots__ = (
        "_bandwidth_bytes_per_s",
        "_free_ns",
        "_held",
        "_jitter_ns",
        "_latency_ns",
        "_world",
        "partitioned",
    )

    def __init__(self, world: World, latency_ns: Nanoseconds) -> None:
        self._world = world
        self._latency_ns = latency_ns
        self._jitter_ns: Nanoseconds = 0
        self._bandwidth_bytes_per_s: int | None = None
        self._free_ns: Nanoseconds = 0
        self._held: list[_Packet] = []
        self.partitioned = False
        """Whether packets wait."""

    def shape(
        self,
        *,
        latency_ns: Nanoseconds | None = None,
        jitter_ns: Nanoseconds | None = None,
        bandwidth_bytes_per_s: int | None = None,
    ) -> None:
        """Change what is given, for packets sent from now on.

        Latency is 1 or more (without it time could stand still), jitter 0 or more, bandwidth 1 or more; else
        ``InvalidArgument``, and nothing changes.
        """
        latency_ns = self._latency_ns if latency_ns is None else latency_ns
        jitter_ns = self._jitter_ns if jitter_ns is None else jitter_ns
        if latency_ns < 1 or jitter_ns < 0 or (bandwidth_bytes_per_s is not None and bandwidth_bytes_per_s < 1):
            raise InvalidArgument(
                "latency and bandwidth are 1 or more, jitter 0 or more",
                latency_ns=latency_ns,
                jitter_ns=jitter_ns,
                bandwidth_bytes_per_s=bandwidth_bytes_per_s,
            )
        self._latency_ns, self._jitter_ns = latency_ns, jitter_ns
        if bandwidth_bytes_per_s is not None:
            self._bandwidth_bytes_per_s = bandwidth_bytes_per_s

    def carry(
        self,
        lane: Lane,
        size_bytes: int,
        function: Callable[[object], object],
        argument: object = None,
        extra_ns: Nanoseconds = 0,
    ) -> None:
        """Call ``function(argument)`` when a packet of ``size_bytes`` that is sent now has arrived."""
        if self.partitioned:
            self._held.append((lane, size_bytes, function, argument, extra_ns))
            return
        world = self._world
        left_ns = world.clock.now_ns()
        if self._bandwidth_bytes_per_s is not None:
            left_ns = max(left_ns, self._free_ns)
            left_ns += size_bytes * _NS_PER_S // self._bandwidth_bytes_per_s
            self._free_ns = left_ns
        arrives_ns = left_ns + self._latency_ns + extra_ns
        if self._jitter_ns:
            arrives_ns += int(world.random.random() * self._jitter_ns)
        lane.arrives_ns = arrives_ns = max(arrives_ns, lane.arrives_ns)
        world.at(arrives_ns, function, argument)

    def partition(self) -> None:
        """Let nothing through any more. Idempotent."""
        self.partitioned = True

    def heal(self) -> None:
        """Let everything through again, what waited first. Idempotent."""
        self.partitioned = False
        held, self._held = self._held, []
        for packet in held:
            self.carry(*packet)


__all__ = ["Lane", "Link"]
