"""The contract of ``Connection``: what a handler holds in its hand.

Messages and pings are in ``connection_traffic.py``, coroutines in ``connection_coroutines.py``; here is how it ends,
and what stays after that.
"""

from __future__ import annotations

from functools import partial

from ...api.connection import Connection
from ...api.errors import InvalidArgument, TransportClosed
from ...api.message import Message
from ...api.session import SessionStatus
from ...api.transport import Features
from ..peer import Data, Peer, deliver, send
from ..requirement import must, requirement
from ..trial import Trial
from .connection_coroutines import ConnectionCoroutinesContract

CONNECTION = (
    must(
        "CON-15",
        "close sends what is queued, then code and reason; the peer's answer closes the connection.",
        "CON-03",
    ),
    must("CON-16", "The close code is there when the connection closed, and not before.", "CON-15"),
    must("CON-17", "close may be repeated at any time; the first code counts.", "CON-15"),
    must(
        "CON-18",
        "A code that may not be sent, or a reason above 123 bytes, is refused; nothing closes.",
        "CON-15",
    ),
    must("CON-19", "Once closing has begun, send and ping raise TransportClosed.", "CON-15"),
    must("CON-20", "Messages that arrive once closing has begun are discarded.", "CON-15", "CON-06"),
    must(
        "CON-21",
        "When the peer closes, its code is answered and kept, 1005 without one, and its reason.",
        "CON-01",
    ),
    must("CON-22", "When the peer vanishes, the connection is closed with 1006.", "CON-01"),
    must(
        "CON-23",
        "A handler that raises closes its connection with 1011, and hears no more.",
        "CON-15",
        "CON-06",
    ),
    must("CON-24", "Cancelling the session closes the connection with 1001.", "CON-15"),
    must("CON-25", "The session ends once, when the connection is closed.", "CON-15", "CON-22"),
    must("CON-26", "Status moves one way: active, closing, closed.", "CON-15"),
    must(
        "CON-27",
        "Request, path, params, subprotocol, addresses and features answer, also after the end.",
        "CON-22",
    ),
)


