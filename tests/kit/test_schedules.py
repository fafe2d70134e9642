"""Exploration of schedules: planted races and deadlocks are found, told and found again; what is right passes."""

from __future__ import annotations

import _thread
import gc
import queue
import random
import threading
import time
from collections.abc import Sequence
from typing import TypeVar

import pytest
from hioload_ws.contract import Contract, check, must, requirement
from hioload_ws.contract.controller import Controller, Reuse, Task
from hioload_ws.contract.history import Call, Recorder
from hioload_ws.contract.schedules import Body, Scene, explore
from hioload_ws.contract.strategies import BoundedSearch, Pct, RandomWalk
from hioload_ws.contract.stress import race
from hioload_ws.contract.trial import Broken, Trial
from hioload_ws.internal.atomics import queue as atomic_queue

S = TypeVar("S")


class Account:
    """Counts, in three steps as C would not, or under a lock."""

    def __init__(self, lock: threading.Lock | None = None) -> None:
        self.total = 0
        self.lock = lock

    def add(self) -> None:
        if self.lock is None:
            self.total += 1
            return
        with self.lock:
            self.total += 1


def add(name: str) -> Body[Account]:
    return lambda account, recorder: recorder.call(name, "add", account.add)


def tell(account: Account, recorder: Recorder) -> None:
    recorder.call("end", "total", lambda: account.total)




def account_scene(locked: bool) -> Scene[Account]:
    return Scene(lambda: Account(threading.Lock() if locked else None), {"A": add("A"), "B": add("B")}, tell)


def explored(scene: Scene[S], wanted: object, seed: int = 1, *, fine: bool | None = None) -> int:
    trial = Trial(str(seed))

    def judge(calls: Sequence[Call]) -> None:
        trial.equal(calls[-1].result, wanted, "the last answer")

    try:
        return explore(trial, scene, judge, fine=fine)
    finally:
        trial.close()


@pytest.mark.parametrize("seed", range(5))
def test_a_lost_update_is_found_in_unmodified_code(seed: int) -> None:
    with pytest.raises(Broken) as caught:
        explored(account_scene(locked=False), 2, seed)
    finding = caught.value.finding
    assert (finding.got, finding.wanted) == ("1", "2")
    # Shortened to the one switch that matters: one thread is held between its load and its store.
    assert sum("is held at" in line for line in finding.did) == 1
    assert "test_schedules.py" in finding.did[0] and "in add, before STORE_ATTR total" in finding.did[0]


def test_the_same_seed_finds_the_same_schedule() -> None:
    found = []
    for _ in range(2):
        with pytest.raises(Broken) as caught:
            explored(account_scene(locked=False), 2, seed=7)
        found.append(caught.value.finding)
    assert found[0] == found[1]


def test_code_under_a_lock_passes_and_both_tiers_were_used() -> None:
    coarse = explored(account_scene(locked=True), 2, fine=False)
    assert coarse > 2
    assert explored(account_scene(locked=True), 2) > coarse


def test_a_deadlock_is_told_with_what_each_waits_for() -> None:
    def in_order(first: int, second: int, name: str) -> Body[list[threading.Lock]]:
        def body(locks: list[threading.Lock], recorder: Recorder) -> None:
            with locks[first], locks[second]:
                recorder.call(name, "work", lambda: None)

        return body

    scene: Scene[list[threading.Lock]] = Scene(
        lambda: [threading.Lock(), threading.Lock()],
        {"A": in_order(0, 1, "A"), "B": in_order(1, 0, "B")},
    )
    trial = Trial("1")
    with pytest.raises(Broken, match="deadlock: all wait: .*A at wait for a lock, B at wait for a lock"):
        explore(trial, scene, lambda calls: None)
    trial.close()


def test_a_run_without_end_is_told_as_such() -> None:
    class Spins:
        stop = False

        def spin(self) -> None:
            while not self.stop:
                pass

    scene: Scene[Spins] = Scene(Spins, {"A": lambda subject, recorder: subject.spin()})
    trial = Trial("1")
    with pytest.raises(Broken, match="endless: no end after"):
        explore(trial, scene, lambda calls: None, fine=True)
    trial.close()


