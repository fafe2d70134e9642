"""The configuration in force: whole changes, hooks once and in order, rollback, and nobody stuck."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hioload_ws.api.control import Control
from hioload_ws.api.errors import AlreadyExists, InvalidArgument, InvalidState
from hioload_ws.control.config import ServerConfig
from hioload_ws.control.registry import ConfigControl

Reported = list[tuple[BaseException, object]]
PairControl = ConfigControl[Any]  # the type is local to the fixtures


def numbers(config: Any) -> tuple[int, int]:
    return (config.once, config.twice)


def test_a_change_makes_a_new_snapshot_and_leaves_the_old_one_alone(control: PairControl) -> None:
    old = control.config()
    new = control.set_config(once=5, twice=10)
    assert control.config() is new and numbers(new) == (5, 10) and numbers(old) == (1, 2)


def test_hooks_hear_of_a_change_once_in_order_while_the_old_one_is_in_force(control: PairControl) -> None:
    calls: list[tuple[str, object, object, object]] = []
    control.on_reload(lambda old, new: calls.append(("first", old, new, control.config())))
    control.on_reload(lambda old, new: calls.append(("second", old, new, control.config())))
    old = control.config()
    new = control.set_config(once=5, twice=10)
    assert calls == [("first", old, new, old), ("second", old, new, old)]


def test_a_change_to_equal_values_calls_no_hook_and_keeps_the_snapshot(control: PairControl) -> None:
    control.on_reload(lambda old, new: pytest.fail("called"))
    old = control.config()
    assert control.set_config() is old
    assert control.set_config(once=1, twice=2, fixed=0.5) is old
    assert control.stats()["config.changes"] == 0


def test_everything_wrong_is_named_before_any_hook_runs(control: PairControl) -> None:
    control.on_reload(lambda old, new: pytest.fail("called"))
    old = control.config()
    with pytest.raises(InvalidArgument) as caught:
        control.set_config(onec=1, once="x", twice=5000, fixed=0.75)
    assert caught.value.context["fields"] == ("onec", "once", "twice", "fixed")
    assert "fixed can't change while running: it is built in" in caught.value.message
    assert control.config() is old and control.stats()["config.refused"] == 1


def test_a_fixed_field_with_a_wrong_type_is_named_for_its_type(control: PairControl) -> None:
    with pytest.raises(InvalidArgument, match="fixed must be float"):
        control.set_config(fixed="x")


def test_what_the_class_itself_refuses_is_refused(control: PairControl) -> None:
    old = control.config()
    with pytest.raises(InvalidArgument, match="do not agree"):
        control.set_config(once=5)
    with pytest.raises(InvalidArgument, match="a bad name") as caught:
        control.set_config(name="bad")
    assert isinstance(caught.value.__cause__, ValueError)
    assert control.config() is old and control.stats()["config.refused"] == 2


def test_a_hook_that_refuses_takes_the_change_back_from_those_told_last_first(
    control: PairControl, reported: Reported
) -> None:
    def refuse(old: object, new: object) -> None:
        raise OSError("port is taken")

    calls: list[tuple[str, object, object]] = []
    control.on_reload(lambda old, new: calls.append(("a", old, new)))
    control.on_reload(lambda old, new: calls.append(("b", old, new)))
    remove = control.on_reload(refuse)
    control.on_reload(lambda old, new: calls.append(("never", old, new)))
    old = control.config()
    with pytest.raises(OSError, match="port is taken"):
        control.set_config(once=5, twice=10)
    new = calls[0][2]
    assert calls == [("a", old, new), ("b", old, new), ("b", new, old), ("a", new, old)]
    assert control.config() is old and reported == []
    assert (control.stats()["config.changes"], control.stats()["config.rolled_back"]) == (0, 1)
    remove()
    control.set_config(once=5, twice=10)
    assert numbers(control.config()) == (5, 10)


def test_what_a_hook_raises_in_a_rollback_is_reported_and_the_rollback_goes_on(
    control: PairControl, reported: Reported
) -> None:
    def stubborn(old: Any, new: Any) -> None:
        if new.once == 1:
            raise ValueError("no way back")

    def refuse(old: object, new: object) -> None:
        raise OSError("refused")

    calls: list[int] = []
    control.on_reload(lambda old, new: calls.append(new.once))
    control.on_reload(stubborn)
    control.on_reload(refuse)
    with pytest.raises(OSError, match="refused"):
        control.set_config(once=5, twice=10)
    assert calls == [5, 1] and [(str(error), hook) for error, hook in reported] == [("no way back", stubborn)]


def test_an_interrupt_in_a_hook_rolls_back_and_one_in_a_rollback_waits_for_the_others(
    control: PairControl,
) -> None:
    def interrupted(old: Any, new: Any) -> None:
        if new.once == 1:
            raise KeyboardInterrupt("while taking back")

    def refuse(old: object, new: object) -> None:
        raise KeyboardInterrupt("while telling")

    calls: list[int] = []
    control.on_reload(lambda old, new: calls.append(new.once))
    control.on_reload(interrupted)
    control.on_reload(refuse)
    with pytest.raises(KeyboardInterrupt, match="taking back"):
        control.set_config(once=5, twice=10)
    assert calls == [5, 1] and numbers(control.config()) == (1, 2)


def test_a_hook_cannot_change_the_configuration_and_the_change_is_taken_back(control: PairControl) -> None:
    def meddle(old: object, new: object) -> None:
        control.set_config(once=7, twice=14)

    remove = control.on_reload(meddle)
    with pytest.raises(InvalidState):
        control.set_config(once=5, twice=10)
    assert numbers(control.config()) == (1, 2)
    remove()
    assert numbers(control.set_config(once=5, twice=10)) == (5, 10)


def test_a_hook_that_catches_the_refusal_lets_the_change_through(control: PairControl) -> None:
    def meddle(old: object, new: object) -> None:
        with pytest.raises(InvalidState):
            control.set_config(once=7, twice=14)

    control.on_reload(meddle)
    assert numbers(control.set_config(once=5, twice=10)) == (5, 10)


def test_a_hook_may_read_from_another_thread_without_getting_stuck(control: PairControl) -> None:
    def read(old: object, new: object) -> None:
        reader = threading.Thread(target=lambda: seen.append(control.config()))
        reader.start()
        reader.join(10)

    seen: list[object] = []
    control.on_reload(read)
    old = control.config()
    control.set_config(once=5, twice=10)
    assert seen == [old]


def test_hooks_added_and_removed_by_a_hook_count_from_the_next_change(control: PairControl) -> None:
    def first(old: Any, new: Any) -> None:
        calls.append(f"first {new.once}")
        remove_second()
        control.on_reload(lambda old, new: calls.append(f"late {new.once}"))
        remove_first()

    calls: list[str] = []
    remove_first = control.on_reload(first)
    remove_second = control.on_reload(lambda old, new: calls.append(f"second {new.once}"))
    control.set_config(once=5, twice=10)
    control.set_config(once=6, twice=12)
    assert calls == ["first 5", "second 5", "late 6"]


def test_a_hook_registered_twice_is_called_twice_and_each_removal_takes_one(control: PairControl) -> None:
    calls: list[int] = []

    def hook(old: Any, new: Any) -> None:
        calls.append(new.once)

    control.on_reload(hook)
    remove = control.on_reload(hook)
    control.set_config(once=5, twice=10)
    remove()
    remove()
    control.set_config(once=6, twice=12)
    assert calls == [5, 5, 6] and control.stats()["config.hooks"] == 1


def test_stats_have_counters_and_probes_and_the_exception_of_one_that_raised(control: PairControl) -> None:
    control.register_debug_probe("answer", lambda: 42)
    control.register_debug_probe("broken", lambda: 1 // 0)
    stats = control.stats()
    assert list(stats) == [
        "config.changes",
        "config.refused",
        "config.rolled_back",
        "config.hooks",
        "answer",
        "broken",
    ]
    assert stats["answer"] == 42 and isinstance(stats["broken"], ZeroDivisionError)
    with pytest.raises(AlreadyExists):
        control.register_debug_probe("answer", lambda: 43)
    with pytest.raises(AlreadyExists):
        control.register_debug_probe("config.changes", lambda: 0)
    with pytest.raises(InvalidArgument):
        control.register_debug_probe("", lambda: 0)


@dataclass
class Thawed:
    a: int = 1


if TYPE_CHECKING:
    from decimal import Decimal


@dataclass(frozen=True)
class Unresolved:
    a: Decimal | None = None


@pytest.mark.parametrize("config", [Thawed(), Unresolved(), 5, "text"])
def test_what_is_no_checkable_frozen_dataclass_is_refused(config: Any) -> None:
    with pytest.raises(InvalidArgument):
        ConfigControl(config)


def test_a_server_s_configuration_is_changed_live_but_not_its_port() -> None:
    control: Control[ServerConfig] = ConfigControl(ServerConfig())
    assert control.set_config(ping_interval_s=5, origins=("null",)).ping_interval_s == 5
    with pytest.raises(InvalidArgument, match="port can't change while running: the listening socket"):
        control.set_config(port=80, ping_interval_s=6)
    assert control.config().ping_interval_s == 5


def test_a_signal_handler_in_the_middle_of_a_change_is_refused_and_not_stuck(control: PairControl) -> None:
    def handler(number: int, frame: object) -> None:
        with pytest.raises(InvalidState):
            control.set_config(once=7, twice=14)
        handled.append(number)

    handled: list[int] = []
    control.on_reload(lambda old, new: signal.raise_signal(signal.SIGINT))
    before = signal.signal(signal.SIGINT, handler)
    try:
        control.set_config(once=5, twice=10)
    finally:
        signal.signal(signal.SIGINT, before)
    assert handled == [signal.SIGINT] and numbers(control.config()) == (5, 10)


def test_readers_never_see_half_of_a_change_and_hooks_hear_of_an_unbroken_chain(control: PairControl) -> None:
    stop, torn, chain = threading.Event(), list[object](), list[tuple[object, object]]()

    def read() -> None:
        while not stop.is_set():
            once, twice = numbers(control.config())
            if twice != 2 * once:
                torn.append((once, twice))

    def write(offset: int) -> None:
        for number in range(offset, 300 + offset, 3):
            control.set_config(once=number, twice=2 * number)
            with pytest.raises(InvalidArgument):
                control.set_config(twice=1)  # agrees with nothing, whatever the others set

    control.on_reload(lambda old, new: chain.append((old, new)))
    first = control.config()
    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(offset,)) for offset in (2, 3, 4)]
    for thread in readers + writers:
        thread.start()
    for thread in writers:
        thread.join(30)
    stop.set()
    for thread in readers:
        thread.join(30)
    assert torn == [] and len(chain) == 300 == control.stats()["config.changes"]
    olds, news = [old for old, _ in chain], [new for _, new in chain]
    assert olds == [first, *news[:-1]] and news[-1] is control.config()


EDITS = st.dictionaries(
    st.sampled_from(["once", "twice", "name", "fixed", "other"]),
    st.one_of(st.integers(-3, 6), st.sampled_from(["bad", "x"]), st.booleans(), st.floats(0, 1)),
    max_size=3,
)
AGREEING = st.integers(-2, 1100).map(lambda number: {"once": number, "twice": 2 * number})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(EDITS | AGREEING, st.sampled_from([None, None, 0, 1, 2])), max_size=12))
def test_random_edits_are_whole_or_nothing_and_each_hook_ends_up_where_the_configuration_is(
    pair_type: type[Any], edits: list[tuple[dict[str, object], int | None]]
) -> None:
    control: PairControl = ConfigControl(pair_type())
    refusing: list[int | None] = [None]
    views: list[Any] = [control.config()] * 3
    told_counts = [0] * 3

    def hook(place: int) -> Callable[[Any, Any], None]:
        def told(old: Any, new: Any) -> None:
            assert views[place] == old and new.twice == 2 * new.once
            if refusing[0] == place:
                raise OSError(place)
            views[place] = new
            told_counts[place] += 1

        return told

    for place in range(3):
        control.on_reload(hook(place))
    for changes, refuser in edits:
        old = control.config()
        refusing[0] = refuser
        told_counts[:] = [0] * 3
        try:
            new = control.set_config(**changes)
        except InvalidArgument:
            assert told_counts == [0] * 3 and control.config() is old
        except OSError:
            assert refuser is not None and control.config() is old
            assert told_counts == [2] * refuser + [0] * (3 - refuser)
        else:
            assert told_counts == [int(new != old)] * 3
            assert control.config() is new
            assert all(getattr(new, name) == value for name, value in changes.items())
        assert views == [control.config()] * 3
