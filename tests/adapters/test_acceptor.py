"""Accepting, and what happens when descriptors run out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hioload_ws.adapters.acceptor import ACCEPT_BATCH, PAUSE_NS, Acceptor
from hioload_ws.api import READABLE, Address, Handle, MemoryAddress, NotFound, ResourceExhausted, Transport
from hioload_ws.fake.transport import ScriptedTransport
from tests.adapters.bench import Bench

HANDLE = Handle(1000)


class ScriptedListener:
    """A listener with a queue that the test fills; ``exhausted`` is what a full descriptor table does."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.waiting: list[ScriptedTransport] = []
        self.exhausted = False
        self.attempt_count = 0
        self.closed = False

    handle = HANDLE
    address: Address = MemoryAddress("listener")

    def arrive(self, count: int) -> None:
        """Let peers wait in the queue."""
        self.waiting += [self.bench.transport() for _ in range(count)]
        self.bench.poller.set_ready(HANDLE, READABLE)

    def accept_batch(self, max_count: int) -> Sequence[Transport]:
        self.attempt_count += 1
        if self.exhausted:
            raise ResourceExhausted("no descriptor")
        batch, self.waiting = self.waiting[:max_count], self.waiting[max_count:]
        if not self.waiting:
            self.bench.poller.set_ready(HANDLE, 0)
        return batch

    def close(self) -> None:
        self.closed = True


def test_all_who_wait_are_admitted_batch_by_batch(bench: Bench) -> None:
    listener = ScriptedListener(bench)
    admitted: list[Transport] = []
    acceptor = Acceptor(bench.hub, listener, admitted.append)
    assert acceptor.address == listener.address
    listener.arrive(2 * ACCEPT_BATCH + 1)
    bench.turn()
    assert len(admitted) == 2 * ACCEPT_BATCH + 1
    assert listener.attempt_count == 3


def test_a_full_descriptor_table_pauses_without_spinning_and_is_reported_once(bench: Bench) -> None:
    listener = ScriptedListener(bench)
    admitted: list[Transport] = []
    acceptor = Acceptor(bench.hub, listener, admitted.append)
    listener.exhausted = True
    listener.arrive(3)
    bench.advance(10 * PAUSE_NS / 1e9)
    assert acceptor.exhausted
    assert 5 <= listener.attempt_count <= 12  # one per pause, not one per turn
    assert [type(error) for error in bench.errors] == [ResourceExhausted]
    listener.exhausted = False
    bench.advance(2 * PAUSE_NS / 1e9)
    assert len(admitted) == 3
    assert not acceptor.exhausted
    listener.exhausted = True
    listener.arrive(1)
    bench.turn()
    assert len(bench.errors) == 2  # a new shortage


@pytest.mark.parametrize("exhausted", [False, True])
def test_a_closed_acceptor_watches_nothing(bench: Bench, exhausted: bool) -> None:
    listener = ScriptedListener(bench)
    acceptor = Acceptor(bench.hub, listener, lambda transport: None)
    listener.exhausted = exhausted
    listener.arrive(1)
    bench.turn()
    acceptor.close()
    attempts = listener.attempt_count
    bench.advance(1.0)
    assert listener.closed
    assert listener.attempt_count == attempts
    with pytest.raises(NotFound):
        bench.reactor.unregister(HANDLE)
