"""The tracer of tests keeps spans, and speaks W3C Trace Context."""

from __future__ import annotations

import pytest

from hioload_ws.api import SpanContext, Tracer
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.tracer import FakeTracer

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_spans_are_kept_with_times_tags_and_entries() -> None:
    clock = VirtualClock()
    tracer = FakeTracer(clock)
    with tracer.start_span("outer") as outer:
        clock.advance(5)
        inner = tracer.start_span("inner", outer.context)
        inner.set_tag("room", 7)
        inner.log("joined", who="ann")
        assert tracer.open_spans == [outer, inner]
        inner.finish()
        inner.set_tag("late", 1)
        inner.log("late")
        inner.finish()
    assert (outer.started_ns, outer.ended_ns, inner.started_ns) == (0, 5, 5)
    assert (inner.tags, inner.logs) == ({"room": 7}, [(5, "joined", {"who": "ann"})])
    assert inner.context.trace_id == outer.context.trace_id != tracer.start_span("other").context.trace_id
    assert inner.context.span_id != outer.context.span_id
    assert inner.parent == outer.context
    assert (inner.name, outer.tags) == ("inner", {})


def test_an_error_becomes_a_tag() -> None:
    tracer = FakeTracer()
    with pytest.raises(KeyError), tracer.start_span("x"):
        raise KeyError("k")
    assert tracer.spans[0].tags == {"error": "KeyError('k')"}


@pytest.mark.parametrize("sampled", [True, False])
def test_an_identity_survives_the_headers(sampled: bool) -> None:
    tracer: Tracer = FakeTracer()
    context = SpanContext(TRACE, SPAN, sampled)
    headers: dict[str, str] = {}
    tracer.inject(context, headers)
    assert headers == {"traceparent": f"00-{TRACE}-{SPAN}-0{int(sampled)}"}
    assert tracer.extract(headers) == context


@pytest.mark.parametrize(
    "value",
    [
        "",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
    ],
)
def test_a_malformed_identity_is_none(value: str) -> None:
    assert FakeTracer().extract({"traceparent": value}) is None


def test_an_identity_takes_the_place_of_another() -> None:
    headers = {"Traceparent": "old", "Host": "h"}
    FakeTracer().inject(SpanContext(TRACE, SPAN), headers)
    assert headers == {"traceparent": f"00-{TRACE}-{SPAN}-01", "Host": "h"}


def test_a_later_version_may_say_more_and_names_have_no_case() -> None:
    tracer = FakeTracer()
    assert tracer.extract({"TraceParent": f"01-{TRACE}-{SPAN}-01-more"}) == SpanContext(TRACE, SPAN)
    assert tracer.extract({}) is None
    twice = {"traceparent": f"00-{TRACE}-{SPAN}-01", "Traceparent": f"00-{TRACE}-{SPAN}-01"}
    assert tracer.extract(twice) is None
