"""Lifetime: how far a connection is, what time limit it has now, and how it ends.

Five stretches: *connecting* (an ``Opening`` reads the handshake), *active*, *closing* (our close frame is
queued, the peer's is awaited), *ending* (both ends are done) and *closed*. Status never moves back.

*Ending* exists because a socket that is closed with unread bytes resets the connection, and a reset may
overtake our close frame (RFC 6455 §7.1.1). So what is queued leaves, the output is shut down (the server's
first: it shall be the one that keeps TIME_WAIT), and what the peer still sends is thrown away until it hangs
up, all within one time limit.

A connection is one deadline (``internal/deadlines.py``), whatever stretch it is in, and works out when it passes
from what it knows anyway: when it was heard, when the stretch began. So being heard from costs one store, and a
limit costs an idle connection no memory.
"""

from __future__ import annotations

from abc import abstractmethod

from ..api.codec import Role
from ..api.errors import ConnectionLost, HioloadError, InternalError, InvalidState, TimedOut
from ..api.http import Request
from ..api.poller import READABLE
from ..api.session import Session, SessionStatus
from ..api.transport import END_OF_STREAM, Transport
from ..api.types import Nanoseconds
from ..transport.stream import LAST_WORDS, NO_SIGNAL
from .hub import Hub
from .roles import Established, Host, Opening
from .wire import Wire

_CONNECTING = SessionStatus.CONNECTING
_ACTIVE = SessionStatus.ACTIVE
_CLOSING = SessionStatus.CLOSING
_CLOSED = SessionStatus.CLOSED
_ABNORMAL = 1006
NEVER_NS = 1 << 62
"""A moment that does not come."""
_GOING_AWAY = 1001


