"""Broken tracers and unusual ones. ``Correct`` is a tracer that keeps what its spans recorded."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, MutableMapping, Sequence
from types import TracebackType
from typing import Self

from ...api.tracer import Span, SpanContext
from ..mutation import Gallery
from ..suites.tracer import Recorded, TracerContract

GALLERY = Gallery(TracerContract)

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_NAME = "traceparent"


class CorrectSpan:
    """A span."""

    def __init__(self, tracer: Correct, name: str, context: SpanContext) -> None:
        self.tracer_of = tracer
        self.name = name
        self.context = context
        self.tags: dict[str, object] = {}
        self.entries: list[tuple[str, Mapping[str, object]]] = []
        self.finished = False

    def set_tag(self, key: str, value: str | int | float | bool) -> None:
        if not self.finished:
            self.tags[key] = value

    def log(self, message: str, **fields: object) -> None:
        if not self.finished:
            self.entries.append((message, fields))

    def finish(self) -> None:
        if not self.finished:
            self.finished = True
            self.record()

    def record(self) -> None:
        if self.context.sampled:
            self.tracer_of.kept.append(Recorded(self.name, self.context, self.tags, self.entries))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if error is not None:
            self.set_tag("error", str(error))
        self.finish()


class Correct:
    """A tracer, which is its own subject."""

    span = CorrectSpan

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.kept: list[Recorded] = []

    @property
    def tracer(self) -> Self:
        return self

    def recorded(self) -> Sequence[Recorded] | None:
        return self.kept

    def number(self) -> int:
        with self.lock:
            self.count += 1
            return self.count

    def start_span(self, name: str, parent: SpanContext | None = None) -> Span:
        return self.span(self, name, self.identity(parent))

    def identity(self, parent: SpanContext | None) -> SpanContext:
        number = self.number()
        if parent is None:
            return SpanContext(f"{number:032x}", f"{number:016x}")
        return SpanContext(parent.trace_id, f"{number:016x}", parent.sampled)

    def inject(self, context: SpanContext, headers: MutableMapping[str, str]) -> None:
        for name in [name for name in headers if name.lower() == _NAME]:
            del headers[name]
        headers[_NAME] = f"00-{context.trace_id}-{context.span_id}-{int(context.sampled):02x}"

    def extract(self, headers: Mapping[str, str]) -> SpanContext | None:
        values = [value for name, value in headers.items() if name.lower() == _NAME]
        return self.parse(values[0]) if len(values) == 1 else None

    def parse(self, value: str) -> SpanContext | None:
        match = _FORM.fullmatch(value)
        if match is None or not match[2].strip("0") or not match[3].strip("0"):
            return None
        if match[1] == "ff" or (match[1] == "00" and match[5] is not None):
            return None
        return SpanContext(match[2], match[3], bool(int(match[4], 16) & 1))


@GALLERY.mutant("TRC-01", "writes ids in upper case")
class UpperCase(Correct):
    def number(self) -> int:
        return super().number() + 9

    def identity(self, parent: SpanContext | None) -> SpanContext:
        found = super().identity(parent)
        return SpanContext(found.trace_id.upper(), found.span_id.upper(), found.sampled)


@GALLERY.mutant("TRC-01", "begins to count at zero")
class CountsFromZero(Correct):
    def number(self) -> int:
        return super().number() - 1


@GALLERY.mutant("TRC-02", "has one trace for all")
class OneTrace(Correct):
    def identity(self, parent: SpanContext | None) -> SpanContext:
        return SpanContext("1" * 32, super().identity(parent).span_id)


@GALLERY.mutant("TRC-03", "samples children whatever their parents are")
class SamplesAll(Correct):
    def identity(self, parent: SpanContext | None) -> SpanContext:
        found = super().identity(parent)
        return SpanContext(found.trace_id, found.span_id)


@GALLERY.mutant("TRC-04", "writes every identity as sampled")
class InjectsSampled(Correct):
    def inject(self, context: SpanContext, headers: MutableMapping[str, str]) -> None:
        super().inject(SpanContext(context.trace_id, context.span_id), headers)


@GALLERY.mutant("TRC-05", "adds its header to one of another case")
class AddsHeader(Correct):
    def inject(self, context: SpanContext, headers: MutableMapping[str, str]) -> None:
        others = {name: value for name, value in headers.items() if name != _NAME}
        super().inject(context, headers)
        headers.update(others)


@GALLERY.mutant("TRC-06", "takes any flag for the sampled bit")
class AnyFlag(Correct):
    def parse(self, value: str) -> SpanContext | None:
        found = super().parse(value)
        return found and SpanContext(found.trace_id, found.span_id, value[53:55] != "00")


@GALLERY.mutant("TRC-06", "knows its header in lower case only")
class LowerCase(Correct):
    def extract(self, headers: Mapping[str, str]) -> SpanContext | None:
        return self.parse(headers.get(_NAME, ""))


@GALLERY.mutant("TRC-07", "reads ids that are all zero")
class ReadsZeros(Correct):
    def parse(self, value: str) -> SpanContext | None:
        found = super().parse(value)
        zeros = _FORM.fullmatch(value)
        return SpanContext(zeros[2], zeros[3]) if found is None and zeros and value[:2] == "00" else found


@GALLERY.mutant("TRC-07", "raises for what it can't read")
class RaisesNonsense(Correct):
    def parse(self, value: str) -> SpanContext | None:
        _, trace_id, span_id, flags = value.split("-", 3)
        int(trace_id, 16), int(span_id, 16), int(flags[:2], 16)
        return super().parse(value)


@GALLERY.mutant("TRC-08", "knows no version but the first")
class FirstVersion(Correct):
    def parse(self, value: str) -> SpanContext | None:
        return super().parse(value) if value[:2] == "00" else None


@GALLERY.mutant("TRC-09", "counts in two steps")
class TwoSteps(Correct):
    def number(self) -> int:
        number = self.count
        self.count = number + 1
        return number + 1


class _NewIdentity(CorrectSpan):
    def finish(self) -> None:
        super().finish()
        self.context = SpanContext(self.context.trace_id, "f" * 16, self.context.sampled)


@GALLERY.mutant("SPN-01", "has spans that are somebody else when they are finished")
class NewIdentity(Correct):
    span = _NewIdentity


class _Twice(CorrectSpan):
    def finish(self) -> None:
        self.finished = True
        self.record()


@GALLERY.mutant("SPN-02", "records a span each time it is finished")
class Twice(Correct):
    span = _Twice


class _FirstTag(CorrectSpan):
    def set_tag(self, key: str, value: str | int | float | bool) -> None:
        self.tags.setdefault(key, value)


@GALLERY.mutant("SPN-03", "keeps the first value of a tag")
class FirstTag(Correct):
    span = _FirstTag


class _LastEntry(CorrectSpan):
    def log(self, message: str, **fields: object) -> None:
        self.entries = [each for each in self.entries if each[0] != message]
        super().log(message, **fields)


@GALLERY.mutant("SPN-04", "keeps one entry per message")
class LastEntry(Correct):
    span = _LastEntry


class _WritesOn(CorrectSpan):
    def log(self, message: str, **fields: object) -> None:
        self.entries.append((message, fields))


@GALLERY.mutant("SPN-05", "adds entries after the end")
class WritesOn(Correct):
    span = _WritesOn


class _LeavesOpen(CorrectSpan):
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if error is not None:
            super().__exit__(kind, error, trace)


@GALLERY.mutant("SPN-06", "finishes a block only where something went wrong")
class LeavesOpen(Correct):
    span = _LeavesOpen


class _Swallows(CorrectSpan):
    def __exit__(  # type: ignore[override]  # that is what is wrong with it
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> bool:
        super().__exit__(kind, error, trace)
        return True


@GALLERY.mutant("SPN-07", "swallows what leaves a block")
class Swallows(Correct):
    span = _Swallows


class _NoError(CorrectSpan):
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.finish()


@GALLERY.mutant("SPN-07", "does not tell of errors")
class NoError(Correct):
    span = _NoError


class _Strict(CorrectSpan):
    def log(self, message: str, **fields: object) -> None:
        if not message:
            raise ValueError("an empty message")
        super().log(message, **fields)


@GALLERY.mutant("SPN-08", "has something against empty messages")
class Strict(Correct):
    span = _Strict


GALLERY.oddball("ids that count")(Correct)


class _Silent(CorrectSpan):
    def record(self) -> None:
        return None


@GALLERY.oddball("records nothing, and samples nothing")
class Silent(Correct):
    span = _Silent

    def recorded(self) -> Sequence[Recorded] | None:
        return None

    def identity(self, parent: SpanContext | None) -> SpanContext:
        found = super().identity(parent)
        return SpanContext(found.trace_id, found.span_id, sampled=False)


__all__ = ["GALLERY", "Correct", "CorrectSpan"]
