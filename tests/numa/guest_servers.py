"""Checks in the guest that start servers: as a process on one node, and with ``Server(node=...)``."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from hioload_ws import Server, connect
from hioload_ws.api.affinity import Scope
from hioload_ws.api.errors import NotFound
from hioload_ws.api.types import CpuId
from hioload_ws.internal import MemoryPolicy, SystemAffinity, SysTopology, parse_cpu_list, system_numa_calls
from tests.numa.guest_machine import CPUS, LIBRARY, NODES, WITH_CPUS, WITH_MEMORY, expect, pages_of


def the_echo_server_runs_pinned_on_each_node() -> str:
    topology, policy, seen = SysTopology(), MemoryPolicy(strict=False), {}
    for node in WITH_CPUS:
        near = next(other for other in topology.nearest(node) if other in WITH_MEMORY)
        with SystemAffinity(Scope.THREAD, topology) as affinity, policy.thread_on(near) as bound:
            affinity.pin_node(node)
            # Mask and memory policy are inherited: the server is born on its node.
            server = subprocess.Popen(
                [sys.executable, "-m", "hioload_ws", "echo", "--port", "0"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env={"PYTHONPATH": LIBRARY},
            )
        expect(bound, True, "thread policy")
        with server:
            try:
                _talk(server)
                seen[int(node)] = _anonymous_pages(server.pid)
                status = Path(f"/proc/{server.pid}/status").read_text()
                listed = status.partition("Cpus_allowed_list:")[2].split()[0]
                expect(parse_cpu_list(listed), CPUS[node], "Cpus_allowed_list of the server")
            finally:
                server.send_signal(signal.SIGTERM)
        expect(server.returncode, 0, "exit code of the server")
        if seen[int(node)].get(int(near), 0) < 0.9 * sum(seen[int(node)].values()):
            raise AssertionError(f"the memory of the server on node {node} lies elsewhere: {seen}")
    return f"50 messages each; pages of anonymous memory by node {seen}"


def a_server_with_a_node_pins_itself_binds_its_buffers_and_moves() -> str:
    """``Server(node=...)`` started anywhere: its thread and its buffers go there, its process does not."""
    topology, policy, seen = SysTopology(), MemoryPolicy(), {}
    for node in NODES:
        near_cpus = next(other for other in topology.nearest(node) if other in WITH_CPUS)
        near_memory = next(other for other in topology.nearest(node) if other in WITH_MEMORY)
        app = Server("127.0.0.1", 0, node=int(node))
        app.on_message(lambda connection, message: connection.send(message))
        with app.background() as url, connect(url) as client:
            for size in (10, 70_000, 2 << 20):
                client.send(bytes(size))
                expect(client.receive(timeout_s=60), bytes(size), "echo")
            with app.pool.acquire(3 << 20) as buffer:
                buffer.data()[:] = bytes(len(buffer))
                expect(pages_of(policy, buffer.data()), {near_memory: 768}, f"pages of the server on node {node}")
            expect(app.pool.stats().binding, "bound", "binding")
            state = cast(Mapping[str, Any], app.probes.dump_state()["placement"])
            thread = state["thread"]
            expect(_cpus_allowed(thread), CPUS[near_cpus], f"Cpus_allowed_list of the thread on node {node}")
            expect(tuple(state["cpus"]), CPUS[near_cpus], "the probe's CPUs")
            expect(app.executor.submit(lambda: system_numa_calls().getcpu()[1]).result(), near_cpus, "executor")
            last = CPUS[near_cpus][-1]
            app.control.set_config(cpu=int(last))
            expect(_cpus_allowed(thread), (last,), "after the move")
            expect(_cpus_allowed(os.getpid()), topology.usable_cpus(), "Cpus_allowed_list of the main thread")
        seen[int(node)] = (f"CPUs {[*map(int, CPUS[near_cpus])]}, then {[int(last)]}", f"memory {near_memory}")
    attempts: tuple[Callable[[], object], ...] = (lambda: Server(node=9), lambda: Server(cpu=99))
    for attempt in attempts:
        with suppress(NotFound):
            attempt()
            raise AssertionError("a server was made for what is absent")
    return f"{seen}, node 9 and CPU 99 refused"


def _cpus_allowed(thread: int) -> tuple[CpuId, ...]:
    """Return what the kernel says of a thread of this process."""
    status = Path(f"/proc/self/task/{thread}/status").read_text()
    return tuple(map(CpuId, parse_cpu_list(status.partition("Cpus_allowed_list:")[2].split()[0])))


def _talk(server: subprocess.Popen[bytes]) -> None:
    """Exchange 50 messages with a server that has just been started."""
    assert server.stdout is not None
    line = server.stdout.readline().decode()
    url = re.search(r"ws://\S+", line)
    assert url is not None, line
    with connect(url[0]) as client:
        for number in range(50):
            client.send(f"{number}" * 100)
            expect(client.receive(timeout_s=30), f"{number}" * 100, "echo")


def _anonymous_pages(process: int) -> dict[int, int]:
    """Return how many pages of a process's own memory lie on which node: /proc/PID/numa_maps."""
    found = Counter[int]()
    for line in Path(f"/proc/{process}/numa_maps").read_text().splitlines():
        if "anon=" in line:
            found.update({int(node): int(pages) for node, pages in re.findall(r" N(\d+)=(\d+)", line)})
    return dict(found)
