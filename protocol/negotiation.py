"""What client and server agree on in the opening handshake: the proof, one subprotocol, some extensions.

*The proof.* The client sends a nonce, the server returns its SHA-1 with a fixed GUID. It proves nothing about
identity; it proves that the server has understood a WebSocket request and is not, say, a mail server that
echoes (RFC 6455 §1.3). SHA-1 is not used for security here, and its weaknesses do not matter.

*Subprotocols.* The client lists names in order of preference, the server picks at most one of them.

*Extensions.* The client lists offers in order of preference and may offer one extension several times, with
other parameters, as fallbacks. The server answers offers in that order, each name at most once, and the order
of its answers is the order of the chain (RFC 6455 §9.1). Two extensions that claim the same reserved bit
could not tell their frames apart, so the first one agreed keeps the bit. An extension object may hold memory
from the moment it is made; whenever a negotiation fails half-way, those already made are closed here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Final

from ..api.errors import HandshakeFailed, InvalidArgument
from ..api.extension import Extension, ExtensionAnswer, ExtensionFactory
from ..api.http import HeaderFields
from .http_rendering import check_fields
from .tokens import ListedExtension, is_token, split_list

WEBSOCKET_VERSION: Final = "13"
"""The value of ``Sec-WebSocket-Version`` (RFC 6455 §4.1 item 9)."""

KEY_BYTES: Final = 16
"""Length of the nonce before base64 (RFC 6455 §4.1 item 7)."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §4.2.2 item 5.4
# 16 bytes are 21 characters of 6 bits and 2 bits more, so a canonical last character has four zero bits (RFC
# 4648 §3.5). The example in RFC 6455 §4.1 item 7 ends in "C"; erratum 3150 (verified) corrects it to "A".
KEY_FORM: Final = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")
"""What ``is_handshake_key`` asks, of bytes."""
_KEY: Final = re.compile(KEY_FORM.pattern.decode("ascii"))
_HANDSHAKE_HEADERS: Final = frozenset({"connection", "content-length", "transfer-encoding", "upgrade"})
_HANDSHAKE_PREFIX: Final = "sec-websocket-"
_SWITCHING: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)
_EMPTY_SHA1: Final = hashlib.sha1(usedforsecurity=False)  # copied in two thirds of the time that a new one takes


def is_handshake_key(text: str) -> bool:
    """Say whether ``text`` is the canonical base64 of exactly 16 bytes (RFC 6455 §4.2.1 item 5)."""
    return _KEY.fullmatch(text) is not None


def accept_key(key: str) -> str:
    """Return the ``Sec-WebSocket-Accept`` that belongs to a ``Sec-WebSocket-Key`` (RFC 6455 §4.2.2 item 5.4).

    ``key`` is the field value as sent, not decoded. Raises ``InvalidArgument`` when it is not ASCII.
    """
    if not key.isascii():
        raise InvalidArgument("a handshake key is ASCII")
    digest = hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def switching_plain(key: bytes) -> bytes:
    """Return the commonest 101 response: no subprotocol, no extension, nothing added. ``key`` is ASCII.

    A response rendered in full is the clear twin of this and takes ten times as long.
    """
    sha1 = _EMPTY_SHA1.copy()
    sha1.update(key + _GUID)
    return _SWITCHING + binascii.b2a_base64(sha1.digest(), newline=False) + b"\r\n\r\n"


def lists_token(values: Iterable[str], token: str) -> bool:
    """Say whether a comma list has ``token`` (given in lower case), compared without case."""
    if values == (token,):
        return True  # nearly always, and without a look into it
    return any(element.lower() == token for element in split_list(values))


def check_extra_headers(headers: HeaderFields, also_reserved: frozenset[str] = frozenset()) -> None:
    """Check header fields a caller adds to a handshake; those that make the handshake are not his to set.

    Raises ``InvalidArgument`` for Upgrade, Connection, Content-Length, Transfer-Encoding, any
    Sec-WebSocket-*, names in ``also_reserved`` (lower case), and for what ``http_rendering.check_fields`` refuses.
    """
    check_fields(headers)
    for name, _ in headers:
        lower = name.lower()
        if lower in _HANDSHAKE_HEADERS or lower in also_reserved or lower.startswith(_HANDSHAKE_PREFIX):
            raise InvalidArgument("this header is set by the handshake", name=name)


def check_subprotocols(names: Sequence[str]) -> None:
    """Check the subprotocols of a configuration: tokens, none twice (RFC 6455 §4.1 item 10), else
    ``InvalidArgument``. A plain ``str`` is refused as well: its characters would pass for names."""
    if isinstance(names, str):
        raise InvalidArgument("subprotocols are a sequence of names, not one name", names=names)
    for name in names:
        if not is_token(name):
            raise InvalidArgument("a subprotocol is a token", name=name)
    if len(set(names)) != len(names):
        raise InvalidArgument("a subprotocol is listed twice", names=tuple(names))


