"""What is special about TCP: names, options, families, and what bind(2) and connect(2) refuse."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from hioload_ws.api.errors import (
    AlreadyExists,
    ConnectionLost,
    InvalidArgument,
    NotSupported,
    ResourceExhausted,
)
from hioload_ws.api.registry import ConnectOptions, ListenOptions
from hioload_ws.api.transport import TcpAddress
from hioload_ws.transport import tcp as tcp_module
from hioload_ws.transport.tcp import TcpProvider, TcpTransport
from tests.transport.conftest import Bench, raw_socket, wait_for

LOOPBACK = TcpAddress("127.0.0.1", 0)


@pytest.fixture
def provider() -> TcpProvider:
    return TcpProvider()


def test_delays_are_off_on_both_ends(bench: Bench) -> None:
    link = bench.link("tcp4")
    for end in (link.client, link.server):
        assert raw_socket(end).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert not raw_socket(end).getblocking()


def test_where_an_accepted_socket_inherits_no_option_it_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp_module, "_NO_DELAY_IS_INHERITED", False)
    listener = bench.listen("tcp4")
    client = TcpProvider().connect(listener.address, ConnectOptions())
    bench.keep(client)
    server = bench.accept(listener)
    assert raw_socket(server).getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_listener_for_any_address_asks_each_connection_for_its_own(
    provider: TcpProvider, bench: Bench
) -> None:
    listener = provider.listen(TcpAddress("0.0.0.0", 0), ListenOptions())
    bench.keep(listener)
    assert isinstance(listener.address, TcpAddress)
    client = provider.connect(TcpAddress("127.0.0.2", listener.address.port), ConnectOptions())
    bench.keep(client)
    server = bench.accept(listener)
    assert server.local_address == client.peer_address == TcpAddress("127.0.0.2", listener.address.port)
    server.close()
    assert server.local_address == client.peer_address


def test_connections_of_one_host_share_its_name_and_strangers_do_not_fill_memory_with_theirs() -> None:
    adopt = tcp_module._Adoption(TcpAddress("127.0.0.1", 1))
    names = [f"host {number}" for number in range(3000)]
    kept = []
    for name in names:
        for _ in range(2):
            with socket.socket() as stream:
                kept.append(adopt(stream, ("".join(name), 7)))
    assert [end.peer_address for end in kept[::2]] == [TcpAddress(name, 7) for name in names]
    assert all(one._host is other._host for one, other in zip(kept[::2], kept[1::2], strict=True))
    assert len(adopt._hosts) <= 1024


def test_a_host_name_listens_and_connects(provider: TcpProvider, bench: Bench) -> None:
    listener = provider.listen(TcpAddress("localhost", 0), ListenOptions())
    bench.keep(listener)
    assert isinstance(listener.address, TcpAddress) and listener.address.port
    client = provider.connect(TcpAddress("localhost", listener.address.port), ConnectOptions())
    bench.keep(client)
    bench.accept(listener)


def test_a_taken_port_is_refused(provider: TcpProvider, bench: Bench) -> None:
    listener = bench.listen("tcp4")
    with pytest.raises(AlreadyExists):
        provider.listen(listener.address, ListenOptions())


def test_a_shared_port_is_not(provider: TcpProvider, bench: Bench) -> None:
    first = provider.listen(LOOPBACK, ListenOptions(reuse_port=True))
    bench.keep(first)
    bench.keep(provider.listen(first.address, ListenOptions(reuse_port=True)))


def test_sharing_is_not_supported_where_the_system_has_no_such_option(
    provider: TcpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(socket, "SO_REUSEPORT")
    with pytest.raises(NotSupported):
        provider.listen(LOOPBACK, ListenOptions(reuse_port=True))


def test_where_reusing_an_address_is_theft_it_stays_off(
    provider: TcpProvider, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tcp_module, "_REUSE_ADDRESS", False)
    bench.keep(provider.listen(LOOPBACK, ListenOptions()))


@pytest.mark.parametrize(
    "address",
    [
        TcpAddress("", 80),
        TcpAddress("127.0.0.1", -1),
        TcpAddress("127.0.0.1", 65536),
        TcpAddress("nul\0inside", 80),
        TcpAddress("x" * 64 + ".example", 80),
    ],
)
def test_malformed_addresses_are_refused(provider: TcpProvider, address: TcpAddress) -> None:
    with pytest.raises(InvalidArgument):
        provider.listen(address, ListenOptions())
    with pytest.raises(InvalidArgument):
        provider.connect(address, ConnectOptions())


def test_port_zero_is_for_listening_only(provider: TcpProvider) -> None:
    with pytest.raises(InvalidArgument):
        provider.connect(LOOPBACK, ConnectOptions())


def test_an_unknown_name_is_malformed_for_listening_and_lost_for_connecting(
    provider: TcpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*arguments: object, **options: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "unknown name")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(InvalidArgument):
        provider.listen(TcpAddress("nowhere.invalid", 80), ListenOptions())
    with pytest.raises(ConnectionLost):
        provider.connect(TcpAddress("nowhere.invalid", 80), ConnectOptions())


def test_an_address_of_another_machine_is_refused(provider: TcpProvider) -> None:
    with pytest.raises(InvalidArgument) as caught:
        provider.listen(TcpAddress("192.0.2.1", 0), ListenOptions())
    assert caught.value.context["name"] == "EADDRNOTAVAIL"


def resolve_to(monkeypatch: pytest.MonkeyPatch, *names: tuple[str, int]) -> None:
    def answer(host: str, port: int, **options: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", name) for name in names]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def test_listening_goes_on_to_the_next_address_of_a_name(
    provider: TcpProvider, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, ("192.0.2.1", 0), ("127.0.0.1", 0))
    listener = provider.listen(TcpAddress("both.invalid", 0), ListenOptions())
    bench.keep(listener)
    assert str(listener.address).startswith("127.0.0.1:")


def test_a_name_without_addresses_is_refused(provider: TcpProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch)
    with pytest.raises(InvalidArgument):
        provider.listen(TcpAddress("none.invalid", 1), ListenOptions())
    with pytest.raises(ConnectionLost):
        provider.connect(TcpAddress("none.invalid", 1), ConnectOptions())


def test_connecting_goes_on_to_the_next_address_that_does_not_fail_at_once(
    provider: TcpProvider, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = bench.listen("tcp4")
    assert isinstance(listener.address, TcpAddress)
    port = listener.address.port
    resolve_to(monkeypatch, ("255.255.255.255", port), ("127.0.0.1", port))
    client = provider.connect(TcpAddress("both.invalid", port), ConnectOptions())
    bench.keep(client)
    assert client.peer_address == listener.address
    wait_for([(client, client.interest)])
    assert client.flush() == 0


def test_connecting_reports_the_last_failure_when_all_fail_at_once(
    provider: TcpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve_to(monkeypatch, ("255.255.255.255", 9), ("255.255.255.255", 9))
    with pytest.raises(ConnectionLost) as caught:
        provider.connect(TcpAddress("both.invalid", 9), ConnectOptions())
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.EACCES, NotSupported),
        (errno.EPERM, NotSupported),
        (errno.EMFILE, ResourceExhausted),
        (errno.ENOMEM, ResourceExhausted),
        (errno.EADDRINUSE, AlreadyExists),
        (errno.ENOTCONN, NotSupported),
    ],
)
def test_what_bind_refuses_becomes_an_error_that_says_whose_fault_it_is(
    provider: TcpProvider, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    def refuse(self: socket.socket, name: object) -> None:
        raise OSError(number, os.strerror(number))

    class Refusing(socket.socket):
        bind = refuse

    monkeypatch.setattr(socket, "socket", Refusing)
    with pytest.raises(error) as caught:
        provider.listen(LOOPBACK, ListenOptions())
    assert isinstance(caught.value.__cause__, OSError)


def test_without_descriptors_connecting_says_so(
    provider: TcpProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> socket.socket:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(ResourceExhausted):
        provider.connect(TcpAddress("127.0.0.1", 1), ConnectOptions())
    answer = provider.availability()
    assert not answer.available and "too many" in answer.reason


def test_tcp_is_available_here_and_can_do_tls(provider: TcpProvider) -> None:
    assert provider.availability().available
    assert provider.features().tls and not TcpTransport.FEATURES.tls
    assert provider.name == "tcp"


def test_the_address_of_no_name_is_unknown() -> None:
    assert TcpTransport.address_of(None) == TcpAddress("", 0)
    assert TcpTransport.address_of(("::1", 5, 0, 0)) == TcpAddress("::1", 5)
