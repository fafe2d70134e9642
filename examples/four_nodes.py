"""A machine with four NUMA nodes in a unit test.

Run it with ``python examples/four_nodes.py``. The code under test decides where a connection's memory comes from. To
test that, one needs a machine with several nodes, and nodes that run out of memory: ``FakeTopology`` is the one, a
fault script makes the other. With pytest, both are fixtures:

    @pytest.mark.machine("4x8, distance 10/21")
    def test_it(topology, fake_memory, faults): ...
"""

from __future__ import annotations

from hioload_ws.api import Buffer, BufferPoolManager, NodeId, Topology
from hioload_ws.fake import FakeTopology, Faults, fake_memory

MACHINE = "4x8, distance 10/21, distance 0->1=15, distance 1->0=15"
"""Four nodes with eight CPUs each; nodes 0 and 1 are closer to each other than to the others."""


def acquire_near(memory: BufferPoolManager, topology: Topology, node: NodeId, size_bytes: int) -> Buffer | None:
    """The code under test: memory of ``node``, else of the nearest node that has some."""
    for each in (node, *topology.nearest(node)):
        buffer = memory.pool_for(each).try_acquire(size_bytes)
        if buffer is not None:
            return buffer
    return None


def main() -> None:
    """Ask each node for memory, while node 0 has none left."""
    topology = FakeTopology.parse(MACHINE)
    print(f"{len(topology.nodes)} nodes, {len(topology.cpus)} CPUs")
    with Faults() as faults, fake_memory(topology, faults=faults) as memory:
        faults.on("acquire", nth=1, node=NodeId(0)).out_of_memory(0)
        for node in topology.nodes:
            buffer = acquire_near(memory, topology, node, 4096)
            assert buffer is not None
            print(f"asked node {node}, got memory of node {buffer.node}")
            buffer.release()  # a buffer that is still out would end the block with an error


if __name__ == "__main__":
    main()
