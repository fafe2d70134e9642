"""Several workers on one port, as processes and as threads: supervised, configured, counted and replaced as one."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest

from hioload_ws import ServerConfig, connect
from hioload_ws.adapters import crew as crew_module
from hioload_ws.adapters.crew import SharedListener, worker_kind
from hioload_ws.api import ConnectionLost, InvalidArgument, InvalidState, TransportClosed
from tests.adapters.workers import PATIENCE_S, make_app, turned, value

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@needs_fork
def test_two_processes_share_the_port_and_one_takes_what_the_other_leaves() -> None:
    with turned() as server:
        answers = {int(answer.split()[0]) for answer in server.ask("who", 40)}
        assert answers == server.pids()
        assert os.getpid() not in answers


@needs_fork
def test_a_worker_that_dies_is_shown_and_replaced_and_the_other_is_unharmed() -> None:
    with turned() as server:
        before = server.pids()
        with connect(server.app.url) as connection:
            connection.send("die")
            with pytest.raises(ConnectionLost):
                connection.receive(PATIENCE_S)
        server.until(lambda: server.lost)
        server.until(server.all_ready)
        assert server.lost_hows() == ["status 3"]
        assert len(before & server.pids()) == 1
        assert {int(answer.split()[0]) for answer in server.ask("who", 40)} == server.pids()


@needs_fork
def test_connections_that_wait_for_a_dead_worker_are_accepted_by_its_successor() -> None:
    """The sockets are the supervisor's, so the queue of one does not die with the worker that accepts from it."""
    with turned() as server:
        for pid in server.pids():
            os.kill(pid, signal.SIGSTOP)
        address = (server.app.address.host, server.app.address.port)  # type: ignore[union-attr]  # TCP
        waiting = [socket.create_connection(address) for _ in range(20)]
        for pid in server.pids():
            os.kill(pid, signal.SIGKILL)
        server.until(lambda: len(server.lost) == 2)
        server.until(server.all_ready)
        for each in waiting:
            each.settimeout(PATIENCE_S)
            each.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert each.recv(100).startswith(b"HTTP/1.1 400")
            each.close()
        assert server.lost_hows() == ["signal SIGKILL"] * 2


@needs_fork
def test_a_changed_configuration_reaches_all_workers_and_a_wrong_one_none() -> None:
    with turned() as server:
        control = server.app.control
        with pytest.raises(InvalidArgument):
            control.set_config(max_connections=0)
        assert server.ask("limit", 20) == {"10000"}
        control.set_config(max_connections=77)
        server.until(lambda: server.ask("limit", 20) == {"77"})
        # One that is started later has it as well.
        os.kill(min(server.pids()), signal.SIGKILL)
        server.until(lambda: server.lost)
        server.until(server.all_ready)
        assert server.ask("limit", 20) == {"77"}


@needs_fork
def test_the_supervisor_shows_the_numbers_of_all_and_of_each() -> None:
    with turned() as server:
        server.ask("who", 40)

        def received(**labels: str) -> float:
            return value(list(server.app.metrics.collect()), "hioload_messages_received_total", **labels)

        server.until(lambda: received() == 40)
        assert received(worker="0") + received(worker="1") == 40
        assert received(worker="0") > 0
        os.kill(min(server.pids()), signal.SIGKILL)
        server.until(lambda: server.lost)
        assert received() == 40  # what a dead worker had counted is not forgotten


@needs_fork
def test_a_restart_replaces_every_worker_and_nobody_is_refused_or_reset() -> None:
    with turned() as server:
        stop = threading.Event()
        faults: list[BaseException] = []
        answers: set[str] = set()

        def knock() -> None:
            while not stop.is_set():
                try:
                    with connect(server.app.url) as connection:
                        connection.send("who")
                        answers.add(str(connection.receive(PATIENCE_S)).split()[0])
                except TransportClosed:
                    pass  # told to go, in good order: it was a worker that ends
                except BaseException as error:
                    faults.append(error)

        old = server.pids()
        assert server.crew.supervisor.restart()  # forks, so there must be no other thread yet
        client = threading.Thread(target=knock)
        client.start()
        try:
            server.until(lambda: server.all_ready() and not old & server.pids())
            server.until(lambda: {str(pid) for pid in server.pids()} <= answers)
        finally:
            stop.set()
            client.join()
        assert faults == []
        assert server.lost == []


