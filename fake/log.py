"""Call log: what was asked of a transport and what it answered, as lines of JSON; and a transport that plays it.

*Record* a connection that misbehaves, anywhere, by wrapping its transport: every call that moves bytes becomes one
line, with its bytes in hex and its outcome. *Replay* it in a test without the network: the same calls get the same
answers, errors included, and the first call that differs from the record is an ``InvalidState`` that names the
line, what was done and what had been done then.

Nothing is opened here: whoever wants a file gives an object with ``write``, and lines to read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from ..api import errors
from ..api.errors import HioloadError, InvalidArgument, InvalidState
from ..api.poller import WRITABLE, Interest
from ..api.transport import Address, Features, MemoryAddress, Sendable, Transport
from ..api.types import Handle, WritableMemory
from ..transport.outgoing import WaterMarks, view_of, water_marks

_FEATURES: Final = Features("replay", batch=True)


class TextSink(Protocol):
    """What a file opened for writing text can do."""

    def write(self, text: str, /) -> object:
        """Take all of ``text``."""


class CallLog:
    """Lines of JSON, numbered from 1; kept in ``lines`` and given to ``sink``, if there is one."""

    __slots__ = ("_sink", "lines")

    def __init__(self, sink: TextSink | None = None) -> None:
        self._sink = sink
        self.lines: list[str] = []
        """The lines so far, without their ends."""

    def add(self, call: str, **outcome: object) -> None:
        """Add a call; what is in ``outcome`` must be made of numbers, strings and the like."""
        line = json.dumps({"n": len(self.lines) + 1, "call": call, **outcome})
        self.lines.append(line)
        if self._sink is not None:
            self._sink.write(line + "\n")


class RecordingTransport:
    """Implements ``api.transport.Transport`` by another one, and logs the calls that move bytes."""

    __slots__ = ("_inner", "_log")

    def __init__(self, inner: Transport, log: CallLog) -> None:
        """Take over ``inner``."""
        self._inner = inner
        self._log = log

    @property
    def handle(self) -> Handle:
        """That of the other one."""
        return self._inner.handle

    @property
    def interest(self) -> Interest:
        """That of the other one."""
        return self._inner.interest

    @property
    def local_address(self) -> Address:
        """That of the other one."""
        return self._inner.local_address

    @property
    def peer_address(self) -> Address:
        """That of the other one."""
        return self._inner.peer_address

    @property
    def buffered(self) -> bool:
        """That of the other one."""
        return self._inner.buffered

    @property
    def pending_bytes(self) -> int:
        """That of the other one."""
        return self._inner.pending_bytes

    def features(self) -> Features:
        """Those of the other one."""
        return self._inner.features()

    def recv_into(self, buffer: WritableMemory, /) -> int:
        """Receive, and log what came."""
        return self._logged("recv_into", {}, lambda: self._inner.recv_into(buffer), buffer)

    def send(self, batch: Sequence[Sendable], /) -> int:
        """Send, and log what was given."""
        data = b"".join(view_of(item) for item in batch)
        return self._logged("send", {"data": data.hex()}, lambda: self._inner.send(batch))

    def flush(self) -> int:
        """Flush, and log what is left."""
        return self._logged("flush", {}, self._inner.flush)

    def set_water_marks(
        self, high_bytes: int, low_bytes: int, on_change: Callable[[bool], None] | None
    ) -> None:
        """Pass on."""
        self._inner.set_water_marks(high_bytes, low_bytes, on_change)

    def shutdown(self) -> None:
        """Shut down, and log it."""
        self._inner.shutdown()
        self._log.add("shutdown")

    def close(self) -> None:
        """Close, and log it."""
        self._inner.close()
        self._log.add("close")

    def _logged(
        self,
        call: str,
        given: Mapping[str, str],
        function: Callable[[], int],
        buffer: WritableMemory | None = None,
    ) -> int:
        try:
            value = function()
        except HioloadError as error:
            self._log.add(call, **given, error=type(error).__name__, message=error.message)
            raise
        received = {} if buffer is None else {"data": bytes(memoryview(buffer)[: max(value, 0)]).hex()}
        self._log.add(call, **given, **received, value=value)
        return value


class ReplayTransport:
    """Implements ``api.transport.Transport`` by what was recorded. Thread rules: one thread.

    ``lines`` are those of a ``CallLog``; ``handle`` is for the poller. Raises ``InvalidArgument`` for lines that
    are no log.
    """

    __slots__ = ("_marks", "_records", "handle", "local_address", "peer_address", "pending_bytes")

    def __init__(self, lines: Iterable[str], handle: int = 0) -> None:
        try:
            self._records: Iterator[Mapping[str, object]] = iter([_parsed(line) for line in lines if line.strip()])
        except ValueError as error:
            raise InvalidArgument(f"not a call log: {error}") from error
        self._marks: WaterMarks | None = None
        self.handle = Handle(handle)
        self.local_address: Address = MemoryAddress("replay-local")
        self.peer_address: Address = MemoryAddress("replay-peer")
        self.pending_bytes = 0
        """What the record says was pending then."""

    @property
    def interest(self) -> Interest:
        """``WRITABLE`` while something is pending."""
        return WRITABLE if self.pending_bytes else 0

    @property
    def buffered(self) -> bool:
        """Always False: what was buffered is in the answers."""
        return False

    def features(self) -> Features:
        """Return what it can do: batches."""
        return _FEATURES

    def recv_into(self, buffer: WritableMemory, /) -> int:
        """Give out what was received then. Raises what was raised then, and ``InvalidState``."""
        record = self._next("recv_into")
        data = bytes.fromhex(str(record["data"]))
        if len(data) > len(buffer):
            raise InvalidState("the buffer is smaller than what was received then", n=record["n"])
        memoryview(buffer)[: len(data)] = data
        return _value(record)

    def send(self, batch: Sequence[Sendable], /) -> int:
        """Compare with what was sent then. Raises what was raised then, and ``InvalidState``."""
        return self._moved(self._next("send", b"".join(view_of(item) for item in batch).hex()))

    def flush(self) -> int:
        """Answer as then. Raises what was raised then, and ``InvalidState``."""
        return self._moved(self._next("flush"))

    def set_water_marks(
        self, high_bytes: int, low_bytes: int, on_change: Callable[[bool], None] | None
    ) -> None:
        """Contract as ``api.transport.Transport.set_water_marks``."""
        self._marks = water_marks(high_bytes, low_bytes, on_change)

    def shutdown(self) -> None:
        """It must have been done then. Raises ``InvalidState``."""
        self._next("shutdown")

    def close(self) -> None:
        """It must have been done then. Raises ``InvalidState``."""
        self._next("close")

    @property
    def finished(self) -> bool:
        """Whether everything that was recorded has been done. Looks ahead, so ask at the end."""
        return next(self._records, None) is None

    def _next(self, call: str, data: str | None = None) -> Mapping[str, object]:
        """Return the record of this call, or raise what was raised then."""
        record = next(self._records, None)
        if record is None:
            raise InvalidState(f"{call}: the record has ended")
        if record["call"] != call or (data is not None and record["data"] != data):
            raise InvalidState(
                f"{call} differs from the record", n=record["n"], call=record["call"], was=record.get("data"), now=data
            )
        if "error" in record:
            kind = getattr(errors, str(record["error"]))
            raise kind(str(record["message"]))
        return record

    def _moved(self, record: Mapping[str, object]) -> int:
        self.pending_bytes = _value(record)
        if self._marks is not None:
            self._marks.update(self.pending_bytes)
        return self.pending_bytes


def _parsed(line: str) -> Mapping[str, object]:
    record = json.loads(line)
    if not isinstance(record, dict) or not isinstance(record.get("call"), str):
        raise ValueError(f"not a call: {line[:80]}")
    return record


def _value(record: Mapping[str, object]) -> int:
    value = record["value"]
    if not isinstance(value, int):
        raise InvalidState("the record has no value here", n=record["n"])
    return value


__all__ = ["CallLog", "RecordingTransport", "ReplayTransport", "TextSink"]
