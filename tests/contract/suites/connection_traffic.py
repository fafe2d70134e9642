"""The contract of ``Connection``, first part: messages and pings. (``connection.py`` has the suite, with the rest.)

A connection is one of two ends, so ``make`` returns the other one: a ``Peer``, which says what arrived there and
does what peers do.
"""

from __future__ import annotations

from functools import partial

from ...api.connection import Connection
from ...api.errors import InvalidArgument, ResourceExhausted, UseAfterRelease
from ...api.handler import AnyHandler
from ...api.message import BINARY, TEXT, Message
from ...api.session import SessionStatus
from ..hostile import HUGE_BYTES, SIZES, content, shapes
from ..line import text
from ..peer import LIMIT_BYTES, Data, Peer, deliver, send
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

TRAFFIC = (
    must("CON-01", "An open connection is active, has nothing pending, no close code, and a live session."),
    must("CON-02", "str is sent as text and memory as binary, whole at every size.", "CON-01"),
    must("CON-03", "Messages arrive in the order in which they were sent.", "CON-02"),
    must(
        "CON-04",
        "Every form of contiguous memory is sent; another raises InvalidArgument, and nothing is queued.",
        "CON-02",
    ),
    must("CON-05", "What is no message, or no text, raises InvalidArgument, and nothing is queued.", "CON-02"),
    must(
        "CON-06",
        "The handler is called once per message, in order, with this connection, kind and bytes.",
        "CON-01",
    ),
    must("CON-07", "A message that is sent keeps its kind and bytes.", "CON-06", "CON-02"),
    must("CON-08", "Outside a handler, memory may be changed as soon as send has returned.", "CON-02"),
    must(
        "CON-09",
        "Inside a handler, memory may be changed as soon as the handler has returned.",
        "CON-06",
        "CON-02",
    ),
    must("CON-10", "A message raises UseAfterRelease when its handler has returned.", "CON-06"),
    must("CON-11", "A retained message stays as it is until it is released.", "CON-10"),
    must("CON-12", "send answers pending_bytes, which is 0 when the peer has read all.", "CON-02"),
    must(
        "CON-13",
        "Beyond the send limit send raises ResourceExhausted; nothing was queued, nothing is lost.",
        "CON-12",
    ),
    must("CON-14", "A ping of 0 to 125 bytes reaches the peer; a longer one raises InvalidArgument.", "CON-01"),
)


