"""The smallest exchange there is: one byte is asked, and one answered."""

from __future__ import annotations

from hioload_ws.api.errors import ProxyRefused
from hioload_ws.api.transport import Transport

ASKED = b"?"
AGREED = b"!"


class Knock:
    """A ``transport.tunnel.Exchange``; any answer but ``AGREED``, after any number of spaces, is a refusal."""

    def __init__(self) -> None:
        self.leftover = b""

    def request(self) -> bytes:
        return ASKED

    def feed(self, data: memoryview) -> bool:
        answer = bytes(data).lstrip(b" ")
        if not answer:
            return False
        if answer[:1] != AGREED:
            raise ProxyRefused("not today", status=403)
        self.leftover = answer[1:]
        return True


def open_up(far: Transport, behind: bytes = b"") -> None:
    """Play the proxy on the far end, where the request has arrived; ``behind`` comes with the answer."""
    buffer = bytearray(1)
    assert far.recv_into(buffer) == 1
    assert buffer == ASKED
    assert far.send([AGREED + behind]) == 0
