"""Who is let in, who is refused, and with which words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from hioload_ws.adapters import door as door_module
from hioload_ws.adapters.door import MAX_REFUSALS, Door
from hioload_ws.adapters.server_sessions import SessionDesk
from hioload_ws.api import (
    TEXT,
    AlreadyExists,
    Extension,
    ExtensionAnswer,
    ExtensionParameters,
    Request,
    Response,
)
from hioload_ws.protocol import HandshakeConfig
from hioload_ws.session.store import ShardedSessions
from tests.adapters.bench import Bench, Peer

MakeBench = Callable[..., Bench]


def ask(bench: Bench, raw: bytes) -> bytes:
    """Send raw bytes to a new connection; return all that comes back."""
    peer = bench.admit()
    peer.transport.feed(raw)
    bench.turn()
    return peer.new_bytes()


def hang_up(bench: Bench, peer: Peer) -> None:
    """The peer takes its answer and goes."""
    peer.transport.feed_end()
    bench.turn()
    assert peer.transport.closed


def test_a_correct_request_is_let_in_and_a_session_begins(bench: Bench) -> None:
    bench.open()
    assert len(bench.sessions) == 1
    assert bench.traffic.connections_opened.value == 1


@pytest.mark.parametrize(
    ("raw", "status_line"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 426 "),
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 405 "),
        (b"nonsense\r\n\r\n", b"HTTP/1.1 400 "),
    ],
)
def test_what_is_no_handshake_is_refused_and_counted(bench: Bench, raw: bytes, status_line: bytes) -> None:
    peer = bench.admit()
    peer.transport.feed(raw)
    bench.turn()
    assert peer.new_bytes().startswith(status_line)
    hang_up(bench, peer)
    assert bench.host.ends == [None]
    assert bench.traffic.handshakes_failed.value == 1


def test_a_path_without_a_route_is_404(bench: Bench) -> None:
    bench.router.fallback = None
    bench.router.add("/here", bench.echo)
    peer = bench.admit()
    peer.transport.feed(peer.request("ws://test/there"))
    bench.turn()
    assert peer.response().status == 404
    peer = bench.admit()
    peer.transport.feed(peer.request("ws://test/here"))
    bench.turn()
    assert peer.response().status == 101


def test_a_hook_may_answer_and_the_first_answer_counts(bench: Bench) -> None:
    seen: list[str] = []

    def note(request: Request) -> Response | None:
        seen.append(request.path)
        return None

    bench.hooks += [
        note,
        lambda request: Response(200, body=b"ok") if request.path == "/health" else None,
        lambda request: Response(503, body=b"never reached") if request.path == "/health" else None,
    ]
    answer = ask(bench, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nok")
    bench.open()
    assert seen == ["/health", "/"]
    assert bench.traffic.handshakes_failed.value == 0


def test_a_hook_that_raises_is_a_500(bench: Bench) -> None:
    def fail(request: Request) -> Response | None:
        raise KeyError("hook")

    bench.hooks.append(fail)
    assert ask(bench, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 500 ")
    assert [type(error) for error in bench.errors] == [KeyError]


def test_a_full_server_says_503_and_lets_in_again_when_there_is_room(make_bench: MakeBench) -> None:
    bench = make_bench(max_connections=2)
    _, first = bench.open()
    bench.open()
    refused = bench.admit()
    refused.transport.feed(refused.request())
    bench.turn()
    response = refused.response()
    assert (response.status, response.header("Retry-After")) == (503, "1")
    hang_up(bench, refused)
    assert bench.traffic.connections_refused.value == 1
    first.close()
    hang_up(bench, first)
    _, third = bench.open()
    third.send(TEXT, b"in at last")
    bench.turn()
    assert third.messages() == [b"in at last"]


def test_those_who_are_being_refused_take_nobody_s_place(make_bench: MakeBench) -> None:
    bench = make_bench(max_connections=2)
    _, first = bench.open()
    bench.open()
    waiting = [bench.admit() for _ in range(5)]  # they never say anything
    first.close()
    hang_up(bench, first)
    bench.open()
    for peer in waiting:
        hang_up(bench, peer)
    assert bench.traffic.connections_refused.value == 5


def test_too_many_refusals_are_closed_without_a_word(make_bench: MakeBench) -> None:
    bench = make_bench(max_connections=1)
    bench.open()
    waiting = [bench.admit() for _ in range(MAX_REFUSALS)]
    one_more = bench.admit()
    assert one_more.transport.closed
    assert not any(peer.transport.closed for peer in waiting)
    hang_up(bench, waiting[0])
    polite_again = bench.admit()
    polite_again.transport.feed(polite_again.request())
    bench.turn()
    assert polite_again.response().status == 503


def test_a_malformed_request_to_a_full_server_gives_its_place_back(make_bench: MakeBench) -> None:
    bench = make_bench(max_connections=1)
    bench.open()
    for _ in range(MAX_REFUSALS + 10):
        peer = bench.admit()
        assert not peer.transport.closed
        peer.transport.feed(b"\0\r\n\r\n")
        bench.turn()
        assert peer.new_bytes().startswith(b"HTTP/1.1 400 ")
        hang_up(bench, peer)


def test_a_session_store_that_is_full_is_a_503(bench: Bench) -> None:
    bench.door.desk = SessionDesk(bench.hub, ShardedSessions(bench.clock, limit=1))
    bench.open()
    peer = bench.admit()
    peer.transport.feed(peer.request())
    bench.turn()
    assert peer.response().status == 503


class BrokenFactory:
    """An extension's factory with a defect."""

    name = "broken"

    def offers(self) -> Sequence[ExtensionParameters]:
        return [()]

    def accept_offer(self, parameters: ExtensionParameters) -> ExtensionAnswer | None:
        raise ZeroDivisionError

    def accept_answer(self, parameters: ExtensionParameters) -> Extension:
        raise ZeroDivisionError


