"""The contracts of ``Tracer`` and ``Span``: stretches of time whose identity travels in headers.

A tracer that is switched off is a tracer, too: it records nothing, so what was recorded is asked for through
``recorded``, by those that declare the capability ``recording``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ...api.tracer import Span, SpanContext, Tracer
from ..interleave import interruptions
from ..requirement import must, refusal, requirement
from ..suite import Contract
from ..trial import Trial

RECORDING = "recording"

_ID = SpanContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)
_HEADER: Final = "traceparent"

TRACER = (
    must("TRC-01", "Ids are 32 and 16 lower-case hexadecimal digits, neither all zero."),
    must("TRC-02", "A span without a parent begins a trace of its own.", "TRC-01", capability=RECORDING),
    must(
        "TRC-03",
        "A span with a parent has its trace, its sampling, and an id of its own.",
        "TRC-01",
        capability=RECORDING,
    ),
    must("TRC-04", "What inject writes extract reads, sampled or not.", "TRC-01", capability=RECORDING),
    must(
        "TRC-05",
        "inject replaces an identity that is there, and leaves other headers alone.",
        "TRC-04",
        capability=RECORDING,
    ),
    must("TRC-06", "extract reads version 00, the sampled bit among others, in a header of any case.", "TRC-01"),
    must("TRC-07", "A header that is absent or malformed is None, and nothing is raised.", "TRC-06"),
    must("TRC-08", "A later version is read for what is known of it; version ff is malformed.", "TRC-06"),
    must("TRC-09", "Two threads that start spans get ids of their own.", "TRC-02", capability=RECORDING),
)

SPAN = (
    must("SPN-01", "A span has one identity all its life.", "TRC-01"),
    must(
        "SPN-02",
        "A span is recorded once, when it is finished, with its name; finish may be repeated.",
        "TRC-02",
        capability=RECORDING,
    ),
    must(
        "SPN-03",
        "A tag is recorded with its value; setting it again replaces it.",
        "SPN-02",
        capability=RECORDING,
    ),
    must(
        "SPN-04",
        "Log entries are recorded in their order, with message and fields.",
        "SPN-02",
        capability=RECORDING,
    ),
    must(
        "SPN-05",
        "What comes after finish is without effect, and raises nothing.",
        "SPN-03",
        "SPN-04",
        capability=RECORDING,
    ),
    must("SPN-06", "A with block gives the span and finishes it.", "SPN-02", capability=RECORDING),
    must(
        "SPN-07",
        "An error that leaves the block is a tag of the span, and goes on.",
        "SPN-06",
        "SPN-03",
        capability=RECORDING,
    ),
    must(
        "SPN-08",
        "Every call of a span may be made in any order, with odd values, and raises nothing.",
        "SPN-01",
    ),
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A finished span, as far as every tracer knows it. ``entries``: message and fields."""

    name: str
    context: SpanContext
    tags: Mapping[str, object]
    entries: Sequence[tuple[str, Mapping[str, object]]]


class Subject(Protocol):
    """A tracer on trial, and what it has recorded."""

    @property
    def tracer(self) -> Tracer:
        """The tracer."""

    def recorded(self) -> Sequence[Recorded] | None:
        """Return the sampled spans that were finished, in any order; ``None`` from a tracer that records
        nothing."""


