"""Cost of the contract kit: the quick mode of three interfaces, one of them with its exploration of schedules.

Run with ``pytest benchmarks/test_contract.py``. Every benchmark asserts that what it measured was done right.
"""

from __future__ import annotations

from pytest_benchmark.fixture import BenchmarkFixture

from hioload_ws.contract import BufferPoolContract, MpmcRingContract, TransportContract, Verdict, check
from hioload_ws.fake import FakeBufferPool
from hioload_ws.internal import Inbox
from hioload_ws.transport import memory_pair


def test_quick_mode_of_pools(benchmark: BenchmarkFixture) -> None:
    report = benchmark(check, BufferPoolContract, FakeBufferPool)
    assert report.verdict is Verdict.CONFORMANT


def test_quick_mode_of_transports(benchmark: BenchmarkFixture) -> None:
    report = benchmark(check, TransportContract, memory_pair)
    assert report.verdict is Verdict.CONFORMANT


def test_quick_mode_of_rings_with_exploration_of_schedules(benchmark: BenchmarkFixture) -> None:
    report = benchmark(check, MpmcRingContract, Inbox)
    assert report.verdict is Verdict.CONFORMANT
