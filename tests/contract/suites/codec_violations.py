"""The contract of ``Codec``, second part: what RFC 6455 forbids, and how soon it is noticed."""

from __future__ import annotations

from collections.abc import Iterable

from ...api.codec import Role
from ..frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, close_body
from ..hostile import content
from ..line import Line, Seen, fragments, mixture
from ..requirement import must, requirement
from ..trial import Trial
from .codec_receiving import CodecReceivingContract

VIOLATIONS = (
    must("COD-19", "A frame that is masked and should not be, or the reverse, is a violation: 1002.", "COD-04"),
    must("COD-20", "A reserved opcode is a violation: 1002.", "COD-04"),
    must("COD-21", "A reserved bit that no extension claims is a violation: 1002.", "COD-04"),
    must("COD-22", "A control frame in fragments, or above 125 bytes, is a violation: 1002.", "COD-04"),
    must(
        "COD-23",
        "A continuation of nothing is a violation, and so is a message within a message: 1002.",
        "COD-06",
    ),
    must(
        "COD-24",
        "A length that is not in its shortest form, or has its top bit set, is a violation: 1002.",
        "COD-04",
    ),
    must(
        "COD-25",
        "A close frame with one byte, or with a code that may not be sent, is a violation: 1002.",
        "COD-09",
    ),
    must("COD-26", "A close reason that is not UTF-8 is a violation: 1007.", "COD-09"),
    must("COD-27", "Text that is not UTF-8, or ends within a character, is a violation: 1007.", "COD-10"),
    must("COD-28", "A frame that announces more than the limit is a violation, with its header: 1009.", "COD-04"),
    must(
        "COD-29",
        "Fragments that announce more than the limit together are a violation: 1009.",
        "COD-28",
        "COD-06",
    ),
    must("COD-30", "A message of exactly the limit passes, in one frame or in many.", "COD-06"),
    must(
        "COD-31",
        "A violation is reported with the first byte that proves it, and not before.",
        *(f"COD-{number}" for number in range(19, 29)),
    ),
    must("COD-32", "The events before a violation come first, and none after it.", "COD-20"),
    must("COD-33", "receive never raises for what the bytes say.", "COD-04"),
)