def test_an_extension_that_raises_is_a_500_and_leaves_no_session(bench: Bench) -> None:
    bench.door.handshake_config = HandshakeConfig(extensions=(BrokenFactory(),))
    peer = bench.admit()
    request = peer.request(headers=(("X", "y"),)).replace(b"X: y", b"Sec-WebSocket-Extensions: broken")
    peer.transport.feed(request)
    bench.turn()
    assert peer.response().status == 500
    assert [type(error) for error in bench.errors] == [ZeroDivisionError]
    assert len(bench.sessions) == 0


def test_a_transport_that_can_not_be_watched_is_closed_and_reported(bench: Bench) -> None:
    transport = bench.transport()
    bench.reactor.register(transport.handle, 0, lambda readiness: None)
    bench.door.admit(transport)
    assert transport.closed
    assert [type(error) for error in bench.errors] == [AlreadyExists]
    assert not bench.hub.connections


def test_a_peer_that_resets_in_the_handshake_is_forgotten(bench: Bench) -> None:
    peer = bench.admit()
    peer.transport.feed(b"GET")
    bench.turn()
    peer.transport.reset()
    bench.turn()
    assert bench.host.ends == [None]
    assert peer.transport.closed


def test_a_peer_that_hangs_up_in_the_handshake_is_forgotten(bench: Bench) -> None:
    peer = bench.admit()
    hang_up(bench, peer)
    assert bench.host.ends == [None]


def test_an_opening_that_would_block_waits(bench: Bench) -> None:
    peer = bench.admit()
    [connection] = bench.hub.connections
    connection(1)  # a poller may be early: nothing is there yet
    peer.transport.feed(peer.request())
    bench.turn()
    assert peer.response().status == 101


def test_a_door_counts_connections_and_not_refusals(make_bench: MakeBench) -> None:
    bench = make_bench(max_connections=1)
    assert isinstance(bench.door, Door)
    bench.open()
    bench.admit()
    assert len(bench.hub.connections) == 2


def test_handshakes_that_came_to_the_same_share_what_was_agreed_and_memory_for_others_is_bounded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "_MAX_AGREEMENTS", 3)
    urls = [f"ws://test/{number}" for number in range(8)]
    for url in urls:
        bench.open(url)  # the first one in its words is kept whole
        (one, _), (other, _) = bench.open(url), bench.open(url)
        assert one._established is other._established
        assert (one.path, other.request.path) == (url[9:], url[9:])
        assert len(bench.door._agreements) <= 3


def test_a_changed_configuration_forgets_what_was_checked_under_the_old_one(bench: Bench) -> None:
    bench.open()
    assert len(bench.door.heads) == 1
    bench.door.handshake_config = HandshakeConfig(check_origin=lambda origin, request: False)
    assert len(bench.door.heads) == 0 and bench.door.handshake_config.check_origin is not None
    peer = bench.admit()
    peer.transport.feed(peer.request())
    bench.turn()
    assert peer.response().status == 403


