"""The contracts of what has one pool per NUMA node: ``BufferPoolManager`` and ``NodeObjectPools``."""

from __future__ import annotations

from functools import partial

from ...api.errors import ForeignRelease, InvalidArgument, NotFound, PoolClosed, ResourceExhausted
from ...api.pool import BufferPoolManager, NodeObjectPools, PoolStats
from ...api.types import ANY_NODE, NodeId
from ..requirement import must, requirement
from ..suite import Contract
from ..trial import Trial
from .buffer import acquire
from .object_pool import Thing

MANAGER = (
    must("BPM-01", "nodes has one number at least, ascending, the same each time."),
    must("BPM-02", "pool_for(node) is the pool of that node, the same each time, another for each.", "BPM-01"),
    must("BPM-03", "Without a node it is a pool of a node that is served, for acquire and pool_for.", "BPM-02"),
    must("BPM-04", "A node that is not served raises NotFound; nothing is taken.", "BPM-02"),
    must("BPM-05", "acquire(size, node) takes from the pool of that node, and from no other.", "BPM-02"),
    must("BPM-06", "A size below 1 raises InvalidArgument, as the pool does.", "BPM-05"),
    must("BPM-07", "stats has the books of every node, and the totals are their sums.", "BPM-05"),
    must("BPM-08", "A pool does not take back what another node's pool issued.", "BPM-05"),
    must("BPM-09", "Where one node's memory is exhausted, the others still have theirs.", "BPM-05"),
    must("BPM-10", "After close each pool is closed, what is out stays valid, and closing again is legal.", "BPM-05"),
)

OBJECTS = (
    must("NOP-01", "nodes has one number at least, ascending, the same each time."),
    must("NOP-02", "pool_for(node) is the pool of that node, the same each time, another for each.", "NOP-01"),
    must("NOP-03", "Without a node it is a pool of a node that is served.", "NOP-02"),
    must("NOP-04", "A node that is not served raises NotFound.", "NOP-02"),
    must("NOP-05", "What is released to one node's pool is reused there, and not elsewhere.", "NOP-02"),
    must("NOP-06", "close closes each pool, and closing again is legal.", "NOP-02"),
)

LIMIT_BYTES = 1024 * 1024
PIECE_BYTES = 64 * 1024


def absent_from(nodes: list[NodeId]) -> list[NodeId]:
    """Return nodes that are not among these."""
    return [NodeId(max(nodes) + 1), NodeId(-7)]


