"""The contract of tracers and spans, on the one that records, the one that is off, and the one of the fakes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hioload_ws.contract.engine import Factory
from hioload_ws.contract.suites.tracer import RECORDING, Recorded, TracerContract
from hioload_ws.control import NullTracer, SpanList, SpanTracer
from hioload_ws.fake import FakeTracer, VirtualClock
from hioload_ws.internal import SystemClock
from tests.kit.holding import hold


class Real:
    """The tracer that records, with a list."""

    def __init__(self) -> None:
        self.spans = SpanList()
        self.tracer = SpanTracer(SystemClock(), self.spans)

    def recorded(self) -> Sequence[Recorded] | None:
        return [
            Recorded(each.name, each.context, each.tags, [(one.message, one.fields) for one in each.entries])
            for each in self.spans.spans()
        ]


class Fake:
    """The tracer of the fakes, whose spans are there from the start."""

    def __init__(self) -> None:
        self.tracer = FakeTracer(VirtualClock())

    def recorded(self) -> Sequence[Recorded] | None:
        return [
            Recorded(each.name, each.context, each.tags, [(message, fields) for _, message, fields in each.logs])
            for each in self.tracer.spans
            if each.ended_ns is not None
        ]


class Off:
    """The tracer that does nothing."""

    def __init__(self) -> None:
        self.tracer = NullTracer()

    def recorded(self) -> Sequence[Recorded] | None:
        return None


@pytest.mark.parametrize(("name", "make"), [("SpanTracer", Real), ("FakeTracer", Fake)])
def test_every_tracer_of_ours_that_records_is_conformant(name: str, make: Factory) -> None:
    hold(TracerContract, make, name)


def test_the_tracer_that_is_off_is_conformant_and_records_nothing() -> None:
    hold(TracerContract, Off, "NullTracer", unsupported={RECORDING: "it is the tracer that is off"})
