"""Tracer: what happened when, across processes.

A span is a named stretch of time with tags and log entries; its context (trace id and span id) can be put
into headers and read from them, in the form of W3C Trace Context, so that a trace crosses the opening
handshake.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class SpanContext:
    """Identity of a span: 32 and 16 lower-case hex digits, neither all zero (W3C Trace Context §3.2.2)."""

    trace_id: str
    span_id: str
    sampled: bool = True


class Span(Protocol):
    """A stretch of time.

    Thread rules: one thread at a time. Leaving a ``with`` block finishes it, with what was raised as the tag
    ``error``.
    """

    @property
    def context(self) -> SpanContext:
        """The span's identity."""

    def set_tag(self, key: str, value: str | int | float | bool) -> None:
        """Set a tag, replacing one of that key. Without effect after ``finish``."""

    def log(self, message: str, **fields: object) -> None:
        """Add an entry with the present time. Without effect after ``finish``."""

    def finish(self) -> None:
        """End the span and hand it to the exporter. Idempotent."""

    def __enter__(self) -> Self:
        """Return self."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Finish the span."""


class Tracer(Protocol):
    """Starts spans and carries their identity in and out of headers. Thread rules: any thread."""

    def start_span(self, name: str, parent: SpanContext | None = None) -> Span:
        """Start a span now, in the parent's trace or in a new one."""

    def inject(self, context: SpanContext, headers: MutableMapping[str, str]) -> None:
        """Write the identity into ``headers`` (``traceparent``), in place of one that is there; header names
        compare without case."""

    def extract(self, headers: Mapping[str, str]) -> SpanContext | None:
        """Read an identity from ``headers``, whose names compare without case; ``None`` where there is none
        or it is malformed.

        Never raises.
        """


__all__ = ["Span", "SpanContext", "Tracer"]
