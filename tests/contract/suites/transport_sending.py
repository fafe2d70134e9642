"""The part of the transport's contract about sending: who owns the memory, and what when the peer is slow."""

from __future__ import annotations

from functools import partial

from ...api.errors import InvalidArgument
from ...api.poller import WRITABLE
from ...api.transport import Transport
from ...pool.buffer_pool import SlabBufferPool
from ..hostile import content
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial
from .buffer import acquire
from .transport_pair import Ends, Pair, expect_let_go

SENDING = (
    must("TRN-21", "send never blocks: it answers pending_bytes, and loses nothing of what is pending.", "TRN-09"),
    must("TRN-22", "While something is pending interest has WRITABLE, and flush brings it down to 0.", "TRN-21"),
    must("TRN-23", "Borrowed memory may be changed as soon as send has returned.", "TRN-21"),
    must("TRN-24", "The caller's memory is never written to, whether it leaves at once or waits.", "TRN-12", "TRN-21"),
    must("TRN-25", "The batch itself is not kept: it may be changed as soon as send has returned.", "TRN-21"),
    must("TRN-26", "A buffer is retained while bytes of it are pending, and released then.", "TRN-21"),
    must("TRN-27", "A buffer that the caller releases after send still arrives as it was.", "TRN-21"),
    must("TRN-28", "Water marks are told when crossed: True above high, then False at low.", "TRN-22"),
    must("TRN-29", "Water marks in the wrong order or below 0 raise InvalidArgument.", "TRN-01"),
    must("TRN-30", "Pending bytes that are equal to the low mark have fallen to it: False is told.", "TRN-28"),
)


class TransportBase(Contract, name="transport", requirements=()):
    """What the parts share: how a pair is made."""

    def make(self) -> Ends:
        """Return a new connected pair; with a third element, a function that lets their world go on."""
        raise NotImplementedError

    def pair(self, trial: Trial) -> Pair:
        """Return a fresh pair, at rest."""
        pair = Pair(trial, trial.make(self.make))
        pair.come_to_rest()
        return pair

    def declared(self, trial: Trial) -> frozenset[str]:
        """Return what both ends say that they can."""
        ends = trial.make(self.make)
        features = [ends[0].features(), ends[1].features()]
        names = ("descriptor", "half_close")
        return frozenset(name for name in names if all(getattr(each, name) for each in features))


