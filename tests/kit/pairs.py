"""Connected pairs of every transport there is: what the contract of transports is run on.

Each function returns what ``TransportContract.make`` returns: two ends, and where no poller of the system can
watch them, a function that lets their world go on.
"""

from __future__ import annotations

import functools
import itertools
import select
import ssl
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from hioload_ws.api.poller import READABLE
from hioload_ws.api.registry import ConnectOptions, ListenOptions, TransportProvider
from hioload_ws.api.transport import Address, Listener, MemoryAddress, TcpAddress, Transport, UnixAddress
from hioload_ws.contract.suites.transport_pair import Ends
from hioload_ws.fake import CallLog, RecordingTransport, ScriptedPoller, ScriptedTransport, SimNetwork, VirtualClock
from hioload_ws.transport import MemoryProvider, TcpProvider, UnixProvider, memory_pair
from hioload_ws.transport.tls import TlsTransport

CERTS = Path(__file__).parent.parent / "transport" / "certs"
LIMIT_MS = 10_000
WINDOW_BYTES = 50_000
_numbers = itertools.count(1)

MakePair: TypeAlias = Callable[[], Ends]


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTS / "localhost.pem", CERTS / "localhost.key")
    return context


@functools.cache
def contexts(version: ssl.TLSVersion) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = server_context()
    server.maximum_version = version
    return server, ssl.create_default_context(cafile=str(CERTS / "authority.pem"))


def accepted(listener: Listener) -> Transport:
    """Wait for a connection and accept it."""
    poller = select.poll()
    poller.register(listener.handle, READABLE)
    while True:
        assert poller.poll(LIMIT_MS), "nobody came"
        for transport in listener.accept_batch(1):
            return transport


def through(provider: TransportProvider, address: Address, tls: ssl.TLSVersion | None = None) -> Ends:
    """Connect to a listener of the provider."""
    server, client = (None, None) if tls is None else contexts(tls)
    listener = provider.listen(address, ListenOptions(tls=server))
    try:
        near = provider.connect(listener.address, ConnectOptions(tls=client, server_name="localhost" if tls else None))
        return near, accepted(listener)
    finally:
        listener.close()


def tcp(host: str = "127.0.0.1", tls: ssl.TLSVersion | None = None) -> Ends:
    return through(TcpProvider(), TcpAddress(host, 0), tls)


def unix_path(tls: ssl.TLSVersion | None = None) -> Ends:
    with tempfile.TemporaryDirectory() as directory:
        return through(UnixProvider(), UnixAddress(f"{directory}/socket"), tls)


def unix_abstract() -> Ends:
    return through(UnixProvider(), UnixAddress(f"@contract-{next(_numbers)}-{id(_numbers):x}"))


def memory(tls: ssl.TLSVersion | None = None) -> Ends:
    return through(MemoryProvider(), MemoryAddress("contract"), tls)


def tls_in_tls() -> Ends:
    server, client = contexts(ssl.TLSVersion.TLSv1_3)
    left, right = memory_pair()
    near: Transport = left
    far: Transport = right
    for _ in range(2):
        near = TlsTransport(near, client, server_side=False, server_name="localhost")
        far = TlsTransport(far, server, server_side=True)
    return near, far


def simulated(*, latency_ns: int = 100_000, window_bytes: int = WINDOW_BYTES, jitter_ns: int = 0) -> Ends:
    network = SimNetwork(seed=3, latency_ns=latency_ns, window_bytes=window_bytes)
    network.link("near", "far", jitter_ns=jitter_ns)
    address = TcpAddress("far", 80)
    listener = network.host("far").registry.get("tcp").listen(address, ListenOptions())
    near = network.host("near").registry.get("tcp").connect(address, ConnectOptions())
    network.settle()
    [far] = listener.accept_batch(1)
    listener.close()
    return near, far, network.settle


class Wire:
    """Two scripted transports, and what carries bytes between them, ``WINDOW_BYTES`` at a time."""

    def __init__(self) -> None:
        poller = ScriptedPoller(VirtualClock())
        self.ends = ScriptedTransport(poller, 1), ScriptedTransport(poller, 2)
        self._ended = [False, False]
        self.carry()

    def carry(self) -> None:
        """Let arrive what has left."""
        for side, (source, target) in enumerate((self.ends, self.ends[::-1])):
            if target.closed and source.sent and not source.closed:
                source.reset()
            target.feed(bytes(source.sent))
            source.sent.clear()
            source.limit_room(WINDOW_BYTES)
            if (source.output_ended or source.closed) and not self._ended[side]:
                self._ended[side] = True
                target.feed_end()


def scripted() -> Ends:
    wire = Wire()
    return *wire.ends, wire.carry


def recorded() -> Ends:
    near, far = memory_pair()
    log = CallLog()
    return RecordingTransport(near, log), RecordingTransport(far, log)


TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3

PAIRS: Mapping[str, MakePair] = {
    "tcp4": tcp,
    "tcp6": lambda: tcp("::1"),
    "unix-path": unix_path,
    "unix-abstract": unix_abstract,
    "memory": memory,
    "memory-pair": memory_pair,
    "tls-tcp": lambda: tcp(tls=TLS13),
    "tls-unix": lambda: unix_path(TLS13),
    "tls-memory": lambda: memory(TLS13),
    "tls12-memory": lambda: memory(TLS12),
    "tls-in-tls": tls_in_tls,
    "SimNetwork": simulated,
    "SimNetwork, slow": lambda: simulated(latency_ns=5_000_000, window_bytes=5_000, jitter_ns=4_000_000),
    "ScriptedTransport": scripted,
    "RecordingTransport over memory": recorded,
}
NO_DESCRIPTOR = ("SimNetwork", "SimNetwork, slow", "ScriptedTransport")
"""Pairs that no poller of the system can watch."""
