"""Fixtures of the packaging tests: a clean copy of the repository, its wheel, and a place it is installed in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

import hypothesis
import mypy
import pytest
import typing_extensions

REPOSITORY = Path(__file__).resolve().parents[2]

collect_ignore = ["project"]  # tests of a project of somebody else, run by test_downstream.py in its own world

LEFTOVERS = shutil.ignore_patterns(
    *".git .venv* __pycache__ *.egg-info build dist .*_cache .hypothesis .benchmarks .coverage*".split()
)

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def run_command(
    command: Sequence[str | Path], folder: Path, *, code: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder outside the source tree; its exit code must be ``code`` (``None``: any)."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COVERAGE", "PYTEST"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env={**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
    )
    if code is not None:
        assert done.returncode == code, f"{command} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="session")
def run() -> Run:
    return run_command


@pytest.fixture
def copy_tree(tmp_path: Path) -> Callable[[], Path]:
    """Return a function that makes a copy of the repository, links as links, without what tools leave."""

    def copy() -> Path:
        target = tmp_path / "copy"
        shutil.copytree(REPOSITORY, target, symlinks=True, ignore=LEFTOVERS)
        return target

    return copy


def build_wheel(source: Path, target: Path, *, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Build a wheel with pip, without network and without a build environment of its own."""
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(target)]
    return run_command([sys.executable, "-m", "pip", "wheel", source, *options], source, code=code)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of this repository, built once from a clean copy."""
    base = tmp_path_factory.mktemp("wheel")
    shutil.copytree(REPOSITORY, base / "source", symlinks=True, ignore=LEFTOVERS)
    build_wheel(base / "source", base / "dist")
    (built,) = (base / "dist").glob("*.whl")
    return built


def make_environment(wheel: Path, folder: Path) -> tuple[Path, Path]:
    """Make an environment that has the wheel and its one dependency, and nothing else; return its Python and
    the folder of its packages."""
    venv.create(folder, symlinks=os.name == "posix", with_pip=False)
    bases = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=bases))
    options = ["--no-deps", "--no-index", "--target", str(packages)]
    run_command([sys.executable, "-m", "pip", "install", *options, wheel], folder)
    shutil.copy(typing_extensions.__file__, packages)
    scripts = Path(sysconfig.get_path("scripts", "venv", vars=bases))
    return scripts / ("python.exe" if os.name == "nt" else "python"), packages


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment that has the wheel and its one dependency, and nothing else."""
    return make_environment(wheel, tmp_path_factory.mktemp("installed") / "venv")[0]


@pytest.fixture(scope="session")
def downstream(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment as ``pip install hioload-ws[contract]`` makes it, and mypy.

    What the extra asks for is borrowed from the environment that these tests run in, so no network is needed:
    a ``.pth`` file puts a folder at the end of the path, and the ``.pth`` files in there are not looked at, so
    an editable install of this repository stays out.
    """
    python, packages = make_environment(wheel, tmp_path_factory.mktemp("downstream") / "venv")
    folders = {Path(module.__file__ or "").parents[1] for module in (pytest, hypothesis, mypy)}
    (packages / "borrowed.pth").write_text("".join(f"{folder}\n" for folder in sorted(folders)))
    return python
