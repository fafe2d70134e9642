"""The targets: what an input is given to, and what must hold whatever it is.

A target is called with an input and returns its signature (see ``mutator.py``). It raises ``Finding`` for an
outcome that must not be; any other exception is a finding by itself, because bytes from a peer raise nothing
but what a contract says. What holds for every one of them:

- the outcome does not depend on where the stream is cut, nor on whether it was received in place;
- what was accepted can be answered, and what was refused can be refused on the wire;
- no lease is left.

The codec is held against the clear reference parser as well, for one input in sixteen: it is slow. Where an
input is cut follows from its checksum, so that the input alone repeats a finding.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable, Sequence, Sized
from typing import Final, Protocol

from hioload_ws.api.codec import CloseReceived, CodecEvent, PingReceived, PongReceived, Role, ViolationDetected
from hioload_ws.api.buffer import Buffer
from hioload_ws.api.errors import HandshakeFailed, InvalidArgument
from hioload_ws.api.extension import Extension
from hioload_ws.pool.buffer_pool import SlabBufferPool
from hioload_ws.protocol.client_handshake import ClientHandshake
from hioload_ws.protocol.codec import WebSocketCodec
from hioload_ws.protocol.deflate import PermessageDeflate
from hioload_ws.protocol.handshake_config import HandshakeConfig
from hioload_ws.protocol.http import HeadParser
from hioload_ws.protocol.limits import Limits
from hioload_ws.protocol.message import WireMessage
from hioload_ws.protocol.negotiation import accept_offers, close_all
from hioload_ws.protocol.server_handshake import ServerHandshake, failure_response
from hioload_ws.protocol.tokens import ListedExtension, parse_extensions, render_extensions
from hioload_ws.protocol.uri import parse_uri
from tests.protocol.reference import Reference

Outcome = tuple[object, ...]

_WIDE: Final = Limits(max_message_bytes=1 << 20, max_fragments=64)
_NARROW: Final = Limits(max_message_bytes=300, max_frame_bytes=200, max_fragments=4)
_REFERENCE_MAX_BYTES: Final = 600


class Finding(AssertionError):
    """An outcome that must not be."""


class Target(Protocol):
    """Something to give inputs to."""

    def __call__(self, data: bytes, /) -> Hashable:
        """Return the signature of what the input led to; raise for what must not be."""

    def close(self) -> None:
        """Release what the target holds; raises ``Finding`` when something is left."""


def cut_by(check: int, data: bytes) -> list[bytes]:
    """Return the input in up to four pieces, cut where its checksum says; none for an empty one."""
    length = len(data)
    if not length:
        return []
    edges = sorted({0, check % length, (check >> 8) % length, (check >> 16) % length, length})
    return [data[start:stop] for start, stop in zip(edges, edges[1:], strict=False)]


class WatchedPool(SlabBufferPool):
    """A pool that knows its leases, so that asking whether one is left costs next to nothing (a third of an input's
    time otherwise)."""

    def __init__(self) -> None:
        super().__init__(leaks="disabled", slab_bytes=65536)
        self.taken: list[Buffer] = []

    def try_acquire(self, size_bytes: int) -> Buffer | None:
        """As the pool's; ``acquire`` comes by here too."""
        buffer = super().try_acquire(size_bytes)
        if buffer is not None:
            self.taken.append(buffer)
        return buffer

    def check_all_back(self) -> None:
        """Raise ``Finding`` when a lease of those taken since the last call is left."""
        for buffer in self.taken:
            if buffer.ref_count:
                raise Finding("a lease is left")
        self.taken.clear()