class ConnectionTrafficContract(Contract, name="connection", requirements=TRAFFIC):
    """The part of ``ConnectionContract`` about messages and pings."""

    def make(self, handler: AnyHandler, *, send_limit_bytes: int) -> Peer:
        """Return the peer of a new, open connection whose messages go to ``handler``; raise ``NotSupported`` for a
        coroutine function if there is no support for them.

        ``send_limit_bytes``: how much the connection may have pending; ``drain`` waits above half of it. What
        ``handler`` raises is its business, and must not come out of the peer.
        """
        raise NotImplementedError

    def open(self, trial: Trial, handler: AnyHandler | None = None, limit_bytes: int = LIMIT_BYTES) -> Peer:
        """Return the peer of a fresh connection."""
        return trial.make(self.make, handler or _ignore, send_limit_bytes=limit_bytes)

    @requirement("CON-01")
    def open_one_is_active(self, trial: Trial) -> None:
        connection = self.open(trial).connection
        trial.equal(connection.status, SessionStatus.ACTIVE, "the status")
        trial.equal((connection.pending_bytes, connection.close_code, connection.close_reason), (0, None, ""), "state")
        session = connection.session
        trial.equal((session.status, session.done), (SessionStatus.ACTIVE, False), "status and done of the session")
        trial.same(connection.session, session, "the session, asked again")

    @requirement("CON-02")
    def messages_are_whole(self, trial: Trial) -> None:
        for size_bytes in (*SIZES, HUGE_BYTES):
            peer = self.open(trial)
            wanted: list[Data] = [content(size_bytes, trial.rng), text(size_bytes, trial).decode()]
            for data in wanted[: 1 if size_bytes == HUGE_BYTES else 2]:
                send(trial, peer, data)
                peer.settle()
                trial.equal(list(peer.received())[-1:], [data], f"the message of {size_bytes} bytes that arrived")

    @requirement("CON-03")
    def order_is_kept(self, trial: Trial) -> None:
        peer = self.open(trial)
        wanted: list[Data] = []
        for number in range(60):
            wanted.append(str(number) if number % 3 else content(trial.rng.choice((3, 200, 3000)), trial.rng))
            send(trial, peer, wanted[-1])
            if number in (20, 40):
                peer.settle()
        peer.settle()
        trial.equal(list(peer.received()), wanted, "the messages that arrived")

    @requirement("CON-04")
    def memory_has_many_forms(self, trial: Trial) -> None:
        peer = self.open(trial)
        wanted: list[Data] = []
        for size_bytes in (0, 1, 100, 1000, 70000):
            data = content(size_bytes, trial.rng)
            for name, memory in shapes(data):
                trial.did(f"send({size_bytes} bytes: {name})")
                peer.connection.send(memory)
                wanted.append(data)
            peer.settle()
        trial.equal(list(peer.received()), wanted, "the messages that arrived")
        spread = memoryview(bytes(1000))[::2]
        trial.raises(InvalidArgument, "send(every second byte)", lambda: peer.connection.send(spread))
        peer.settle()
        trial.equal((peer.connection.pending_bytes, len(peer.received())), (0, len(wanted)), "pending, and arrived")

    @requirement("CON-05")
    def what_is_no_message_is_refused(self, trial: Trial) -> None:
        peer = self.open(trial)
        for wrong in (None, 7, 1.5, ["a"], ("a",), object(), {"a": 1}, "half \ud800 a surrogate"):
            call = f"send({wrong!r})"
            trial.raises(InvalidArgument, call, partial(peer.connection.send, wrong))  # type: ignore[arg-type]
        trial.equal(peer.connection.pending_bytes, 0, "pending_bytes")
        send(trial, peer, "good")
        peer.settle()
        trial.equal(list(peer.received()), ["good"], "the messages that arrived")

    @requirement("CON-06")
    def handlers_hear_all(self, trial: Trial) -> None:
        heard: list[tuple[object, int, bytes]] = []
        peer = self.open(trial, lambda connection, message: heard.append((connection, message.kind, message.copy())))
        wanted: list[tuple[object, int, bytes]] = []
        for size_bytes in SIZES:
            data = text(size_bytes, trial)
            for each in (data, data.decode()):
                deliver(trial, peer, each)
                wanted.append((peer.connection, TEXT if isinstance(each, str) else BINARY, data))
            if size_bytes > 100:
                peer.settle()
        peer.settle()
        trial.equal([each[1:] for each in heard], [each[1:] for each in wanted], "kinds and bytes that were heard")
        trial.true(all(each[0] is peer.connection for each in heard), "each came with this connection")

    @requirement("CON-07")
    def echoes_keep_their_kind(self, trial: Trial) -> None:
        peer = self.open(trial, lambda connection, message: connection.send(message))
        wanted: list[Data] = []
        for size_bytes in (0, 1, 125, 126, 3000, 70000):
            for data in (content(size_bytes, trial.rng), text(size_bytes, trial).decode()):
                deliver(trial, peer, data)
                wanted.append(data)
            peer.settle()
        trial.equal(list(peer.received()), wanted, "the messages that came back")

    @requirement("CON-08")
    def memory_is_free_after_send(self, trial: Trial) -> None:
        for size_bytes in (1, 100, 1000, 70000):
            peer = self.open(trial)
            data = content(size_bytes, trial.rng)
            for memory in (bytearray(data), memoryview(bytearray(data))):
                send(trial, peer, memory)
                memory[:] = bytes(size_bytes)
            peer.settle()
            trial.equal(list(peer.received()), [data, data], "what arrived of memory that was changed after send")

    @requirement("CON-09")
    def memory_is_free_after_the_handler(self, trial: Trial) -> None:
        for size_bytes in (1, 100, 1000, 70000):
            data = content(size_bytes, trial.rng)
            memory = bytearray(data)

            def handler(connection: Connection, message: Message, memory: bytearray = memory) -> None:
                connection.send(memory)
                connection.send(memoryview(memory))

            peer = self.open(trial, handler)
            deliver(trial, peer, "go")
            peer.settle()
            memory[:] = bytes(size_bytes)
            peer.settle()
            trial.equal(list(peer.received()), [data, data], "what arrived, the memory being changed later")

    @requirement("CON-10")
    def messages_end_with_the_handler(self, trial: Trial) -> None:
        kept: list[Message] = []
        peer = self.open(trial, lambda connection, message: kept.append(message))
        for size_bytes in (0, 1, 125, 126, 3000, 70000):
            deliver(trial, peer, content(size_bytes, trial.rng))
            peer.settle()
            trial.equal(len(kept), 1, "the number of messages heard")
            for name in ("data", "text"):
                trial.raises(UseAfterRelease, f"{name} after the handler", partial(getattr, kept[0], name))
            for name in ("copy", "retain"):
                trial.raises(UseAfterRelease, f"{name}() after the handler", getattr(kept[0], name))
            kept.clear()

    @requirement("CON-11")
    def retained_messages_stay(self, trial: Trial) -> None:
        kept: list[Message] = []
        peer = self.open(trial, lambda connection, message: kept.append(message.retain()))
        wanted = [content(size_bytes, trial.rng) for size_bytes in (0, 1, 126, 3000, 70000)]
        for data in wanted:
            deliver(trial, peer, data)
            peer.settle()
        trial.equal([each.copy() for each in kept], wanted, "the retained messages, after other traffic")
        for each in kept:
            each.release()
            trial.raises(UseAfterRelease, "data after release()", partial(getattr, each, "data"))

    @requirement("CON-12")
    def pending_bytes_are_told(self, trial: Trial) -> None:
        peer = self.open(trial)
        peer.reads(False)
        last = 0
        for _ in range(5):
            told = send(trial, peer, bytes(300_000))
            trial.equal(told, peer.connection.pending_bytes, "what send answers")
            peer.settle()
        trial.true(peer.connection.pending_bytes > last, "bytes are pending while the peer does not read")
        peer.reads(True)
        peer.settle()
        trial.equal((peer.connection.pending_bytes, len(peer.received())), (0, 5), "pending, and messages that arrived")

    @requirement("CON-13")
    def the_limit_is_kept(self, trial: Trial) -> None:
        peer = self.open(trial, limit_bytes=1_000_000)
        peer.reads(False)
        sent: list[Data] = []
        connection = peer.connection
        trial.did("send(90 000 bytes) again and again, to a peer that does not read")
        for number in range(40):
            data = content(90_000, trial.rng)
            before = connection.pending_bytes
            try:
                connection.send(data)
            except ResourceExhausted:
                trial.equal(connection.pending_bytes, before, "pending_bytes after a message that was refused")
                break
            sent.append(data)
            trial.true(connection.pending_bytes < 1_001_000, "pending_bytes is below the limit, headers aside")
            peer.settle()
        else:
            trial.fail("40 messages of 90 000 bytes are pending, with a limit of 1 000 000 bytes")
        trial.true(len(sent) >= 10, "up to the limit they are taken", got=len(sent))
        peer.reads(True)
        peer.settle()
        trial.equal(list(peer.received()), sent, "the messages that arrived")
        trial.raises(ResourceExhausted, "send(more than the limit)", lambda: connection.send(bytes(1_000_001)))
        send(trial, peer, "after all that")
        peer.settle()
        trial.equal(list(peer.received())[len(sent) :], ["after all that"], "the message after it")

    @requirement("CON-14")
    def pings_arrive(self, trial: Trial) -> None:
        peer = self.open(trial)
        wanted = [b"", b"p", content(125, trial.rng)]
        for payload in wanted:
            trial.did(f"ping({len(payload)} bytes)")
            peer.connection.ping(payload)
        peer.settle()
        trial.equal(list(peer.pings()), wanted, "the pings that arrived")
        for size_bytes in (126, 70000):
            call = f"ping({size_bytes} bytes)"
            trial.raises(InvalidArgument, call, partial(peer.connection.ping, bytes(size_bytes)))
        peer.connection.ping(memoryview(b"after"))
        peer.settle()
        trial.equal(list(peer.pings()), [*wanted, b"after"], "the pings that arrived after all that")


def _ignore(connection: Connection, message: Message) -> None:
    """A handler that does nothing."""


__all__ = ["ConnectionTrafficContract"]
