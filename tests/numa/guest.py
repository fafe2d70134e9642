"""What runs inside the guest, as its first and only program: prepare the system, check, power off.

Every check prints one line, ``ok: ...`` or ``FAILED: ...``, with the numbers that were seen; ``run.py`` reads
them on the console. The machine is what QEMU was told to make and stands in ``/machine.json``; nothing here
believes the library about itself: where pages lie is asked from move_pages(2) and /proc/PID/numa_maps, where
threads run from getcpu(2) and /proc/PID/status.
"""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import re
import signal
import socket
import struct
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

sys.path.insert(0, "/opt/library")

from hioload_ws.api.affinity import Scope
from hioload_ws.api.errors import InvalidArgument, NotFound
from hioload_ws.api.types import NodeId
from hioload_ws.internal import (
    NOT_TOUCHED,
    CurrentNode,
    MemoryPolicy,
    NodeExecutors,
    SystemAffinity,
    SysTopology,
    system_numa_calls,
)
from hioload_ws.internal.syscalls import MPOL_BIND
from hioload_ws.pool import SlabBufferPool, node_pools
from hioload_ws.pool.slab import MAP_HUGE_2M, map_anonymous
from tests.numa.guest_machine import (
    ABSENT,
    CPUS,
    MACHINE,
    NODES,
    PAGE,
    SIZES,
    WITH_CPUS,
    WITH_MEMORY,
    expect,
    pages_of,
)
from tests.numa.guest_servers import (
    a_server_with_a_node_pins_itself_binds_its_buffers_and_moves,
    the_echo_server_runs_pinned_on_each_node,
)


