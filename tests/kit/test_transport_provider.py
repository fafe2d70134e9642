"""The contract of providers and listeners on every kind of transport there is, and on those that are absent."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from hioload_ws.api.registry import ConnectOptions, ListenOptions, TransportProvider
from hioload_ws.api.transport import Address, Features, Listener, MemoryAddress, TcpAddress, Transport, UnixAddress
from hioload_ws.contract import TransportProviderContract
from hioload_ws.fake import SimNetwork
from hioload_ws.transport import MemoryProvider, TcpProvider, UnixProvider
from hioload_ws.transport.absent import absent_providers
from tests.kit.holding import hold
from tests.kit.pairs import TLS13, contexts

_numbers = itertools.count(1)


class OverTls:
    """A provider whose connections are all TLS."""

    def __init__(self, inner: TransportProvider) -> None:
        self.name = f"tls+{inner.name}"
        self._inner = inner
        self.availability = inner.availability
        self._server, self._client = contexts(TLS13)

    def listen(self, address: Address, options: ListenOptions) -> Listener:
        wanted = ListenOptions(backlog=options.backlog, reuse_port=options.reuse_port, tls=self._server)
        return self._inner.listen(address, wanted)

    def connect(self, address: Address, options: ConnectOptions) -> Transport:
        return self._inner.connect(address, ConnectOptions(tls=self._client, server_name="localhost"))

    def features(self) -> Features:
        below = self._inner.features()
        return Features(self.name, batch=below.batch, descriptor=below.descriptor, tls=True)


def tcp(host: str) -> tuple[TransportProvider, Callable[[], Address]]:
    return TcpProvider(), lambda: TcpAddress(host, 0)


def unix_path(folder: Path) -> tuple[TransportProvider, Callable[[], Address]]:
    return UnixProvider(), lambda: UnixAddress(str(folder / f"socket-{next(_numbers)}"))


def unix_abstract(folder: Path) -> tuple[TransportProvider, Callable[[], Address]]:
    return UnixProvider(), lambda: UnixAddress(f"@{folder.name}-{next(_numbers)}-{id(folder):x}")


def memory() -> tuple[TransportProvider, Callable[[], Address]]:
    return MemoryProvider(), lambda: MemoryAddress(f"name-{next(_numbers)}")


def tls_over_tcp() -> tuple[TransportProvider, Callable[[], Address]]:
    return OverTls(TcpProvider()), lambda: TcpAddress("127.0.0.1", 0)


def simulated() -> tuple[TransportProvider, Callable[[], Address], Callable[[], object]]:
    network = SimNetwork(seed=2)
    return network.host("one").registry.get("tcp"), lambda: TcpAddress("one", 0), network.settle


@pytest.fixture(params=["tcp4", "tcp6", "unix-path", "unix-abstract", "memory", "tls-tcp", "SimNetwork"])
def named(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Callable[[], object]]:
    makes: dict[str, Callable[[], object]] = {
        "tcp4": partial(tcp, "127.0.0.1"),
        "tcp6": partial(tcp, "::1"),
        "unix-path": partial(unix_path, tmp_path),
        "unix-abstract": partial(unix_abstract, tmp_path),
        "memory": memory,
        "tls-tcp": tls_over_tcp,
        "SimNetwork": simulated,
    }
    return request.param, makes[request.param]


def test_every_provider_of_ours_is_conformant(named: tuple[str, Callable[[], object]]) -> None:
    name, make = named
    hold(TransportProviderContract, make, name)


@pytest.mark.parametrize("name", [provider.name for provider in absent_providers()])
def test_what_is_absent_refuses_properly(name: str) -> None:
    [provider] = [each for each in absent_providers() if each.name == name]
    hold(
        TransportProviderContract,
        lambda: (provider, lambda: TcpAddress("127.0.0.1", 0)),
        name,
        unsupported={"available": "it is absent"},
    )
