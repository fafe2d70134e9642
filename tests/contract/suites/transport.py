"""The contract of ``Transport``: what arrives, what is sent, and what closing means.

``make`` returns a connected pair. The requirements come in three parts, a module each: receiving and sending
(here), back-pressure and ownership (``transport_sending.py``), and ends (``transport_ends.py``). A user sees one
suite, ``TransportContract``.
"""

from __future__ import annotations

import random
import selectors
from collections.abc import Callable, Sequence
from functools import partial

from ...api.errors import InvalidArgument
from ...api.transport import WOULD_BLOCK, Transport
from ..hostile import HUGE_BYTES, SIZES, content, shapes
from ..model import Operation, explore
from ..requirement import must, refusal, requirement
from ..trial import Trial
from .transport_ends import ENDS, EndsContract
from .transport_pair import Pair, expect_let_go, told
from .transport_sending import SENDING, SendingContract

MOVING = (
    must("TRN-01", "A connected pair comes to rest: no interest of its own, and nothing pending."),
    must("TRN-02", "features() has a name and is the same each time.", "TRN-01"),
    must("TRN-03", "recv_into answers WOULD_BLOCK while nothing has arrived, and touches nothing.", "TRN-01"),
    must("TRN-04", "What is sent arrives, complete and in order, whatever its size up to above 64 KiB.", "TRN-03"),
    must("TRN-05", "recv_into never gives more than the buffer has room for, and writes no byte more.", "TRN-03"),
    must("TRN-06", "Thousands of small reads get everything, also with a buffer of one byte.", "TRN-04", "TRN-05"),
    must("TRN-07", "An empty or read-only buffer raises InvalidArgument, and no byte is lost.", "TRN-04"),
    must("TRN-08", "When recv_into has returned, the buffer is the caller's: never written again.", "TRN-04"),
    must("TRN-09", "More than 3 MiB arrive, in both directions.", "TRN-04"),
    must("TRN-10", "Both directions at the same time do not disturb each other.", "TRN-04"),
    must("TRN-11", "The items of a batch arrive in order, empty ones and empty batches included.", "TRN-04"),
    must("TRN-12", "Every form of readable memory can be sent.", "TRN-04"),
    must("TRN-13", "The handle is readable for a poller when bytes wait.", "TRN-04", capability="descriptor"),
    must("TRN-14", "Any mixture of sends and reads is a stream of bytes in each direction.", "TRN-11"),
    must("TRN-15", "A thousand small sends arrive without being asked for again.", "TRN-04"),
    must("TRN-16", "handle is the same until close; the addresses and features() answer also after it.", "TRN-02"),
    must("TRN-17", "After a count below the buffer's length the next answer is WOULD_BLOCK, or buffered.", "TRN-04"),
    must("TRN-18", "What can't be sent raises InvalidArgument, and nothing of its batch is sent.", "TRN-11"),
)


