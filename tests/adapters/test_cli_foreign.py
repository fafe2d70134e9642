"""Commands of others: found as entry points, only when needed, and a broken one hurts nobody else."""

from __future__ import annotations

import argparse
from importlib import metadata

import pytest
from hioload_ws.adapters.cli import COMMANDS, AddParser, main
from hioload_ws.api import InvalidArgument
from tests.adapters.command import refused


def greet(add_parser: AddParser) -> None:
    """Add a command that greets whoever is not Bob."""

    def run(options: argparse.Namespace) -> int:
        if options.name == "Bob":
            raise InvalidArgument("not you, Bob")
        print(f"hello {options.name}")
        return 7

    parser = add_parser("greet", help="greet somebody")
    parser.add_argument("name")
    parser.set_defaults(command=run)


def steal(add_parser: AddParser) -> None:
    """Would add a command of a name that is taken."""
    raise AssertionError("asked although the name is taken")


def _entry(name: str, place: str) -> metadata.EntryPoint:
    return metadata.EntryPoint(name, place, COMMANDS)


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Install two commands, one of them broken, and one whose name is ours; return who was asked for any."""
    calls: list[str] = []
    entries = [
        _entry("greet", f"{__name__}:greet"),
        _entry("broken", "no_such_module:mount"),
        _entry("probe", f"{__name__}:steal"),
    ]

    def entry_points(*, group: str) -> list[metadata.EntryPoint]:
        calls.append(group)
        return entries

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    return calls


def test_a_command_of_somebody_else_runs_as_ours_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["greet", "Ann"]) == 7
    assert capsys.readouterr().out == "hello Ann\n"
    assert main(["greet", "Bob"]) == 2
    assert capsys.readouterr().err == "hioload-ws: not you, Bob\n"


def test_help_names_them_and_lives_with_a_broken_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "greet     greet somebody" in out and "broken    can't be loaded" in out
    assert "'greet'" in refused(capsys, "gret")
    with pytest.raises(SystemExit):
        main([])


def test_a_broken_one_says_why_when_it_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["broken"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("hioload-ws: the command broken of no_such_module:mount can't be loaded: ModuleNotFoundError")


def test_nobody_is_asked_for_a_command_of_ours(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rfc", "5.5.1"]) == 0
    with pytest.raises(SystemExit):
        main(["--version"])
    assert asked == []
