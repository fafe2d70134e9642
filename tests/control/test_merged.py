"""Numbers of several workers as one: sums, parts, and what stays when a worker goes."""

from __future__ import annotations

import pickle

from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.control.merged import MergedMetrics, pack
from hioload_ws.control.metrics import MetricsRegistry


def numbers(registry: MetricsRegistry) -> dict[str, float]:
    """Return all samples, as Prometheus would write their names."""
    found = {}
    for sample in registry.collect():
        labels = ",".join(f"{name}={value}" for name, value in sample.labels.items())
        found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def worker(count: int, level: float = 0.0) -> MetricsRegistry:
    """Return what a worker counts."""
    registry = MetricsRegistry()
    registry.counter("c_total", "Counted.", kind="a").add(count)
    registry.gauge("g", "A level.").set(level)
    registry.histogram("h", (1.0, 2.0)).observe(1.5)
    return registry


def test_sums_have_the_worker_s_labels_and_parts_one_more() -> None:
    own = MetricsRegistry()
    own.counter("c_total", kind="a").add(100)
    merged = MergedMetrics(2)
    own.extend(merged.add_to)
    merged.update(0, 1, pickle.loads(pickle.dumps(pack(worker(1, 0.5).families()))))
    merged.update(1, 2, pack(worker(2, 0.25).families()))
    found = numbers(own)
    assert found["c_total{kind=a}"] == 103
    assert (found["c_total{kind=a,worker=0}"], found["c_total{kind=a,worker=1}"]) == (1, 2)
    assert (found["g"], found["g{worker=0}"], found["g{worker=1}"]) == (0.75, 0.5, 0.25)
    assert (found["h_bucket{le=1.0}"], found["h_bucket{le=2.0}"], found["h_count"], found["h_sum"]) == (0, 2, 2, 3.0)
    families = {family.name: family for family in own.families()}
    assert list(families) == sorted(families)
    assert (families["g"].kind, families["g"].help) == ("gauge", "A level.")
    own.extend(None)
    assert numbers(own) == {"c_total{kind=a}": 100}


def test_what_a_worker_counted_outlives_it_and_its_gauges_do_not() -> None:
    own = MetricsRegistry()
    merged = MergedMetrics(1)
    own.extend(merged.add_to)
    merged.ended(0, 7)  # it never said anything
    merged.update(0, 1, pack(worker(5, 1.0).families()))
    merged.update(0, 2, pack(worker(1, 1.0).families()))  # its successor; for a while there are both
    assert (numbers(own)["c_total{kind=a}"], numbers(own)["g"]) == (6, 2.0)
    merged.ended(0, 1)
    found = numbers(own)
    assert (found["c_total{kind=a}"], found["c_total{kind=a,worker=0}"], found["g"], found["h_count"]) == (6, 6, 1.0, 2)
    merged.ended(0, 2)
    assert numbers(own)["c_total{kind=a}"] == 6
    assert "g" not in numbers(own)


EVENTS = st.sampled_from(["count", "tell", "end"])


@given(st.lists(st.tuples(st.integers(0, 2), EVENTS, st.integers(0, 9)), max_size=60))
def test_counters_never_go_back(events: list[tuple[int, str, int]]) -> None:
    own = MetricsRegistry()
    merged = MergedMetrics(3)
    own.extend(merged.add_to)
    registries = [MetricsRegistry() for _ in range(3)]
    generations = [0, 1, 2]
    before = 0.0
    for number, event, amount in events:
        if event == "count":
            registries[number].counter("c_total").add(amount)
        elif event == "tell":
            merged.update(number, generations[number], pack(registries[number].families()))
        else:
            merged.ended(number, generations[number])
            registries[number], generations[number] = MetricsRegistry(), max(generations) + 1
        now = numbers(own).get("c_total", 0.0)
        assert now >= before
        before = now
