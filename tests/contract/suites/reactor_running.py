"""The part of the reactor's contract about running, stopping, closing, and about other threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from ...api.errors import Closed, HioloadError, InvalidState, WrongThread
from ...api.poller import READABLE
from ..requirement import must, requirement
from ..trial import Trial
from .reactor_desk import MILLISECOND_NS, ReactorBase

_threads = partial(must, capability="threads")

RUNNING = (
    must("RCT-21", "run turns until stop, which lets the turn under way end; it can be run again.", "RCT-08"),
    must("RCT-22", "stop before run makes it return at once.", "RCT-21"),
    must("RCT-23", "While it runs, run and close raise InvalidState, and it goes on.", "RCT-21"),
    must("RCT-24", "After close calls raise Closed and post answers False; closing again is legal.", "RCT-08"),
    must("RCT-25", "close drops what is posted or scheduled, and leaves handles open.", "RCT-24"),
    must("RCT-26", "The counters only grow, and handle_count is that of the handles.", "RCT-02"),
    _threads("RCT-27", "post from another thread wakes it, and the function runs on its own thread.", "RCT-21"),
    _threads("RCT-28", "stop from another thread ends run.", "RCT-21"),
    _threads("RCT-29", "Other threads may not touch it while it runs: WrongThread, and nothing changes.", "RCT-27"),
    _threads("RCT-30", "What several threads post runs, that of each in its order.", "RCT-27"),
)

COUNTERS = ("poll_count", "event_count", "posted_count", "timer_count", "error_count", "refused_post_count")


class RunningContract(ReactorBase, name="reactor-running", requirements=()):
    """Running."""

    @requirement("RCT-21")
    def runs_until_stop(self, trial: Trial) -> None:
        desk = self.desk(trial)
        for number in range(3):
            functions = (desk.noting("first"), desk.noting("stop", desk.reactor.stop), desk.noting("last"))
            trial.did("post(a function, one that stops it, another function); run()")
            for function in functions:
                desk.reactor.post(function)
            desk.reactor.run()
            found = desk.taken()
            trial.true(found[:2] == ["first", "stop"], f"run number {number} runs what was posted", got=found)
            if len(found) == 2:
                desk.turn_until(lambda: desk.log, "what was posted behind stop is lost")
                found += desk.taken()
            trial.equal(found, ["first", "stop", "last"], "what ran in the end")

    @requirement("RCT-22")
    def stop_can_come_first(self, trial: Trial) -> None:
        desk = self.desk(trial)
        for count in (1, 2):
            trial.did(f"stop(), {count} times")
            for _ in range(count):
                desk.reactor.stop()
            trial.returns("run()", desk.reactor.run)
        desk.reactor.post(desk.noting("ran", desk.reactor.stop))
        trial.returns("run() until a posted function stops it", desk.reactor.run)
        trial.equal(desk.log, ["ran"], "what ran: an old stop is used up")

    @requirement("RCT-23")
    def running_is_exclusive(self, trial: Trial) -> None:
        desk = self.desk(trial)
        raised: list[str] = []

        def attempt() -> None:
            calls: tuple[tuple[str, Callable[[], object]], ...] = (
                ("run", desk.reactor.run),
                ("close", desk.reactor.close),
            )
            for name, call in calls:
                try:
                    call()
                except InvalidState:
                    raised.append(name)

        trial.did("run(); within it run() and close()")
        desk.reactor.post(attempt)
        desk.reactor.post(desk.noting("next", desk.reactor.stop))
        desk.reactor.run()
        trial.equal(raised, ["run", "close"], "the calls that raised InvalidState")
        trial.equal(desk.log, ["next"], "what ran after it")

    @requirement("RCT-24")
    def closed_is_closed(self, trial: Trial) -> None:
        desk = self.desk(trial)
        line = desk.watch("a")
        other = desk.lines.add()
        reactor = desk.reactor
        for _ in range(2):
            trial.did("close()")
            reactor.close()
        calls: tuple[tuple[str, Callable[[], object]], ...] = (
            ("register", partial(desk.register, other, "b")),
            ("modify", partial(reactor.modify, line.handle, READABLE)),
            ("unregister", partial(reactor.unregister, line.handle)),
            ("run", reactor.run),
            ("run_once(0)", partial(reactor.run_once, 0)),
        )
        for name, call in calls:
            trial.raises(Closed, f"{name} after close", call)
        trial.equal(reactor.post(desk.noting("post")), False, "what post answers after close")
        trial.did("stop() and stats() after close")
        reactor.stop()
        reactor.stats()
        trial.equal(desk.log, [], "what ran")

    @requirement("RCT-25")
    def close_drops(self, trial: Trial) -> None:
        desk = self.desk(trial)
        line = desk.watch("a")
        desk.reactor.post(desk.noting("post"))
        desk.reactor.scheduler.schedule(0, desk.noting("timer"))
        desk.reactor.at_turn_end(desk.noting("end"))
        trial.did("close()")
        desk.reactor.close()
        line.set(readable=True, writable=True)  # raises, if the handle was closed as well
        try:
            desk.reactor.scheduler.run_due(10)
        except HioloadError:
            trial.did("its scheduler is closed, too")
        trial.equal(desk.log, [], "what ran")

    @requirement("RCT-26")
    def counters_grow(self, trial: Trial) -> None:
        desk = self.desk(trial)
        before = desk.reactor.stats()
        lines = []
        for number in range(4):
            lines.append(desk.watch(f"line {number}"))
            desk.reactor.post(desk.noting("post"))
            desk.taken()
            desk.turn_until(lambda: f"line {number}" in desk.log, "a ready handle is not called")
            now = desk.reactor.stats()
            trial.equal(now.handle_count, number + 1, "the handles counted")
            for name in COUNTERS:
                trial.true(getattr(now, name) >= getattr(before, name), f"{name} does not fall")
            trial.true(now.event_count > before.event_count, "event_count grows with each event")
            trial.true(now.poll_count > before.poll_count, "poll_count grows with each turn")
            before = now
        for line in lines:
            line.set(readable=False, writable=False)
        desk.turn()
        for name in COUNTERS:
            now = desk.reactor.stats()
            trial.true(getattr(now, name) >= getattr(before, name), f"{name} does not fall when nothing happens")
        desk.reactor.unregister(lines[0].handle)
        trial.equal(desk.reactor.stats().handle_count, 3, "the handles counted, when one is gone")

    @requirement("RCT-27")
    def posts_come_from_threads(self, trial: Trial) -> None:
        desk = self.desk(trial)
        for _ in range(5):
            threads: list[int] = []

            def post(threads: list[int] = threads) -> None:
                desk.reactor.post(lambda: threads.append(threading.get_ident()))
                desk.reactor.post(desk.reactor.stop)

            _meanwhile(trial, post)
            trial.returns("run(), while another thread posts", desk.reactor.run)
            trial.equal(threads, [threading.get_ident()], "the threads on which the function ran")

    @requirement("RCT-28")
    def stop_comes_from_threads(self, trial: Trial) -> None:
        desk = self.desk(trial)
        for _ in range(5):
            _meanwhile(trial, desk.reactor.stop)
            trial.returns("run(), while another thread stops it", desk.reactor.run)

    @requirement("RCT-29")
    def threads_keep_off(self, trial: Trial) -> None:
        desk = self.desk(trial)
        line, other = desk.watch("a", ready=False), desk.lines.add()
        reactor = desk.reactor
        raised: list[object] = []
        calls: tuple[Callable[[], object], ...] = (
            partial(reactor.register, other.handle, READABLE, print),
            partial(reactor.modify, line.handle, 0),
            partial(reactor.unregister, line.handle),
            partial(reactor.at_turn_end, print),
            partial(reactor.run_once, 0),
        )

        def touch() -> None:
            for call in calls:
                try:
                    call()
                except HioloadError as error:
                    raised.append(type(error))
                else:
                    raised.append("nothing")
            reactor.post(reactor.stop)

        # Posted by itself first, so that it runs when the other thread comes.
        reactor.post(lambda: _meanwhile(trial, touch))
        trial.did("run(); another thread calls register, modify, unregister, at_turn_end and run_once")
        reactor.run()
        for index, kind in enumerate(raised):
            wanted = (WrongThread,) if index < 4 else (WrongThread, InvalidState)
            trial.true(kind in wanted, f"call number {index + 1} raises", got=kind, wanted=wanted)
        trial.equal(reactor.stats().handle_count, 1, "the handles")

    @requirement("RCT-30")
    def posts_of_threads_are_kept(self, trial: Trial) -> None:
        desk = self.desk(trial)
        ran: list[tuple[int, int]] = []

        def post(number: int) -> None:
            for count in range(200):
                while not desk.reactor.post(partial(ran.append, (number, count))):
                    threading.Event().wait(0.001)

        trial.did("three threads post 200 functions each, while run_once(20 ms) is called again and again")
        for number in range(3):
            _meanwhile(trial, partial(post, number))
        idle_ns = 0
        while len(ran) < 600 and idle_ns < trial.patience_seconds * 1e9:
            begin_ns = desk.lines.now_ns()
            worked = desk.reactor.run_once(20 * MILLISECOND_NS)
            # A turn may end early, and a busy machine may come back late.
            spent_ns = min(desk.lines.now_ns() - begin_ns, 20 * MILLISECOND_NS)
            idle_ns = 0 if worked else idle_ns + spent_ns
            trial.alive()
        for number in range(3):
            of_one = [count for who, count in ran if who == number]
            trial.equal(of_one, list(range(200)), f"what thread {number} posted")


def _meanwhile(trial: Trial, function: Callable[[], object]) -> None:
    """Have another thread do something when this one is probably waiting."""
    timer = threading.Timer(0.002, function)
    timer.daemon = True
    timer.start()
    trial.defer(timer.join)


__all__ = ["RUNNING", "RunningContract"]
