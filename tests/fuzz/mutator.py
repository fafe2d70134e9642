r"""The mutator: makes inputs out of seeds, and keeps those that led somewhere new.

There is no instrumentation here; what stands in for it is the *signature*, a short value in which a target says
what an input led to (the events, the close code, the words of a refusal). An input with a signature that was
never seen joins the pool of parents, so a mutation that got past one check is where the next one starts.

Seeds are text files, one seed per line, so that a reader sees what they are: ``b"..."`` literals, repeated with
``* 200`` and joined with ``+``. Lines that begin with ``#`` are comments. Everything follows from the seed of
the random generator, so a run of so many inputs can be repeated.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Final

CORPUS: Final = Path(__file__).with_name("corpus")
MAX_INPUT_BYTES: Final = 4096
MAX_PARENTS: Final = 400
MAX_SIGNATURES: Final = 20_000
"""What comes after so many is not told apart any more: memory is bounded."""

_TERM: Final = re.compile(r"\s*(b\"(?:[^\"\\]|\\.)*\")(?:\s*\*\s*(\d+))?\s*(?:\+|$)")
_EDGES: Final = bytes((0, 1, 2, 8, 9, 10, 13, 32, 0x7D, 0x7E, 0x7F, 0x80, 0x81, 0x82, 0x88, 0x89, 0xBF, 0xC0, 0xED,
                       0xF4, 0xFD, 0xFE, 0xFF))  # fmt: skip


def parse_seed(line: str) -> bytes:
    """Return the bytes that a line of a corpus file means; ``ValueError`` for one that is malformed."""
    seed, position = b"", 0
    while position < len(line):
        term = _TERM.match(line, position)
        if term is None:
            raise ValueError(f"no seed: {line}")
        seed += ast.literal_eval(term[1]) * int(term[2] or 1)
        position = term.end()
    return seed


def load_seeds(name: str) -> list[bytes]:
    """Return the seeds of ``corpus/<name>.txt``."""
    lines = (CORPUS / f"{name}.txt").read_text("utf-8").splitlines()
    return [parse_seed(line) for line in lines if line and not line.startswith("#")]


class Mutator:
    """Yields one input after the other; ``tell`` it what the last one led to."""

    def __init__(self, seeds: Sequence[bytes], generator: random.Random) -> None:
        self._parents = list(seeds)
        self._seed_count = len(seeds)
        self._random = generator.random
        self._bits = generator.getrandbits
        self._seen: set[Hashable] = set()
        self._input = b""

    @property
    def signature_count(self) -> int:
        """How many different signatures were seen."""
        return len(self._seen)

    def next(self) -> bytes:
        """Return the next input, at most ``MAX_INPUT_BYTES`` long."""
        data = bytearray(self._parent())
        for _ in range(1 + int(self._random() * 4)):
            _MUTATIONS[int(self._random() * len(_MUTATIONS))](self, data)
        self._input = bytes(data[:MAX_INPUT_BYTES])
        return self._input

    def tell(self, signature: Hashable) -> None:
        """Say what the last input led to."""
        if signature in self._seen or len(self._seen) == MAX_SIGNATURES:
            return
        self._seen.add(signature)
        if len(self._parents) < MAX_PARENTS:
            self._parents.append(self._input)
        else:  # Invariant: the seeds stay, and memory is bounded
            self._parents[self._seed_count + int(self._random() * (MAX_PARENTS - self._seed_count))] = self._input

    def _parent(self) -> bytes:
        return self._parents[int(self._random() * len(self._parents))]

    def _place(self, data: bytearray) -> int:
        return int(self._random() * len(data)) if data else 0

    def _piece(self, source: bytes | bytearray) -> bytes:
        start = int(self._random() * (len(source) or 1))
        return bytes(source[start : start + 1 + int(self._random() * 24)])

    def _flip_bit(self, data: bytearray) -> None:
        if data:
            data[self._place(data)] ^= 1 << self._bits(3)

    def _set_byte(self, data: bytearray) -> None:
        if data:
            data[self._place(data)] = self._bits(8)

    def _set_edge(self, data: bytearray) -> None:
        if data:
            data[self._place(data)] = _EDGES[int(self._random() * len(_EDGES))]

    def _delete(self, data: bytearray) -> None:
        start = self._place(data)
        del data[start : start + 1 + int(self._random() * 8)]

    def _insert(self, data: bytearray) -> None:
        start = self._place(data)
        data[start:start] = self._bits(32).to_bytes(4, "big")[: 1 + self._bits(2)]

    def _repeat(self, data: bytearray) -> None:
        start = self._place(data)
        data[start:start] = self._piece(data) * (1 + self._bits(2))

    def _overwrite(self, data: bytearray) -> None:
        start, piece = self._place(data), self._piece(self._parent())
        data[start : start + len(piece)] = piece

    def _take_in(self, data: bytearray) -> None:
        start = self._place(data)
        data[start:start] = self._piece(self._parent())

    def _append(self, data: bytearray) -> None:
        data += self._parent()

    def _cross(self, data: bytearray) -> None:
        other = self._parent()
        data[self._place(data) :] = other[int(self._random() * (len(other) or 1)) :]

    def _cut(self, data: bytearray) -> None:
        del data[self._place(data) :]


_MUTATIONS: Final[tuple[Callable[[Mutator, bytearray], None], ...]] = (
    Mutator._flip_bit,
    Mutator._set_byte,
    Mutator._set_edge,
    Mutator._delete,
    Mutator._insert,
    Mutator._repeat,
    Mutator._overwrite,
    Mutator._take_in,
    Mutator._append,
    Mutator._cross,
    Mutator._cut,
)

__all__ = ["CORPUS", "MAX_INPUT_BYTES", "MAX_PARENTS", "MAX_SIGNATURES", "Mutator", "load_seeds", "parse_seed"]
