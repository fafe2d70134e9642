"""What is special about Unix sockets: files that are in the way, permissions, abstract names."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from hioload_ws.api.errors import (
    AlreadyExists,
    ConnectionLost,
    InvalidArgument,
    NotSupported,
    ResourceExhausted,
)
from hioload_ws.api.registry import ConnectOptions, ListenOptions
from hioload_ws.api.transport import UnixAddress
from hioload_ws.transport import unix as unix_module
from hioload_ws.transport.unix import UnixProvider, UnixTransport
from tests.transport.conftest import Bench


@pytest.fixture
def provider() -> UnixProvider:
    return UnixProvider()


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s") / "socket"


@pytest.fixture
def address(path: Path) -> UnixAddress:
    return UnixAddress(str(path))


@pytest.fixture(params=[0o600, 0o666, 0o660])
def mode(request: pytest.FixtureRequest) -> Iterator[int]:
    """Permission bits, under an umask that would take others away."""
    before = os.umask(0o077 if request.param == 0o666 else 0)
    yield request.param
    os.umask(before)


def test_the_file_has_the_permission_bits_asked_for(
    provider: UnixProvider, address: UnixAddress, path: Path, mode: int
) -> None:
    listener = provider.listen(address, ListenOptions(unix_mode=mode))
    assert stat.S_IMODE(path.stat().st_mode) == mode
    listener.close()
    assert not path.exists()


def test_a_leftover_of_a_killed_server_is_replaced(
    provider: UnixProvider, address: UnixAddress, path: Path, bench: Bench
) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    assert path.is_socket()
    listener = provider.listen(address, ListenOptions())
    bench.keep(listener)
    bench.keep(provider.connect(address, ConnectOptions()))
    bench.accept(listener)


def test_a_live_server_is_left_alone(provider: UnixProvider, address: UnixAddress, bench: Bench) -> None:
    listener = provider.listen(address, ListenOptions(backlog=1))
    bench.keep(listener)
    for _ in range(5):  # in the end its queue is full, and it is still alive
        with pytest.raises(AlreadyExists):
            provider.listen(address, ListenOptions())


def test_a_socket_of_another_kind_is_left_alone(
    provider: UnixProvider, address: UnixAddress, path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(AlreadyExists):
            provider.listen(address, ListenOptions())
    assert path.is_socket()


def test_a_file_that_is_no_socket_is_left_alone(
    provider: UnixProvider, address: UnixAddress, path: Path
) -> None:
    path.write_text("precious")
    with pytest.raises(AlreadyExists):
        provider.listen(address, ListenOptions())
    assert path.read_text() == "precious"


def test_a_taken_abstract_name_is_refused(provider: UnixProvider, bench: Bench) -> None:
    listener = bench.listen("unix-abstract")
    with pytest.raises(AlreadyExists):
        provider.listen(listener.address, ListenOptions())


def test_close_leaves_the_file_of_a_successor(
    provider: UnixProvider, address: UnixAddress, path: Path
) -> None:
    first = provider.listen(address, ListenOptions())
    path.rename(path.with_name("elsewhere"))  # so that its inode is not used again at once
    second = provider.listen(address, ListenOptions())
    first.close()
    assert path.is_socket()
    second.close()
    assert not path.exists()


def test_close_is_quiet_when_the_file_is_gone(
    provider: UnixProvider, address: UnixAddress, path: Path
) -> None:
    listener = provider.listen(address, ListenOptions())
    path.unlink()
    listener.close()
    listener.close()


def test_only_the_process_that_made_the_file_removes_it(
    provider: UnixProvider, address: UnixAddress, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = provider.listen(address, ListenOptions())
    monkeypatch.setattr(os, "getpid", lambda: -5)
    listener.close()
    assert path.is_socket()


@pytest.mark.parametrize(
    "name", ["", "@", "nul\0inside", "@nul\0inside", "x" * 108, "@" + "x" * 107, "é" * 54]
)
def test_malformed_names_are_refused(provider: UnixProvider, name: str) -> None:
    with pytest.raises(InvalidArgument):
        provider.listen(UnixAddress(name), ListenOptions())
    with pytest.raises(InvalidArgument):
        provider.connect(UnixAddress(name), ConnectOptions())


def test_the_longest_abstract_name_is_accepted(provider: UnixProvider) -> None:
    address = UnixAddress("@" + f"{os.getpid()}".rjust(106, "x"))
    listener = provider.listen(address, ListenOptions())
    client = provider.connect(address, ConnectOptions())
    assert client.peer_address == listener.address == address
    client.close()
    listener.close()


def test_abstract_names_are_not_supported_elsewhere(
    provider: UnixProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix_module, "_LINUX", False)
    with pytest.raises(NotSupported):
        provider.listen(UnixAddress("@name"), ListenOptions())


def test_a_missing_directory_is_the_callers_fault(provider: UnixProvider, path: Path) -> None:
    with pytest.raises(InvalidArgument):
        provider.listen(UnixAddress(str(path / "deeper")), ListenOptions())


def test_connecting_to_nothing_or_to_a_leftover_is_a_loss(
    provider: UnixProvider, address: UnixAddress, path: Path
) -> None:
    with pytest.raises(ConnectionLost) as caught:
        provider.connect(address, ConnectOptions())
    assert caught.value.context["name"] == "ENOENT"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with pytest.raises(ConnectionLost) as caught:
        provider.connect(address, ConnectOptions())
    assert caught.value.context["name"] == "ECONNREFUSED"


def test_a_failure_after_bind_leaves_no_file(
    provider: UnixProvider, address: UnixAddress, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    monkeypatch.setattr(os, "chmod", refuse)
    with pytest.raises(NotSupported):
        provider.listen(address, ListenOptions())
    assert not path.exists()


def test_a_file_that_vanishes_while_we_ask_is_not_in_the_way(
    provider: UnixProvider, address: UnixAddress, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    class Late(socket.socket):
        def connect_ex(self, name: object) -> int:
            path.unlink()
            return super().connect_ex(str(name))

    monkeypatch.setattr(socket, "socket", Late)
    provider.listen(address, ListenOptions()).close()


def test_without_descriptors_it_says_so(
    provider: UnixProvider, address: UnixAddress, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> socket.socket:
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(ResourceExhausted):
        provider.listen(address, ListenOptions())
    with pytest.raises(ResourceExhausted):
        provider.connect(address, ConnectOptions())
    assert not provider.availability().available


def test_without_unix_sockets_it_is_not_available(
    provider: UnixProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provider.availability().available
    monkeypatch.delattr(socket, "AF_UNIX")
    answer = provider.availability()
    assert not answer.available and "AF_UNIX" in answer.reason


def test_names_of_the_socket_module_become_addresses() -> None:
    assert UnixTransport.address_of(b"\0name") == UnixAddress("@name")
    assert UnixTransport.address_of("/path") == UnixAddress("/path")
    assert UnixTransport.address_of("") == UnixTransport.address_of(b"") == UnixTransport.address_of(None)
