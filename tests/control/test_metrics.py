"""Metrics: kinds, series, limits, and numbers that agree with each other."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import AlreadyExists, InvalidArgument, ResourceExhausted
from hioload_ws.api.metrics import Metrics, Sample
from hioload_ws.control.metrics import Distribution, MetricsRegistry, number_text


@pytest.fixture
def metrics() -> MetricsRegistry:
    return MetricsRegistry(max_series_per_name=3)


def lines(metrics: Metrics) -> list[tuple[str, dict[str, str], float]]:
    return [(sample.name, dict(sample.labels), sample.value) for sample in metrics.collect()]


def test_a_counter_grows_by_calls_and_by_plain_addition(metrics: MetricsRegistry) -> None:
    counter = metrics.counter("frames", "Frames.")
    counter.add()
    counter.add(5)
    counter.add(0)
    counter.count += 4
    assert counter.value == 10 and lines(metrics) == [("frames", {}, 10)]
    with pytest.raises(InvalidArgument):
        counter.add(-1)
    assert counter.value == 10


def test_a_gauge_goes_up_and_down(metrics: MetricsRegistry) -> None:
    gauge = metrics.gauge("open")
    gauge.set(5)
    gauge.add(-7.5)
    assert gauge.value == -2.5 and lines(metrics) == [("open", {}, -2.5)]


def test_a_histogram_counts_in_the_first_bound_that_is_not_below(metrics: MetricsRegistry) -> None:
    histogram = metrics.histogram("size", [1, 2.5, math.inf], "Sizes.", kind="text")
    for value in (0.5, 1, 1.0001, 2.5, 3, math.inf):
        histogram.observe(value)
    assert histogram.count == 6 and histogram.sum == math.inf
    assert lines(metrics) == [
        ("size_bucket", {"kind": "text", "le": "1.0"}, 2),
        ("size_bucket", {"kind": "text", "le": "2.5"}, 4),
        ("size_bucket", {"kind": "text", "le": "+Inf"}, 6),
        ("size_count", {"kind": "text"}, 6),
        ("size_sum", {"kind": "text"}, math.inf),
    ]
    with pytest.raises(InvalidArgument):
        histogram.observe(math.nan)
    assert histogram.count == 6


@given(
    st.lists(st.floats(-100, 100), min_size=1, max_size=6, unique=True).map(sorted),
    st.lists(st.floats(-200, 200), max_size=30),
)
def test_each_bucket_has_the_number_of_observations_at_or_below_its_bound(
    bounds: list[float], values: list[float]
) -> None:
    histogram = MetricsRegistry().histogram("h", bounds)
    for value in values:
        histogram.observe(value)
    expected = [(bound, sum(value <= bound for value in values)) for bound in (*bounds, math.inf)]
    assert list(histogram.cumulative()) == expected
    assert histogram.count == len(values) and histogram.sum == pytest.approx(math.fsum(values), abs=1e-6)


def test_asking_twice_gives_the_same_series_whatever_the_order_of_labels(metrics: MetricsRegistry) -> None:
    first = metrics.counter("a", node="0", kind="x")
    assert metrics.counter("a", kind="x", node="0") is first
    assert metrics.counter("a", node="1", kind="x") is not first
    assert metrics.gauge("g") is metrics.gauge("g")
    assert metrics.histogram("h", [1]) is metrics.histogram("h", (1.0, math.inf))


def test_the_first_help_text_stays(metrics: MetricsRegistry) -> None:
    metrics.counter("a")
    metrics.counter("a", "first")
    metrics.counter("a", "second", node="1")
    assert [(family.name, family.kind, family.help) for family in metrics.families()] == [
        ("a", "counter", "first")
    ]


def test_samples_come_by_name_and_labels(metrics: MetricsRegistry) -> None:
    metrics.gauge("b", node="1").set(3)
    metrics.gauge("b", node="0").set(2)
    metrics.counter("a").add(1)
    assert metrics.collect() == (
        Sample("a", "counter", {}, 1),
        Sample("b", "gauge", {"node": "0"}, 2),
        Sample("b", "gauge", {"node": "1"}, 3),
    )


BAD_NAMES = ["", "1a", "a b", "a-b", "é", "a\n"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_malformed_name_is_refused_by_every_kind(metrics: MetricsRegistry, name: str) -> None:
    makers: list[Callable[[], object]] = [
        lambda: metrics.counter(name),
        lambda: metrics.gauge(name),
        lambda: metrics.histogram(name, [1]),
        lambda: metrics.observe_with(name, lambda: 1),
    ]
    for make in makers:
        with pytest.raises(InvalidArgument):
            make()
    assert metrics.collect() == ()


@pytest.mark.parametrize("label", [*BAD_NAMES, "__a", "a:b"])
def test_a_malformed_label_is_refused(metrics: MetricsRegistry, label: str) -> None:
    with pytest.raises(InvalidArgument):
        metrics.counter("a", **{label: "x"})
    assert metrics.families() == ()


def test_a_label_s_value_is_any_string_and_nothing_else(metrics: MetricsRegistry) -> None:
    metrics.counter("a:b_1", _x="\n\"\\é")
    with pytest.raises(InvalidArgument):
        metrics.counter("a", x=1)  # type: ignore[arg-type]  # that is the point


def test_the_label_of_the_bounds_is_taken_in_histograms_only(metrics: MetricsRegistry) -> None:
    metrics.counter("a", le="x")
    with pytest.raises(InvalidArgument):
        metrics.histogram("h", [1], le="x")


@pytest.mark.parametrize(
    "bounds", [[], [math.inf], [1, 1], [2, 1], [math.nan], [-math.inf, 1], [1, math.nan, 2]]
)
def test_bounds_that_are_none_or_not_ascending_are_refused(
    metrics: MetricsRegistry, bounds: list[float]
) -> None:
    with pytest.raises(InvalidArgument):
        metrics.histogram("h", bounds)
    assert metrics.families() == ()


def test_a_name_has_one_kind_and_one_list_of_bounds(metrics: MetricsRegistry) -> None:
    metrics.counter("c")
    metrics.gauge("g")
    metrics.histogram("h", [1, 2])
    makers: list[Callable[[], object]] = [
        lambda: metrics.gauge("c", node="1"),
        lambda: metrics.observe_with("c", lambda: 1),
        lambda: metrics.counter("g"),
        lambda: metrics.histogram("g", [1]),
        lambda: metrics.counter("h"),
        lambda: metrics.histogram("h", [1, 3], node="1"),
    ]
    for make in makers:
        with pytest.raises(AlreadyExists):
            make()
    assert [len(family.samples) for family in metrics.families()] == [1, 1, 5]


@pytest.mark.parametrize("part", ["_bucket", "_count", "_sum"])
def test_the_parts_of_a_histogram_are_names_that_nobody_else_has(part: str) -> None:
    metrics = MetricsRegistry()
    metrics.histogram("h", [1])
    with pytest.raises(AlreadyExists):
        metrics.counter(f"h{part}")
    metrics.counter(f"other{part}")
    with pytest.raises(AlreadyExists):
        metrics.histogram("other", [1])
    metrics.gauge("other")
    metrics.counter(f"c{part}")
    metrics.counter("c")


def test_series_of_a_name_are_limited_and_those_that_exist_stay(metrics: MetricsRegistry) -> None:
    first = metrics.counter("a", path="0")
    for number in range(1, 3):
        metrics.counter("a", path=str(number))
    with pytest.raises(ResourceExhausted):
        metrics.counter("a", path="3")
    assert metrics.counter("a", path="0") is first and len(metrics.collect()) == 3
    metrics.counter("b")


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(InvalidArgument):
        MetricsRegistry(0)


def test_a_function_is_asked_when_samples_are_collected_and_not_before(metrics: MetricsRegistry) -> None:
    asked: list[int] = []

    def length() -> int:
        asked.append(1)
        return len(asked)

    metrics.observe_with("queue", length, "Length.", node="0")
    assert asked == []
    assert lines(metrics) == [("queue", {"node": "0"}, 1.0)]
    assert lines(metrics) == [("queue", {"node": "0"}, 2.0)]


def test_what_a_function_raises_or_returns_wrongly_leaves_its_sample_out(metrics: MetricsRegistry) -> None:
    metrics.observe_with("a", lambda: 1 // 0)
    metrics.observe_with("b", lambda: None)  # type: ignore[arg-type,return-value]  # that is the point
    metrics.observe_with("c", lambda: 3)
    assert lines(metrics) == [("c", {}, 3.0)]


def test_a_function_may_use_the_registry_also_from_another_thread(metrics: MetricsRegistry) -> None:
    def ask() -> float:
        other = threading.Thread(target=metrics.counter("asked").add)
        other.start()
        other.join(10)
        made = threading.Thread(target=lambda: metrics.counter("made_elsewhere"))
        made.start()
        made.join(10)
        return float(made.is_alive())

    metrics.observe_with("a", ask)
    assert lines(metrics)[0] == ("a", {}, 0.0)
    assert lines(metrics)[1] == ("asked", {}, 2)


def test_a_gauge_gets_its_value_in_one_way(metrics: MetricsRegistry) -> None:
    metrics.observe_with("asked", lambda: 1)
    metrics.gauge("set")
    with pytest.raises(AlreadyExists):
        metrics.gauge("asked")
    with pytest.raises(AlreadyExists):
        metrics.observe_with("asked", lambda: 2)
    with pytest.raises(AlreadyExists):
        metrics.observe_with("set", lambda: 2)
    metrics.gauge("asked", node="1").set(7)
    assert lines(metrics) == [("asked", {}, 1.0), ("asked", {"node": "1"}, 7), ("set", {}, 0.0)]


def test_counters_and_histograms_that_are_kept_elsewhere_are_asked(metrics: MetricsRegistry) -> None:
    metrics.counter_with("polls_total", lambda: 3, "Polls.", node="0")
    metrics.histogram_with("lag", lambda: Distribution((1.0, 2.0), (4, 0, 1), 9.5), "Lag.", node="0")
    polls, *lag = [*metrics.families()[1].samples, *metrics.families()[0].samples]
    assert (polls.name, polls.kind, polls.value, dict(polls.labels)) == ("polls_total", "counter", 3, {"node": "0"})
    assert [(each.name, each.labels.get("le"), each.value) for each in lag] == [
        ("lag_bucket", "1.0", 4), ("lag_bucket", "2.0", 4), ("lag_bucket", "+Inf", 5), ("lag_count", None, 5),
        ("lag_sum", None, 9.5),
    ]  # fmt: skip
    assert {family.kind for family in metrics.families()} == {"counter", "histogram"}


def test_what_is_asked_for_has_one_source_and_what_it_raises_leaves_it_out(metrics: MetricsRegistry) -> None:
    def nothing() -> Distribution:
        raise RuntimeError

    metrics.histogram_with("h", nothing)
    metrics.counter_with("c", lambda: 1)
    assert [sample.name for sample in metrics.collect()] == ["c"]
    for again in (
        lambda: metrics.histogram_with("h", nothing),
        lambda: metrics.histogram("h", [1]),
        lambda: metrics.counter_with("c", lambda: 2),
        lambda: metrics.counter("c"),
    ):
        with pytest.raises(AlreadyExists):
            again()
    with pytest.raises(InvalidArgument):
        metrics.histogram_with("h", nothing, le="1")


def test_labels_of_a_sample_cannot_be_changed(metrics: MetricsRegistry) -> None:
    metrics.counter("a", node="0")
    with pytest.raises(TypeError):
        metrics.collect()[0].labels["node"] = "1"  # type: ignore[index]  # that is the point


def test_threads_that_ask_at_once_get_the_same_series() -> None:
    metrics, start = MetricsRegistry(), threading.Barrier(4)
    found: list[list[object]] = [[] for _ in range(4)]

    def work(place: int) -> None:
        start.wait(10)
        found[place].extend(metrics.counter("a", number=str(number)) for number in range(300))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(row == found[0] for row in found) and len(metrics.collect()) == 300


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (3, "3"),
        (0.25, "0.25"),
        (10**20, "1" + "0" * 20),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_numbers_are_written_as_prometheus_reads_them(number: float, text: str) -> None:
    assert number_text(number) == text
