"""Openings: requests as a client sends them, and handshakes that have read them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hioload_ws.api.errors import HandshakeFailed, InvalidState
from hioload_ws.api.extension import RSV1, Extension, ExtensionAnswer, ExtensionParameters
from hioload_ws.api.http import Response
from hioload_ws.protocol.handshake_config import HandshakeConfig
from hioload_ws.protocol.http import HeadParser
from hioload_ws.protocol.server_handshake import ServerHandshake
from tests.protocol.toys import InertExtension

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
Fields = list[tuple[str, str]]


class Toy(InertExtension):
    """Extension and factory in one: accepts every offer, answers with its ``answer``."""

    def __init__(self, answer: str = "x") -> None:
        super().__init__("toy", RSV1)
        self.answer = answer

    def offers(self) -> Sequence[ExtensionParameters]:
        return [()]

    def accept_offer(self, parameters: ExtensionParameters) -> ExtensionAnswer | None:
        return ExtensionAnswer(((self.answer, None),), self)

    def accept_answer(self, parameters: ExtensionParameters) -> Extension:
        return self


def fields(**changes: str | None) -> Fields:
    """Return the fields of a good request; ``sec_websocket_key="x"`` changes one, ``None`` drops it."""
    made = {
        "Host": "server.example.com",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
    }
    for name, value in changes.items():
        key = next((each for each in made if each.lower().replace("-", "_") == name), name.replace("_", "-"))
        if value is None:
            del made[key]
        else:
            made[key] = value
    return list(made.items())


def wire(headers: Fields, start: str = "GET /chat HTTP/1.1") -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def fed(data: bytes, config: HandshakeConfig | None = None) -> ServerHandshake:
    handshake = ServerHandshake(config or HandshakeConfig())
    assert handshake.feed(data) is not None
    return handshake


def checked(headers: Fields, config: HandshakeConfig | None = None) -> ServerHandshake:
    handshake = fed(wire(headers), config)
    handshake.check()
    return handshake


def response_of(data: bytes) -> Response:
    parser = HeadParser(is_response=True)
    head = parser.feed(data)
    assert head is not None
    return Response(head.status, head.reason, head.headers, parser.leftover)


def refusal(data: bytes, config: HandshakeConfig | None = None) -> HandshakeFailed:
    handshake = fed(data, config)
    with pytest.raises(HandshakeFailed) as caught:
        handshake.check()
    with pytest.raises(InvalidState):
        handshake.accept()
    return caught.value
