"""The contract of ``Codec``: the WebSocket protocol of one connection, without I/O.

Its first parts are in ``codec_receiving.py``, ``codec_violations.py`` and ``codec_sending.py``; here is what is
answered, how it ends, and what extensions see.
"""

from __future__ import annotations

from functools import partial

from ...api.codec import CloseReceived, CodecEvent, PingReceived, PongReceived, Role, StreamEnded, ViolationDetected
from ...api.errors import NotSupported, ProtocolViolation
from ...api.extension import RSV1, RSV2
from ...fake.memory import FakeBufferPool
from ..extensions import Inverting, Tagging
from ..frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_body
from ..hostile import content
from ..line import ended, fragments, sent, shut
from ..requirement import must, refusal, requirement
from ..trial import Trial
from .codec_sending import CodecSendingContract

EXTENSIONS = "extensions"

CODEC = (
    must("COD-48", "Neither half closes the other.", "COD-44", "COD-09"),
    must(
        "COD-49",
        "A ping is answered with a pong of the same bytes; messages, pongs and the end with nothing.",
        "COD-34",
    ),
    must("COD-50", "A close frame is answered with its code, and that closes the sending half.", "COD-44"),
    must("COD-51", "A violation is answered with its code, and that closes the sending half.", "COD-44"),
    must("COD-52", "Nothing is answered once the sending half is closed.", "COD-49", "COD-45"),
    must(
        "COD-53",
        "close ends both halves and borrowed messages, gives memory back, and may be repeated.",
        "COD-11",
    ),
    must(
        "COD-54",
        "After close nothing is received, nothing answered, and encoding raises InvalidState.",
        "COD-53",
    ),
    must(
        "COD-55",
        "Payloads pass the extensions in the order agreed when sent, and in reverse when received.",
        "COD-40",
        "COD-06",
        capability=EXTENSIONS,
    ),
    must("COD-56", "Control frames pass by the extensions.", "COD-55", capability=EXTENSIONS),
    must(
        "COD-57",
        "What an extension refuses is a violation with its code; it is told a limit that is not above ours.",
        "COD-55",
        capability=EXTENSIONS,
    ),
    must("COD-58", "close closes the extensions.", "COD-55", capability=EXTENSIONS),
)


