"""Fixtures of the adapters' tests; the workbench itself is in ``bench.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.adapters.bench import ROADS, Bench
from tests.adapters.stage import Stage
from tests.adapters.terminal import app, terminal

__all__ = ["app", "bench", "make_bench", "make_stage", "stage", "terminal"]


@pytest.fixture(params=ROADS)
def make_bench(request: pytest.FixtureRequest) -> Iterator[Callable[..., Bench]]:
    """Return a function that makes workbenches with settings; they are closed and checked afterwards.

    Each test runs on every road that messages can take.
    """
    made: list[Bench] = []

    def make(*, road: str = request.param, **settings: object) -> Bench:
        made.append(Bench(road, **settings))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """Return a workbench with the default settings."""
    return make_bench()


@pytest.fixture
def make_stage() -> Iterator[Callable[..., Stage]]:
    """Return a function that makes stages for clients; they are closed and checked afterwards."""
    made: list[Stage] = []

    def make(url: str = "ws://server/path?q", *, kind: str = "tcp", **options: object) -> Stage:
        stage = Stage(url, kind=kind, **options)
        made.append(stage)
        return stage

    yield make
    for stage in made:
        stage.client.close()
        assert stage.client.pool.stats().in_use_count == 0
        stage.pool.close()


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    """Return a stage with a client for ``ws://server/path?q``."""
    return make_stage()
