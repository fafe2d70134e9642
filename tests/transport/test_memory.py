"""What is special about in-process pairs: names, and connecting from another thread."""

from __future__ import annotations

import errno
import socket
import threading

import pytest

from hioload_ws.api.errors import AlreadyExists, ConnectionLost, ResourceExhausted
from hioload_ws.api.registry import ConnectOptions, ListenOptions
from hioload_ws.api.transport import MemoryAddress, Transport
from hioload_ws.internal import wakeup
from hioload_ws.transport.memory import MemoryProvider, memory_pair
from tests.transport.conftest import wait_readable

NAME = MemoryAddress("name")


@pytest.fixture
def provider() -> MemoryProvider:
    return MemoryProvider()


def test_the_ends_of_a_pair_have_each_others_address() -> None:
    left, right = memory_pair()
    other, _ = pair = memory_pair()
    assert left.peer_address == right.local_address != right.peer_address == left.local_address
    assert len({end.local_address for end in (left, right, *pair)}) == 4
    assert other.handle != left.handle
    for end in (left, right, *pair):
        end.close()


def test_a_taken_name_is_refused_but_only_within_its_provider(provider: MemoryProvider) -> None:
    first = provider.listen(NAME, ListenOptions())
    with pytest.raises(AlreadyExists):
        provider.listen(NAME, ListenOptions())
    second = MemoryProvider().listen(NAME, ListenOptions())
    first.close()
    second.close()


def test_a_second_close_leaves_a_successor_alone(provider: MemoryProvider) -> None:
    first = provider.listen(NAME, ListenOptions())
    first.close()
    second = provider.listen(NAME, ListenOptions())
    first.close()
    provider.connect(NAME, ConnectOptions()).close()
    second.close()


def test_who_still_waits_when_the_listener_closes_sees_the_end(provider: MemoryProvider) -> None:
    listener = provider.listen(NAME, ListenOptions())
    client = provider.connect(NAME, ConnectOptions())
    listener.close()
    wait_readable(client)
    assert client.recv_into(bytearray(1)) == 0
    client.close()
    with pytest.raises(ConnectionLost):
        provider.connect(NAME, ConnectOptions())


def test_connections_from_many_threads_all_arrive(provider: MemoryProvider) -> None:
    listener = provider.listen(NAME, ListenOptions())
    clients: list[Transport] = []
    threads = [
        threading.Thread(
            target=lambda: clients.extend(provider.connect(NAME, ConnectOptions()) for _ in range(20))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    accepted: list[Transport] = []
    while len(accepted) < 80:
        wait_readable(listener)
        accepted.extend(listener.accept_batch(7))
    for thread in threads:
        thread.join()
    assert {end.peer_address for end in accepted} == {end.local_address for end in clients}
    assert len({end.local_address for end in clients}) == 80
    for end in [*clients, *accepted]:
        end.close()
    listener.close()


def test_without_descriptors_it_says_so(provider: MemoryProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.EMFILE, "too many")

    listener = provider.listen(NAME, ListenOptions())
    monkeypatch.setattr(socket, "socketpair", refuse)
    with pytest.raises(ResourceExhausted):
        memory_pair()
    with pytest.raises(ResourceExhausted):
        provider.connect(NAME, ConnectOptions())
    assert not provider.availability().available
    listener.close()
    monkeypatch.setattr(wakeup, "open_channel", refuse)
    with pytest.raises(ResourceExhausted):
        provider.listen(NAME, ListenOptions())
    monkeypatch.undo()
    assert provider.availability().available
    provider.listen(NAME, ListenOptions()).close()
