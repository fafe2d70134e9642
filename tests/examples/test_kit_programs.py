"""The examples that use the contract kit and the machines that do not exist."""

from __future__ import annotations

import re

import pytest

from examples import check_transport, find_the_race, four_nodes
from hioload_ws.api import BufferPoolManager, NodeId
from hioload_ws.fake import FakeTopology, Faults, fake_memory


def test_check_transport_then_the_mistake_is_found_and_without_it_all_is_well(
    capsys: pytest.CaptureFixture[str],
) -> None:
    check_transport.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Through: not conformant"
    assert re.match(r"FAIL TRN-\d+ \(MUST\): ", lines[1])
    assert "    receive 20 bytes, up to 2 at a time" in lines
    assert lines[-1] == "Mended: conformant"


def test_find_the_race_then_the_line_is_shown_and_the_mended_ring_passes(capsys: pytest.CaptureFixture[str]) -> None:
    find_the_race.main()
    out = capsys.readouterr().out
    assert out.startswith("SlotRing: not conformant\nFAIL RNG-21 (MUST): Of two producers and one free place")
    assert re.search(r"held at find_the_race\.py:\d+ in try_enqueue, before ", out)
    assert out.endswith("\nClaimedRing: conformant\n")


def test_four_nodes_then_memory_comes_from_the_nearest_node_that_has_some(capsys: pytest.CaptureFixture[str]) -> None:
    four_nodes.main()
    assert capsys.readouterr().out.splitlines() == [
        "4 nodes, 32 CPUs",
        "asked node 0, got memory of node 1",
        "asked node 1, got memory of node 1",
        "asked node 2, got memory of node 2",
        "asked node 3, got memory of node 3",
    ]


def test_where_no_node_has_memory_there_is_none() -> None:
    topology = FakeTopology.parse(four_nodes.MACHINE)
    with Faults() as faults:
        for node in range(4):
            faults.on("acquire", node=NodeId(node)).out_of_memory(node)
        memory: BufferPoolManager
        with fake_memory(topology, faults=faults) as memory:
            assert four_nodes.acquire_near(memory, topology, NodeId(2), 64) is None
