"""Broken connections: each is the one that the fakes play, with one method changed; ``connection.py`` has its peer."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable

from ...api.connection import SendableMessage
from ...api.errors import InvalidArgument, ResourceExhausted, TransportClosed
from ...api.handler import Handler
from ...api.message import Message
from ...api.session import SessionStatus
from ...api.types import ReadableMemory
from ...fake.connection import FakeConnection
from ...fake.message import fake_message
from ..mutation import Gallery
from ..suites.connection import ConnectionContract
from .connection import PlayedPeer

GALLERY = Gallery(ConnectionContract)


def breaks(kills: str, why: str, kind: type[FakeConnection]) -> None:
    """Add the peer of a connection of this kind."""
    GALLERY.mutant(kills, why)(type(kind.__name__, (PlayedPeer,), {"kind": kind, "__module__": __name__}))


class OpensLate(FakeConnection):
    @property
    def status(self) -> SessionStatus:
        status = super().status
        return SessionStatus.CONNECTING if status is SessionStatus.ACTIVE and not self.sent else status


class LosesLastByte(FakeConnection):
    def send(self, data: SendableMessage) -> int:
        told = super().send(data)
        last = self.sent[-1]
        if isinstance(last, bytes) and len(last) > 65536:
            self.sent[-1] = last[:-1]
        return told


class TextAsBinary(FakeConnection):
    def send(self, data: SendableMessage) -> int:
        return super().send(data.encode() if isinstance(data, str) and len(data) > 10000 else data)


class LargeFirst(FakeConnection):
    def send(self, data: SendableMessage) -> int:
        told = super().send(data)
        if len(self.sent) > 1 and len(self.sent[-1]) == 3000:
            self.sent[-2:] = self.sent[:-3:-1]
        return told


class ShortViews(FakeConnection):
    def send(self, data: SendableMessage) -> int:
        if isinstance(data, memoryview) and data.itemsize > 1:
            data = data.cast("B")[: len(data)]
        return super().send(data)


class ClosesOnBadType(FakeConnection):
    def send(self, data: SendableMessage) -> int:
        try:
            return super().send(data)
        except InvalidArgument:
            self.pending_bytes += 1
            raise


class TakesNumbers(FakeConnection):
    def send(self, data: SendableMessage) -> int:
        return super().send(data if hasattr(data, "__len__") else repr(data))


class HearsEmpty(FakeConnection):
    def deliver(self, handler: Handler, data: str | bytes) -> None:
        if data:
            super().deliver(handler, data)


class HandsOutAnother(FakeConnection):
    def deliver(self, handler: Handler, data: str | bytes) -> None:
        other = FakeConnection()
        super().deliver(lambda connection, message: handler(other, message), data)


class EchoesBinary(FakeConnection):
    def send(self, data: SendableMessage) -> int:
        return super().send(data if isinstance(data, (str, bytes, bytearray, memoryview)) else data.copy())


class KeepsMemory(FakeConnection):
    """Base: keeps writable memory by reference until ``take_bytes``."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # what the peer passes on
        self.borrowed: list[tuple[int, bytearray | memoryview]] = []
        self.handling = False

    def send(self, data: SendableMessage) -> int:
        told = super().send(data)
        if isinstance(data, (bytearray, memoryview)) and self.keeps():
            self.borrowed.append((len(self.sent) - 1, data))
        return told

    def keeps(self) -> bool:
        return not self.handling

    def deliver(self, handler: Handler, data: str | bytes) -> None:
        self.handling = True
        super().deliver(handler, data)
        self.handling = False

    def take_bytes(self) -> int:
        for at, memory in self.borrowed:
            self.sent[at] = bytes(memory)
        return super().take_bytes()


class KeepsAfterHandler(KeepsMemory):
    def keeps(self) -> bool:
        return self.handling


class NeverEnds(FakeConnection):
    def deliver(self, handler: Handler, data: str | bytes) -> None:
        if self.status is SessionStatus.ACTIVE:
            handler(self, fake_message(data, self.pool))


class EndsRetained(FakeConnection):
    def deliver(self, handler: Handler, data: str | bytes) -> None:
        if self.status is SessionStatus.ACTIVE:
            message = fake_message(data, self.pool)
            before = self.pool.stats().in_use_count
            handler(self, message)
            message.expire()
            if self.pool.stats().in_use_count > before:
                message.release()