class TransportContract(
    SendingContract, EndsContract, name="transport", requirements=(*MOVING, *SENDING, *ENDS)
):
    """What every transport owes; override ``make``."""

    @requirement("TRN-01")
    def pair_is_at_rest(self, trial: Trial) -> None:
        pair = self.pair(trial)
        for end in (pair.near, pair.far):
            found = (end.interest, end.pending_bytes, end.buffered)
            trial.equal(found, (0, 0, False), "interest, pending_bytes and buffered of an end at rest")

    @requirement("TRN-02")
    def features_are_constant(self, trial: Trial) -> None:
        pair = self.pair(trial)
        for end in (pair.near, pair.far):
            before = end.features()
            trial.true(isinstance(before.name, str) and before.name, "a transport has a name", got=before)
            end.send([b"x"])
            trial.equal(end.features(), before, "features() after sending")

    @requirement("TRN-16")
    def identity_stays(self, trial: Trial) -> None:
        pair = self.pair(trial)
        for end in (pair.near, pair.far):
            handle = end.handle
            before = (end.local_address, end.peer_address, end.features())
            trial.equal(end.handle, handle, "the handle")
            trial.did("close()")
            end.close()
            after = (end.local_address, end.peer_address, end.features())
            trial.equal(after, before, "addresses and features after close")

    @requirement("TRN-03")
    def nothing_is_would_block(self, trial: Trial) -> None:
        pair = self.pair(trial)
        for end in (pair.near, pair.far):
            for size_bytes in (1, 65536):
                buffer = bytearray(b"\xa5" * size_bytes)
                call = f"recv_into(a buffer of {size_bytes} bytes), nothing was sent"
                answer = trial.returns(call, partial(end.recv_into, buffer))
                trial.equal(told(answer), told(WOULD_BLOCK), "the answer")
                trial.equal(buffer, bytearray(b"\xa5" * size_bytes), "the buffer")

    @requirement("TRN-04")
    def sizes_arrive(self, trial: Trial) -> None:
        pair = self.pair(trial)
        for size_bytes in SIZES:
            largest = size_bytes == SIZES[-1]  # has to pass even where a byte takes its time
            pair.transfer(pair.near, content(size_bytes if largest else pair.affordable(size_bytes), trial.rng))
            pair.transfer(pair.far, content(pair.affordable(size_bytes), trial.rng))
        pair.nothing_more(pair.near)
        pair.nothing_more(pair.far)

    @requirement("TRN-05")
    def room_is_respected(self, trial: Trial) -> None:
        for room_bytes in (2, 7, 100, 4096):
            pair = self.pair(trial)
            sent = content(max(room_bytes * 3 + 1, 20), trial.rng)
            trial.did(f"send([{len(sent)} bytes])")
            pair.near.send([sent])
            pair.receive(pair.far, sent, room_bytes=room_bytes, watch=True)
            pair.nothing_more(pair.far)
        pair = self.pair(trial)
        pair.near.send([content(300, trial.rng)])
        buffer = bytearray(7)  # which would grow, if one let it
        while pair.far.recv_into(buffer) == WOULD_BLOCK:
            if not pair.far.buffered:
                pair.flush(pair.near)
                pair.wait("nothing of 300 bytes arrived", pair.far)
        trial.equal(len(buffer), 7, "the length of a bytearray that was received into")

    @requirement("TRN-06")
    def small_reads_get_everything(self, trial: Trial) -> None:
        pair = self.pair(trial)
        for room_bytes in (1, 3):
            sent = content(pair.affordable(2500 * room_bytes), trial.rng)
            trial.did(f"send([{len(sent)} bytes])")
            pair.near.send([sent])
            pair.receive(pair.far, sent, room_bytes=room_bytes)
            pair.nothing_more(pair.far)

    @requirement("TRN-07")
    def unusable_buffers_are_refused(self, trial: Trial) -> None:
        pair = self.pair(trial)
        sent = content(100, trial.rng)
        pair.near.send([sent])
        for name, buffer in (
            ("an empty bytearray", bytearray()),
            ("an empty memoryview", memoryview(bytearray(4))[2:2]),
            ("a read-only memoryview", memoryview(b"four")),
        ):
            call = f"recv_into({name})"
            trial.raises(InvalidArgument, call, partial(pair.far.recv_into, buffer))
        pair.receive(pair.far, sent)

    @requirement("TRN-08")
    def buffers_are_returned(self, trial: Trial) -> None:
        pair = self.pair(trial)
        kept: list[tuple[bytearray, bytes]] = []
        for number in range(4):
            sent = content(1000, trial.rng)
            pair.near.send([sent])
            got = bytearray()
            while len(got) < len(sent):
                pair.flush(pair.near)
                buffer = bytearray(1000)
                count = pair.far.recv_into(buffer)
                if count == WOULD_BLOCK:
                    pair.wait("the bytes never arrived", pair.far)
                    continue
                pair.moved()
                kept.append((buffer, bytes(buffer)))
                got += buffer[:count]
            trial.equal(got, bytearray(sent), f"message number {number}")
        trial.did("look at all buffers that were received into")
        for buffer, before in kept:
            trial.equal(bytes(buffer), before, "a buffer that was received into earlier")
            expect_let_go(trial, buffer, "after recv_into has returned")

    @requirement("TRN-09")
    def megabytes_arrive(self, trial: Trial) -> None:
        pair = self.pair(trial)
        data = content(pair.affordable(HUGE_BYTES), trial.rng)
        pair.transfer(pair.near, data)
        pair.transfer(pair.far, data)
        pair.transfer(pair.near, b"and it still works")

    @requirement("TRN-10")
    def directions_are_independent(self, trial: Trial) -> None:
        pair = self.pair(trial)
        there, back = (content(pair.affordable(size), trial.rng) for size in (700_001, 500_003))
        trial.did(f"send([{len(there)} bytes]) from one end and send([{len(back)} bytes]) from the other")
        pair.near.send([there])
        pair.far.send([back])
        for start in range(0, len(there), 100_000):
            pair.receive(pair.far, there[start : start + 100_000], partial=True)
            pair.flush(pair.far)
            pair.receive(pair.near, back[start : start + 100_000], partial=True)

    @requirement("TRN-11")
    def batches_keep_their_order(self, trial: Trial) -> None:
        pair = self.pair(trial)
        large = pair.affordable(70_000)
        for sizes in ((), (0,), (0, 0, 0), (1, 0, 1), (5, large, 0, 3), (1,) * 1500, (large // 35,) * 40):
            pair.transfer(pair.near, *(content(size_bytes, trial.rng) for size_bytes in sizes))
            trial.did("send([])")
            trial.equal(pair.near.send([]), pair.near.pending_bytes, "what send([]) answers")
        pair.nothing_more(pair.far)

    @requirement("TRN-12")
    def memory_of_every_form(self, trial: Trial) -> None:
        pair = self.pair(trial)
        for size_bytes in (4, 1000, pair.affordable(65536)):
            data = content(size_bytes, trial.rng)
            for name, memory in shapes(data):
                trial.did(name)
                pair.transfer(pair.near, memory)
                pair.transfer(pair.near, b"<", memory, b">")

    @requirement("TRN-13")
    def pollers_see_it(self, trial: Trial) -> None:
        pair = self.pair(trial)
        trial.did("send([1 byte]), then wait for the handle and nothing else")
        pair.near.send([b"x"])
        pair.flush_all(pair.near)
        while pair.far.buffered or _readable(pair.far, trial.patience_seconds):
            if pair.far.recv_into(bytearray(5)) > 0:
                return
            pair.wait("the handle is readable, but nothing can be read", pair.far)
        trial.fail("the handle never became readable", wanted="readable within the patience")

    @refusal("descriptor")
    def works_without_descriptor(self, trial: Trial) -> None:
        pair = self.pair(trial)
        pair.transfer(pair.near, b"no descriptor, but bytes all the same")
        trial.true(not pair.near.features().descriptor, "features() stays without descriptor")

    @requirement("TRN-14")
    def model_agrees(self, trial: Trial) -> None:
        explore(trial, _draw, lambda script: self._replay(trial, script), scripts=trial.rounds(4, 60), length=30)

    def _replay(self, trial: Trial, script: Sequence[Operation]) -> None:
        pair = self.pair(trial)
        rng = random.Random(len(script))
        waiting = {"near": b"", "far": b""}  # sent by that end, not received yet
        largest = pair.affordable(70_000) // 3
        for name, value in script:
            side, action = name.split()
            end: Transport = pair.near if side == "near" else pair.far
            if action == "sends":
                items = [content(rng.choice((0, 1, 126, min(value, largest))), rng) for _ in range(value % 4)]
                trial.did(f"{side}.send([{', '.join(str(len(each)) for each in items)}]): sizes in bytes")
                end.send(items)
                waiting[side] += b"".join(items)
            else:
                count = min(value, len(waiting[side]))
                trial.did(f"the other end of {side} reads {count} bytes")
                pair.receive(pair.other(end), waiting[side][:count], partial=True)
                waiting[side] = waiting[side][count:]
        for side, sender in (("near", pair.near), ("far", pair.far)):
            pair.receive(pair.other(sender), waiting[side])
        pair.nothing_more(pair.near)
        pair.nothing_more(pair.far)

    @requirement("TRN-15")
    def small_sends_arrive(self, trial: Trial) -> None:
        pair = self.pair(trial)
        sent = bytearray()
        trial.did("send([1 to 40 bytes]), a thousand times")
        for _ in range(1000):
            piece = content(trial.rng.randint(1, 40), trial.rng)
            sent += piece
            pair.near.send([piece])
            trial.alive()
        pair.receive(pair.far, bytes(sent))

    @requirement("TRN-17")
    def short_count_is_all_there_is(self, trial: Trial) -> None:
        pair = self.pair(trial)
        trial.did("send([100 bytes]), read with more room than that; again, up to eight times")
        if not any(self._tells_all(pair) for _ in range(8)):  # once may be chance: more arrived just then
            trial.fail("after a short count more can be read at once, and buffered is not set", got="8 times in 8")

    def _tells_all(self, pair: Pair) -> bool:
        """Send and read 100 bytes; return whether each short count was all there was."""
        pair.near.send([bytes(100)])
        got_bytes = 0
        right, seemed_empty = True, False
        while got_bytes < 100:
            if pair.near.pending_bytes:
                pair.flush(pair.near)
                seemed_empty = False
            count = pair.far.recv_into(bytearray(200))
            if count > 0:
                pair.moved()
                got_bytes += count
                right = right and not seemed_empty
                seemed_empty = not pair.far.buffered
                continue
            seemed_empty = False
            if not pair.far.buffered:
                pair.wait(f"no more than {got_bytes} of 100 bytes arrived", pair.far)
        return right

    @requirement("TRN-18")
    def unsendable_items_are_refused(self, trial: Trial) -> None:
        pair = self.pair(trial)
        every_other = memoryview(bytes(20))[::2]
        for name, item in (("a str", "text"), ("an int", 3), ("None", None), ("memory with gaps", every_other)):
            send: Callable[[Sequence[object]], object] = pair.near.send  # type: ignore[assignment]  # on purpose
            trial.raises(InvalidArgument, f"send([b'good', {name}])", partial(send, [b"good", item]))
        pair.transfer(pair.near, b"and it still works")
        pair.nothing_more(pair.far)


def _draw(rng: random.Random) -> Operation:
    name = rng.choice(("near sends", "far sends", "near read", "far read"))
    return name, rng.choice((1, 2, 3, 125, 127, 4096, 66_001))


def _readable(end: Transport, seconds: float) -> bool:
    """Return whether a poller of the system reports the handle within the time."""
    with selectors.DefaultSelector() as selector:
        selector.register(end.handle, selectors.EVENT_READ)
        return bool(selector.select(seconds))


SUITES = (TransportContract,)

__all__ = ["SUITES", "TransportContract"]
