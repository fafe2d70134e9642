"""Contexts: expiry to the nanosecond, propagation, order, and a model that random use is compared with."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hioload_ws.api.context import Context, ContextFactory
from hioload_ws.api.errors import InvalidArgument, NotFound
from hioload_ws.fake.clock import VirtualClock
from hioload_ws.session.context import SWEEP_MIN_COUNT, ValueContext, ValueContextFactory


@pytest.fixture
def context(clock: VirtualClock) -> ValueContext:
    return ValueContext(clock)


def test_the_factory_makes_empty_contexts_that_share_nothing_but_the_clock(clock: VirtualClock) -> None:
    factory: ContextFactory = ValueContextFactory(clock)
    first, second = factory.create(), factory.create()
    first.set("a", 1, ttl_ns=5)
    assert (len(first), len(second)) == (1, 0)
    clock.advance(5)
    assert len(first) == 0


def test_a_value_is_returned_until_deleted_and_the_default_afterwards(context: ValueContext) -> None:
    context.set("a", None)
    assert "a" in context and context.get("a", "default") is None
    assert context.delete("a") is True
    assert context.delete("a") is False
    assert "a" not in context and context.get("a", "default") == "default"


def test_what_is_no_string_is_not_contained(context: ValueContext) -> None:
    assert 1 not in context and [] not in context


ABSENT: list[Callable[[Context], bool]] = [
    lambda context: context.get("a", "gone") == "gone",
    lambda context: "a" not in context,
    lambda context: not context.delete("a"),
    lambda context: not context.is_propagated("a"),
    lambda context: list(context.keys()) == [],
    lambda context: list(context) == [],
    lambda context: len(context) == 0,
    lambda context: len(context.child()) == 0,
]


@pytest.mark.parametrize("absent", ABSENT)
def test_a_value_is_there_one_nanosecond_before_its_deadline_and_absent_at_it(
    context: ValueContext, clock: VirtualClock, absent: Callable[[Context], bool]
) -> None:
    context.set("a", 1, propagated=True, ttl_ns=10)
    clock.advance(9)
    assert context.get("a") == 1 and context.is_propagated("a") and list(context.child()) == ["a"]
    clock.advance(1)
    assert absent(context)


def test_an_expired_value_cannot_be_given_more_time(context: ValueContext, clock: VirtualClock) -> None:
    context.set("a", 1, ttl_ns=10)
    clock.advance(10)
    with pytest.raises(NotFound):
        context.expire("a", 10)


def test_expire_counts_from_now_and_none_means_for_ever(context: ValueContext, clock: VirtualClock) -> None:
    context.set("a", 1, propagated=True)
    context.expire("a", 10)
    clock.advance(9)
    context.expire("a", 10)
    clock.advance(9)
    assert context.get("a") == 1 and context.is_propagated("a")
    context.expire("a", None)
    clock.advance(10**18)
    assert context.get("a") == 1


def test_a_time_to_live_below_one_is_refused_and_changes_nothing(context: ValueContext) -> None:
    context.set("a", 1)
    with pytest.raises(InvalidArgument):
        context.set("a", 2, ttl_ns=0)
    with pytest.raises(InvalidArgument):
        context.expire("a", -1)
    with pytest.raises(InvalidArgument):
        context.expire("absent", 0)
    assert context.get("a") == 1


def test_expiring_what_is_not_there_is_refused(context: ValueContext) -> None:
    with pytest.raises(NotFound):
        context.expire("a", None)


def test_setting_again_replaces_value_propagation_and_expiry_and_keeps_the_place(
    context: ValueContext, clock: VirtualClock
) -> None:
    context.set("a", 1, propagated=True, ttl_ns=10)
    context.set("b", 2)
    context.set("a", 3)
    clock.advance(10)
    assert context.keys() == ("a", "b") and context.get("a") == 3 and not context.is_propagated("a")


def test_a_key_set_after_it_expired_goes_to_the_end(context: ValueContext, clock: VirtualClock) -> None:
    context.set("a", 1, ttl_ns=10)
    context.set("b", 2)
    clock.advance(10)
    context.set("a", 3)
    assert context.keys() == ("b", "a")


def test_a_child_has_the_propagated_values_with_their_expiry_and_a_life_of_its_own(
    context: ValueContext, clock: VirtualClock
) -> None:
    context.set("local", 0)
    context.set("late", 1, propagated=True, ttl_ns=20)
    context.set("ever", 2, propagated=True)
    clock.advance(5)
    child = context.child()
    assert child.keys() == ("late", "ever")
    child.set("late", "child's", propagated=True)
    context.delete("ever")
    clock.advance(15)
    assert child.get("late") == "child's" and child.get("ever") == 2
    assert context.keys() == ("local",)
    assert child.child().keys() == ("late", "ever")


def test_a_grandchild_expires_with_its_origin(context: ValueContext, clock: VirtualClock) -> None:
    context.set("a", 1, propagated=True, ttl_ns=20)
    clock.advance(10)
    grandchild = context.child().child()
    clock.advance(9)
    assert "a" in grandchild
    clock.advance(1)
    assert "a" not in grandchild


def test_iterating_allows_changes(context: ValueContext) -> None:
    for key in "abc":
        context.set(key, key)
    seen = []
    for key in context:
        seen.append(key)
        context.delete("b")
        context.set("d", 1)
    assert seen == ["a", "b", "c"] and context.keys() == ("a", "c", "d")


def test_a_context_that_is_only_written_to_does_not_keep_what_expired(
    context: ValueContext, clock: VirtualClock
) -> None:
    for number in range(10_000):
        context.set(f"request {number}", number, ttl_ns=10)
        clock.advance(1)
        assert len(context._entries) <= SWEEP_MIN_COUNT + 10
    assert len(context) == 9


def test_values_that_stay_are_not_swept_again_and_again(clock: VirtualClock) -> None:
    class Counting(ValueContext):
        __slots__ = ()
        swept_count = 0

        def _swept(self) -> dict[str, object]:  # type: ignore[override]  # the entries' type is private
            Counting.swept_count += 1
            return super()._swept()  # type: ignore[return-value]  # as above

    context = Counting(clock)
    for number in range(4096):
        context.set(str(number), number)
    assert Counting.swept_count <= 10 and len(context) == 4096


def test_the_keys_are_shown_and_the_values_are_not(context: ValueContext) -> None:
    context.set("user", "a secret")
    assert repr(context) == "<ValueContext user>"


def test_a_finaliser_may_use_the_context_that_drops_its_object(context: ValueContext) -> None:
    class Dying:
        def __del__(self) -> None:
            context.set("said", len(context))

    context.set("a", Dying())
    context.set("a", 1)
    assert context.keys() == ("a", "said")


def test_of_many_threads_that_delete_a_value_one_is_told_that_there_was_one(context: ValueContext) -> None:
    start, wins = threading.Barrier(4), [0] * 4

    def work(number: int) -> None:
        start.wait(10)
        for key in range(500):
            wins[number] += context.delete(str(key))

    for key in range(500):
        context.set(str(key), key)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(wins) == 500 and len(context) == 0


Model = dict[str, tuple[int, bool, int | None]]
KEYS = st.sampled_from("abc")
TTLS = st.none() | st.integers(1, 8)
STEP = st.one_of(
    st.tuples(st.just("set"), KEYS, st.booleans(), TTLS),
    st.tuples(st.sampled_from(["delete", "expire", "child"]), KEYS, st.booleans(), TTLS),
    st.tuples(st.just("wait"), KEYS, st.booleans(), st.integers(1, 5)),
)


@given(st.lists(STEP, max_size=40))
def test_random_use_agrees_with_a_model_that_forgets_at_each_tick(
    steps: list[tuple[str, str, bool, int | None]],
) -> None:
    clock, model = VirtualClock(), dict[str, tuple[int, bool, int | None]]()
    context = ValueContext(clock)
    for number, (action, key, propagated, ttl_ns) in enumerate(steps):
        end_ns = None if ttl_ns is None else clock.now_ns() + ttl_ns
        if action == "set":
            context.set(key, number, propagated=propagated, ttl_ns=ttl_ns)
            model[key] = (number, propagated, end_ns)
        elif action == "delete":
            assert context.delete(key) is (model.pop(key, None) is not None)
        elif action == "expire" and key in model:
            context.expire(key, ttl_ns)
            model[key] = (*model[key][:2], end_ns)
        elif action == "child":
            context = context.child()
            model = {name: entry for name, entry in model.items() if entry[1]}
        elif action == "wait" and ttl_ns is not None:
            clock.advance(ttl_ns)
            model = {
                name: entry for name, entry in model.items() if entry[2] is None or entry[2] > clock.now_ns()
            }
        # Asked in an order that differs by step: each question alone must see what is right.
        checks: list[Callable[[], bool]] = [
            lambda: list(context) == list(model),
            lambda: len(context) == len(model),
            lambda: [context.get(name) for name in "abc"] == [model.get(name, (None,))[0] for name in "abc"],
            lambda: [context.is_propagated(name) for name in "abc"]
            == [name in model and model[name][1] for name in "abc"],
        ]
        for turn in range(len(checks)):
            assert checks[(turn + number) % len(checks)]()