def status(bench: Bench, url: str = "ws://test/", *, pieces: int = 1) -> int:
    """Return how a new request for ``url`` is answered, which is in so many pieces."""
    peer = bench.admit()
    request = peer.request(url)
    size_bytes = -(-len(request) // pieces)
    for start in range(0, len(request), size_bytes):
        peer.transport.feed(request[start : start + size_bytes])
        bench.turn()
    return peer.response().status


def test_a_request_in_pieces_is_answered_once_it_is_complete(bench: Bench) -> None:
    for _ in range(3):
        assert status(bench, pieces=3) == 101


def test_what_was_answered_before_is_answered_again_and_everybody_who_asks_to_be_asked_is(bench: Bench) -> None:
    for _ in range(4):
        assert status(bench) == 101
    assert len(bench.door._usual) == 1 and len(bench.sessions) == 4
    (one, other) = list(bench.hub.connections)[-2:]
    assert one._established is other._established and one.request == other.request
    asked: list[Request] = []
    bench.hooks.append(lambda request: asked.append(request))
    assert status(bench) == 101
    assert len(asked) == 1
    bench.hooks.append(lambda request: Response(418))
    assert status(bench) == 418


def test_a_route_that_is_added_later_is_found_by_a_request_that_was_answered_before(bench: Bench) -> None:
    for _ in range(3):
        assert status(bench, "ws://test/new") == 101

    def fresh(connection: object, message: object) -> None: ...

    bench.router.add("/new", fresh)
    for _ in range(3):
        assert status(bench, "ws://test/new") == 101
        assert list(bench.hub.connections)[-1]._established.handler is fresh  # type: ignore[union-attr]
    bench.router.fallback = None
    for _ in range(3):
        assert status(bench, "ws://test/other") == 404


def test_a_route_that_has_gone_is_404_for_a_request_that_was_answered_before(bench: Bench) -> None:
    for _ in range(3):
        assert status(bench, "ws://test/here") == 101
    bench.router.fallback = None
    assert status(bench, "ws://test/here") == 404


def test_a_request_that_was_answered_before_is_a_503_without_room_for_its_session(bench: Bench) -> None:
    for _ in range(3):
        assert status(bench) == 101
    bench.door.desk = SessionDesk(bench.hub, ShardedSessions(bench.clock, limit=1))
    assert [status(bench) for _ in range(3)] == [101, 503, 503]


def test_a_function_that_looks_at_origins_or_chooses_a_subprotocol_is_asked_each_time(bench: Bench) -> None:
    asked: list[object] = []

    def welcomes(origin: str | None, request: Request) -> bool:
        asked.append(origin)
        return True

    def select(offered: Sequence[str]) -> str | None:
        asked.append(offered)
        return None

    for config in (HandshakeConfig(check_origin=welcomes), HandshakeConfig(select_subprotocol=select)):
        bench.door.handshake_config = config
        asked.clear()
        assert [status(bench) for _ in range(4)] == [101] * 4
        assert len(asked) == 4


def test_memory_for_requests_that_were_answered_before_is_bounded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "_MAX_AGREEMENTS", 3)
    for number in range(8):
        for _ in range(3):
            assert status(bench, f"ws://test/{number}") == 101
        assert 1 <= len(bench.door._usual) <= 3


def test_the_rest_of_a_request_that_no_poller_sees_is_read_all_the_same(make_bench: MakeBench) -> None:
    bench = make_bench(read_buffer_bytes=1024)
    peer = bench.admit()
    request = peer.request("ws://test/" + "long" * 500)
    peer.transport.feed(request[:1])
    peer.transport.feed_hidden(request[1:])
    bench.turn()
    assert peer.response().status == 101


def test_the_answer_to_a_request_leaves_also_when_an_open_handler_is_interrupted(bench: Bench) -> None:
    def interrupted(connection: object) -> None:
        raise KeyboardInterrupt

    bench.host.on_open = interrupted
    peer = bench.admit()
    peer.transport.feed(peer.request())
    with pytest.raises(KeyboardInterrupt):
        bench.turn()
    assert peer.response().status == 101