class TellsOnlyThis(FakeConnection):
    def send(self, data: SendableMessage) -> int:
        before = self.pending_bytes
        return super().send(data) - before


class CountsRefused(FakeConnection):
    def send(self, data: SendableMessage) -> int:
        try:
            return super().send(data)
        except ResourceExhausted:
            self.pending_bytes += 100
            raise


class DropsBeyond(FakeConnection):
    def send(self, data: SendableMessage) -> int:
        try:
            return super().send(data)
        except ResourceExhausted:
            return self.pending_bytes


class CutsPings(FakeConnection):
    def ping(self, payload: ReadableMemory = b"") -> None:
        super().ping(payload[:125])


class DropsQueue(FakeConnection):
    def close(self, code: int = 1000, reason: str = "") -> None:
        if self.pending_bytes:
            self.sent.pop()
        super().close(code, reason)


class ClosesAtOnce(FakeConnection):
    def close(self, code: int = 1000, reason: str = "") -> None:
        super().close(code, reason)
        self.peer_closes(code)


class CodeAtOnce(FakeConnection):
    def close(self, code: int = 1000, reason: str = "") -> None:
        super().close(code, reason)
        if self.close_sent is not None:
            self.close_code = self.close_sent[0]


class LastCodeCounts(FakeConnection):
    def close(self, code: int = 1000, reason: str = "") -> None:
        super().close(code, reason)
        if self.status is SessionStatus.CLOSING:
            self.close_sent = (code, reason)


class RaisesWhenClosed(FakeConnection):
    def close(self, code: int = 1000, reason: str = "") -> None:
        if self.status is SessionStatus.CLOSED:
            raise TransportClosed("closed")
        super().close(code, reason)


class AnyCode(FakeConnection):
    def close(self, code: int = 1000, reason: str = "") -> None:
        super().close(code if code < 5000 and code not in (1005, 1006) else 1000, reason)


class ClosedByBadCode(FakeConnection):
    def close(self, code: int = 1000, reason: str = "") -> None:
        try:
            super().close(code, reason)
        except InvalidArgument:
            super().close(1011)
            raise


class SendsWhileClosing(FakeConnection):
    def send(self, data: SendableMessage) -> int:
        return 0 if self.status is SessionStatus.CLOSING else super().send(data)


class HearsWhileClosing(FakeConnection):
    def deliver(self, handler: Handler, data: str | bytes) -> None:
        if self.status is SessionStatus.CLOSING:
            handler(self, fake_message(data, self.pool))
        super().deliver(handler, data)


class ForgetsReason(FakeConnection):
    def peer_closes(self, code: int | None = 1000, reason: str = "") -> None:
        super().peer_closes(code)


class NormalWithoutCode(FakeConnection):
    def peer_closes(self, code: int | None = 1000, reason: str = "") -> None:
        super().peer_closes(1000 if code is None else code, reason)


class VanishedIsNormal(FakeConnection):
    def peer_vanishes(self) -> None:
        self.peer_closes(1000)


class LivesOn(FakeConnection):
    def deliver(self, handler: Handler, data: str | bytes) -> None:
        def guarded(connection: object, message: Message) -> None:
            with contextlib.suppress(Exception):
                handler(self, message)

        super().deliver(guarded, data)


class ClosesNormallyOnCancel(FakeConnection):
    def _session_ended(self) -> None:
        self.close_sent = self.close_sent or (1000, "")
        super()._session_ended()


class SessionAtClose(FakeConnection):
    def peer_vanishes(self) -> None:
        self.close_code, self.gone = 1006, True

    gone = False

    @property
    def status(self) -> SessionStatus:
        return SessionStatus.CLOSED if self.gone else super().status


class ReopensAtEnd(FakeConnection):
    asked = 0

    @property
    def status(self) -> SessionStatus:
        status = super().status
        if status is SessionStatus.CLOSED:
            self.asked += 1
            if self.asked > 6:
                return SessionStatus.CLOSING
        return status


class ForgetsPath(FakeConnection):
    @property
    def path(self) -> str:
        return "" if self.status is SessionStatus.CLOSED else super().path


class AllAtOnce(FakeConnection):
    def deliver(self, handler: Handler, data: str | bytes) -> None:
        self._attached = self.conversation = None
        super().deliver(handler, data)


