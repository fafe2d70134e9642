"""The contracts of ``Metrics``, ``Counter``, ``Gauge`` and ``Histogram``: numbers that are cheap to keep.

What a registry shows is compared with what was counted, for counters and gauges. How a histogram is laid out in
samples is the registry's own business; that it appears under its name is not.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial

from ...api.errors import AlreadyExists, InvalidArgument, ResourceExhausted
from ...api.metrics import Metrics, Sample
from ..interleave import interruptions
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

METRICS = (
    must("MET-01", "A new counter is 0; add grows it by 1 or by an amount; adding 0 is legal."),
    must("MET-02", "A negative amount raises InvalidArgument, and the counter stays.", "MET-01"),
    must("MET-03", "A gauge is what was set last, plus what was added since, negative amounts too."),
    must("MET-04", "A histogram has the number of its observations and their sum."),
    must("MET-05", "The same name and labels give the same series, whatever the order of the labels.", "MET-01"),
    must("MET-06", "Other labels give another series of the same name.", "MET-05"),
    must(
        "MET-07",
        "A name that has another kind raises AlreadyExists; the first stays.",
        "MET-05",
        "MET-03",
        "MET-04",
    ),
    must("MET-08", "A malformed name or label raises InvalidArgument, and makes nothing.", "MET-01"),
    must("MET-09", "Bounds that are none, or do not ascend, raise InvalidArgument, and make nothing.", "MET-04"),
    must("MET-10", "Beyond the limit of series per name ResourceExhausted is raised; others go on.", "MET-06"),
    must(
        "MET-11",
        "collect shows every counter and gauge with kind, labels and present value.",
        "MET-06",
        "MET-03",
    ),
    must("MET-12", "collect shows histograms, by their names.", "MET-04"),
    must("MET-13", "collect is in the order of names, and of labels within.", "MET-11"),
    must("MET-14", "A function is asked when samples are collected, and not before.", "MET-11"),
    must("MET-15", "A function that raises leaves its own sample out, and no other.", "MET-14"),
    must("MET-16", "Two threads that ask for a new series get the same one.", "MET-05"),
)


class MetricsContract(Contract, name="metrics", requirements=METRICS):
    """What every registry of metrics owes, and its counters, gauges and histograms; override ``make``."""

    def make(self, *, max_series_per_name: int) -> Metrics:
        """Return a new registry that allows so many series of one name."""
        raise NotImplementedError

    def fresh(self, trial: Trial, limit: int = 1000) -> Metrics:
        """Return a fresh registry."""
        return trial.make(self.make, max_series_per_name=limit)

    @requirement("MET-01")
    def counters_grow(self, trial: Trial) -> None:
        counter = self.fresh(trial).counter("a_total", "How many.")
        trial.equal(counter.value, 0, "a new counter")
        wanted = 0
        for amount in (None, 1, 5, 0, 10**20):
            trial.did(f"add({'' if amount is None else amount})")
            counter.add() if amount is None else counter.add(amount)
            wanted += 1 if amount is None else amount
            trial.equal(counter.value, wanted, "the counter")

    @requirement("MET-02")
    def counters_never_shrink(self, trial: Trial) -> None:
        counter = self.fresh(trial).counter("a_total")
        counter.add(3)
        for amount in (-1, -(10**9)):
            trial.raises(InvalidArgument, f"add({amount})", partial(counter.add, amount))
            trial.equal(counter.value, 3, "the counter after it")

    @requirement("MET-03")
    def gauges_go_both_ways(self, trial: Trial) -> None:
        gauge = self.fresh(trial).gauge("a")
        trial.equal(gauge.value, 0, "a new gauge")
        steps = (("set", 7.5, 7.5), ("add", -10, -2.5), ("add", 1, -1.5), ("set", 0, 0), ("set", -3, -3))
        for call, amount, wanted in steps:
            trial.did(f"{call}({amount})")
            gauge.set(amount) if call == "set" else gauge.add(amount)
            trial.equal(gauge.value, wanted, "the gauge")

    @requirement("MET-04")
    def histograms_count(self, trial: Trial) -> None:
        histogram = self.fresh(trial).histogram("a_seconds", (0.1, 1, 10))
        trial.equal((histogram.count, histogram.sum), (0, 0), "count and sum of a new histogram")
        observed = [0.1, 0.05, 1, 5, 10, 11, 1e9, -3, 0]
        for number, value in enumerate(observed, 1):
            trial.did(f"observe({value})")
            histogram.observe(value)
            trial.equal(histogram.count, number, "the count")
            trial.true(math.isclose(histogram.sum, math.fsum(observed[:number])), "the sum", got=histogram.sum)

    @requirement("MET-05")
    def series_are_found_again(self, trial: Trial) -> None:
        metrics = self.fresh(trial)
        counter = metrics.counter("a_total", a="1", b="2")
        gauge, histogram = metrics.gauge("b", x="y"), metrics.histogram("c", (1, 2), x="y")
        trial.did("ask for the same series again, with the labels in another order")
        trial.same(metrics.counter("a_total", b="2", a="1"), counter, "the counter")
        trial.same(metrics.gauge("b", "with a help text", x="y"), gauge, "the gauge")
        trial.same(metrics.histogram("c", (1, 2), x="y"), histogram, "the histogram")

    @requirement("MET-06")
    def labels_tell_series_apart(self, trial: Trial) -> None:
        metrics = self.fresh(trial)
        labels: list[dict[str, str]] = [{}, {"a": "1"}, {"a": "2"}, {"b": "1"}, {"a": "1", "b": "1"}, {"a": ""}]
        counters = [metrics.counter("a_total", **each) for each in labels]
        for number, counter in enumerate(counters):
            counter.add(number + 1)
        trial.equal([each.value for each in counters], [1, 2, 3, 4, 5, 6], f"the counters with labels {labels}")

    @requirement("MET-07")
    def kinds_stay(self, trial: Trial) -> None:
        metrics = self.fresh(trial)
        metrics.counter("c").add(1)
        metrics.gauge("g").set(2)
        metrics.histogram("h", (1, 2)).observe(1)
        others = (("counter", "g"), ("counter", "h"), ("gauge", "c"), ("gauge", "h"), ("histogram", "c"))
        for kind, name in (*others, ("histogram", "g"), ("observe_with", "c"), ("observe_with", "h")):
            call = partial(_ask, metrics, kind, name)
            trial.raises(AlreadyExists, f"{kind}({name!r}), which is another kind", call)
        found = (metrics.counter("c").value, metrics.gauge("g").value, metrics.histogram("h", (1, 2)).count)
        trial.equal(found, (1, 2, 1), "what the first ones show")

    @requirement("MET-08")
    def names_have_a_form(self, trial: Trial) -> None:
        metrics = self.fresh(trial)
        for name in ("", "1a", "a b", "a-b", "\u00e4", "a\n", "a{b}", "a."):
            for kind in ("counter", "gauge", "histogram", "observe_with"):
                trial.raises(InvalidArgument, f"{kind}({name!r})", partial(_ask, metrics, kind, name))
        for label in ("1a", "a b", "a-b", "\u00e4", ""):
            call = f"counter('a', **{{{label!r}: 'x'}})"
            trial.raises(InvalidArgument, call, partial(metrics.counter, "a", **{label: "x"}))
        trial.equal(list(metrics.collect()), [], "the samples after all that")

    @requirement("MET-09")
    def bounds_ascend(self, trial: Trial) -> None:
        metrics = self.fresh(trial)
        for bounds in ((), (2, 1), (1, 1), (1, 2, 2), (math.nan,), (1, math.nan)):
            trial.raises(InvalidArgument, f"histogram('a', {bounds})", partial(metrics.histogram, "a", bounds))
        trial.equal(list(metrics.collect()), [], "the samples after all that")

    @requirement("MET-10")
    def series_are_limited(self, trial: Trial) -> None:
        metrics = self.fresh(trial, 3)
        first = [metrics.counter("a_total", id=str(number)) for number in range(3)]
        for _ in range(2):
            call = "counter('a_total'), the fourth series with a limit of 3"
            trial.raises(ResourceExhausted, call, lambda: metrics.counter("a_total", id="new"))
        trial.same(metrics.counter("a_total", id="1"), first[1], "a series that is there")
        for number in range(3):
            metrics.gauge("b", id=str(number)).set(1)
        trial.raises(ResourceExhausted, "gauge('b'), the fourth", lambda: metrics.gauge("b", id="new"))
        call = "observe_with('b'), the fourth"
        trial.raises(ResourceExhausted, call, lambda: metrics.observe_with("b", lambda: 1.0, id="new"))
        trial.equal(len(shown(metrics, "a_total")), 3, "how many series collect shows")

    @requirement("MET-11")
    def all_are_collected(self, trial: Trial) -> None:
        metrics = self.fresh(trial)
        trial.equal(list(metrics.collect()), [], "the samples of a new registry")
        counter, gauge = metrics.counter("a_total", x="1"), metrics.gauge("b")
        for number in (1, 2):
            counter.add(5)
            gauge.set(-number)
            trial.did("collect()")
            found = [(each.name, each.kind, dict(each.labels), each.value) for each in metrics.collect()]
            wanted = [("a_total", "counter", {"x": "1"}, 5 * number), ("b", "gauge", {}, -number)]
            trial.equal(found, wanted, "the samples: name, kind, labels, value")

    @requirement("MET-12")
    def histograms_are_collected(self, trial: Trial) -> None:
        metrics = self.fresh(trial)
        histogram = metrics.histogram("a_seconds", (1, 2), x="1")
        for value in (0.5, 1, 1.5, 7):
            histogram.observe(value)
        samples = [each for each in metrics.collect() if each.name.startswith("a_seconds")]
        trial.true(samples, "there are samples whose names begin with the histogram's")
        trial.equal({each.kind for each in samples}, {"histogram"}, "their kinds")
        trial.true(all(each.labels.get("x") == "1" for each in samples), "they have its labels", got=samples)
        trial.true(4 in [each.value for each in samples], "one of them is the number of observations", got=samples)

    @requirement("MET-13")
    def order_is_kept(self, trial: Trial) -> None:
        metrics = self.fresh(trial)
        names = [(name, label) for name in "dacb" for label in "zxy"]
        trial.rng.shuffle(names)
        for name, label in names:
            metrics.counter(name, l=label).add(1)
        found = [(each.name, each.labels["l"]) for each in metrics.collect()]
        trial.equal(found, sorted(names), "the samples: name and label")

    @requirement("MET-14")
    def functions_are_asked_late(self, trial: Trial) -> None:
        metrics = self.fresh(trial)
        numbers = itertools.count(1)
        trial.did("observe_with('a', a function that counts how often it was asked)")
        metrics.observe_with("a", lambda: next(numbers), "Times.", x="1")
        for number in (1, 2):
            found = [(each.kind, dict(each.labels), each.value) for each in shown(metrics, "a")]
            trial.equal(found, [("gauge", {"x": "1"}, number)], "what collect shows")

    @requirement("MET-15")
    def functions_may_raise(self, trial: Trial) -> None:
        metrics = self.fresh(trial)

        def broken() -> float:
            raise _Fault

        metrics.counter("a").add(1)
        metrics.observe_with("b", broken, x="1")
        metrics.observe_with("b", lambda: 2, x="2")
        metrics.gauge("c").set(3)
        trial.did("collect(), with a function that raises")
        found = [(each.name, each.value) for each in metrics.collect()]
        trial.equal(found, [("a", 1), ("b", 2), ("c", 3)], "the samples: name and value")

    @requirement("MET-16")
    def threads_get_one_series(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            metrics = self.fresh(trial)
            ask = partial(metrics.counter, "a_total", x="1")
            trial.did(f"hold counter('a_total') at step {schedule.at}, and ask for it on another thread meanwhile")
            first, second = schedule.run(ask, ask)
            trial.same(second, first, "the counter that both got")
            trial.same(ask(), first, "the counter afterwards")


def _ask(metrics: Metrics, kind: str, name: str) -> None:
    """Ask for a series of a kind."""
    if kind == "counter":
        metrics.counter(name)
    elif kind == "gauge":
        metrics.gauge(name)
    elif kind == "histogram":
        metrics.histogram(name, (1, 2))
    else:
        metrics.observe_with(name, lambda: 1.0)


class _Fault(Exception):
    """Raised by a function that is asked for a value."""


def shown(metrics: Metrics, name: str) -> Sequence[Sample]:
    """Return the samples of a name."""
    return [each for each in metrics.collect() if each.name == name]


SUITES = (MetricsContract,)

__all__ = ["SUITES", "MetricsContract", "shown"]