class Lifetime(Wire):
    """A wire with a status, time limits and an end. Thread rules: the reactor's thread."""

    __slots__ = (
        "_close_code",
        "_close_reason",
        "_ending",
        "_error",
        "_established",
        "_heard_ns",
        "_host",
        "_message_ns",
        "_opening",
        "_pinged_ns",
        "_request",
        "_session",
        "_status",
    )

    def __init__(self, hub: Hub, transport: Transport, host: Host, opening: Opening) -> None:
        """Start to connect; errors as ``Wire``."""
        super().__init__(hub, transport)
        self._host = host
        self._opening: Opening | None = opening
        self._established: Established | None = None
        self._session: Session | None = None
        # What is this connection's own of its request, or all of it once somebody has asked.
        self._request: bytes | Request = b""
        self._status = _CONNECTING
        self._ending = False
        self._error: HioloadError | None = None
        self._close_code: int | None = None
        self._close_reason = ""
        # ``_message_ns``: when an active connection had its last message; else, when the stretch began.
        self._heard_ns = self._message_ns = hub.reactor.turn_ns
        self._pinged_ns = 0  # a ping is out while it is later than ``_heard_ns``
        hub.wheel.file(self)

    @property
    def status(self) -> SessionStatus:
        """How far the connection is."""
        return self._status

    @property
    def close_code(self) -> int | None:
        """The code the connection closed with; ``None`` before."""
        return self._close_code

    @property
    def close_reason(self) -> str:
        """The peer's reason, or ours when we closed first."""
        return self._close_reason

    def refuse(self, response: bytes) -> None:
        """For openings: send a last response and end. ``Opening.failed`` is not called."""
        self._opening = None
        self._queue([response])
        self._end()

    def expect_opening_by(self, when_ns: Nanoseconds) -> None:
        """For openings that began before this connection: its time limit is this moment."""
        self._message_ns = when_ns - self._settings.handshake_timeout_ns
        self._hub.wheel.file(self)

    def finish(self, error: HioloadError | None = None) -> None:
        """Let go of everything now. Idempotent. The peer sees the end of the stream, or a reset."""
        if self._status is _CLOSED:
            return
        self._status = _CLOSED
        hub = self._hub
        hub.wheel.withdraw(self)
        self._release()
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.failed(error or ConnectionLost("closed during the opening handshake"))
        if self._close_code is None:
            self._close_code = _ABNORMAL  # RFC 6455 §7.1.5: no close frame was received.
        if self._session is not None:
            self._close_codec()
            self._session.cancel()
            hub.traffic.connection_closed(self._close_code)
        self._gone(error)

    def _agreed(self) -> Established:
        if self._established is None:
            raise self._not_agreed()
        return self._established

    def _not_agreed(self) -> InvalidState:
        return InvalidState("the opening handshake is not done", state=self._status.name.lower())

    def _closed(self) -> bool:
        return self._status is _CLOSED

    def _open(self) -> bool:
        return self._status is _ACTIVE

    def _begin_closing(self) -> None:
        """Our close frame is queued. Idempotent."""
        if self._status < _CLOSING:
            self._status = _CLOSING
            self._bare = None
            if self._paused:
                self.hold_back(False)
            if self._session is not None:
                self._session.advance(_CLOSING)
            hub = self._hub
            self._message_ns = hub.reactor.turn_ns
            hub.wheel.file(self)

    def _end(self) -> None:
        """Both ends are done, or the peer may not go on: send what is queued, then wait for the hang-up."""
        self._ending = True
        hangs_up = self._host.role is Role.SERVER
        bare = self._bare
        self.flush(LAST_WORDS if hangs_up else NO_SIGNAL)  # first, while it may be sent the short way
        if self._status is _CLOSED:
            return
        self._begin_closing()
        if hangs_up:
            self._transport.shutdown()
        if bare is None or self._pending_bytes or self._interest != READABLE or self._paused:
            self._settle()
        if not self._reading:
            self._finish_if_done()

    def _discard(self) -> bool:
        """Ending: read and forget; as ``_read``."""
        count_bytes = self._transport.recv_into(self._hub.read.memory)
        if count_bytes == END_OF_STREAM:
            self._reading = False
            if not self._pending_bytes:
                self.finish(self._error)
                return False
        self._settle()
        self._finish_if_done()
        return count_bytes > 0

    def _discard_ready(self) -> None:
        """Ending, with nothing to send: called by the reactor."""
        try:
            self._discard()
        except ConnectionLost as error:
            self._lost(error)

    def _finish_if_done(self) -> None:
        if self._ending and not self._reading and not self._pending_bytes:
            self.finish(self._error)

    def _sent(self) -> None:
        # A peer that takes what we send is alive, even while we do not read from it.
        self._heard_ns = self._hub.now_ns()
        self._finish_if_done()

    def _lost(self, error: ConnectionLost) -> None:
        # A reset after both ends are done destroyed nothing that anybody waits for.
        self.finish(self._error if self._ending else error)

    def _broken(self, error: Exception) -> None:
        """It is reported, and the connection let go: how much of a frame has left, nobody knows."""
        self._hub.report(error, self)
        self.finish(InternalError("what must not happen did, and was reported", kind=type(error).__name__))

    @property
    def deadline_ns(self) -> Nanoseconds:
        """The moment at which the time limit of the stretch is over; while active, the first at which
        ``_keep_alive`` may have something to do."""
        settings = self._settings
        if self._status is not _ACTIVE:
            connecting = self._status is _CONNECTING
            return self._message_ns + (settings.handshake_timeout_ns if connecting else settings.close_timeout_ns)
        if self._pinged_ns > self._heard_ns:
            moment_ns = self._pinged_ns + settings.ping_timeout_ns
        elif settings.ping_interval_ns:
            moment_ns = self._heard_ns + settings.ping_interval_ns
        else:
            moment_ns = NEVER_NS
        if settings.idle_timeout_ns:
            return min(moment_ns, self._message_ns + settings.idle_timeout_ns)
        return moment_ns

    def expire(self) -> None:
        """Called by the wheel: the deadline has passed."""
        if self._status is _ACTIVE:
            self._keep_alive()
        elif self._ending:
            self.finish(self._error)
        elif self._status is _CLOSING:
            self.finish(TimedOut("the peer did not answer the close frame in time"))
        else:
            self.finish(TimedOut("the opening handshake was not done in time"))

    def _keep_alive(self) -> None:
        """Active: ping a silent peer, drop one that does not answer, close an idle connection."""
        self._rest()
        settings = self._settings
        now_ns = self._hub.now_ns()
        if self.held_back:
            # Its messages wait for the handler, and whatever else it has sent waits behind them.
            self._heard_ns = self._message_ns = now_ns
        if not settings.idle_timeout_ns:
            self._message_ns = self._heard_ns  # nobody asks: one number instead of two
        elif now_ns - self._message_ns >= settings.idle_timeout_ns:
            self.close(_GOING_AWAY, "idle for too long")
            return
        if self._pinged_ns <= self._heard_ns:
            self._pinged_ns = 0
            if settings.ping_interval_ns and now_ns - self._heard_ns >= settings.ping_interval_ns:
                self._pinged_ns = now_ns
                self.ping()
        else:  # one is out, and it was its time limit that has passed
            self.finish(TimedOut("the peer did not answer a ping in time"))
            return
        self._file_keep_alive()

    def _begin_keep_alive(self) -> None:
        """The handshake is done. Its deadline is still filed, and is looked at early enough, unless a limit of the
        next stretch is shorter."""
        settings = self._settings
        before_ns = settings.handshake_timeout_ns
        if settings.ping_interval_ns < before_ns or 0 < settings.idle_timeout_ns < before_ns:
            self._file_keep_alive()

    def _file_keep_alive(self) -> None:
        """Have ``_keep_alive`` called when it may have something to do, if it ever has."""
        settings = self._settings
        if settings.ping_interval_ns or settings.idle_timeout_ns:
            self._hub.wheel.file(self)
        else:
            self._hub.wheel.withdraw(self)

    def _session_ended(self, session: Session) -> None:
        """For the session: it ended, on any thread, by us or by somebody who wants the connection closed."""
        if self._status is _CLOSED:
            return
        if not self._hub.reactor.post(self._cancelled):
            full = ConnectionLost("a cancelled session could not reach its reactor", session=session.id)
            self._hub.report(full, self)

    def _cancelled(self) -> None:
        if self._status is _ACTIVE:
            self.close(_GOING_AWAY, "session cancelled")

    @abstractmethod
    def _check_open(self) -> None:
        """Raise ``TransportClosed`` unless messages may be sent."""

    @abstractmethod
    def ping(self) -> None:
        """Send a ping."""

    @abstractmethod
    def close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake."""

    @abstractmethod
    def _rest(self) -> None:
        """A moment in which memory may be given back that is not needed now."""

    @abstractmethod
    def _close_codec(self) -> None:
        """Release what the protocol holds for this connection, which was open."""

    @abstractmethod
    def _gone(self, error: HioloadError | None) -> None:
        """``finish`` is done: tell the host."""


__all__ = ["NEVER_NS", "Lifetime"]
