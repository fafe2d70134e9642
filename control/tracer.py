"""Tracer: spans, where they go, and a form of both that costs nothing.

A span is recorded by whoever holds it and handed over once, when it is finished. Where it goes is an *exporter*,
a function of the finished span: a list for tests, lines of JSON for a file. Whether a trace is recorded is
decided where it begins and carried along (``sampled``); a span that is not sampled still has an identity to pass
on, and is never exported.

``NullTracer`` is tracing switched off: one span object for everybody, no clock read, nothing allocated.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from random import SystemRandom
from types import MappingProxyType, TracebackType
from typing import Final, Self, TextIO, TypeAlias

from ..api.clock import Clock
from ..api.errors import InvalidArgument
from ..api.tracer import Span, SpanContext
from ..api.types import Nanoseconds
from ..internal.faults import ErrorHook, log_error, report
from . import trace_context

TagValue: TypeAlias = "str | int | float | bool"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """Something that was noted while a span ran."""

    at_ns: Nanoseconds
    message: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class FinishedSpan:
    """A span that has ended. ``started_unix_ns`` is wall-clock time, ``duration_ns`` is monotonic."""

    name: str
    context: SpanContext
    parent: SpanContext | None
    started_unix_ns: Nanoseconds
    duration_ns: Nanoseconds
    tags: Mapping[str, TagValue]
    entries: tuple[LogEntry, ...]


Exporter: TypeAlias = Callable[[FinishedSpan], object]
"""Gets each sampled span once, on the thread that finished it. What it raises goes to the tracer's error hook."""


class RecordedSpan:
    """Implements ``api.tracer.Span``. One thread at a time."""

    __slots__ = ("_entries", "_finished", "_name", "_parent", "_started_ns", "_tags", "_tracer", "_unix_ns", "context")

    def __init__(self, tracer: SpanTracer, name: str, context: SpanContext, parent: SpanContext | None) -> None:
        self.context = context
        self._tracer = tracer
        self._name = name
        self._parent = parent
        self._tags: dict[str, TagValue] = {}
        self._entries: list[LogEntry] = []
        self._finished = False
        self._unix_ns = tracer.clock.unix_ns()
        self._started_ns = tracer.clock.now_ns()

    def set_tag(self, key: str, value: TagValue) -> None:
        """Set a tag, replacing one of that key. Without effect after ``finish``."""
        if not self._finished:
            self._tags[key] = value

    def log(self, message: str, **fields: object) -> None:
        """Add an entry with the present time. Without effect after ``finish``."""
        if not self._finished:
            self._entries.append(LogEntry(self._tracer.clock.now_ns(), message, MappingProxyType(fields)))

    def finish(self) -> None:
        """End the span and hand it to the exporter. Idempotent."""
        if self._finished:
            return
        self._finished = True
        if self.context.sampled:
            self._tracer.export(
                FinishedSpan(
                    self._name,
                    self.context,
                    self._parent,
                    self._unix_ns,
                    self._tracer.clock.now_ns() - self._started_ns,
                    MappingProxyType(self._tags),
                    tuple(self._entries),
                )
            )

    def __enter__(self) -> Self:
        """Return self; leaving the block finishes the span."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Finish, with the error as tag if one was raised."""
        if error is not None:
            self.set_tag("error", f"{type(error).__name__}: {error}")
        self.finish()


