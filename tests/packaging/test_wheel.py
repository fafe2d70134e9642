"""The wheel: it holds the whole package and nothing else, works where it is installed, and brings its types."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import links
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

Run = Callable[..., "subprocess.CompletedProcess[str]"]

PACKAGES = links.declared_packages(REPOSITORY)


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_has_every_module_of_every_room_and_the_type_marker(wheel: Path) -> None:
    expected = {"hioload_ws/__init__.py", "hioload_ws/__main__.py", "hioload_ws/py.typed"}
    for room, folder in links.rooms_on_disk(REPOSITORY).items():
        expected |= {f"hioload_ws/{room}/{file.relative_to(folder).as_posix()}" for file in folder.glob("**/*.py")}
        expected |= {f"hioload_ws/{room}/{file.name}" for file in folder.glob("*.toml")}
    code = {name for name in _names(wheel) if name.startswith("hioload_ws/")}
    assert code == expected


def test_the_wheel_has_licence_and_notice_and_no_tests_or_examples(wheel: Path) -> None:
    rest = {name for name in _names(wheel) if not name.startswith("hioload_ws/")}
    rest.remove("_hioload_ws_pytest.py")  # the pytest plugin, which must not load the package
    (folder,) = {name.split("/")[0] for name in rest}
    assert folder.startswith("hioload_ws-") and folder.endswith(".dist-info")
    assert {f"{folder}/licenses/LICENSE", f"{folder}/licenses/NOTICE", f"{folder}/METADATA"} <= rest
    with zipfile.ZipFile(wheel) as archive:
        for name in ("LICENSE", "NOTICE"):
            assert archive.read(f"{folder}/licenses/{name}") == (REPOSITORY / name).read_bytes() != b""


def test_the_wheel_asks_for_nothing_but_typing_extensions_at_run_time(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    required = [line for line in lines if line.startswith("Requires-Dist:") and "extra ==" not in line]
    assert [line.split(":")[1].strip().split(">")[0] for line in required] == ["typing-extensions"]


def test_what_the_notice_lists_is_what_the_tests_need() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    needed = {line.split(">")[0] for line in settings["project"]["optional-dependencies"]["test"]}
    notice = (REPOSITORY / "NOTICE").read_text("utf-8")
    assert {line.split()[0] for line in notice.splitlines() if line.startswith("    ")} == needed


def test_a_wheel_made_from_the_source_archive_is_the_same(
    copy_tree: Callable[[], Path], run: Run, wheel: Path, tmp_path: Path
) -> None:
    source = copy_tree()
    build = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"
    archive = run([sys.executable, "-c", build, "build_sdist", tmp_path], source).stdout.split()[-1]
    unpacked = tmp_path / "unpacked"
    run([sys.executable, "-m", "tarfile", "-e", tmp_path / archive, unpacked], tmp_path)
    (source,) = unpacked.iterdir()
    name = run([sys.executable, "-c", build, "build_wheel", tmp_path], source).stdout.split()[-1]
    assert _names(tmp_path / name) == _names(wheel)


def test_a_copy_whose_links_are_text_builds_no_wheel(
    copy_tree: Callable[[], Path], run: Run, tmp_path: Path
) -> None:
    source = copy_tree()
    for room in links.rooms_on_disk(source):
        link = source / "src" / "hioload_ws" / room
        target = str(link.readlink())
        link.unlink()
        link.write_text(target)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", tmp_path / "dist"]
    done = run([sys.executable, "-m", "pip", "wheel", source, *options], tmp_path, code=None)
    assert done.returncode != 0
    assert "package directory 'src/hioload_ws/" in done.stdout + done.stderr


def test_every_package_is_imported_from_where_it_was_installed(installed: Path, run: Run, tmp_path: Path) -> None:
    script = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    print(importlib.import_module(name).__file__)\n"
    )
    places = run([installed, "-W", "error", "-c", script, *PACKAGES], tmp_path).stdout.split()
    assert len(places) == len(PACKAGES)
    assert all(Path(place).is_relative_to(installed.parents[1]) for place in places)


def test_the_command_line_answers_with_the_version(installed: Path, run: Run, tmp_path: Path) -> None:
    script = "import hioload_ws; print(hioload_ws.__version__)"
    version = run([installed, "-c", script], tmp_path).stdout.strip()
    answer = run([installed, "-W", "error", "-m", "hioload_ws", "--version"], tmp_path).stdout
    assert version and version in answer.split()


GOOD = '''
from __future__ import annotations

from hioload_ws.api import Buffer, NodeId, TcpAddress
from hioload_ws.pool import SlabBufferPool


def fill(buffer: Buffer) -> int:
    buffer.data()[:2] = b"ok"
    return len(buffer)


with SlabBufferPool() as pool:
    lease: Buffer = pool.acquire(4096)
    size: int = fill(lease)
    lease.release()
address: str = str(TcpAddress("::1", size))
'''

BAD = '''
from hioload_ws.api import NodeId, TcpAddress
from hioload_ws.pool import SlabBufferPool

SlabBufferPool().acquire("4096")
TcpAddress("::1", port=None)
node: NodeId = 3
'''


def test_a_project_that_uses_the_wheel_sees_its_types(installed: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "bad.py").write_text(BAD)
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", installed, "--no-error-summary"]
    done = run([*command, "--cache-dir", tmp_path / "cache", "good.py", "bad.py"], tmp_path, code=1)
    errors = [line for line in done.stdout.splitlines() if ": error:" in line]
    # Without py.typed there would be errors about the imports instead, and none about their use.
    assert [(line.split(": ")[0], line.rsplit("[", 1)[-1]) for line in errors] == [
        ("bad.py:5", "arg-type]"),
        ("bad.py:6", "arg-type]"),
        ("bad.py:7", "assignment]"),
    ]
