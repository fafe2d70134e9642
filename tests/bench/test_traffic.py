"""The bytes that a load sends are what the protocol says, and the answers it waits for are those of an echo."""

from __future__ import annotations

import pytest

from hioload_ws.bench.traffic import CLOSE_FRAME, bursts, frame, upgrade
from hioload_ws.protocol import HandshakeConfig, Limits, ServerHandshake
from tests.protocol.reference import Reference

LIMITS = Limits(max_message_bytes=1 << 20)


@pytest.mark.parametrize("size_bytes", [0, 1, 125, 126, 65_535, 65_536])
def test_a_burst_and_its_reply_hold_the_same_messages(size_bytes: int) -> None:
    pairs = bursts(size_bytes, 3, seed=7, raw=False)
    request, reply = pairs[0]
    sent = Reference(True, LIMITS).run(request)
    assert [event[0] for event in sent] == ["message"] * 3
    assert all(len(event[2]) == size_bytes for event in sent if isinstance(event[2], bytes))
    assert Reference(False, LIMITS).run(reply) == sent


def test_bursts_differ_unless_the_seed_is_the_same() -> None:
    assert bursts(32, 2, seed=1, raw=False) == bursts(32, 2, seed=1, raw=False)
    requests = [request for request, _ in bursts(32, 2, seed=1, raw=False)]
    assert len(set(requests)) == len(requests) > 1
    assert bursts(32, 2, seed=2, raw=False)[0] not in bursts(32, 2, seed=1, raw=False)


def test_a_raw_server_has_to_send_back_the_very_bytes() -> None:
    assert all(request == reply for request, reply in bursts(32, 4, seed=1, raw=True))


def test_large_bursts_are_few() -> None:
    assert len(bursts(1 << 20, 4, seed=1, raw=True)) == 4
    assert len(bursts(1 << 20, 16, seed=1, raw=True)) == 2


def test_the_close_frame_is_one() -> None:
    assert Reference(True, LIMITS).run(CLOSE_FRAME) == [("close", 1000, "")]


def test_a_frame_without_a_key_is_not_masked() -> None:
    assert frame(b"abc", None) == b"\x82\x03abc"


def test_the_request_is_one_that_our_own_handshake_accepts_with_the_value_foretold() -> None:
    request, accept = upgrade("127.0.0.1:80", "/all", seed=3)
    handshake = ServerHandshake(HandshakeConfig())
    seen = handshake.feed(request)
    assert seen is not None and seen.path == "/all"
    handshake.check()
    assert accept in handshake.accept()