class TracerContract(Contract, name="tracer", requirements=TRACER + SPAN):
    """What every tracer and its spans owe; override ``make``."""

    def make(self) -> Subject:
        """Return a new tracer that samples every trace, with what it has recorded."""
        raise NotImplementedError

    def declared(self, trial: Trial) -> frozenset[str]:
        """A tracer that records says so by what it has recorded."""
        return frozenset() if trial.make(self.make).recorded() is None else frozenset({RECORDING})

    @refusal(RECORDING)
    def nothing_is_recorded(self, trial: Trial) -> None:
        """What records nothing is harmless in use, and claims no sampling."""
        subject = trial.make(self.make)
        trial.did("start a span, use it, finish it")
        with subject.tracer.start_span("a") as span:
            span.set_tag("a", 1)
            span.log("b")
        trial.equal(span.context.sampled, False, "whether the span is sampled")
        trial.equal(subject.recorded(), None, "what was recorded")

    def fresh(self, trial: Trial) -> tuple[Tracer, Subject]:
        """Return a fresh tracer, and where its records are."""
        subject = trial.make(self.make)
        return subject.tracer, subject

    @requirement("TRC-01")
    def ids_are_formed(self, trial: Trial) -> None:
        tracer, _ = self.fresh(trial)
        parent = None
        for number in range(50):
            context = tracer.start_span(f"span {number}", parent).context
            for name, text, size in (("trace_id", context.trace_id, 32), ("span_id", context.span_id, 16)):
                formed = re.fullmatch(f"[0-9a-f]{{{size}}}", text) and text.strip("0")
                trial.true(formed, f"{name} is {size} hexadecimal digits, not all zero", got=text)
            parent = context if number % 3 else None

    @requirement("TRC-02")
    def traces_are_new(self, trial: Trial) -> None:
        tracer, _ = self.fresh(trial)
        contexts = [tracer.start_span("a").context for _ in range(50)]
        trial.equal(len({each.trace_id for each in contexts}), 50, "how many traces 50 spans without a parent have")
        trial.equal(len({each.span_id for each in contexts}), 50, "how many ids they have")
        trial.true(all(each.sampled for each in contexts), "they are sampled")

    @requirement("TRC-03")
    def children_belong_to_their_parents(self, trial: Trial) -> None:
        tracer, _ = self.fresh(trial)
        for sampled in (True, False):
            parent = SpanContext(_ID.trace_id, _ID.span_id, sampled)
            children = [tracer.start_span("child", parent).context for _ in range(20)]
            found = {(each.trace_id, each.sampled) for each in children}
            trial.equal(found, {(parent.trace_id, sampled)}, "trace and sampling of 20 children")
            trial.equal(len({each.span_id for each in children} | {parent.span_id}), 21, "their ids and the parent's")

    @requirement("TRC-04")
    def identities_travel(self, trial: Trial) -> None:
        tracer, _ = self.fresh(trial)
        contexts = [tracer.start_span("a").context, _ID, SpanContext("0" * 31 + "1", "f" * 16, False)]
        for context in contexts:
            headers: dict[str, str] = {}
            trial.did(f"inject({context})")
            tracer.inject(context, headers)
            wanted = f"00-{context.trace_id}-{context.span_id}-{int(context.sampled):02x}"
            trial.equal(headers, {_HEADER: wanted}, "the headers")
            trial.equal(tracer.extract(headers), context, "what extract reads")

    @requirement("TRC-05")
    def headers_are_replaced(self, trial: Trial) -> None:
        tracer, _ = self.fresh(trial)
        other = f"00-{'1' * 32}-{'2' * 16}-00"
        for name in (_HEADER, "Traceparent", "TRACEPARENT"):
            headers = {"Host": "h", name: other, "X": "y"}
            trial.did(f"inject() into headers with {name!r}")
            tracer.inject(_ID, headers)
            trial.equal(tracer.extract(headers), _ID, "what extract reads then")
            trial.equal((headers["Host"], headers["X"], len(headers)), ("h", "y", 3), "the other headers")

    @requirement("TRC-06")
    def headers_are_read(self, trial: Trial) -> None:
        tracer, _ = self.fresh(trial)
        for flags, sampled in (("00", False), ("01", True), ("02", False), ("03", True), ("ff", True)):
            for name in (_HEADER, "Traceparent", "TRACEPARENT"):
                headers = {"Host": "h", name: f"00-{_ID.trace_id}-{_ID.span_id}-{flags}"}
                trial.did(f"extract({headers})")
                wanted = SpanContext(_ID.trace_id, _ID.span_id, sampled)
                trial.equal(tracer.extract(headers), wanted, "what extract reads")

    @requirement("TRC-07")
    def nonsense_is_none(self, trial: Trial) -> None:
        tracer, _ = self.fresh(trial)
        good = f"00-{_ID.trace_id}-{_ID.span_id}-01"
        wrong = ["", "-", "00", "x" * 55, good[:-1], good[:-3], good + "-", good + "-00", good + "0", "0" + good]
        wrong += [good.upper(), good.replace("-", "_"), good.replace("a", "g"), good.replace("-b7", "--7")]
        wrong += [f"00-{'0' * 32}-{_ID.span_id}-01", f"00-{_ID.trace_id}-{'0' * 16}-01"]
        wrong += ["\u0660" + good[1:], good + "\n-"]
        for value in wrong:
            trial.did(f"extract({value!r})")
            trial.equal(tracer.extract({_HEADER: value}), None, f"what extract reads of {value!r}")
        for headers in ({}, {"tracestate": good}, {"traceparent2": good}):
            trial.equal(tracer.extract(headers), None, "what extract reads of other headers")
        for _ in range(trial.rounds(200, 3000)):
            text = list(good)
            for _ in range(trial.rng.randint(1, 3)):
                text[trial.rng.randrange(len(text))] = chr(trial.rng.choice((0, 32, 45, 71, 103, 255, 0x1F600)))
            tracer.extract({_HEADER: "".join(text)})

    @requirement("TRC-08")
    def versions_are_known(self, trial: Trial) -> None:
        tracer, _ = self.fresh(trial)
        rest = f"{_ID.trace_id}-{_ID.span_id}-01"
        for value, wanted in (
            (f"01-{rest}", _ID),
            (f"cc-{rest}-what-the-future-brings", _ID),
            (f"fe-{rest}-", _ID),
            (f"ff-{rest}", None),
            (f"01-{rest}x", None),
        ):
            trial.did(f"extract({value!r})")
            trial.equal(tracer.extract({_HEADER: value}), wanted, f"what extract reads of {value!r}")

    @requirement("TRC-09")
    def threads_get_ids_of_their_own(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            tracer, _ = self.fresh(trial)
            trial.did(f"hold start_span() at step {schedule.at}, and start_span() on another thread meanwhile")

            def start(tracer: Tracer = tracer) -> SpanContext:
                return tracer.start_span("a").context

            first, second = schedule.run(start, start)
            for name in ("span_id", "trace_id"):
                different = getattr(first, name) != getattr(second, name)
                trial.true(different, f"each has a {name} of its own", got=(first, second))

    @requirement("SPN-01")
    def identity_stays(self, trial: Trial) -> None:
        tracer, _ = self.fresh(trial)
        span = tracer.start_span("a")
        context = span.context
        span.set_tag("a", 1)
        trial.equal(span.context, context, "the identity in use")
        span.finish()
        trial.equal(span.context, context, "the identity after finish")

    @requirement("SPN-02")
    def finished_spans_are_recorded(self, trial: Trial) -> None:
        tracer, subject = self.fresh(trial)
        spans = [tracer.start_span(name) for name in ("a", "b", "never")]
        trial.equal(len(records(subject)), 0, "the spans recorded before the end")
        for span in (spans[1], spans[0], spans[1]):
            trial.did("finish()")
            span.finish()
        found = sorted((each.name, each.context.span_id) for each in records(subject))
        wanted = [("a", spans[0].context.span_id), ("b", spans[1].context.span_id)]
        trial.equal(found, wanted, "the spans recorded: name and id")

    @requirement("SPN-03")
    def tags_are_recorded(self, trial: Trial) -> None:
        tracer, subject = self.fresh(trial)
        span = tracer.start_span("a")
        for key, value in (("n", 1), ("f", 1.5), ("s", "text"), ("b", True), ("n", 2), ("", "empty")):
            trial.did(f"set_tag({key!r}, {value!r})")
            span.set_tag(key, value)
        span.finish()
        trial.equal(dict(records(subject)[0].tags), {"n": 2, "f": 1.5, "s": "text", "b": True, "": "empty"}, "the tags")

    @requirement("SPN-04")
    def entries_are_recorded(self, trial: Trial) -> None:
        tracer, subject = self.fresh(trial)
        span = tracer.start_span("a")
        for number in range(5):
            trial.did(f"log('entry', number={number})")
            span.log("entry", number=number)
        span.log("last")
        span.finish()
        found = [(message, dict(fields)) for message, fields in records(subject)[0].entries]
        wanted: list[tuple[str, dict[str, object]]] = [("entry", {"number": number}) for number in range(5)]
        trial.equal(found, [*wanted, ("last", {})], "the entries")

    @requirement("SPN-05")
    def finished_spans_stay(self, trial: Trial) -> None:
        tracer, subject = self.fresh(trial)
        span = tracer.start_span("a")
        span.set_tag("before", 1)
        span.log("before")
        span.finish()
        trial.did("set_tag, log and finish after finish()")
        span.set_tag("after", 1)
        span.set_tag("before", 2)
        span.log("after")
        span.finish()
        [found] = records(subject)
        trial.equal((dict(found.tags), len(found.entries)), ({"before": 1}, 1), "tags, and the number of entries")

    @requirement("SPN-06")
    def blocks_finish(self, trial: Trial) -> None:
        tracer, subject = self.fresh(trial)
        span = tracer.start_span("a")
        with span as inside:
            trial.same(inside, span, "what the block is given")
            trial.equal(len(records(subject)), 0, "the spans recorded within the block")
        trial.equal([each.name for each in records(subject)], ["a"], "the spans recorded after it")
        trial.equal(dict(records(subject)[0].tags), {}, "the tags of a block that went well")

    @requirement("SPN-07")
    def errors_are_tags(self, trial: Trial) -> None:
        tracer, subject = self.fresh(trial)
        fault = _Fault("what went wrong")

        def block() -> None:
            with tracer.start_span("a"):
                raise fault

        trial.same(trial.raises(_Fault, "a with block that raises", block), fault, "what left the block")
        tags = dict(records(subject)[0].tags)
        trial.true("what went wrong" in str(tags.get("error")), "the tag 'error' tells of the error", got=tags)

    @requirement("SPN-08")
    def anything_may_be_said(self, trial: Trial) -> None:
        tracer, _ = self.fresh(trial)
        span = tracer.start_span("")
        odd: tuple[Mapping[str, object], ...] = ({}, {"a": None}, {"a": object(), "b": [1]}, {"error": _Fault()})
        for when in ("before", "after"):
            trial.did(f"set_tag and log {when} finish()")
            span.set_tag("\u0000 \U0001f600", "x" * 10_000)
            span.set_tag("n", float("nan"))
            for fields in odd:
                span.log("", **fields)
            span.finish()


def records(subject: Subject) -> Sequence[Recorded]:
    """Return what was recorded."""
    return subject.recorded() or ()


class _Fault(Exception):
    """Leaves a block."""


SUITES = (TracerContract,)

__all__ = ["RECORDING", "SUITES", "Recorded", "Span", "Subject", "TracerContract"]
