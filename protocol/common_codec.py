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
from typing import Final

from ..api.codec import Role
from ..api.pool import BufferPool
from .close import NO_STATUS, is_wire_code
from .codec import WebSocketCodec
from .frames import CLOSE, FIN, MASKED
from .limits import Limits
from .masks import MASKED_FRAME

_BARE_CLOSE_BYTES: Final = 6  # header and key
_CLOSE_BYTES: Final = 8  # and a code


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

    def take_close(self, data: memoryview, count_bytes: int) -> tuple[int, bytes] | None:
        """Take ``data[:count_bytes]`` if that is one whole close frame without a reason, from a client: return its
        code (1005 for none) and the frame that answers it. The codec stays at rest. Else leave it untouched, and
        return ``None``: it is for ``receive`` and ``answer``, which say the same and take ten times as long.

        Most connections end like this. ``count_bytes`` is 1 or more, ``data`` has 8 bytes or more.
        """
        if count_bytes == _CLOSE_BYTES and self.role is Role.SERVER:
            first, second, key, body = MASKED_FRAME[2](data)
            code = int.from_bytes(body, "big") ^ ((key & 0xFF) << 8 | key >> 8 & 0xFF)
            if first == FIN | CLOSE and second == MASKED | 2 and is_wire_code(code):
                return code, b"\x88\x02" + code.to_bytes(2, "big")
        elif count_bytes == _BARE_CLOSE_BYTES and self.role is Role.SERVER:
            if data[0] == FIN | CLOSE and data[1] == MASKED:
                return NO_STATUS, b"\x88\x00"
        return None

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
