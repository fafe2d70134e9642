"""The contracts of ``Handler`` and ``Middleware``: functions that are called with each message.

What a handler does is its own business; what it must not do is not. It is tried on connections that are played,
whose memory is poisoned: what it keeps without ``retain``, holds back for ever, or changes while it is lent, shows.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Final

from ...api.connection import Connection, SendableMessage
from ...api.handler import Handler, Middleware
from ...api.message import Message
from ...fake.connection import FakeConnection
from ..difference import shown
from ..hostile import HUGE_BYTES, SIZES, content
from ..line import text
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

HANDLER = (
    must("HND-01", "It takes every message: of both kinds, empty, small, and of several mebibytes."),
    must("HND-02", "It takes every text that there is.", "HND-01"),
    must("HND-03", "It does not block.", "HND-01"),
    must("HND-04", "What it retained it has released when the connections are closed.", "HND-01"),
    must("HND-05", "What it sent it does not change before it returns.", "HND-01"),
    must("HND-06", "It serves several connections in turn, and goes on when one of them closes.", "HND-01"),
)

MIDDLEWARE = (
    must("MID-01", "It makes a handler of a handler, and does not call that one for it."),
    must(
        "MID-02",
        "For each message it calls the handler at most once, with this connection and this message.",
        "MID-01",
    ),
    must("MID-03", "It calls the handler within the call, or not at all.", "MID-02"),
    must("MID-04", "Handlers that were wrapped apart are called apart.", "MID-02"),
    must("MID-05", "It may be put around itself.", "MID-02"),
    must("MID-06", "The message can be retained within, and is the handler's to release.", "MID-02"),
)

BLOCKING_SECONDS: Final = 0.05
"""So long a handler must not wait, at the best of several times. (A busy machine makes it wait now and then.)"""

TRIES: Final = 4


class HandlerContract(Contract, name="handler", requirements=HANDLER):
    """What every handler owes; override ``make``."""

    def make(self) -> Handler:
        """Return the handler, as new."""
        raise NotImplementedError

    @requirement("HND-01")
    def all_messages_are_taken(self, trial: Trial) -> None:
        handler = trial.make(self.make)
        connection = Witness(trial)
        for size_bytes in (*SIZES, HUGE_BYTES):
            for data in (content(size_bytes, trial.rng), text(size_bytes, trial).decode()):
                connection.hear(handler, data)

    @requirement("HND-02")
    def all_texts_are_taken(self, trial: Trial) -> None:
        handler = trial.make(self.make)
        connection = Witness(trial)
        texts = ["", "\x00", "\ufeff", "\U0010ffff", "a\r\nb\r\n\r\n", "\u202e", "%s %d {0}"]
        texts += ["{", '{"a": [1, null]}', "[]"]
        texts += ["1e400", "-1", "null", "../../x", "<b>", "x" * 10_000, "\ud7ff\ue000", " ", "\t"]
        for data in texts:
            connection.hear(handler, data)

    @requirement("HND-03")
    def nothing_blocks(self, trial: Trial) -> None:
        handler = trial.make(self.make)
        for data in ("a text", b"some bytes"):
            waited: list[float] = []
            for _ in range(TRIES):
                connection = Witness(trial)
                began, worked = time.monotonic(), time.thread_time()
                connection.hear(handler, data)
                waited.append(time.monotonic() - began - (time.thread_time() - worked))
            what = f"a call waits less than {BLOCKING_SECONDS} s, in the best of {TRIES} times"
            trial.true(min(waited) < BLOCKING_SECONDS, what, got=min(waited), wanted=BLOCKING_SECONDS)

    @requirement("HND-04")
    def all_is_given_back(self, trial: Trial) -> None:
        handler = trial.make(self.make)
        connections = [Witness(trial) for _ in range(2)]
        for number in range(20):
            connections[number % 2].hear(handler, content(300 + number, trial.rng))
        for number, each in enumerate(connections):
            trial.did("the peer closes")
            each.peer_closes() if number else each.peer_vanishes()
        for each in connections:
            leaks = each.pool.leaks()
            trial.equal(len(leaks), 0, "the retained messages that were not released when all was closed")

    @requirement("HND-05")
    def lent_memory_is_left_alone(self, trial: Trial) -> None:
        handler = trial.make(self.make)
        connection = Witness(trial)
        for size_bytes in (1, 100, 3000, 70000):
            for data in (content(size_bytes, trial.rng), text(size_bytes, trial).decode()):
                connection.hear(handler, data)
                for memory, before in connection.lent:
                    trial.equal(bytes(memory), before, "memory that it sent, when it returned")
                connection.lent.clear()

    @requirement("HND-06")
    def connections_are_apart(self, trial: Trial) -> None:
        handler = trial.make(self.make)
        connections = [Witness(trial) for _ in range(3)]
        for number in range(9):
            connections[number % 3].hear(handler, f"message {number}")
        trial.did("the first of three connections closes")
        connections[0].peer_closes()
        for number in range(6):
            connections[1 + number % 2].hear(handler, f"message {number} after it")
        connections.append(Witness(trial))
        connections[-1].hear(handler, "a new connection")


class MiddlewareContract(Contract, name="middleware", requirements=MIDDLEWARE):
    """What every middleware owes; override ``make``."""

    def make(self) -> Middleware:
        """Return the middleware, as new."""
        raise NotImplementedError

    @requirement("MID-01")
    def handlers_are_made(self, trial: Trial) -> None:
        heard: list[Message] = []
        wrapped = trial.make(self.make)(lambda connection, message: heard.append(message))
        trial.true(callable(wrapped), "what it makes can be called", got=wrapped)
        trial.equal(heard, [], "what the handler heard while it was wrapped")

    @requirement("MID-02")
    def messages_pass(self, trial: Trial) -> None:
        heard: list[tuple[Connection, Message]] = []
        wrapped = trial.make(self.make)(lambda connection, message: heard.append((connection, message)))
        for data in ("a", "", b"\x00", content(70000, trial.rng)):
            given: list[tuple[Connection, Message]] = []
            connection = FakeConnection()

            def outer(
                connection: Connection, message: Message, given: list[tuple[Connection, Message]] = given
            ) -> None:
                given.append((connection, message))
                wrapped(connection, message)

            trial.did(f"a message: {shown(data)}")
            connection.deliver(outer, data)
            trial.true(len(heard) <= 1, "the handler is called at most once", got=len(heard))
            for got, wanted in zip(heard, given, strict=False):
                trial.same(got[0], wanted[0], "the connection")
                trial.same(got[1], wanted[1], "the message")
            heard.clear()

    @requirement("MID-03")
    def calls_are_not_put_off(self, trial: Trial) -> None:
        late: list[str] = []
        returned = [False]

        def handler(connection: Connection, message: Message) -> None:
            if returned[0]:
                late.append(message.text)

        wrapped = trial.make(self.make)(handler)
        connection = FakeConnection()
        for data in ("first", "second", "third"):
            returned[0] = False
            before = set(threading.enumerate())
            trial.did(f"a message: {data}; then wait for the threads that were started meanwhile")
            connection.deliver(wrapped, data)
            returned[0] = True
            for thread in set(threading.enumerate()) - before:
                thread.join(trial.patience_seconds)
        trial.equal(late, [], "the calls of the handler after the call had returned")

    @requirement("MID-04")
    def handlers_are_apart(self, trial: Trial) -> None:
        middleware = trial.make(self.make)
        heard: list[str] = []
        wrapped = {name: middleware(partial(_note, heard, name)) for name in ("a", "b", "c")}
        for name in ("a", "c", "b", "a"):
            heard.clear()
            trial.did(f"a message for {name}")
            FakeConnection().deliver(wrapped[name], "x")
            trial.true(set(heard) <= {name}, f"no other handler than {name} is called", got=heard)

    @requirement("MID-05")
    def layers_are_layers(self, trial: Trial) -> None:
        middleware = trial.make(self.make)
        heard: list[str] = []
        wrapped = middleware(middleware(middleware(partial(_note, heard, "a"))))
        for count in (1, 2):
            trial.did("a message, through three layers of it")
            FakeConnection().deliver(wrapped, "x")
            trial.true(len(heard) <= count, "the handler is called at most once per message", got=heard)

    @requirement("MID-06")
    def counts_are_the_handlers(self, trial: Trial) -> None:
        kept: list[Message] = []
        wrapped = trial.make(self.make)(lambda connection, message: kept.append(message.retain()))
        connection = FakeConnection()
        payload = content(300, trial.rng)
        trial.did("a message, which the handler retains")
        connection.deliver(wrapped, payload)
        for message in kept:
            trial.equal(message.copy(), payload, "the retained message")
            message.release()
        trial.equal(len(connection.pool.leaks()), 0, "the counts that are left when the handler has released its own")


class Witness(FakeConnection):
    """A connection that is played, and remembers which memory it was lent, and what was in it."""

    def __init__(self, trial: Trial) -> None:
        super().__init__("/rooms/7?x=1", params=_Any(), send_limit_bytes=1 << 40)
        self._trial = trial
        self.lent: list[tuple[bytearray | memoryview, bytes]] = []

    def send(self, data: SendableMessage) -> int:
        """Send, and remember."""
        told = super().send(data)
        if isinstance(data, (bytearray, memoryview)):
            self.lent.append((data, bytes(data)))
        return told

    def hear(self, handler: Handler, data: str | bytes) -> None:
        """Let a message arrive, on an open connection."""
        self._trial.did(f"a message: {shown(data)}")
        self.deliver(handler, data)
        self.sent.clear()


class _Any(dict[str, str]):
    """Parameters of a route: whatever a handler asks for is there."""

    def __missing__(self, name: str) -> str:
        return "7"


def _note(heard: list[str], name: str, connection: Connection, message: Message) -> None:
    heard.append(name)


SUITES = (HandlerContract, MiddlewareContract)

__all__ = ["BLOCKING_SECONDS", "SUITES", "HandlerContract", "MiddlewareContract", "Witness"]
