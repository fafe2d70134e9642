"""The contracts of buffers and their pools, on the slabs of every level of leak tracking, and on the fakes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pytest

from hioload_ws.contract.engine import Factory
from hioload_ws.contract.suites.buffer import BufferContract
from hioload_ws.contract.suites.buffer_pool import BufferPoolContract
from hioload_ws.fake import FakeBufferPool
from hioload_ws.pool import SlabBufferPool
from tests.kit.holding import hold

POOLS: Mapping[str, Factory] = {
    "SlabBufferPool": SlabBufferPool,
    "SlabBufferPool, tracked": partial(SlabBufferPool, leaks="paranoid", on_leak=lambda report: None),
    "FakeBufferPool": FakeBufferPool,
}


@pytest.mark.parametrize("kind", POOLS)
def test_every_buffer_of_ours_is_conformant(kind: str) -> None:
    hold(BufferContract, POOLS[kind], kind)


@pytest.mark.parametrize("kind", POOLS)
def test_every_pool_of_ours_is_conformant(kind: str) -> None:
    hold(BufferPoolContract, POOLS[kind], kind)