class SkipsSmall(FakeConnection):
    def arrive(self, data: str | bytes) -> None:
        if len(data) != 1:
            super().arrive(data)


class ReusesMessage(FakeConnection):
    def arrive(self, data: str | bytes) -> None:
        assert self._attached is not None
        handler = self._attached[1]
        self._attached = (self._attached[0], lambda connection, message: handler(connection, message.retain()))
        super().arrive(data)
        self._attached = (self._attached[0], handler)


class NeverTimesOut(FakeConnection):
    def receive(self, timeout_s: float | None = None) -> Awaitable[Message]:
        return super().receive(None if timeout_s == 0 else timeout_s)


class NeverDrains(FakeConnection):
    def drain(self) -> Awaitable[None]:  # type: ignore[override]  # what can be awaited is all that is asked
        return self.nothing()

    async def nothing(self) -> None:
        self._check_open()


class EndsNormally(FakeConnection):
    def application_failed(self, error: BaseException, origin: object) -> None:
        self.close(1000)


breaks("CON-01", "is active with its first message", OpensLate)
breaks("CON-02", "loses the last byte above 64 KiB", LosesLastByte)
breaks("CON-02", "sends long text as binary", TextAsBinary)
breaks("CON-03", "sends large messages before small ones", LargeFirst)
breaks("CON-04", "counts items and not bytes", ShortViews)
breaks("CON-05", "counts what it refuses", ClosesOnBadType)
breaks("CON-05", "sends what repr makes of anything", TakesNumbers)
breaks("CON-06", "does not tell of empty messages", HearsEmpty)
breaks("CON-06", "hands out another object than the connection", HandsOutAnother)
breaks("CON-07", "sends every message as binary", EchoesBinary)
breaks("CON-08", "reads memory when it is sent, not when send is called", KeepsMemory)
breaks("CON-09", "reads memory that a handler sent when the peer does", KeepsAfterHandler)
breaks("CON-10", "never ends a message", NeverEnds)
breaks("CON-11", "releases what the handler retained", EndsRetained)
breaks("CON-12", "answers with the size of this message only", TellsOnlyThis)
breaks("CON-13", "counts what it refused as pending", CountsRefused)
breaks("CON-13", "drops messages beyond the limit, and says nothing", DropsBeyond)
breaks("CON-14", "cuts pings at 125 bytes", CutsPings)
breaks("CON-15", "drops what is queued when it closes", DropsQueue)
breaks("CON-15", "does not wait for the peer's answer", ClosesAtOnce)
breaks("CON-16", "has a close code when it begins to close", CodeAtOnce)
breaks("CON-17", "sends the code of the last call", LastCodeCounts)
breaks("CON-17", "raises when it is closed after its end", RaisesWhenClosed)
breaks("CON-18", "takes 1000 for a code that it can't send", AnyCode)
breaks("CON-18", "is closed by a code that it refuses", ClosedByBadCode)
breaks("CON-19", "accepts messages while it closes", SendsWhileClosing)
breaks("CON-20", "hears messages while it closes", HearsWhileClosing)
breaks("CON-21", "forgets the peer's reason", ForgetsReason)
breaks("CON-21", "says 1000 where the peer had no code", NormalWithoutCode)
breaks("CON-22", "takes a peer that vanished for one that closed", VanishedIsNormal)
breaks("CON-23", "goes on when a handler raised", LivesOn)
breaks("CON-24", "closes with 1000 when its session is cancelled", ClosesNormallyOnCancel)
breaks("CON-25", "leaves its session alive when the peer vanishes", SessionAtClose)
breaks("CON-26", "is closing once more after its end", ReopensAtEnd)
breaks("CON-27", "forgets its path at the end", ForgetsPath)

breaks("CON-28", "begins with the next message before it is done with the last", AllAtOnce)
breaks("CON-29", "leaves short messages out of the iteration", SkipsSmall)
breaks("CON-30", "never ends a message of a coroutine", ReusesMessage)
breaks("CON-31", "waits for ever where it should not wait at all", NeverTimesOut)
breaks("CON-32", "does not wait for the peer to read", NeverDrains)
breaks("CON-33", "closes with 1000 when a coroutine raises", EndsNormally)

__all__ = ["GALLERY"]
