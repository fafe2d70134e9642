"""System errors: what the answers of bind(2), listen(2), connect(2) and accept(2) mean to a caller.

The question is always the same, whose fault it is: the caller's (an address that is taken, malformed, not
permitted), a limit's (descriptors, memory), or the other end's. Everything is decided in this one module, by
error number; the original error becomes the cause, and its number stands in the context.
"""

from __future__ import annotations

import errno
from typing import Final

from ..api.errors import (
    AlreadyExists,
    ConnectionLost,
    HioloadError,
    InvalidArgument,
    NotSupported,
    ResourceExhausted,
)
from ..api.transport import Address

EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Descriptors (of the process, of the machine) or memory ran out; later it may work."""

NOT_LISTENING: Final = frozenset({errno.EBADF, errno.EINVAL, errno.ENOTSOCK})
"""What accept(2) says of a socket that somebody closed or shut down behind our back.

All other numbers speak of the connection that was taken from the queue, not of the listener.
"""

_MALFORMED: Final = frozenset(
    {errno.EADDRNOTAVAIL, errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EISDIR}
)


def _context(error: OSError, address: Address) -> dict[str, object]:
    return {"address": str(address), "errno": error.errno, "name": errno.errorcode.get(error.errno or 0, "")}


def exhausted(error: OSError, what: str) -> ResourceExhausted:
    """Return the error for a number of ``EXHAUSTED``; ``what`` was to be done."""
    return ResourceExhausted(
        f"no descriptor or memory left to {what}: {error.strerror}",
        resource="descriptors" if error.errno in (errno.EMFILE, errno.ENFILE) else "memory",
        errno=error.errno,
    )


def listen_error(error: OSError, address: Address) -> HioloadError:
    """Return what to raise when listening at ``address`` failed with ``error``."""
    context = _context(error, address)
    if error.errno in EXHAUSTED:
        return exhausted(error, f"listen at {address}")
    if error.errno in (errno.EADDRINUSE, errno.EEXIST):
        return AlreadyExists(f"something listens at {address} already", **context)
    if error.errno in _MALFORMED:
        return InvalidArgument(f"{address} is not an address of this machine: {error.strerror}", **context)
    if error.errno in (errno.EACCES, errno.EPERM):
        return NotSupported(f"this process is not permitted to listen at {address}", **context)
    return NotSupported(f"the system refuses to listen at {address}: {error.strerror}", **context)


def connect_error(error: OSError, address: Address) -> HioloadError:
    """Return what to raise when connecting to ``address`` failed at once with ``error``."""
    if error.errno in EXHAUSTED:
        return exhausted(error, f"connect to {address}")
    return ConnectionLost(f"can't connect to {address}: {error.strerror}", **_context(error, address))


__all__ = ["EXHAUSTED", "NOT_LISTENING", "connect_error", "exhausted", "listen_error"]
