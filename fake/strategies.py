"""Strategies: messages, frames, cuts, fault scripts and machines, made from choices that somebody else makes.

A generator here is a function of ``Choices``, which offers two things: an integer within bounds, and some bytes.
Who makes the choices is open. ``seeded`` makes them from a seed, with nothing installed. Hypothesis makes them so
that a failure shrinks, and is not imported here, since it is no dependency of the library; a few lines join them:

    @given(st.data())
    def test_echo(data):
        choices = Choices(
            lambda low, high: data.draw(st.integers(low, high)), lambda most: data.draw(st.binary(max_size=most))
        )
        kind, payload = any_message(choices)

Choices that are smaller lead to simpler things, which is what makes shrinking work: 0 is the plain case everywhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from ..api.codec import Role
from ..api.message import BINARY, TEXT, MessageKind
from .faults import Faults, Script
from .message import fake_codec, joined
from .topology import FakeTopology

T = TypeVar("T")

EDGE_SIZES: Final = (0, 1, 125, 126, 127, 65_535, 65_536, 65_537)
"""Payload sizes at which the form of a frame's header changes (RFC 6455 §5.2), and their neighbours."""

_TEXTS: Final = ("", "a", "grüße", "\x00", "€" * 50, "\U0001f600", "\ufeff", "a" * 126)
_MAX_BYTES: Final = 300


@dataclass(frozen=True, slots=True)
class Choices:
    """Who chooses: ``integer(low, high)``, both included, and ``data(most_bytes)``."""

    integer: Callable[[int, int], int]
    data: Callable[[int], bytes]

    def one_of(self, options: Sequence[T]) -> T:
        """Choose one, the first being the simplest."""
        return options[self.integer(0, len(options) - 1)]


def seeded(seed: int) -> Choices:
    """Return choices made from a seed: the same on every Python."""
    source = random.Random(seed)

    def integer(low: int, high: int) -> int:
        # Only random() is promised to give the same numbers on every Python.
        return low + int(source.random() * (high - low + 1))

    return Choices(integer, lambda most: bytes(integer(0, 255) for _ in range(integer(0, most))))


def any_message(choices: Choices, edges: Sequence[int] = EDGE_SIZES) -> tuple[MessageKind, bytes]:
    """Return kind and payload: some bytes, a text of which the whole is UTF-8, or a size from ``edges``."""
    which = choices.integer(0, 2)
    if which == 0:
        return BINARY, choices.data(_MAX_BYTES)
    if which == 1:
        return TEXT, "".join(choices.one_of(_TEXTS) for _ in range(choices.integer(0, 5))).encode()
    return BINARY, bytes(choices.one_of(edges))


def any_cuts(choices: Choices, data: bytes, most_pieces: int = 8) -> list[bytes]:
    """Return ``data`` in 1 to ``most_pieces`` pieces, some perhaps empty: any split of a stream."""
    cuts = sorted(choices.integer(0, len(data)) for _ in range(choices.integer(0, most_pieces - 1)))
    return [data[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def any_frames(choices: Choices, role: Role, kind: MessageKind, payload: bytes) -> bytes:
    """Return the message as a peer in ``role`` may put it on the wire: in one frame or fragmented (RFC 6455
    §5.4), with control frames in between (§5.5)."""
    codec = fake_codec(role)
    wire = bytearray()
    pieces = any_cuts(choices, payload)
    for index, piece in enumerate(pieces):
        is_last = index == len(pieces) - 1
        wire += joined(codec.encode_message(kind, piece, first=not index, final=is_last))
        between = choices.integer(0, 2)
        if between and not is_last:
            control = choices.data(125)
            wire += joined(codec.encode_ping(control) if between == 1 else codec.encode_pong(control))
    return bytes(wire)


def any_script(choices: Choices, faults: Faults, calls: Sequence[str] = ("send",)) -> Script:
    """Add a script of 1 to 3 steps for one of ``calls`` and return it: skips, partial calls, delays, a reset."""
    script = faults.on(choices.one_of(calls), nth=choices.integer(1, 8))
    for step in range(choices.integer(1, 3)):
        if step:
            script = script.then
        which = choices.integer(0, 3)
        if which == 0:
            script.skip(choices.integer(1, 3))
        elif which == 1:
            script.partial(choices.integer(0, 16))
        elif which == 2:
            script.delay(choices.integer(0, 10**9))
        else:
            script.reset()
    return script


def any_topology(choices: Choices) -> FakeTopology:
    """Return a machine of 1 to 4 nodes with 1 to 8 CPUs each, perhaps with memory-only nodes, sparse numbers,
    asymmetric distances, and CPUs that are offline; at least one CPU is usable."""
    node_count, per_node = choices.integer(1, 4), choices.integer(1, 8)
    bare_count, stride = choices.integer(0, 2), choices.integer(1, 3)
    total = node_count + bare_count
    parts = [f"{node_count}x{per_node}", f"memory-only {bare_count}", f"threads {choices.integer(1, 2)}"]
    parts.append("nodes " + ",".join(str(node * stride) for node in range(total)))
    parts.append("cpus " + ",".join(str(cpu * stride) for cpu in range(node_count * per_node)))
    for _ in range(choices.integer(0, 3)):
        pair = choices.integer(0, total - 1) * stride, choices.integer(0, total - 1) * stride
        if pair[0] != pair[1]:
            parts.append(f"distance {pair[0]}->{pair[1]}={choices.integer(11, 99)}")
    offline = [cpu * stride for cpu in range(1, node_count * per_node) if choices.integer(0, 7) == 7]
    if offline:
        parts.append("offline " + ",".join(map(str, offline)))
    return FakeTopology.parse(", ".join(parts))


__all__ = [
    "EDGE_SIZES",
    "Choices",
    "any_cuts",
    "any_frames",
    "any_message",
    "any_script",
    "any_topology",
    "seeded",
]
