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

import pytest
import typing_extensions

REPOSITORY = Path(__file__).resolve().parents[2]

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


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of an environment that has the wheel and its one dependency, and nothing else."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(folder, symlinks=os.name == "posix", with_pip=False)
    packages = Path(sysconfig.get_path("purelib", "venv", vars={"base": str(folder), "platbase": str(folder)}))
    options = ["--no-deps", "--no-index", "--target", str(packages)]
    run_command([sys.executable, "-m", "pip", "install", *options, wheel], folder)
    shutil.copy(typing_extensions.__file__, packages)
    scripts = Path(sysconfig.get_path("scripts", "venv", vars={"base": str(folder), "platbase": str(folder)}))
    return scripts / ("python.exe" if os.name == "nt" else "python")
