"""The same script on the real thing and on its fake has the same trace.

The suites say what each implementation owes; here two of them are compared with each other, also where a contract
leaves something open. A difference is a fault of the fake, or stands in the ledger with an id. What runs tasks,
timers and polls is in ``test_differential_running.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hioload_ws.api import EMPTY, Buffer, BufferPool
from hioload_ws.api.ring import Ring
from hioload_ws.api.types import Handle
from hioload_ws.fake import FakeBufferPool, FakeRing, FakeTopology, ScriptedPoller, ScriptedTransport, VirtualClock
from hioload_ws.fake.strategies import any_topology, seeded
from hioload_ws.internal import SysTopology
from hioload_ws.pool import MpmcRing, SlabBufferPool, SpscRing
from tests.kit.pairs import PAIRS
from tests.kit.scripts import Operation, Stream, Trace, attempt, pour, scripts

REAL_STREAMS = ("tcp4", "unix-path", "memory-pair")
STREAM = scripts(("send", "send", "recv", "recv", "shutdown", "close", "flush", "refuse"), 1, 3000)


@pytest.mark.parametrize("kind", REAL_STREAMS)
def test_streams_of_the_simulated_network_are_those_of_the_system(kind: str) -> None:
    @settings(max_examples=60)
    @given(STREAM)
    def compare(script: list[Operation]) -> None:
        vague_reset = not kind.startswith("tcp")
        played, real = (Stream(PAIRS[each], vague_reset=vague_reset) for each in ("SimNetwork", kind))
        assert played.play(script) == real.play(script)

    compare()


@pytest.mark.parametrize("kind", REAL_STREAMS)
def test_what_does_not_fit_at_once_comes_in_order_and_ends_the_same_way(kind: str) -> None:
    for size_bytes, read_bytes in ((400_000, 10_000), (120_000, 777)):
        wanted = pour(PAIRS[kind], size_bytes, read_bytes)
        assert pour(PAIRS["SimNetwork"], size_bytes, read_bytes) == wanted


def test_a_scripted_transport_drops_at_a_reset_what_the_system_lets_be_read() -> None:
    """``DIV-03``."""
    transport = ScriptedTransport(ScriptedPoller(VirtualClock()), Handle(1))
    transport.feed(b"waits")
    transport.reset()
    assert attempt(lambda: transport.recv_into(bytearray(9))) == "ConnectionLost"
    for kind in ("SimNetwork", *REAL_STREAMS):
        stream = Stream(PAIRS[kind], vague_reset=False)
        trace = stream.play([("send", 0, 5), ("send", 1, 5), ("close", 0, 0), ("recv", 1, 9), ("recv", 1, 9)])
        assert trace[3:5] == [(b"\1" * 5, "more"), (b"", "ConnectionLost")], kind


def ring_trace(make: Callable[[int], Ring[int]], capacity: int, script: Sequence[Operation]) -> Trace:
    ring = make(capacity)
    trace: Trace = [ring.capacity]
    for name, first, second in script:
        if name == "in":
            trace.append(ring.try_enqueue(first))
        elif name == "out":
            item = ring.try_dequeue()
            trace.append("empty" if item is EMPTY else item)
        elif name == "batch in":
            items = iter(range(first))
            trace.append((ring.enqueue_batch(items), list(items)))
        else:
            trace.append(attempt(partial(ring.dequeue_batch, second - 1)))
        trace.append(len(ring))
    return trace


@given(st.integers(1, 5), scripts(("in", "out", "batch in", "batch out"), 7, 7))
def test_rings_answer_the_same(capacity: int, script: list[Operation]) -> None:
    wanted = ring_trace(MpmcRing, capacity, script)
    assert ring_trace(FakeRing, capacity, script) == wanted
    assert ring_trace(SpscRing, capacity, script) == wanted


class Memory:
    """Plays operations on a pool; the first number chooses a buffer, of those there were."""

    SIZES = (1, 2048, 2049, 70_000, 2**20, 2**20 + 1, 0, -1)

    def __init__(self, pool: BufferPool) -> None:
        self._pool = pool
        self._buffers: list[Buffer] = []

    def play(self, script: Sequence[Operation]) -> Trace:
        trace: Trace = []
        for name, first, second in script:
            buffer = self._buffers[first % len(self._buffers)] if self._buffers else None
            if name == "acquire":
                trace.append(attempt(partial(self._acquire, self.SIZES[second % len(self.SIZES)])))
            elif name == "close":
                self._pool.close()
            elif buffer is not None:
                trace.append((attempt(partial(getattr(self, name), buffer, second)), *self._books(buffer)))
        for buffer in self._buffers:
            while buffer.ref_count and isinstance(attempt(buffer.release), type(None)):
                pass
        return [*trace, self._pool.stats().in_use_count]

    def _acquire(self, size_bytes: int) -> object:
        buffer = self._pool.acquire(size_bytes)
        buffer.data()[:] = bytes([len(self._buffers)]) * size_bytes
        self._buffers.append(buffer)
        return self._books(buffer)

    def _books(self, buffer: Buffer) -> tuple[int, ...]:
        stats = self._pool.stats()
        books = stats.acquired_count, stats.released_count, stats.in_use_count, stats.in_use_bytes, stats.refused_count
        return len(buffer), buffer.capacity, buffer.ref_count, buffer.node, *books

    def slice(self, buffer: Buffer, number: int) -> None:
        self._buffers.append(buffer.slice(number % 3, len(buffer) // (number % 4 + 1)))

    def retain(self, buffer: Buffer, number: int) -> None:
        buffer.retain()

    def release(self, buffer: Buffer, number: int) -> None:
        if number % 2:
            buffer.release()
        else:
            self._pool.release(buffer)

    def read(self, buffer: Buffer, number: int) -> object:
        return hashlib.sha256(buffer.copy()).digest(), bytes(buffer.view()[:3])

    def write(self, buffer: Buffer, number: int) -> None:
        buffer.data()[number % 3 : number % 3 + 1] = b"!"[: len(buffer) - number % 3]


@settings(max_examples=60)
@given(scripts(("acquire", "acquire", "slice", "retain", "release", "release", "read", "write", "close"), 9, 9))
def test_pools_answer_the_same(script: list[Operation]) -> None:
    assert Memory(FakeBufferPool()).play(script) == Memory(SlabBufferPool(slab_bytes=2**20)).play(script)


def test_the_limit_of_a_fake_pool_counts_what_is_out_and_that_of_slabs_what_is_mapped() -> None:
    """``DIV-02``."""
    granted = []
    for pool in (FakeBufferPool(limit_bytes=2**21), SlabBufferPool(limit_bytes=2**21, slab_bytes=2**21)):
        buffers = [pool.try_acquire(2048), pool.try_acquire(2**20)]
        granted.append([each is not None for each in buffers])
        for each in buffers:
            if each is not None:
                each.release()
    assert granted == [[True, True], [True, False]]


def as_files(machine: FakeTopology, root: Path) -> None:
    """Write what Linux would say of the machine (sysfs(5): devices/system/cpu and devices/system/node)."""
    texts = {
        "cpu/present": _listed(machine.cpus),
        "cpu/online": _listed(each for each, info in machine.cpus.items() if info.online),
        "node/online": _listed(machine.nodes),
    }
    for cpu, info in machine.cpus.items():
        texts[f"cpu/cpu{cpu}/topology/core_cpus_list"] = _listed(info.siblings)
        texts[f"node/node{info.node}/cpu{cpu}/online"] = str(int(info.online))
    for node, described in machine.nodes.items():
        texts[f"node/node{node}/cpulist"] = _listed(each for each in described.cpus if machine.cpus[each].online)
        texts[f"node/node{node}/distance"] = " ".join(map(str, described.distances.values()))
        sizes = {"MemTotal": described.memory_bytes, "MemFree": described.free_bytes}
        lines = [f"Node {node} {name}: {size_bytes // 1024} kB\n" for name, size_bytes in sizes.items()]
        texts[f"node/node{node}/meminfo"] = "".join(lines)
    for name, text in texts.items():
        path = root / "sys/devices/system" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _listed(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


@pytest.mark.parametrize("seed", range(25))
def test_a_machine_that_does_not_exist_reads_like_one_that_does(seed: int, tmp_path: Path) -> None:
    machine = any_topology(seeded(seed))
    as_files(machine, tmp_path)
    real = SysTopology(tmp_path, allowed=machine.usable_cpus)
    assert dict(real.cpus) == dict(machine.cpus)
    assert dict(real.nodes) == dict(machine.nodes)
    for node in machine.nodes:
        assert real.nearest(node) == machine.nearest(node)
        assert real.usable_cpus(node) == machine.usable_cpus(node)
