"""Copies: how often the bytes of a payload are copied on our side, between the kernel and the kernel.

A counter in the way of every message would cost each of them something, so there is none. Instead an observer can be
put there for a while: ``count_copies`` replaces the functions that copy payloads, all over the process, by ones that
call them and note how much it was, and puts the old ones back. It is a tool for tests and for the curious.

What counts is every pass that makes payload bytes anew in other memory of ours, by the step that does it. Unmasking
where the bytes lie is no copy, nor are the two that the kernel makes, one in and one out. Headers that are copied
along are counted along, so divide by payloads that are long against them, or round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeAlias

from ..protocol.assembler import Assembler
from ..protocol.message import WireMessage
from ..protocol.sender import Sender
from ..protocol.short_road import ShortRoad
from ..transport import outgoing
from ..transport.tls_engine import TlsEngine
from . import broadcast
from .connection import WebSocketConnection
from .express import ExpressLane
from .wire import Wire

Copies: TypeAlias = "Counter[str]"
"""Bytes copied, by step."""

# A watch is given a function that copies and the books, and returns what stands in for it. Arguments are passed on
# unlooked at: hence ``Any``.
_Function: TypeAlias = Callable[..., Any]
_Watch: TypeAlias = Callable[[_Function, Copies], _Function]


def copies_per_byte(copies: Copies, payload_bytes: int) -> dict[str, int]:
    """Return how often each byte was copied, by step; rounded, steps that hardly occurred left out."""
    return {step: times for step, count in copies.items() if (times := round(count / payload_bytes))}


@contextmanager
def count_copies() -> Iterator[Copies]:
    """Count the copies of payloads in this process for the length of the block; yields the books.

    Enter and leave it while no other thread is in the library: servers in other threads should be idle. Blocks may
    be nested. Everything is slower meanwhile.
    """
    copies: Copies = Counter()
    with ExitStack() as stack:
        for owner, name, watch in _WATCHES:
            original = getattr(owner, name)
            setattr(owner, name, watch(original, copies))
            stack.callback(setattr, owner, name, original)
        yield copies


def _made_anew(self: ShortRoad, messages: Sequence[object], copies: Copies) -> None:
    """Short messages are cut out of what was read, and where they are masked made anew by unmasking."""
    for message in messages:
        if isinstance(message, WireMessage) and type(message.memory) is bytes:
            copies["cut out"] += message.size_bytes
            if self._expects_mask:
                copies["unmasked"] += message.size_bytes


def _receive_one(original: _Function, copies: Copies) -> _Function:
    def receive_one(self: ShortRoad, *arguments: Any) -> Any:
        message = original(self, *arguments)
        _made_anew(self, (message,), copies)
        return message

    return receive_one


def _send(original: _Function, copies: Copies) -> _Function:
    def send(self: WebSocketConnection, data: Any) -> Any:
        if self._hub.express is self and isinstance(data, WireMessage) and type(data.memory) is bytes:
            copies["joined with its header"] += data.size_bytes
        return original(self, data)

    return send


def _lane(original: _Function, copies: Copies) -> _Function:
    """Nobody takes the lane: its twins make the same copies, and are watched."""
    return lambda self, events, callbacks: events


def _take_short_frames(original: _Function, copies: Copies) -> _Function:
    def take_short_frames(self: ShortRoad, data: Any, position: int, end: int, events: list[object]) -> Any:
        count = len(events)
        result = original(self, data, position, end, events)
        _made_anew(self, events[count:], copies)
        return result

    return take_short_frames


def _take_run(original: _Function, copies: Copies) -> _Function:
    def take_run(self: ShortRoad, *arguments: Any) -> Any:
        run = original(self, *arguments)
        if run is not None:
            size_bytes = sum(map(len, run[1]))
            copies["cut out"] += size_bytes
            copies["split"] += size_bytes
            if self._expects_mask:
                copies["unmasked"] += size_bytes
        return run

    return take_run


def _room(original: _Function, copies: Copies) -> _Function:
    def room(self: Assembler) -> Any:
        before, filled_bytes = self._memory, self._filled_bytes
        memory = original(self)
        if before is not None and memory is not before:
            copies["moved to a larger buffer"] += filled_bytes
        return memory

    return room


def _sendable(original: _Function, copies: Copies) -> _Function:
    def sendable(self: WebSocketConnection, data: Any) -> Any:
        kind, part = original(self, data)
        if type(part) is bytes and part is not data and part is not getattr(data, "memory", None):
            copies["made bytes"] += len(part)
        return kind, part

    return sendable


def _frame(original: _Function, copies: Copies) -> _Function:
    def frame(self: Sender, first_byte: int, payload: Any) -> Any:
        parts = original(self, first_byte, payload)
        if len(parts) == 1:
            copies["joined with its header"] += len(payload)
        if self._mask_bit:
            copies["masked"] += len(payload)
        return parts

    return frame


def _flush(original: _Function, copies: Copies) -> _Function:
    def flush(self: Wire, *flags: int) -> None:
        out, queued_bytes = self._out, self._queued_bytes
        by_itself = self._bare is not None and not self._pending_bytes and self._held is None
        if by_itself and len(out) > 1 and queued_bytes <= outgoing.JOIN_BELOW_BYTES * len(out):
            copies["joined"] += queued_bytes
        original(self, *flags)

    return flush


def _gather(original: _Function, copies: Copies) -> _Function:
    def gather(views: Sequence[object], size_bytes: int) -> Any:
        gathered = original(views, size_bytes)
        if len(gathered) < len(views):
            copies["joined"] += size_bytes
        return gathered

    return gather


def _result(step: str, size_of: Callable[[Any], int]) -> _Watch:
    """Return a watch that notes a size of what a function returns."""

    def watch(original: _Function, copies: Copies) -> _Function:
        def noting(*arguments: Any) -> Any:
            result = original(*arguments)
            copies[step] += size_of(result)
            return result

        return noting

    return watch


def _argument(step: str, size_of: Callable[[Any], int], index: int = 1) -> _Watch:
    """Return a watch that notes a size of what a function is given."""

    def watch(original: _Function, copies: Copies) -> _Function:
        def noting(*arguments: Any) -> Any:
            copies[step] += size_of(arguments[index])
            return original(*arguments)

        return noting

    return watch


_WATCHES: tuple[tuple[Any, str, _Watch], ...] = (
    (ExpressLane, "__call__", _lane),
    (ShortRoad, "receive_one", _receive_one),
    (ShortRoad, "_take_short_frames", _take_short_frames),
    (ShortRoad, "take_run", _take_run),
    (Assembler, "_store", _argument("stored", len)),
    (Assembler, "_decoded", _result("decoded", len)),
    (Assembler, "_room", _room),
    (WireMessage, "_move_to_pool", _argument("retained", len)),
    (WebSocketConnection, "send", _send),
    (WebSocketConnection, "_sendable", _sendable),
    (Sender, "_frame", _frame),
    (Wire, "flush", _flush),
    (outgoing, "gather", _gather),
    (TlsEngine, "receive", _argument("taken over by TLS", len)),
    (TlsEngine, "read_into", _result("decrypted", int)),
    (TlsEngine, "encrypt", _result("encrypted", int)),
    (TlsEngine, "take_output", _result("taken from TLS", len)),
    (broadcast, "kind_and_view", _result("made bytes", lambda found: len(found[1]))),
    (
        broadcast,
        "build_header",
        _argument("joined with its header", lambda length: length if length <= broadcast.JOIN_BYTES else 0),
    ),
)

__all__ = ["Copies", "copies_per_byte", "count_copies"]
