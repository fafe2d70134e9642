"""Fixtures of the internal room's tests: pairs of sockets, and every poller that this machine has."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from hioload_ws.api.poller import Poller
from hioload_ws.internal.pollers import available_pollers


@pytest.fixture
def make_pair() -> Iterator[Callable[[], tuple[socket.socket, socket.socket]]]:
    """Return a maker of connected sockets that are closed after the test."""
    made: list[socket.socket] = []

    def make() -> tuple[socket.socket, socket.socket]:
        pair = socket.socketpair()
        made.extend(pair)
        return pair

    yield make
    for end in made:
        end.close()


@pytest.fixture(params=sorted(available_pollers()))
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    """Return each poller of this machine in turn."""
    made = available_pollers()[request.param]()
    yield made
    made.close()
