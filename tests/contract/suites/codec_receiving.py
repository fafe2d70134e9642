"""The contract of ``Codec``, first part: what is received. (``codec.py`` has the suite, with all its parts.)

The checks write frames byte by byte, by the plain builder in ``frames.py``, and compare the events with what was
written. All memory that is lent to a codec is overwritten as soon as the contract allows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ...api.codec import Codec, PingReceived, PongReceived, Role
from ...api.errors import InvalidArgument, InvalidState
from ...api.extension import Extension
from ...api.pool import BufferPool
from ...fake.memory import FakeBufferPool
from ..frames import BINARY, CLOSE, PING, PONG, TEXT, Frame, close_body
from ..hostile import HUGE_BYTES, SIZES, content
from ..line import Line, ended, fragments, mixture, seen, text
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

RECEIVING = (
    must("COD-01", "A new codec plays the role asked for: both halves open, no target, no memory of the pool."),
    must("COD-02", "A whole message of any size is one event, with its kind and bytes.", "COD-01"),
    must("COD-03", "A server unmasks each frame with the key of that frame.", "COD-02"),
    must("COD-04", "Events come in the order in which they lie on the wire.", "COD-02"),
    must("COD-05", "Any split of the stream yields the same events.", "COD-04"),
    must("COD-06", "Fragments are joined, empty ones too, and come as one message with the last.", "COD-02"),
    must("COD-07", "Control frames between fragments are events there, and leave the message as it is.", "COD-06"),
    must("COD-08", "The payload of a ping or pong has 0 to 125 bytes, and is a copy.", "COD-04"),
    must(
        "COD-09",
        "A close frame has code and reason, 1005 and none without a body, and is the last event.",
        "COD-04",
    ),
    must("COD-10", "Text is whole however its characters are cut, by reads or by fragments.", "COD-06"),
    must(
        "COD-11",
        "After the next call that receives, a message raises UseAfterRelease or shows what it was, never else.",
        "COD-02",
    ),
    must("COD-12", "A retained message stays as it is until it is released.", "COD-11"),
    must("COD-13", "After the last event receiving is false, and all further bytes are ignored.", "COD-09"),
    must("COD-14", "The end of the stream is one event while the half is open, else none.", "COD-09"),
    must(
        "COD-15",
        "A direct target is writable, at most the rest of the frame, and absent between frames.",
        "COD-02",
    ),
    must("COD-16", "Bytes received into direct targets yield the same events as any others.", "COD-15", "COD-06"),
    must(
        "COD-17",
        "receive_direct without target, or with a count outside it, is refused; nothing changes.",
        "COD-15",
    ),
    must("COD-18", "Messages that have ended hold no memory of the pool.", "COD-11"),
)

MAX_BYTES = 8 * 1024 * 1024
"""Limit of a message where a check does not say else."""


class CodecReceivingContract(Contract, name="codec", requirements=RECEIVING):
    """The part of ``CodecContract`` about receiving."""

    def make(
        self, role: Role, *, pool: BufferPool, max_message_bytes: int, extensions: Sequence[Extension] = ()
    ) -> Codec:
        """Return a new codec for one connection.

        ``pool``: where it may take memory from. ``max_message_bytes``: the longest message that it accepts.
        ``extensions``: those agreed on; raise ``NotSupported`` for any if there is no support for them.
        """
        raise NotImplementedError

    def line(
        self, trial: Trial, role: Role, max_bytes: int = MAX_BYTES, extensions: Sequence[Extension] = ()
    ) -> Line:
        """Return a fresh codec with what is around it."""
        trial.forget()
        pool = FakeBufferPool()
        if extensions:
            codec = trial.make(self.make, role, pool=pool, max_message_bytes=max_bytes, extensions=extensions)
        else:
            codec = trial.make(self.make, role, pool=pool, max_message_bytes=max_bytes)
        return Line(trial, role, codec, pool)

    @requirement("COD-01")
    def new_one_is_open(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            codec = line.codec
            trial.equal(codec.role, role, "its role")
            found = (codec.receiving, codec.sending, codec.direct_target(), line.pool.stats().in_use_count)
            trial.equal(found, (True, True, None, 0), "receiving, sending, direct target, buffers of the pool in use")

    @requirement("COD-02")
    def whole_messages_arrive(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            for size_bytes, opcode in ((size, kind) for size in SIZES for kind in (BINARY, TEXT)):
                payload = text(size_bytes, trial) if opcode == TEXT else content(size_bytes, trial.rng)
                got = line.feed(line.frame(opcode, payload))
                trial.equal(got, [("message", opcode, payload)], f"the events of a message of {size_bytes} bytes")

    @requirement("COD-03")
    def each_frame_has_its_key(self, trial: Trial) -> None:
        keys = (bytes(4), b"\xff" * 4, b"\x01\x02\x03\x04", b"\x80\x00\x00\x00", b"\x00\x00\x00\x01")
        for size_bytes in (*range(12), 125, 126, 1000, 65537):
            line = self.line(trial, Role.SERVER)
            payloads = [content(size_bytes, trial.rng) for _ in keys]
            frames = [Frame(BINARY, payload, key=key) for payload, key in zip(payloads, keys, strict=True)]
            got = line.feed(b"".join(frame.build() for frame in frames))
            wanted = [("message", BINARY, payload) for payload in payloads]
            trial.equal(got, wanted, f"the messages of {size_bytes} bytes")
            line = self.line(trial, Role.SERVER)
            cut = trial.rng.randint(0, size_bytes)
            got = line.feed(frames[2].build(), (cut + 6, 1))
            trial.equal(got, wanted[2:3], f"a message of {size_bytes} bytes that was cut at {cut}")

    @requirement("COD-04")
    def events_keep_their_order(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            data, wanted = mixture(line)
            trial.equal(line.feed(data), wanted, "the events")

    @requirement("COD-05")
    def splits_change_nothing(self, trial: Trial) -> None:
        for role in Role:
            data, wanted = mixture(self.line(trial, role))
            cuts: list[Sequence[int]] = [(1,) * len(data), (0, 1) * len(data)]
            cuts += [(at,) for at in range(1, len(data), 1 if trial.full else 3)]
            for _ in range(trial.rounds(30, 500)):
                cuts.append([trial.rng.randint(0, 40) for _ in range(20)])
            for pieces in cuts:
                trial.equal(self.line(trial, role).feed(data, pieces), wanted, "the events")
            opcode = TEXT if role is Role.SERVER else BINARY
            payload = text(HUGE_BYTES, trial) if opcode == TEXT else content(HUGE_BYTES, trial.rng)
            line = self.line(trial, role)
            data = line.frame(opcode, payload) + line.frame(PING)
            for pieces in ((), (1_000_000, 1, 700_000)):
                got = self.line(trial, role).feed(data, pieces)
                trial.equal(got, [("message", opcode, payload), ("ping", b"")], "the events of 3 MiB, and a ping")

    @requirement("COD-06")
    def fragments_are_joined(self, trial: Trial) -> None:
        shapes = ((5, 5), (0, 0), (0, 7), (7, 0), (1,) * 50, (0, 1, 0, 2, 0), (126, 65536, 3), (65537, 0, 40000))
        for role in Role:
            line = self.line(trial, role)
            for sizes in shapes:
                for opcode in (BINARY, TEXT):
                    payload = content(sum(sizes), trial.rng).hex().encode()[: sum(sizes)]
                    frames = fragments(line, opcode, payload, sizes)
                    for frame in frames[:-1]:
                        trial.equal(line.feed(frame), [], "the events of a fragment that is not the last")
                    trial.equal(line.feed(frames[-1]), [("message", opcode, payload)], f"the last of {sizes}")

    @requirement("COD-07")
    def control_frames_come_between(self, trial: Trial) -> None:
        for role in Role:
            for pieces in ((), (1,) * 500):
                line = self.line(trial, role)
                frames = fragments(line, TEXT, b"one two three", (3, 0, 10))
                between = [line.frame(PING, b"a"), line.frame(PONG), line.frame(PING, b"b" * 125)]
                data = b"".join(each for pair in zip(frames, between, strict=True) for each in pair)
                wanted = [("ping", b"a"), ("pong", b""), ("message", TEXT, b"one two three"), ("ping", b"b" * 125)]
                trial.equal(line.feed(data, pieces), wanted, "the events")

    @requirement("COD-08")
    def control_payloads_are_copies(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            for size_bytes in (0, 1, 4, 124, 125):
                payload = content(size_bytes, trial.rng)
                memory = bytearray(line.frame(PING, payload) + line.frame(PONG, payload))
                trial.did(f"receive(a ping and a pong of {size_bytes} bytes)")
                events = list(line.codec.receive(memoryview(memory)))
                memory[:] = bytes(len(memory))
                line.feed(line.frame(BINARY, b"other"))
                wanted = [("ping", payload), ("pong", payload)]
                trial.equal([seen(each) for each in events], wanted, "the events, after the memory was used again")
                trial.true(isinstance(events[0], PingReceived), "the first event is a PingReceived", got=events[0])
                trial.true(isinstance(events[1], PongReceived), "the second event is a PongReceived", got=events[1])

    @requirement("COD-09")
    def close_frames_are_read(self, trial: Trial) -> None:
        bodies = [(None, "", 1005), (1000, "", 1000), (4999, "x" * 123, 4999)]
        bodies += [(1001, "gr\u00fc\u00dfe \U0001f600", 1001)]
        bodies += [(code, "", code) for code in (1002, 1003, 1007, 1014, 3000, 4000)]
        for role in Role:
            for code, reason, wanted in bodies:
                line = self.line(trial, role)
                got = line.feed(line.frame(CLOSE, close_body(code, reason)) + line.frame(PING))
                trial.equal(got, [("close", wanted, reason)], "the events of a close frame and a ping behind it")

    @requirement("COD-10")
    def characters_may_be_cut(self, trial: Trial) -> None:
        whole = "a\u00df\u20ac\ud7ff\ue000\U00010000\U0010ffff\x00z".encode()
        for role in Role:
            for at in range(len(whole) + 1):
                line = self.line(trial, role)
                data = b"".join(fragments(line, TEXT, whole, (at, len(whole) - at)))
                wanted = [("message", TEXT, whole)]
                trial.equal(line.feed(data, (1,) * len(data)), wanted, f"text in fragments cut at {at}, byte by byte")
            line = self.line(trial, role)
            data = line.frame(TEXT, whole * 20000)
            pieces = [trial.rng.randint(1, 50000) for _ in range(12)]
            trial.equal(line.feed(data, pieces), [("message", TEXT, whole * 20000)], "long text, cut at random")

    @requirement("COD-11")
    def messages_are_borrowed(self, trial: Trial) -> None:
        ends: tuple[tuple[str, Callable[[Line], object]], ...] = (
            ("receive(a message)", lambda line: line.codec.receive(memoryview(bytearray(line.frame(BINARY, b"new"))))),
            ("receive_end()", lambda line: line.codec.receive_end()),
        )
        for role in Role:
            for sizes in ((5,), (300,), (70000,), (10, 20)):
                for name, end in ends:
                    line = self.line(trial, role)
                    payload = content(sum(sizes), trial.rng)
                    message, memory = line.message(b"".join(fragments(line, BINARY, payload, sizes)))
                    trial.equal(message.copy(), payload, "the message before the next call")
                    trial.did(name)
                    end(line)
                    memory[:] = bytes(len(memory))
                    ended(trial, message, payload)

    @requirement("COD-12")
    def retained_messages_stay(self, trial: Trial) -> None:
        for role in Role:
            for sizes in ((0,), (5,), (300,), (70000,), (10, 20)):
                line = self.line(trial, role)
                payload = content(sum(sizes), trial.rng)
                message, memory = line.message(b"".join(fragments(line, BINARY, payload, sizes)))
                trial.did("retain()")
                trial.same(message.retain(), message, "what retain() answers")
                memory[:] = bytes(len(memory))
                line.feed(line.frame(BINARY, content(sum(sizes), trial.rng)))
                trial.equal(message.copy(), payload, "the retained message, after other bytes were received")
                trial.did("release()")
                message.release()
                ended(trial, message, payload)

    @requirement("COD-13")
    def nothing_after_the_last_event(self, trial: Trial) -> None:
        for role in Role:
            for name, last in (("a close frame", b""), ("a violation", b"\x83\x80"), ("the end", None)):
                line = self.line(trial, role)
                trial.true(line.codec.receiving, "receiving is true at first")
                if last is None:
                    line.codec.receive_end()
                else:
                    line.feed(last or line.frame(CLOSE, close_body(1000)))
                trial.same(line.codec.receiving, False, f"receiving after {name}")
                more = (line.frame(TEXT, b"more"), b"\xff" * 300, b"")
                trial.equal([line.feed(each) for each in more], [[], [], []], f"the events of what follows {name}")
                trial.same(line.codec.direct_target(), None, "the direct target")
                trial.same(line.codec.sending, True, "sending, which nobody has closed")

    @requirement("COD-14")
    def the_end_comes_once(self, trial: Trial) -> None:
        for role in Role:
            for cut in (0, 1, 5, 200):
                line = self.line(trial, role)
                line.feed(line.frame(BINARY, bytes(300))[:cut])
                trial.did("receive_end(), twice")
                got = [[seen(each) for each in line.codec.receive_end()] for _ in range(2)]
                trial.equal(got, [[("end",)], []], f"the events of the end after {cut} bytes of a frame")
                trial.equal(line.pool.stats().in_use_count, 0, "the buffers in use")
            for last in (b"\x83\x80", None):
                line = self.line(trial, role)
                line.feed(last or line.frame(CLOSE))
                trial.equal(len(line.codec.receive_end()), 0, "the events of the end after the last event")

    @requirement("COD-15")
    def targets_are_exact(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            for size_bytes in (1, 126, 20000, 65537, 1 << 20):
                data = line.frame(BINARY, content(size_bytes, trial.rng))
                for left in {size_bytes, size_bytes // 2 + 1, min(size_bytes, 16384), 1}:
                    before = data[: len(data) - left]
                    line.feed(before)
                    target = line.codec.direct_target()
                    if target is not None:
                        form = (target.readonly, target.format, target.ndim, target.contiguous)
                        trial.equal(form, (False, "B", 1, True), "read-only, format, dimensions, contiguous")
                        trial.true(0 < len(target) <= left, f"a target has 1 to {left} bytes", got=len(target))
                        target.release()
                    line.feed(data[len(data) - left :])
                    trial.same(line.codec.direct_target(), None, "the target between two frames")

    @requirement("COD-16")
    def targets_yield_the_same(self, trial: Trial) -> None:
        for role in Role:
            plans: list[tuple[tuple[int, ...], int]] = [
                (sizes, opcode) for sizes in ((70000,), (20000, 65536, 7), (0, 40000)) for opcode in (BINARY, TEXT)
            ]
            for sizes, opcode in (*plans, ((HUGE_BYTES,), TEXT if role is Role.SERVER else BINARY)):
                line = self.line(trial, role)
                payload = text(sum(sizes), trial) if opcode == TEXT else content(sum(sizes), trial.rng)
                data = b"".join(fragments(line, opcode, payload, sizes)) + line.frame(PING, b"last")
                wanted = [("message", opcode, payload), ("ping", b"last")]
                trial.equal(line.feed_directly(data), wanted, f"the events of fragments of {sizes} bytes")
        line = self.line(trial, Role.CLIENT)
        bad = bytearray(text(100000, trial))
        bad[50000] = 0xFF
        got = line.feed_directly(line.frame(TEXT, bytes(bad)))
        trial.equal(got, [("violation", 1007)], "the events of text that is not UTF-8")

    @requirement("COD-17")
    def targets_are_guarded(self, trial: Trial) -> None:
        for role in Role:
            line = self.line(trial, role)
            trial.raises(InvalidState, "receive_direct(0) without a target", lambda: line.codec.receive_direct(0))
            payload = content(100000, trial.rng)
            data = line.frame(BINARY, payload)
            line.feed(data[:1000])
            target = line.codec.direct_target()
            if target is None:
                call = "receive_direct(1) without a target"
                trial.raises(InvalidState, call, lambda: line.codec.receive_direct(1))
            else:
                for count in (-1, len(target) + 1):
                    call = f"receive_direct({count}) with {len(target)} bytes of target"
                    trial.raises(InvalidArgument, call, partial(line.codec.receive_direct, count))
            trial.equal(line.feed(data[1000:]), [("message", BINARY, payload)], "the events of the rest")

    @requirement("COD-18")
    def memory_goes_back(self, trial: Trial) -> None:
        for role in Role:
            for sizes in ((100,), (1000, 2000), (100000,), (5, 0)):
                line = self.line(trial, role)
                data = b"".join(fragments(line, BINARY, content(sum(sizes), trial.rng), sizes))
                line.feed(data, (len(data) // 2,))
                line.feed(b"")
                trial.equal(line.pool.stats().in_use_count, 0, "the buffers in use after the message ended")
                line.feed(data[: len(data) // 2])
                line.feed(b"\xff" * len(data))
                line.codec.receive_end()
                trial.equal(line.pool.stats().in_use_count, 0, "the buffers in use after the last event")


__all__ = ["MAX_BYTES", "CodecReceivingContract"]
