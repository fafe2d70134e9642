"""Where a configuration comes from, and whether its file has changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hioload_ws.api.errors import InvalidArgument
from hioload_ws.control.sources import DEFAULT, FileWatch, read_config


def test_later_sources_win_and_origins_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "server.toml"
    path.write_text("# ours\nport = 1000\nbacklog = 7\n")
    sourced = read_config(str(path), {"HIOLOAD_PORT": "2000", "HOME": "/"})
    assert (sourced.config.port, sourced.config.backlog) == (2000, 7)
    assert sourced.origins["port"] == "HIOLOAD_PORT"
    assert sourced.origins["backlog"] == f"{path}:3"
    assert sourced.origins["host"] == DEFAULT


def test_without_a_file_there_are_defaults_and_variables() -> None:
    assert read_config(None, {}).config.port == 9001
    assert read_config(None, {"HIOLOAD_SOCKET": "x"}, also_known=["HIOLOAD_SOCKET"]).origins["port"] == DEFAULT
    with pytest.raises(InvalidArgument, match="HIOLOAD_PROT"):
        read_config(None, {"HIOLOAD_PROT": "1"})


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="absent: can't be read"):
        read_config(str(tmp_path / "absent"), {})


def test_every_way_to_change_a_file_is_noticed_once(tmp_path: Path) -> None:
    path = tmp_path / "file"
    watch = FileWatch(str(path))
    assert not watch.changed()
    path.write_text("a")
    assert watch.changed()
    assert not watch.changed()
    path.write_text("ab")
    assert watch.changed()
    os.utime(path, ns=(1, 1))
    assert watch.changed()
    other = tmp_path / "other"
    other.write_text("ab")
    os.utime(other, ns=(1, 1))
    other.replace(path)
    assert watch.changed()
    path.unlink()
    assert watch.changed()
    assert not watch.changed()
