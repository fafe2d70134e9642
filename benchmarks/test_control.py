"""Cost of the room of control: reading and changing the configuration, counting, and showing the counts.

Run with ``pytest benchmarks/test_control.py``. Every benchmark asserts that what it measured was done right.
"""

from __future__ import annotations

from itertools import cycle

from pytest_benchmark.fixture import BenchmarkFixture

from hioload_ws.control.config import ServerConfig
from hioload_ws.control.metrics import MetricsRegistry
from hioload_ws.control.prometheus import render
from hioload_ws.control.registry import ConfigControl

TURNS = 100


def test_read_the_configuration(benchmark: BenchmarkFixture) -> None:
    control = ConfigControl(ServerConfig())

    def turns() -> int:
        return sum(control.config().backlog for _ in range(TURNS))

    assert benchmark(turns) == TURNS * 1024


def test_change_the_configuration(benchmark: BenchmarkFixture) -> None:
    control, limits = ConfigControl(ServerConfig()), cycle((1000, 2000))

    def change() -> bool:
        limit = next(limits)
        return control.set_config(max_connections=limit).max_connections == limit

    assert benchmark(change)
    assert control.stats()["config.refused"] == 0


def test_count_by_call(benchmark: BenchmarkFixture) -> None:
    counter = MetricsRegistry().counter("frames")

    def turns() -> int:
        before = counter.value
        for _ in range(TURNS):
            counter.add(2)
        return counter.value - before

    assert benchmark(turns) == 2 * TURNS


def test_count_in_place(benchmark: BenchmarkFixture) -> None:
    counter = MetricsRegistry().counter("frames")

    def turns() -> int:
        before = counter.value
        for _ in range(TURNS):
            counter.count += 2
        return counter.value - before

    assert benchmark(turns) == 2 * TURNS


def test_observe(benchmark: BenchmarkFixture) -> None:
    histogram = MetricsRegistry().histogram("size", [2.0**power for power in range(20)])

    def turns() -> int:
        before = histogram.count
        for number in range(TURNS):
            histogram.observe(number)
        return histogram.count - before

    assert benchmark(turns) == TURNS


def test_show_a_thousand_series(benchmark: BenchmarkFixture) -> None:
    metrics = MetricsRegistry()
    for number in range(1000):
        metrics.counter("frames", "Frames.", path=str(number)).add(number)
    text = benchmark(lambda: render(metrics.families()))
    assert text.count("\n") == 1002 and 'frames{path="7"} 7\n' in text
