"""Boot machines with several NUMA nodes under QEMU and let the library prove itself inside.

    python tests/numa/run.py                      # a machine with two nodes, then one with four
    python tests/numa/run.py --only four --show   # one of them, with everything its console said

Nothing is installed. What is missing is named, with exit code 3: QEMU, and a Linux kernel for x86-64 that is
built with NUMA (any distribution's; looked for in /boot, or named by ``--kernel`` or ``NUMA_KERNEL``). The
guest is emulated, without KVM: it is slow, and it is the same everywhere.

Exit code 0: every check held. 1: one did not, or the guest did not come to its end. 2: a command line that
makes no sense.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.numa.image import write_image

MISSING: Final = 3
LIMIT_S: Final = 170
_GUEST: Final = Path(__file__).with_name("guest.py")
_QEMU: Final = "qemu-system-x86_64"


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a machine: its CPUs, its memory, and its distances to all nodes."""

    cpus: Sequence[int]
    memory_mib: int
    distances: Sequence[int]


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine, and what its kernel is told."""

    name: str
    nodes: Sequence[Node]
    kernel_line: str
    huge_pages: Mapping[str, int]
    """The kind of page that ``PoolStats`` must tell, and the node that has some."""


TWO: Final = Machine(
    "two",
    # The second node lies at 1 GiB, and so has a page of 1 GiB to give.
    (Node((0, 1), 1024, (10, 21)), Node((2, 3), 2048, (21, 10))),
    "hugepagesz=1G hugepages=1:1 hugepagesz=2M hugepages=1:16",
    {"huge-1g": 1, "huge-2m": 1},
)
FOUR: Final = Machine(
    "four",
    (
        Node((0, 1), 768, (10, 20, 30, 40)),
        Node((2,), 512, (20, 10, 20, 30)),
        Node((3,), 0, (30, 20, 10, 25)),  # CPUs and no memory
        Node((), 512, (40, 30, 25, 10)),  # memory and no CPU
    ),
    "",
    {},
)
MACHINES: Final = {machine.name: machine for machine in (TWO, FOUR)}


def find_kernel() -> Path | None:
    """Return the newest kernel in /boot that can be read, or ``None``."""
    found = [path for path in Path("/boot").glob("vmlinuz*") if os.access(path, os.R_OK)]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def command(machine: Machine, kernel: Path, image: Path) -> list[str]:
    """Return the command line of QEMU."""
    line = [_QEMU, "-accel", "tcg,thread=multi", "-cpu", "max", "-nographic", "-no-reboot", "-nodefaults"]
    line += ["-serial", "stdio", "-monitor", "none", "-kernel", str(kernel), "-initrd", str(image)]
    # no_timer_check: on a busy host an emulated timer may be late, which the kernel would take for a broken one.
    line += ["-append", f"console=ttyS0 quiet panic=-1 no_timer_check {machine.kernel_line}".strip()]
    line += ["-m", f"{sum(node.memory_mib for node in machine.nodes)}M"]
    line += ["-smp", str(sum(len(node.cpus) for node in machine.nodes))]
    for number, node in enumerate(machine.nodes):
        option = f"node,nodeid={number}" + "".join(f",cpus={cpu}" for cpu in node.cpus)
        if node.memory_mib:
            line += ["-object", f"memory-backend-ram,id=ram{number},size={node.memory_mib}M"]
            option += f",memdev=ram{number}"
        line += ["-numa", option]
    for number, node in enumerate(machine.nodes):
        for other, distance in enumerate(node.distances):
            line += ["-numa", f"dist,src={number},dst={other},val={distance}"]
    return line


def boot(machine: Machine, kernel: Path, limit_s: float) -> tuple[str, bool]:
    """Boot a machine and return what its console said, and whether it ended by itself in time."""
    with tempfile.TemporaryDirectory(prefix="numa-guest-") as folder:
        image = Path(folder, "initramfs.cpio")
        write_image(image, _GUEST, json.dumps(asdict(machine)))
        line = command(machine, kernel, image)
        try:
            done = subprocess.run(
                line,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            return (late.output or b"").decode(errors="replace"), False
        return done.stdout.decode(errors="replace"), done.returncode == 0


def printable(console: str) -> str:
    """Return what a console said, without the codes that would move the reader's cursor."""
    return "".join(letter for letter in console if letter.isprintable() or letter == "\n")


def judge(console: str) -> tuple[list[str], list[str], bool]:
    """Return the checks that held, those that failed, and whether the guest said that it was through."""
    lines = [line.strip() for line in console.splitlines()]
    held = [line.removeprefix("ok: ") for line in lines if line.startswith("ok: ")]
    failed = [line.removeprefix("FAILED: ") for line in lines if line.startswith("FAILED: ")]
    return held, failed, f"through: {len(held)} held, {len(failed)} failed" in lines


def prove(machine: Machine, kernel: Path, *, show: bool) -> bool:
    """Boot one machine, print its checks, and return whether all held."""
    start = time.monotonic()
    console, ended = boot(machine, kernel, LIMIT_S)
    held, failed, through = judge(console)
    good = through and ended and bool(held) and not failed
    if show or not good:
        print(printable(console))
    for line in held:
        print(f"  ok      {line}")
    for line in failed:
        print(f"  FAILED  {line}")
    if not through:
        print("  FAILED  the guest did not come to its end")
    print(f"{machine.name}: {len(held)} held, {len(failed)} failed, {time.monotonic() - start:.0f} s\n")
    return good


def missing(kernel: Path | None) -> list[str]:
    """Return what has to be there and is not, with how to get it."""
    absent = []
    if shutil.which(_QEMU) is None:
        absent.append(f"{_QEMU} (Debian, Ubuntu: apt-get install qemu-system-x86)")
    if kernel is None or not os.access(kernel, os.R_OK):
        absent.append("a Linux kernel: --kernel FILE or NUMA_KERNEL=FILE (Debian: linux-image-cloud-amd64)")
    return absent


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description="Prove the NUMA parts on emulated machines.")
    parser.add_argument("--only", choices=sorted(MACHINES), help="boot this machine only")
    parser.add_argument("--kernel", type=Path, help="the Linux kernel to boot (else NUMA_KERNEL, else /boot)")
    parser.add_argument("--show", action="store_true", help="print what the console said")
    options = parser.parse_args(arguments)
    named = options.kernel or os.environ.get("NUMA_KERNEL")
    kernel = Path(named) if named else find_kernel()
    absent = missing(kernel)
    if kernel is None or absent:
        for what in absent:
            print(f"missing: {what}")
        return MISSING
    chosen = [MACHINES[options.only]] if options.only else list(MACHINES.values())
    print(f"kernel {kernel.name}, Python {sys.version.split()[0]}, emulated (QEMU, no KVM)\n", flush=True)
    results = [prove(machine, kernel, show=options.show) for machine in chosen]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