def check_factories(factories: Sequence[ExtensionFactory]) -> None:
    """Check the extensions of a configuration: names are tokens, none twice, else ``InvalidArgument``."""
    names = [factory.name for factory in factories]
    for name in names:
        if not is_token(name):
            raise InvalidArgument("an extension name is a token", name=name)
    if len(set(names)) != len(names):
        raise InvalidArgument("an extension is configured twice", names=tuple(names))


def parse_subprotocols(values: Sequence[str]) -> tuple[str, ...]:
    """Return the subprotocols a client offers, in its order; ``values`` are all values of the field.

    Raises ``HandshakeFailed`` (400) for a field that lists nothing, a name that is no token, or one listed
    twice (RFC 6455 §4.1 item 10).
    """
    offered = tuple(split_list(values))
    if values and not offered:
        raise HandshakeFailed("Sec-WebSocket-Protocol lists nothing", status=400)
    if not all(map(is_token, offered)):
        raise HandshakeFailed("Sec-WebSocket-Protocol lists something that is no token", status=400)
    if len(set(offered)) != len(offered):
        raise HandshakeFailed("Sec-WebSocket-Protocol lists a name twice", status=400)
    return offered


def choose_subprotocol(offered: Sequence[str], supported: Sequence[str]) -> str | None:
    """Return the first offered subprotocol that is supported: the client's preference decides."""
    return next((name for name in offered if name in supported), None)


def close_all(extensions: Iterable[Extension]) -> None:
    """Close extensions that will not be used."""
    for extension in extensions:
        extension.close()


def accept_offers(
    offers: Iterable[ListedExtension], factories: Sequence[ExtensionFactory]
) -> tuple[list[ListedExtension], tuple[Extension, ...]]:
    """Server: answer the client's offers; return the answers and their extensions, in the client's order.

    Each name is agreed at most once; a declined offer leaves room for a later fallback of the same name. An
    extension whose reserved bit is taken is closed, and its name is out of the race, fallbacks too: a client
    must not be able to have extensions made and dropped by the thousand. What a factory raises passes
    through; extensions made before are closed then.
    """
    open_names = {factory.name: factory for factory in factories}
    claimed_bits = 0
    answers: list[ListedExtension] = []
    agreed: list[Extension] = []
    try:
        for name, parameters in offers:
            factory = open_names.get(name)
            answer: ExtensionAnswer | None = factory.accept_offer(parameters) if factory else None
            if answer is None:
                continue
            del open_names[name]
            if answer.extension.rsv_bits & claimed_bits:
                answer.extension.close()
                continue
            claimed_bits |= answer.extension.rsv_bits
            answers.append(ListedExtension(name, tuple(answer.parameters)))
            agreed.append(answer.extension)
    except BaseException:
        close_all(agreed)
        raise
    return answers, tuple(agreed)


def make_offers(factories: Iterable[ExtensionFactory]) -> list[ListedExtension]:
    """Client: return everything to offer, in order of preference, fallbacks after their first choice."""
    return [
        ListedExtension(factory.name, tuple(parameters))
        for factory in factories
        for parameters in factory.offers()
    ]


def accept_answers(
    answers: Iterable[ListedExtension], factories: Sequence[ExtensionFactory]
) -> tuple[Extension, ...]:
    """Client: make the extensions the server chose, in the server's order.

    Raises ``HandshakeFailed`` (status 101: the one received) for an extension that was not offered (RFC 6455
    §4.1, response item 5), one named twice, and two that claim one reserved bit; and whatever a factory
    raises. Extensions made before are closed then.
    """
    offered = {factory.name: factory for factory in factories if factory.offers()}
    claimed_bits = 0
    agreed: list[Extension] = []
    try:
        for name, parameters in answers:
            factory = offered.pop(name, None)
            if factory is None:
                raise HandshakeFailed("the server chose an extension not offered, or twice", status=101)
            extension = factory.accept_answer(parameters)
            agreed.append(extension)
            if extension.rsv_bits & claimed_bits:
                raise HandshakeFailed("the server chose extensions that share a reserved bit", status=101)
            claimed_bits |= extension.rsv_bits
    except BaseException:
        close_all(agreed)
        raise
    return tuple(agreed)


__all__ = [
    "KEY_BYTES",
    "KEY_FORM",
    "WEBSOCKET_VERSION",
    "accept_answers",
    "accept_key",
    "accept_offers",
    "check_extra_headers",
    "check_factories",
    "check_subprotocols",
    "choose_subprotocol",
    "close_all",
    "is_handshake_key",
    "lists_token",
    "make_offers",
    "parse_subprotocols",
    "switching_plain",
]
