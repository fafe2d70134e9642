"""What was recorded of a transport is played again, and a difference is named."""

from __future__ import annotations

import io
import json

import pytest

from hioload_ws.api import WOULD_BLOCK, WRITABLE, ConnectionLost, InvalidArgument, InvalidState, Transport
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.log import CallLog, RecordingTransport, ReplayTransport
from hioload_ws.fake.poller import ScriptedPoller
from hioload_ws.fake.transport import ScriptedTransport


def scene(transport: Transport) -> list[object]:
    """Use a transport in every way; return what it answered."""
    buffer = bytearray(8)
    seen: list[object] = []
    changes: list[bool] = []
    transport.set_water_marks(1, 0, changes.append)
    seen.append((transport.recv_into(buffer), bytes(buffer)))
    seen.append((transport.recv_into(buffer), transport.send([b"ab", bytearray(b"cd")]), transport.flush()))
    seen.append((transport.interest, transport.pending_bytes, transport.buffered, list(changes)))
    transport.shutdown()
    try:
        transport.flush()
        transport.flush()
    except ConnectionLost as error:
        seen.append(error.message)
    transport.close()
    return seen


class Breaking(ScriptedTransport):
    """Loses its connection at the third flush."""

    flushes = 0

    def flush(self) -> int:
        self.flushes += 1
        if self.flushes == 3:
            self.reset()
        return super().flush()


def record(sink: io.StringIO | None = None) -> tuple[list[object], list[str]]:
    log = CallLog(sink)
    inner = Breaking(ScriptedPoller(VirtualClock()), 7)
    inner.feed(b"hello")
    inner.limit_room(1)
    transport = RecordingTransport(inner, log)
    assert (transport.handle, str(transport.local_address)) == (7, "memory:scripted-local")
    assert (str(transport.peer_address), transport.features().name) == ("memory:scripted-peer", "scripted")
    return scene(transport), log.lines


def test_a_record_is_lines_of_json() -> None:
    sink = io.StringIO()
    _, lines = record(sink)
    assert sink.getvalue().splitlines() == lines
    first, second, third = map(json.loads, lines[:3])
    assert first == {"n": 1, "call": "recv_into", "data": b"hello".hex(), "value": 5}
    assert (second["value"], third["data"], third["value"]) == (WOULD_BLOCK, b"abcd".hex(), 3)
    assert [json.loads(line)["call"] for line in lines][3:] == ["flush", "shutdown", "flush", "flush", "close"]


def test_a_replay_answers_as_the_original_did_errors_included() -> None:
    seen, lines = record()
    replay = ReplayTransport([*lines, ""], handle=9)
    assert scene(replay) == seen
    assert seen[2] == (WRITABLE, 3, False, [True])
    assert seen[3] == "the connection was reset"
    assert replay.finished
    assert (replay.handle, replay.features().name) == (9, "replay")


def test_a_difference_is_named_with_its_line() -> None:
    _, lines = record()
    with pytest.raises(InvalidState, match="n=1"):
        ReplayTransport(lines).flush()
    with pytest.raises(InvalidState, match=f"n=3.*was='{b'abcd'.hex()}'"):
        ReplayTransport(lines[2:]).send([b"abce"])
    with pytest.raises(InvalidState, match="smaller"):
        ReplayTransport(lines).recv_into(bytearray(4))
    with pytest.raises(InvalidState, match="ended"):
        ReplayTransport([]).close()
    with pytest.raises(InvalidState, match="no value"):
        ReplayTransport(['{"n": 1, "call": "flush", "value": "x"}']).flush()
    assert not ReplayTransport(lines).finished
    quiet = ReplayTransport(lines[2:])
    assert quiet.send([b"abcd"]) == 3


@pytest.mark.parametrize("line", ["no json", "[]", '{"n": 1}'])
def test_what_is_no_log_is_refused(line: str) -> None:
    with pytest.raises(InvalidArgument):
        ReplayTransport([line])
