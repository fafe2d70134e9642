"""Fixtures of the documentation tests: the files of the repository, as a clone would have them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

LEFTOVERS = ".git .venv __pycache__ build dist .mypy_cache .pytest_cache .hypothesis .benchmarks".split()


def repository_files() -> list[Path]:
    """Return the tracked files; where there is no git, every file that is no leftover of a tool."""
    if shutil.which("git") and (REPOSITORY / ".git").exists():
        command = ["git", "ls-files", "-z"]
        listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True, timeout=60).stdout
        found = [REPOSITORY / os.fsdecode(name) for name in listed.split(b"\0") if name]
        return [file for file in found if file.is_file() and not file.is_symlink()]
    files: list[Path] = []
    for folder, folders, names in os.walk(REPOSITORY):
        folders[:] = [each for each in folders if each not in LEFTOVERS and not each.endswith(".egg-info")]
        files += [Path(folder, name) for name in names if not name.startswith(".coverage")]
    return sorted(file for file in files if not file.is_symlink())


@pytest.fixture(scope="session")
def files() -> list[Path]:
    return repository_files()


@pytest.fixture(scope="session")
def pages(files: list[Path]) -> list[Path]:
    """Return every Markdown file."""
    found = [file for file in files if file.suffix == ".md"]
    assert REPOSITORY / "README.md" in found
    return found