class CodecTarget:
    """A codec as its driver uses it: every event is answered, every message echoed."""

    def __init__(self, role: Role, deflate: bool = False) -> None:
        self._role = role
        self._factories = _DEFLATES if deflate else ()
        self._pool = WatchedPool()

    def __call__(self, data: bytes) -> Hashable:
        """Play the input whole and cut; the events must be the same."""
        check = zlib.crc32(data)
        limits = _NARROW if check & 1 else _WIDE
        whole = self._play([data], check, limits, False)
        cut = self._play(cut_by(check, data), check, limits, check & 2 != 0)
        if self._factories:
            # Text and a limit may both be broken; which one is met first depends on how much is inflated at once.
            whole, cut = _without_codes(whole), _without_codes(cut)
        elif not check & 0x3C and len(data) <= _REFERENCE_MAX_BYTES:
            clear = Reference(self._role is Role.SERVER, limits).run(data)
            if clear != whole:
                raise Finding(f"the clear parser says {clear!r}, the codec {whole!r}")
        if cut != whole:
            raise Finding(f"cut: {cut!r}, whole: {whole!r}")
        self._pool.check_all_back()
        return tuple(map(_shape_of_event, whole[:6]))

    def close(self) -> None:
        """Close the pool, whose books have to say the same."""
        if self._pool.stats().in_use_count:
            raise Finding("a lease is left, by the books")
        self._pool.close()

    def _play(self, pieces: Sequence[bytes], check: int, limits: Limits, direct: bool) -> list[Outcome]:
        extensions = self._extensions(check)
        codec = WebSocketCodec(
            self._role, limits=limits, pool=self._pool, mask_key=lambda: b"\x37\xfa\x21\x3d", extensions=extensions
        )
        outcome: list[Outcome] = []
        for piece in pieces:
            memory = memoryview(bytearray(piece))
            target = codec.direct_target() if direct else None
            if target is not None:
                count = min(len(target), len(memory))
                target[:count] = memory[:count]
                _drive(codec, codec.receive_direct(count), outcome)
                memory = memory[count:]
            _drive(codec, codec.receive(memory), outcome)
        was_open = codec.receiving
        if bool(codec.receive_end()) is not was_open or codec.receiving:
            raise Finding("the end of the stream was not told right")
        codec.close()
        return outcome

    def _extensions(self, check: int) -> list[Extension]:
        if not self._factories:
            return []
        factory = self._factories[(check >> 2) % len(self._factories)]
        offer = (("client_max_window_bits", None),) if check & 2 else ()
        answer = factory.accept_offer(offer)
        return [] if answer is None else [answer.extension]


_DEFLATES: Final = (
    PermessageDeflate(min_bytes=0),
    PermessageDeflate(server_no_context_takeover=True, client_no_context_takeover=True),
    PermessageDeflate(server_max_window_bits=8, client_max_window_bits=9, min_bytes=0),
)


def _drive(codec: WebSocketCodec, events: Sequence[CodecEvent], outcome: list[Outcome]) -> None:
    """Do with events what a connection does, and note them."""
    for event in events:
        if isinstance(event, WireMessage):
            outcome.append(("message", event.kind, event.copy()))
            if codec.sending:
                codec.encode_message(event.kind, event.sendable())
            event.expire()
            continue
        if isinstance(event, PingReceived):
            outcome.append(("ping", event.payload))
        elif isinstance(event, PongReceived):
            outcome.append(("pong", event.payload))
        elif isinstance(event, CloseReceived):
            outcome.append(("close", event.code, event.reason))
        elif isinstance(event, ViolationDetected):
            outcome.append(("violation", event.error.close_code))
        else:
            raise Finding(f"an event that nobody knows: {event!r}")
        codec.answer(event)


def _shape_of_event(event: Outcome) -> Outcome:
    """Return an event without its data: codes and kinds stay, of bytes and text there is only the magnitude."""
    name, *rest = event
    return name, *(_magnitude(each) if isinstance(each, bytes | str) else each for each in rest)


def _without_codes(outcome: list[Outcome]) -> list[Outcome]:
    return [event[:1] + (0,) if event[0] == "violation" else event for event in outcome]


class HandshakeTarget:
    """One side of the opening handshake, whole and cut."""

    def __init__(self, play: Callable[[Sequence[bytes]], Outcome]) -> None:
        self._play = play

    def __call__(self, data: bytes) -> Hashable:
        """Feed the head whole and cut; the outcome must be the same."""
        whole = self._play([data])
        cut = self._play(cut_by(zlib.crc32(data), data))
        if cut != whole:
            raise Finding(f"cut: {cut!r}, whole: {whole!r}")
        return whole[:2]

    def close(self) -> None:
        """Nothing is held."""


_CONFIG: Final = HandshakeConfig(subprotocols=("chat", "x"), extensions=(_DEFLATES[0],), max_head_bytes=2048)


