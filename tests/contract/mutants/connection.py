"""Connections that are right, and unusual. The broken ones are in ``connection_broken.py``.

``PlayedPeer`` puts a peer beside the connection that the fakes play.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Sequence
from typing import cast

from ...api.handler import AnyHandler, ConnectionCoroutine, Handler
from ...api.session import SessionStatus
from ...fake.connection import FakeConnection
from ..mutation import Gallery
from ..suites.connection import ConnectionContract

GALLERY = Gallery(ConnectionContract)


class PlayedPeer:
    """The peer of a connection that is played."""

    kind = FakeConnection

    def __init__(self, handler: AnyHandler, *, send_limit_bytes: int) -> None:
        self.connection = self.kind(
            "/rooms/7?x=1",
            params={"room": "7"},
            subprotocol="v1",
            send_limit_bytes=send_limit_bytes,
            high_water_bytes=send_limit_bytes // 2,
            peer_reads=False,
        )
        self.handler = handler
        self.reading = True
        # A coroutine of the connection alone begins with the connection; anything else, with a message.
        self.begun = inspect.iscoroutinefunction(handler) and len(inspect.signature(handler).parameters) - len(
            handler.__defaults__ or ()
        ) == 1
        if self.begun:
            self.connection.begin(cast(ConnectionCoroutine, handler))

    def settle(self) -> None:
        with contextlib.suppress(Exception):  # as above
            self.connection.advance(1.0)
            if self.reading:
                self.connection.take_bytes()
        if not self.reading:
            return
        if self.connection.status is SessionStatus.CLOSING and self.connection.close_sent is not None:
            self.connection.peer_closes(self.connection.close_sent[0])

    def deliver(self, data: str | bytes) -> None:
        with contextlib.suppress(Exception):  # what the handler raises is told by the close frame
            if self.begun:
                self.connection.arrive(data)
            else:
                self.connection.deliver(cast(Handler, self.handler), data)

    def send_close(self, code: int | None = 1000, reason: str = "") -> None:
        self.connection.peer_closes(code, reason)

    def close(self) -> None:
        self.connection.peer_vanishes()

    def vanish(self) -> None:
        self.connection.peer_vanishes()

    def reads(self, wanted: bool) -> None:
        self.reading = wanted

    def received(self) -> Sequence[str | bytes]:
        return self.connection.sent

    def pings(self) -> Sequence[bytes]:
        return self.connection.pings

    def close_frame(self) -> tuple[int | None, str] | None:
        return self.connection.close_sent


GALLERY.oddball("no network in between: what is sent has arrived")(PlayedPeer)


class _SameReason(FakeConnection):
    def peer_closes(self, code: int | None = 1000, reason: str = "") -> None:
        super().peer_closes(code, reason or ("" if self.close_sent is None else self.close_sent[1]))


@GALLERY.oddball("a peer that answers a close frame with its reason, too")
class SameReason(PlayedPeer):
    kind = _SameReason


__all__ = ["GALLERY", "PlayedPeer"]