@needs_fork
def test_a_worker_that_a_handler_shuts_down_is_replaced() -> None:
    with turned() as server:
        assert server.ask("shutdown") == {"False"}
        server.until(lambda: server.lost)
        server.until(server.all_ready)
        assert server.lost_hows() == ["status 0"]


@needs_fork
def test_workers_end_when_they_are_asked_to() -> None:
    with turned(shutdown_timeout_s=5) as server:
        with connect(server.app.url) as connection:
            server.crew.stop()
            server.until(lambda: not server.app.workers)
            with pytest.raises(TransportClosed):
                connection.receive(PATIENCE_S)
            assert connection.close_code == 1001
        assert (server.lost, server.crew.supervisor.drained) == ([], True)


@needs_fork
def test_processes_are_refused_while_other_threads_run() -> None:
    app = make_app("process")
    release = threading.Event()
    other = threading.Thread(target=release.wait)
    other.start()
    try:
        with pytest.raises(InvalidState, match="fork"):
            app.start()
        assert app.workers == ()
    finally:
        release.set()
        other.join()
    app.start()
    other = threading.Thread(target=release.wait)
    release.clear()
    other.start()
    try:
        with pytest.raises(InvalidState, match="fork"):
            app.run()
    finally:
        release.set()
        other.join()
    with pytest.raises(InvalidState):
        app.url  # noqa: B018 - it raises


@needs_fork
def test_processes_are_not_forked_in_the_background() -> None:
    app = make_app("process")
    with pytest.raises(InvalidState, match="thread"), app.background():
        raise AssertionError("not reached")
    assert app.workers == ()
    with pytest.raises(InvalidState):
        app.start()


@pytest.mark.parametrize("kind", ["process", "thread"])
def test_a_server_that_is_never_run_is_shut_down_all_the_same(kind: str) -> None:
    if kind == "process" and not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    app = make_app(kind)
    app.start()
    assert app.url.startswith("ws://127.0.0.1:")
    assert app.shutdown()
    with pytest.raises(InvalidState):
        app.start()


def test_workers_on_a_unix_socket_accept_from_one(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    app = make_app("thread", unix=path)
    with app.background() as url:
        assert url == f"ws+unix:{path}"
        for _ in range(20):
            with connect("ws://test/", unix=path) as connection:
                connection.send("who")
                connection.receive(PATIENCE_S)
    assert not Path(path).exists()


def test_one_worker_is_the_calling_thread() -> None:
    app = make_app("auto", workers=1)
    with app.background():
        assert app.workers == ()
        with pytest.raises(InvalidState):
            app.restart()


def test_what_a_worker_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert worker_kind(ServerConfig(worker_kind="thread")) == "thread"
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
    assert worker_kind(ServerConfig()) == "thread"
    monkeypatch.delattr(sys, "_is_gil_enabled")
    assert worker_kind(ServerConfig()) == "process"


def test_a_named_cpu_is_refused_for_several() -> None:
    app = make_app("thread", cpu=min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0)
    with pytest.raises(InvalidArgument, match="one worker"):
        app.start()


def test_a_port_that_is_taken_leaves_nothing_behind() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        app = make_app("thread", port=taken.getsockname()[1])
        with pytest.raises(Exception, match="address"):
            app.start()


def test_a_shared_listener_stays_open() -> None:
    app = make_app("thread")
    app.start()
    assert app._crew is not None
    shared = SharedListener(app._crew.listeners[0])
    shared.close()
    assert shared.address == app.address
    assert shared.handle == app._crew.listeners[0].handle
    assert list(shared.accept_batch(1)) == []
    app.shutdown()




@needs_fork
def test_a_worker_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "_MARGIN_NS", 10_000_000)
    with turned() as server:
        stubborn = min(server.pids())
        os.kill(stubborn, signal.SIGSTOP)
        server.crew.stop(0)
        server.until(lambda: not server.app.workers)
        assert not server.crew.supervisor.drained
        assert server.lost == []
        with pytest.raises(ProcessLookupError):
            os.kill(stubborn, 0)


def test_work_for_a_supervisor_with_a_full_inbox_waits_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app("thread", inbox_capacity=1)
    app.start()
    crew = app._crew
    assert crew is not None
    done: list[int] = []

    def wait(timeout_s: float) -> bool:
        crew.reactor.run_once(0)  # meanwhile the supervisor makes a turn
        return False

    monkeypatch.setattr(crew._ended, "wait", wait)
    crew.tell(lambda: done.append(1))
    crew.tell(lambda: done.append(2))
    assert done == [1]
    app.shutdown()
