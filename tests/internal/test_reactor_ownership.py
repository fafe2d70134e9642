"""Who owns a reactor, and what everybody else is refused."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from hioload_ws.api.errors import InvalidState, WrongThread
from hioload_ws.api.poller import READABLE, Readiness
from hioload_ws.api.types import Handle
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.fake.poller import ScriptedPoller
from hioload_ws.internal.reactor import PollReactor

A, B = Handle(1), Handle(2)


@pytest.fixture
def reactor() -> Iterator[PollReactor]:
    clock = VirtualClock()
    made = PollReactor(ScriptedPoller(clock), clock)
    yield made
    made.close()


def ignore(readiness: Readiness) -> None:
    """A callback of which only the registration matters."""


def in_thread(function: Callable[[], object]) -> BaseException | None:
    """Call ``function`` on another thread and return what it raised."""
    raised: list[BaseException] = []

    def call() -> None:
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    return raised[0] if raised else None


def test_running_twice_and_closing_while_running_are_refused(reactor: PollReactor) -> None:
    refused: list[type[Exception]] = []

    def misuse() -> None:
        for call in (reactor.run, lambda: reactor.run_once(0), reactor.close):
            with pytest.raises(InvalidState) as caught:
                call()
            refused.append(caught.type)

    reactor.post(misuse)
    reactor.run_once(0)
    assert refused == [InvalidState] * 3 and reactor.stats().error_count == 0


def test_all_but_post_stop_and_stats_are_refused_from_another_thread_while_it_runs(
    reactor: PollReactor,
) -> None:
    log: list[str] = []
    calls: list[Callable[[], object]] = [
        lambda: reactor.register(B, READABLE, ignore),
        lambda: reactor.modify(A, READABLE),
        lambda: reactor.unregister(A),
        lambda: reactor.at_turn_end(list),
        lambda: reactor.scheduler.schedule(0, list),
        lambda: reactor.scheduler.schedule_every(1, list),
        lambda: reactor.run_once(0),
    ]
    answers: list[BaseException | None] = []
    allowed: list[BaseException | None] = []

    def probe() -> None:
        answers.extend(in_thread(call) for call in calls)
        for call in (lambda: reactor.post(lambda: log.append("posted")), reactor.stats, reactor.stop):
            allowed.append(in_thread(call))
        answers.append(in_thread(reactor.run))

    reactor.register(A, READABLE, ignore)
    reactor.post(probe)
    reactor.run()
    assert [type(answer) for answer in answers] == [WrongThread] * 7 + [InvalidState]
    assert allowed == [None] * 3
    assert log == ["posted"]


def test_ownership_ends_with_run_and_lasts_after_run_once(reactor: PollReactor) -> None:
    reactor.stop()
    reactor.run()
    assert in_thread(lambda: reactor.register(A, READABLE, ignore)) is None
    reactor.run_once(0)
    assert isinstance(in_thread(lambda: reactor.unregister(A)), WrongThread)
    reactor.stop()
    assert in_thread(reactor.run) is None
    assert in_thread(lambda: reactor.unregister(A)) is None
