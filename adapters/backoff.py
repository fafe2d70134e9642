"""Backoff: whether to try again after a connection failed or ended, and after how long (RFC 6455 §7.2.3).

When a server goes down it loses all its clients in one moment, and if they all come back in another moment it goes
down again. So the RFC wants the first wait to be random, and later ones to grow (truncated binary exponential
back-off). Wait number *n* is drawn from ``0 .. first_s`` for the first, and from the upper half of ``0 .. first_s *
factor ** (n - 1)``, capped at ``max_s``, for the others: random enough to spread a crowd, and longer each time.

Trying again helps only where time can mend it. A server that answers 401 or 404, a certificate that is refused, a
peer that breaks the protocol: the next attempt would end the same way, and a program that hammers on such a door hides
its fault from whoever could mend it. ``is_transient`` is that line, and can be replaced.

Everything here is arithmetic: no clock, no randomness of its own. Who waits is in ``reconnect.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from ..api.errors import (
    ConnectionLost,
    HandshakeFailed,
    InvalidArgument,
    ProxyRefused,
    ResourceExhausted,
    TimedOut,
)
from ..api.handler import CloseEvent
from ..api.types import Nanoseconds
from .hub import ns

Outcome: TypeAlias = "Exception | CloseEvent"
"""How an attempt ended: what it raised, or how an open connection closed."""

IsTransient: TypeAlias = "Callable[[Outcome], bool]"
"""Says whether to try again after an outcome."""

TRANSIENT_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP answers that may be another one later (RFC 9110 §15.5 and §15.6, RFC 6585 §4, RFC 8470 §5.2)."""

TRANSIENT_CODES: Final = frozenset({1001, 1006, 1011, 1012, 1013, 1014})
"""Close codes that say nothing against coming back: going away, a broken connection, an error of the server's, its
restart, "try again later", a bad gateway (RFC 6455 §7.4.1 and the IANA registry)."""

_CERTIFICATE: Final = "CERTIFICATE_VERIFY_FAILED"


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before each new attempt. Thread rules: any, it never changes.

    - ``first_s``: the first wait is a random time from 0 to this; 5 s is what RFC 6455 §7.2.3 calls reasonable.
    - ``factor``: how much longer each next one may be, 1 or more.
    - ``max_s``: no wait is longer. A connection that lasted longer than this makes the next wait a first one again.
    - ``max_attempts``: how many attempts in a row may fail, 1 or more; ``None``: any number.

    Raises ``InvalidArgument`` for what is out of range.
    """

    first_s: float = 5.0
    factor: float = 2.0
    max_s: float = 60.0
    max_attempts: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.first_s <= self.max_s < math.inf:
            raise InvalidArgument("waits are 0 <= first_s <= max_s", first_s=self.first_s, max_s=self.max_s)
        if not 1 <= self.factor < math.inf:
            raise InvalidArgument("a factor is 1 or more", factor=self.factor)
        if self.max_attempts is not None and self.max_attempts < 1:
            raise InvalidArgument("attempts are 1 or more", max_attempts=self.max_attempts)

    def longest_s(self, failure_count: int) -> float:
        """Return the longest wait after so many failures in a row, 1 or more."""
        if not self.first_s or failure_count == 1:
            return self.first_s
        # In logarithms, because a power that is too large for a float would raise.
        logarithm = math.log(self.first_s) + (failure_count - 1) * math.log(self.factor)
        return self.max_s if logarithm >= math.log(self.max_s) else math.exp(logarithm)

    def delay_s(self, failure_count: int, draw: float) -> float:
        """Return the wait after so many failures in a row, 1 or more; ``draw`` is random, from 0 to below 1."""
        longest_s = self.longest_s(failure_count)
        return longest_s * draw if failure_count == 1 else longest_s * (1 + draw) / 2


def is_transient(outcome: Outcome) -> bool:
    """Say whether an outcome may be another one later; see the top of this module."""
    if isinstance(outcome, CloseEvent):
        return outcome.code in TRANSIENT_CODES
    if isinstance(outcome, (HandshakeFailed, ProxyRefused)):
        return outcome.status in TRANSIENT_STATUSES
    if isinstance(outcome, ConnectionLost):
        return outcome.context.get("reason") != _CERTIFICATE
    return isinstance(outcome, (TimedOut, ResourceExhausted))


def retry_after_s(outcome: Outcome) -> float:
    """Return the seconds that a refusal asks to wait (``Retry-After``, RFC 9110 §10.2.3); 0 for none, or a date."""
    response = outcome.response if isinstance(outcome, (HandshakeFailed, ProxyRefused)) else None
    text = "" if response is None else response.header("Retry-After") or ""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0.0


class Retries:
    """Counts what failed in a row and says how long to wait. Thread rules: one thread."""

    __slots__ = ("_backoff", "_is_transient", "_random", "failure_count")

    failure_count: int
    """How many attempts in a row have failed."""

    def __init__(self, backoff: Backoff, is_transient: IsTransient, random: Callable[[], float]) -> None:
        self._backoff = backoff
        self._is_transient = is_transient
        self._random = random
        self.failure_count = 0

    def wait_s(self, outcome: Outcome, open_ns: Nanoseconds) -> float | None:
        """Take note of an outcome, ``open_ns`` after the connection opened (0: it never did); return the wait
        before the next attempt, or ``None`` when there should be none."""
        if open_ns > ns(self._backoff.max_s):
            self.failure_count = 0
        self.failure_count += 1
        most = self._backoff.max_attempts
        if not self._is_transient(outcome) or (most is not None and self.failure_count >= most):
            return None
        asked_s = min(retry_after_s(outcome), self._backoff.max_s)
        return max(self._backoff.delay_s(self.failure_count, self._random()), asked_s)


__all__ = [
    "TRANSIENT_CODES",
    "TRANSIENT_STATUSES",
    "Backoff",
    "IsTransient",
    "Outcome",
    "Retries",
    "is_transient",
    "retry_after_s",
]
