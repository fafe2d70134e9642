"""Workers that are threads of one process."""

from __future__ import annotations

import os
import threading

import pytest

from hioload_ws import connect
from hioload_ws.api import Closed, InvalidState, TransportClosed, WorkerLost
from hioload_ws.internal.executor import WorkerExecutor
from tests.adapters.workers import PATIENCE_S, make_app, value


def test_threads_serve_with_parts_of_their_own_and_share_the_application() -> None:
    app = make_app("thread")
    created = app.metrics.counter("mine_total")
    with app.background() as url:
        with connect(url) as first:
            first.send("later")
            assert first.receive(PATIENCE_S) == "later"
            first.send("post")
            assert first.receive(PATIENCE_S) == "posted"
            first.send("all")
            assert first.receive(PATIENCE_S) == "to all"
            app.control.set_config(max_connections=55)
            first.send("limit")
            assert first.receive(PATIENCE_S) == "55"
        posted = threading.Event()
        assert app.post(posted.set)  # to the supervisor, from a thread that is no worker's
        assert posted.wait(PATIENCE_S)
        created.add(3)
        whos = set()
        for _ in range(40):
            with connect(url) as connection:
                connection.send("who")
                whos.add(str(connection.receive(PATIENCE_S)).split()[0])
        assert whos == {str(os.getpid())}
        samples = list(app.metrics.collect())
        assert value(samples, "mine_total") == 3
        parts = [value(samples, "hioload_messages_received_total", worker=str(number)) for number in range(2)]
        assert min(parts) > 0
        assert value(samples, "hioload_messages_received_total") == sum(parts) == 44
        assert [(state.pid, state.ready, state.leaving) for state in app.workers] == [(os.getpid(), True, False)] * 2
        with pytest.raises(InvalidState):
            next(app.connections)  # no worker's thread
    assert app.workers == ()
    assert app.shutdown()


def test_threads_are_restarted_and_nobody_is_refused_or_reset() -> None:
    app = make_app("thread")
    with app.background() as url:
        threads = {thread.ident for thread in threading.enumerate() if "worker" in thread.name}
        app.restart()

        def has_restarted() -> bool:
            now = {thread.ident for thread in threading.enumerate() if "worker" in thread.name}
            return len(now) == 2 and len(app.workers) == 2 and now != threads

        for _ in range(10_000):
            try:
                with connect(url) as connection:
                    connection.send("who")
                    connection.receive(PATIENCE_S)
            except TransportClosed:
                pass
            if has_restarted():
                break
        assert has_restarted()


def test_a_handler_on_a_worker_s_thread_may_shut_the_server_down() -> None:
    app = make_app("thread")
    app.start()
    runner = threading.Thread(target=app.run)
    runner.start()
    with connect(app.url) as connection:
        connection.send("shutdown")
        assert connection.receive(PATIENCE_S) == "False"
    runner.join(PATIENCE_S)
    assert not runner.is_alive()
    with pytest.raises(InvalidState):
        app.post(lambda: None)


def test_what_is_reported_reaches_the_hook_from_anywhere() -> None:
    errors: list[BaseException] = []
    app = make_app("thread")
    app._on_error = lambda error, origin: errors.append(error)
    with app.background() as url:
        app.report(ValueError(), None)  # the supervisor's
        with connect(url) as connection:
            connection.send("report")
            connection.send("who")
            connection.receive(PATIENCE_S)
        while not (samples := list(app.metrics.collect())):
            pass  # the worker served us before its supervisor came to note that it had started one
        assert value(samples, "hioload_errors_total") == 1
    assert [type(error) for error in errors] == [ValueError, ZeroDivisionError]


def test_a_thread_that_can_not_serve_is_given_up_in_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hioload_ws.internal.supervisor.FIRST_PAUSE_NS", 1)
    errors: list[BaseException] = []

    def no_poller() -> object:
        if threading.current_thread() is threading.main_thread():
            return None  # the supervisor has the system's
        raise RuntimeError("no poller today")

    app = make_app("thread", poller=None)
    app._on_error = lambda error, origin: errors.append(error)
    app.start()
    app._make_poller = no_poller  # type: ignore[assignment]  # it never returns one
    with pytest.raises(WorkerLost):
        app.run()
    assert "no poller today" in capsys.readouterr().err
    assert {error.context["how"] for error in errors if isinstance(error, WorkerLost)} == {"it raised RuntimeError"}


def test_an_executor_that_was_given_outlives_a_worker_and_ends_with_the_server() -> None:
    executor = WorkerExecutor(1)
    app = make_app("thread", executor=executor)
    with app.background():
        assert app._crew is not None
        with connect(app.url) as connection:
            connection.send("who")
            connection.receive(PATIENCE_S)  # so at least one serves
        for server in tuple(app._crew.by_thread.values()):
            server.shutdown()  # from a thread that is not its own: waits for the end
        assert executor.submit(lambda: 7).result(20_000_000_000) == 7
    with pytest.raises(Closed):
        executor.submit(int)
