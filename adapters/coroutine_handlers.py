"""Coroutine functions as handlers: what a user writes after ``async def``, and what the library makes of it.

Everywhere a handler is taken, a coroutine function may stand. Of one argument, it is called once per connection,
when that has opened, and gets the messages by ``async for``. Of two, it is called once per message, and the next
message of that connection waits until it is done; it is run as a coroutine of the first kind with the loop around
it, so there is one mechanism. A coroutine of the second kind begins with the first message of its connection: an
idle connection has none.

Middleware is around the delivery of a message to the coroutine: it sees each message, and may keep it away or pass
another one. What the coroutine raises it does not see, because that may come long after.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import cast

from ..api.connection import Connection
from ..api.errors import InvalidArgument
from ..api.handler import AnyHandler, ConnectionCoroutine, Handler
from ..api.message import Message
from .conversation import Conversation, Partner

_MessageCoroutine = Callable[[Connection, Message], Coroutine[object, object, object]]


class CoroutineHandler:
    """A coroutine function, to be run for connections; a handler itself. Made by ``adapt``."""

    __slots__ = ("_begin", "_function", "_waits_for_message", "outer")

    def __init__(self, function: object, begin: ConnectionCoroutine, *, waits_for_message: bool) -> None:
        self._function = function
        self._begin = begin
        self._waits_for_message = waits_for_message
        self.outer: Handler = self
        """This handler with its middleware around it."""

    def attach(self, connection: Partner) -> Handler:
        """Return what handles the messages of a connection that has just opened; its coroutine may run at once."""
        if self._waits_for_message:
            return self.outer
        conversation = self._start(connection)
        return conversation.deliver if self.outer is self else self.outer

    def __call__(self, connection: Connection, message: Message, /) -> None:
        """Give a message to the coroutine of its connection."""
        partner = cast(Partner, connection)  # whoever attaches this handler is one
        conversation = partner.conversation
        if conversation is None:
            conversation = self._start(partner)
        conversation.deliver(connection, message)

    def _start(self, partner: Partner) -> Conversation:
        conversation = Conversation(partner, self._function, self._begin(cast(Connection, partner)))
        conversation.takes_runs = self.outer is self
        partner.conversation = conversation
        conversation.start()
        return conversation


def adapt(handler: AnyHandler) -> Handler:
    """Return a handler for what a user wrote: a plain function as it is, a coroutine function as one that runs it.

    Raises ``InvalidArgument`` for a coroutine function that can be called neither with a connection nor with a
    connection and a message.
    """
    if isinstance(handler, CoroutineHandler) or not _is_coroutine_function(handler):
        return cast(Handler, handler)
    signature = inspect.signature(handler)
    if _takes(signature, 1):
        return CoroutineHandler(handler, cast(ConnectionCoroutine, handler), waits_for_message=False)
    if _takes(signature, 2):
        each = _one_by_one(cast(_MessageCoroutine, handler))
        return CoroutineHandler(handler, each, waits_for_message=True)
    raise InvalidArgument(
        "a coroutine handler takes a connection, or a connection and a message", signature=str(signature)
    )


def _one_by_one(handler: _MessageCoroutine) -> ConnectionCoroutine:
    """Return the loop around a coroutine function that handles one message."""

    async def each(connection: Connection) -> None:
        async for message in connection:
            await handler(connection, message)

    return each


def _is_coroutine_function(handler: object) -> bool:
    """Whether a call makes a coroutine: an ``async def``, a partial of one, or an object with such ``__call__``."""
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


__all__ = ["CoroutineHandler", "adapt"]
