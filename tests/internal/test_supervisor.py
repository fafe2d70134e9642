"""Workers that are there, whatever happens to one of them: played workers, virtual time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api import HioloadError, ResourceExhausted, WorkerLost
from hioload_ws.fake.reactor import VirtualReactor, virtual_reactor
from hioload_ws.internal.supervisor import FIRST_PAUSE_NS, MAX_LOSSES, STABLE_NS, Seat, Supervisor

SECOND = 1_000_000_000


class Actor:
    """A worker that does what it is told, at once or when the test says."""

    def __init__(self, seat: Seat, obedient: bool) -> None:
        self.seat = seat
        self.obedient = obedient
        self.told: list[str] = []
        self.lives = True

    def stop(self) -> None:
        self.told.append("stop")
        if self.obedient:
            self.end("status 0")

    def kill(self) -> None:
        self.told.append("kill")
        self.end("signal SIGKILL")

    def end(self, how: str = "status 1") -> None:
        if self.lives:
            self.lives = False
            self.seat.has_ended(how)


class Stage:
    """A supervisor and all workers it ever had."""

    def __init__(self, count: int = 2, *, obedient: bool = True) -> None:
        self.virtual: VirtualReactor = virtual_reactor()
        self.actors: list[Actor] = []
        self.lost: list[WorkerLost] = []
        self.empty_count = 0
        self.obedient = obedient
        self.refuse: HioloadError | None = None
        self.supervisor = Supervisor(self.virtual.reactor, count, self._spawn, self._note, self._empty)

    def _spawn(self, seat: Seat) -> Actor:
        if self.refuse is not None:
            raise self.refuse
        self.actors.append(Actor(seat, self.obedient))
        return self.actors[-1]

    def _note(self, error: BaseException, origin: object) -> None:
        assert isinstance(error, WorkerLost)
        self.lost.append(error)

    def _empty(self) -> None:
        self.empty_count += 1

    def living(self) -> list[Actor]:
        return [actor for actor in self.actors if actor.lives]

    def all_ready(self) -> None:
        for actor in self.living():
            if not actor.seat.ready:
                actor.seat.is_ready()


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    made.supervisor.start()
    made.all_ready()
    yield made
    made.virtual.reactor.close()


def test_each_slot_gets_a_worker(stage: Stage) -> None:
    assert [actor.seat.number for actor in stage.actors] == [0, 1]
    assert stage.supervisor.is_complete
    assert stage.lost == []


def test_a_lost_worker_is_reported_and_replaced_and_the_others_are_unharmed(stage: Stage) -> None:
    stage.actors[0].end("signal SIGSEGV")
    assert [error.context for error in stage.lost] == [{"worker": 0, "how": "signal SIGSEGV", "in_a_row": 1}]
    stage.virtual.settle()
    assert [actor.seat.number for actor in stage.living()] == [1, 0]
    assert stage.actors[1].told == []
    assert stage.supervisor.replaced_count == 1


def test_losses_in_a_row_are_followed_by_longer_pauses_and_then_by_the_end(stage: Stage) -> None:
    for number in range(MAX_LOSSES - 1):
        stage.living()[-1].end()
        if number:
            stage.virtual.advance((FIRST_PAUSE_NS << number - 1) - 1)
            assert len(stage.living()) == 1
            stage.virtual.advance(1)
        else:
            stage.virtual.settle()
        assert len(stage.living()) == 2
    stage.living()[-1].end()
    assert stage.supervisor.gave_up is stage.lost[-1]
    assert stage.lost[-1].context["in_a_row"] == MAX_LOSSES
    assert (stage.living(), stage.empty_count) == ([], 1)  # the other one was asked to end


def test_a_worker_that_lived_long_begins_a_new_row(stage: Stage) -> None:
    for _ in range(3 * MAX_LOSSES):
        stage.virtual.advance(STABLE_NS)
        stage.living()[-1].end()
        stage.virtual.settle()
    assert {error.context["in_a_row"] for error in stage.lost} == {1}
    assert stage.supervisor.gave_up is None


def test_a_worker_that_can_not_be_started_is_a_loss(stage: Stage) -> None:
    stage.refuse = ResourceExhausted("no process left")
    stage.actors[0].end()
    stage.virtual.settle()
    assert stage.lost[1].__cause__ is stage.refuse
    stage.refuse = None
    stage.virtual.advance(FIRST_PAUSE_NS)
    assert len(stage.living()) == 2


def test_a_restart_starts_successors_and_then_ends_the_old_ones() -> None:
    stage = Stage(obedient=False)
    stage.supervisor.start()
    assert not stage.supervisor.restart()  # they do not serve yet
    stage.all_ready()
    old = stage.living()
    assert stage.supervisor.restart()
    assert not stage.supervisor.restart()  # one at a time
    assert [actor.told for actor in old] == [[], []]
    stage.all_ready()
    assert [actor.told for actor in old] == [["stop"], ["stop"]]
    assert stage.supervisor.is_complete
    assert len(stage.supervisor.seats) == 4
    old[0].end("status 0")
    assert (stage.lost, len(stage.supervisor.seats)) == ([], 3)
    stage.supervisor.stop(SECOND)
    assert old[1].told == ["stop"]  # once is enough
    stage.virtual.advance(SECOND)
    assert stage.living() == []
    stage.virtual.reactor.close()


def test_a_successor_that_is_lost_leaves_the_old_one_in_force(stage: Stage) -> None:
    old = stage.living()
    stage.supervisor.restart()
    stage.actors[2].end()
    assert len(stage.lost) == 1
    stage.all_ready()
    assert (old[0].told, old[1].told) == ([], ["stop"])
    assert stage.supervisor.is_complete
    stage.virtual.advance(SECOND)
    assert len(stage.actors) == 4


def test_an_old_one_that_is_lost_while_its_successor_starts_is_not_replaced_twice(stage: Stage) -> None:
    stage.supervisor.restart()
    stage.actors[0].end()
    stage.virtual.advance(SECOND)
    assert len(stage.actors) == 4
    stage.all_ready()
    assert stage.supervisor.is_complete


def test_stopping_asks_all_and_kills_who_stays() -> None:
    stage = Stage(obedient=False)
    stage.supervisor.start()
    stage.all_ready()
    stage.supervisor.stop(SECOND)
    stage.supervisor.stop(SECOND)
    assert not stage.supervisor.restart()
    stage.actors[0].end("status 0")
    stage.virtual.advance(SECOND)
    assert [actor.told for actor in stage.actors] == [["stop"], ["stop", "kill"]]
    assert (stage.supervisor.drained, stage.empty_count, stage.lost) == (False, 1, [])
    stage.virtual.reactor.close()


def test_stopping_takes_back_what_was_to_be_started(stage: Stage) -> None:
    for _ in range(2):
        stage.living()[-1].end()
        stage.virtual.settle()
    assert len(stage.living()) == 1
    stage.supervisor.stop(SECOND)
    stage.virtual.advance(10 * SECOND)
    assert (stage.living(), stage.empty_count, stage.supervisor.drained) == ([], 1, True)


EVENTS = st.sampled_from(["ready", "lose", "restart", "time"])


@given(st.lists(st.tuples(EVENTS, st.integers(0, 5)), max_size=40))
def test_whatever_happens_a_slot_has_one_worker_in_force_and_one_successor_at_most(
    events: list[tuple[str, int]],
) -> None:
    stage = Stage(3, obedient=True)
    stage.supervisor.start()
    for event, number in events:
        living = stage.living()
        if event == "restart":
            stage.supervisor.restart()
        elif event == "time":
            stage.virtual.advance(STABLE_NS)
        elif living:
            actor = living[number % len(living)]
            if event == "lose":
                actor.end()
            elif not actor.seat.ready:
                actor.seat.is_ready()
        slots = [actor.seat.number for actor in stage.living()]
        assert all(slots.count(slot) <= 2 for slot in slots)
        assert {id(seat) for seat in stage.supervisor.seats} == {id(actor.seat) for actor in stage.living()}
    if stage.supervisor.gave_up is None:
        stage.virtual.advance(STABLE_NS)
        stage.all_ready()
        assert stage.supervisor.is_complete
        assert sorted(actor.seat.number for actor in stage.living()) == [0, 1, 2]
    stage.supervisor.stop(SECOND)
    stage.virtual.advance(SECOND)
    assert (stage.living(), stage.empty_count) == ([], 1)
    stage.virtual.reactor.close()