def prepare_system() -> None:
    """Mount what the library reads, and bring up the loopback interface."""
    libc = ctypes.CDLL(None, use_errno=True)
    for mount in ("proc /proc", "sysfs /sys", "devtmpfs /dev", "tmpfs /tmp", "cgroup2 /sys/fs/cgroup"):
        kind, target = mount.encode().split()
        libc.mount(kind, target, kind, 0, None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:
        up_and_running = 0x1 | 0x40
        fcntl.ioctl(anything, 0x8914, struct.pack("16sH14x", b"lo", up_and_running))  # SIOCSIFFLAGS


def topology_is_the_machine_that_qemu_made() -> str:
    topology = SysTopology()
    expect(list(topology.nodes), NODES, "nodes")
    for node in NODES:
        made = MACHINE["nodes"][node]
        info = topology.nodes[node]
        expect(info.cpus, CPUS[node], f"CPUs of node {node}")
        expect(list(info.distances.values()), made["distances"], f"distances of node {node}")
        expect(info.memory_bytes > 0, made["memory_mib"] > 0, f"memory of node {node}")
    told = {int(node): info.memory_bytes >> 20 for node, info in topology.nodes.items()}
    return f"nodes {NODES}, CPUs {[*map(list, CPUS.values())]}, MiB {told}"


def getcpu_and_current_node_agree_on_every_cpu() -> str:
    topology, calls = SysTopology(), system_numa_calls()
    current, seen = CurrentNode(topology, calls), {}
    for node in WITH_CPUS:
        for cpu in CPUS[node]:
            with SystemAffinity(Scope.THREAD, topology) as affinity:
                affinity.pin([cpu])
                expect(calls.getcpu(), (cpu, node), "getcpu")
                expect(current(), node, "current node")
                seen[int(cpu)] = int(current())
    return f"CPU to node {seen}"


def unbound_memory_follows_the_thread_that_touches_it() -> str:
    """The control: without binding the same measurement shows another node."""
    topology, policy, seen = SysTopology(), MemoryPolicy(), {}
    for node in WITH_CPUS:
        with SystemAffinity(Scope.THREAD, topology) as affinity, SlabBufferPool() as pool:
            affinity.pin_node(node)
            with pool.acquire(3 << 20) as buffer:
                buffer.data()[:] = bytes(len(buffer))
                seen[int(node)] = pages_of(policy, buffer.data())
            expect(pool.stats().binding, "first-touch", "binding")
            if node in WITH_MEMORY and seen[int(node)].get(node, 0) < 700:
                raise AssertionError(f"first touch on node {node} gave {seen}")
    return f"pages by node of the thread {seen}"


def buffers_land_on_the_node_asked_for_whoever_touches_them() -> str:
    topology, policy = SysTopology(), MemoryPolicy()
    total: Counter[NodeId] = Counter()
    with node_pools() as pools:
        expect(list(pools.nodes), WITH_MEMORY, "nodes with a pool")
        for toucher in WITH_CPUS:
            with SystemAffinity(Scope.THREAD, topology) as affinity:
                affinity.pin_node(toucher)
                for node in WITH_MEMORY:
                    buffers = [pools.acquire(size, node) for size in SIZES for _ in range(3)]
                    for buffer in buffers:
                        buffer.data()[:] = b"\1" * len(buffer)
                        expect(pages_of(policy, buffer.data()), {node: len(buffer) // PAGE}, "pages")
                        in_force = policy.policy_of(buffer.data())
                        expect((in_force.mode, set(in_force.nodes)), (MPOL_BIND, {node}), "get_mempolicy")
                        total[node] += len(buffer) // PAGE
                        buffer.release()
        expect({stats.binding for stats in pools.stats().nodes.values()}, {"bound"}, "binding")
    return f"pages that move_pages found on the right node {dict(total)}, none elsewhere"


def no_preference_means_where_the_thread_runs() -> str:
    topology, seen = SysTopology(), {}
    with node_pools() as pools:
        for node in WITH_CPUS:
            with SystemAffinity(Scope.THREAD, topology) as affinity:
                affinity.pin_node(node)
                nearest = next(near for near in topology.nearest(node) if near in WITH_MEMORY)
                with pools.acquire(10) as buffer:
                    expect(buffer.node, nearest, f"node of a buffer taken on node {node}")
                    seen[int(node)] = int(buffer.node)
    return f"thread's node to buffer's node {seen}"


def pins_hold_move_and_are_put_back() -> str:
    topology, calls = SysTopology(), system_numa_calls()
    before, samples = os.sched_getaffinity(0), 0
    for scope in Scope:
        with SystemAffinity(scope, topology) as affinity:
            for node in (*WITH_CPUS, *reversed(WITH_CPUS)):
                state = affinity.pin_node(node)
                expect((state.cpus, state.nodes), (frozenset(CPUS[node]), frozenset({node})), "pin")
                expect(os.sched_getaffinity(0), set(CPUS[node]), "sched_getaffinity")
                for _ in range(100):
                    sum(range(300))
                    expect(calls.getcpu()[1], node, "node while pinned")
                    samples += 1
        expect(os.sched_getaffinity(0), before, "mask after the block")
    return f"{samples} samples of getcpu within the pin, mask {sorted(before)} put back"


def an_absent_node_is_refused() -> str:
    with node_pools() as pools, SystemAffinity(Scope.THREAD, SysTopology()) as affinity:
        attempts: list[Callable[[], object]] = [
            lambda: pools.acquire(10, ABSENT),
            lambda: node_pools(nodes=[ABSENT]),
            lambda: affinity.pin_node(ABSENT),
        ]
        for attempt in attempts:
            with suppress(NotFound):
                attempt()
                raise AssertionError("an absent node was taken")
        with pools.acquire(3 << 20, WITH_MEMORY[0]) as buffer, buffer.data() as memory:
            where = ctypes.addressof(ctypes.c_char.from_buffer(memory))
            try:
                system_numa_calls().mbind(where, PAGE, MPOL_BIND, [ABSENT])
            except OSError as error:
                number = error.errno
    return f"pool, pin: NotFound; mbind: errno {number}"


def nodes_that_lack_cpus_or_memory_work() -> str:
    topology, policy = SysTopology(), MemoryPolicy()
    lonely = [node for node in WITH_MEMORY if node not in WITH_CPUS]
    poor = [node for node in WITH_CPUS if node not in WITH_MEMORY]
    with node_pools() as pools, NodeExecutors(topology, 1) as executors:
        for node in lonely:
            with pools.acquire(1 << 20, node) as buffer:
                buffer.data()[:] = b"\2" * len(buffer)
                expect(pages_of(policy, buffer.data()), {node: 256}, "pages on a node without CPUs")
            try:
                SystemAffinity(Scope.THREAD, topology).pin_node(node)
            except InvalidArgument:
                pass
            else:
                raise AssertionError("pinned to a node without CPUs")
            near = next(other for other in topology.nearest(node) if other in WITH_CPUS)
            expect(executors.executor_for(node).node, near, "executor of a node without CPUs")
        for node in poor:
            with suppress(NotFound):
                pools.pool_for(node)
                raise AssertionError("a pool on a node without memory")
    return f"memory only {lonely}, CPUs only {poor}"


def executors_run_on_their_node_also_after_a_resize() -> str:
    calls, seen = system_numa_calls(), Counter[int]()
    with NodeExecutors(SysTopology()) as executors:
        for count in (None, 4, 1):
            if count is not None:
                executors.resize(count)
            for node in WITH_CPUS:
                tasks = [executors.submit(lambda: calls.getcpu()[1], node) for _ in range(40)]
                expect({task.result() for task in tasks}, {node}, "node of the tasks")
                seen[int(node)] += len(tasks)
    return f"tasks by node {dict(seen)}, none elsewhere"


def huge_pages_are_what_the_statistics_say() -> str:
    """Explicit pages exist on one node only; a bound pool elsewhere must step down, not die of SIGBUS."""
    policy, seen = MemoryPolicy(), {}
    for kind, owner in MACHINE["huge_pages"].items():
        size = (1 << 30) if kind == "huge-1g" else (2 << 20)
        for node in WITH_MEMORY:
            with node_pools(huge_pages="try") as pools, pools.acquire(size, node) as buffer:
                told = pools.stats().page_kind
                expect(told == kind, node == owner, f"{kind} on node {node} ({told})")
                data = buffer.data()
                data[0] = data[-1] = 1
                sample = data[: 2 << 20]
                got = dict(policy.pages_by_node(sample))
                expect(got.get(node, 0) > 0 and set(got) <= {node, NOT_TOUCHED}, True, f"pages of {kind} {got}")
                where = ctypes.addressof(ctypes.c_char.from_buffer(data))
                seen[f"{kind} on node {node}"] = (told, _kernel_page_kb(where))
                del data, sample
            gc.collect()
    return f"asked, (told, kB of the kernel's page) {seen}"


def without_populating_the_same_mapping_would_kill() -> str:
    """The control: what the kernel reserves for the machine is not there on the node, and a touch is SIGBUS."""
    poor = next(node for node in WITH_MEMORY if node != MACHINE["huge_pages"]["huge-2m"])
    child = os.fork()
    if child == 0:
        try:
            mapping = map_anonymous(2 << 20, MAP_HUGE_2M)
            MemoryPolicy().bind(mapping, poor)
            mapping[0] = 1
        finally:
            os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    expect(code, -signal.SIGBUS, "end of a process that touches an unpopulated huge page")
    return f"a child that only bound 2 MiB to node {poor} ended by {signal.Signals(-code).name}"


def _kernel_page_kb(address: int) -> int:
    """Return the page size that the kernel shows for the mapping at an address."""
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if edges := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(edges[1], 16) <= address < int(edges[2], 16)
        elif inside and line.startswith("KernelPageSize:"):
            return int(line.split()[1])
    return 0


def a_cpuset_is_honoured() -> str:
    """A child in a cgroup with one CPU and one node must see that, and no more."""
    node, cpu = WITH_MEMORY[-1], CPUS[WITH_CPUS[-1]][-1]
    root, group = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/narrow")
    (root / "cgroup.subtree_control").write_text("+cpuset")
    group.mkdir()
    (group / "cpuset.cpus").write_text(str(cpu))
    (group / "cpuset.mems").write_text(str(node))
    child = os.fork()
    if child == 0:
        try:
            (group / "cgroup.procs").write_text(str(os.getpid()))
            topology = SysTopology()
            with node_pools() as pools:
                seen = (topology.usable_cpus(), list(pools.nodes))
                with pools.acquire(65536) as buffer:
                    buffer.data()[:] = bytes(65536)
                    pages = pages_of(MemoryPolicy(), buffer.data())
            os._exit(0 if (seen, pages) == (((cpu,), [node]), {node: 16}) else 1)
        finally:
            os._exit(2)
    expect(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, "exit code of the child")
    return f"CPU {cpu} and node {node}: usable CPUs and pools are those, 16 pages there"


CHECKS: Final[tuple[Callable[[], str], ...]] = (
    topology_is_the_machine_that_qemu_made,
    getcpu_and_current_node_agree_on_every_cpu,
    unbound_memory_follows_the_thread_that_touches_it,
    buffers_land_on_the_node_asked_for_whoever_touches_them,
    no_preference_means_where_the_thread_runs,
    pins_hold_move_and_are_put_back,
    an_absent_node_is_refused,
    nodes_that_lack_cpus_or_memory_work,
    executors_run_on_their_node_also_after_a_resize,
    the_echo_server_runs_pinned_on_each_node,
    a_server_with_a_node_pins_itself_binds_its_buffers_and_moves,
    a_cpuset_is_honoured,
)
CHECKS_OF_HUGE_PAGES: Final = (
    huge_pages_are_what_the_statistics_say,
    without_populating_the_same_mapping_would_kill,
)


def main() -> None:
    """Run every check, say how it went, and switch the machine off."""
    prepare_system()
    checks = [*CHECKS, *(CHECKS_OF_HUGE_PAGES if MACHINE["huge_pages"] else ())]
    print(flush=True)  # the firmware leaves half a line behind
    results = Counter[str]()
    for check in checks:
        start, name = time.monotonic(), check.__name__.replace("_", " ")
        try:
            told, verdict = check(), "ok"
        except BaseException as error:
            traceback.print_exc()
            told, verdict = f"{type(error).__name__}: {error}", "FAILED"
        results[verdict] += 1
        told = " ".join(told.split())
        print(f"{verdict}: {name}: {told} [{time.monotonic() - start:.1f} s]", flush=True)
    print(f"through: {results['ok']} held, {results['FAILED']} failed", flush=True)


if __name__ == "__main__":
    try:
        main()
    finally:
        os.sync()
        ctypes.CDLL(None).reboot(0x4321FEDC)  # reboot(2), LINUX_REBOOT_CMD_POWER_OFF
