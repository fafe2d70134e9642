"""Loops that come back: calls that wait, one connection after the other."""

from __future__ import annotations

import pytest

from hioload_ws import Response, connect
from hioload_ws.adapters.backoff import Backoff
from hioload_ws.adapters.reconnect import reconnecting
from hioload_ws.api import ConnectionLost, HandshakeFailed, InvalidState, TransportClosed
from tests.adapters.live import echo_server
from tests.adapters.scene import Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_loop_that_waits_comes_back_after_losses_and_ends_when_the_block_does(scene: Scene) -> None:
    scene.at(3, scene.up)
    got: list[str | bytes] = []
    for attempt in scene.attempts():
        with attempt as connection:
            if not got:
                scene.at(scene.now_s() + 1, lambda: scene.network.reset("me", "cloud"))
            connection.send("hello")
            got.append(connection.receive())
            if len(got) == 1:
                connection.receive()
    assert got == ["hello", "hello"]
    assert scene.waits == pytest.approx([2.0, 6.0, 12.0][: len(scene.waits)]) and len(scene.waits) >= 2


def test_a_loop_over_messages_comes_back_when_the_server_goes_away_and_ends_when_it_is_done(scene: Scene) -> None:
    scene.up()
    codes = iter(["1001", "1012", "1000"])
    rounds = 0
    for attempt in scene.attempts():
        with attempt as connection:
            rounds += 1
            connection.send(next(codes))
            for _ in connection:
                pass
    assert rounds == 3 and len(scene.waits) == 2


def test_a_receive_that_meets_a_transient_close_leaves_the_block_quietly_and_another_loudly(scene: Scene) -> None:
    scene.up()
    codes = iter(["1001", "4000"])
    with pytest.raises(TransportClosed) as caught:
        for attempt in scene.attempts():
            with attempt as connection:
                connection.send(next(codes))
                connection.receive()
    assert caught.value.context["code"] == 4000
    assert len(scene.waits) == 1


def test_an_exception_of_the_blocks_own_passes_and_nothing_stays_open(scene: Scene) -> None:
    scene.up()
    with pytest.raises(RuntimeError):
        for attempt in scene.attempts():
            with attempt:
                raise RuntimeError("mine")
    for attempt in scene.attempts():
        with attempt as connection:
            break
    assert connection.closed
    scene.network.settle()
    assert scene.network.connection_count == 0


def test_an_attempt_that_is_not_entered_is_a_fault(scene: Scene) -> None:
    scene.up()
    with pytest.raises(InvalidState):
        for _ in scene.attempts():
            pass


def test_a_loop_gives_up_with_the_error_or_a_loss(scene: Scene) -> None:
    with pytest.raises(ConnectionLost):
        for _ in scene.attempts(Backoff(first_s=1.0, max_attempts=3)):
            pass
    assert len(scene.waits) == 2
    scene.up()
    with pytest.raises(ConnectionLost, match="again and again") as caught:
        for attempt in scene.attempts(Backoff(first_s=1.0, max_attempts=2)):
            with attempt as connection:
                connection.send("1012")
                for _ in connection:
                    pass
    assert caught.value.context == {"code": 1012, "failures": 2}
    scene.answer = Response(404)
    with pytest.raises(HandshakeFailed):
        for _ in scene.attempts():
            pass


def test_a_loop_on_real_sockets_uses_connect() -> None:
    with echo_server().background() as url:
        for attempt in reconnecting(lambda: connect(url)):
            with attempt as connection:
                connection.send("x")
                assert connection.receive(20) == "x"
