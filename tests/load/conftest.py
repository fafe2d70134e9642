"""Fixtures of the load tests: as many descriptors as the system allows, and a server to load."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator

import pytest

from tests.interop.echo_process import EchoProcess

LIMIT_S = 60.0


@pytest.fixture(scope="session")
def descriptor_limit() -> Iterator[int]:
    """Raise the soft limit of open files to the hard one, for this process and its children; return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard if hard != resource.RLIM_INFINITY else 1 << 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def server(descriptor_limit: int) -> Iterator[EchoProcess]:
    """Return an echo server of its own for the test; its clean end is asserted."""
    with EchoProcess() as process:
        yield process


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Return a function that waits until a condition holds, and fails after a time limit."""

    def wait(condition: Callable[[], bool]) -> None:
        limit = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < limit, "the condition did not become true in time"
            time.sleep(0.01)

    return wait
