"""What permessage-deflate is negotiated about (RFC 7692 §7.1): four parameters, two for each direction.

*Context takeover*: a message may refer back to earlier ones. It compresses better, and both ends have to keep
a window per connection. *Window bits*: how far back, 2**8 to 2**15 bytes. ``server_…`` is about what the
server sends, ``client_…`` about what the client sends:

    parameter                    in an offer                            in an answer
    server_no_context_takeover   a demand                               a promise
    client_no_context_takeover   a hint: the client will not            a demand
    server_max_window_bits=N     a demand                               a promise, N or less
    client_max_window_bits[=N]   "you may limit me" [to N: a hint]      a demand, N or less; only if offered

A demand must be granted or the offer declined; a promise and a demand in an answer may come unasked, except
for ``client_max_window_bits``, since not every client can limit its window. Because we can keep every demand
(for the window of 2**8 bytes see ``deflate.py``), a server declines malformed offers only.

An endpoint's own wishes have the same form, so answering is taking the stricter of two values, field by field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..api.errors import HandshakeFailed
from ..api.extension import ExtensionParameters

MIN_WINDOW_BITS: Final = 8
MAX_WINDOW_BITS: Final = 15

UNLIMITED: Final = 0
"""Stands for a ``client_max_window_bits`` without a value, which only an offer may have (RFC 7692 §7.1.2.2)."""

# Decimal, without leading zeros (RFC 7692 §7.1.2): so there are eight spellings, and no others.
_BITS: Final[Mapping[str | None, int]] = {
    str(bits): bits for bits in range(MIN_WINDOW_BITS, MAX_WINDOW_BITS + 1)
}
_FLAGS: Final = frozenset({"server_no_context_takeover", "client_no_context_takeover"})
_WINDOWS: Final = frozenset({"server_max_window_bits", "client_max_window_bits"})


@dataclass(frozen=True, slots=True)
class DeflateParameters:
    """An offer, an answer, or the wishes of one end. ``None``: the parameter is not there."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int | None = None
    client_max_window_bits: int | None = None

    def render(self) -> tuple[tuple[str, str | None], ...]:
        """Return the parameters in the form in which a header lists them."""
        listed: list[tuple[str, str | None]] = []
        if self.server_no_context_takeover:
            listed.append(("server_no_context_takeover", None))
        if self.client_no_context_takeover:
            listed.append(("client_no_context_takeover", None))
        if self.server_max_window_bits is not None:
            listed.append(("server_max_window_bits", str(self.server_max_window_bits)))
        if self.client_max_window_bits is not None:
            bits = self.client_max_window_bits
            listed.append(("client_max_window_bits", None if bits == UNLIMITED else str(bits)))
        return tuple(listed)


def parse_parameters(parameters: ExtensionParameters, *, offer: bool) -> DeflateParameters:
    """Return what a header lists, in an ``offer`` or in an answer.

    Raises ``HandshakeFailed`` (status 101) for an unknown parameter, one listed twice, a value where none may
    be, one that is missing or outside 8 to 15, and one with leading zeros (RFC 7692 §7.1: the answer to such
    an offer is to decline it, to such an answer to fail the connection). Quoted values are as good as plain
    ones: whether there were quotes is not even told here (RFC 6455 §9.1).
    """
    flags: set[str] = set()
    windows: dict[str, int] = {}
    for name, value in parameters:
        if name in flags or name in windows:
            raise _malformed("a parameter is listed twice", name, value)
        if name in _FLAGS:
            if value is not None:
                raise _malformed("a parameter that takes no value has one", name, value)
            flags.add(name)
        elif name not in _WINDOWS:
            raise _malformed("an unknown parameter", name, value)
        elif value in _BITS:
            windows[name] = _BITS[value]
        elif value is None and offer and name == "client_max_window_bits":
            windows[name] = UNLIMITED
        else:
            raise _malformed("window bits are a number from 8 to 15", name, value)
    return DeflateParameters(
        "server_no_context_takeover" in flags,
        "client_no_context_takeover" in flags,
        windows.get("server_max_window_bits"),
        windows.get("client_max_window_bits"),
    )


def answer_offer(offer: DeflateParameters, wishes: DeflateParameters) -> DeflateParameters:
    """Server: return the answer to a well-formed offer; the server may have ``wishes`` of its own.

    A hint that the client will not take its context over is made binding by repeating it: that is what lets
    us drop our half. Where the client can't limit its window the wish for that is void.
    """
    client_bits = offer.client_max_window_bits
    return DeflateParameters(
        offer.server_no_context_takeover or wishes.server_no_context_takeover,
        offer.client_no_context_takeover or wishes.client_no_context_takeover,
        _smaller(offer.server_max_window_bits, wishes.server_max_window_bits),
        None if client_bits is None else _smaller(client_bits or None, wishes.client_max_window_bits),
    )


def offers_for(wishes: DeflateParameters, fallback: bool) -> tuple[DeflateParameters, ...]:
    """Client: return what to offer, in order of preference (RFC 7692 §5, §7.1).

    That its window may be limited is always said, we can do it. With ``fallback`` wishes that are demands are
    followed by an offer without them, for servers that can't keep them.
    """
    client_bits = wishes.client_max_window_bits
    limit = UNLIMITED if client_bits is None else client_bits
    flags = wishes.server_no_context_takeover, wishes.client_no_context_takeover
    first = DeflateParameters(*flags, wishes.server_max_window_bits, limit)
    undemanding = DeflateParameters(False, wishes.client_no_context_takeover, None, limit)
    return (first, undemanding) if fallback and undemanding != first else (first,)


def check_answer(answer: DeflateParameters, wishes: DeflateParameters, fallback: bool) -> None:
    """Client: check a well-formed answer against what was offered.

    Raises ``HandshakeFailed`` (status 101) where it fits no offer: a demand that is not kept, or a window of
    ours larger than the one offered (RFC 7692 §7.1.1.1, §7.1.2.1, §7.1.2.2).
    """
    if _exceeds(answer.client_max_window_bits, wishes.client_max_window_bits):
        raise HandshakeFailed("the server chose a larger window than offered", status=101)
    if fallback:
        return  # The second offer demands nothing, and promises may come unasked.
    if wishes.server_no_context_takeover and not answer.server_no_context_takeover:
        raise HandshakeFailed("the server insists on context takeover", status=101)
    demanded = wishes.server_max_window_bits
    promised = answer.server_max_window_bits
    if demanded is not None and _exceeds(MAX_WINDOW_BITS if promised is None else promised, demanded):
        raise HandshakeFailed("the server insists on a larger window", status=101)


def _smaller(one: int | None, other: int | None) -> int | None:
    """Return the stricter of two limits, either of which may be missing."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _exceeds(bits: int | None, limit: int | None) -> bool:
    return bits is not None and limit is not None and bits > limit


def _malformed(what: str, name: str, value: str | None) -> HandshakeFailed:
    return HandshakeFailed(f"permessage-deflate: {what}", status=101, parameter=name, value=value)


__all__ = [
    "MAX_WINDOW_BITS",
    "MIN_WINDOW_BITS",
    "UNLIMITED",
    "DeflateParameters",
    "answer_offer",
    "check_answer",
    "offers_for",
    "parse_parameters",
]
