"""Runs `run.py` where QEMU and a kernel are present, and holds what it says where they are not."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final

import pytest

from tests.numa.image import Archive, write_image
from tests.numa.run import FOUR, MISSING, TWO, command, judge, printable

RUN: Final = Path(__file__).with_name("run.py")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(RUN), *arguments], capture_output=True, text=True, timeout=200, check=False
    )


@pytest.mark.slow
@pytest.mark.time_limit(220)
@pytest.mark.parametrize("machine", ["two", "four"])
def test_a_machine_with_several_nodes_proves_every_claim(machine: str, request: pytest.FixtureRequest) -> None:
    if "slow" not in request.config.getoption("markexpr") and "NUMA_KERNEL" not in os.environ:
        pytest.skip("boots a machine: ask for it with -m slow, NUMA_KERNEL=FILE, or python tests/numa/run.py")
    done = run("--only", machine)
    if done.returncode == MISSING:
        pytest.skip("; ".join(done.stdout.splitlines()))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed" in done.stdout


def test_what_is_missing_is_named_with_an_exit_code_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("--kernel", str(tmp_path / "absent"))
    assert (done.returncode, done.stderr) == (MISSING, "")
    assert [line.partition(" (")[0] for line in done.stdout.splitlines()] == [
        "missing: qemu-system-x86_64", "missing: a Linux kernel: --kernel FILE or NUMA_KERNEL=FILE"
    ]  # fmt: skip


def test_a_machine_nobody_knows_is_refused() -> None:
    assert run("--only", "three").returncode == 2


def test_a_guest_that_did_not_come_through_proves_nothing() -> None:
    assert judge("ok: a\nok: b\nthrough: 2 held, 0 failed\n") == (["a", "b"], [], True)
    assert judge("ok: a\nFAILED: b\nthrough: 1 held, 1 failed\n") == (["a"], ["b"], True)
    assert judge("ok: a\nKernel panic\n") == (["a"], [], False)
    assert judge("ok: a\nthrough: 2 held, 0 failed\n")[2] is False
    assert printable("\x1b[2Ja\r\nb") == "[2Ja\nb"


def test_the_machines_are_what_they_are_meant_to_be() -> None:
    line = " ".join(command(FOUR, Path("kernel"), Path("image")))
    assert "node,nodeid=2,cpus=3 " in line, "CPUs and no memory"
    assert "node,nodeid=3,memdev=ram3 " in line, "memory and no CPU"
    assert "-m 1792M -smp 4" in line
    assert "hugepages=1:1" in " ".join(command(TWO, Path("kernel"), Path("image")))
    for machine in (TWO, FOUR):
        for number, node in enumerate(machine.nodes):
            assert node.distances[number] == 10 and len(node.distances) == len(machine.nodes)


def test_an_archive_is_a_row_of_headers_names_and_contents_each_on_four_bytes() -> None:
    out = io.BytesIO()
    archive = Archive(out)
    archive.add(Path("/a/b"), b"12345", stat.S_IFREG | 0o644, 7)
    archive.end()
    content, at, seen = out.getvalue(), 0, []
    while at < len(content):
        assert at % 4 == 0 and content[at : at + 6] == b"070701"
        fields = [int(content[at + 6 + 8 * index : at + 14 + 8 * index], 16) for index in range(13)]
        name_bytes, size_bytes = fields[11], fields[6]
        name = content[at + 110 : at + 110 + name_bytes - 1].decode()
        start = at + (110 + name_bytes + 3) // 4 * 4
        seen.append((name, oct(fields[1]), fields[5], content[start : start + size_bytes]))
        at = start + (size_bytes + 3) // 4 * 4
    assert seen == [
        ("a", "0o40755", 0, b""), ("a/b", "0o100644", 7, b"12345"), ("TRAILER!!!", "0o0", 0, b"")
    ]  # fmt: skip


def test_the_image_holds_the_script_the_library_and_the_machine(tmp_path: Path) -> None:
    image, script = tmp_path / "image", tmp_path / "script.py"
    script.write_text("print('hello')\n")
    write_image(image, script, json.dumps(asdict(TWO)))
    content = image.read_bytes()
    for part in (b"-I\nprint('hello')", b"opt/library/hioload_ws/pool/node_pools.py\0", b'"name": "two"'):
        assert content.count(part) == 1
    assert content.index(b"TRAILER!!!\0") > len(content) - 20
