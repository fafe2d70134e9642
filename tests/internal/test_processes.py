"""Forks: what they can't do, what the child does, and what its parent hears of it."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from hioload_ws.api import InvalidState, NotSupported, ResourceExhausted
from hioload_ws.internal.processes import ChildMain, ForkedProcess, check_can_fork, how_it_ended, run_child
from hioload_ws.internal.reactor import PollReactor

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


class Nursery:
    """A reactor with children."""

    def __init__(self) -> None:
        self.reactor = PollReactor()
        self.ends: set[socket.socket] = set()
        self.heard: list[object] = []
        self.ended: list[str] = []

    def fork(self, main: ChildMain) -> ForkedProcess:
        return ForkedProcess(self.reactor, main, self.heard.append, self.ended.append, self.ends)

    def wait(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.reactor.run_once(None)


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    yield made
    assert made.ends == set()
    made.reactor.close()


def nothing(end: socket.socket) -> None:
    """Be a child that has nothing to do."""


def fail(end: socket.socket) -> None:
    """Be a child that fails."""
    raise ZeroDivisionError("in the child")


def hang(end: socket.socket) -> None:
    """Be a child that does what it does until its parent hangs up."""
    end.recv(1)


def test_a_child_that_returns_has_status_0(nursery: Nursery) -> None:
    child = nursery.fork(nothing)
    nursery.wait(lambda: bool(nursery.ended))
    assert nursery.ended == ["status 0"]
    child.reap()  # harmless
    child.kill()


def test_a_child_that_fails_has_status_1(nursery: Nursery) -> None:
    nursery.fork(fail)
    nursery.wait(lambda: bool(nursery.ended))
    assert nursery.ended == ["status 1"]


def test_a_child_that_is_killed_says_by_which_signal(nursery: Nursery) -> None:
    child = nursery.fork(hang)
    child.kill()
    nursery.wait(lambda: bool(nursery.ended))
    assert nursery.ended == ["signal SIGKILL"]


def test_a_child_is_reaped_at_once_if_need_be(nursery: Nursery) -> None:
    child = nursery.fork(hang)
    child.reap()
    child.reap()
    assert nursery.ended == []
    with pytest.raises(ChildProcessError):
        os.waitpid(child.pid, os.WNOHANG)
    child._look()  # a timer may have been set already


def test_a_child_that_hung_up_and_lives_on_is_asked_for_again(nursery: Nursery) -> None:
    first, second = os.pipe()

    def hang_up(end: socket.socket) -> None:
        os.close(second)
        end.close()
        os.read(first, 1)  # until the parent closes its end

    nursery.fork(hang_up)
    nursery.reactor.run_once(None)  # the end of the stream
    assert nursery.ended == []
    os.close(second)
    nursery.wait(lambda: bool(nursery.ended))
    assert nursery.ended == ["status 0"]
    os.close(first)


def test_children_do_not_hold_each_other_s_ends(nursery: Nursery) -> None:
    first = nursery.fork(hang)
    second = nursery.fork(hang)
    # The second one inherited our end of the first one's pair: if it held it, the first would not learn of this.
    first._channel.close()
    os.waitpid(first.pid, 0)
    nursery.ends.discard(first._own_end)
    second.reap()


def test_messages_reach_the_child(nursery: Nursery) -> None:
    def repeat(end: socket.socket) -> None:
        end.sendall(end.recv(1000))

    child = nursery.fork(repeat)
    child.send({"a": 1})
    nursery.wait(lambda: bool(nursery.ended))
    assert nursery.heard == [{"a": 1}]


@pytest.mark.parametrize(
    ("error", "code"), [(None, 0), (SystemExit(), 0), (SystemExit(7), 7), (SystemExit("why"), 1), (ValueError("x"), 1)]
)
def test_what_the_child_s_side_does(
    error: BaseException | None, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    near, far = socket.socketpair()
    inherited = socket.socket()
    called: list[socket.socket] = []

    def main(end: socket.socket) -> None:
        called.append(end)
        if error is not None:
            raise error

    assert run_child(main, near, (inherited,)) == code
    assert called == [near]
    assert inherited.fileno() == -1
    assert ("ValueError: x" in capsys.readouterr().err) is isinstance(error, ValueError)
    near.close()
    far.close()


def test_the_end_is_put_into_words() -> None:
    assert how_it_ended(3 << 8) == "status 3"
    assert how_it_ended(signal.SIGSEGV) == "signal SIGSEGV"
    assert how_it_ended(40) == "signal 40"


def test_other_threads_forbid_to_fork() -> None:
    check_can_fork()
    release = threading.Event()
    other = threading.Thread(target=release.wait, name="the other one")
    other.start()
    with pytest.raises(InvalidState) as caught:
        check_can_fork()
    assert caught.value.context["threads"] == ("the other one",)
    release.set()
    other.join()


def test_a_system_without_fork_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(NotSupported, match="thread"):
        check_can_fork()


@pytest.mark.parametrize("what", ["socketpair", "fork"])
def test_a_system_that_has_no_more_is_told_of(
    what: str, nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError(11, "no more")

    monkeypatch.setattr(socket if what == "socketpair" else os, what, refuse)
    with pytest.raises(ResourceExhausted):
        nursery.fork(nothing)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    assert sys.stdout is not None
