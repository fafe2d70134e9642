"""The contract of ``Connection``, the part that coroutines see. (``connection.py`` has the suite, with all its parts.)

A coroutine is run by the connection's own reactor, so what it awaits can only be tried from within one. The peer
decides when it goes on: by sending, by reading, by closing.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from ...api.connection import Connection
from ...api.errors import InvalidArgument, NotSupported, TimedOut, TransportClosed, UseAfterRelease
from ...api.message import Message
from ..hostile import content
from ..peer import LIMIT_BYTES, Data, deliver
from ..requirement import must, refusal, requirement
from ..trial import Trial
from .connection_traffic import ConnectionTrafficContract

COROUTINES: Final = "coroutines"

MUCH: Final = bytes(LIMIT_BYTES // 4 * 3)
"""More than may be pending without waiting, less than may be pending at all."""

_must = partial(must, capability=COROUTINES)

AWAITED = (
    _must("CON-28", "A coroutine handles one message at a time: the next waits, in order, until it is done.", "CON-06"),
    _must("CON-29", "A connection's coroutine iterates over all its messages, until it has closed.", "CON-06"),
    _must("CON-30", "A message that a coroutine asked for is valid until the next one is asked for.", "CON-29"),
    _must("CON-31", "receive gives the next message; it raises TimedOut, InvalidArgument, TransportClosed.", "CON-29"),
    _must("CON-32", "drain waits while too much is pending, and else not; TransportClosed once closing.", "CON-29"),
    _must("CON-33", "A coroutine that returns closes with 1000; one that raises, with 1011.", "CON-29"),
)


class ConnectionCoroutinesContract(ConnectionTrafficContract, name="connection", requirements=AWAITED):
    """The part of ``ConnectionContract`` about coroutines."""

    def declared(self, trial: Trial) -> frozenset[str]:
        """A connection that takes a coroutine supports them."""
        trial.subject_made = True
        try:
            trial.defer(self.make(_listen, send_limit_bytes=LIMIT_BYTES).close)
        except NotSupported:
            return frozenset()
        return frozenset({COROUTINES})

    @refusal(COROUTINES)
    def coroutines_are_refused(self, trial: Trial) -> None:
        """Without support, asking for it says so."""
        trial.subject_made = True
        call = "make with a coroutine function"
        trial.raises(NotSupported, call, partial(self.make, _listen, send_limit_bytes=LIMIT_BYTES))

    @requirement("CON-28")
    def one_message_at_a_time(self, trial: Trial) -> None:
        log: list[str] = []

        async def handler(connection: Connection, message: Message) -> None:
            log.append(f"begin {message.text}")
            if message.text == "a":
                connection.send(MUCH)
            await connection.drain()
            log.append(f"end {message.text}")

        peer = self.open(trial, handler)
        peer.reads(False)
        for data in "abc":
            deliver(trial, peer, data)
        peer.settle()
        trial.equal(log, ["begin a"], "what was handled while the first waits for the peer to read")
        trial.did("the peer reads")
        peer.reads(True)
        peer.settle()
        trial.equal(log, [f"{what} {data}" for data in "abc" for what in ("begin", "end")], "what was handled in all")

    @requirement("CON-29")
    def messages_are_iterated(self, trial: Trial) -> None:
        got: list[Data] = []

        async def handler(connection: Connection) -> None:
            async for message in connection:
                got.append(message.copy())
            got.append("over")

        peer = self.open(trial, handler)
        wanted: list[Data] = []
        for size_bytes in (0, 1, 126, 3000, 70000, 5):
            wanted.append(content(size_bytes, trial.rng))
            deliver(trial, peer, wanted[-1])
            if size_bytes > 1:
                peer.settle()
        peer.settle()
        trial.equal(got, wanted, "the messages of the iteration")
        trial.did("the peer closes")
        peer.send_close()
        peer.settle()
        trial.equal(got, [*wanted, "over"], "the messages, and the end of the iteration")

    @requirement("CON-30")
    def messages_last(self, trial: Trial) -> None:
        kept: list[Message] = []
        got: list[bytes] = []

        async def handler(connection: Connection) -> None:
            async for message in connection:
                if not got:
                    connection.send(MUCH)
                await connection.drain()
                got.append(message.copy())
                kept.append(message)

        peer = self.open(trial, handler)
        peer.reads(False)
        wanted = [content(size_bytes, trial.rng) for size_bytes in (1, 300, 70000, 7)]
        for data in wanted:
            deliver(trial, peer, data)
        peer.settle()
        trial.equal(got, [], "the messages that were read while the first waits for the peer")
        peer.reads(True)
        peer.settle()
        trial.equal(got, wanted, "the messages, read after a wait")
        for message in kept:
            trial.raises(UseAfterRelease, "data of a message before the last", partial(getattr, message, "data"))

    @requirement("CON-31")
    def receive_has_an_end(self, trial: Trial) -> None:
        log: list[object] = []

        async def handler(connection: Connection) -> None:
            for timeout_s in (-1, 0, None, None):
                try:
                    message = await connection.receive(timeout_s)
                except (InvalidArgument, TimedOut, TransportClosed) as error:
                    log.append(type(error))
                else:
                    log.append(message.text)

        peer = self.open(trial, handler)
        trial.did("await receive(-1), receive(0), receive(), receive(); the peer sends one message, and closes")
        peer.settle()
        trial.equal(log, [InvalidArgument, TimedOut], "what receive raised before there was a message")
        deliver(trial, peer, "one")
        peer.settle()
        trial.equal(log[2:], ["one"], "what receive gave")
        peer.send_close()
        peer.settle()
        trial.equal(log[3:], [TransportClosed], "what receive raised when the connection closed")

    @requirement("CON-32")
    def drain_waits(self, trial: Trial) -> None:
        log: list[object] = []

        async def handler(connection: Connection) -> None:
            await connection.drain()
            log.append("nothing is pending")
            await connection.receive()
            connection.send(MUCH)
            await connection.drain()
            log.append("drained")
            connection.close(4000)
            try:
                await connection.drain()
            except TransportClosed:
                log.append("closing")

        peer = self.open(trial, handler)
        peer.settle()
        trial.equal(log, ["nothing is pending"], "how far the coroutine is while nothing is pending")
        trial.did("it sends 6 MiB, with a limit of 8, to a peer that does not read, and awaits drain()")
        peer.reads(False)
        deliver(trial, peer, "go")
        peer.settle()
        trial.equal(log[1:], [], "how far it is while the peer does not read")
        peer.reads(True)
        peer.settle()
        trial.equal(log[1:], ["drained", "closing"], "how far it is when the peer has read, and it has closed")

    @requirement("CON-33")
    def coroutines_end(self, trial: Trial) -> None:
        for fails, code in ((False, 1000), (True, 1011)):

            async def handler(connection: Connection, fails: bool = fails) -> None:
                await connection.receive()
                if fails:
                    raise _Fault

            peer = self.open(trial, handler)
            peer.settle()
            trial.equal(peer.close_frame(), None, "the close frame before the end")
            deliver(trial, peer, "go")
            trial.did(f"the coroutine {'raises' if fails else 'returns'}")
            peer.settle()
            frame = peer.close_frame()
            trial.equal(frame and frame[0], code, "the code of the close frame")


class _Fault(Exception):
    """Raised by a coroutine."""


async def _listen(connection: Connection) -> None:
    """A coroutine that hears everything."""
    async for _ in connection:
        pass


__all__ = ["COROUTINES", "ConnectionCoroutinesContract"]
