"""The contract of ``Codec``, third part: what is sent.

What a codec wants to have sent is read by the plain parser in ``frames.py``. How it is cut into parts is its own
business, as long as the parts are frames when they are joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ...api.codec import PingReceived, Role
from ...api.errors import InvalidArgument, InvalidState
from ...api.transport import Sendable
from ..frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_body, joined, parse
from ..hostile import HUGE_BYTES, SIZES, content, shapes
from ..line import sent, shut
from ..requirement import must, requirement, should
from ..trial import Trial
from .codec_violations import CodecViolationsContract

SENDING = (
    must(
        "COD-34",
        "A whole message is one final frame with its opcode, its bytes and the shortest length.",
        "COD-01",
    ),
    must("COD-35", "A client masks every frame, and a server none.", "COD-34"),
    must("COD-36", "A client takes a new masking key for each frame.", "COD-35"),
    must("COD-37", "No form of encoding writes to the caller's memory.", "COD-34"),
    must(
        "COD-38",
        "Every form of contiguous memory is sent whole, a Buffer too; others raise InvalidArgument.",
        "COD-34",
    ),
    should("COD-39", "A server passes a large payload on by reference, and a Buffer as itself.", "COD-38"),
    must(
        "COD-40",
        "Fragments have the opcode on the first, no opcode on others, and end with the last.",
        "COD-34",
    ),
    must("COD-41", "A fragment out of order raises InvalidState and changes nothing.", "COD-40"),
    must("COD-42", "An unknown kind raises InvalidArgument and changes nothing.", "COD-34"),
    must(
        "COD-43",
        "Pings and pongs of 0 to 125 bytes may go out at any time; above it is InvalidArgument.",
        "COD-40",
    ),
    must("COD-44", "A close frame has code and reason; a second one is nothing.", "COD-34"),
    must("COD-45", "Once a close frame was encoded, sending is false and all else raises InvalidState.", "COD-44"),
    must(
        "COD-46",
        "A code that may not be sent, or a reason above 123 bytes, is refused; the half stays open.",
        "COD-44",
    ),
    must("COD-47", "A close frame without a code has no body, and can have no reason.", "COD-44"),
)


class CodecSendingContract(CodecViolationsContract, name="codec", requirements=SENDING):
    """The part of ``CodecContract`` about sending."""

    @requirement("COD-34")
    def whole_messages_leave(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            for size_bytes in SIZES:
                payload = content(size_bytes, trial.rng)
                for kind in (TEXT, BINARY):
                    trial.did(f"encode_message({kind}, {size_bytes} bytes)")
                    got = sent(trial, line.codec.encode_message(kind, payload))
                    trial.equal(got, [(kind, payload, True, 0)], "the frame: opcode, payload, final, reserved bits")

    @requirement("COD-35")
    def clients_mask(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            codec = line.codec
            parts: tuple[Sequence[Sendable], ...] = (
                *(codec.encode_message(BINARY, bytes(size_bytes)) for size_bytes in (0, 1, 200, 1000, 70000)),
                codec.encode_message(TEXT, b"a", final=False),
                codec.encode_ping(b"p"),
                codec.encode_message(TEXT, b"b", first=False),
                codec.encode_pong(),
                codec.answer(PingReceived(b"q")),
                codec.encode_close(1000, "bye"),
            )
            trial.did("messages, fragments, ping, pong, answer, close frame")
            masks = [frame.key is not None for each in parts for frame in parse(joined(each))]
            trial.equal(masks, [role is Role.CLIENT] * len(parts), f"whether the frames of a {role.value} are masked")

    @requirement("COD-36")
    def keys_are_fresh(self, trial: Trial) -> None:
        line = self.line(trial, Role.CLIENT)
        codec = line.codec
        count = 64
        trial.did(f"encode {count} frames")
        keys: set[bytes | None] = set()
        for each in range(count):
            parts = codec.encode_ping(b"x") if each % 4 == 3 else codec.encode_message(BINARY, b"x")
            keys |= {frame.key for frame in parse(joined(parts))}
        # Two of 64 random keys are equal once in two million runs, three about never.
        trial.true(len(keys) >= count - 1, f"{count} frames have {count} keys", got=len(keys))

    @requirement("COD-37")
    def memory_is_left_alone(self, trial: Trial) -> None:
        for role in Role:
            for size_bytes in (1, 100, 1000, 70000):
                line = self.line(trial, role)
                payload = content(size_bytes, trial.rng)
                memory = bytearray(payload)
                trial.did(f"encode_message and encode_ping of {size_bytes} bytes of writable memory")
                line.codec.encode_message(BINARY, memory)
                line.codec.encode_message(BINARY, memoryview(memory), final=False)
                line.codec.encode_message(BINARY, memoryview(memory), first=False)
                line.codec.encode_ping(memoryview(memory)[:125])
                line.codec.encode_pong(memoryview(memory)[:125])
                trial.equal(bytes(memory), payload, "the caller's memory")

    @requirement("COD-38")
    def all_memory_is_sent(self, trial: Trial) -> None:
        for role in Role:
            for size_bytes in (0, 1, 100, 1000, 70000):
                payload = content(size_bytes, trial.rng)
                for name, memory in shapes(payload):
                    line = self.line(trial, role)
                    trial.did(f"encode_message(BINARY, {size_bytes} bytes: {name})")
                    got = sent(trial, line.codec.encode_message(BINARY, memory))
                    trial.equal(got, [(BINARY, payload, True, 0)], f"the frame of a {name}")
                if size_bytes:
                    line = self.line(trial, role)
                    with line.pool.acquire(size_bytes) as buffer:
                        buffer.data()[:] = payload
                        trial.did(f"encode_message(BINARY, a buffer of {size_bytes} bytes)")
                        got = sent(trial, line.codec.encode_message(BINARY, buffer))
                        trial.equal(got, [(BINARY, payload, True, 0)], "the frame of a buffer")
                        trial.equal(buffer.ref_count, 1, "the count of the buffer")
            line = self.line(trial, role)
            payload = content(HUGE_BYTES, trial.rng)
            got = sent(trial, line.codec.encode_message(BINARY, memoryview(payload)))
            trial.equal(got, [(BINARY, payload, True, 0)], "the frame of 3 MiB")
            spread = memoryview(bytes(1000))[::2]
            call = "encode_message(BINARY, every second byte)"
            trial.raises(InvalidArgument, call, lambda: line.codec.encode_message(BINARY, spread))

    @requirement("COD-39")
    def large_payloads_are_referred_to(self, trial: Trial) -> None:
        line = self.line(trial, Role.SERVER)
        memory = bytearray(100000)
        parts = line.codec.encode_message(BINARY, memory)
        trial.did("encode_message(BINARY, memory), then write to the memory")
        memory[:] = b"n" * 100000
        got = sent(trial, parts)
        trial.equal(got, [(BINARY, b"n" * 100000, True, 0)], "the frame, which refers to the memory")
        with line.pool.acquire(100000) as buffer:
            parts = line.codec.encode_message(BINARY, buffer)
            trial.true(any(each is buffer for each in parts), "the buffer is one of the parts", got=parts)

    @requirement("COD-40")
    def fragments_leave_in_order(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            for kind in (TEXT, BINARY):
                for sizes in ((1, 2), (0, 0, 0), (126, 65536, 1)):
                    payloads = [content(size_bytes, trial.rng) for size_bytes in sizes]
                    got: list[object] = []
                    last = len(sizes) - 1
                    for at, payload in enumerate(payloads):
                        trial.did(f"encode_message({kind}, {len(payload)} bytes, first={at == 0}, final={at == last})")
                        got += sent(trial, line.codec.encode_message(kind, payload, first=at == 0, final=at == last))
                    wanted = [
                        (CONTINUATION if at else kind, payload, at == last, 0) for at, payload in enumerate(payloads)
                    ]
                    trial.equal(got, wanted, "the frames: opcode, payload, final, reserved bits")

    @requirement("COD-41")
    def order_of_fragments_is_kept(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            encode = line.codec.encode_message
            for final in (True, False):
                call = f"encode_message(first=False, final={final}) with nothing begun"
                trial.raises(InvalidState, call, partial(encode, TEXT, b"x", first=False, final=final))
            trial.equal(sent(trial, encode(TEXT, b"a", final=False)), [(TEXT, b"a", False, 0)], "the first fragment")
            for final in (True, False):
                call = f"encode_message(first=True, final={final}) within a message"
                trial.raises(InvalidState, call, partial(encode, TEXT, b"x", final=final))
            got = sent(trial, encode(TEXT, b"b", first=False))
            trial.equal(got, [(CONTINUATION, b"b", True, 0)], "the last fragment, after all that")
            trial.equal(sent(trial, encode(BINARY, b"c")), [(BINARY, b"c", True, 0)], "the next message")

    @requirement("COD-42")
    def kinds_have_to_be_known(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            for kind in (0, 3, 8, 9, 10, 16, -1):
                for final in (True, False):
                    encode = line.codec.encode_message
                    call = f"encode_message({kind}, final={final})"
                    trial.raises(InvalidArgument, call, partial(encode, kind, b"x", final=final))
            got = sent(trial, line.codec.encode_message(TEXT, b"a"))
            trial.equal(got, [(TEXT, b"a", True, 0)], "the next message")

    @requirement("COD-43")
    def pings_leave_at_any_time(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            codec = line.codec
            codec.encode_message(TEXT, b"a", final=False)
            for opcode, encode in ((PING, codec.encode_ping), (PONG, codec.encode_pong)):
                trial.equal(sent(trial, encode()), [(opcode, b"", True, 0)], "a frame without payload")
                for size_bytes in (0, 1, 125):
                    payload = content(size_bytes, trial.rng)
                    trial.did(f"opcode {opcode} with {size_bytes} bytes, within a message")
                    for memory in (payload, bytearray(payload), memoryview(payload)):
                        trial.equal(sent(trial, encode(memory)), [(opcode, payload, True, 0)], "the frame")
                for size_bytes in (126, 70000):
                    call = f"opcode {opcode} with {size_bytes} bytes"
                    trial.raises(InvalidArgument, call, partial(encode, bytes(size_bytes)))
            got = sent(trial, codec.encode_message(TEXT, b"b", first=False))
            trial.equal(got, [(CONTINUATION, b"b", True, 0)], "the last fragment")

    @requirement("COD-44")
    def close_frames_leave_once(self, trial: Trial) -> None:
        bodies = ((1000, ""), (1001, "x" * 123), (4999, "gr\u00fc\u00dfe \U0001f600"), (3000, ""), (1014, "a"))
        for role in Role:
            for code, reason in bodies:
                line = self.line(trial, role)
                trial.did(f"encode_close({code}, {reason!r}), twice")
                got = sent(trial, line.codec.encode_close(code, reason))
                trial.equal(got, [(CLOSE, close_body(code, reason), True, 0)], "the frame")
                trial.equal(sent(trial, line.codec.encode_close(1001, "again")), [], "the frames of the second call")
            got = sent(trial, self.line(trial, role).codec.encode_close())
            trial.equal(got, [(CLOSE, close_body(1000), True, 0)], "the frame of encode_close()")

    @requirement("COD-45")
    def nothing_leaves_after_the_close_frame(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            trial.same(line.codec.sending, True, "sending before")
            line.codec.encode_close()
            trial.same(line.codec.sending, False, "sending after encode_close()")
            shut(trial, line, "after encode_close()")

    @requirement("COD-46")
    def bad_close_codes_are_refused(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            encode = line.codec.encode_close
            for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536, -1):
                trial.raises(InvalidArgument, f"encode_close({code})", partial(encode, code))
            for reason in ("x" * 124, "\u20ac" * 42):
                call = f"encode_close(1000, a reason of {len(reason.encode())} bytes)"
                trial.raises(InvalidArgument, call, partial(encode, 1000, reason))
            trial.same(line.codec.sending, True, "sending after all that")
            trial.equal(sent(trial, encode(1003)), [(CLOSE, close_body(1003), True, 0)], "the frame of a good one")

    @requirement("COD-47")
    def close_frames_may_be_empty(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            call = "encode_close(None, 'a reason')"
            trial.raises(InvalidArgument, call, lambda: line.codec.encode_close(None, "a reason"))
            trial.did("encode_close(None)")
            trial.equal(sent(trial, line.codec.encode_close(None)), [(CLOSE, b"", True, 0)], "the frame")


__all__ = ["CodecSendingContract"]
