"""W3C Trace Context: the header ``traceparent``, read and written.

    00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
    |  trace id (32 hex)                span id (16)     flags: bit 0 = sampled
    version

The recommendation is strict where it matters: lower-case hexadecimal only, no zero ids, version ``ff`` is
invalid, version ``00`` has exactly these four fields. A higher version may have more behind a further dash, and
is read for what we know of it (W3C Trace Context, §3.2 and §4.3).
"""

from __future__ import annotations

import re
from typing import Final

from ..api.tracer import SpanContext

HEADER: Final = "traceparent"

_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII | re.DOTALL)
_SAMPLED: Final = 0x01


def render(context: SpanContext) -> str:
    """Return the value of ``traceparent`` for a span, version ``00``."""
    return f"00-{context.trace_id}-{context.span_id}-{_SAMPLED if context.sampled else 0:02x}"


def parse(text: str) -> SpanContext | None:
    """Return the span a ``traceparent`` names, or ``None`` for one that is malformed. Never raises."""
    match = _FORM.fullmatch(text.strip(" \t"))
    if match is None:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    if version == "ff" or (version == "00" and more is not None):
        return None
    if not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return SpanContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


__all__ = ["HEADER", "parse", "render"]
