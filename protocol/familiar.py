"""Familiar heads: requests whose words were read and checked before.

Clients of one program on one machine, and all the connections that one program opens, ask in the same words: the
heads of their handshakes differ in nothing but ``Sec-WebSocket-Key``. So what was found out about a head is kept
under its bytes without the key. Once more the same bytes, with another key of the right form, mean the same
again: nothing in the rules of a handshake joins the key to another field. What is left to do is one search, one
look-up and the form of the key; and thousands of connections share one copy of what they asked.

There are no second rules here that could be laxer than the first ones. Only ``ServerHandshake`` teaches, after it
has read a head with the one parser there is and checked it whole; its long road is the clear twin of this one.

*What is not kept*: heads with cookies, credentials or a query. They are somebody's, so they hardly come back, and
nobody wants them to stay in memory. Others are kept up to a number and a size, the oldest goes first: a client
that makes up new heads all the time costs itself the short road, and others at most a second reading.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from ..api.errors import InternalError
from ..api.http import Request
from .http import HeadParser, split_target
from .negotiation import KEY_FORM
from .tokens import ListedExtension

MAX_HEADS: Final = 256
"""Most heads that are kept: a server seldom meets more programs at a time."""
MAX_FAMILIAR_BYTES: Final = 1024
"""Longest head that is kept."""

_KEY_NAME: Final = "Sec-WebSocket-Key"
_KEY_FIELD: Final = b"\r\nSec-WebSocket-Key: "
_KEY_CHARACTERS: Final = 24
PERSONAL_FIELDS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
"""Names, in lower case, of fields with which no head is to be kept."""


class KeptHead(ABC):
    """How a request is kept for as long as its connection lives: what it shares with others is in here, what is
    its own, the *rest*, is a few bytes that the connection keeps. Immutable; any thread."""

    __slots__ = ()

    @abstractmethod
    def request(self, rest: bytes) -> Request:
        """Return the request; ``rest`` is what was kept beside this object."""

    @abstractmethod
    def path(self, rest: bytes) -> str:
        """Return the path of the request, and nothing else of it."""


class WholeHead(KeptHead):
    """A head that shares nothing: the rest is all of it, and is parsed again when somebody asks."""

    __slots__ = ()

    def request(self, rest: bytes) -> Request:
        """Return the request whose head is ``rest``. Raises ``InternalError`` for anything else."""
        request = HeadParser(max_head_bytes=len(rest) + 1, max_header_count=len(rest)).feed(rest)
        if request is None:
            raise InternalError("a head that was kept is incomplete")
        return request

    def path(self, rest: bytes) -> str:
        """Return the path in the first line."""
        parts = split_target(rest.split(b" ", 2)[1].decode("latin-1"))
        return parts[1] if parts else ""  # the parser has refused a target without parts


WHOLE_HEAD: Final = WholeHead()


class FamiliarHead(KeptHead):
    """A head that was checked, but for its key; the rest is the key, 24 bytes."""

    __slots__ = ("_after", "_before", "_path", "_query", "_target", "offers", "subprotocols")

    def __init__(
        self, request: Request, subprotocols: tuple[str, ...], offers: Sequence[ListedExtension]
    ) -> None:
        """``request`` has passed every check; ``subprotocols`` and ``offers`` are what it asks for."""
        at = next(index for index, (name, _) in enumerate(request.headers) if name == _KEY_NAME)
        self._before = request.headers[:at]
        self._after = request.headers[at + 1 :]
        self._target = request.target
        self._query = request.query
        self._path = request.path
        self.subprotocols = subprotocols
        self.offers = offers

    def request(self, rest: bytes) -> Request:
        """Return the request with the key ``rest``."""
        headers = (*self._before, (_KEY_NAME, rest.decode("ascii")), *self._after)
        return Request("GET", self._target, headers, self._path, self._query)

    def path(self, rest: bytes = b"") -> str:
        """Return the path; the rest has no part in it."""
        return self._path


class FamiliarHeads:
    """Heads that were checked under one configuration. Thread rules: one thread."""

    __slots__ = ("_heads",)

    def __init__(self) -> None:
        self._heads: dict[bytes, FamiliarHead] = {}

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._heads)

    def recognise(self, data: bytes) -> tuple[FamiliarHead, bytes] | None:
        """Return what is known of ``data`` and the key it came with this time, if that is a familiar head with a
        key of the right form, whole, and with nothing behind it."""
        found = data.find(_KEY_FIELD)
        at = found + len(_KEY_FIELD)
        stop = at + _KEY_CHARACTERS
        head = self._heads.get(data[:at] + data[stop:])
        if head is None or found < 0:
            return None
        key = data[at:stop]
        return (head, key) if KEY_FORM.fullmatch(key) else None

    def learn(
        self,
        data: bytes,
        key: bytes,
        request: Request,
        subprotocols: tuple[str, ...],
        offers: Sequence[ListedExtension],
    ) -> None:
        """Keep what is known of ``data``, a whole head with nothing behind it, without ``PERSONAL_FIELDS``, which has
        passed every check, ``key`` too; unless it is long, has a query, or has its key written in another way."""
        # Invariant: in what is kept the first ``_KEY_FIELD`` ends where the key was, so that it can't be put
        # together in two ways.
        found = data.find(_KEY_FIELD)
        at = found + len(_KEY_FIELD)
        stop = at + _KEY_CHARACTERS
        if found < 0 or data[at:stop] != key or request.query or len(data) > MAX_FAMILIAR_BYTES:
            return
        if len(self._heads) >= MAX_HEADS:
            del self._heads[next(iter(self._heads))]
        self._heads[data[:at] + data[stop:]] = FamiliarHead(request, subprotocols, offers)


__all__ = [
    "MAX_FAMILIAR_BYTES",
    "MAX_HEADS",
    "PERSONAL_FIELDS",
    "WHOLE_HEAD",
    "FamiliarHead",
    "FamiliarHeads",
    "KeptHead",
    "WholeHead",
]
