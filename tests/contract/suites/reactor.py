"""The contract of ``Reactor``: one thread that gives everybody a turn.

``make`` returns a reactor that watches descriptors of this machine, or a pair of one and the ``Lines`` that it
watches (``lines.py``). The part about running, stopping and other threads is in ``reactor_running.py``.
"""

from __future__ import annotations

from functools import partial

from ...api.errors import AlreadyExists, NotFound
from ...api.poller import READABLE, WRITABLE, Readiness
from ..requirement import must, refusal, requirement, should
from ..trial import Trial
from .lines import Line
from .reactor_desk import LONG_NS, MILLISECOND_NS
from .reactor_running import RUNNING, RunningContract

TURNS = (
    must("RCT-01", "A turn of a new reactor finds no work, and its counters are 0."),
    must("RCT-02", "The callbacks of ready handles are called with their readiness, others are not.", "RCT-01"),
    must("RCT-03", "A callback is called each turn for as long as its handle is ready.", "RCT-02"),
    must("RCT-04", "modify changes what a handle is watched for.", "RCT-02"),
    must("RCT-05", "After unregister no callback comes, also not for readiness collected in this turn.", "RCT-02"),
    should("RCT-06", "A handle unregistered and registered within a turn takes part from the next.", "RCT-05"),
    must("RCT-07", "Registering twice raises AlreadyExists; the others, for an unknown handle, NotFound.", "RCT-02"),
    must("RCT-08", "Posted functions run in order, not within post.", "RCT-01"),
    must("RCT-09", "A full inbox answers False, and what was accepted runs.", "RCT-08"),
    must("RCT-10", "Functions that post themselves again starve neither events nor timers.", "RCT-08", "RCT-02"),
    must("RCT-11", "What callbacks, posts, timers and ends of turns raise is counted, and stops nobody.", "RCT-08"),
    must("RCT-12", "Timers run when they are due, also while a turn waits longer.", "RCT-01"),
    must("RCT-13", "run_once returns when its time-out is over, with nothing done.", "RCT-01"),
    must("RCT-14", "Ends of a turn run once, in order, after its events, posts and timers.", "RCT-08", "RCT-12"),
    must("RCT-15", "An end of turn that is asked for outside a turn runs in the next, which does not wait.", "RCT-14"),
    must("RCT-16", "Ends of turns that ask for further ones don't keep events from being looked at.", "RCT-14"),
    must("RCT-17", "run_once answers how many events, posts and timers there were.", "RCT-08", "RCT-12"),
    must("RCT-18", "One busy handle, or many, starve nobody.", "RCT-08", "RCT-12"),
)