class SendingContract(TransportBase, name="transport-sending", requirements=()):
    """Sending and back-pressure."""

    @requirement("TRN-21")
    def sending_never_blocks(self, trial: Trial) -> None:
        pair = self.pair(trial)
        sent = pair.fill(pair.near)
        for _ in range(3):
            piece = content(pair.affordable(100_000), trial.rng)
            answer = trial.returns(f"send([{len(piece)} bytes])", partial(pair.near.send, [piece]))
            trial.equal(answer, pair.near.pending_bytes, "what send answers")
            sent += piece
        pair.receive(pair.far, sent)
        pair.nothing_more(pair.far)

    @requirement("TRN-22")
    def flushing_comes_to_an_end(self, trial: Trial) -> None:
        pair = self.pair(trial)
        trial.true(not pair.near.interest & WRITABLE, "nothing is pending, and WRITABLE is not asked for")
        sent = pair.fill(pair.near)
        if pair.near.pending_bytes:
            trial.true(pair.near.interest & WRITABLE, "something is pending, and WRITABLE is asked for")
            before = pair.near.pending_bytes
            answer = pair.near.flush()
            trial.equal(answer, pair.near.pending_bytes, "what flush answers")
            trial.true(answer <= before, "flush never adds to what is pending", got=answer, wanted=before)
        pair.receive(pair.far, sent)
        trial.equal(pair.near.flush(), 0, "what flush answers when all has arrived")
        trial.equal(pair.near.pending_bytes, 0, "pending_bytes when all has arrived")
        trial.true(not pair.near.interest & WRITABLE, "nothing is pending, and WRITABLE is not asked for")

    @requirement("TRN-23")
    def borrowed_memory_is_let_go(self, trial: Trial) -> None:
        for full in (False, True):
            pair = self.pair(trial)
            sent = pair.fill(pair.near) if full else b""
            data = content(pair.affordable(70_000), trial.rng)
            memory, second = bytearray(data), bytearray(data)
            trial.did("send([bytearray, memoryview of a bytearray]), then overwrite and grow both")
            pair.near.send([memory, memoryview(second)[10:]])
            memory[:] = second[:] = bytes(len(data))
            expect_let_go(trial, memory, "after send has returned")
            pair.receive(pair.far, sent + data + data[10:])

    @requirement("TRN-24")
    def callers_memory_is_untouched(self, trial: Trial) -> None:
        for full in (False, True):
            pair = self.pair(trial)
            pool = trial.make(SlabBufferPool)
            sent = pair.fill(pair.near) if full else b""
            lent: list[_Lent] = []
            for size_bytes in (1, 126, pair.affordable(70_000)):
                lent.append(_Lent(trial, pool, content(size_bytes, trial.rng)))
                sent += lent[-1].send(pair.near)
                if not full:
                    pair.receive(pair.far, sent)
                    pair.near.flush()
                    lent[-1].look("when all has arrived")
                    sent = b""
            pair.receive(pair.far, sent)
            pair.near.flush()
            for each in lent:
                each.look("in the end")

    @requirement("TRN-25")
    def batch_is_let_go(self, trial: Trial) -> None:
        for full in (False, True):
            pair = self.pair(trial)
            sent = pair.fill(pair.near) if full else b""
            data = content(pair.affordable(50_000), trial.rng)
            batch = [data, b"second"]
            trial.did("send(batch), then batch[:] = [other bytes]")
            pair.near.send(batch)
            trial.equal(batch, [data, b"second"], "the batch after send")
            batch[:] = [b"other bytes"]
            pair.receive(pair.far, sent + data + b"second")

    @requirement("TRN-26")
    def buffers_are_counted(self, trial: Trial) -> None:
        for full in (False, True):
            pair = self.pair(trial)
            pool = trial.make(SlabBufferPool)
            sent = pair.fill(pair.near) if full else b""
            data = content(pair.affordable(60_000), trial.rng)
            buffer = acquire(trial, pool, len(data))
            buffer.data()[:] = data
            trial.did("send([a pooled buffer, and a slice of it that is released at once])")
            part = buffer.slice(100, 200)
            pair.near.send([buffer, part])
            part.release()
            held = buffer.ref_count
            trial.true(held >= 1, "the caller keeps its own count", got=held)
            if full and pair.near.pending_bytes:
                trial.true(held >= 2, "a buffer that is pending is retained", got=held)
            pair.receive(pair.far, sent + data + data[100:200])
            pair.near.flush()
            trial.equal(buffer.ref_count, 1, "the count of the buffer when all has arrived")

    @requirement("TRN-27")
    def released_buffers_arrive(self, trial: Trial) -> None:
        pair = self.pair(trial)
        pool = trial.make(SlabBufferPool)
        sent = pair.fill(pair.near)
        for _ in range(3):
            data = content(pair.affordable(60_000), trial.rng)
            trial.did("send([a pooled buffer]), release it, acquire another and overwrite it")
            with pool.acquire(len(data)) as buffer:
                buffer.data()[:] = data
                pair.near.send([buffer])
            with pool.acquire(len(data)) as other:
                other.data()[:] = bytes(len(data))
            sent += data
        pair.receive(pair.far, sent)
        pair.near.flush()
        trial.equal(pool.stats().in_use_count, 0, "the buffers in use when all has arrived")

    @requirement("TRN-28")
    def water_marks_are_told(self, trial: Trial) -> None:
        pair = self.pair(trial)
        marks = _Marks(pair, 200_000, 50_000)
        trial.did("set_water_marks(200000, 50000, function)")
        pair.near.set_water_marks(marks.high_bytes, marks.low_bytes, marks.told.append)
        for _ in range(2):
            sent = pair.fill(pair.near)
            marks.look()
            if not pair.near.pending_bytes:
                return
            if pair.near.pending_bytes < marks.high_bytes:
                sent += marks.send_up_to_high()
            while pair.near.pending_bytes <= marks.high_bytes:
                sent += marks.send_more()
            sent += marks.send_more()
            for start in range(0, len(sent), 20_000):
                pair.receive(pair.far, sent[start : start + 20_000], partial=True)
                marks.look()
            pair.near.flush()
            marks.look()
            trial.equal(pair.near.pending_bytes, 0, "pending_bytes when all has arrived")

    @requirement("TRN-29")
    def water_marks_are_checked(self, trial: Trial) -> None:
        near = self.pair(trial).near
        for high_bytes, low_bytes in ((1, 2), (-1, -1), (5, -1)):
            call = f"set_water_marks({high_bytes}, {low_bytes}, None)"
            trial.raises(InvalidArgument, call, partial(near.set_water_marks, high_bytes, low_bytes, None))
        near.set_water_marks(0, 0, None)
        near.send([b"x"])

    @requirement("TRN-30")
    def equal_to_low_is_low(self, trial: Trial) -> None:
        pair = self.pair(trial)
        told: list[bool] = []
        trial.did("set_water_marks(0, 0, function)")  # 0 is the one count that every transport comes to exactly
        pair.near.set_water_marks(0, 0, told.append)
        for _ in range(2):
            sent = pair.fill(pair.near)
            if not pair.near.pending_bytes:
                return
            trial.equal(told[-1:], [True], "what was told last, while something is pending")
            pair.receive(pair.far, sent)
            pair.near.flush()
            trial.equal(pair.near.pending_bytes, 0, "pending_bytes when all has arrived")
            trial.equal(told[-1:], [False], "what was told last, when nothing is pending any more")


