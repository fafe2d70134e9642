"""Simulated network: hosts, the links between them, and everything that goes wrong there, in virtual time.

    network = SimNetwork(seed=7)
    network.link("client", "server", latency_ns=20_000_000, jitter_ns=5_000_000)
    app = Server("server", 9001, **network.host("server").seams)
    network.serve(app)
    client = Client("ws://server:9001/", **network.host("client").seams)
    network.connect(client)
    network.run_until(lambda: client.ended)

The server and the client are the real ones: they get a registry whose ``tcp`` is this network, a clock and a
poller, and notice nothing. A link has latency, bandwidth and jitter and can be partitioned; connections can be
reset; a host can crash, after which its peers hear nothing at all.

Connections, deliveries and ends go into ``trace_hash``, with time, connection and number of bytes. The bytes
themselves do not: masking keys are random in each run (RFC 6455 §5.3).

One thing goes unnoticed: a ``post`` to somebody else's reactor, because on one thread it needs no wake-up. It
runs with that reactor's next turn, and at the latest before a long time passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from ..adapters.client import Client
from ..adapters.server import Server
from ..api.errors import ConnectionLost, InvalidArgument, ResourceExhausted
from ..api.transport import TcpAddress
from ..api.types import Handle, Nanoseconds
from .clock import VirtualClock
from .faults import ClockStep, Delay, Duplicate, Exhaust, Fault, Faults, Partial, Raise, Reset
from .sim_host import OWN_NAMES, SimHost
from .sim_link import Lane, Link
from .sim_poller import WorldPoller
from .sim_transport import SimTransport
from .world import World

DEFAULT_LATENCY_NS: Final = 100_000
DEFAULT_WINDOW_BYTES: Final = 64 * 1024
SYN_RETRY_NS: Final = 1_000_000_000
"""When an unanswered connection attempt is repeated (RFC 6298 §2)."""


class Capture(Protocol):
    """Sees what arrives; see ``pcapng.py`` for one that Wireshark opens."""

    def packet(self, unix_ns: Nanoseconds, source: TcpAddress, target: TcpAddress, what: str, data: bytes) -> None:
        """Something arrived at ``target``: ``what`` is open, data, end or reset."""


class SimNetwork:
    """Hosts and links in one virtual time. Thread rules: one thread.

    ``seed`` decides jitter and, with ``shuffle``, the order of turns. ``faults`` is consulted at each
    ``connect``, ``accept``, ``send`` and ``recv`` with ``host=`` (and ``peer=`` for the last two).
    ``latency_ns`` (1 or more) is that of links that were not shaped; ``window_bytes`` (1 or more) is how much
    may be sent that the peer has not read. Raises ``InvalidArgument`` outside these ranges.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        shuffle: bool = False,
        clock: VirtualClock | None = None,
        faults: Faults | None = None,
        capture: Capture | None = None,
        latency_ns: Nanoseconds = DEFAULT_LATENCY_NS,
        window_bytes: int = DEFAULT_WINDOW_BYTES,
    ) -> None:
        if latency_ns < 1 or window_bytes < 1:
            raise InvalidArgument(
                "latency and window are 1 or more", latency_ns=latency_ns, window_bytes=window_bytes
            )
        self.world = World(clock, seed=seed, shuffle=shuffle)
        self.clock = self.world.clock
        """The time of everybody here."""
        self._faults = faults
        self._capture = capture
        self._latency_ns = latency_ns
        self._window_bytes = window_bytes
        self._hosts: dict[str, SimHost] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._ends: dict[Handle, SimTransport] = {}
        self._handle_count = self._connection_count = 0
        self._pollers: list[tuple[SimHost, WorldPoller]] = []
        self.run_until = self.world.run_until
        """Let the world go on until a condition holds; see ``World.run_until``."""
        self.run_for = self.world.run_for
        """Let some time pass; see ``World.run_for``."""
        self.settle = self.world.settle
        """Let the world go on until nothing is on its way; see ``World.settle``."""

    @property
    def trace_hash(self) -> str:
        """A digest of what happened: equal for equal runs."""
        return self.world.trace_hash

    @property
    def connection_count(self) -> int:
        """Ends that are open now, both of a connection counted."""
        return len(self._ends)

    def host(self, name: str) -> SimHost:
        """Return the host of that name (made when there is none)."""
        if name in OWN_NAMES:
            raise InvalidArgument("a name that every host has for itself", name=name)
        found = self._hosts.get(name)
        if found is None:
            found = self._hosts[name] = SimHost(self, name)
        return found

    def link(
        self,
        first: str,
        second: str,
        *,
        latency_ns: Nanoseconds | None = None,
        jitter_ns: Nanoseconds | None = None,
        bandwidth_bytes_per_s: int | None = None,
    ) -> None:
        """Shape both directions between two hosts; see ``Link.shape`` for the ranges."""
        for link in self._both_ways(first, second):
            link.shape(latency_ns=latency_ns, jitter_ns=jitter_ns, bandwidth_bytes_per_s=bandwidth_bytes_per_s)

    def slow_reader(self, reader: str, writer: str, bytes_per_s: int) -> None:
        """Let what ``writer`` sends to ``reader`` come in no faster than this; the other direction stays."""
        self.one_way(writer, reader).shape(bandwidth_bytes_per_s=bytes_per_s)

    def partition(self, first: str, second: str) -> None:
        """Let nothing through between two hosts, in either direction, until ``heal``."""
        for link in self._both_ways(first, second):
            link.partition()

    def heal(self, first: str, second: str) -> None:
        """End a partition; what waited is sent again."""
        for link in self._both_ways(first, second):
            link.heal()

    def reset(self, first: str, second: str) -> int:
        """Reset every connection between two hosts, as a box in the middle does; return how many ends met it."""
        pair = {first, second}
        ends = [end for end in self._ends.values() if {end.local_address.host, end.peer_address.host} == pair]
        for end in ends:
            end.lose()
        return len(ends)

    def crash(self, name: str) -> None:
        """Stop a host dead: its programs are turned no more, and its peers hear nothing (half-open)."""
        host = self.host(name)
        host.crashed = True
        for owner, poller in self._pollers:
            if owner is host:
                self.world.forget(poller)
        for end in self._ends.values():
            if end.local_address.host == name:
                end.vanished = True

    def serve(self, server: Server) -> None:
        """Start a server whose seams are those of a host here, and turn it from now on.

        What ``Server.start`` raises passes through. End it with ``server.shutdown()`` and ``run_until``.
        """
        first = len(self._pollers)
        server.start()
        server.turn(0)  # Makes this thread the owner, so that a shutdown drains instead of dropping.
        self._adopt(first, lambda: server.turn(None))

    def connect(self, client: Client) -> None:
        """Start a client whose seams are those of a host here, and turn it until it has ended; then it is closed.

        What ``Client.start`` raises passes through.
        """

        def turn() -> int:
            work_count = client.turn(None)
            if client.ended:
                client.close()
            return work_count

        first = len(self._pollers)
        client.start()
        self._adopt(first, turn)

    def one_way(self, source: str, target: str) -> Link:
        """Return the link from one host to another, to shape one direction only."""
        key = (source, target)
        link = self._links.get(key)
        if link is None:
            link = self._links[key] = Link(self.world, self._latency_ns)
        return link

    def make_poller(self, host: SimHost) -> WorldPoller:
        """For hosts: make a poller."""
        poller = WorldPoller(self.world, f"{host.name} #{len(self._pollers)}")
        self._pollers.append((host, poller))
        return poller

    def new_handle(self) -> Handle:
        """For hosts: return a handle that nobody has or had."""
        self._handle_count += 1
        return Handle(self._handle_count)

    def open_connection(self, host: SimHost, peer: TcpAddress) -> SimTransport:
        """For hosts: start to connect."""
        target = host if peer.host in OWN_NAMES else self._hosts.get(peer.host)
        if target is None:
            raise ConnectionLost("no such host on this network", host=peer.host, known=sorted(self._hosts))
        remote = TcpAddress(target.name, peer.port)
        end = self._make_end(host.own_address(0), remote)
        end.connecting = True
        end.number = 2 * self._connection_count
        self._connection_count += 1
        self.one_way(host.name, target.name).carry(Lane(), 0, self._knock, end)
        return end

    def check_faults(self, call: str, host: str) -> None:
        """For hosts: obey what is scripted for ``connect`` and ``accept``."""
        if self._faults is None:
            return
        for fault in self._faults.take(call, host=host):
            self._obey(fault, call, None)

    def send_fault(self, end: SimTransport, room_bytes: int) -> tuple[int, int, int]:
        """For transports; see ``Net``."""
        if self._faults is None:
            return room_bytes, 1, 0
        times, extra_ns = 1, 0
        for fault in self._faults_of("send", end):
            if isinstance(fault, Partial):
                room_bytes = min(room_bytes, fault.count_bytes)
            elif isinstance(fault, Delay):
                extra_ns += fault.duration_ns
            elif isinstance(fault, Duplicate):
                times = 2
            else:
                self._obey(fault, "send", end)
        return room_bytes, times, extra_ns

    def recv_fault(self, end: SimTransport, room_bytes: int) -> int:
        """For transports; see ``Net``."""
        if self._faults is None:
            return room_bytes
        for fault in self._faults_of("recv", end):
            if isinstance(fault, Partial):
                room_bytes = min(room_bytes, fault.count_bytes)
            else:
                self._obey(fault, "recv", end)
        return room_bytes

    def happened(self, what: bytes, end: SimTransport, data: bytes = b"") -> None:
        """For transports; see ``Net``."""
        clock = self.clock
        self.world.trace(b"%d %s %d %d\n" % (clock.now_ns(), what, end.number, len(data)))
        if self._capture is not None:
            self._capture.packet(clock.unix_ns(), end.peer_address, end.local_address, what.decode(), data)

    def gone(self, end: SimTransport) -> None:
        """For transports; see ``Net``."""
        del self._ends[end.known_handle]
        del self.world.sources[end.known_handle]

    def _adopt(self, first: int, turn: Callable[[], int]) -> None:
        made = self._pollers[first:]
        if len(made) != 1:
            raise InvalidArgument("it was not made with the seams of a host of this network", pollers=len(made))
        self.world.adopt(made[0][1], turn)

    def _both_ways(self, first: str, second: str) -> Iterator[Link]:
        for name in (first, second):
            self.host(name)
        yield self.one_way(first, second)
        yield self.one_way(second, first)

    def _make_end(self, local: TcpAddress, peer: TcpAddress) -> SimTransport:
        handle = self.new_handle()
        end = SimTransport(self, handle, self.one_way(local.host, peer.host), local, peer, self._window_bytes)
        self._ends[handle] = self.world.sources[handle] = end
        return end

    def _knock(self, argument: object) -> None:
        """A request to connect has arrived."""
        near = argument
        assert isinstance(near, SimTransport)
        source, target = near.local_address, near.peer_address
        host = self._hosts[target.host]
        if near.closed or near.vanished or not near.connecting:
            return
        back = self.one_way(target.host, source.host)
        listener = host.listeners.get(target.port)
        if host.crashed or (listener is not None and listener.is_full):
            again = self.one_way(source.host, target.host)
            self.world.at(self.clock.now_ns() + SYN_RETRY_NS, lambda _: again.carry(Lane(), 0, self._knock, near))
        elif listener is None:
            back.carry(Lane(), 0, near.lose)
        else:
            far = self._make_end(target, source)
            far.number = near.number + 1
            far.pair_with(near)
            self.happened(b"open", far)
            listener.add(far)
            far.answer()

    def _faults_of(self, call: str, end: SimTransport) -> list[Fault]:
        assert self._faults is not None
        return list(self._faults.take(call, host=end.local_address.host, peer=end.peer_address.host))

    def _obey(self, fault: Fault, call: str, end: SimTransport | None) -> None:
        """Do what means the same for every call."""
        if isinstance(fault, ClockStep):
            self.clock.step_unix(fault.duration_ns)
        elif isinstance(fault, Raise):
            raise fault.error
        elif isinstance(fault, Reset):
            raise ConnectionLost("a scripted reset") if end is None else end.abort()
        elif isinstance(fault, Exhaust) and end is None:
            raise ResourceExhausted("a scripted shortage of descriptors", call=call)
        elif fault != Delay(0):
            raise InvalidArgument(f"a network can not do that on {call}", fault=repr(fault))


__all__ = ["DEFAULT_LATENCY_NS", "DEFAULT_WINDOW_BYTES", "SYN_RETRY_NS", "Capture", "SimNetwork"]
