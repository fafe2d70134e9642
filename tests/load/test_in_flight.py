"""10 000 messages in flight on one connection: sent without reading, then read, in order, byte by byte."""

from __future__ import annotations

import random
import selectors
import time

from tests.faults.wire import BINARY, TEXT, Wire, frame
from tests.interop.echo_process import EchoProcess

MESSAGE_COUNT = 10_000
LIMIT_S = 60.0


def numbered(length_of: random.Random, max_bytes: int) -> list[tuple[int, bytes]]:
    """Return messages that begin with their number, of seeded random lengths and kinds, text and binary."""
    messages = []
    for number in range(MESSAGE_COUNT):
        body = b"%d:" % number + b"x" * length_of.randrange(max_bytes)
        messages.append((TEXT if number % 3 else BINARY, body))
    return messages


def pump(wire: Wire, outgoing: bytes, expected: bytes, read_first_after_sending: bool) -> bytes:
    """Send and receive without ever blocking on either; return what came back, as long as `expected` at most.

    With `read_first_after_sending` nothing is read before everything is sent.
    """
    sock, sent, received = wire.socket, 0, bytearray()
    sock.setblocking(False)
    limit = time.monotonic() + LIMIT_S
    with selectors.DefaultSelector() as selector, memoryview(outgoing) as view:
        events = selectors.EVENT_WRITE | (0 if read_first_after_sending else selectors.EVENT_READ)
        selector.register(sock, events)
        while len(received) < len(expected):
            ready = selector.select(max(limit - time.monotonic(), 0))
            assert ready, f"stuck: {sent} of {len(outgoing)} bytes sent, {len(received)} received"
            if ready[0][1] & selectors.EVENT_WRITE:
                sent += sock.send(view[sent : sent + 262_144])
                if sent == len(outgoing):
                    selector.modify(sock, selectors.EVENT_READ)
            if ready[0][1] & selectors.EVENT_READ:
                piece = sock.recv(262_144)
                assert piece, f"the server ended the connection after {len(received)} bytes"
                received += piece
    return bytes(received)


def echoes(server: EchoProcess, messages: list[tuple[int, bytes]], read_first_after_sending: bool) -> None:
    """Assert that all messages come back in order, each as one unmasked frame, and nothing besides."""
    outgoing = b"".join(frame(opcode, body) for opcode, body in messages)
    expected = b"".join(frame(opcode, body, mask=None) for opcode, body in messages)
    with Wire.open(server.port) as wire:
        received = pump(wire, outgoing, expected, read_first_after_sending)
        # Not `assert received == expected`: the report of a failure would be megabytes long.
        same = received == expected
        at = next(
            (index for index, pair in enumerate(zip(received, expected, strict=False)) if pair[0] != pair[1]),
            None,
        )
        assert same, f"differs at byte {at} of {len(expected)}"


def test_ten_thousand_messages_sent_without_reading_come_back_in_order(server: EchoProcess) -> None:
    echoes(server, numbered(random.Random(1), 24), read_first_after_sending=True)


def test_ten_thousand_messages_of_mixed_lengths_in_flight_come_back_in_order(server: EchoProcess) -> None:
    echoes(server, numbered(random.Random(2), 4_000), read_first_after_sending=False)
