"""How connections end, and what their time limits do, in virtual time."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from hioload_ws.adapters.connection import WebSocketConnection
from hioload_ws.api import (
    FAILED,
    READABLE,
    TEXT,
    CloseReceived,
    Connection,
    ConnectionLost,
    InvalidArgument,
    InvalidState,
    Message,
    PingReceived,
    SessionStatus,
    TimedOut,
)
from hioload_ws.adapters.lifetime import NEVER_NS
from tests.adapters.bench import Bench, Peer, joined

MakeBench = Callable[..., Bench]


def close_code(peer: Peer) -> int:
    """Return the code of the one close frame that the peer got."""
    [event] = peer.events()
    assert isinstance(event, CloseReceived)
    return event.code


def end_of(bench: Bench) -> tuple[int, str, type | None]:
    """Return code, reason and kind of error of the one connection that ended."""
    [event] = bench.host.ends
    assert event is not None
    assert not bench.hub.connections
    return event.code, event.reason, None if event.error is None else type(event.error)


def test_a_close_frame_is_echoed_and_the_connection_ends_when_the_peer_hangs_up(bench: Bench) -> None:
    connection, peer = bench.open()
    peer.close(3001, "done")
    bench.turn()
    assert close_code(peer) == 3001
    assert peer.transport.output_ended
    assert connection.status is SessionStatus.CLOSING
    peer.transport.feed_end()
    bench.turn()
    assert end_of(bench) == (3001, "done", None)
    assert (connection.status, connection.close_code) == (SessionStatus.CLOSED, 3001)
    assert connection.close_reason == "done"
    assert bench.traffic.connections_closed.value == 1


def test_a_close_frame_without_a_code_is_1005(bench: Bench) -> None:
    _, peer = bench.open()
    peer.close(None)
    peer.transport.feed_end()
    bench.turn()
    assert close_code(peer) == 1005
    assert end_of(bench) == (1005, "", None)


def test_our_close_waits_for_the_answer_and_discards_messages(bench: Bench) -> None:
    connection, peer = bench.open()
    connection.send(b"last words")
    connection.close(4000, "enough")
    connection.close(4001, "ignored")
    bench.turn()
    peer.send(TEXT, b"crossed on the way")
    bench.turn()
    assert bench.received == []
    assert connection.status is SessionStatus.CLOSING
    peer.close(4000)
    peer.transport.feed_end()
    bench.turn()
    message, close = peer.events()
    assert (type(message).__name__, getattr(close, "code", None)) == ("WireMessage", 4000)
    assert end_of(bench) == (4000, "enough", None)


def test_a_code_that_may_not_be_sent_leaves_the_connection_open(bench: Bench) -> None:
    connection, _ = bench.open()
    for code, reason in ((1005, ""), (999, ""), (1000, "x" * 124)):
        with pytest.raises(InvalidArgument):
            connection.close(code, reason)
    assert connection.status is SessionStatus.ACTIVE


def test_what_a_peer_sends_while_we_end_is_thrown_away(bench: Bench) -> None:
    _, peer = bench.open()
    peer.close()
    bench.turn()
    peer.transport.feed(b"garbage" * 10_000)
    bench.turn()
    assert not peer.transport.closed
    peer.transport.feed_end()
    bench.turn()
    assert peer.transport.closed
    assert end_of(bench) == (1000, "", None)


def test_a_reset_after_both_close_frames_is_no_error(bench: Bench) -> None:
    _, peer = bench.open()
    peer.close()
    bench.turn()
    peer.transport.reset()
    bench.turn()
    assert end_of(bench) == (1000, "", None)


def test_a_peer_that_hangs_up_without_a_close_frame_is_1006(bench: Bench) -> None:
    _, peer = bench.open()
    peer.transport.feed_end()
    bench.turn()
    assert end_of(bench) == (1006, "", ConnectionLost)


def test_a_peer_that_only_stopped_sending_gets_its_answers(bench: Bench) -> None:
    _, peer = bench.open()
    peer.transport.limit_room(0)
    peer.send(TEXT, b"answer me" * 100)
    peer.transport.feed_end()
    bench.turn()
    assert bench.host.ends == []
    peer.transport.limit_room(None)
    bench.turn()
    assert peer.messages() == [b"answer me" * 100]
    assert end_of(bench) == (1006, "", ConnectionLost)


def test_a_peer_that_stopped_sending_and_then_resets_is_let_go(bench: Bench) -> None:
    _, peer = bench.open()
    peer.transport.limit_room(0)
    peer.send(TEXT, b"answer me")
    peer.transport.feed_end()
    bench.turn()
    peer.transport.reset()
    bench.turn()
    assert end_of(bench) == (1006, "", ConnectionLost)


def test_a_peer_that_stopped_sending_and_hangs_up_is_let_go(bench: Bench) -> None:
    _, peer = bench.open()
    peer.transport.limit_room(0)
    peer.send(TEXT, b"answer me")
    peer.transport.feed_end()
    bench.turn()
    bench.poller.set_ready(peer.transport.handle, FAILED)
    bench.turn()
    assert end_of(bench) == (1006, "", ConnectionLost)


def test_the_opening_handshake_has_a_time_limit(make_bench: MakeBench) -> None:
    bench = make_bench(handshake_timeout_s=2.0)
    peer = bench.admit()
    peer.transport.feed(peer.request()[:-2])
    bench.advance(1.9)
    assert not peer.transport.closed
    bench.advance(0.2)
    assert peer.transport.closed
    assert bench.host.ends == [None]
    assert bench.traffic.handshakes_failed.value == 1


def test_a_close_frame_that_nobody_answers_has_a_time_limit(make_bench: MakeBench) -> None:
    bench = make_bench(close_timeout_s=3.0)
    connection, peer = bench.open()
    connection.close(1000, "bye")
    bench.advance(2.9)
    assert not peer.transport.closed
    bench.advance(0.2)
    assert end_of(bench) == (1006, "bye", TimedOut)


def test_a_peer_that_never_hangs_up_is_hung_up_on(make_bench: MakeBench) -> None:
    bench = make_bench(close_timeout_s=3.0)
    _, peer = bench.open()
    peer.close(1000, "bye")
    bench.advance(3.1)
    assert peer.transport.closed
    assert end_of(bench) == (1000, "bye", None)


def test_a_silent_peer_is_pinged_and_one_that_answers_stays(make_bench: MakeBench) -> None:
    bench = make_bench(ping_interval_s=5.0, ping_timeout_s=2.0)
    connection, peer = bench.open()
    for _ in range(4):
        bench.advance(5.1)
        [event] = peer.events()
        assert isinstance(event, PingReceived)
        peer.transport.feed(joined(peer.codec.answer(event)))
        bench.turn()
    assert connection.status is SessionStatus.ACTIVE


def test_a_peer_that_does_not_answer_a_ping_is_dropped(make_bench: MakeBench) -> None:
    bench = make_bench(ping_interval_s=5.0, ping_timeout_s=2.0)
    _, peer = bench.open()
    bench.advance(6.9)
    assert [type(event) for event in peer.events()] == [PingReceived]
    assert bench.host.ends == []
    bench.advance(0.3)
    assert end_of(bench) == (1006, "", TimedOut)


def test_a_peer_that_talks_is_never_pinged(make_bench: MakeBench) -> None:
    bench = make_bench(ping_interval_s=5.0)
    _, peer = bench.open()
    for _ in range(10):
        bench.advance(3.0)
        peer.send(TEXT, b"here")
        bench.turn()
    assert peer.messages() == [b"here"] * 10


def test_a_peer_that_takes_what_we_send_is_alive(make_bench: MakeBench) -> None:
    bench = make_bench(ping_interval_s=5.0, ping_timeout_s=2.0)
    connection, peer = bench.open()
    peer.transport.limit_room(0)
    connection.send(b"x" * 100)
    for _ in range(20):
        bench.advance(1.0)
        peer.transport.limit_room(1)
        bench.turn()
    assert connection.status is SessionStatus.ACTIVE


def test_an_idle_connection_is_closed_although_it_answers_pings(make_bench: MakeBench) -> None:
    bench = make_bench(ping_interval_s=1.0, ping_timeout_s=1.0, idle_timeout_s=4.0)
    _, peer = bench.open()
    closed_after = 0
    for tenth in range(1, 101):
        if tenth == 20:
            peer.send(TEXT, b"still here")
        bench.advance(0.1)
        for event in peer.events():
            if isinstance(event, CloseReceived):
                closed_after = tenth
                assert (event.code, event.reason) == (1001, "idle for too long")
            peer.transport.feed(joined(peer.codec.answer(event)))
    assert bench.received == [(TEXT, b"still here")]
    assert 60 <= closed_after <= 62


def test_without_limits_nothing_ever_happens(make_bench: MakeBench) -> None:
    bench = make_bench(ping_interval_s=0.0)
    connection, peer = bench.open()
    bench.advance(1000.0)
    assert connection.status is SessionStatus.ACTIVE
    assert peer.new_bytes() == b""
    assert len(bench.hub.wheel) == 0


def test_cancelling_the_session_closes_the_connection(bench: Bench) -> None:
    connection, peer = bench.open()
    canceller = threading.Thread(target=connection.session.cancel)
    canceller.start()
    canceller.join()
    bench.turn()
    assert close_code(peer) == 1001
    peer.close(1001)
    peer.transport.feed_end()
    bench.turn()
    assert end_of(bench) == (1001, "session cancelled", None)


def test_cancelling_the_session_of_a_closing_connection_changes_nothing(bench: Bench) -> None:
    connection, peer = bench.open()
    connection.close(4000)
    connection.session.cancel()
    bench.turn()
    assert close_code(peer) == 4000


def test_a_cancelled_session_that_finds_the_inbox_full_is_reported(bench: Bench) -> None:
    connection, _ = bench.open()
    while bench.reactor.post(lambda: None):
        pass
    connection.session.cancel()
    assert [type(error) for error in bench.errors] == [ConnectionLost]


def test_a_connection_that_is_closed_while_connecting_is_dropped(bench: Bench) -> None:
    peer = bench.admit()
    [connection] = bench.hub.connections
    connection.close()
    assert peer.transport.closed
    assert bench.host.ends == [None]
    assert bench.traffic.handshakes_failed.value == 1


def test_finishing_twice_tells_the_host_once(bench: Bench) -> None:
    connection, _ = bench.open()
    connection.finish()
    connection.finish()
    connection.flush()
    assert len(bench.host.ends) == 1


def test_a_connection_that_is_lost_while_its_last_frames_leave_ends_once(bench: Bench) -> None:
    def close_on_lost_stream(connection: Connection, message: Message) -> None:
        peer.transport.reset()
        connection.close()

    bench.handler = close_on_lost_stream
    _, peer = bench.open()
    peer.send(TEXT, b"x")
    peer.close()
    bench.turn()
    assert len(bench.host.ends) == 1


def test_every_status_is_seen_in_its_order(bench: Bench) -> None:
    seen: list[SessionStatus] = []
    bench.host.on_open = lambda connection: seen.append(connection.status)
    bench.host.on_end = lambda connection: seen.append(connection.status)
    peer = bench.admit()
    connection: WebSocketConnection
    [connection] = bench.hub.connections
    seen.append(connection.status)
    peer.transport.feed(peer.request())
    bench.turn()
    connection.close()
    seen.append(connection.status)
    peer.response()
    peer.close()
    peer.transport.feed_end()
    bench.turn()
    assert [status.name for status in seen] == ["CONNECTING", "ACTIVE", "CLOSING", "CLOSED"]


def test_a_reset_that_shows_only_when_reading_is_a_lost_connection(bench: Bench) -> None:
    connection, peer = bench.open()
    peer.transport.reset()
    connection(READABLE)  # a poller that has not heard of the failure yet
    assert end_of(bench) == (1006, "", ConnectionLost)


def test_before_it_is_open_a_connection_has_agreed_on_nothing(bench: Bench) -> None:
    bench.admit()
    [connection] = bench.hub.connections
    for ask in (lambda: connection.params, lambda: connection.request, lambda: connection.session):
        with pytest.raises(InvalidState):
            ask()


def test_the_request_is_made_once(bench: Bench) -> None:
    connection, _ = bench.open("ws://test/here")
    assert connection.request is connection.request and connection.path == "/here"


def test_without_pings_only_idleness_is_looked_at_and_a_message_puts_it_off(make_bench: MakeBench) -> None:
    bench = make_bench(ping_interval_s=0, idle_timeout_s=30)
    connection, peer = bench.open()
    bench.advance(29)
    peer.send(TEXT, b"still here")
    bench.turn()
    bench.advance(29)
    assert connection.status is SessionStatus.ACTIVE and connection.deadline_ns < NEVER_NS
    bench.advance(2)
    assert connection.status > SessionStatus.ACTIVE and connection.close_reason == "idle for too long"


def test_without_pings_and_limits_nothing_is_looked_at(make_bench: MakeBench) -> None:
    bench = make_bench(ping_interval_s=0)
    connection, _ = bench.open()
    assert connection.deadline_ns == NEVER_NS and not connection.filed


def test_a_peer_that_hangs_up_while_our_last_frames_wait_gets_them_first(bench: Bench) -> None:
    connection, peer = bench.open()
    peer.transport.limit_room(0)
    connection.send(b"last words")
    peer.close()
    bench.turn()
    peer.transport.feed_end()
    bench.turn()
    assert connection.status is SessionStatus.CLOSING
    peer.transport.limit_room(None)
    bench.turn()
    assert not bench.hub.connections and b"last words" in peer.new_bytes()
