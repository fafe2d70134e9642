"""Real pairs against a model: whatever the interleaving, the bytes received are the bytes sent."""

from __future__ import annotations

import select
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hioload_ws.api.errors import InvalidState
from hioload_ws.api.poller import READABLE
from hioload_ws.api.transport import END_OF_STREAM, WOULD_BLOCK, Sendable
from hioload_ws.pool.buffer_pool import SlabBufferPool
from tests.transport.conftest import Bench, Link

SIDES = st.sampled_from([0, 1])


class PairMachine(RuleBasedStateMachine):
    """Two ends; side 0 is the client. ``sent[side]`` is what that side was told to send so far."""

    kind = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(Path("/nonexistent"))
        self.pool = SlabBufferPool(leaks="disabled")
        self.sent = [bytearray(), bytearray()]
        self.got = [bytearray(), bytearray()]
        self.ended = [False, False]
        self.turn = 0

    @initialize(established=st.booleans())
    def connect(self, established: bool) -> None:
        self.link: Link = self.bench.link(self.kind, established=established)
        self.link.make_small()
        self.ends = (self.link.client, self.link.server)

    def content(self, size: int) -> bytes:
        self.turn += 1
        return (self.turn.to_bytes(4, "big") * (size // 4 + 1))[:size]

    @rule(
        side=SIDES,
        sizes=st.lists(st.integers(0, 3000) | st.integers(0, 200_000), max_size=5),
        kind=st.sampled_from("bao"),
    )
    def send(self, side: int, sizes: list[int], kind: str) -> None:
        contents = [self.content(size) for size in sizes]
        batch: list[Sendable] = []
        for content in contents:
            if kind == "o":
                buffer = self.pool.acquire(max(1, len(content)))
                buffer.data()[: len(content)] = content
                batch.append(buffer.slice(0, len(content)))
                buffer.release()
            else:
                batch.append(content if kind == "b" else bytearray(content))
        if self.ended[side]:
            with pytest.raises(InvalidState):
                self.ends[side].send(batch)
        else:
            assert self.ends[side].send(batch) == self.ends[side].pending_bytes
            self.sent[side] += b"".join(contents)
        for item in batch:
            if isinstance(item, bytearray):
                item[:] = bytes(len(item))
            elif not isinstance(item, (bytes, memoryview)):
                item.release()

    @rule(side=SIDES, size=st.integers(1, 100) | st.integers(1, 300_000))
    def receive(self, side: int, size: int) -> None:
        buffer = bytearray(size)
        count = self.ends[side].recv_into(buffer)
        if count == END_OF_STREAM:
            assert self.ended[1 - side] and self.got[side] == self.sent[1 - side]
        elif count != WOULD_BLOCK:
            assert 1 <= count <= size and not any(buffer[count:])
            self.got[side] += buffer[:count]

    @rule(side=SIDES)
    def flush(self, side: int) -> None:
        assert self.ends[side].flush() == self.ends[side].pending_bytes

    @precondition(lambda self: self.turn > 5)
    @rule(side=SIDES)
    def shutdown(self, side: int) -> None:
        self.ends[side].shutdown()
        self.ended[side] = True

    @invariant()
    def received_is_a_prefix_of_sent(self) -> None:
        for side in (0, 1):
            assert self.sent[1 - side].startswith(self.got[side])

    def teardown(self) -> None:
        try:
            if hasattr(self, "ends"):
                self.finish()
        finally:
            self.bench.close()
            assert self.pool.stats().in_use_count == 0
            self.pool.close()

    def finish(self) -> None:
        """Everything sent arrives, then the end; driven by interest alone, as a reactor would."""
        done = [False, False]
        buffer = bytearray(100_000)
        for end in self.ends:
            end.shutdown()
        self.ended = [True, True]
        poller = select.poll()
        while not all(done):
            for side, end in enumerate(self.ends):
                poller.register(end.handle, end.interest | (0 if done[side] else READABLE))
            if not any(end.buffered for end in self.ends):
                assert poller.poll(10_000), "nothing became ready"
            for side, end in enumerate(self.ends):
                end.flush()
                count = end.recv_into(buffer)
                if count == END_OF_STREAM:
                    done[side] = True
                elif count != WOULD_BLOCK:
                    self.got[side] += buffer[:count]
        assert self.got == [self.sent[1], self.sent[0]]
        assert [end.flush() for end in self.ends] == [0, 0]


class TcpMachine(PairMachine):
    kind = "tcp4"


class TlsMachine(PairMachine):
    kind = "tls-memory"


class Tls12Machine(PairMachine):
    kind = "tls12-memory"


MODERATE = settings(max_examples=40, stateful_step_count=30)
TestMemoryPair = PairMachine.TestCase
TestTcpPair = TcpMachine.TestCase
TestTlsPair = TlsMachine.TestCase
TestTls12Pair = Tls12Machine.TestCase
for _case in (TestMemoryPair, TestTcpPair, TestTlsPair, TestTls12Pair):
    _case.settings = MODERATE

del _case
