"""Topology over made-up machines: trees of text files as the kernel would show them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hioload_ws.api.errors import NotFound
from hioload_ws.api.topology import CpuInfo, HugePages, Topology
from hioload_ws.api.types import CpuId, NodeId
from hioload_ws.internal.cpu_list import parse_cpu_list
from hioload_ws.internal.topology import SysTopology, allowed_cpus, count_cpus

SYSTEM = "sys/devices/system"


def write(root: Path, path: str, text: str | bytes) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode() if isinstance(text, str) else text)


def write_cpus(root: Path, *, present: str, online: str, cores: Sequence[str] = ()) -> None:
    """Write the CPU folder; ``cores`` are the sibling lists."""
    write(root, f"{SYSTEM}/cpu/present", present + "\n")
    write(root, f"{SYSTEM}/cpu/online", online + "\n")
    for core in cores:
        for cpu in parse_cpu_list(core):
            write(root, f"{SYSTEM}/cpu/cpu{cpu}/topology/core_cpus_list", core + "\n")


def write_node(root: Path, node: int, *, cpulist: str, distance: str, total_kb: int = 0) -> None:
    folder = f"{SYSTEM}/node/node{node}"
    write(root, f"{folder}/cpulist", cpulist + "\n")
    write(root, f"{folder}/distance", distance + "\n")
    write(
        root,
        f"{folder}/meminfo",
        f"Node {node} MemTotal:       {total_kb} kB\nNode {node} MemFree:        {total_kb // 2} kB\n"
        f"Node {node} MemUsed:        {total_kb // 2} kB\n",
    )


def machine(root: Path, allowed: Iterable[int] | None = None, cpu_count: int = 3) -> SysTopology:
    return SysTopology(root, allowed=lambda: allowed, cpu_count=lambda: cpu_count)


def consistent(topology: Topology) -> None:
    """Assert what holds of every topology."""
    nodes, cpus = topology.nodes, topology.cpus
    assert list(nodes) == sorted(nodes) and list(cpus) == sorted(cpus) and nodes and cpus
    assert sorted(cpu for node in nodes.values() for cpu in node.cpus) == list(cpus)
    for number, cpu in cpus.items():
        assert cpu.cpu == number and topology.node_of(number) == cpu.node
        assert number in nodes[cpu.node].cpus and number in cpu.siblings
        assert set(cpu.siblings) <= set(cpus) and list(cpu.siblings) == sorted(cpu.siblings)
        assert cpu.online or not cpu.usable
    for name, node in nodes.items():
        assert node.node == name and set(node.distances) == set(nodes)
        assert sorted(topology.nearest(name)) == list(nodes) and topology.nearest(name)[0] == name
        assert set(topology.usable_cpus(name)) == {cpu for cpu in node.cpus if cpus[cpu].usable}
    assert set(topology.usable_cpus()) == {cpu for cpu, info in cpus.items() if info.usable}
    assert any(cpu.online for cpu in cpus.values())


def test_two_nodes_with_two_threads_a_core(tmp_path: Path) -> None:
    write_cpus(tmp_path, present="0-7", online="0-7", cores=["0,4", "1,5", "2,6", "3,7"])
    write(tmp_path, f"{SYSTEM}/node/online", "0-1\n")
    write_node(tmp_path, 0, cpulist="0-1,4-5", distance="10 21", total_kb=1000)
    write_node(tmp_path, 1, cpulist="2-3,6-7", distance="31 10", total_kb=3000)
    topology = machine(tmp_path, allowed=[0, 1, 2, 99])
    consistent(topology)
    assert topology.nodes[NodeId(0)].cpus == (0, 1, 4, 5)
    assert topology.nodes[NodeId(1)].cpus == (2, 3, 6, 7)
    assert dict(topology.nodes[NodeId(0)].distances) == {0: 10, 1: 21}
    assert dict(topology.nodes[NodeId(1)].distances) == {0: 31, 1: 10}
    assert topology.nodes[NodeId(1)].memory_bytes == 3000 * 1024
    assert topology.nodes[NodeId(1)].free_bytes == 1500 * 1024
    assert topology.cpus[CpuId(6)] == CpuInfo(CpuId(6), NodeId(1), True, False, (CpuId(2), CpuId(6)))
    assert topology.usable_cpus() == (0, 1, 2)
    assert topology.usable_cpus(NodeId(0)) == (0, 1)
    assert topology.nearest(NodeId(1)) == (1, 0)


def test_four_nodes_with_sparse_numbers(tmp_path: Path) -> None:
    write_cpus(tmp_path, present="0-1,8-9", online="0-1,8-9")
    write(tmp_path, f"{SYSTEM}/node/online", "0,2,5,9\n")
    for node, cpu, distance in (
        (0, "0", "10 20 30 20"),
        (2, "1", "20 10 20 30"),
        (5, "8", "30 20 10 20"),
        (9, "9", "20 30 20 10"),
    ):
        write_node(tmp_path, node, cpulist=cpu, distance=distance)
    topology = machine(tmp_path)
    consistent(topology)
    assert list(topology.nodes) == [0, 2, 5, 9]
    assert topology.nodes[NodeId(5)].distances == {0: 30, 2: 20, 5: 10, 9: 20}
    assert topology.nearest(NodeId(5)) == (5, 2, 9, 0)
    assert topology.node_of(CpuId(9)) == 9


def test_a_node_may_be_nearer_to_another_than_to_itself_and_still_comes_first(tmp_path: Path) -> None:
    write_cpus(tmp_path, present="0-1", online="0-1")
    write(tmp_path, f"{SYSTEM}/node/online", "0-1\n")
    write_node(tmp_path, 0, cpulist="0", distance="10 20")
    write_node(tmp_path, 1, cpulist="1", distance="5 10")
    assert machine(tmp_path).nearest(NodeId(1)) == (1, 0)


def test_a_node_with_memory_only_has_no_cpu(tmp_path: Path) -> None:
    write_cpus(tmp_path, present="0-1", online="0-1")
    write(tmp_path, f"{SYSTEM}/node/online", "0-1\n")
    write_node(tmp_path, 0, cpulist="0-1", distance="10 17", total_kb=100)
    write_node(tmp_path, 1, cpulist="", distance="17 10", total_kb=200)
    topology = machine(tmp_path)
    consistent(topology)
    assert topology.nodes[NodeId(1)].cpus == () and topology.usable_cpus(NodeId(1)) == ()
    assert topology.nodes[NodeId(1)].memory_bytes == 200 * 1024


def test_an_offline_cpu_is_present_on_its_node_but_not_usable(tmp_path: Path) -> None:
    write_cpus(tmp_path, present="0-3", online="0-2", cores=["0", "1", "2"])
    write(tmp_path, f"{SYSTEM}/node/online", "0-1\n")
    write_node(tmp_path, 0, cpulist="0-1", distance="10 20")
    write_node(tmp_path, 1, cpulist="2", distance="20 10")
    (tmp_path / SYSTEM / "node/node1/cpu3").mkdir()
    topology = machine(tmp_path, allowed=[1, 3])
    consistent(topology)
    assert topology.cpus[CpuId(3)] == CpuInfo(CpuId(3), NodeId(1), False, False, (CpuId(3),))
    assert topology.usable_cpus() == (1,) and topology.nodes[NodeId(1)].cpus == (2, 3)


def test_huge_pages_are_told_per_node_and_incomplete_ones_are_left_out(tmp_path: Path) -> None:
    write_cpus(tmp_path, present="0", online="0")
    write(tmp_path, f"{SYSTEM}/node/online", "0-1\n")
    huge = f"{SYSTEM}/node/node1/hugepages"
    write(tmp_path, f"{huge}/hugepages-1048576kB/nr_hugepages", "4\n")
    write(tmp_path, f"{huge}/hugepages-1048576kB/free_hugepages", "3\n")
    write(tmp_path, f"{huge}/hugepages-2048kB/nr_hugepages", "512\n")
    write(tmp_path, f"{huge}/hugepages-2048kB/free_hugepages", "0\n")
    write(tmp_path, f"{huge}/hugepages-64kB/nr_hugepages", "1\n")
    write(tmp_path, f"{huge}/hugepages-32kB/nr_hugepages", "many\n")
    write(tmp_path, f"{huge}/hugepages-32kB/free_hugepages", "1\n")
    write(tmp_path, f"{huge}/README", "no kind of page")
    write(tmp_path, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "9\n")
    write(tmp_path, "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "9\n")
    topology = machine(tmp_path)
    assert topology.nodes[NodeId(0)].huge_pages == ()
    assert topology.nodes[NodeId(1)].huge_pages == (HugePages(2 << 20, 512, 0), HugePages(1 << 30, 4, 3))


def test_without_numa_everything_is_on_one_node(tmp_path: Path) -> None:
    write(tmp_path, f"{SYSTEM}/cpu/present", "0-3\n")
    write(tmp_path, f"{SYSTEM}/cpu/cpu1/topology/thread_siblings_list", "0-1\n")  # an older kernel
    write(tmp_path, "proc/meminfo", "MemTotal:  4096 kB\nMemFree:   1024 kB\nMemAvailable: 2000 kB\n")
    write(tmp_path, "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "9\n")
    write(tmp_path, "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "8\n")
    topology = machine(tmp_path)
    consistent(topology)
    (node,) = topology.nodes.values()
    assert (node.node, node.cpus, dict(node.distances)) == (0, (0, 1, 2, 3), {0: 10})
    assert (node.memory_bytes, node.free_bytes) == (4096 * 1024, 1024 * 1024)
    assert node.huge_pages == (HugePages(2 << 20, 9, 8),)
    assert topology.usable_cpus() == (0, 1, 2, 3)
    assert topology.cpus[CpuId(1)].siblings == (0, 1)


def test_a_machine_that_says_nothing_is_one_node_with_the_cpus_python_counts(tmp_path: Path) -> None:
    topology = machine(tmp_path / "absent", cpu_count=3)
    consistent(topology)
    assert list(topology.cpus) == [0, 1, 2] and list(topology.nodes) == [0]
    assert topology.nodes[NodeId(0)].memory_bytes == 0 and topology.nodes[NodeId(0)].huge_pages == ()


def test_folders_are_counted_where_the_lists_are_hidden(tmp_path: Path) -> None:
    for name in ("cpu/cpu0", "cpu/cpu4", "cpu/cpufreq", "cpu/cpu70000", "node/node0/cpu0", "node/node3/cpu4"):
        (tmp_path / SYSTEM / name).mkdir(parents=True)
    topology = machine(tmp_path)
    consistent(topology)
    assert list(topology.cpus) == [0, 4] and list(topology.nodes) == [0, 3]
    assert topology.node_of(CpuId(4)) == 3
    assert topology.nodes[NodeId(3)].distances == {0: 20, 3: 10}


def test_cpus_that_no_node_or_two_nodes_claim_have_one_home(tmp_path: Path) -> None:
    write_cpus(tmp_path, present="0-2", online="0-2")
    write(tmp_path, f"{SYSTEM}/node/online", "1-2\n")
    write_node(tmp_path, 1, cpulist="0", distance="10 20")
    write_node(tmp_path, 2, cpulist="0-1", distance="20 10")
    topology = machine(tmp_path)
    consistent(topology)
    assert [topology.node_of(CpuId(cpu)) for cpu in range(3)] == [1, 2, 1]


@pytest.mark.parametrize("garbage", [b"", b"\xff\xfe\x00", b"one two", b"3-1", b"-5", b"9" * 5000, b"10 x"])
def test_garbage_is_treated_like_silence(tmp_path: Path, garbage: bytes) -> None:
    for path in ("cpu/present", "cpu/online", "cpu/cpu0/topology/core_cpus_list", "node/online"):
        write(tmp_path, f"{SYSTEM}/{path}", garbage)
    for path in ("cpulist", "distance", "meminfo"):
        write(tmp_path, f"{SYSTEM}/node/node0/{path}", garbage)
        write(tmp_path, f"{SYSTEM}/node/node1/{path}", garbage)
    topology = machine(tmp_path)
    consistent(topology)
    assert list(topology.nodes) == [0, 1] and list(topology.cpus) == [0]
    assert topology.nodes[NodeId(0)].distances == {0: 10, 1: 20}


@pytest.mark.parametrize("path", ["cpu", "node", "cpu/present", "node/node0/hugepages"])
def test_a_file_where_a_folder_should_be_and_the_reverse_are_no_error(tmp_path: Path, path: str) -> None:
    if "/" in path and path.endswith("present"):
        (tmp_path / SYSTEM / path).mkdir(parents=True)
    else:
        write(tmp_path, f"{SYSTEM}/{path}", "")
    consistent(machine(tmp_path))


# Four characters make a hundred nodes at most; of ten thousand every one would know its distance to every other.
LISTS = st.one_of(
    st.sampled_from(["", "0", "0-3", "1,3", "2-5", "0-1,4", "x", "7-2"]), st.text("0123456789-,", max_size=4)
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(LISTS, LISTS, LISTS, st.lists(LISTS, min_size=3, max_size=3), st.lists(LISTS, min_size=3, max_size=3))
def test_whatever_the_files_say_the_answer_is_consistent(
    tmp_path: Path, present: str, online: str, nodes: str, cpulists: list[str], distances: list[str]
) -> None:
    write(tmp_path, f"{SYSTEM}/cpu/present", present)
    write(tmp_path, f"{SYSTEM}/cpu/online", online)
    write(tmp_path, f"{SYSTEM}/node/online", nodes)
    for node, (cpulist, distance) in enumerate(zip(cpulists, distances, strict=True)):
        write(tmp_path, f"{SYSTEM}/node/node{node}/cpulist", cpulist)
        write(tmp_path, f"{SYSTEM}/node/node{node}/distance", distance.replace(",", " "))
    consistent(machine(tmp_path, allowed=[0, 2]))


def test_absent_numbers_are_not_found(tmp_path: Path) -> None:
    topology = machine(tmp_path)
    for call in (
        lambda: topology.node_of(CpuId(77)),
        lambda: topology.usable_cpus(NodeId(77)),
        lambda: topology.nearest(NodeId(77)),
    ):
        with pytest.raises(NotFound) as caught:
            call()
        assert 77 in caught.value.context.values()


def test_this_machine_agrees_with_what_python_says() -> None:
    topology = SysTopology()
    consistent(topology)
    assert count_cpus() == sum(cpu.online for cpu in topology.cpus.values())
    assert set(topology.usable_cpus()) == set(os.sched_getaffinity(0))


def test_where_the_system_has_no_affinity_nothing_is_restricted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert allowed_cpus() is None


def test_a_python_that_counts_no_cpu_still_runs_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert count_cpus() == 1
