"""The contract of messages, on those of the codec in all their kinds of memory, and on the one of the fakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from hioload_ws.api import BINARY, MessageKind
from hioload_ws.contract.frames import CONTINUATION, Frame
from hioload_ws.contract.suites.message import MessageContract
from hioload_ws.fake import FakeBufferPool, fake_codec, fake_message
from hioload_ws.api.codec import Role
from hioload_ws.protocol.message import WireMessage
from tests.kit.holding import hold


class Lent:
    """A message and how its loan ends: as the driver does it, and with the memory overwritten."""

    def __init__(self, message: WireMessage, memory: bytearray) -> None:
        self.message = message
        self._memory = memory

    def end(self) -> None:
        self.message.expire()
        self._memory[:] = b"\xee" * len(self._memory)


def whole(kind: MessageKind, payload: bytes) -> Lent:
    """A message that came in one frame and one piece: plain or shared memory."""
    return _received(Frame(kind, payload).build())


def in_fragments(kind: MessageKind, payload: bytes) -> Lent:
    """A message that came in two fragments: pooled memory."""
    middle = len(payload) // 2
    return _received(Frame(kind, payload[:middle], final=False).build() + Frame(CONTINUATION, payload[middle:]).build())


def _received(data: bytes) -> Lent:
    memory = bytearray(data)
    [message] = fake_codec(Role.CLIENT).receive(memoryview(memory))
    assert isinstance(message, WireMessage)
    return Lent(message, memory)


def fake(kind: MessageKind, payload: bytes) -> Lent:
    """A message of the fakes."""
    message = fake_message(payload if kind == BINARY else payload.decode(), FakeBufferPool())
    return Lent(message, bytearray())


MESSAGES: Mapping[str, Callable[[MessageKind, bytes], Lent]] = {
    "WireMessage, whole": whole,
    "WireMessage, in fragments": in_fragments,
    "fake_message()": fake,
}


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_of_ours_is_conformant(name: str) -> None:
    hold(MessageContract, MESSAGES[name], name)
