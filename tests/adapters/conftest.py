"""Fixtures of the adapters' tests; the workbench itself is in ``bench.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.adapters.bench import Bench
from tests.adapters.terminal import app, terminal

__all__ = ["app", "bench", "make_bench", "terminal"]


@pytest.fixture
def make_bench() -> Iterator[Callable[..., Bench]]:
    """Return a function that makes workbenches with settings; they are closed and checked afterwards."""
    made: list[Bench] = []

    def make(**settings: object) -> Bench:
        made.append(Bench(**settings))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """Return a workbench with the default settings."""
    return make_bench()
