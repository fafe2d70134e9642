"""Fixtures of the adapters' tests; the workbench itself is in ``bench.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.adapters.bench import Bench
from tests.adapters.terminal import app, terminal

__all__ = ["app", "bench", "make_bench", "terminal"]


@pytest.fixture(params=["clear", "express"])
def make_bench(request: pytest.FixtureRequest) -> Iterator[Callable[..., Bench]]:
    """Return a function that makes workbenches with settings; they are closed and checked afterwards.

    Each test runs twice: on the clear road of ``inbound.py``, and with transports that allow the express road.
    """
    made: list[Bench] = []

    def make(*, express: bool = request.param == "express", **settings: object) -> Bench:
        made.append(Bench(express, **settings))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """Return a workbench with the default settings."""
    return make_bench()