def test_one_that_spins_until_another_is_through_does_not_keep_it_from_that() -> None:
    class Hand:
        given = False

        def wait(self) -> bool:
            while not self.given:
                pass
            return self.given

        def give(self) -> None:
            self.given = True

    threads = {"A": lambda hand, recorder: hand.wait(), "B": lambda hand, recorder: hand.give()}
    scene: Scene[Hand] = Scene(Hand, threads, lambda hand, recorder: recorder.call("end", "wait", hand.wait))
    assert explored(scene, True) > 10


def test_conditions_queues_events_and_threads_of_the_library_come_along() -> None:
    class Pipeline:
        def __init__(self) -> None:
            self.tasks: queue.Queue[int] = queue.Queue()
            self.done = threading.Event()
            self.sums: list[int] = []
            self.worker = threading.Thread(target=self.work, name="worker")
            self.worker.start()

        def work(self) -> None:
            assert threading.current_thread() is self.worker
            while (number := self.tasks.get()) != 0:
                self.sums.append(number)
            self.done.set()

        def finish(self) -> tuple[list[int], bool, bool]:
            self.tasks.put(0)
            found = self.done.wait(60), self.worker.is_alive()
            self.worker.join()
            return sorted(self.sums), found[0], self.worker.is_alive()

    def put(number: int) -> Body[Pipeline]:
        return lambda pipeline, recorder: pipeline.tasks.put(number)

    scene: Scene[Pipeline] = Scene(
        Pipeline,
        {"A": put(1), "B": put(2)},
        lambda pipeline, recorder: recorder.call("end", "finish", pipeline.finish),
    )
    assert explored(scene, ([1, 2], True, False)) > 10
    assert not [thread for thread in threading.enumerate() if thread.name == "worker"]


def test_a_time_out_passes_when_nothing_else_can_happen() -> None:
    def wait(event: threading.Event, recorder: Recorder) -> None:
        recorder.call("A", "wait", lambda: event.wait(3600))

    begin = time.monotonic()
    explored(Scene(threading.Event, {"A": wait}), False)
    assert time.monotonic() - begin < 600


def test_a_thread_that_waits_for_a_lock_nobody_sees_is_overtaken() -> None:
    hidden = threading.Lock()  # made before the controller is in charge

    def take(name: str) -> Body[list[str]]:
        def body(subject: list[str], recorder: Recorder) -> None:
            with hidden:
                subject.append(name)
                recorder.call(name, "work", lambda: sorted(subject))

        return body

    scene: Scene[list[str]] = Scene(
        list,
        {"A": take("A"), "B": take("B")},
        lambda subject, recorder: recorder.call("end", "all", lambda: sorted(subject)),
    )
    trial = Trial("1")
    explore(trial, scene, lambda calls: trial.equal(calls[-1].result, ["A", "B"], "all"), quick=4)
    trial.close()


@pytest.mark.time_limit(20)
def test_a_thread_that_ends_where_nobody_saw_it_wait_does_not_keep_the_run() -> None:
    unseen: queue.SimpleQueue[None] = queue.SimpleQueue()
    threads = Reuse()
    controller = Controller(RandomWalk(random.Random(1)), threads)
    controller.spawn("waiter", unseen.get)
    controller.spawn("putter", lambda: unseen.put(None))
    controller.run()
    assert controller.overtaken_count == 1
    threads.close()


def test_what_a_thread_raises_is_raised() -> None:
    def fail(subject: object, recorder: Recorder) -> None:
        raise LookupError("not there")

    trial = Trial("1")
    with pytest.raises(LookupError, match="not there"):
        explore(trial, Scene(object, {"A": fail}), lambda calls: None)
    trial.close()


def test_queues_of_ours_are_named_where_a_thread_is_held() -> None:
    class Slot:
        def __init__(self) -> None:
            self.free = atomic_queue("places", [None])
            self.taken = 0

        def take(self) -> bool:
            if not self.free:
                return False
            self.free.pop()  # may have gone since it was seen
            return True

    def take(slot: Slot, recorder: Recorder) -> None:
        recorder.call("either", "take", slot.take)

    trial = Trial("1")

    def judge(calls: Sequence[Call]) -> None:
        trial.equal(sorted(str(each.result) for each in calls), ["False", "True"], "the answers")

    with pytest.raises(Broken) as caught:
        explore(trial, Scene(Slot, {"A": take, "B": take}), judge, fine=False)
    trial.close()
    assert any("is held at places: pop" in line for line in caught.value.finding.did)