class ConnectionContract(ConnectionCoroutinesContract, name="connection", requirements=CONNECTION):
    """What every connection owes; override ``make``."""

    @requirement("CON-15")
    def closing_is_orderly(self, trial: Trial) -> None:
        for code, reason in ((1000, ""), (4000, "gr\u00fc\u00dfe"), (1001, "x" * 123)):
            peer = self.open(trial)
            wanted: list[Data] = ["first", bytes(100_000), "last"]
            for data in wanted:
                send(trial, peer, data)
            trial.did(f"close({code}, {reason!r})")
            peer.connection.close(code, reason)
            trial.equal(peer.connection.status, SessionStatus.CLOSING, "the status after close()")
            peer.settle()
            trial.equal((list(peer.received()), peer.close_frame()), (wanted, (code, reason)), "messages, close frame")
            trial.equal(peer.connection.status, SessionStatus.CLOSED, "the status after the answer")
            trial.equal(peer.connection.close_reason, reason, "the close reason")

    @requirement("CON-16")
    def codes_come_with_the_end(self, trial: Trial) -> None:
        peer = self.open(trial)
        trial.did("close(4000)")
        peer.connection.close(4000)
        trial.equal(peer.connection.close_code, None, "the close code before the peer has answered")
        peer.settle()
        trial.equal(peer.connection.close_code, 4000, "the close code at the end")

    @requirement("CON-17")
    def close_may_be_repeated(self, trial: Trial) -> None:
        peer = self.open(trial)
        trial.did("close(4000, 'first'), close(4001, 'second')")
        peer.connection.close(4000, "first")
        peer.connection.close(4001, "second")
        peer.settle()
        trial.equal(peer.close_frame(), (4000, "first"), "the close frame that arrived")
        trial.did("close(4002), when it is closed")
        peer.connection.close(4002)
        peer.settle()
        found = (peer.connection.close_code, peer.connection.close_reason, peer.connection.status)
        trial.equal(found, (4000, "first", SessionStatus.CLOSED), "code, reason and status at the end")

    @requirement("CON-18")
    def bad_codes_are_refused(self, trial: Trial) -> None:
        peer = self.open(trial)
        close = peer.connection.close
        for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65536):
            trial.raises(InvalidArgument, f"close({code})", partial(close, code))
        for reason in ("x" * 124, "\u20ac" * 42):
            call = f"close(1000, a reason of {len(reason.encode())} bytes)"
            trial.raises(InvalidArgument, call, partial(close, 1000, reason))
        trial.equal(peer.connection.status, SessionStatus.ACTIVE, "the status after all that")
        send(trial, peer, "still here")
        peer.settle()
        trial.equal((list(peer.received()), peer.close_frame()), (["still here"], None), "messages, close frame")

    @requirement("CON-19")
    def nothing_is_sent_after_close(self, trial: Trial) -> None:
        peer = self.open(trial)
        peer.connection.close()
        for when in ("while closing", "when closed"):
            trial.raises(TransportClosed, f"send() {when}", lambda: peer.connection.send("late"))
            trial.raises(TransportClosed, f"ping() {when}", lambda: peer.connection.ping())
            peer.settle()
        trial.equal(list(peer.received()), [], "the messages that arrived")

    @requirement("CON-20")
    def nothing_is_heard_after_close(self, trial: Trial) -> None:
        heard: list[str] = []

        def handler(connection: Connection, message: Message) -> None:
            heard.append(message.text)
            connection.close(4000)

        peer = self.open(trial, handler)
        for data in ("first", "second", "third"):
            deliver(trial, peer, data)
        peer.settle()
        trial.equal(heard, ["first"], "what a handler heard that closes at the first message")

    @requirement("CON-21")
    def peers_may_close(self, trial: Trial) -> None:
        for code, reason in ((1000, ""), (4001, "gr\u00fc\u00dfe"), (None, "")):
            peer = self.open(trial)
            trial.did(f"the peer closes with {code} and {reason!r}")
            peer.send_close(code, reason)
            peer.settle()
            found = (peer.connection.status, peer.connection.close_code, peer.connection.close_reason)
            trial.equal(found, (SessionStatus.CLOSED, code or 1005, reason), "status, close code and reason")
            frame = peer.close_frame()
            trial.equal(frame and frame[0], code if frame else (code, ""), "the code of the answer")

    @requirement("CON-22")
    def peers_may_vanish(self, trial: Trial) -> None:
        peer = self.open(trial)
        trial.did("the peer vanishes")
        peer.vanish()
        peer.settle()
        found = (peer.connection.status, peer.connection.close_code, peer.connection.close_reason)
        trial.equal(found, (SessionStatus.CLOSED, 1006, ""), "status, close code and reason")

    @requirement("CON-23")
    def handlers_may_fail(self, trial: Trial) -> None:
        heard: list[str] = []

        def handler(connection: Connection, message: Message) -> None:
            heard.append(message.text)
            raise _Fault

        peer = self.open(trial, handler)
        for data in ("first", "second"):
            deliver(trial, peer, data)
        peer.settle()
        frame = peer.close_frame()
        trial.equal(frame and frame[0], 1011, "the code of the close frame after a handler raised")
        found = (heard, peer.connection.status)
        trial.equal(found, (["first"], SessionStatus.CLOSED), "what was heard, and the status")

    @requirement("CON-24")
    def cancelled_sessions_close(self, trial: Trial) -> None:
        peer = self.open(trial)
        trial.did("cancel() of the session")
        trial.true(peer.connection.session.cancel(), "cancel() is in time")
        peer.settle()
        frame = peer.close_frame()
        trial.equal(frame and frame[0], 1001, "the code of the close frame after cancel()")
        found = (peer.connection.status, peer.connection.close_code)
        trial.equal(found, (SessionStatus.CLOSED, 1001), "status and close code at the end")

    @requirement("CON-25")
    def sessions_end_once(self, trial: Trial) -> None:
        for way in WAYS:
            peer = self.open(trial)
            ended: list[object] = []
            session = peer.connection.session
            session.on_done(ended.append)
            trial.did(way)
            end(peer, way)
            peer.settle()
            peer.connection.close()
            peer.settle()
            trial.equal((ended, session.done, session.status), ([session], True, SessionStatus.CLOSED), "the session")

    @requirement("CON-26")
    def status_moves_one_way(self, trial: Trial) -> None:
        for way in WAYS:
            seen: list[SessionStatus] = []

            def handler(connection: Connection, message: Message, seen: list[SessionStatus] = seen) -> None:
                seen.append(connection.status)

            peer = self.open(trial, handler)
            seen.append(peer.connection.status)
            deliver(trial, peer, "a")
            peer.settle()
            trial.did(way)
            end(peer, way)
            seen.append(peer.connection.status)
            for _ in range(2):
                peer.settle()
                seen.append(peer.connection.status)
                peer.connection.close()
                seen.append(peer.connection.status)
            trial.equal(seen, sorted(seen), "the statuses seen")
            trial.equal((seen[0], seen[-1]), (SessionStatus.ACTIVE, SessionStatus.CLOSED), "the first and the last")

    @requirement("CON-27")
    def facts_stay(self, trial: Trial) -> None:
        peer = self.open(trial)
        connection = peer.connection
        before = _facts(connection)
        trial.equal(connection.path, connection.request.path, "the path, which is the request's")
        trial.true(isinstance(connection.features(), Features), "features() are Features", got=connection.features())
        trial.true(connection.features().name, "they have a name")
        trial.did("the peer vanishes")
        peer.vanish()
        peer.settle()
        trial.equal(_facts(connection), before, "the facts after the end")


WAYS = ("we close", "the peer closes", "the peer vanishes")


def end(peer: Peer, way: str) -> None:
    """End a connection in one of three ways."""
    if way == "we close":
        peer.connection.close()
    elif way == "the peer closes":
        peer.send_close()
    else:
        peer.vanish()


class _Fault(Exception):
    """Raised by a handler."""


def _facts(connection: Connection) -> tuple[object, ...]:
    """Return what does not change."""
    return (
        connection.request,
        connection.path,
        dict(connection.params),
        connection.subprotocol,
        str(connection.peer_address),
        str(connection.local_address),
    )


SUITES = (ConnectionContract,)

__all__ = ["SUITES", "WAYS", "ConnectionContract", "end"]
