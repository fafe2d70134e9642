"""Message source: how a coroutine asks its connection for a message.

Two ways to ask, and neither is stepped here: both only say what is wanted, and the connection's conversation gives
it. ``async for`` yields the connection itself, which allocates nothing; ``receive`` yields a ``Receive``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from functools import partial
from types import coroutine
from typing import Self

from ..api.errors import InvalidArgument, TimedOut
from ..api.message import Message
from ..api.scheduler import Cancelable
from ..internal.coroutines import Routine, Wait
from .hub import ns


class MessageSource:
    """What a coroutine may await of its connection; the part of ``api.Connection`` that it sees in addition."""

    __slots__ = ()

    def __aiter__(self) -> Self:
        """Return self: ``async for message in connection``."""
        return self

    @coroutine
    def __anext__(self) -> Generator[object, Message, Message]:
        """Wait for the next message; ``StopAsyncIteration`` once the connection has closed."""
        return (yield self)

    def receive(self, timeout_s: float | None = None) -> Awaitable[Message]:
        """Wait for one message; contract as ``api.connection.Connection.receive``."""
        return Receive(self, timeout_s)


class Receive(Wait[Message]):
    """One message, within a time."""

    __slots__ = ("_timeout_ns", "_timer", "connection")

    def __init__(self, connection: object, timeout_s: float | None) -> None:
        if timeout_s is not None and not 0 <= timeout_s < float("inf"):
            raise InvalidArgument("a time-out is 0 or more seconds", timeout_s=timeout_s)
        self.connection = connection
        self._timeout_ns = None if timeout_s is None else ns(timeout_s)
        self._timer: Cancelable | None = None

    def begin(self, routine: Routine) -> None:
        """Set the timer."""
        if self._timeout_ns is not None:
            late = TimedOut("no message came in time", timeout_ns=self._timeout_ns)
            function = partial(routine.fail, self, late)
            self._timer = routine.runner.scheduler.schedule(self._timeout_ns, function)

    def cancel(self) -> None:
        """Take the timer back."""
        if self._timer is not None:
            self._timer.cancel()


__all__ = ["MessageSource", "Receive"]
