"""The pytest plugin, in test sessions of its own: fixtures, leaks, seeds, and contracts as items."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hioload_ws.contract.suites.ring import RING

pytest_plugins = ["pytester"]

Session = Callable[..., pytest.RunResult]

RINGS = Path(__file__).with_name("sample.py").read_text("utf-8")


@pytest.fixture
def session(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Session:
    """Return a function that runs test code in a session that has this plugin and no other one installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.syspathinsert()

    def run(source: str, *arguments: str) -> pytest.RunResult:
        pytester.makepyfile(source)
        return pytester.runpytest_inprocess("-p", "_hioload_ws_pytest", "--strict-markers", *arguments)

    return run


def test_loading_the_plugin_loads_nothing_of_the_library() -> None:
    script = (
        "import sys, _hioload_ws_pytest\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('hioload_ws', 'hypothesis', 'asyncio', 'ssl')])"
    )
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_session_that_uses_no_fixture_loads_nothing_of_the_library_either(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile("import sys\ndef test_it(): assert 'hioload_ws' not in sys.modules")
    pytester.runpytest_subprocess("-p", "_hioload_ws_pytest").assert_outcomes(passed=1)


def test_the_fixtures_of_one_test_share_their_time_and_their_faults(session: Session) -> None:
    result = session(
        """
        import pytest
        from hioload_ws.api import ResourceExhausted

        def test_time(fake_clock, sim_network, fake_executor):
            assert sim_network.clock is fake_clock
            task = fake_executor.submit(lambda: fake_clock.now_ns())
            fake_clock.advance(5)
            assert task.result() == 5

        def test_faults(faults, fake_pool, fake_executor):
            faults.on("acquire", nth=2).exhaust()
            fake_pool.acquire(100).release()
            assert fake_pool.try_acquire(100) is None
            faults.on("submit").exhaust()
            with pytest.raises(ResourceExhausted):
                fake_executor.submit(print)

        def test_log(call_log):
            call_log.add("send", value=3)
            assert len(call_log.lines) == 1
        """
    )
    result.assert_outcomes(passed=3)


def test_a_machine_is_what_the_marker_says(session: Session) -> None:
    result = session(
        """
        import pytest

        def test_default(topology):
            assert (len(topology.nodes), len(topology.cpus)) == (2, 8)

        @pytest.mark.machine("4x8, distance 10/21")
        def test_four_nodes(topology, fake_memory):
            assert (len(topology.nodes), len(topology.cpus)) == (4, 32)
            for node in topology.nodes:
                with fake_memory.pool_for(node).acquire(64) as buffer:
                    assert buffer.node == node
        """
    )
    result.assert_outcomes(passed=2)


def test_a_fault_that_never_fired_fails_the_test(session: Session) -> None:
    result = session("def test_it(faults): faults.on('send', nth=3).reset()")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*send*"])


LEAKING = """
    import pytest

    def test_leaks(fake_pool):
        fake_pool.acquire(100)

    def test_leaks_on_a_node(fake_memory, topology):
        fake_memory.pool_for(list(topology.nodes)[1]).acquire(100)

    @pytest.mark.may_leak("the peer never answers here")
    def test_may_leak(fake_pool, fake_memory):
        fake_pool.acquire(100)

    def test_has_a_better_reason(fake_pool):
        fake_pool.acquire(100)
        assert False
"""


def test_a_buffer_that_was_never_released_fails_the_test_that_acquired_it(session: Session) -> None:
    result = session(LEAKING)
    result.assert_outcomes(passed=3, failed=1, errors=2)
    result.stdout.fnmatch_lines(["never released: lease 1 acquired at *.py:4 test_leaks (count=1)"])


POOLS = """
    import pytest
    from hioload_ws.pool import SlabBufferPool

    @pytest.fixture(scope="module")
    def shared():
        with SlabBufferPool() as pool:
            yield pool

    def test_leaks():
        SlabBufferPool(leaks="advanced").acquire(100)

    def test_leaks_unseen():
        SlabBufferPool(leaks="disabled").acquire(100)

    @pytest.mark.may_leak("on purpose")
    def test_may_leak():
        SlabBufferPool().acquire(100)

    def test_releases():
        SlabBufferPool().acquire(100).release()

    def test_of_a_wider_scope(shared):
        shared.acquire(100)
"""


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_every_pool_is_watched_where_the_settings_say_so(session: Session, pytester: pytest.Pytester) -> None:
    session(POOLS).assert_outcomes(passed=5)
    pytester.makeini("[pytest]\ncontract_leaks = true")
    result = session(POOLS)
    result.assert_outcomes(passed=5, errors=2)
    result.stdout.fnmatch_lines(["never released: 1 of a SlabBufferPool, acquired at *.py:*test_leaks"])
    result.stdout.fnmatch_lines(["*HIOLOAD_LEAKS=advanced tells where*"])


def test_a_failure_tells_the_seed_and_the_seed_repeats_it(session: Session) -> None:
    source = """
        def test_it(sim_network, fake_seed):
            print("drawn:", sim_network.world.random.random())
            assert fake_seed == -1
    """
    result = session(source, "--fake-seed", "random")
    (line,) = [line for line in result.outlines if line.startswith("seed of the fakes: ")]
    seed = line.split()[-1]
    again = session(source, "--fake-seed", seed)
    first, second = ([line for line in each.outlines if "drawn:" in line] for each in (result, again))
    assert first == second != []
    assert any(f"--fake-seed {seed}" in each for each in again.outlines)
    session("def test_it(): assert False").stdout.no_fnmatch_line("*seed of the fakes*")


def test_a_seed_that_is_no_number_is_refused(session: Session) -> None:
    result = session("", "--fake-seed", "seven")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--fake-seed is a number or the word random, not 'seven'*"])


def test_a_contract_becomes_items_that_can_be_chosen(session: Session, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(rings=RINGS)
    result = session("", "--contract", "ring=rings:Good", "-v")
    result.assert_outcomes(passed=len(RING))
    result.stdout.fnmatch_lines(["ring=rings:Good::RNG-04 PASSED*"])
    result = session("", "--contract", "ring=rings:Good", "-k", "RNG-04 or RNG-05")
    result.assert_outcomes(passed=2, deselected=len(RING) - 2)


def test_a_broken_component_fails_with_the_finding_and_no_trace_of_the_kit(
    session: Session, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(rings=RINGS)
    result = session("", "--contract", "ring=rings:Broken", "--contract-seed", "7", "--contract-full")
    result.assert_outcomes(passed=2, failed=1, skipped=len(RING) - 3)
    result.stdout.fnmatch_lines(
        [
            "FAIL RNG-03 (MUST): Items come out*",
            "*blocked by this, and not run: RNG-04, RNG-05*",
            "*again: *hioload-ws contract repro RNG-03 rings:Broken --seed 7 --full",
        ]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result = session("", "--contract", "ring=rings:UnderTest")
    result.assert_outcomes(passed=len(RING))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ring", "'ring' is not SUITE=MODULE:FACTORY"),
        ("rign=x:y", "there is no contract 'rign'; did you mean ring?"),
        ("ring=nothing_there:y", "there is no module nothing_there here"),
    ],
)
def test_a_contract_that_makes_no_sense_is_a_usage_error(text: str, complaint: str, session: Session) -> None:
    result = session("", "--contract", text)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--contract: {complaint}*"])


def test_a_subclass_needs_no_plugin(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        """
        from hioload_ws.contract import RingContract
        from hioload_ws.contract.mutants.ring import Stack
        from hioload_ws.pool import SpscRing

        class TestGood(RingContract):
            def make(self, capacity):
                return SpscRing(capacity)

        class TestBroken(RingContract):
            def make(self, capacity):
                return Stack(capacity)
        """
    )
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=len(RING) + 2, failed=1, skipped=len(RING) - 3)
    result.stdout.fnmatch_lines(["*blocked by this, and not run: RNG-04, RNG-05*"])
