"""The part of the transport's contract about ends: of the stream, of our sending, of the connection."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ...api.buffer import Buffer
from ...api.errors import ConnectionLost, InvalidState, NotSupported, TransportClosed
from ...api.transport import END_OF_STREAM
from ...pool.buffer_pool import SlabBufferPool
from ..hostile import content
from ..requirement import must, refusal, requirement
from ..trial import Trial
from .buffer import acquire
from .transport_pair import Pair, told
from .transport_sending import TransportBase

ENDS = (
    must("TRN-31", "After shutdown the peer gets all that was sent, then the end.", "TRN-04", capability="half_close"),
    must("TRN-32", "The end of the stream is answered again and again.", "TRN-31", capability="half_close"),
    must("TRN-33", "shutdown ends our sending only: receiving goes on.", "TRN-31", capability="half_close"),
    must("TRN-34", "What is pending at shutdown is sent first.", "TRN-31", "TRN-21", capability="half_close"),
    must("TRN-35", "After shutdown send raises InvalidState, and nothing is sent.", "TRN-31", capability="half_close"),
    must("TRN-36", "Shutting down twice is shutting down once.", "TRN-31", capability="half_close"),
    must("TRN-41", "After close every call raises TransportClosed.", "TRN-03"),
    must("TRN-42", "Closing twice is closing once.", "TRN-01"),
    must("TRN-43", "close releases the buffers that are pending, once.", "TRN-26", "TRN-42"),
    must("TRN-44", "The peer of a closed transport gets what it sent, then the end or ConnectionLost.", "TRN-04"),
    must("TRN-45", "Sending to a peer that is gone raises ConnectionLost, and raises it again.", "TRN-21"),
    must("TRN-46", "With ConnectionLost all pending buffers are released.", "TRN-45", "TRN-26"),
    must("TRN-47", "After close handle, interest, buffered and pending_bytes raise TransportClosed, too.", "TRN-41"),
)


class EndsContract(TransportBase, name="transport-ends", requirements=()):
    """Ends."""

    def ended(self, trial: Trial) -> Pair:
        """Return a pair whose near end has shut down, and whose far end has read all of it."""
        pair = self.pair(trial)
        sent = content(1000, trial.rng)
        trial.did("send([1000 bytes]), shutdown()")
        pair.near.send([sent])
        pair.near.shutdown()
        pair.receive(pair.far, sent)
        pair.until_end(pair.far)
        return pair

    @requirement("TRN-31")
    def end_follows_the_data(self, trial: Trial) -> None:
        self.ended(trial)

    @requirement("TRN-32")
    def end_stays(self, trial: Trial) -> None:
        pair = self.ended(trial)
        for size_bytes in (16, 1, 65536):
            call = f"recv_into(a buffer of {size_bytes} bytes), again, after the end"
            answer = trial.returns(call, partial(pair.far.recv_into, bytearray(size_bytes)))
            trial.equal(told(answer), told(END_OF_STREAM), "the answer")

    @requirement("TRN-33")
    def receiving_goes_on(self, trial: Trial) -> None:
        pair = self.ended(trial)
        for size_bytes in (1, 10_000):
            pair.transfer(pair.far, content(size_bytes, trial.rng))
        pair.far.shutdown()
        pair.until_end(pair.near)

    @requirement("TRN-34")
    def pending_goes_first(self, trial: Trial) -> None:
        pair = self.pair(trial)
        sent = pair.fill(pair.near)
        trial.did("shutdown()")
        pair.near.shutdown()
        pair.receive(pair.far, sent)
        pair.until_end(pair.far)

    @requirement("TRN-35")
    def sending_is_over(self, trial: Trial) -> None:
        pair = self.pair(trial)
        pair.near.shutdown()
        for name, batch in (("one byte", [b"x"]), ("a lot", [bytes(100_000)])):
            trial.raises(InvalidState, f"send({name}) after shutdown", partial(pair.near.send, batch))
        trial.equal(pair.near.pending_bytes, 0, "pending_bytes")
        pair.until_end(pair.far)

    @requirement("TRN-36")
    def shutdown_is_idempotent(self, trial: Trial) -> None:
        pair = self.ended(trial)
        for _ in range(2):
            trial.did("shutdown(), again")
            pair.near.shutdown()
        pair.transfer(pair.far, b"still here")

    @refusal("half_close")
    def shutdown_is_refused(self, trial: Trial) -> None:
        pair = self.pair(trial)
        trial.did("shutdown(), though features() say that half_close is not supported")
        try:
            pair.near.shutdown()
        except NotSupported:
            pair.transfer(pair.near, b"nothing has changed")
            pair.transfer(pair.far, b"nothing has changed")
        else:
            pair.transfer(pair.far, b"receiving goes on")
            trial.warn("shutdown works, but features() do not declare half_close")

    @requirement("TRN-41")
    def closed_is_closed(self, trial: Trial) -> None:
        pair = self.pair(trial)
        near = pair.near
        trial.did("close()")
        near.close()
        calls: tuple[tuple[str, Callable[[], object]], ...] = (
            ("recv_into(bytearray(1))", lambda: near.recv_into(bytearray(1))),
            ("send([b'x'])", lambda: near.send([b"x"])),
            ("send([])", lambda: near.send([])),
            ("flush()", near.flush),
            ("set_water_marks(1, 1, None)", lambda: near.set_water_marks(1, 1, None)),
            ("shutdown()", near.shutdown),
        )
        for name, call in calls:
            trial.raises(TransportClosed, f"{name} after close", call)

    @requirement("TRN-47")
    def closed_has_nothing_to_tell(self, trial: Trial) -> None:
        near = self.pair(trial).near
        trial.did("close()")
        near.close()
        properties: tuple[tuple[str, Callable[[], object]], ...] = (
            ("handle", lambda: near.handle),
            ("interest", lambda: near.interest),
            ("buffered", lambda: near.buffered),
            ("pending_bytes", lambda: near.pending_bytes),
        )
        for name, look in properties:
            trial.raises(TransportClosed, f"{name} after close", look)

    @requirement("TRN-42")
    def closing_is_idempotent(self, trial: Trial) -> None:
        pair = self.pair(trial)
        for end in (pair.near, pair.far):
            for _ in range(3):
                trial.did("close()")
                end.close()

    def loaded(self, trial: Trial, pair: Pair) -> Buffer | None:
        """Fill a pair and put a pooled buffer behind; ``None`` where nothing is ever pending."""
        pool = trial.make(SlabBufferPool)
        pair.fill(pair.near)
        buffer = acquire(trial, pool, 50_000)
        trial.did("send([a pooled buffer])")
        pair.near.send([buffer])
        return buffer if pair.near.pending_bytes else None

    @requirement("TRN-43")
    def close_releases(self, trial: Trial) -> None:
        pair = self.pair(trial)
        buffer = self.loaded(trial, pair)
        for number in ("first", "second", "third"):
            trial.did("close()")
            pair.near.close()
            if buffer is not None:
                trial.equal(buffer.ref_count, 1, f"the count of the buffer after the {number} close")

    @requirement("TRN-44")
    def peer_sees_the_end(self, trial: Trial) -> None:
        pair = self.pair(trial)
        sent = content(5000, trial.rng)
        trial.did("send([5000 bytes])")
        pair.near.send([sent])
        got = bytearray()
        while pair.near.pending_bytes:  # the peer reads no more than it has to
            buffer = bytearray(100)
            count = pair.far.recv_into(buffer)
            if count > 0:
                got += buffer[:count]
                pair.moved()
            else:
                pair.wait("5000 bytes stay pending", pair.far)
            pair.flush(pair.near)
        pair.close(pair.near)
        got += pair.rest(pair.far)
        trial.equal(bytes(got), sent, "what arrived before the end")

    @requirement("TRN-45")
    def lost_is_told(self, trial: Trial) -> None:
        pair = self.pair(trial)
        pair.close(pair.far)
        self.lose(trial, pair)
        calls: tuple[tuple[str, Callable[[], object]], ...] = (
            ("send([b'x'])", lambda: pair.near.send([b"x"])),
            ("flush()", pair.near.flush),
            ("recv_into(bytearray(1))", lambda: pair.near.recv_into(bytearray(1))),
        )
        for name, call in calls:
            trial.raises(ConnectionLost, f"{name}, after ConnectionLost", call)
        trial.did("close()")
        pair.near.close()

    def lose(self, trial: Trial, pair: Pair) -> None:
        """Send until the loss is noticed."""
        trial.did("send([1000 bytes]) until it is noticed")
        for _ in range(10_000):
            try:
                pair.near.send([bytes(1000)])
                pair.near.flush()
            except ConnectionLost:
                trial.did("ConnectionLost")
                return
            pair.wait("sending to a peer that is gone goes on for ever")
        trial.fail("sending to a peer that is gone goes on for ever", got="10000 sends", wanted=ConnectionLost)

    @requirement("TRN-46")
    def lost_releases(self, trial: Trial) -> None:
        pair = self.pair(trial)
        buffer = self.loaded(trial, pair)
        if buffer is None:
            return
        pair.close(pair.far)
        self.lose(trial, pair)
        trial.equal(buffer.ref_count, 1, "the count of the buffer after ConnectionLost")


__all__ = ["ENDS", "EndsContract"]