class ReactorContract(RunningContract, name="reactor", requirements=(*TURNS, *RUNNING)):
    """What every reactor owes; override ``make``."""

    @requirement("RCT-01")
    def new_one_has_no_work(self, trial: Trial) -> None:
        desk = self.desk(trial)
        trial.equal(desk.turn(), 0, "the work of a turn")
        stats = desk.reactor.stats()
        found = (stats.event_count, stats.posted_count, stats.timer_count, stats.error_count, stats.handle_count)
        trial.equal(found, (0, 0, 0, 0, 0), "events, posts, timers, errors and handles")

    @requirement("RCT-02")
    def ready_ones_are_called(self, trial: Trial) -> None:
        desk = self.desk(trial)
        got: list[Readiness] = []
        desk.watch("idle", ready=False)
        line = desk.lines.add()
        for ready in (READABLE, WRITABLE, READABLE | WRITABLE):
            line.set(readable=bool(ready & READABLE), writable=bool(ready & WRITABLE))
            desk.reactor.register(line.handle, READABLE | WRITABLE, got.append)
            desk.turn()
            trial.equal(got, [ready], "what the callback was called with")
            got.clear()
            desk.reactor.unregister(line.handle)
        trial.equal(desk.log, [], "the callbacks of handles that are not ready")

    @requirement("RCT-03")
    def readiness_is_a_level(self, trial: Trial) -> None:
        desk = self.desk(trial)
        line = desk.watch("a")
        for _ in range(3):
            desk.turn()
            trial.equal(desk.taken(), ["a"], "the callbacks of a turn")
        line.set(readable=False, writable=False)
        desk.turn()
        trial.equal(desk.taken(), [], "the callbacks when it is not ready any more")

    @requirement("RCT-04")
    def modify_changes(self, trial: Trial) -> None:
        desk = self.desk(trial)
        line = desk.watch("a")
        for interest, wanted in ((0, []), (READABLE, ["a"]), (WRITABLE, []), (READABLE | WRITABLE, ["a"])):
            trial.did(f"modify(a, {interest})")
            desk.reactor.modify(line.handle, interest)
            desk.turn()
            trial.equal(desk.taken(), wanted, "the callbacks of a turn")

    @requirement("RCT-05")
    def unregistered_are_gone(self, trial: Trial) -> None:
        desk = self.desk(trial)
        lines: dict[str, Line] = {}

        def drop(other: str) -> None:
            desk.reactor.unregister(lines[other].handle)

        for name, other in (("a", "b"), ("b", "a")):
            lines[name] = desk.watch(name, then=partial(drop, other))
        trial.did("both are ready; who comes first unregisters the other")
        desk.turn()
        first = desk.taken()
        trial.true(first in (["a"], ["b"]), "one of two is called", got=first)
        lines[str(first[0])].set(readable=False, writable=False)
        desk.turn()
        trial.equal(desk.taken(), [], "the callbacks of the next turn")

    @requirement("RCT-06")
    def registered_anew_are_late(self, trial: Trial) -> None:
        desk = self.desk(trial)
        lines: dict[str, Line] = {}

        def renew(other: str) -> None:
            if len(desk.log) == 1:
                desk.reactor.unregister(lines[other].handle)
                desk.register(lines[other], f"new {other}")

        for name, other in (("a", "b"), ("b", "a")):
            lines[name] = desk.watch(name, then=partial(renew, other))
        trial.did("both are ready; who comes first registers the other anew")
        desk.turn()
        found = list(desk.log)
        trial.true(found in (["a"], ["b"]), "the new callback is not called in this turn", got=found)
        new = f"new {'b' if found == ['a'] else 'a'}"
        desk.turn_until(lambda: new in desk.log, "the new callback is never called")

    @requirement("RCT-07")
    def unknown_are_refused(self, trial: Trial) -> None:
        desk = self.desk(trial)
        line = desk.watch("a")
        trial.raises(AlreadyExists, "register, again", partial(desk.register, line, "another"))
        other = desk.lines.add()
        trial.raises(NotFound, "modify of an unknown handle", partial(desk.reactor.modify, other.handle, READABLE))
        trial.raises(NotFound, "unregister of an unknown handle", partial(desk.reactor.unregister, other.handle))
        desk.turn()
        trial.equal(desk.taken(), ["a"], "the callbacks of a turn")

    @requirement("RCT-08")
    def posts_run_in_order(self, trial: Trial) -> None:
        desk = self.desk(trial)
        trial.did("post(1 to 20)")
        for number in range(20):
            trial.equal(desk.reactor.post(desk.noting(number)), True, "what post answers")
        trial.equal(desk.log, [], "what ran within post")
        desk.turn_until(lambda: len(desk.log) >= 20, "what was posted did not run")
        desk.turn()
        trial.equal(desk.log, list(range(20)), "what ran")

    @requirement("RCT-09")
    def full_inbox_refuses(self, trial: Trial) -> None:
        desk = self.desk(trial)
        ran: list[int] = []
        accepted_count = 0
        trial.did("post until it answers False")
        while accepted_count < 200_000 and desk.reactor.post(partial(ran.append, accepted_count)):
            accepted_count += 1
            trial.alive()
        if accepted_count == 200_000:
            trial.note("200000 posts were accepted: the inbox was never full")
            return
        trial.did(f"False, after {accepted_count}")
        trial.equal(desk.reactor.stats().refused_post_count, 1, "the refusals counted")
        turn_count = 0
        while len(ran) < accepted_count and turn_count < accepted_count + 10:
            desk.reactor.run_once(0)
            turn_count += 1
            trial.alive()
        trial.equal(ran, list(range(accepted_count)), "what ran")
        trial.equal(desk.reactor.post(partial(ran.append, -1)), True, "what post answers when there is room again")

    @requirement("RCT-10")
    def posts_starve_nobody(self, trial: Trial) -> None:
        desk = self.desk(trial)
        trial.did("post(a function that posts itself)")
        desk.reactor.post(desk.endless("post", desk.reactor.post))
        desk.turn()
        desk.no_flood("post")
        desk.watch("event")
        desk.reactor.scheduler.schedule(0, desk.noting("timer"))
        desk.turn_until(lambda: {"event", "timer", "post"} <= set(desk.log), "somebody starves")

    @requirement("RCT-11")
    def errors_stop_nobody(self, trial: Trial) -> None:
        desk = self.desk(trial)
        reactor = desk.reactor
        for name in "ab":
            desk.watch(name, then=_fail)
        for function in (desk.noting("post", _fail), desk.noting("next post")):
            reactor.post(function)
        for function in (desk.noting("timer", _fail), desk.noting("next timer")):
            reactor.scheduler.schedule(0, function)
        for function in (desk.noting("end", _fail), desk.noting("next end")):
            reactor.at_turn_end(function)
        trial.did("two callbacks, a post, a timer and an end of turn raise")
        desk.turn()
        desk.turn_until(lambda: "next timer" in desk.log and "next post" in desk.log, "somebody was stopped")
        wanted = {"a", "b", "post", "next post", "timer", "next timer", "end", "next end"}
        trial.equal(set(desk.log), wanted, "what ran")
        raised = sum(name in ("a", "b", "post", "timer", "end") for name in desk.log)
        trial.equal(reactor.stats().error_count, raised, "the errors counted")

    @requirement("RCT-12")
    def timers_run_when_due(self, trial: Trial) -> None:
        desk = self.desk(trial)
        clock = desk.reactor.clock
        for delay_ns in (0, 1, 2 * MILLISECOND_NS):
            trial.did(f"schedule({delay_ns}, function)")
            due_ns = clock.now_ns() + delay_ns
            desk.reactor.scheduler.schedule(delay_ns, desk.noting("timer"))
            for turn in range(100):
                desk.turn(LONG_NS if turn else 0)
                if desk.log:
                    break
            trial.equal(desk.taken(), ["timer"], "what ran")
            trial.true(clock.now_ns() >= due_ns, "it is not early", got=clock.now_ns(), wanted=due_ns)
        trial.equal(desk.reactor.scheduler.now_ns() <= clock.now_ns(), True, "the scheduler has the reactor's clock")

    @requirement("RCT-13")
    def time_out_ends_a_turn(self, trial: Trial) -> None:
        desk = self.desk(trial)
        desk.watch("idle", ready=False)
        desk.reactor.scheduler.schedule(LONG_NS, desk.noting("late"))
        for timeout_ns in (0, -1, MILLISECOND_NS):
            trial.equal(desk.turn(timeout_ns), 0, "the work done")
        trial.equal(desk.log, [], "what ran")

    @requirement("RCT-14")
    def ends_come_last(self, trial: Trial) -> None:
        desk = self.desk(trial)
        reactor = desk.reactor

        def ask(name: str) -> None:
            more = partial(reactor.at_turn_end, desk.noting(f"more of {name}"))
            reactor.at_turn_end(desk.noting(f"end of {name}", more))

        line = desk.watch("event", then=partial(ask, "event"))
        reactor.post(desk.noting("post", partial(ask, "post")))
        reactor.scheduler.schedule(0, desk.noting("timer", partial(ask, "timer")))
        desk.turn()
        log = desk.taken()
        names = [name for name in log if " of " not in str(name)]
        trial.equal(sorted(map(str, names)), ["event", "post", "timer"], "events, posts and timers that ran")
        wanted = [*names, *(f"end of {name}" for name in names), *(f"more of {name}" for name in names)]
        trial.equal(log, wanted, "what ran, in order")
        line.set(readable=False, writable=False)
        desk.turn()
        trial.equal(desk.taken(), [], "what ran in the next turn")

    @requirement("RCT-15")
    def ends_do_not_wait(self, trial: Trial) -> None:
        desk = self.desk(trial)
        desk.reactor.at_turn_end(desk.noting("end"))
        trial.equal(desk.log, [], "what ran within at_turn_end")
        desk.turn(LONG_NS)
        trial.equal(desk.log, ["end"], "what ran in the next turn")

    @requirement("RCT-16")
    def ends_starve_nobody(self, trial: Trial) -> None:
        desk = self.desk(trial)
        trial.did("at_turn_end(a function that asks for itself again)")
        desk.reactor.at_turn_end(desk.endless("end", desk.reactor.at_turn_end))
        desk.turn()
        desk.no_flood("end")
        trial.true("end" in desk.taken(), "the end of the turn ran")
        desk.watch("event")
        desk.reactor.post(desk.noting("post"))
        desk.turn_until(lambda: {"event", "post", "end"} <= set(desk.log), "somebody starves")

    @requirement("RCT-17")
    def work_is_counted(self, trial: Trial) -> None:
        desk = self.desk(trial)
        for name in "ab":
            desk.watch(name)
        desk.reactor.post(desk.noting("post"))
        desk.reactor.scheduler.schedule(0, desk.noting("timer"))
        desk.reactor.at_turn_end(desk.noting("end"))
        work_count = 0
        for _ in range(3):
            done_count = desk.turn()
            work_count += done_count
        ran = desk.taken()
        trial.equal(work_count, len(ran) - ran.count("end"), "the work done in three turns")
        stats = desk.reactor.stats()
        counted = (stats.event_count, stats.posted_count, stats.timer_count)
        trial.equal(counted, (ran.count("a") + ran.count("b"), 1, 1), "events, posts and timers counted")

    @requirement("RCT-18")
    def busy_handles_starve_nobody(self, trial: Trial) -> None:
        desk = self.desk(trial)
        names = [f"line {number}" for number in range(30)]
        for name in names:
            desk.watch(name)
        desk.reactor.post(desk.noting("post"))
        desk.reactor.scheduler.schedule(0, desk.noting("timer"))
        desk.turn_until(lambda: {*names, "post", "timer"} <= set(desk.log), "somebody starves")

    @refusal("threads")
    def works_alone(self, trial: Trial) -> None:
        desk = self.desk(trial)
        desk.reactor.post(desk.noting("post"))
        desk.turn(LONG_NS)
        trial.equal(desk.log, ["post"], "what ran")


def _fail() -> None:
    raise ValueError("on purpose")


SUITES = (ReactorContract,)

__all__ = ["SUITES", "ReactorContract"]
