"""Broken handlers and middleware, and unusual ones. The factories are named; what they make are functions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ...api.connection import Connection
from ...api.errors import InvalidArgument
from ...api.handler import Handler, Middleware
from ...api.message import TEXT, Message
from ..mutation import Gallery
from ..suites.handler import HandlerContract, MiddlewareContract

GALLERY = Gallery(HandlerContract)
_MIDDLEWARE = Gallery(MiddlewareContract)


@GALLERY.mutant("HND-01", "looks at the first byte of an empty message")
def looks_at_first() -> Handler:
    return lambda connection, message: connection.send(message.data[:1] if message.data[0] else b"")


@GALLERY.mutant("HND-01", "wants text")
def wants_text() -> Handler:
    return lambda connection, message: connection.send(message.text)


@GALLERY.mutant("HND-02", "takes a text for a template")
def takes_for_template() -> Handler:
    def handler(connection: Connection, message: Message) -> None:
        if message.kind == TEXT and len(message) < 20:
            connection.send(message.text % ())

    return handler


@GALLERY.mutant("HND-03", "waits for something that takes its time")
def waits() -> Handler:
    def handler(connection: Connection, message: Message) -> None:
        if 0 < len(message) < 12:
            time.sleep(0.1)

    return handler


@GALLERY.mutant("HND-04", "keeps every tenth message for ever")
def keeps() -> Handler:
    kept: list[Message] = []
    count = [0]

    def handler(connection: Connection, message: Message) -> None:
        count[0] += 1
        if count[0] % 10 == 0:
            kept.append(message.retain())

    return handler


@GALLERY.mutant("HND-05", "uses its buffer again before it returns")
def uses_again() -> Handler:
    def handler(connection: Connection, message: Message) -> None:
        buffer = bytearray(message.data)
        connection.send(buffer)
        buffer[:] = bytes(len(buffer))

    return handler


@GALLERY.mutant("HND-06", "sends to whoever was there before")
def sends_to_others() -> Handler:
    seen: list[Connection] = []

    def handler(connection: Connection, message: Message) -> None:
        if connection not in seen:
            seen.append(connection)
        for each in seen:
            each.send(message)

    return handler


@GALLERY.oddball("does nothing")
def does_nothing() -> Handler:
    return lambda connection, message: None


@GALLERY.oddball("closes each connection at its first message")
def closes() -> Handler:
    return lambda connection, message: connection.close(4000, "one is enough")


@GALLERY.oddball("keeps one message, and gives it back with the next, or when its connection ends")
def keeps_one() -> Handler:
    kept: list[Message] = []

    def release(session: object = None) -> None:
        while kept:
            kept.pop().release()

    def handler(connection: Connection, message: Message) -> int:
        release()
        kept.append(message.retain())
        connection.session.on_done(release)
        return len(kept)

    return handler


def wrapper(function: Callable[[Handler, Connection, Message], object]) -> Callable[[], Middleware]:
    """Return a factory of a middleware that does this around each call."""

    def make() -> Middleware:
        def middleware(handler: Handler) -> Handler:
            return lambda connection, message: function(handler, connection, message)

        return middleware

    make.__name__ = make.__qualname__ = getattr(function, "__name__", "wrapper")
    return make


@_MIDDLEWARE.mutant("MID-01", "returns nothing")
def returns_nothing() -> object:
    return lambda handler: None


@_MIDDLEWARE.mutant("MID-02", "tries again")
@wrapper
def tries_again(handler: Handler, connection: Connection, message: Message) -> None:
    handler(connection, message)
    handler(connection, message)


class _Copy:
    """A message that stays."""

    def __init__(self, message: Message) -> None:
        self.kind = message.kind
        self.payload = message.copy()
        self.text = self.payload.decode(errors="replace")

    @property
    def data(self) -> memoryview:
        return memoryview(self.payload)

    def __len__(self) -> int:
        return len(self.payload)

    def copy(self) -> bytes:
        return self.payload

    def retain(self) -> _Copy:
        return self

    def release(self) -> None:
        return None


@_MIDDLEWARE.mutant("MID-02", "hands on a copy of the message")
@wrapper
def copies(handler: Handler, connection: Connection, message: Message) -> None:
    handler(connection, _Copy(message))


@_MIDDLEWARE.mutant("MID-03", "lets another thread call the handler, later")
@wrapper
def puts_off(handler: Handler, connection: Connection, message: Message) -> None:
    if message.copy() == b"second":
        timer = threading.Timer(0.005, handler, (connection, message.retain()))
        timer.daemon = True
        timer.start()
    else:
        handler(connection, message)


@_MIDDLEWARE.mutant("MID-04", "remembers the last handler")
def remembers_last() -> Middleware:
    last: list[Handler] = []

    def middleware(handler: Handler) -> Handler:
        last[:] = [handler]
        return lambda connection, message: last[0](connection, message)

    return middleware


@_MIDDLEWARE.mutant("MID-05", "calls once for each time that it was put around something")
def counts_layers() -> Middleware:
    layers = [0]

    def middleware(handler: Handler) -> Handler:
        layers[0] += 1

        def call(connection: Connection, message: Message) -> None:
            for _ in range(layers[0]):
                handler(connection, message)

        return call

    return middleware


@_MIDDLEWARE.mutant("MID-06", "retains each message, to be safe")
@wrapper
def retains(handler: Handler, connection: Connection, message: Message) -> None:
    handler(connection, message.retain())


@_MIDDLEWARE.oddball("returns the handler as it is")
def returns_it() -> Middleware:
    return lambda handler: handler


@_MIDDLEWARE.oddball("lets no message through, and says so")
@wrapper
def refuses(handler: Handler, connection: Connection, message: Message) -> None:
    connection.close(1008, "not today")


@_MIDDLEWARE.oddball("turns what is raised into a close frame")
@wrapper
def catches(handler: Handler, connection: Connection, message: Message) -> None:
    try:
        handler(connection, message)
    except InvalidArgument as error:
        connection.close(1007, str(error)[:100])


GALLERY.mutants += _MIDDLEWARE.mutants
GALLERY.oddballs += _MIDDLEWARE.oddballs

__all__ = ["GALLERY", "wrapper"]
