"""Spans, their exporters, and the tracer that is off."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.api.tracer import SpanContext, Tracer
from hioload_ws.control import trace_context
from hioload_ws.control.tracer import JsonLines, NullTracer, SpanList, SpanTracer
from hioload_ws.fake.clock import VirtualClock

HEX = "0123456789abcdef"
CONTEXTS = st.builds(
    SpanContext,
    st.text(HEX, min_size=32, max_size=32).filter(lambda text: text.strip("0") != ""),
    st.text(HEX, min_size=16, max_size=16).filter(lambda text: text.strip("0") != ""),
    st.booleans(),
)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(start_ns=100)


@given(CONTEXTS)
def test_what_is_rendered_is_parsed_back(context: SpanContext) -> None:
    assert trace_context.parse(trace_context.render(context)) == context


@given(st.text())
def test_any_text_is_parsed_or_refused(text: str) -> None:
    context = trace_context.parse(text)
    assert context is None or len(context.trace_id) == 32


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-fe", True),
        ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-else", True),
        ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", False),
        ("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more", False),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", False),
        ("00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01", False),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331", False),
        ("", False),
    ],
)
def test_the_recommendation_s_rules_hold(text: str, accepted: bool) -> None:
    assert (trace_context.parse(text) is not None) is accepted


def test_a_span_measures_and_records(clock: VirtualClock) -> None:
    kept = SpanList()
    tracer = SpanTracer(clock, kept)
    with tracer.start_span("handshake") as span:
        clock.advance(30)
        span.set_tag("path", "/")
        span.log("checked", status=101)
        clock.advance(12)
    span.set_tag("late", True)
    span.log("late")
    span.finish()
    [finished] = kept.spans()
    assert (finished.name, finished.duration_ns, dict(finished.tags)) == ("handshake", 42, {"path": "/"})
    [entry] = finished.entries
    assert (entry.at_ns, entry.message, dict(entry.fields)) == (130, "checked", {"status": 101})
    assert finished.parent is None
    assert finished.started_unix_ns == clock.unix_ns() - 42


def test_an_error_in_the_block_is_a_tag(clock: VirtualClock) -> None:
    kept = SpanList()
    with pytest.raises(ValueError, match="oops"), SpanTracer(clock, kept).start_span("fails"):
        raise ValueError("oops")
    assert kept.spans()[0].tags["error"] == "ValueError: oops"


def test_a_child_is_in_its_parent_s_trace_and_follows_its_sampling(clock: VirtualClock) -> None:
    kept = SpanList()
    decisions = iter([True, False])
    tracer = SpanTracer(clock, kept, sample=lambda: next(decisions))
    for expected in (1, 1):
        parent = tracer.start_span("parent")
        child = tracer.start_span("child", parent.context)
        assert child.context.trace_id == parent.context.trace_id
        assert child.context.span_id != parent.context.span_id
        child.finish()
        assert len(kept.spans()) == expected
    assert kept.spans()[0].parent is not None


def test_an_identity_crosses_headers(clock: VirtualClock) -> None:
    tracer = SpanTracer(clock, SpanList())
    context = tracer.start_span("outgoing").context
    headers = {"Traceparent": "an older one", "Host": "here"}
    tracer.inject(context, headers)
    assert len(headers) == 2
    assert tracer.extract({name.upper(): value for name, value in headers.items()}) == context
    assert tracer.extract({}) is None
    assert tracer.extract({"traceparent": headers["traceparent"], "TraceParent": headers["traceparent"]}) is None


def test_ids_are_never_zero(clock: VirtualClock) -> None:
    numbers: Iterator[int] = iter([0, 5, 0, 0, 7])
    context = SpanTracer(clock, SpanList(), random_bits=lambda count: next(numbers)).start_span("x").context
    assert (context.trace_id, context.span_id) == ("0" * 31 + "5", "0" * 15 + "7")


def test_an_exporter_that_raises_harms_nobody(clock: VirtualClock) -> None:
    errors: list[BaseException] = []

    def fail(span: object) -> None:
        raise OSError("disk full")

    tracer = SpanTracer(clock, fail, on_error=lambda error, origin: errors.append(error))
    tracer.start_span("x").finish()
    assert [str(error) for error in errors] == ["disk full"]


def test_lines_of_json_can_be_read_back(clock: VirtualClock) -> None:
    stream = io.StringIO()
    tracer = SpanTracer(clock, JsonLines(stream))
    with tracer.start_span("outer") as outer, tracer.start_span("inner", outer.context) as inner:
        inner.log("note", what=clock)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["name"], second["name"]) == ("inner", "outer")
    assert first["parent_span_id"] == second["span_id"]
    assert first["log"][0]["message"] == "note"


def test_a_list_keeps_the_last_ones(clock: VirtualClock) -> None:
    kept = SpanList(2)
    tracer = SpanTracer(clock, kept)
    for name in "abc":
        tracer.start_span(name).finish()
    assert [span.name for span in kept.spans()] == ["b", "c"]
    with pytest.raises(InvalidArgument):
        SpanList(0)


def test_a_tracer_that_is_off_records_nothing_and_allocates_nothing() -> None:
    tracer: Tracer = NullTracer()
    span = tracer.start_span("x")
    assert span is tracer.start_span("y", span.context)
    with span as entered:
        entered.set_tag("a", 1)
        entered.log("b")
        entered.finish()
    headers: dict[str, str] = {}
    tracer.inject(span.context, headers)
    assert headers == {}
    assert not span.context.sampled
    assert tracer.extract({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}) is not None