_BAD_TEXTS = (
    b"\x80",
    b"\xbf",
    b"\xc0\xaf",
    b"\xc1\xbf",
    b"\xe0\x9f\xbf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xfe",
    b"\xff",
    b"\xc3(",
    b"\xe2\x82(",
    b"\xf0\x9f\x98(",
)
_CUT_TEXTS = (b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xe2")

_PROVED = (
    # What a client reads, and the offset of the byte that proves the violation, whatever would follow it.
    ("83", 0, 1002),
    ("c2", 0, 1002),
    ("09", 0, 1002),
    ("80", 0, 1002),
    ("01 00 81", 2, 1002),
    ("82 80", 1, 1002),
    ("89 7e", 1, 1002),
    ("8a 7f", 1, 1002),
    ("88 01", 1, 1002),
    ("82 7e 00 7d", 3, 1002),
    ("82 7f 80", 2, 1002),
    ("82 7f 00 00 00 00 00 00", 7, 1002),
    ("88 02 07", 2, 1002),
    ("88 02 03 ec", 3, 1002),
    ("88 05 03 e8 61 ff", 5, 1007),
    ("88 03 03 e8 c3", 4, 1007),
    ("81 05 61 62 ff", 4, 1007),
    ("81 05 c0", 2, 1007),
    ("81 05 e0 80", 3, 1007),
    ("81 05 ed a0", 3, 1007),
    ("81 05 f4 90", 3, 1007),
    ("81 05 f5", 2, 1007),
    ("81 01 c3", 2, 1007),
    ("01 01 c3 00 03 41", 5, 1007),
    ("82 7e 03 e9", 3, 1009),
    ("82 7e 04", 2, 1009),
    ("82 7f 00 00 00 01", 5, 1009),
    ("02 02 61 62 80 7e 03 e7", 7, 1009),
)
_PROOF_LIMIT_BYTES = 1000


class CodecViolationsContract(CodecReceivingContract, name="codec", requirements=VIOLATIONS):
    """The part of ``CodecContract`` about what is forbidden."""

    def refused(self, trial: Trial, role: Role, data: bytes, code: int, what: str) -> None:
        """Expect a violation, in one piece and (its first bytes) byte by byte, and nothing besides."""
        for pieces in ((), (1,) * min(len(data), 20)):
            line = self.line(trial, role)
            trial.equal(line.feed(data, pieces), [("violation", code)], f"the events of {what}")
            trial.same(line.codec.receiving, False, "receiving after it")

    @requirement("COD-19")
    def masks_have_to_be_right(self, trial: Trial) -> None:
        for opcode, payload in ((TEXT, b"abc"), (BINARY, bytes(300)), (PING, b""), (CLOSE, close_body(1000))):
            self.refused(trial, Role.SERVER, Frame(opcode, payload).build(), 1002, "an unmasked frame to a server")
            masked = Frame(opcode, payload, key=b"\x01\x02\x03\x04").build()
            self.refused(trial, Role.CLIENT, masked, 1002, "a masked frame to a client")

    @requirement("COD-20")
    def opcodes_have_to_be_known(self, trial: Trial) -> None:
        for role in Role:
            for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
                frame = self.line(trial, role).frame(opcode, b"abc")
                self.refused(trial, role, frame, 1002, f"a frame of opcode {opcode}")

    @requirement("COD-21")
    def reserved_bits_have_to_be_claimed(self, trial: Trial) -> None:
        for role in Role:
            for reserved in (0x40, 0x20, 0x10, 0x70):
                for opcode in (TEXT, BINARY, PING, PONG, CLOSE):
                    frame = self.line(trial, role).frame(opcode, reserved=reserved)
                    self.refused(trial, role, frame, 1002, f"opcode {opcode} with the reserved bits {reserved:#x}")

    @requirement("COD-22")
    def control_frames_are_short_and_whole(self, trial: Trial) -> None:
        for role in Role:
            for opcode in (PING, PONG, CLOSE):
                line = self.line(trial, role)
                self.refused(trial, role, line.frame(opcode, b"", False), 1002, "a control frame that is not final")
                self.refused(trial, role, line.frame(opcode, bytes(126)), 1002, "a control frame of 126 bytes")
                self.refused(trial, role, line.frame(opcode, bytes(65536)), 1002, "a control frame of 64 KiB")

    @requirement("COD-23")
    def fragments_have_to_be_in_order(self, trial: Trial) -> None:
        for role in Role:
            for final in (True, False):
                line = self.line(trial, role)
                self.refused(trial, role, line.frame(CONTINUATION, b"a", final), 1002, "a continuation of nothing")
                within = line.frame(TEXT, b"a", False) + line.frame(BINARY, b"b", final)
                self.refused(trial, role, within, 1002, "a message within a message")
            line = self.line(trial, role)
            data = b"".join(fragments(line, BINARY, b"abc", (1, 2)))
            wanted: list[Seen] = [("message", BINARY, b"abc"), ("violation", 1002)]
            got = line.feed(data + line.frame(CONTINUATION, b"d"))
            trial.equal(got, wanted, "the events of a continuation behind a whole message")

    @requirement("COD-24")
    def lengths_have_to_be_short(self, trial: Trial) -> None:
        for role in Role:
            key = b"\x01\x02\x03\x04" if role is Role.SERVER else None
            for size_bytes, length_bytes in ((0, 2), (125, 2), (0, 8), (125, 8), (126, 8), (65535, 8)):
                frame = Frame(BINARY, bytes(size_bytes), key=key).build(length_bytes)
                what = f"a length of {size_bytes} in {length_bytes} bytes"
                self.refused(trial, role, frame, 1002, what)
            head = bytes((0x82, 0x7F if key is None else 0xFF))
            for length in (1 << 63, (1 << 64) - 1):
                self.refused(trial, role, head + length.to_bytes(8, "big"), 1002, "a length with its top bit set")

    @requirement("COD-25")
    def close_codes_have_to_be_allowed(self, trial: Trial) -> None:
        codes = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
        for role in Role:
            line = self.line(trial, role)
            self.refused(trial, role, line.frame(CLOSE, b"\x03"), 1002, "a close frame with one byte")
            for code in codes:
                self.refused(trial, role, line.frame(CLOSE, close_body(code)), 1002, f"a close frame with code {code}")

    @requirement("COD-26")
    def close_reasons_have_to_be_text(self, trial: Trial) -> None:
        for role in Role:
            for bad in (*_BAD_TEXTS, *_CUT_TEXTS):
                frame = self.line(trial, role).frame(CLOSE, close_body(1000) + b"ab" + bad)
                self.refused(trial, role, frame, 1007, f"a close reason that ends with {bad.hex(' ')}")

    @requirement("COD-27")
    def text_has_to_be_utf8(self, trial: Trial) -> None:
        for role in Role:
            for bad in (*_BAD_TEXTS, *_CUT_TEXTS):
                for before in (b"", b"a" * 130):
                    line = self.line(trial, role)
                    payload = before + bad
                    self.refused(trial, role, line.frame(TEXT, payload), 1007, f"text that ends with {bad.hex(' ')}")
                    at = len(payload) - 1
                    cut = b"".join(fragments(line, TEXT, payload, (at, 1)))
                    self.refused(trial, role, cut, 1007, f"fragments of text that ends with {bad.hex(' ')}")
            line = self.line(trial, role)
            wanted = [("message", BINARY, bad) for bad in _BAD_TEXTS]
            got = line.feed(b"".join(line.frame(BINARY, bad) for bad in _BAD_TEXTS))
            trial.equal(got, wanted, "the events of the same as binary messages")

    @requirement("COD-28")
    def announcements_are_limited(self, trial: Trial) -> None:
        for role in Role:
            for limit_bytes in (1, 100, 1000, 70000):
                for size_bytes in (limit_bytes + 1, limit_bytes * 2, 1 << 40, (1 << 63) - 1):
                    line = self.line(trial, role, limit_bytes)
                    got = line.feed(_head(line, size_bytes))
                    what = f"a header that announces {size_bytes} bytes, with a limit of {limit_bytes}"
                    trial.equal(got, [("violation", 1009)], f"the events of {what}")

    @requirement("COD-29")
    def fragments_are_limited_together(self, trial: Trial) -> None:
        for role in Role:
            for sizes in ((1000, 1), (1, 1000), (500, 0, 501), (1,) * 1001):
                line = self.line(trial, role, 1000)
                frames = fragments(line, BINARY, bytes(1001), sizes)
                got = line.feed(b"".join(frames[:-1]))
                trial.equal(got, [], "the events of the fragments up to the limit")
                got = line.feed(frames[-1][: 4 if sizes[-1] > 125 else 2])
                trial.equal(got, [("violation", 1009)], "the events of the header that passes the limit")
                trial.equal(line.pool.stats().in_use_count, 0, "the buffers in use")

    @requirement("COD-30")
    def the_limit_itself_passes(self, trial: Trial) -> None:
        for role in Role:
            for limit_bytes in (1, 126, 1000, 70000):
                payload = content(limit_bytes, trial.rng)
                line = self.line(trial, role, limit_bytes)
                data = line.frame(BINARY, payload)
                data += b"".join(fragments(line, BINARY, payload, (limit_bytes // 2, limit_bytes - limit_bytes // 2)))
                wanted = [("message", BINARY, payload)] * 2
                for pieces in ((), (len(data) // 3,)):
                    got = self.line(trial, role, limit_bytes).feed(data, pieces)
                    trial.equal(got, wanted, f"the events of two messages of {limit_bytes} bytes, which is the limit")

    @requirement("COD-31")
    def violations_are_seen_at_once(self, trial: Trial) -> None:
        for written, offset, code in _PROVED:
            data = bytes.fromhex(written)
            line = self.line(trial, Role.CLIENT, _PROOF_LIMIT_BYTES)
            for at in range(offset):
                got = line.feed(data[at : at + 1])
                trial.equal(got, [], f"the events of {written} up to byte {at}, which may still become right")
            got = line.feed(data[offset : offset + 1])
            trial.equal(got, [("violation", code)], f"the events of {written} with its byte {offset}")
        line = self.line(trial, Role.SERVER)
        trial.equal(line.feed(b"\x82"), [], "the events of the first byte of a frame to a server")
        trial.equal(line.feed(b"\x05"), [("violation", 1002)], "the events of its second byte, without mask bit")

    @requirement("COD-32")
    def what_came_before_counts(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            data, wanted = mixture(line)
            data = data[: -len(line.frame(CLOSE, close_body(1001, "bye")))]
            data += line.frame(3) + line.frame(TEXT, b"after") + line.frame(CLOSE)
            wanted = [*wanted[:-1], ("violation", 1002)]
            for pieces in ((), (10, 10, 10), (1,) * len(data)):
                got = self.line(trial, role).feed(data, pieces)
                trial.equal(got, wanted, "the events of good frames, a bad one, and others behind it")

    @requirement("COD-33")
    def nothing_is_raised(self, trial: Trial) -> None:
        for _ in range(trial.rounds(150, 3000)):
            role = trial.rng.choice(tuple(Role))
            line = self.line(trial, role, 5000)
            data = bytearray(mixture(line)[0])
            for _ in range(trial.rng.randint(1, 4)):
                data[trial.rng.randrange(len(data))] = trial.rng.randrange(256)
            if trial.rng.random() < 0.3:
                data = bytearray(trial.rng.randbytes(60))
            got = line.feed(bytes(data), _sizes(trial))
            last = [number for number, each in enumerate(got) if each[0] in ("violation", "close", "end")]
            trial.true(last in ([], [len(got) - 1]), "a last event is the last", got=got)
            trial.equal(line.codec.receiving, not last, "receiving after it")


def _head(line: Line, size_bytes: int) -> bytes:
    """Return the header of a binary frame without its payload."""
    masked = line.frame(BINARY)[1] & 0x80
    length_bytes = 0 if size_bytes < 126 else 2 if size_bytes < 65536 else 8
    word = {0: size_bytes, 2: 126, 8: 127}[length_bytes]
    return bytes((0x82, masked | word)) + (size_bytes.to_bytes(length_bytes, "big") if length_bytes else b"")


def _sizes(trial: Trial) -> Iterable[int]:
    return [trial.rng.randint(0, 30) for _ in range(trial.rng.randint(0, 6))]


__all__ = ["CodecViolationsContract"]
