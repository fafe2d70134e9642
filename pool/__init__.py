"""The room of memory: pooled buffers, rings, batches and recycled objects. See README.md."""

from .batch import ListBatch
from .buffer_pool import SlabBufferPool
from .lease import Lease
from .manager import NodeBufferPools
from .node_pools import node_pools
from .object_pool import NodeRecyclingPools, RecyclingPool
from .ring import MpmcRing, SpscRing
from .slab import Bind, Binding, HugePages, PageKind, PageSource
from .tracking import LeakHook, LeakLevel, leak_level

__all__ = [
    "Bind",
    "Binding",
    "HugePages",
    "LeakHook",
    "LeakLevel",
    "Lease",
    "ListBatch",
    "MpmcRing",
    "NodeBufferPools",
    "NodeRecyclingPools",
    "PageKind",
    "PageSource",
    "RecyclingPool",
    "SlabBufferPool",
    "SpscRing",
    "leak_level",
    "node_pools",
]
