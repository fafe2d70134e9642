"""Clients that come back: on a simulated network in virtual time, and once on real sockets."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from hioload_ws import Client, Connection, Message, OpenEvent, Response
from hioload_ws.adapters.backoff import Backoff
from hioload_ws.adapters.reconnect import Reconnect, WaitEvent
from hioload_ws.api import (
    CloseEvent,
    ConnectionLost,
    HandshakeFailed,
    InvalidArgument,
    InvalidState,
    NotFound,
    Poller,
    TimedOut,
)
from hioload_ws.transport.registry import Registry
from tests.adapters.live import echo_server
from tests.adapters.scene import SECOND_NS, Scene, say


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_it_comes_back_until_the_server_is_there_and_waits_longer_each_time(scene: Scene) -> None:
    scene.at(20, scene.up)
    event = scene.reconnect(say("1000")).run()
    assert event is not None and event.code == 1000
    assert scene.waits == pytest.approx([2.0, 6.0, 12.0])
    assert len(scene.opened_s) == 1 and scene.opened_s[0] > 20
    assert all(isinstance(outcome, ConnectionLost) for outcome in scene.outcomes)


def test_a_broken_connection_is_made_anew_and_the_beginning_is_said_again(scene: Scene) -> None:
    scene.up()
    heard: list[str] = []

    def prepare(client: Client) -> None:
        say("hello")(client)

        @client.on_message
        def hear(connection: Connection, message: Message) -> None:
            heard.append(message.text)
            if len(heard) == 3:
                connection.close(1000)

    scene.at(5, lambda: scene.network.reset("me", "cloud"))
    scene.at(10, lambda: scene.network.reset("me", "cloud"))
    event = scene.reconnect(prepare).run()
    assert event is not None and (event.code, event.error) == (1000, None)
    assert heard == ["hello"] * 3
    assert [outcome.code for outcome in scene.outcomes if isinstance(outcome, CloseEvent)] == [1006, 1006]
    assert scene.waits == pytest.approx([2.0, 6.0])


def test_a_connection_that_lasted_long_starts_the_waits_anew(scene: Scene) -> None:
    scene.up()
    for when_s in (20, 50, 90):
        scene.at(when_s, lambda: scene.network.reset("me", "cloud"))
    reconnect = scene.reconnect()
    scene.at(120, lambda: reconnect.post(reconnect.stop))
    reconnect.run()
    assert scene.waits == pytest.approx([2.0, 2.0, 2.0])


@pytest.mark.parametrize(("status", "waits"), [(401, 0), (404, 0), (503, 3), (429, 3)])
def test_a_refusal_ends_it_at_once_or_when_attempts_are_used_up(scene: Scene, status: int, waits: int) -> None:
    scene.up()
    scene.answer = Response(status)
    with pytest.raises(HandshakeFailed) as caught:
        scene.reconnect(backoff=Backoff(first_s=4.0, max_s=16.0, max_attempts=4)).run()
    assert caught.value.status == status
    assert len(scene.waits) == waits


def test_a_server_that_asks_for_a_longer_wait_gets_it(scene: Scene) -> None:
    scene.up()
    scene.answer = Response(503, headers=(("Retry-After", "9"),))

    def relent() -> None:
        scene.answer = None

    scene.at(5, relent)
    scene.reconnect(say("1000")).run()
    assert scene.waits == [9.0]


@pytest.mark.parametrize(
    ("code", "comes_back"), [(1001, True), (1012, True), (1000, False), (1008, False), (4000, False)]
)
def test_the_close_code_says_whether_to_come_back(scene: Scene, code: int, comes_back: bool) -> None:
    scene.up()
    event = scene.reconnect(say(str(code)), Backoff(first_s=1.0, max_attempts=2)).run()
    assert event is not None and event.code == code
    assert len(scene.opened_s) == 1 + comes_back == 1 + len(scene.waits)


def test_a_server_that_never_answers_is_tried_again(scene: Scene) -> None:
    scene.network.host("cloud").crashed = True
    with pytest.raises(TimedOut):
        scene.reconnect(backoff=Backoff(first_s=1.0, max_attempts=3), handshake_timeout_s=2.0).run()
    assert len(scene.waits) == 2


def test_stopping_an_open_connection_closes_it_politely(scene: Scene) -> None:
    server = scene.up()
    codes: list[int] = []
    server.on_close(lambda event: codes.append(event.code))
    reconnect = scene.reconnect()
    scene.at(3, lambda: reconnect.post(lambda: reconnect.stop(3000, "done")))
    event = reconnect.run()
    scene.network.settle()
    assert event is not None and (event.code, codes) == (3000, [3000])
    assert scene.waits == []
    reconnect.stop()
    assert reconnect.ended and not reconnect.post(reconnect.stop)


def test_stopping_with_a_code_that_may_not_be_sent_changes_nothing(scene: Scene) -> None:
    scene.up()
    reconnect = scene.reconnect()

    def stop() -> None:
        reconnect.stop(1006)

    scene.at(3, lambda: reconnect.post(stop))
    scene.at(4, lambda: reconnect.post(reconnect.stop))
    event = reconnect.run()
    assert event is not None and event.code == 1000
    assert [type(error) for error in scene.errors] == [InvalidArgument]


def test_stopping_while_it_waits_ends_it_without_another_attempt(scene: Scene) -> None:
    reconnect = scene.reconnect()
    scene.at(1, lambda: reconnect.post(reconnect.stop))
    assert reconnect.run() is None
    assert scene.waits == [2.0]
    assert scene.now_s() == pytest.approx(1, abs=0.01)


def test_stopping_while_it_connects_ends_it(scene: Scene) -> None:
    scene.network.host("cloud").crashed = True
    reconnect = scene.reconnect()
    scene.at(1, lambda: reconnect.post(reconnect.stop))
    assert reconnect.run() is None
    assert scene.waits == [] and reconnect.client is None
    assert scene.now_s() == pytest.approx(1, abs=0.01)


def test_it_is_used_once_and_turned_only_after_its_start(scene: Scene) -> None:
    reconnect = scene.reconnect()
    assert not reconnect.post(lambda: None)
    with pytest.raises(InvalidState):
        reconnect.turn(0)
    reconnect.start()
    with pytest.raises(InvalidState):
        reconnect.start()
    reconnect.close()
    reconnect.close()
    assert reconnect.turn(0) == 0
    stopped = scene.reconnect()
    stopped.stop()
    with pytest.raises(InvalidState):
        stopped.start()
    never_started = scene.reconnect()
    never_started.close()
    with pytest.raises(InvalidState):
        never_started.start()


def test_a_fault_of_the_callers_is_raised_by_the_start_and_releases_everything() -> None:
    def make() -> Client:
        return Client("http://no-websocket/")

    with pytest.raises(InvalidArgument):
        Reconnect(make).run()
    with pytest.raises(NotFound):
        Reconnect(lambda: Client("ws://server/", registry=Registry())).run()


def test_a_turn_waits_no_longer_than_it_may(scene: Scene) -> None:
    reconnect = scene.reconnect()
    reconnect.start()
    while not scene.waits:
        reconnect.turn()
    before_s = scene.now_s()
    reconnect.turn(SECOND_NS // 2)
    assert scene.now_s() == pytest.approx(before_s + 0.5)
    reconnect.close()


def test_what_is_posted_runs_while_it_connects_and_a_handler_that_raises_is_reported(scene: Scene) -> None:
    scene.up()
    reconnect = scene.reconnect(say("1001"))
    ran: list[str] = []

    def fail() -> None:
        raise RuntimeError("mine")

    @reconnect.on_wait
    def again(event: WaitEvent) -> None:
        raise RuntimeError("handler")

    reconnect.start()
    assert reconnect.post(fail) and reconnect.post(lambda: ran.append("posted"))
    while not scene.waits:
        reconnect.turn()
    reconnect.close()
    assert ran == ["posted"]
    assert [str(error) for error in scene.errors] == ["mine", "handler"]


def test_any_number_of_posts_is_taken_while_a_connection_is_open(scene: Scene) -> None:
    scene.up()
    reconnect = scene.reconnect()
    reconnect.start()
    while not scene.opened_s:
        reconnect.turn()
    ran: list[int] = []
    for _ in range(10):
        for number in range(1000):
            assert reconnect.post(partial(ran.append, number))
        reconnect.turn(0)
    assert ran == [*range(1000)] * 10
    reconnect.close()


def test_a_post_from_within_the_making_of_a_client_runs(scene: Scene) -> None:
    scene.up()
    ran: list[str] = []
    made: list[Reconnect] = []

    def prepare(client: Client) -> None:
        if made:
            made[0].post(lambda: ran.append("later"))

    reconnect = scene.reconnect(prepare)
    made.append(reconnect)
    scene.at(1, lambda: reconnect.post(reconnect.stop))
    reconnect.run()
    assert ran == ["later"]


def test_a_post_while_a_client_is_being_started_runs_and_closing_drops_what_is_open(scene: Scene) -> None:
    server = scene.up()
    codes: list[int] = []
    server.on_close(lambda event: codes.append(event.code))
    ran: list[str] = []
    seams = scene.network.host("me").seams
    made: list[Reconnect] = []

    def poller() -> Poller:
        assert made[0].post(lambda: ran.append("posted"))
        return seams["poller"]()

    def make() -> Client:
        return Client("ws://cloud/", registry=seams["registry"], clock=seams["clock"], poller=poller)

    reconnect = Reconnect(make, clock=seams["clock"], poller=seams["poller"])
    made.append(reconnect)
    reconnect.start()
    client = reconnect.client
    assert client is not None
    while client.connection is None:
        reconnect.turn()
    assert ran == ["posted"]
    reconnect.close()
    scene.network.settle()
    assert codes == [1006] and reconnect.client is None


def test_on_real_sockets_it_comes_back_and_is_stopped_from_another_thread() -> None:
    app = echo_server()
    opened = threading.Event()
    seen: list[Connection] = []

    def make() -> Client:
        client = Client(url)

        @client.on_open
        def count(event: OpenEvent) -> None:
            seen.append(event.connection)
            if len(seen) < 3:
                event.connection.send("bye")
            else:
                opened.set()

        return client

    app.on_open(lambda event: event.connection.close(1012) if len(seen) < 2 else None)
    with app.background() as url:
        reconnect = Reconnect(make, Backoff(first_s=0.001, max_s=0.01))
        results: list[CloseEvent | None] = []
        thread = threading.Thread(target=lambda: results.append(reconnect.run()))
        thread.start()
        assert opened.wait(20)
        assert reconnect.post(reconnect.stop)
        thread.join(20)
        assert not thread.is_alive()
    assert len(seen) == 3
    assert results[0] is not None and results[0].code == 1000
