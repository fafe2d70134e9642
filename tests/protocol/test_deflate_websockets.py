"""permessage-deflate against an implementation that other people wrote (the ``websockets`` package).

Its negotiation and its transformation are objects without I/O, so both can be put opposite ours directly, with
every combination of parameters.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product
from typing import Literal

import pytest
from websockets.exceptions import NegotiationError
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame, Opcode

from hioload_ws.api.errors import HandshakeFailed
from hioload_ws.api.extension import RSV1, Extension, ExtensionParameters
from hioload_ws.api.message import BINARY
from hioload_ws.protocol.deflate import PermessageDeflate

BOTH = (False, True)
WINDOWS = (8, 9, 12, 15)
TheirWindow = int | Literal[True] | None

SOURCE = random.Random(11)
MESSAGES = [b"", b"Hello", b"Hello", b"x" * 3000, SOURCE.randbytes(3000), b"Hello" * 900, b"", SOURCE.randbytes(9)]
LIMIT_BYTES = 5000


def bits(value: int) -> int | None:
    """Return window bits as the other side spells "no limit"."""
    return None if value == 15 else value


def decoded(extension: Extension, payload: bytes) -> bytes:
    """Decode in two pieces, so that both ways through the decoder are taken."""
    middle = len(payload) // 3
    start = bytes(extension.decode(payload[:middle], False, LIMIT_BYTES))
    return start + bytes(extension.decode(payload[middle:], True, LIMIT_BYTES - len(start)))


def exchange(ours: Extension, theirs: PerMessageDeflate) -> None:
    """Send every message in both directions, whole and as two fragments."""
    for payload in MESSAGES:
        encoded, rsv_bits = ours.encode(BINARY, payload, True, True)
        frame = theirs.decode(
            Frame(Opcode.BINARY, bytes(encoded), rsv1=rsv_bits == RSV1), max_size=LIMIT_BYTES
        )
        assert bytes(frame.data) == payload and not frame.rsv1
        first, rsv_bits = ours.encode(BINARY, payload[:7], True, False)
        last, none = ours.encode(BINARY, payload[7:], False, True)
        assert (rsv_bits, none) == (RSV1, 0)
        head = theirs.decode(Frame(Opcode.BINARY, bytes(first), fin=False, rsv1=True), max_size=LIMIT_BYTES)
        rest = theirs.decode(Frame(Opcode.CONT, bytes(last)), max_size=LIMIT_BYTES)
        assert bytes(head.data) + bytes(rest.data) == payload

        frame = theirs.encode(Frame(Opcode.BINARY, payload))
        assert frame.rsv1 and ours.begin(BINARY, RSV1)
        assert decoded(ours, bytes(frame.data)) == payload
        head = theirs.encode(Frame(Opcode.BINARY, payload[:7], fin=False))
        rest = theirs.encode(Frame(Opcode.CONT, payload[7:]))
        assert head.rsv1 and not rest.rsv1 and ours.begin(BINARY, RSV1)
        assert decoded(ours, bytes(head.data) + bytes(rest.data)) == payload


def listed(parameters: ExtensionParameters) -> list[tuple[str, str | None]]:
    return list(parameters)


@pytest.mark.parametrize("our_flags", [*product(BOTH, BOTH)], ids=str)
@pytest.mark.parametrize("our_windows", [*product(WINDOWS, WINDOWS)], ids=str)
def test_our_client_and_their_server(our_flags: tuple[bool, bool], our_windows: tuple[int, int]) -> None:
    client = PermessageDeflate(
        server_no_context_takeover=our_flags[0],
        client_no_context_takeover=our_flags[1],
        server_max_window_bits=our_windows[0],
        client_max_window_bits=our_windows[1],
        min_bytes=0,
    )
    for server_fresh, client_fresh, server_bits, client_bits in product(BOTH, BOTH, (9, 12, 15), WINDOWS):
        server = ServerPerMessageDeflateFactory(
            server_fresh, client_fresh, bits(server_bits), bits(client_bits)
        )
        offers: Sequence[ExtensionParameters] = client.offers()
        for offer in offers:
            try:
                answer, theirs = server.process_request_params(listed(offer), [])
            except NegotiationError:
                assert our_windows[0] == 8  # they can't deflate with that window, and decline
                continue
            exchange(client.accept_answer(answer), theirs)
            break
        else:
            assert our_windows[0] == 8 and len(offers) == 1


@pytest.mark.parametrize("our_flags", [*product(BOTH, BOTH)], ids=str)
@pytest.mark.parametrize("our_windows", [*product(WINDOWS, WINDOWS)], ids=str)
def test_their_client_and_our_server(our_flags: tuple[bool, bool], our_windows: tuple[int, int]) -> None:
    server = PermessageDeflate(
        server_no_context_takeover=our_flags[0],
        client_no_context_takeover=our_flags[1],
        server_max_window_bits=our_windows[0],
        client_max_window_bits=our_windows[1],
        min_bytes=0,
    )
    their_windows: tuple[TheirWindow, ...] = (None, True, 9, 12, 15)
    for server_fresh, client_fresh, server_bits, client_bits in product(
        BOTH, BOTH, (None, *WINDOWS), their_windows
    ):
        client = ClientPerMessageDeflateFactory(server_fresh, client_fresh, server_bits, client_bits)
        answer = server.accept_offer(client.get_request_params())
        assert answer is not None
        try:
            theirs = client.process_response_params(list(answer.parameters), [])
        except NegotiationError as error:
            # They offered to limit their window and can't go that low.
            assert "client_max_window_bits = 8" in str(error) and our_windows[1] == 8
            continue
        exchange(answer.extension, theirs)


THEIR_WINDOWS: list[TheirWindow] = [None, 8, 9, 12, 15]


@pytest.mark.parametrize("fallback", BOTH)
def test_both_clients_take_the_same_answers(fallback: bool) -> None:
    answers = product(BOTH, BOTH, THEIR_WINDOWS, THEIR_WINDOWS)
    for flags, windows, answer in product(product(BOTH, BOTH), product(WINDOWS, (9, 12)), answers):
        client = PermessageDeflate(
            server_no_context_takeover=flags[0],
            client_no_context_takeover=flags[1],
            server_max_window_bits=windows[0],
            client_max_window_bits=windows[1],
            fallback=fallback,
        )
        names = (
            "server_no_context_takeover",
            "client_no_context_takeover",
            "server_max_window_bits",
            "client_max_window_bits",
        )
        parameters: list[tuple[str, str | None]] = [
            (name, None if value is True else str(value))
            for name, value in zip(names, answer, strict=True)
            if value is not None and value is not False
        ]
        demands = (flags[0], bits(windows[0])) if not fallback else (False, None)
        theirs = ClientPerMessageDeflateFactory(demands[0], flags[1], demands[1], windows[1])
        assert taken_by_us(client, parameters) == taken_by_them(theirs, parameters)


def taken_by_us(client: PermessageDeflate, parameters: list[tuple[str, str | None]]) -> bool:
    try:
        client.accept_answer(parameters)
    except HandshakeFailed:
        return False
    return True


def taken_by_them(client: ClientPerMessageDeflateFactory, parameters: list[tuple[str, str | None]]) -> bool:
    try:
        client.process_response_params(parameters, [])
    except NegotiationError as error:
        # What fits the offer and what they can do are two things; the first is the question here.
        return "client_max_window_bits = 8" in str(error)
    return True
