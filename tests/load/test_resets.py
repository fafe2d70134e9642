"""1 000 connections that are reset at random points: the server loses those, and nothing else.

A reset is what a crashing or hostile peer sends; with SO_LINGER 0, close(2) sends it instead of the orderly
end (socket(7)). The points are chosen by a seed, so that a failure can be repeated.
"""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Callable

from tests.faults.wire import BINARY, CONTINUATION, TEXT, Wire, close_frame, frame, header, request
from tests.interop.echo_process import EchoProcess

RESET_COUNT = 1_000
SEED = 6455

Until = Callable[[Callable[[], bool]], None]


def before_handshake(wire: Wire, dice: random.Random) -> None:
    """Say nothing at all."""


def mid_handshake(wire: Wire, dice: random.Random) -> None:
    """Send a part of the request."""
    wire.send(request()[: dice.randrange(1, len(request()))])


def before_response(wire: Wire, dice: random.Random) -> None:
    """Send the request and do not wait for the response."""
    wire.send(request())


def shake_hands(wire: Wire) -> None:
    """Finish the opening handshake."""
    wire.send(request())
    assert wire.read_head().startswith(b"HTTP/1.1 101 ")


def mid_header(wire: Wire, dice: random.Random) -> None:
    """Send a part of a frame's header."""
    shake_hands(wire)
    wire.send(header(BINARY, 70_000)[: dice.randrange(1, 14)])


def mid_frame(wire: Wire, dice: random.Random) -> None:
    """Send a header and a part of its payload, small or large."""
    shake_hands(wire)
    whole = frame(BINARY, bytes(dice.choice((200, 70_000, 1_000_000))))
    wire.send(whole[: dice.randrange(14, len(whole))])


def mid_message(wire: Wire, dice: random.Random) -> None:
    """Send some fragments of a message and not its last."""
    shake_hands(wire)
    fragments = [frame(CONTINUATION, b"more", fin=False) for _ in range(dice.randrange(5))]
    wire.send(b"".join([frame(TEXT, b"begin", fin=False), *fragments]))


def mid_echo(wire: Wire, dice: random.Random) -> None:
    """Send whole messages and read nothing of what comes back."""
    shake_hands(wire)
    wire.send(frame(BINARY, bytes(dice.choice((10, 70_000, 1_000_000)))) * dice.randrange(1, 4))


def after_close_frame(wire: Wire, dice: random.Random) -> None:
    """Send a close frame and do not wait for its answer."""
    shake_hands(wire)
    wire.send(close_frame(1000))


POINTS = (
    before_handshake,
    mid_handshake,
    before_response,
    mid_header,
    mid_frame,
    mid_message,
    mid_echo,
    after_close_frame,
)


def test_a_thousand_resets_at_random_points_leave_a_server_that_works_and_no_descriptor(
    server: EchoProcess, until: Until
) -> None:
    dice = random.Random(SEED)
    idle = server.descriptor_count()
    with Wire.open(server.port) as bystander:
        assert bystander.echoes()
        points = [dice.choice(POINTS) for _ in range(RESET_COUNT)]
        assert set(points) == set(POINTS)
        for number, point in enumerate(points):
            with Wire.to(server.port) as wire:
                point(wire, dice)
                wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if number % 100 == 0:
                assert bystander.echoes(b"after %d" % number), (
                    f"the bystander suffered after {point.__name__}"
                )
        assert bystander.echoes()
    until(lambda: server.descriptor_count() <= idle)
    for _ in range(10):
        with Wire.open(server.port) as wire:
            assert wire.echoes()