class CodecContract(CodecSendingContract, name="codec", requirements=CODEC):
    """What every codec owes; override ``make``."""

    def declared(self, trial: Trial) -> frozenset[str]:
        """A codec that takes extensions supports them."""
        trial.subject_made = True
        try:
            self.make(Role.SERVER, pool=FakeBufferPool(), max_message_bytes=1000, extensions=(Inverting(RSV1),))
        except NotSupported:
            return frozenset()
        return frozenset({EXTENSIONS})

    @refusal(EXTENSIONS)
    def extensions_are_refused(self, trial: Trial) -> None:
        """Without support, asking for extensions says so."""
        for role in Role:
            call = "make with an extension"
            make = partial(self.make, role, pool=FakeBufferPool(), max_message_bytes=1000)
            trial.subject_made = True
            trial.raises(NotSupported, call, partial(make, extensions=(Inverting(RSV1),)))

    @requirement("COD-48")
    def halves_are_independent(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            line.codec.encode_close()
            trial.same(line.codec.receiving, True, "receiving after encode_close()")
            got = line.feed(line.frame(TEXT, b"late") + line.frame(CLOSE))
            trial.equal(got, [("message", TEXT, b"late"), ("close", 1005, "")], "the events after encode_close()")
            for last in (close_body(1000), b"\x00"):
                line = self.line(trial, role)
                line.feed(line.frame(CLOSE, last))
                trial.same(line.codec.sending, True, "sending after the last event")
                got_frames = sent(trial, line.codec.encode_message(TEXT, b"late"))
                trial.equal(got_frames, [(TEXT, b"late", True, 0)], "the frame after the last event")

    @requirement("COD-49")
    def pings_are_answered(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            for size_bytes in (0, 1, 125):
                payload = content(size_bytes, trial.rng)
                memory = bytearray(line.frame(PING, payload) + line.frame(PONG, payload) + line.frame(TEXT, b"a"))
                trial.did(f"receive(a ping of {size_bytes} bytes, a pong, a message), and answer each")
                got = [sent(trial, line.codec.answer(each)) for each in line.codec.receive(memoryview(memory))]
                trial.equal(got, [[(PONG, payload, True, 0)], [], []], "the frames of the answers")
            ends = line.codec.receive_end()
            trial.equal([sent(trial, line.codec.answer(each)) for each in ends], [[]], "the answer to the end")
            trial.same(line.codec.sending, True, "sending after it")

    @requirement("COD-50")
    def close_frames_are_answered(self, trial: Trial) -> None:
        for role in Role:
            for code in (1000, 1001, 4999, None):
                line = self.line(trial, role)
                memory = bytearray(line.frame(CLOSE, close_body(code, "" if code is None else "why")))
                [event] = line.codec.receive(memoryview(memory))
                trial.did(f"answer(a close frame with code {code})")
                got = sent(trial, line.codec.answer(event))
                # RFC 6455 §5.5.1: "typically echos the status code"; a reason is nobody's business.
                found = [(opcode, payload[:2]) for opcode, payload, _, _ in got]
                trial.equal(found, [(CLOSE, close_body(code))], "the frame of the answer, up to its code")
                trial.same(line.codec.sending, False, "sending after it")

    @requirement("COD-51")
    def violations_are_answered(self, trial: Trial) -> None:
        for role in Role:
            for opcode, payload, code in ((3, b"", 1002), (TEXT, b"\xff", 1007), (BINARY, bytes(2000), 1009)):
                line = self.line(trial, role, 1000)
                [event] = line.codec.receive(memoryview(bytearray(line.frame(opcode, payload))))
                trial.did(f"answer(a violation with code {code})")
                got = [(each[0], each[1][:2]) for each in sent(trial, line.codec.answer(event))]
                trial.equal(got, [(CLOSE, close_body(code))], "the frame of the answer, up to its code")
                trial.same(line.codec.sending, False, "sending after it")

    @requirement("COD-52")
    def nothing_is_answered_when_closed(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            line.codec.encode_close()
            error = ProtocolViolation("a reserved opcode")
            events: tuple[CodecEvent, ...] = (PingReceived(b"a"), PongReceived(b""), StreamEnded())
            events += (CloseReceived(1000, ""), ViolationDetected(error))
            trial.did("answer each event after encode_close()")
            got = [sent(trial, line.codec.answer(each)) for each in events]
            trial.equal(got, [[]] * 5, "the frames of the answers")

    @requirement("COD-53")
    def close_ends_all(self, trial: Trial) -> None:
        for role in Role:
            for sizes in ((5,), (300,), (70000,), (10, 20000)):
                line = self.line(trial, role)
                payload = content(sum(sizes), trial.rng)
                message, memory = line.message(b"".join(fragments(line, BINARY, payload, sizes)))
                trial.did("close(), twice")
                line.codec.close()
                line.codec.close()
                trial.equal((line.codec.receiving, line.codec.sending), (False, False), "receiving and sending")
                memory[:] = bytes(len(memory))
                ended(trial, message, payload)
                line = self.line(trial, role)
                line.feed(b"".join(fragments(line, BINARY, bytes(60000), (30000, 30000)))[:-10])
                line.codec.close()
                trial.equal(line.pool.stats().in_use_count, 0, "the buffers in use after close() within a message")

    @requirement("COD-54")
    def nothing_works_after_close(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            line.codec.close()
            trial.equal(line.feed(line.frame(TEXT, b"a") + b"\xff"), [], "the events after close()")
            trial.equal(len(line.codec.receive_end()), 0, "the events of the end after close()")
            trial.same(line.codec.direct_target(), None, "the direct target after close()")
            trial.equal(sent(trial, line.codec.answer(PingReceived(b"a"))), [], "the answer after close()")
            trial.equal(sent(trial, line.codec.encode_close()), [], "the close frame after close()")
            shut(trial, line, "after close()")

    @requirement("COD-55")
    def extensions_are_passed(self, trial: Trial) -> None:
        for role in Role:
            for sizes in ((0,), (5,), (200,), (70000,), (3, 0, 4), (20000, 30000)):
                line = self.line(trial, role, extensions=(Tagging(RSV1, b"1"), Tagging(RSV2, b"2"), Inverting(0)))
                payload = content(sum(sizes), trial.rng)
                got = []
                at = 0
                for number, size_bytes in enumerate(sizes):
                    final = number == len(sizes) - 1
                    trial.did(f"encode_message(BINARY, {size_bytes} bytes, first={number == 0}, final={final})")
                    piece = payload[at : at + size_bytes]
                    got += sent(trial, line.codec.encode_message(BINARY, piece, first=number == 0, final=final))
                    at += size_bytes
                inverted = bytes(each ^ 0xFF for each in payload + b"12")
                found = (b"".join(each[1] for each in got), [each[3] for each in got])
                wanted = (inverted, [RSV1 | RSV2] + [0] * (len(sizes) - 1))
                trial.equal(found, wanted, "the payload sent and the reserved bits of its frames")
                frames = [line.frame(*each) for each in got]
                for pieces in ((), (10, 10)):
                    received = line.feed(b"".join(frames), pieces)
                    trial.equal(received, [("message", BINARY, payload)], "the events of the same frames, received")

    @requirement("COD-56")
    def control_frames_pass_by(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role, extensions=(Inverting(RSV1),))
            data = line.frame(PING, b"a") + line.frame(PONG, b"b") + line.frame(CLOSE, close_body(1000, "c"))
            wanted = [("ping", b"a"), ("pong", b"b"), ("close", 1000, "c")]
            trial.equal(line.feed(data), wanted, "the events of control frames")
            got = sent(trial, line.codec.encode_ping(b"a")) + sent(trial, line.codec.encode_pong(b"b"))
            got += sent(trial, line.codec.encode_close(1000, "c"))
            frames = [(PING, b"a", True, 0), (PONG, b"b", True, 0), (CLOSE, close_body(1000, "c"), True, 0)]
            trial.equal(got, frames, "the control frames sent")

    @requirement("COD-57")
    def extensions_may_refuse(self, trial: Trial) -> None:
        for role in Role:
            for code in (1002, 1007, 1009):
                inverting = Inverting(RSV1, refuses=code)
                line = self.line(trial, role, 1000, extensions=(inverting,))
                got = line.feed(line.frame(BINARY, b"abc", reserved=RSV1) + line.frame(PING))
                trial.equal(got, [("violation", code)], "the events of a message that the extension refuses")
            inverting = Inverting(RSV1)
            line = self.line(trial, role, 1000, extensions=(inverting,))
            line.feed(line.frame(BINARY, bytes(600), False, RSV1) + line.frame(CONTINUATION, bytes(400)))
            trial.true(inverting.told, "the extension was asked to decode")
            for made_bytes, max_bytes in inverting.told:
                what = f"what a message of at most 1000 bytes may grow by, after {made_bytes} of them"
                trial.true(max_bytes <= 1000 - made_bytes, what, got=max_bytes, wanted=1000 - made_bytes)

    @requirement("COD-58")
    def extensions_are_closed(self, trial: Trial) -> None:
        for role in Role:
            extensions = (Inverting(RSV1), Inverting(RSV2))
            line = self.line(trial, role, extensions=extensions)
            trial.equal([each.closed_count for each in extensions], [0, 0], "how often each was closed before")
            trial.did("close()")
            line.codec.close()
            trial.true(all(each.closed_count for each in extensions), "each extension was closed")


SUITES = (CodecContract,)

__all__ = ["EXTENSIONS", "SUITES", "CodecContract"]
