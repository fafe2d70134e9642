"""Links, declared packages and folders agree, and a copy in which they do not is told so loudly."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import links
import pytest
from hioload_ws import api

REPOSITORY = Path(__file__).resolve().parents[2]

Change = Callable[[Path], object]


def test_the_repository_agrees_with_itself() -> None:
    assert list(links.check(REPOSITORY)) == []


def test_what_the_tests_import_is_what_lies_at_the_root() -> None:
    assert api.__file__ is not None
    assert os.path.samefile(api.__file__, REPOSITORY / "api" / "__init__.py")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return the repository's skeleton: every room with an ``__init__.py`` only."""
    for room, place in links.rooms_on_disk(REPOSITORY).items():
        folder = tmp_path / place.relative_to(REPOSITORY)
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text(f'"""{room}"""\n')
    shutil.copytree(REPOSITORY / "src", tmp_path / "src", symlinks=True)
    shutil.rmtree(tmp_path / "src" / "hioload_ws.egg-info", ignore_errors=True)
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    # The real list may run ahead of the folders for subpackages; the skeleton has none.
    text = (tmp_path / "pyproject.toml").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "pyproject.toml").write_text("".join(line for line in text if line.count(".") != 2 or "=" in line))
    return tmp_path


def _without_link(root: Path) -> None:
    (root / "src/hioload_ws/pool").unlink()


def _as_text(root: Path) -> None:
    _without_link(root)
    (root / "src/hioload_ws/pool").write_text("../../pool")


def _as_copy(root: Path) -> None:
    _without_link(root)
    shutil.copytree(root / "pool", root / "src/hioload_ws/pool")


def _elsewhere(root: Path) -> None:
    _without_link(root)
    (root / "src/hioload_ws/pool").symlink_to("../../session")


def _absolute(root: Path) -> None:
    _without_link(root)
    (root / "src/hioload_ws/pool").symlink_to(root / "pool")


def _dangling(root: Path) -> None:
    (root / "src/hioload_ws/gone").symlink_to("../../gone")


def _without_folder(root: Path) -> None:
    shutil.rmtree(root / "pool")


def _stray_module(root: Path) -> None:
    (root / "src/hioload_ws/helper.py").touch()


def _subpackage(root: Path) -> None:
    (root / "pool/inner").mkdir()
    (root / "pool/inner/__init__.py").touch()


def _declared(old: str, new: str) -> Change:
    def change(root: Path) -> None:
        text = (root / "pyproject.toml").read_text("utf-8")
        assert old in text
        (root / "pyproject.toml").write_text(text.replace(old, new))

    return change


POOL = '    "hioload_ws.pool",\n'


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (_without_link, "the link src/hioload_ws/pool is missing"),
        (_as_text, f"this copy was made without symbolic links; {links.REMEDY}"),
        (_as_copy, f"this copy was made without symbolic links; {links.REMEDY}"),
        (_elsewhere, "the link src/hioload_ws/pool must be relative and lead to its room"),
        (_absolute, "the link src/hioload_ws/pool must be relative and lead to its room"),
        (_dangling, "the link src/hioload_ws/gone leads to no room"),
        (_without_folder, "the folder pool/ with its __init__.py is missing"),
        (_stray_module, "src/hioload_ws/helper.py does not belong there: code lies in the rooms at the root"),
        (_subpackage, "pyproject.toml does not declare the package hioload_ws.pool.inner"),
        (_declared(POOL, ""), "pyproject.toml does not declare the package hioload_ws.pool"),
        (_declared(POOL, POOL * 2), "pyproject.toml declares a package twice"),
        (
            _declared(POOL, POOL + '    "hioload_ws.gone",\n'),
            "pyproject.toml declares the package hioload_ws.gone, which is not on disk",
        ),
    ],
)
def test_a_disagreement_is_named(
    small: Path, change: Change, wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert links.main([str(small)]) == 0, capsys.readouterr().out
    change(small)
    assert links.main([str(small)]) == 1
    assert wanted in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git to make a clone")
def test_a_clone_without_symbolic_links_fails_loudly_and_the_remedy_mends_it(
    small: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    clone = tmp_path_factory.mktemp("clone") / "clone"
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for command in (
        ["git", "init", "-q", "."],
        ["git", "add", "."],
        ["git", *who, "commit", "-q", "-m", "x"],
        ["git", "-c", "core.symlinks=false", "clone", "-q", "-c", "core.symlinks=false", ".", str(clone)],
    ):
        subprocess.run(command, cwd=small, check=True, timeout=60)
    assert (clone / "src/hioload_ws/pool").read_text() == "../../pool"
    assert links.main([str(clone)]) == 1
    assert links.REMEDY in capsys.readouterr().out
    subprocess.run(f"rm -r src && {links.REMEDY}", shell=True, cwd=clone, check=True, timeout=60)
    assert links.main([str(clone)]) == 0
