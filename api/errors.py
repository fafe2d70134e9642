"""Every exception the library raises, in one tree.

The first question a caller has is *whose fault was it*, so that is what the branches answer:

- ``UsageError``: the caller's. Fix the calling code; retrying is pointless.
- ``PeerError``: the other end of the wire. Close this connection; the process is fine.
- ``ResourceError``: a limit was reached or a deadline passed. Retry later, shed load, or raise the limit.
- ``InternalError``: ours. Please report it.

Each exception carries a ``code`` (stable, for programs), a ``message`` (for people) and a ``context``
mapping with the data of the fault, so that nobody has to parse text. Expected outcomes (would block, ring
full, pool empty, need more data) are never exceptions: they are return values.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from .http import Response


class ErrorCode(enum.StrEnum):
    """Stable identifier of a kind of fault; its value is what logs, metrics and JSON output show."""

    INVALID_ARGUMENT = "invalid-argument"
    INVALID_STATE = "invalid-state"
    TRANSPORT_CLOSED = "transport-closed"
    POOL_CLOSED = "pool-closed"
    CLOSED = "closed"
    DOUBLE_RELEASE = "double-release"
    USE_AFTER_RELEASE = "use-after-release"
    FOREIGN_RELEASE = "foreign-release"
    WRONG_THREAD = "wrong-thread"
    NOT_SUPPORTED = "not-supported"
    ALREADY_EXISTS = "already-exists"
    NOT_FOUND = "not-found"
    CANCELLED = "cancelled"
    PROTOCOL_VIOLATION = "protocol-violation"
    HANDSHAKE_FAILED = "handshake-failed"
    CONNECTION_LOST = "connection-lost"
    PROXY_REFUSED = "proxy-refused"
    RESOURCE_EXHAUSTED = "resource-exhausted"
    TIMEOUT = "timeout"
    WORKER_LOST = "worker-lost"
    INTERNAL = "internal"


class HioloadError(Exception):
    """Root of every exception this library raises on purpose.

    ``message`` is one sentence for a person. ``context`` holds the data of the fault (ids, counts, limits);
    it is read-only after construction. ``code`` is fixed per class.
    """

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL

    def __init__(self, message: str, **context: object) -> None:
        super().__init__(message)
        self.message = message
        self.context: Mapping[str, object] = MappingProxyType(context)

    def __str__(self) -> str:
        if not self.context:
            return self.message
        details = ", ".join(f"{key}={value!r}" for key, value in self.context.items())
        return f"{self.message} ({details})"

    def __reduce__(self) -> tuple[object, ...]:
        # A worker process sends its error to the parent; a mappingproxy can't be pickled, its dict can.
        return (_rebuild, (type(self), self.message, dict(self.context)))


def _rebuild(kind: type[HioloadError], message: str, context: dict[str, object]) -> HioloadError:
    """Unpickle: make the same error from its class, message and context."""
    return kind(message, **context)


class UsageError(HioloadError):
    """The caller broke a contract: nothing was done, the state is as before the call."""


class InvalidArgument(UsageError, ValueError):
    """An argument is out of its documented range or of the wrong form."""

    code = ErrorCode.INVALID_ARGUMENT


class InvalidState(UsageError):
    """The call is legal, but not in the state this object is in (the context names the state)."""

    code = ErrorCode.INVALID_STATE


class Closed(UsageError):
    """The object was closed before the call."""

    code = ErrorCode.CLOSED


class TransportClosed(Closed):
    """An operation on a transport or connection that was closed on this side."""

    code = ErrorCode.TRANSPORT_CLOSED


class PoolClosed(Closed):
    """An acquire from a pool that was closed. Releasing to a closed pool is allowed."""

    code = ErrorCode.POOL_CLOSED


class LeaseError(UsageError):
    """A buffer was used against its ownership rules.

    The context has the lease's id and, with tracking, where it was acquired.
    """


class DoubleRelease(LeaseError):
    """A lease was released more often than it was acquired and retained. The pool's books are unchanged."""

    code = ErrorCode.DOUBLE_RELEASE


class UseAfterRelease(LeaseError):
    """A lease was used after its last release. The memory may belong to somebody else by now."""

    code = ErrorCode.USE_AFTER_RELEASE


class ForeignRelease(LeaseError):
    """A lease was given back to a pool that never issued it."""

    code = ErrorCode.FOREIGN_RELEASE


