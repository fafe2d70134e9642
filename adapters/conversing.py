"""Conversing: a connection as its coroutine sees it, and what the coroutine's conversation needs of it.

A layer between messages and time limits, see ``connection.py``. A connection with a plain handler pays one slot for
it. With a coroutine, its end has two steps: when nothing can be sent or received any more the conversation is told,
and when that has ended too the connection is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from types import coroutine

from ..api.errors import HioloadError
from ..api.transport import Transport
from ..api.types import Nanoseconds
from ..internal.coroutines import Routine, Runner, Wait
from .conversation import Conversation
from .hub import Hub
from .lifetime import Lifetime
from .message_source import MessageSource
from .roles import Host, Opening


class Conversing(Lifetime, MessageSource):
    """A connection that a coroutine may handle. Thread rules: the reactor's thread."""

    __slots__ = ("conversation",)

    def __init__(self, hub: Hub, transport: Transport, host: Host, opening: Opening) -> None:
        """As ``Lifetime``."""
        super().__init__(hub, transport, host, opening)
        self.conversation: Conversation | None = None
        """The coroutine that handles the messages, if one does and has begun."""

    @coroutine
    def drain(self) -> Generator[object, None, None]:
        """Wait until the peer has read enough; contract as ``api.connection.Connection.drain``."""
        self._check_open()
        if self.pending_bytes > self._settings.high_water_bytes:
            self.flush()
        if self.peer_is_slow:
            yield _Drain(self)
        self._check_open()

    def when_drained(self, function: Callable[[], object]) -> None:
        """Have ``function()`` called once the peer has read enough, or has gone."""
        self._hub.when_drained(self, function)

    def drop(self, error: HioloadError | None = None) -> None:
        """Finish, and let no coroutine finish anything: the reactor ends."""
        self.finish(error)
        if self.conversation is not None:
            self.conversation.drop()

    @property
    def runner(self) -> Runner:
        """Where coroutines run."""
        return self._hub.runner

    @property
    def patience_ns(self) -> Nanoseconds:
        """How long a coroutine may go on when the connection has gone."""
        return self._settings.close_timeout_ns

    @property
    def send_limit_bytes(self) -> int:
        """Most bytes that may be pending."""
        return self._settings.send_limit_bytes

    @property
    def has_extensions(self) -> bool:
        """Whether messages pass an extension."""
        return bool(self._agreed().extensions)


class _Drain(Wait[None]):
    """A connection whose peer is to read."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Conversing) -> None:
        self._connection = connection

    def begin(self, routine: Routine) -> None:
        """Ask to be told."""
        self._connection.when_drained(partial(routine.resume, self, None))

    def cancel(self) -> None:
        """Nothing to do: whoever does not wait is not resumed."""


__all__ = ["Conversing"]
