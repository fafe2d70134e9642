"""The contract of ``api.transport`` about listeners and addresses, kept by every kind of transport."""

from __future__ import annotations

import pytest

from hioload_ws.api.errors import (
    ConnectionLost,
    InvalidArgument,
    NotSupported,
    ResourceExhausted,
    TransportClosed,
)
from hioload_ws.api.registry import ConnectOptions, ListenOptions
from hioload_ws.api.transport import Transport
from tests.transport.conftest import Bench, Link, wait_readable


def test_addresses_name_the_two_ends(link: Link) -> None:
    assert link.client.peer_address == link.server.local_address == link.listener.address
    assert link.client.local_address == link.server.peer_address
    link.server.close()
    assert link.server.local_address == link.listener.address


def test_features_say_what_kind_it_is(link: Link) -> None:
    features = link.client.features()
    layer, _, name = link.kind.rstrip("46").rpartition("-" if link.kind.startswith(("tls", "tunnel")) else "/")
    assert features.name == {"tls12": "tls+", "": ""}.get(layer, f"{layer}+") + name.split("-")[0]
    assert features.descriptor and features.batch and features.half_close
    assert features.tls == link.tls == (not features.zero_copy)
    assert not features.shared_memory and not features.numa_aware


def test_a_listener_is_readable_while_connections_wait_and_accepts_in_batches(
    bench: Bench, kind: str
) -> None:
    listener = bench.listen(kind)
    assert list(listener.accept_batch(5)) == []
    clients = [bench.connect(kind, listener.address) for _ in range(5)]
    accepted: list[Transport] = []
    while len(accepted) < 5:
        wait_readable(listener)
        batch = listener.accept_batch(2)
        assert 1 <= len(batch) <= 2
        accepted += batch
    for end in accepted:
        bench.keep(end)
    assert list(listener.accept_batch(5)) == []
    assert len({end.handle for end in accepted + clients}) == 10


def test_accepting_none_is_refused(bench: Bench, kind: str) -> None:
    with pytest.raises(InvalidArgument):
        bench.listen(kind).accept_batch(0)


def test_a_closed_listener_accepts_nothing_but_what_it_accepted_lives_on(link: Link) -> None:
    address = link.listener.address
    link.listener.close()
    link.listener.close()
    assert link.listener.address == address
    with pytest.raises(TransportClosed):
        link.listener.accept_batch(1)
    with pytest.raises(TransportClosed):
        _ = link.listener.handle
    link.client.send([b"still here"])
    assert link.receive(link.server, link.client, 10) == b"still here"


def test_an_address_can_be_used_again_after_close(bench: Bench, kind: str) -> None:
    listener = bench.listen(kind)
    listener.close()
    again = bench.provider(kind).listen(listener.address, ListenOptions())
    bench.keep(again)
    assert again.address == listener.address


def test_connecting_where_nobody_listens_is_a_loss_now_or_at_the_first_call(bench: Bench, kind: str) -> None:
    listener = bench.listen(kind)
    listener.close()
    with pytest.raises(ConnectionLost):
        client = bench.connect(kind, listener.address)
        while True:
            client.flush()


def test_a_backlog_below_one_is_refused(bench: Bench, kind: str) -> None:
    with pytest.raises(InvalidArgument):
        bench.listen(kind, backlog=0)


def test_foreign_addresses_are_refused(bench: Bench, kind: str) -> None:
    provider = bench.provider(kind)
    foreign = bench.address("memory" if "tcp" in kind else "tcp4")
    with pytest.raises(NotSupported):
        provider.listen(foreign, ListenOptions())
    with pytest.raises(NotSupported):
        provider.connect(foreign, ConnectOptions())


@pytest.mark.parametrize("kind", ["unix-path", "unix-abstract", "memory"])
def test_a_full_queue_of_connections_refuses_the_next(bench: Bench, kind: str) -> None:
    listener = bench.listen(kind, backlog=2)
    with pytest.raises(ResourceExhausted):
        for _ in range(10):
            bench.connect(kind, listener.address)
    for end in listener.accept_batch(1):
        end.close()
    bench.connect(kind, listener.address)


@pytest.mark.parametrize("kind", ["unix-path", "unix-abstract", "memory"])
def test_sharing_an_address_is_not_supported(bench: Bench, kind: str) -> None:
    with pytest.raises(NotSupported):
        bench.provider(kind).listen(bench.address(kind), ListenOptions(reuse_port=True))
