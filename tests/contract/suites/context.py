"""The contracts of ``Context`` and ``ContextFactory``: values by name that expire and pass to children.

Time is a virtual clock that the checks advance; ``make`` gets it. So each moment is exact, and nothing waits.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

from ...api.clock import Clock
from ...api.context import Context, ContextFactory
from ...api.errors import InvalidArgument, NotFound
from ...fake.clock import VirtualClock
from ..interleave import interruptions
from ..model import Operation, explore
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial

FACTORY = (
    must("CTF-01", "create returns a new, empty context each time."),
    must("CTF-02", "Contexts that were made apart share nothing, nor do their children.", "CTF-01"),
    must("CTF-03", "Two threads may create at once.", "CTF-01"),
)

CONTEXT = (
    must("CTX-01", "A new context is empty: no key, length 0, the default for every get."),
    must("CTX-02", "get returns the very value that was set, None and a falsy one too.", "CTX-01"),
    must("CTX-03", "Setting a key again replaces value, propagation and expiry.", "CTX-02"),
    must("CTX-04", "delete removes a value and answers whether there was one.", "CTX-02"),
    must("CTX-05", "keys and iteration show the keys in the order of first setting, as they were then.", "CTX-04"),
    must("CTX-06", "From its deadline on a value is absent in every respect, and not before.", "CTX-02"),
    must("CTX-07", "expire gives an existing value another end, or none.", "CTX-06"),
    must("CTX-08", "expire of what is not there, or not any more, raises NotFound.", "CTX-06"),
    must("CTX-09", "A time to live below 1 raises InvalidArgument, and changes nothing.", "CTX-06"),
    must("CTX-10", "A child has the propagated values and no others, with the expiry they have.", "CTX-06"),
    must("CTX-11", "Later changes do not pass between parent and child.", "CTX-10"),
    must("CTX-12", "Propagated values pass to grandchildren; is_propagated tells which do.", "CTX-10"),
    must("CTX-13", "What is no text is no key: it is not contained.", "CTX-02"),
    must("CTX-14", "Two threads that set at once lose nothing.", "CTX-05"),
    must(
        "CTX-15",
        "Any mixture of calls does what a dictionary with deadlines does.",
        "CTX-05",
        "CTX-07",
        "CTX-10",
    ),
)


class ContextFactoryContract(Contract, name="context-factory", requirements=FACTORY):
    """What every factory of contexts owes; override ``make``."""

    def make(self, clock: Clock) -> ContextFactory:
        """Return a new factory of contexts whose values expire by ``clock``."""
        raise NotImplementedError

    @requirement("CTF-01")
    def new_ones_are_empty(self, trial: Trial) -> None:
        factory = trial.make(self.make, VirtualClock())
        first, second = factory.create(), factory.create()
        trial.true(first is not second, "two contexts are two")
        trial.equal((list(first.keys()), len(first), list(second.keys())), ([], 0, []), "keys, length, keys")

    @requirement("CTF-02")
    def nothing_is_shared(self, trial: Trial) -> None:
        factory = trial.make(self.make, VirtualClock())
        first, second = factory.create(), factory.create()
        trial.did("set('a', 1, propagated=True) in the first of two")
        first.set("a", 1, propagated=True)
        found = (list(second.keys()), list(second.child().keys()), list(factory.create().keys()))
        trial.equal(found, ([], [], []), "keys of the second, of its child, and of a third")

    @requirement("CTF-03")
    def threads_may_create(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            factory = trial.make(self.make, VirtualClock())
            trial.did(f"hold create() at step {schedule.at}, and create() on another thread meanwhile")
            first, second = schedule.run(factory.create, factory.create)
            trial.true(first is not second, "both got a context of their own")
            trial.equal(list(first.keys()), [], "keys of the first")


class ContextContract(Contract, name="context", requirements=CONTEXT):
    """What every context owes; override ``make``."""

    def make(self, clock: Clock) -> Context:
        """Return a new, empty context whose values expire by ``clock``."""
        raise NotImplementedError

    def fresh(self, trial: Trial) -> tuple[Context, VirtualClock]:
        """Return a fresh context, and its clock."""
        clock = VirtualClock(start_ns=1_000_000)
        return trial.make(self.make, clock), clock

    @requirement("CTX-01")
    def new_one_is_empty(self, trial: Trial) -> None:
        context, _ = self.fresh(trial)
        absent(trial, context, "a")
        trial.equal((len(context), list(context.keys()), list(context)), (0, [], []), "length, keys, iteration")
        trial.equal(list(context.child().keys()), [], "keys of a child")

    @requirement("CTX-02")
    def values_are_kept(self, trial: Trial) -> None:
        context, _ = self.fresh(trial)
        values = (object(), None, 0, "", False, [1], b"x")
        for number, value in enumerate(values):
            trial.did(f"set('{number}', {value!r})")
            context.set(str(number), value)
        for number, value in enumerate(values):
            trial.same(context.get(str(number), "default"), value, f"get('{number}')")
            trial.true(str(number) in context, "the key is contained")
        trial.equal(len(context), len(values), "the length")
        trial.equal(context.get("other", "default"), "default", "get of what is not there")

    @requirement("CTX-03")
    def setting_replaces_all(self, trial: Trial) -> None:
        context, clock = self.fresh(trial)
        trial.did("set('a', 1, propagated=True, ttl_ns=100), set('a', 2)")
        context.set("a", 1, propagated=True, ttl_ns=100)
        context.set("a", 2)
        found = (context.get("a"), context.is_propagated("a"), len(context))
        trial.equal(found, (2, False, 1), "value, propagated, length")
        clock.advance(1000)
        trial.equal(context.get("a"), 2, "the value after the old one's end")
        trial.did("set('a', 3, propagated=True, ttl_ns=100)")
        context.set("a", 3, propagated=True, ttl_ns=100)
        trial.equal(context.is_propagated("a"), True, "propagated")
        clock.advance(100)
        absent(trial, context, "a")

    @requirement("CTX-04")
    def values_are_deleted(self, trial: Trial) -> None:
        context, _ = self.fresh(trial)
        context.set("a", None)
        context.set("b", 1)
        trial.did("delete('a'), twice, and delete('never')")
        trial.equal([context.delete(key) for key in ("a", "a", "never")], [True, False, False], "what delete answers")
        absent(trial, context, "a")
        trial.equal((len(context), context.get("b")), (1, 1), "the length, and the other value")

    @requirement("CTX-05")
    def order_is_that_of_setting(self, trial: Trial) -> None:
        context, _ = self.fresh(trial)
        for key in "zamb":
            context.set(key, key)
        context.set("a", "again")
        trial.did("set z, a, m, b, and a again")
        trial.equal((list(context.keys()), list(context)), (list("zamb"), list("zamb")), "keys and iteration")
        before, walk = context.keys(), iter(context)
        context.delete("z")
        context.set("z", 1)
        context.set("new", 1)
        trial.equal((list(before), list(walk)), (list("zamb"), list("zamb")), "keys and iteration, asked for before")
        trial.equal(list(context.keys()), ["a", "m", "b", "z", "new"], "the keys after delete and set")

    @requirement("CTX-06")
    def values_expire(self, trial: Trial) -> None:
        context, clock = self.fresh(trial)
        trial.did("set('a', 1, ttl_ns=100, propagated=True), set('b', 2)")
        context.set("a", 1, ttl_ns=100, propagated=True)
        context.set("b", 2)
        clock.advance(99)
        found = (context.get("a"), "a" in context, len(context), list(context), context.is_propagated("a"))
        trial.equal(found, (1, True, 2, ["a", "b"], True), "value, contained, length, keys, propagated: 1 ns before")
        clock.advance(1)
        absent(trial, context, "a")
        left = (len(context), list(context.keys()), list(context), "a" in context.child())
        trial.equal(left, (1, ["b"], ["b"], False), "length, keys, iteration, and in a child: at the deadline")
        trial.did("set('a', 3) after the old one's end")
        context.set("a", 3)
        trial.equal((context.get("a"), context.is_propagated("a")), (3, False), "the new value, and propagated")
        trial.equal(list(context.keys()), ["b", "a"], "the keys")

    @requirement("CTX-07")
    def ends_are_moved(self, trial: Trial) -> None:
        context, clock = self.fresh(trial)
        for key in ("later", "sooner", "never", "now"):
            context.set(key, key, ttl_ns=100, propagated=True)
        context.set("now", 1)
        trial.did("expire: 'later' in 200, 'sooner' in 10, 'never' never, 'now' (which had no end) in 50")
        for key, ttl_ns in (("later", 200), ("sooner", 10), ("never", None), ("now", 50)):
            context.expire(key, ttl_ns)
        seen = []
        for step_ns in (9, 1, 39, 1, 149, 1, 10**9):
            clock.advance(step_ns)
            seen.append(sorted(context.keys()))
        both, one = ["later", "never"], ["never"]
        wanted = [["later", "never", "now", "sooner"], [*both, "now"], [*both, "now"], both, both, one, one]
        trial.equal(seen, wanted, "the keys after 9, 10, 49, 50, 199, 200 ns, and a second")
        trial.equal((context.get("never"), context.is_propagated("never")), ("never", True), "value, propagated")

    @requirement("CTX-08")
    def nothing_has_no_end(self, trial: Trial) -> None:
        context, clock = self.fresh(trial)
        context.set("gone", 1, ttl_ns=10)
        context.set("deleted", 1)
        context.delete("deleted")
        clock.advance(10)
        for key in ("never", "gone", "deleted"):
            for ttl_ns in (100, None):
                trial.raises(NotFound, f"expire({key!r}, {ttl_ns})", partial(context.expire, key, ttl_ns))
            absent(trial, context, key)

    @requirement("CTX-09")
    def ends_lie_ahead(self, trial: Trial) -> None:
        context, clock = self.fresh(trial)
        context.set("a", 1)
        for ttl_ns in (0, -1, -(10**9)):
            trial.raises(InvalidArgument, f"set('a', 2, ttl_ns={ttl_ns})", partial(context.set, "a", 2, ttl_ns=ttl_ns))
            trial.raises(InvalidArgument, f"set('b', 2, ttl_ns={ttl_ns})", partial(context.set, "b", 2, ttl_ns=ttl_ns))
            trial.raises(InvalidArgument, f"expire('a', {ttl_ns})", partial(context.expire, "a", ttl_ns))
        clock.advance(10**9)
        trial.equal((context.get("a"), list(context.keys())), (1, ["a"]), "the value, and the keys")

    @requirement("CTX-10")
    def children_get_what_is_propagated(self, trial: Trial) -> None:
        context, clock = self.fresh(trial)
        value = object()
        trial.did("set p, q (for 100 ns), r (for 10 ns), all propagated, and l; 10 ns pass; child()")
        context.set("p", value, propagated=True)
        context.set("l", 1)
        context.set("q", 2, propagated=True, ttl_ns=100)
        context.set("r", 3, propagated=True, ttl_ns=10)
        clock.advance(10)
        child = context.child()
        trial.true(child is not context, "the child is another context")
        trial.equal((list(child.keys()), len(child)), (["p", "q"], 2), "keys and length of the child")
        trial.same(child.get("p"), value, "the value of 'p' in the child")
        clock.advance(89)
        trial.equal(child.get("q"), 2, "'q' in the child, 1 ns before its end")
        clock.advance(1)
        absent(trial, child, "q")

    @requirement("CTX-11")
    def changes_stay_where_they_are(self, trial: Trial) -> None:
        context, clock = self.fresh(trial)
        for key in "abcd":
            context.set(key, 1, propagated=True, ttl_ns=1000)
        child = context.child()
        trial.did("change a, b, c, d and add e in the parent; f and g in the child")
        context.set("a", 2, propagated=True)
        context.delete("b")
        context.expire("c", 10)
        context.set("e", 1, propagated=True)
        child.set("f", 1, propagated=True)
        child.delete("d")
        clock.advance(20)
        trial.equal({key: child.get(key) for key in child}, {"a": 1, "b": 1, "c": 1, "f": 1}, "the child")
        trial.equal({key: context.get(key) for key in context}, {"a": 2, "d": 1, "e": 1}, "the parent")

    @requirement("CTX-12")
    def grandchildren_inherit(self, trial: Trial) -> None:
        context, _ = self.fresh(trial)
        context.set("p", 1, propagated=True)
        context.set("l", 1)
        child = context.child()
        child.set("own", 1)
        child.set("given", 1, propagated=True)
        found = [context.is_propagated(key) for key in ("p", "l", "never")]
        found += [child.is_propagated(key) for key in ("p", "own", "given", "l")]
        wanted = [True, False, False, True, False, True, False]
        trial.equal(found, wanted, "is_propagated of p, l, never; in the child: p, own, given, l")
        trial.equal(list(child.child().keys()), ["p", "given"], "keys of the grandchild")

    @requirement("CTX-13")
    def keys_are_texts(self, trial: Trial) -> None:
        context, _ = self.fresh(trial)
        context.set("1", 1)
        odd: tuple[object, ...] = (1, b"1", None, ("1",), 1.0, [], {})
        for key in odd:
            trial.did(f"{key!r} in context")
            trial.same(key in context, False, f"whether {key!r} is contained")
        trial.true("1" in context, "'1' is contained")
        context.set("", "empty")
        trial.equal(context.get(""), "empty", "the value of the empty key, which is a text")

    @requirement("CTX-14")
    def threads_lose_nothing(self, trial: Trial) -> None:
        for schedule in interruptions(trial):
            context, clock = self.fresh(trial)
            context.set("old", 1, ttl_ns=1)
            clock.advance(1)
            trial.did(f"hold set('a') at step {schedule.at}; set('b'), delete('c'), keys() on another thread meanwhile")
            context.set("c", 1)

            def meanwhile(context: Context = context) -> object:
                context.set("b", 2)
                return context.delete("c"), len(context.keys())

            _, found = schedule.run(partial(context.set, "a", 1), meanwhile)
            trial.true(found in ((True, 1), (True, 2)), "delete answers True; keys shows one or two", got=found)
            trial.equal({key: context.get(key) for key in sorted(context)}, {"a": 1, "b": 2}, "the values")

    @requirement("CTX-15")
    def model_agrees(self, trial: Trial) -> None:
        explore(trial, _draw, lambda script: self._replay(trial, script), scripts=trial.rounds(30, 500))

    def _replay(self, trial: Trial, script: Sequence[Operation]) -> None:
        context, clock = self.fresh(trial)
        model: dict[str, tuple[int, bool, int | None]] = {}
        for name, value in script:
            key, now_ns = "abcde"[value % 5], clock.now_ns()
            trial.did(f"{name}({key!r}, {value})")
            if name == "set":
                model.pop(key) if key in model and _ended(model[key], now_ns) else None
                ttl_ns = value if value % 3 else None
                context.set(key, value, propagated=value % 2 == 0, ttl_ns=ttl_ns)
                model[key] = (value, value % 2 == 0, None if ttl_ns is None else now_ns + ttl_ns)
            elif name == "delete":
                there = key in model and not _ended(model.pop(key), now_ns)
                trial.equal(context.delete(key), there, "what delete answers")
            elif name == "expire" and key in model and not _ended(model[key], now_ns):
                context.expire(key, value)
                model[key] = (*model[key][:2], now_ns + value)
            elif name == "pass":
                clock.advance(value)
            elif name == "child":
                context = context.child()
                model = {key: each for key, each in model.items() if each[1]}
            model = {key: each for key, each in model.items() if not _ended(each, clock.now_ns())}
            trial.equal(list(context.keys()), list(model), "the keys")
            found = {key: (context.get(key), context.is_propagated(key)) for key in model}
            trial.equal(found, {key: each[:2] for key, each in model.items()}, "values and propagation")
            trial.equal(len(context), len(model), "the length")


def absent(trial: Trial, context: Context, key: str) -> None:
    """Expect that there is no value under the key."""
    missing = object()
    found = (context.get(key, missing) is missing, context.get(key), key in context, context.is_propagated(key))
    trial.equal(found, (True, None, False, False), f"default, None, contained, propagated of {key!r}, which is absent")
    trial.equal((context.delete(key), list(context.keys()).count(key)), (False, 0), "delete(), and it in the keys")


def _ended(entry: tuple[int, bool, int | None], now_ns: int) -> bool:
    return entry[2] is not None and entry[2] <= now_ns


def _draw(rng: random.Random) -> Operation:
    return rng.choice(("set", "set", "set", "delete", "expire", "pass", "child")), rng.randint(1, 30)


SUITES = (ContextFactoryContract, ContextContract)

__all__ = ["SUITES", "ContextContract", "ContextFactoryContract", "absent"]
