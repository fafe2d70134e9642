"""Fixtures of the session room's tests: a virtual clock, and what done-callbacks raised."""

from __future__ import annotations

import pytest

from hioload_ws.fake.clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(start_ns=1000)


@pytest.fixture
def reported() -> list[tuple[BaseException, object]]:
    """Return the list that collects (exception, function) when its ``append`` is used through
    ``on_error``."""
    return []