class _Lent:
    """Memory of the caller's in every form that can be sent and written to, and what it has to hold."""

    def __init__(self, trial: Trial, pool: SlabBufferPool, data: bytes) -> None:
        self.trial = trial
        self.data = data
        self.plain, self.below = bytearray(data), bytearray(data)
        self.buffer = acquire(trial, pool, len(data))
        self.around = acquire(trial, pool, len(data) + 20)
        self.buffer.data()[:] = data
        self.around.data()[:] = self.whole = bytes(10) + data + bytes(10)
        self.slice = self.around.slice(10, 10 + len(data))
        trial.defer(self.slice.release)
        self.views = self.buffer.view(), self.around.view()  # they show it even where a count is lost

    def send(self, end: Transport) -> bytes:
        """Send all of it, and return what that is."""
        size = f"{len(self.data)} bytes"
        self.trial.did(f"send([bytearray, memoryview, pooled buffer, slice of another]), {size} each")
        end.send([self.plain, memoryview(self.below), self.buffer, self.slice])
        self.look("after send")
        return self.data * 4

    def look(self, when: str) -> None:
        """Expect that nothing of it has changed."""
        self.trial.equal(bytes(self.plain), self.data, f"the bytearray that was sent, {when}")
        self.trial.equal(bytes(self.below), self.data, f"the memory under the view that was sent, {when}")
        self.trial.equal(bytes(self.views[0]), self.data, f"the pooled buffer that was sent, {when}")
        self.trial.equal(bytes(self.views[1]), self.whole, f"the buffer of which a slice was sent, {when}")


class _Marks:
    """Water marks, and what was told about them: it has to fit what is pending after each call."""

    def __init__(self, pair: Pair, high_bytes: int, low_bytes: int) -> None:
        self.pair = pair
        self.high_bytes = high_bytes
        self.low_bytes = low_bytes
        self.told: list[bool] = []

    def look(self) -> None:
        """Expect that what was told alternates, and that its last word is true. (A system that takes more and
        more may have crossed the marks to and fro within one call.)"""
        trial, told = self.pair.trial, self.told
        pending_bytes = self.pair.near.pending_bytes
        trial.equal(told, [number % 2 == 0 for number in range(len(told))], "what was told, in order")
        paused = bool(told) and told[-1]
        if pending_bytes > self.high_bytes:
            trial.true(paused, f"with {pending_bytes} bytes pending the last word is True", got=told)
        elif pending_bytes <= self.low_bytes:
            trial.true(not paused, f"with {pending_bytes} bytes pending the last word is not True", got=told)

    def send_up_to_high(self) -> bytes:
        """Send what makes the high mark full, and return it: that is not above it, so nothing is told."""
        before = list(self.told)
        piece = content(self.high_bytes - self.pair.near.pending_bytes, self.pair.trial.rng)
        self.pair.near.send([piece])
        self.pair.trial.did(f"send([{len(piece)} bytes]); pending: {self.pair.near.pending_bytes}")
        self.pair.trial.equal(self.told, before, f"what was told with no more than {self.high_bytes} bytes pending")
        return piece

    def send_more(self) -> bytes:
        """Send some more, and return it."""
        piece = content(30_000, self.pair.trial.rng)
        self.pair.near.send([piece])
        self.pair.trial.did(f"send([30000 bytes]); pending: {self.pair.near.pending_bytes}")
        self.look()
        return piece


__all__ = ["SENDING", "SendingContract", "TransportBase"]
