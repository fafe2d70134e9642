"""The protocol without any I/O: handshake and messages between two ends that live in one function.

Run it with ``python examples/codec_alone.py``; it needs no network. Bytes go in, events come out, and what is to be
sent is returned: so the same codec serves a socket, a test, a recorded file, or a loop of your own.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from functools import partial

from hioload_ws.api import TEXT, CloseReceived, Role, Sendable
from hioload_ws.pool import SlabBufferPool
from hioload_ws.protocol import ClientHandshake, HandshakeConfig, ServerHandshake, WebSocketCodec, WireMessage
from hioload_ws.protocol.uri import parse_uri

PLAIN = (bytes, bytearray, memoryview)


def wire(*frames: Sequence[Sendable]) -> memoryview:
    """Return frames as they travel, in memory that can be written: the receiver unmasks in place."""
    parts = [part for frame in frames for part in frame]
    return memoryview(bytearray().join(part if isinstance(part, PLAIN) else part.copy() for part in parts))


def shake_hands() -> None:
    """Show the request, and the response that agrees to it."""
    client = ClientHandshake(parse_uri("ws://example.org/chat"), secrets.token_bytes(16))
    server = ServerHandshake(HandshakeConfig())
    server.feed(client.request())
    server.check()
    response = client.feed(server.accept())
    print(f"asked for {server.request.path}, answered {response.status if response else 'nothing'}")


def main() -> None:
    """Shake hands, send a message in two fragments, close from both ends."""
    shake_hands()
    with SlabBufferPool() as pool:
        mask_key = partial(secrets.token_bytes, 4)  # only a client's frames are masked (RFC 6455 §5.3)
        client = WebSocketCodec(Role.CLIENT, pool=pool, mask_key=mask_key)
        server = WebSocketCodec(Role.SERVER, pool=pool, mask_key=mask_key)
        first = client.encode_message(TEXT, b"no sock", final=False)
        last = client.encode_message(TEXT, b"ets", first=False)
        for event in server.receive(wire(first, last, client.encode_close(1000, "bye"))):
            if isinstance(event, WireMessage):
                print(f"message: {event.text!r}")
            elif isinstance(event, CloseReceived):
                print(f"close: {event.code} {event.reason!r}")
            client.receive(wire(server.answer(event)))  # what the RFC obliges us to say: here a close frame
        print(f"client receives: {client.receiving}, server sends: {server.sending}")
        client.close()
        server.close()


if __name__ == "__main__":
    main()
