"""Traffic: the bytes that a load sends, and the bytes that must come back.

Everything is made before the clock runs: a few bursts with different payloads and masking keys, and for each the
exact answer of a server that echoes. So checking a reply byte for byte is one comparison in C.
"""

from __future__ import annotations

import base64
import hashlib
import random
from typing import Final

_BINARY: Final = 0x82
_CLOSE: Final = 0x88
_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
_MOST_BYTES: Final = 16 * 1024 * 1024

CLOSE_FRAME: Final = bytes((_CLOSE, 0x82, 0, 0, 0, 0, 3, 232))
"""A masked close frame with code 1000; a key of zeros is a key."""


def frame(payload: bytes, key: bytes | None) -> bytes:
    """Return one binary frame (RFC 6455 §5.2), masked with ``key`` or not masked."""
    length = len(payload)
    mask_bit = 0 if key is None else 0x80
    if length < 126:
        head = bytes((_BINARY, mask_bit | length))
    elif length < 65_536:
        head = bytes((_BINARY, mask_bit | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((_BINARY, mask_bit | 127)) + length.to_bytes(8, "big")
    if key is None:
        return head + payload
    stream = int.from_bytes((key * (length // 4 + 1))[:length], "big")
    return head + key + (int.from_bytes(payload, "big") ^ stream).to_bytes(length, "big")


def bursts(size_bytes: int, count: int, seed: int, raw: bool) -> list[tuple[bytes, bytes]]:
    """Return different bursts of ``count`` messages: what to send, and what must come back for it.

    ``raw``: the other end knows no frames and sends back what it gets.
    """
    rng = random.Random(seed)
    kinds = max(2, min(8, _MOST_BYTES // max(1, size_bytes * count)))
    made = []
    for _ in range(kinds):
        payloads = [rng.randbytes(size_bytes) for _ in range(count)]
        request = b"".join(frame(payload, rng.randbytes(4)) for payload in payloads)
        reply = request if raw else b"".join(frame(payload, None) for payload in payloads)
        made.append((request, reply))
    return made


def upgrade(host: str, path: str, seed: int) -> tuple[bytes, bytes]:
    """Return a request for the opening handshake, as long as a browser's, and the value of
    ``Sec-WebSocket-Accept`` that has to be in the response (RFC 6455 §4.2.2)."""
    key = base64.b64encode(hashlib.blake2b(seed.to_bytes(8), digest_size=16).digest()).decode()
    accept = base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode()).digest())
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Pragma: no-cache",
        "Cache-Control: no-cache",
        f"User-Agent: {agent}",
        "Upgrade: websocket",
        f"Origin: http://{host}",
        "Sec-WebSocket-Version: 13",
        "Accept-Encoding: gzip, deflate, br",
        "Accept-Language: en-US,en;q=0.9",
        f"Sec-WebSocket-Key: {key}",
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii"), accept


__all__ = ["CLOSE_FRAME", "bursts", "frame", "upgrade"]
