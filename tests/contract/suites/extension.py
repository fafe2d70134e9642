"""The contracts of ``Extension`` and ``ExtensionFactory``: what both ends of a connection do to payloads.

Nothing is said about *what* an extension does: a message has to come out of one end as it went into the other,
however it was cut; limits have to hold; and what a peer makes up must do no harm.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final, TypeAlias

from ...api.errors import HandshakeFailed, ProtocolViolation
from ...api.extension import RSV1, RSV2, RSV3, Extension, ExtensionFactory, ExtensionParameters
from ...api.message import BINARY, TEXT, MessageKind
from ..hostile import SIZES, content, shapes
from ..line import text
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

LARGE_BYTES: Final = 1024 * 1024 + 7
"""Enough to pass every buffer on the way. More would keep a compressor busy for longer than a busy machine waits."""

MAX_BYTES: Final = 2 * 1024 * 1024
_SPENT_BYTES: Final = 512 * 1024
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")

EXTENSION = (
    must("EXT-01", "The name is a token, and both ends have the same; rsv_bits are some of RSV1 to RSV3."),
    must("EXT-02", "What one end encodes the other decodes to what it was, for every size and both kinds."),
    must("EXT-03", "A message in fragments comes out as it was, empty fragments included.", "EXT-02"),
    must("EXT-04", "encode sets bits of its own only, and only on the first frame of a message.", "EXT-03"),
    must("EXT-05", "An encoded payload may be cut anywhere for decode, and ended by an empty piece.", "EXT-02"),
    must(
        "EXT-06",
        "Messages that follow one another come out as they were, like ones and different ones.",
        "EXT-02",
    ),
    must("EXT-07", "Every form of memory is encoded and decoded, and none is written to.", "EXT-02"),
    must("EXT-08", "A message of max_bytes passes; one byte more raises ProtocolViolation with 1009.", "EXT-02"),
    must("EXT-09", "The limit holds before the memory is spent.", "EXT-08"),
    must(
        "EXT-10",
        "A payload that no peer made raises ProtocolViolation, or comes out as something; no more.",
        "EXT-02",
    ),
    must("EXT-11", "Both directions are independent.", "EXT-06"),
    must("EXT-12", "close may be called at any time, and repeated."),
)

FACTORY = (
    must("EXF-01", "The name is a token, and that of the extensions it makes."),
    must("EXF-02", "Offers are lists of parameters in the form of tokens and values, the same each time."),
    must(
        "EXF-03",
        "A server that accepts an offer answers what the client that made the offer accepts.",
        "EXF-02",
    ),
    must("EXF-04", "What both made of an answer understand one another.", "EXF-03"),
    must(
        "EXF-05",
        "An offer that is unknown or malformed is declined with None, and nothing is raised.",
        "EXF-02",
    ),
    must("EXF-06", "An answer that fits no offer raises HandshakeFailed.", "EXF-03"),
    must("EXF-07", "Extensions that were made apart share no messages.", "EXF-04"),
)

Wire: TypeAlias = "list[tuple[bytes, int]]"
"""Frames of one message: payload and reserved bits."""

_NONSENSE: tuple[ExtensionParameters, ...] = (
    (("x-no-such-parameter", None),),
    (("x-no-such-parameter", "1"),),
    (("", None),),
    (("x-no-such-parameter", None), ("x-no-such-parameter", None)),
    (("x" * 10_000, "y" * 10_000),),
    (("\u00e4", "\u0000"),),
)


class ExtensionContract(Contract, name="extension", requirements=EXTENSION):
    """What every extension owes; override ``make``."""

    def make(self) -> tuple[Extension, Extension]:
        """Return both ends of an extension that was just agreed on: the client's and the server's."""
        raise NotImplementedError

    def ends(self, trial: Trial) -> tuple[Extension, Extension]:
        """Return two fresh ends."""
        return trial.make(self.make)

    @requirement("EXT-01")
    def names_are_tokens(self, trial: Trial) -> None:
        client, server = self.ends(trial)
        trial.true(client.name and set(client.name) <= _TOKEN, "the name is a token", got=client.name)
        trial.equal((client.name, client.rsv_bits), (server.name, server.rsv_bits), "name and bits of both ends")
        trial.equal(client.rsv_bits & ~(RSV1 | RSV2 | RSV3), 0, "bits besides RSV1 to RSV3")

    @requirement("EXT-02")
    def messages_come_out(self, trial: Trial) -> None:
        for size_bytes in (*SIZES, LARGE_BYTES):
            for kind in (BINARY, TEXT) if size_bytes < LARGE_BYTES else (BINARY,):
                payload = content(size_bytes, trial.rng) if kind == BINARY else text(size_bytes, trial)
                ways = list(both_ways(self.ends(trial)))
                for sender, receiver in ways[: 1 if size_bytes == LARGE_BYTES else 2]:
                    trial.did(f"a message of kind {kind} and {size_bytes} bytes")
                    got = decoded(receiver, kind, encoded(sender, kind, [payload]))
                    trial.equal(got, payload, "what came out")

    @requirement("EXT-03")
    def fragments_come_out(self, trial: Trial) -> None:
        shapes_of = ((0, 0), (5, 0), (0, 5), (1, 1, 1), (0, 0, 3, 0), (70000, 1, 0, 4096))
        for sizes in shapes_of:
            pieces = [content(size_bytes, trial.rng) for size_bytes in sizes]
            for sender, receiver in both_ways(self.ends(trial)):
                trial.did(f"a message in fragments of {sizes} bytes")
                got = decoded(receiver, BINARY, encoded(sender, BINARY, pieces))
                trial.equal(got, b"".join(pieces), "what came out")

    @requirement("EXT-04")
    def bits_are_its_own(self, trial: Trial) -> None:
        for sizes in ((0,), (300,), (70000,), (0, 0), (300, 300, 300)):
            for end in self.ends(trial):
                frames = encoded(end, BINARY, [bytes(size_bytes) for size_bytes in sizes])
                trial.equal(frames[0][1] & ~end.rsv_bits, 0, "bits on the first frame that it does not claim")
                trial.equal([bits for _, bits in frames[1:]], [0] * (len(sizes) - 1), "bits on the other frames")

    @requirement("EXT-05")
    def pieces_may_be_cut(self, trial: Trial) -> None:
        for size_bytes in (0, 1, 300, 5000):
            payload = content(size_bytes // 2, trial.rng) + bytes(size_bytes - size_bytes // 2)
            for cut in ("bytes", "empty end", "random"):
                sender, receiver = self.ends(trial)
                frames = encoded(sender, BINARY, [payload])
                whole, bits = frames[0]
                trial.did(f"decode({len(whole)} bytes of a message of {size_bytes}), cut: {cut}")
                got = decoded(receiver, BINARY, [(whole, bits)], _cut(trial, whole, cut))
                trial.equal(got, payload, "what came out")

    @requirement("EXT-06")
    def messages_follow(self, trial: Trial) -> None:
        sender, receiver = self.ends(trial)
        for number in range(trial.rounds(60, 400)):
            payload = trial.rng.choice((b"", b"the same again" * 30, content(number * 50, trial.rng), bytes(5000)))
            pieces = [payload] if number % 4 else [payload[:100], payload[100:]]
            trial.did(f"message {number}: {len(payload)} bytes in {len(pieces)} frames")
            got = decoded(receiver, BINARY, encoded(sender, BINARY, pieces))
            trial.equal(got, payload, "what came out")

    @requirement("EXT-07")
    def memory_is_left_alone(self, trial: Trial) -> None:
        for size_bytes in (0, 4, 400, 70000):
            payload = content(size_bytes, trial.rng)
            for name, memory in shapes(payload):
                if isinstance(memory, memoryview) and memory.format != "B":
                    continue  # a codec passes on bytes
                sender, receiver = self.ends(trial)
                trial.did(f"encode({size_bytes} bytes: {name}, first=True, final=True)")
                whole, bits = sender.encode(BINARY, memory, True, True)
                sent = bytes(whole)
                trial.equal(bytes(memory), payload, "the memory after encode")
                arrived = bytearray(sent)
                trial.did(f"decode({len(sent)} bytes of writable memory)")
                got = decoded(receiver, BINARY, [(sent, bits)], [memoryview(arrived)])
                trial.equal((got, bytes(arrived)), (payload, sent), "what came out, and the memory after decode")

    @requirement("EXT-08")
    def limits_hold(self, trial: Trial) -> None:
        for size_bytes in (1, 300, 70000):
            for payload in (bytes(size_bytes), content(size_bytes, trial.rng)):
                sender, receiver = self.ends(trial)
                frames = encoded(sender, BINARY, [payload])
                trial.did(f"decode(a message of {size_bytes} bytes, max_bytes={size_bytes})")
                trial.equal(decoded(receiver, BINARY, frames, limit_bytes=size_bytes), payload, "what came out")
                frames = encoded(sender, BINARY, [payload])
                receives = receiver.begin(BINARY, frames[0][1])
                if receives:
                    call = f"decode(the same, max_bytes={size_bytes - 1})"
                    decode = partial(receiver.decode, frames[0][0], True, size_bytes - 1)
                    error = trial.raises(ProtocolViolation, call, decode)
                    trial.equal(error.close_code, 1009, "the code")

    @requirement("EXT-09")
    def memory_is_not_spent(self, trial: Trial) -> None:
        sender, receiver = self.ends(trial)
        frames = encoded(sender, BINARY, [bytes(MAX_BYTES)])
        if not receiver.begin(BINARY, frames[0][1]):
            trial.note("such a message does not pass decode")
            return
        call = f"decode({len(frames[0][0])} bytes that become {MAX_BYTES}, max_bytes=1000)"
        decode = partial(receiver.decode, memoryview(frames[0][0]), True, 1000)
        was_tracing = tracemalloc.is_tracing()
        tracemalloc.start()
        try:
            tracemalloc.reset_peak()
            before_bytes, _ = tracemalloc.get_traced_memory()
            trial.raises(ProtocolViolation, call, decode)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            if not was_tracing:
                tracemalloc.stop()
        spent_bytes = peak_bytes - before_bytes
        trial.true(spent_bytes < _SPENT_BYTES, "little memory is spent on it", got=spent_bytes, wanted=_SPENT_BYTES)

    @requirement("EXT-10")
    def nonsense_does_no_harm(self, trial: Trial) -> None:
        for number in range(trial.rounds(100, 2000)):
            sender, receiver = self.ends(trial)
            frames = encoded(sender, BINARY, [content(200, trial.rng) + bytes(200)])
            data = bytearray(frames[0][0])
            for _ in range(trial.rng.randint(1, 4)):
                if data:
                    data[trial.rng.randrange(len(data))] = trial.rng.randrange(256)
            if number % 3 == 0:
                data = bytearray(content(trial.rng.randint(0, 60), trial.rng))
            cut = trial.rng.randint(0, len(data))
            trial.did(f"decode({data[:20].hex(' ')}...)")
            try:
                if receiver.begin(BINARY, receiver.rsv_bits):
                    made = len(receiver.decode(bytes(data[:cut]), False, 100_000))
                    receiver.decode(bytes(data[cut:]), True, 100_000 - made)
            except ProtocolViolation as error:
                trial.true(error.close_code in (1002, 1007, 1009), "the code is one of the wire", got=error.close_code)

    @requirement("EXT-11")
    def directions_are_independent(self, trial: Trial) -> None:
        client, server = self.ends(trial)
        for number in range(10):
            there, back = b"there and back" * 40, content(300 + number, trial.rng)
            trial.did("a message each way: one is received between two fragments of the other")
            made, bits = client.encode(BINARY, there[:100], True, False)
            frames = [(bytes(made), bits)]
            trial.equal(decoded(client, TEXT, encoded(server, TEXT, [back[:100], back[100:]])), back, "what came back")
            made, bits = client.encode(BINARY, there[100:], False, True)
            frames.append((bytes(made), bits))
            trial.equal(decoded(server, BINARY, frames), there, "what came there")

    @requirement("EXT-12")
    def close_is_harmless(self, trial: Trial) -> None:
        for used in (False, True):
            client, server = self.ends(trial)
            if used:
                client.encode(BINARY, bytes(300), True, False)
                if server.begin(BINARY, server.rsv_bits):
                    server.decode(b"", False, 1000)
            trial.did(f"close(), twice, {'within a message' if used else 'unused'}")
            for end in (client, server):
                end.close()
                end.close()


class ExtensionFactoryContract(Contract, name="extension-factory", requirements=FACTORY):
    """What every factory of extensions owes; override ``make``."""

    def make(self) -> ExtensionFactory:
        """Return a new factory, as both ends have it; it accepts its own first offer."""
        raise NotImplementedError

    def agreed(self, trial: Trial) -> tuple[Extension, Extension]:
        """Return both ends of what a client and a server agree on."""
        client, server = trial.make(self.make), trial.make(self.make)
        offers = client.offers()
        trial.true(offers, "there is an offer")
        trial.did(f"accept_offer({offers[0]})")
        answer = server.accept_offer(offers[0])
        if answer is None:
            trial.fail("the first offer was declined by the same factory", got=None, wanted="an answer")
        trial.did(f"accept_answer({answer.parameters})")
        ends = client.accept_answer(answer.parameters), answer.extension
        for each in ends:
            trial.defer(each.close)
        return ends

    @requirement("EXF-01")
    def names_are_tokens(self, trial: Trial) -> None:
        factory = trial.make(self.make)
        trial.true(factory.name and set(factory.name) <= _TOKEN, "the name is a token", got=factory.name)
        trial.equal([each.name for each in self.agreed(trial)], [factory.name] * 2, "the names of both ends")

    @requirement("EXF-02")
    def offers_have_a_form(self, trial: Trial) -> None:
        factory = trial.make(self.make)
        offers = [[tuple(pair) for pair in each] for each in factory.offers()]
        trial.true(offers, "there is an offer")
        for name, value in (pair for each in offers for pair in each):
            trial.true(name and set(name) <= _TOKEN, "a parameter's name is a token", got=name)
            trial.true(value is None or (value and set(value) <= _TOKEN), "its value is a token, or None", got=value)
        again = [[tuple(pair) for pair in each] for each in factory.offers()]
        trial.equal(again, offers, "the offers, asked again")

    @requirement("EXF-03")
    def offers_are_answered(self, trial: Trial) -> None:
        client, server = self.agreed(trial)
        trial.equal(client.rsv_bits, server.rsv_bits, "the bits of both ends")
        factory = trial.make(self.make)
        for offer in factory.offers():
            answer = factory.accept_offer(offer)
            if answer is not None:
                trial.did(f"accept_answer({answer.parameters})")
                factory.accept_answer(answer.parameters).close()
                answer.extension.close()

    @requirement("EXF-04")
    def ends_understand(self, trial: Trial) -> None:
        for sender, receiver in both_ways(self.agreed(trial)):
            for payload in (b"", bytes(5000), content(5000, trial.rng), b"once more" * 100):
                trial.did(f"a message of {len(payload)} bytes")
                got = decoded(receiver, BINARY, encoded(sender, BINARY, [payload]))
                trial.equal(got, payload, "what came out")

    @requirement("EXF-05")
    def nonsense_is_declined(self, trial: Trial) -> None:
        factory = trial.make(self.make)
        for offer in _NONSENSE:
            trial.did(f"accept_offer({str(offer)[:60]})")
            trial.equal(factory.accept_offer(offer), None, "what a server answers")
        for offer in factory.offers():
            wrong = (*offer, ("x-no-such-parameter", "1"))
            trial.equal(factory.accept_offer(wrong), None, "what a server answers to one parameter too many")

    @requirement("EXF-06")
    def wrong_answers_are_refused(self, trial: Trial) -> None:
        factory = trial.make(self.make)
        for answer in _NONSENSE:
            call = f"accept_answer({str(answer)[:60]})"
            trial.raises(HandshakeFailed, call, partial(factory.accept_answer, answer))
        client, _ = self.agreed(trial)
        trial.true(client.name, "a good answer is accepted after it")

    @requirement("EXF-07")
    def nothing_is_shared(self, trial: Trial) -> None:
        factory = trial.make(self.make)
        pairs: list[tuple[Extension, Extension]] = []
        for _ in range(3):
            answer = factory.accept_offer(factory.offers()[0])
            if answer is None:
                trial.fail("the first offer was declined, though it was accepted before")
            pairs.append((factory.accept_answer(answer.parameters), answer.extension))
        trial.did("messages in fragments on three connections of one factory, one frame each in turn")
        payloads = [content(600, trial.rng) for _ in pairs]
        wires: list[Wire] = [[] for _ in pairs]
        for at in range(3):
            for (sender, _), wire, payload in zip(pairs, wires, payloads, strict=True):
                piece = payload[at * 200 : at * 200 + 200]
                made, bits = sender.encode(BINARY, piece, at == 0, at == 2)
                wire.append((bytes(made), bits))
        got = [decoded(receiver, BINARY, wire) for (_, receiver), wire in zip(pairs, wires, strict=True)]
        trial.equal(got, payloads, "what came out of each")


def both_ways(ends: tuple[Extension, Extension]) -> Iterable[tuple[Extension, Extension]]:
    """Return the two ways of a connection: sender and receiver."""
    return ends, ends[::-1]


def encoded(end: Extension, kind: MessageKind, pieces: Sequence[bytes]) -> Wire:
    """Return the frames of a message that is sent in these fragments."""
    frames: Wire = []
    for number, piece in enumerate(pieces):
        made, bits = end.encode(kind, piece, number == 0, number == len(pieces) - 1)
        frames.append((bytes(made), bits))
    return frames


def decoded(
    end: Extension,
    kind: MessageKind,
    frames: Wire,
    cut: Sequence[bytes | memoryview] = (),
    limit_bytes: int = MAX_BYTES,
) -> bytes:
    """Return what comes out at the other end; ``cut``: the pieces in which the payload arrives."""
    pieces = cut or [payload for payload, _ in frames]
    if not end.begin(kind, frames[0][1]):
        return b"".join(map(bytes, pieces))
    made = b""
    for number, piece in enumerate(pieces):
        made += bytes(end.decode(piece, number == len(pieces) - 1, limit_bytes - len(made)))
    return made


def _cut(trial: Trial, whole: bytes, how: str) -> list[bytes]:
    """Return the bytes in pieces."""
    if how == "bytes":
        return [whole[at : at + 1] for at in range(len(whole))] or [b""]
    if how == "empty end":
        return [b"", whole, b"", b""]
    at = sorted(trial.rng.randint(0, len(whole)) for _ in range(5))
    return [whole[start:stop] for start, stop in zip([0, *at], [*at, len(whole)], strict=True)]


SUITES = (ExtensionContract, ExtensionFactoryContract)

__all__ = ["SUITES", "ExtensionContract", "ExtensionFactoryContract"]