def test_bounded_search_visits_each_schedule_once_and_comes_to_an_end() -> None:
    def play(search: BoundedSearch) -> tuple[str, ...]:
        trace: list[str] = []

        def body(name: str) -> None:
            for number in range(2):
                controller.point("a step")
                trace.append(f"{name}{number}")

        def root() -> None:
            tasks = [controller.spawn(name, lambda name=name: body(name)) for name in "AB"]  # type: ignore[misc]
            controller.is_free = True
            controller.block(lambda: all(each.over for each in tasks), "the end")

        threads = Reuse()
        controller = Controller(search, threads)
        controller.spawn("root", root)
        controller.run()
        threads.close()
        return tuple(trace)

    for bound, least in ((0, 2), (1, 4), (4, 6)):
        search = BoundedSearch(random.Random(1), bound)
        traces = []
        while search.begin():
            traces.append(play(search))
        assert len(traces) < 60
        assert len(set(traces)) >= least
        if bound == 4:
            assert len(set(traces)) == 6  # all orders of two steps of each of two threads


def _tasks(count: int) -> list[Task]:
    return [Task(number, str(number), lambda: None) for number in range(count)]


def test_pct_runs_the_highest_until_its_priority_changes() -> None:
    tasks = _tasks(3)
    chosen = []
    pct = Pct(random.Random(3), steps=10, depth=3)
    current = None
    for _ in range(30):
        current = pct.choose(current, tasks)
        chosen.append(current.number)
    changes = sum(first != second for first, second in zip(chosen, chosen[1:], strict=False))
    assert 0 < changes <= 2


def test_a_random_walk_goes_everywhere() -> None:
    tasks = _tasks(3)
    walk = RandomWalk(random.Random(1))
    assert {walk.choose(tasks[0], tasks).number for _ in range(50)} == {0, 1, 2}


def test_real_threads_are_recorded_and_judged() -> None:
    trial = Trial("1")
    seen: list[int] = []
    race(trial, account_scene(locked=True), lambda calls: seen.append(len(calls)))
    assert seen == [3] * 5
    with pytest.raises(Broken):
        race(trial, account_scene(locked=True), lambda calls: trial.fail("no"))
    assert any("total() -> 2" in step for step in trial.steps)

    def fail(subject: object, recorder: Recorder) -> None:
        raise LookupError("not there")

    with pytest.raises(LookupError):
        race(trial, Scene(object, {"A": fail}), lambda calls: None)


def test_a_garbage_collector_that_runs_code_all_the_time_changes_nothing() -> None:
    def meddle(phase: str, info: dict[str, int]) -> None:
        sorted([phase, str(info)])

    before = gc.get_threshold()
    gc.callbacks.append(meddle)
    gc.set_threshold(1)
    try:
        assert explored(account_scene(locked=True), 2) == explored(account_scene(locked=True), 2)
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(meddle)
    assert gc.isenabled()


def test_an_exploration_that_is_given_up_in_the_middle_leaves_no_thread_behind() -> None:
    class Stuck:
        """Waits for something that no controller sees, until it is closed."""

        def use(self, name: str) -> None:
            gates[name].acquire()

        def close(self) -> None:
            for gate in gates.values():
                if gate.locked():
                    gate.release()

    class StuckContract(Contract, name="stuck", requirements=(must("STK-01", "It can be used."),)):
        """One requirement."""

        @requirement("STK-01")
        def used(self, trial: Trial) -> None:
            def use(name: str) -> Body[Stuck]:
                return lambda subject, recorder: recorder.call(name, "use", lambda: subject.use(name))

            scene: Scene[Stuck] = Scene(lambda: trial.make(Stuck), {"A": use("A"), "B": use("B")})
            explore(trial, scene, lambda calls: None)

    gates = {name: _thread.allocate_lock() for name in "AB"}
    for gate in gates.values():
        gate.acquire()
    before = _thread._count()
    finding = check(StuckContract, Stuck, patience_seconds=0.1)["STK-01"].finding
    assert finding is not None and finding.hung
    end = time.monotonic() + 60
    while _thread._count() > before and time.monotonic() < end:
        time.sleep(0)
    assert _thread._count() == before
