"""Line: a codec under test, and the wire that leads to it.

What the peer sends is built frame by frame; what the codec makes of it is turned into values that can be compared,
at once, because events are borrowed. Memory that was lent to the codec is overwritten as soon as the contract
allows that, so that whoever keeps a view of it reads something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from ..api.codec import (
    CloseReceived,
    Codec,
    CodecEvent,
    PingReceived,
    PongReceived,
    Role,
    StreamEnded,
    ViolationDetected,
)
from ..api.errors import InvalidState, UseAfterRelease
from ..api.message import Message
from ..api.transport import Sendable
from ..fake.memory import FakeBufferPool
from .frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, close_body, joined, parse
from .trial import Trial

Seen: TypeAlias = "tuple[object, ...]"
"""An event in a form that can be compared and kept."""


def seen(event: CodecEvent) -> Seen:
    """Return an event as something that can be compared and outlives it."""
    if isinstance(event, PingReceived):
        return "ping", bytes(event.payload)
    if isinstance(event, PongReceived):
        return "pong", bytes(event.payload)
    if isinstance(event, CloseReceived):
        return "close", event.code, event.reason
    if isinstance(event, ViolationDetected):
        return "violation", event.error.close_code
    if isinstance(event, StreamEnded):
        return ("end",)
    return "message", event.kind, bytes(event.data)


class Line:
    """A codec, and the wire that leads to it."""

    def __init__(self, trial: Trial, role: Role, codec: Codec, pool: FakeBufferPool) -> None:
        self.trial = trial
        self.codec = codec
        self.pool = pool
        self._masks = role is Role.SERVER

    def frame(self, opcode: int, payload: bytes = b"", final: bool = True, reserved: int = 0) -> bytes:
        """Return the bytes of a frame as this codec's peer has to send it."""
        return Frame(opcode, payload, final, reserved, self.trial.rng.randbytes(4) if self._masks else None).build()

    def feed(self, data: bytes, pieces: Iterable[int] = ()) -> list[Seen]:
        """Let bytes arrive in pieces of these sizes, the rest in one; return the events."""
        events: list[Seen] = []
        at = 0
        for size_bytes in (*pieces, len(data)):
            events += self._receive(data[at : at + size_bytes])
            at += size_bytes
            if at >= len(data):
                break
        return events

    def _receive(self, piece: bytes) -> list[Seen]:
        memory = bytearray(piece)
        self.trial.did(f"receive({len(piece)} bytes, {piece[:12].hex(' ')}...)")
        found = [seen(each) for each in self.codec.receive(memoryview(memory))]
        memory[:] = b"\xee" * len(memory)
        return found

    def feed_directly(self, data: bytes) -> list[Seen]:
        """Let bytes arrive in the direct targets where there are any, in portions drawn at random."""
        events: list[Seen] = []
        at = 0
        while at < len(data):
            target = self.codec.direct_target()
            if target is None:
                size_bytes = self.trial.rng.choice((7, 300, 5000))
                events += self._receive(data[at : at + size_bytes])
                at += size_bytes
                continue
            size_bytes = self.trial.rng.choice((1, len(target) // 2, len(target)))
            self.trial.did(f"receive_direct({size_bytes}) into a target of {len(target)} bytes")
            target[:size_bytes] = data[at : at + size_bytes]
            events += [seen(each) for each in self.codec.receive_direct(size_bytes)]
            at += size_bytes
        return events

    def message(self, data: bytes) -> tuple[Message, bytearray]:
        """Let a whole message arrive; return it, and the memory that it came in."""
        memory = bytearray(data)
        self.trial.did(f"receive({len(data)} bytes)")
        events = self.codec.receive(memoryview(memory))
        self.trial.equal(len(events), 1, "the number of events")
        [event] = events
        self.trial.true(isinstance(getattr(event, "kind", None), int), "the event is a message", got=event)
        return event, memory  # type: ignore[return-value]  # it has just been looked at


def text(size_bytes: int, trial: Trial) -> bytes:
    """Return UTF-8 of an exact size, with characters of every length."""
    drawn = "".join(trial.rng.choices("az\u00df\u20ac\U0001f600", k=64)).encode()
    whole = (drawn * (size_bytes // len(drawn) + 1))[:size_bytes].decode(errors="ignore").encode()
    return whole + b"." * (size_bytes - len(whole))


def fragments(line: Line, opcode: int, payload: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Return the frames of one message that is cut into fragments of these sizes."""
    frames: list[bytes] = []
    at = 0
    for number, size_bytes in enumerate(sizes):
        piece = payload[at : at + size_bytes]
        frames.append(line.frame(CONTINUATION if number else opcode, piece, number == len(sizes) - 1))
        at += size_bytes
    return frames


def mixture(line: Line) -> tuple[bytes, list[Seen]]:
    """Return frames of all sorts, and the events that they are."""
    frames = [
        line.frame(TEXT, "gr\u00fc\u00dfe".encode()),
        line.frame(BINARY),
        line.frame(PING, b"first"),
        line.frame(TEXT, "\u20ac".encode()[:1], False),
        line.frame(PONG, b"inside"),
        line.frame(CONTINUATION, "\u20ac".encode()[1:], True),
        line.frame(BINARY, b"\xff" * 130),
        line.frame(CLOSE, close_body(1001, "bye")),
    ]
    events: list[Seen] = [
        ("message", TEXT, "gr\u00fc\u00dfe".encode()),
        ("message", BINARY, b""),
        ("ping", b"first"),
        ("pong", b"inside"),
        ("message", TEXT, "\u20ac".encode()),
        ("message", BINARY, b"\xff" * 130),
        ("close", 1001, "bye"),
    ]
    return b"".join(frames), events


def sent(trial: Trial, parts: Sequence[Sendable]) -> list[tuple[int, bytes, bool, int]]:
    """Return the frames in these parts: opcode, payload, final, reserved bits."""
    try:
        found = list(parse(joined(parts)))
    except ValueError as error:
        trial.fail(f"what was encoded is no sequence of frames: {error}", got=parts, wanted="frames")
    return [(each.opcode, each.payload, each.final, each.reserved) for each in found]


def ended(trial: Trial, message: Message, payload: bytes) -> None:
    """Expect of a message that has ended: it says so, or shows the bytes that it had (which are its own then)."""
    trial.did("data of the message that has ended")
    try:
        got = bytes(message.data)
    except UseAfterRelease:
        return
    trial.equal(got, payload, "what a message shows that has ended")


def shut(trial: Trial, line: Line, when: str) -> None:
    """Expect that nothing can be encoded any more."""
    calls: tuple[tuple[str, Callable[[], object]], ...] = (
        ("encode_message", lambda: line.codec.encode_message(TEXT, b"a")),
        ("encode_message(first=False)", lambda: line.codec.encode_message(TEXT, b"a", first=False)),
        ("encode_ping", line.codec.encode_ping),
        ("encode_pong", line.codec.encode_pong),
    )
    for name, call in calls:
        trial.raises(InvalidState, f"{name} {when}", call)


__all__ = ["Line", "Seen", "ended", "fragments", "mixture", "seen", "sent", "shut", "text"]
