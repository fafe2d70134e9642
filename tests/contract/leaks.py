"""Leaks: buffers that a test never gave back, whatever pool they are from.

For the pools of this library, real and fake, that are made while a test runs (its fixtures included): when it is
over, nothing of them may be out. Pools of a wider scope are left alone; who owns them checks them. Switched on by
``contract_leaks = true`` in pytest's settings; ``@pytest.mark.may_leak("why")`` is the way out for one test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from ..fake.memory import FakeBufferPool
from ..pool.buffer_pool import SlabBufferPool

Pool = SlabBufferPool | FakeBufferPool

_KINDS: tuple[type[Any], ...] = (SlabBufferPool, FakeBufferPool)


@contextmanager
def watched_pools() -> Iterator[list[Pool]]:
    """Collect the buffer pools that are made within the block."""
    made: list[Pool] = []
    kept = [(kind, kind.__init__) for kind in _KINDS]

    def watch(kind: type[Any], original: Any) -> None:
        def init(self: Pool, *arguments: object, **options: object) -> None:
            original(self, *arguments, **options)
            made.append(self)

        kind.__init__ = init

    for kind, original in kept:
        watch(kind, original)
    try:
        yield made
    finally:
        for kind, original in kept:
            kind.__init__ = original


def leaks_of(pools: list[Pool]) -> Iterator[str]:
    """Yield one line per pool that never got something back: how many, and where acquired, as far as known.

    A buffer that was garbage-collected is as lost as one that somebody still has.
    """
    for pool in pools:
        collected = pool.collected_leaks() if isinstance(pool, SlabBufferPool) else ()
        count = pool.stats().in_use_count + len(collected)
        if count:
            places = [leak.acquired_at for leak in (*pool.leaks(), *collected) if leak.acquired_at]
            text = f"acquired at {', '.join(places)}" if places else "HIOLOAD_LEAKS=advanced tells where"
            yield f"{count} of a {type(pool).__name__}, {text}"


class LeakCheck:
    """A plug-in of pytest: the fixture that checks."""

    @pytest.fixture(autouse=True)
    def contract_leaks(self, request: pytest.FixtureRequest) -> Iterator[None]:
        """Fail a test that leaves buffers of a pool of its own unreleased."""
        if request.node.get_closest_marker("may_leak"):
            yield
            return
        with watched_pools() as made:
            yield
        found = list(leaks_of(made))
        if found:
            pytest.fail("never released: " + "; ".join(found), pytrace=False)


__all__ = ["LeakCheck", "leaks_of", "watched_pools"]
