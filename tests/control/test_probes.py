"""Probes: order, names, and a dump that nothing stops."""

from __future__ import annotations

import mmap
import os
import platform
import sys
import threading

import pytest

from hioload_ws.api.debug import Debug
from hioload_ws.api.errors import AlreadyExists, InvalidArgument, NotFound, TimedOut
from hioload_ws.control.probes import ProbeRegistry, platform_probe


@pytest.fixture
def probes() -> Debug:
    return ProbeRegistry()


def test_a_dump_asks_every_probe_in_order_of_registration(probes: Debug) -> None:
    probes.register_probe("b", lambda: 1)
    probes.register_probe("a", lambda: [2])
    assert list(probes.dump_state().items()) == [("b", 1), ("a", [2])]


def test_a_probe_that_raises_is_named_and_does_not_stop_the_dump(probes: Debug) -> None:
    probes.register_probe("broken", lambda: 1 // 0)
    probes.register_probe("fine", lambda: "ok")
    state = probes.dump_state()
    assert isinstance(state["broken"], ZeroDivisionError) and state["fine"] == "ok"


def test_a_name_that_is_taken_is_refused_even_with_the_same_probe(probes: Debug) -> None:
    def probe() -> int:
        return 1

    probes.register_probe("a", probe)
    for again in (probe, lambda: 2):
        with pytest.raises(AlreadyExists):
            probes.register_probe("a", again)
    assert probes.dump_state() == {"a": 1}


def test_an_empty_name_is_refused(probes: Debug) -> None:
    with pytest.raises(InvalidArgument):
        probes.register_probe("", lambda: 1)


def test_a_probe_that_was_removed_is_gone_and_its_name_is_free(probes: Debug) -> None:
    probes.register_probe("a", lambda: 1)
    probes.unregister_probe("a")
    assert probes.dump_state() == {}
    with pytest.raises(NotFound):
        probes.unregister_probe("a")
    probes.register_probe("a", lambda: 2)
    assert probes.dump_state() == {"a": 2}


def test_a_probe_may_use_the_registry_also_from_another_thread(probes: Debug) -> None:
    def meddle() -> bool:
        other = threading.Thread(target=lambda: probes.register_probe("new", lambda: 1))
        other.start()
        other.join(10)
        probes.unregister_probe("a")
        return other.is_alive()

    probes.register_probe("a", meddle)
    assert probes.dump_state() == {"a": False}
    assert probes.dump_state() == {"new": 1}


def test_of_threads_that_take_the_same_names_each_name_goes_to_one(probes: Debug) -> None:
    start, wins = threading.Barrier(4), [0] * 4

    def work(place: int) -> None:
        start.wait(10)
        for number in range(200):
            try:
                probes.register_probe(str(number), lambda: place)
            except AlreadyExists:
                continue
            wins[place] += 1

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    owners = list(probes.dump_state().values())
    assert [owners.count(place) for place in range(4)] == wins and sum(wins) == 200


def test_a_slow_probe_is_named_and_does_not_stop_the_dump_nor_the_next_one() -> None:
    probes, go_on = ProbeRegistry(limit_s=2.0), threading.Event()
    asked: list[threading.Thread] = []

    def slow() -> str:
        asked.append(threading.current_thread())
        go_on.wait(30)
        return "at last"

    probes.register_probe("before", lambda: 1)
    probes.register_probe("slow", slow)
    probes.register_probe("after", lambda: 2)
    first, second = probes.dump_state(), probes.dump_state()
    assert list(first) == list(second) == ["before", "slow", "after"]
    for state in (first, second):
        assert isinstance(state["slow"], TimedOut) and state["slow"].context["probe"] == "slow"
        assert (state["before"], state["after"]) == (1, 2)
    assert len(asked) == 1, "it is left alone while it is busy"
    go_on.set()
    asked[0].join(30)
    assert probes.dump_state() == {"before": 1, "slow": "at last", "after": 2}


def test_without_a_limit_the_dumping_thread_asks() -> None:
    probes = ProbeRegistry(limit_s=None)
    probes.register_probe("thread", threading.current_thread)
    assert probes.dump_state() == {"thread": threading.current_thread()}


def test_without_a_thread_left_the_dumping_thread_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    probes = ProbeRegistry()
    probes.register_probe("thread", threading.current_thread)
    probes.register_probe("broken", lambda: 1 // 0)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    state = probes.dump_state()
    assert state["thread"] is threading.current_thread() and isinstance(state["broken"], ZeroDivisionError)


def test_the_platform_is_told_as_it_is() -> None:
    found = platform_probe()
    assert found["python"] == platform.python_version() and found["system"] == platform.system()
    assert found["page_bytes"] == mmap.PAGESIZE and found["cpu_count"] == os.cpu_count()
    assert found["process_id"] == os.getpid() and found["pointer_bits"] in (32, 64)
    assert isinstance(found["free_threaded_build"], bool) and isinstance(found["gil_enabled"], bool)


@pytest.mark.parametrize("enabled", [True, False])
def test_an_interpreter_that_can_do_without_a_gil_is_asked(
    monkeypatch: pytest.MonkeyPatch, enabled: bool
) -> None:
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: enabled, raising=False)
    assert platform_probe()["gil_enabled"] is enabled


def test_an_interpreter_that_cannot_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys, "_is_gil_enabled", raising=False)
    assert platform_probe()["gil_enabled"] is True


def test_usable_cpus_are_counted_where_the_system_can_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3}, raising=False)
    assert platform_probe()["usable_cpu_count"] == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    assert platform_probe()["usable_cpu_count"] is None
