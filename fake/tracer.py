"""Tracer that keeps its spans, with ids that count instead of being random.

A span is there from the moment it starts; ``open_spans`` shows those that nobody finished, which is the usual
mistake. Headers are those of W3C Trace Context, level 1, written and read strictly by its grammar (§3.2).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, MutableMapping, Sequence
from types import TracebackType
from typing import Final, Self

from ..api.tracer import SpanContext
from ..api.types import Nanoseconds
from .clock import VirtualClock

TRACEPARENT: Final = "traceparent"

# W3C Trace Context §3.2.2: version, trace id, parent id, flags; version ff is forbidden, and of a version
# above 00 more may follow.
_FORM: Final = re.compile(r"(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class FakeSpan:
    """Implements ``api.tracer.Span``; everything about it can be read. Made by a ``FakeTracer``."""

    __slots__ = ("_clock", "context", "ended_ns", "logs", "name", "parent", "started_ns", "tags")

    def __init__(
        self, clock: VirtualClock, name: str, context: SpanContext, parent: SpanContext | None
    ) -> None:
        self._clock = clock
        self.name = name
        self.context = context
        """Its identity."""
        self.parent = parent
        self.started_ns = clock.now_ns()
        self.ended_ns: Nanoseconds | None = None
        """When it was finished; ``None`` while it is open."""
        self.tags: dict[str, str | int | float | bool] = {}
        self.logs: list[tuple[Nanoseconds, str, dict[str, object]]] = []
        """Time, message and fields of each entry."""

    def set_tag(self, key: str, value: str | int | float | bool) -> None:
        """Set a tag; without effect after ``finish``."""
        if self.ended_ns is None:
            self.tags[key] = value

    def log(self, message: str, **fields: object) -> None:
        """Add an entry; without effect after ``finish``."""
        if self.ended_ns is None:
            self.logs.append((self._clock.now_ns(), message, fields))

    def finish(self) -> None:
        """End the span. Idempotent."""
        if self.ended_ns is None:
            self.ended_ns = self._clock.now_ns()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if error is not None:
            self.set_tag("error", repr(error))
        self.finish()


class FakeTracer:
    """Implements ``api.tracer.Tracer``. Thread rules: any thread; ids count in the order in which spans start."""

    __slots__ = ("_clock", "_span_numbers", "_trace_numbers", "spans")

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self._clock = VirtualClock() if clock is None else clock
        # Taking the next number is one step, so two threads never get the same.
        self._trace_numbers, self._span_numbers = itertools.count(1), itertools.count(1)
        self.spans: list[FakeSpan] = []
        """Every span, in order of start."""

    @property
    def open_spans(self) -> Sequence[FakeSpan]:
        """The spans that were not finished."""
        return [span for span in self.spans if span.ended_ns is None]

    def start_span(self, name: str, parent: SpanContext | None = None) -> FakeSpan:
        """Start a span, in the parent's trace or in a new one."""
        span_id = f"{next(self._span_numbers):016x}"
        if parent is None:
            context = SpanContext(f"{next(self._trace_numbers):032x}", span_id)
        else:
            context = SpanContext(parent.trace_id, span_id, parent.sampled)
        span = FakeSpan(self._clock, name, context, parent)
        self.spans.append(span)
        return span

    def inject(self, context: SpanContext, headers: MutableMapping[str, str]) -> None:
        """Write the identity into ``headers``, in place of one that is there."""
        for name in [name for name in headers if name.lower() == TRACEPARENT]:
            del headers[name]
        headers[TRACEPARENT] = f"00-{context.trace_id}-{context.span_id}-{int(context.sampled):02x}"

    def extract(self, headers: Mapping[str, str]) -> SpanContext | None:
        """Read an identity; ``None`` where there is none or it is malformed. Header names have no case."""
        values = [value for name, value in headers.items() if name.lower() == TRACEPARENT]
        match = _FORM.fullmatch(values[0].strip()) if len(values) == 1 else None
        # Version 00 ends with the flags; ids of zeros mean "none" (§3.2.2.3, §3.2.2.4).
        if match is None or (match[1] == "00" and match[5]) or not int(match[2], 16) or not int(match[3], 16):
            return None
        return SpanContext(match[2], match[3], sampled=bool(int(match[4], 16) & 1))


__all__ = ["TRACEPARENT", "FakeSpan", "FakeTracer"]
