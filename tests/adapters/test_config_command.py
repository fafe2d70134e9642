"""``hioload-ws config check`` and ``show``."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from hioload_ws import ServerConfig
from hioload_ws.adapters.cli import main
from hioload_ws.adapters.config_command import show
from hioload_ws.control.knobs import values_of


def test_a_right_file_is_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ok.toml"
    path.write_text("port = 0\n")
    assert main(["config", "check", str(path)]) == 0
    assert capsys.readouterr().out == "ok\n"


def test_every_fault_is_a_line_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("port = 70000\nhots = 'x'\n")
    assert main(["config", "check", str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in lines] == [f"{path}:1:", f"{path}:2:"]
    assert "host" in lines[1]
    assert main(["config", "check", str(tmp_path / "absent")]) == 1


def test_what_is_shown_is_a_file_that_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "some.toml"
    path.write_text('subprotocols = ["chat", "v2"]\nhost = "::1"\n')
    assert show(str(path), as_json=False, environ={"HIOLOAD_BACKLOG": "9"}) == 0
    text = capsys.readouterr().out
    shown = ServerConfig.from_mapping(tomllib.loads(text))
    assert shown == ServerConfig(subprotocols=("chat", "v2"), host="::1", backlog=9)
    assert "HIOLOAD_BACKLOG" in text
    assert f"{path}:2" in text
    assert "# unix_path is not set" in text


def test_json_has_values_and_origins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown.keys() == values_of(ServerConfig()).keys()
    assert shown["port"] == {"value": 9001, "origin": "default"}
