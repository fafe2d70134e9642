"""One codec for all connections that are at rest.

Between two frames, with no message unfinished, no extension agreed and nothing closed, a codec remembers nothing:
one is as good as any other. That is where nearly all connections of a server are nearly all of the time. So they
share one, and with it half a kilobyte each; a connection needs a codec of its own only from the moment on at which
there is something to remember, and until there is nothing any more.

    common codec --split(), because a frame is cut, a message unfinished or our close frame sent--> split codec
         ^                                                                                              |
         +---------- at rest again, and the connection's owner has a moment for it: ``common`` ---------+

What has to hold for that: one thread; whoever lets the common codec receive looks at ``receiver.resting`` before
anything else happens, and if it does not rest, calls ``split``, which takes the state along, or, after the last
event of a connection, ``renew``.
"""

from __future__ import annotations

from collections.abc import Callable

from ..api.codec import Role
from ..api.pool import BufferPool
from .codec import WebSocketCodec
from .limits import Limits


class CommonCodec(WebSocketCodec):
    """A codec without extensions for many connections of one role. Thread rules: one thread.

    Never closed by one of them; a connection that goes just forgets it.
    """

    __slots__ = ("_mask_key", "_pool", "limits")

    def __init__(
        self, role: Role, *, limits: Limits, pool: BufferPool, mask_key: Callable[[], bytes]
    ) -> None:
        """As ``WebSocketCodec``."""
        super().__init__(role, limits=limits, pool=pool, mask_key=mask_key)
        self.limits = limits
        self._pool = pool
        self._mask_key = mask_key

    def split(self) -> SplitCodec:
        """Return a codec for one connection alone, with what this one remembers of it; this one is at rest then."""
        made = SplitCodec(self, self.role, limits=self.limits, pool=self._pool, mask_key=self._mask_key)
        if not self.receiver.resting:
            made.receiver, self.receiver = self.receiver, made.receiver
        return made

    def renew(self) -> None:
        """Be at rest, after one connection had its last event or the last answer to one."""
        self.receiver.reopen()
        self.sender.reopen()


class SplitCodec(WebSocketCodec):
    """A codec of one connection that may go back to ``common`` when it ``rests``."""

    __slots__ = ("common",)

    def __init__(
        self, common: CommonCodec, role: Role, *, limits: Limits, pool: BufferPool, mask_key: Callable[[], bytes]
    ) -> None:
        """Begin at rest; the rest as ``WebSocketCodec``."""
        super().__init__(role, limits=limits, pool=pool, mask_key=mask_key)
        self.common = common

    @property
    def rests(self) -> bool:
        """Whether there is nothing to remember: ``common`` would do."""
        return self.receiver.resting and self.sender.resting


__all__ = ["CommonCodec", "SplitCodec"]