def _play_request(pieces: Sequence[bytes]) -> Outcome:
    handshake = ServerHandshake(_CONFIG)
    try:
        # ``any`` stops at the piece that completes the head, so nothing is fed behind it.
        if not any(handshake.feed(piece) for piece in pieces):
            return ("incomplete",)
        handshake.check()
        response = handshake.accept()
    except HandshakeFailed as error:
        answer = handshake.reject(failure_response(error))
        if HeadParser(is_response=True).feed(answer) is None:
            raise Finding("a refusal that is no response") from error
        return "refused", error.message, error.status
    close_all(handshake.extensions)
    parsed = HeadParser(is_response=True).feed(response)
    if parsed is None or parsed.status != 101:
        raise Finding("an acceptance that is no 101")
    return "accepted", handshake.subprotocol, len(handshake.extensions), response, handshake.request


_URI: Final = parse_uri("ws://example.org/chat")


def _play_response(pieces: Sequence[bytes]) -> Outcome:
    handshake = ClientHandshake(
        _URI, bytes(16), subprotocols=("chat", "x"), extensions=(_DEFLATES[0],), max_head_bytes=2048
    )
    try:
        if not any(handshake.feed(piece) for piece in pieces):
            return ("incomplete",)
    except HandshakeFailed as error:
        if handshake.extensions:
            raise Finding("a failed handshake with extensions") from error
        return "refused", error.message, error.status
    close_all(handshake.extensions)
    return "accepted", handshake.subprotocol, len(handshake.extensions), handshake.response


class UriTarget:
    """A URI, and the same URI written anew from its parts."""

    def __call__(self, data: bytes) -> Hashable:
        """Parse; what was accepted reads back the same."""
        try:
            uri = parse_uri(data.decode("latin-1"))
        except InvalidArgument as error:
            return "refused", error.message
        again = parse_uri(f"{'wss' if uri.secure else 'ws'}://{uri.host_header}{uri.resource}")
        if (again.secure, again.host, again.port, again.resource) != (uri.secure, uri.host, uri.port, uri.resource):
            raise Finding(f"{uri!r} reads back as {again!r}")
        return "accepted", uri.secure, ":" in uri.host, _magnitude(uri.host), _magnitude(uri.resource)

    def close(self) -> None:
        """Nothing is held."""


class ExtensionsTarget:
    """A list of extensions: parsed, rendered, negotiated by either side."""

    def __call__(self, data: bytes) -> Hashable:
        """Parse; what was accepted reads back the same and can be negotiated."""
        text = data.decode("latin-1")
        try:
            listed = parse_extensions([text])
        except HandshakeFailed as error:
            return "refused", error.message
        if parse_extensions([render_extensions(listed)]) != listed or parse_extensions(text.split(",")) != listed:
            raise Finding(f"{listed!r} reads back differently")
        answers, agreed = accept_offers(listed, _DEFLATES[:1])
        close_all(agreed)
        parse_extensions([render_extensions(answers)] if answers else [])
        return "accepted", _magnitude(listed), tuple(map(_shape, listed[:2])), tuple(map(_shape, answers))

    def close(self) -> None:
        """Nothing is held."""


def _shape(listed: ListedExtension) -> tuple[int, bool]:
    parameters = list(listed.parameters)
    try:
        PermessageDeflate().accept_answer(parameters)
    except HandshakeFailed:
        return _magnitude(parameters), False
    return _magnitude(parameters), True


def _magnitude(something: Sized) -> int:
    return len(something).bit_length()


TARGETS: Final[dict[str, Callable[[], Target]]] = {
    "codec-server": lambda: CodecTarget(Role.SERVER),
    "codec-client": lambda: CodecTarget(Role.CLIENT),
    "request": lambda: HandshakeTarget(_play_request),
    "response": lambda: HandshakeTarget(_play_response),
    "uri": UriTarget,
    "extensions": ExtensionsTarget,
    "deflate": lambda: CodecTarget(Role.SERVER, deflate=True),
}
"""Every target by the name of its corpus."""

__all__ = ["TARGETS", "CodecTarget", "Finding", "HandshakeTarget", "Target", "cut_by"]
