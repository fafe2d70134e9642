"""The pytest plugin: fixtures for the fakes, a check for leaks, and ``--contract``.

pytest imports this module in every run of everybody who has the package installed. So it stands outside the
package and imports nothing of it: the first fixture that somebody uses does. Who uses none pays for a few
functions.

Fixtures that can fail at their end (a buffer that was never released, a fault that never fired) do so only where
the test itself passed: one that failed has a better reason.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from hioload_ws.fake import (
        CallLog,
        FakeBufferPool,
        FakeExecutor,
        FakeTopology,
        Faults,
        SimNetwork,
        VirtualClock,
    )
    from hioload_ws.pool import NodeBufferPools

DEFAULT_SEED: Final = 1
DEFAULT_MACHINE: Final = "2x4"
FOUR_BYTES: Final = 1 << 32

PASSED: Final = pytest.StashKey[bool]()
"""Whether the test itself has passed; not there before it has run."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this plugin."""
    group = parser.getgroup("hioload-ws", "hioload-ws: contracts and fakes")
    group.addoption(
        "--contract",
        action="append",
        default=[],
        metavar="SUITE=MODULE:FACTORY",
        help="run a contract of hioload-ws on what the factory makes, one test per requirement; repeatable",
    )
    group.addoption("--contract-seed", type=int, default=DEFAULT_SEED, metavar="N", help="seed of --contract")
    group.addoption("--contract-full", action="store_true", help="more rounds for --contract")
    group.addoption(
        "--fake-seed",
        default=str(DEFAULT_SEED),
        metavar="N|random",
        help="seed of the simulated network, and of the fixture fake_seed (default: %(default)s)",
    )
    parser.addini(
        "contract_leaks", "fail tests that leave buffers of any pool unreleased", type="bool", default=False
    )


def pytest_configure(config: pytest.Config) -> None:
    """Add the markers, and what was asked for."""
    config.addinivalue_line("markers", "may_leak(reason): buffers may stay unreleased, for the reason given")
    config.addinivalue_line("markers", "machine(text): what the fixture topology is, such as '4x8, distance 10/21'")
    seed = config.getoption("fake_seed")
    if seed != "random" and not (seed.isascii() and seed.isdigit()):
        raise pytest.UsageError(f"--fake-seed is a number or the word random, not {seed!r}")
    if config.getoption("contract"):
        from hioload_ws.contract.collecting import ContractItems

        config.pluginmanager.register(ContractItems(config), "hioload-ws contracts")
    if config.getini("contract_leaks"):
        from hioload_ws.contract.leaks import LeakCheck

        config.pluginmanager.register(LeakCheck(), "hioload-ws leaks")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether the test passed, and tell the seed of one that failed."""
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    seed = getattr(item, "funcargs", {}).get("fake_seed")
    if report.failed and seed is not None:
        report.sections.append(("hioload-ws", f"seed of the fakes: {seed}; to repeat it: --fake-seed {seed}"))
    return report


def _check_at_end(request: pytest.FixtureRequest) -> bool:
    """Return whether the end of a fixture is to be checked: the test has passed."""
    node: pytest.Item = request.node
    return node.stash.get(PASSED, False)


def _fail_on_error(check: Callable[[], object]) -> None:
    """Fail the test with the message of what ``check`` raises; where in the fake it does is of no interest."""
    from hioload_ws.api import InvalidState

    try:
        check()
    except InvalidState as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture
def fake_seed(request: pytest.FixtureRequest) -> int:
    """Return the seed of ``--fake-seed``; a failed test tells it."""
    text: str = request.config.getoption("fake_seed")
    return random.SystemRandom().randrange(FOUR_BYTES) if text == "random" else int(text)


@pytest.fixture
def fake_clock() -> VirtualClock:
    """Return time that passes when the test says so. All fixtures of a test share it."""
    from hioload_ws.fake import VirtualClock

    return VirtualClock()


@pytest.fixture
def faults(request: pytest.FixtureRequest, fake_clock: VirtualClock) -> Iterator[Faults]:
    """Return a script of faults, which the other fixtures obey. One that never fired fails the test."""
    from hioload_ws.fake import Faults

    script = Faults(fake_clock)
    yield script
    if _check_at_end(request):
        _fail_on_error(script.close)


@pytest.fixture
def topology(request: pytest.FixtureRequest) -> FakeTopology:
    """Return the machine that the marker ``machine`` describes; by default two nodes of four CPUs."""
    from hioload_ws.fake import FakeTopology

    marker = request.node.get_closest_marker("machine")
    return FakeTopology.parse(marker.args[0] if marker else DEFAULT_MACHINE)


@pytest.fixture
def fake_pool(request: pytest.FixtureRequest, faults: Faults) -> Iterator[FakeBufferPool]:
    """Return a buffer pool that poisons. A buffer that was never released fails the test."""
    from hioload_ws.fake import FakeBufferPool

    pool = FakeBufferPool(faults=faults)
    yield pool
    pool.close()
    if _check_at_end(request) and not request.node.get_closest_marker("may_leak"):
        _fail_on_error(pool.check_leaks)


@pytest.fixture
def fake_memory(
    request: pytest.FixtureRequest, topology: FakeTopology, faults: Faults
) -> Iterator[NodeBufferPools]:
    """Return one poisoning buffer pool per node of ``topology``. Leaks fail the test."""
    from hioload_ws.fake import FakeBufferPool, fake_memory

    pools = fake_memory(topology, faults=faults)
    made = [pools.pool_for(node) for node in topology.nodes]
    yield pools
    pools.close()
    if _check_at_end(request) and not request.node.get_closest_marker("may_leak"):
        for pool in made:
            assert isinstance(pool, FakeBufferPool)
            _fail_on_error(pool.check_leaks)


@pytest.fixture
def fake_executor(fake_clock: VirtualClock, faults: Faults) -> FakeExecutor:
    """Return an executor without threads: ``run_next`` and ``run_all`` play its workers."""
    from hioload_ws.fake import FakeExecutor

    return FakeExecutor(fake_clock, faults=faults)


@pytest.fixture
def call_log() -> CallLog:
    """Return a log for ``RecordingTransport``."""
    from hioload_ws.fake import CallLog

    return CallLog()


@pytest.fixture
def sim_network(fake_clock: VirtualClock, faults: Faults, fake_seed: int) -> SimNetwork:
    """Return a network without sockets, in the time of ``fake_clock``, with the chances of ``fake_seed``."""
    from hioload_ws.fake import SimNetwork

    return SimNetwork(seed=fake_seed, clock=fake_clock, faults=faults)