class BufferPoolManagerContract(Contract, name="buffer-pool-manager", requirements=MANAGER):
    """What every manager of buffer pools owes; override ``make``."""

    def make(self, *, limit_bytes: int | None) -> BufferPoolManager:
        """Return a new manager, of two nodes or more if the machine has them (one that is played will do);
        ``limit_bytes`` bounds the memory of each node, ``None`` is no bound."""
        raise NotImplementedError

    def manager(self, trial: Trial, limit_bytes: int | None = None) -> BufferPoolManager:
        """Return a fresh manager."""
        return trial.make(self.make, limit_bytes=limit_bytes)

    @requirement("BPM-01")
    def nodes_are_told(self, trial: Trial) -> None:
        manager = self.manager(trial)
        nodes = list(manager.nodes)
        trial.true(nodes, "there is a node", got=nodes)
        trial.equal(nodes, sorted(set(nodes)), "the nodes, in order")
        trial.equal(list(manager.nodes), nodes, "the nodes, again")

    @requirement("BPM-02")
    def each_node_has_its_pool(self, trial: Trial) -> None:
        manager = self.manager(trial)
        pools = {node: manager.pool_for(node) for node in manager.nodes}
        trial.equal({node: pool.node for node, pool in pools.items()}, {node: node for node in pools}, "pools' nodes")
        for node, pool in pools.items():
            trial.same(manager.pool_for(node), pool, f"pool_for({node}), again")
        trial.equal(len(set(map(id, pools.values()))), len(pools), "how many different pools there are")

    @requirement("BPM-03")
    def no_preference_is_served(self, trial: Trial) -> None:
        manager = self.manager(trial)
        for pool in (manager.pool_for(), manager.pool_for(ANY_NODE)):
            trial.true(pool.node in manager.nodes, "pool_for() is of a node that is served", got=pool.node)
        buffer = manager.acquire(100)
        trial.true(buffer.node in manager.nodes, "acquire(100) is from a node that is served", got=buffer.node)
        buffer.release()

    @requirement("BPM-04")
    def absent_nodes_are_refused(self, trial: Trial) -> None:
        manager = self.manager(trial)
        for node in absent_from(list(manager.nodes)):
            trial.raises(NotFound, f"pool_for({node})", partial(manager.pool_for, node))
            trial.raises(NotFound, f"acquire(100, {node})", partial(manager.acquire, 100, node))
        trial.equal(manager.stats().acquired_count, 0, "how much was acquired")

    @requirement("BPM-05")
    def nodes_serve_themselves(self, trial: Trial) -> None:
        manager = self.manager(trial)
        for place, node in enumerate(manager.nodes):
            for size_bytes in (1, PIECE_BYTES + 1, 2 * 1024 * 1024):
                trial.did(f"acquire({size_bytes}, {node})")
                buffer = manager.acquire(size_bytes, node)
                trial.equal((len(buffer), buffer.node), (size_bytes, node), "size and node of the buffer")
                counts = {each: manager.pool_for(each).stats().in_use_count for each in manager.nodes}
                trial.equal(counts, {each: int(each == node) for each in manager.nodes}, "what is in use per node")
                manager.pool_for(node).release(buffer)
            trial.equal(manager.stats().acquired_count, 3 * (place + 1), "how much was acquired")

    @requirement("BPM-06")
    def no_size_is_refused(self, trial: Trial) -> None:
        manager = self.manager(trial)
        for node in (ANY_NODE, *manager.nodes):
            trial.raises(InvalidArgument, f"acquire(0, {node})", partial(manager.acquire, 0, node))
        trial.equal(manager.stats().acquired_count, 0, "how much was acquired")

    def books(self, trial: Trial, manager: BufferPoolManager) -> PoolStats:
        """Return the books, after looking whether they are the sums of those of the pools."""
        books = manager.stats()
        trial.equal(sorted(books.nodes), list(manager.nodes), "the nodes in the books")
        parts = [manager.pool_for(node).stats() for node in manager.nodes]
        names = ("acquired_count", "released_count", "in_use_count", "in_use_bytes", "mapped_bytes", "refused_count")
        for name in names:
            total = sum(getattr(part, name) for part in parts)
            trial.equal(getattr(books, name), total, f"{name}, and the sum over the nodes")
            by_node = [getattr(books.nodes[node], name) for node in manager.nodes]
            trial.equal(by_node, [getattr(part, name) for part in parts], f"{name} per node")
        return books

    @requirement("BPM-07")
    def books_are_sums(self, trial: Trial) -> None:
        manager = self.manager(trial)
        out = []
        self.books(trial, manager)
        for node in manager.nodes:
            for size_bytes in (1, 5000, PIECE_BYTES):
                out.append(manager.acquire(size_bytes, node))
                books = self.books(trial, manager)
                trial.equal(books.in_use_count, len(out), "what is in use")
                in_classes = sum(each.in_use_count for each in books.classes)
                trial.equal(in_classes, len(out), "what is in use, summed over the classes")
        for buffer in out:
            buffer.release()
            self.books(trial, manager)

    @requirement("BPM-08")
    def foreign_nodes_are_refused(self, trial: Trial) -> None:
        manager = self.manager(trial)
        first, *others = manager.nodes
        for other in others:
            buffer = acquire(trial, manager.pool_for(first), 1000)
            call = partial(manager.pool_for(other).release, buffer)
            trial.raises(ForeignRelease, f"release of node {first}'s buffer to node {other}", call)
            trial.equal(buffer.ref_count, 1, "the count of the buffer")

    @requirement("BPM-09")
    def nodes_run_out_alone(self, trial: Trial) -> None:
        manager = self.manager(trial, LIMIT_BYTES)
        first, *others = manager.nodes
        trial.did(f"acquire({PIECE_BYTES}, {first}) until it is exhausted")
        try:
            for _ in range(2 * LIMIT_BYTES // PIECE_BYTES):
                buffer = manager.acquire(PIECE_BYTES, first)
                trial.equal(buffer.node, first, "the node of the buffer")
                trial.defer(buffer.release)
            trial.fail("never more than the limit is given out", wanted=ResourceExhausted)
        except ResourceExhausted:
            trial.did("ResourceExhausted")
        for other in others:
            acquire(trial, manager.pool_for(other), PIECE_BYTES)

    @requirement("BPM-10")
    def closed_is_closed(self, trial: Trial) -> None:
        manager = self.manager(trial)
        nodes = list(manager.nodes)
        out = [acquire(trial, manager.pool_for(node), 1000) for node in nodes]
        for _ in range(2):
            trial.did("close()")
            manager.close()
        for node in nodes:
            trial.raises(PoolClosed, f"acquire(1, {node}) after close", partial(manager.acquire, 1, node))
        for buffer in out:
            buffer.data()[:4] = b"mine"
            trial.equal(bytes(buffer.view()[:4]), b"mine", "the content of a buffer that is out")
            buffer.release()
        trial.equal(manager.stats().in_use_count, 0, "what is in use in the end")


class NodeObjectPoolsContract(Contract, name="node-object-pools", requirements=OBJECTS):
    """What object pools per node owe; override ``make``."""

    def make(self) -> NodeObjectPools[Thing]:
        """Return new pools, of two nodes or more if possible, whose factory makes ``Thing`` objects."""
        raise NotImplementedError

    @requirement("NOP-01")
    def nodes_are_told(self, trial: Trial) -> None:
        pools = trial.make(self.make)
        nodes = list(pools.nodes)
        trial.true(nodes, "there is a node", got=nodes)
        trial.equal(nodes, sorted(set(nodes)), "the nodes, in order")
        trial.equal(list(pools.nodes), nodes, "the nodes, again")

    @requirement("NOP-02")
    def each_node_has_its_pool(self, trial: Trial) -> None:
        pools = trial.make(self.make)
        found = {node: pools.pool_for(node) for node in pools.nodes}
        for node, pool in found.items():
            trial.same(pools.pool_for(node), pool, f"pool_for({node}), again")
        trial.equal(len(set(map(id, found.values()))), len(found), "how many different pools there are")

    @requirement("NOP-03")
    def no_preference_is_served(self, trial: Trial) -> None:
        pools = trial.make(self.make)
        served = [pools.pool_for(node) for node in pools.nodes]
        for pool in (pools.pool_for(), pools.pool_for(ANY_NODE)):
            trial.true(any(pool is each for each in served), "pool_for() is that of a node that is served")

    @requirement("NOP-04")
    def absent_nodes_are_refused(self, trial: Trial) -> None:
        pools = trial.make(self.make)
        for node in absent_from(list(pools.nodes)):
            trial.raises(NotFound, f"pool_for({node})", partial(pools.pool_for, node))

    @requirement("NOP-05")
    def objects_stay_on_their_node(self, trial: Trial) -> None:
        pools = trial.make(self.make)
        things = {}
        for node in pools.nodes:
            things[node] = pools.pool_for(node).acquire()
        trial.did("release one object to the pool of each node; acquire again")
        for node in pools.nodes:
            pools.pool_for(node).release(things[node])
        for node in pools.nodes:
            trial.same(pools.pool_for(node).acquire(), things[node], f"the object from node {node}")
        trial.equal(pools.pool_for(pools.nodes[0]).stats().idle_count, 0, "what is idle")

    @requirement("NOP-06")
    def closed_is_closed(self, trial: Trial) -> None:
        pools = trial.make(self.make)
        each = [pools.pool_for(node) for node in pools.nodes]
        for _ in range(2):
            trial.did("close()")
            pools.close()
        for pool in each:
            trial.raises(PoolClosed, "acquire() after close", pool.acquire)


SUITES = (BufferPoolManagerContract, NodeObjectPoolsContract)

__all__ = ["SUITES", "BufferPoolManagerContract", "NodeObjectPoolsContract"]