class WrongThread(UsageError):
    """An object that belongs to one thread (a reactor, its connections, its pool) was used from another."""

    code = ErrorCode.WRONG_THREAD


class NotSupported(UsageError):
    """This machine, platform or build cannot do it; the message says what is missing."""

    code = ErrorCode.NOT_SUPPORTED


class AlreadyExists(UsageError):
    """The name, id or handle is taken."""

    code = ErrorCode.ALREADY_EXISTS


class NotFound(UsageError, LookupError):
    """Nothing is registered under this name, id or handle."""

    code = ErrorCode.NOT_FOUND


class Cancelled(UsageError):
    """The result of work that was cancelled before it ran."""

    code = ErrorCode.CANCELLED


class PeerError(HioloadError):
    """The other end broke the protocol or went away. Only this connection is concerned."""


class ProtocolViolation(PeerError):
    """The peer sent bytes that RFC 6455 forbids.

    ``close_code`` is the status code of RFC 6455 §7.4 to answer with.
    """

    code = ErrorCode.PROTOCOL_VIOLATION

    def __init__(self, message: str, *, close_code: int = 1002, **context: object) -> None:
        super().__init__(message, close_code=close_code, **context)
        self.close_code = close_code


class HandshakeFailed(PeerError):
    """The opening handshake of RFC 6455 §4 failed.

    ``status`` is the HTTP status code sent or received; 0 where none was. ``response`` is the head of the
    response that was received, for its header fields (``Location``, ``WWW-Authenticate``, ``Retry-After``);
    ``None`` where none was, or none that is complete and well-formed. It is not part of the context, because
    header fields may hold what does not belong into logs.
    """

    code = ErrorCode.HANDSHAKE_FAILED

    def __init__(self, message: str, *, status: int = 0, **context: object) -> None:
        super().__init__(message, status=status, **context)
        self.status = status
        self.response: Response | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return (*super().__reduce__(), {"response": self.response})


class ConnectionLost(PeerError):
    """The connection was reset or ended without a closing handshake (RFC 6455 §7.1.5, code 1006)."""

    code = ErrorCode.CONNECTION_LOST


class ProxyRefused(ConnectionLost):
    """An HTTP proxy did not make the connection that it was asked for (RFC 9110 §9.3.6).

    ``status`` is that of its answer: 407 wants other credentials, 502 to 504 mean that the far end was not
    reached; 0 where the answer is not HTTP. ``response`` is its head, as that of ``HandshakeFailed``.
    """

    code = ErrorCode.PROXY_REFUSED

    def __init__(self, message: str, *, status: int = 0, **context: object) -> None:
        super().__init__(message, status=status, **context)
        self.status = status
        self.response: Response | None = None

    def __reduce__(self) -> tuple[object, ...]:
        return (*super().__reduce__(), {"response": self.response})


class ResourceError(HioloadError):
    """A limit was reached. Nothing was taken; the same call may succeed later."""


class ResourceExhausted(ResourceError):
    """Memory, descriptors, slots or quota ran out; the context names the resource and its limit."""

    code = ErrorCode.RESOURCE_EXHAUSTED


class TimedOut(ResourceError, TimeoutError):
    """A deadline passed. The docstring of the call says what was left behind."""

    code = ErrorCode.TIMEOUT


class WorkerLost(ResourceError):
    """A worker of a server ended without having been asked to: it crashed, was killed, or could not be started.

    The context says which (``worker``), ``how`` it ended, and how many were lost ``in_a_row``. The others go on, and
    another one takes its place, unless too many were lost in a row.
    """

    code = ErrorCode.WORKER_LOST


class InternalError(HioloadError):
    """An invariant of ours does not hold. Always a defect of this library."""

    code = ErrorCode.INTERNAL


__all__ = [
    "AlreadyExists",
    "Cancelled",
    "Closed",
    "ConnectionLost",
    "DoubleRelease",
    "ErrorCode",
    "ForeignRelease",
    "HandshakeFailed",
    "HioloadError",
    "InternalError",
    "InvalidArgument",
    "InvalidState",
    "LeaseError",
    "NotFound",
    "NotSupported",
    "PeerError",
    "PoolClosed",
    "ProtocolViolation",
    "ProxyRefused",
    "ResourceError",
    "ResourceExhausted",
    "TimedOut",
    "TransportClosed",
    "UsageError",
    "UseAfterRelease",
    "WorkerLost",
    "WrongThread",
]