class SpanTracer:
    """Implements ``api.tracer.Tracer``. Any thread."""

    __slots__ = ("_exporter", "_on_error", "_random_bits", "_sample", "clock")

    def __init__(
        self,
        clock: Clock,
        exporter: Exporter,
        *,
        sample: Callable[[], bool] = lambda: True,
        random_bits: Callable[[int], int] | None = None,
        on_error: ErrorHook = log_error,
    ) -> None:
        """Measure on ``clock``, hand finished spans to ``exporter``. ``sample`` decides for each new trace
        whether it is recorded; a span with a parent follows the parent. ``random_bits(n)`` returns n random
        bits (default: the system's generator)."""
        self.clock = clock
        self._exporter = exporter
        self._sample = sample
        self._random_bits = SystemRandom().getrandbits if random_bits is None else random_bits
        self._on_error = on_error

    def start_span(self, name: str, parent: SpanContext | None = None) -> RecordedSpan:
        """Start a span now, in the parent's trace or in a new one."""
        if parent is None:
            context = SpanContext(self._new_id(128), self._new_id(64), self._sample())
        else:
            context = SpanContext(parent.trace_id, self._new_id(64), parent.sampled)
        return RecordedSpan(self, name, context, parent)

    def inject(self, context: SpanContext, headers: MutableMapping[str, str]) -> None:
        """Write the identity into ``headers`` as ``traceparent``, in place of any that is there."""
        for name in [name for name in headers if name.lower() == trace_context.HEADER]:
            del headers[name]
        headers[trace_context.HEADER] = trace_context.render(context)

    def extract(self, headers: Mapping[str, str]) -> SpanContext | None:
        """Read an identity; header names compare without case. ``None`` for none or a malformed one."""
        return extract(headers)

    def export(self, span: FinishedSpan) -> None:
        """Hand over a finished span; for spans."""
        try:
            self._exporter(span)
        except Exception as error:
            report(self._on_error, error, self._exporter)

    def _new_id(self, bit_count: int) -> str:
        """Return a random id that is not zero (W3C Trace Context §3.2.2.3)."""
        number = 0
        while not number:
            number = self._random_bits(bit_count)
        return f"{number:0{bit_count // 4}x}"


def extract(headers: Mapping[str, str]) -> SpanContext | None:
    """Read an identity from headers, as ``api.tracer.Tracer.extract`` does."""
    found = [value for name, value in headers.items() if name.lower() == trace_context.HEADER]
    # Two of them: whose trace would it be? (W3C Trace Context §4.3: more than one is not to be trusted.)
    return trace_context.parse(found[0]) if len(found) == 1 else None


class _NullSpan:
    """The one span of a tracer that is off."""

    __slots__ = ()

    context: Final = SpanContext("0" * 31 + "1", "0" * 15 + "1", sampled=False)

    def set_tag(self, key: str, value: TagValue) -> None:
        """Do nothing."""

    def log(self, message: str, **fields: object) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Do nothing."""


_NULL_SPAN: Final = _NullSpan()


class NullTracer:
    """Implements ``api.tracer.Tracer`` by doing nothing: tracing is off. Any thread."""

    __slots__ = ()

    def start_span(self, name: str, parent: SpanContext | None = None) -> Span:
        """Return the span that records nothing."""
        return _NULL_SPAN

    def inject(self, context: SpanContext, headers: MutableMapping[str, str]) -> None:
        """Write nothing: nobody records what would be named."""

    def extract(self, headers: Mapping[str, str]) -> SpanContext | None:
        """Read an identity, as any tracer does; a handler may want to pass it on."""
        return extract(headers)


class SpanList:
    """An exporter that keeps the last ``capacity`` spans in memory. Any thread."""

    __slots__ = ("_spans",)

    def __init__(self, capacity: int = 10_000) -> None:
        """Keep at most ``capacity`` spans, 1 or more (else ``InvalidArgument``)."""
        if capacity < 1:
            raise InvalidArgument("a capacity is 1 or more", capacity=capacity)
        self._spans: deque[FinishedSpan] = deque(maxlen=capacity)

    def __call__(self, span: FinishedSpan) -> None:
        """Keep a span."""
        self._spans.append(span)

    def spans(self) -> tuple[FinishedSpan, ...]:
        """Return what is kept, oldest first."""
        return tuple(self._spans)


class JsonLines:
    """An exporter that writes a line of JSON per span to a text stream. Any thread."""

    __slots__ = ("_lock", "_stream")

    def __init__(self, stream: TextIO) -> None:
        """Write to ``stream``, which stays the caller's. Raises, when called, what its ``write`` raises."""
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, span: FinishedSpan) -> None:
        """Write one line and flush it."""
        line = json.dumps(
            {
                "name": span.name,
                "trace_id": span.context.trace_id,
                "span_id": span.context.span_id,
                "parent_span_id": None if span.parent is None else span.parent.span_id,
                "started_unix_ns": span.started_unix_ns,
                "duration_ns": span.duration_ns,
                "tags": dict(span.tags),
                "log": [
                    {"at_ns": entry.at_ns, "message": entry.message, **entry.fields} for entry in span.entries
                ],
            },
            default=str,
        )
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()


__all__ = [
    "Exporter",
    "FinishedSpan",
    "JsonLines",
    "LogEntry",
    "NullTracer",
    "RecordedSpan",
    "SpanList",
    "SpanTracer",
    "extract",
]
