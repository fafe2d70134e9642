"""``hioload-ws bench`` as a user calls it: choices, refusals, files, exit codes, and one short run of everything."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest

from hioload_ws.api import InternalError, InvalidArgument
from hioload_ws.bench import command
from hioload_ws.bench.run import Figure, Progress, Result, measure
from hioload_ws.bench.scenario import SCENARIOS, Scenario
from hioload_ws.bench.servers import KINDS, Kind, Running


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(arguments)


def test_it_is_a_command_of_the_command_line() -> None:
    parser = argparse.ArgumentParser()
    command.mount(parser.add_subparsers().add_parser)
    assert parser.parse_args(["bench", "small"]).command is command.run


def run(*arguments: str) -> tuple[int, str]:
    output = io.StringIO()
    return command.run(options(*arguments), output), output.getvalue()


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Replace measuring by figures that a test sets, by server."""
    speeds = dict.fromkeys(KINDS, 100.0)

    def measured(
        scenario: Scenario, servers: list[str], rounds: int, seconds: float, progress: Progress
    ) -> Result:
        for name in servers:
            progress(name)
        return Result(scenario.name, {name: Figure([speeds[name]] * rounds) for name in servers})

    monkeypatch.setattr(command, "measure", measured)
    return speeds


def test_the_list_names_every_scenario_and_server() -> None:
    code, text = run("--list")
    assert code == 0
    for name in (*(each.name for each in SCENARIOS), *KINDS):
        assert f"  {name}" in text


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["smal"], "no scenario smal: there are small, "),
        (["--servers", "nginx"], "no server nginx: there are hioload, "),
        (["--rounds", "0"], "rounds are 1 to 1000"),
        (["--seconds", "1e9"], "seconds 0.01 to 600"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_does(arguments: list[str], complaint: str) -> None:
    with pytest.raises(InvalidArgument, match=complaint):
        run(*arguments)


def test_a_server_that_is_asked_for_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "picows", Kind("picows", ("no_such_module",)))
    with pytest.raises(InvalidArgument, match="pip install no_such_module"):
        run("--servers", "picows")


def test_one_that_is_not_installed_is_named_and_left_out(
    monkeypatch: pytest.MonkeyPatch, made_up: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(KINDS, "aiohttp", Kind("aiohttp", ("no_such_module",)))
    code, text = run("small", "--quick")
    assert code == 0 and "aiohttp" not in text
    assert "left out, not installed: no_such_module" in capsys.readouterr().err


def test_results_are_written_and_compared(made_up: dict[str, float], tmp_path: Path) -> None:
    baseline, picture = tmp_path / "a.json", tmp_path / "a.svg"
    arguments = ("small", "--servers", "hioload,raw", "--quick")
    assert run(*arguments, "--json", str(baseline), "--svg", str(picture))[0] == 0
    assert json.loads(baseline.read_text())["results"][0]["figures"]["hioload"]["median"] == 100.0
    assert picture.read_text().startswith("<svg")
    code, text = run(*arguments, "--compare", str(baseline))
    assert code == 0 and " ok" in text
    made_up["hioload"] = 80.0
    code, text = run(*arguments, "--compare", str(baseline))
    assert code == 1 and "REGRESSED" in text


def test_a_wrong_baseline_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(InvalidArgument, match="no file of results"):
        run("--compare", str(tmp_path / "a.json"))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.name)
def test_every_scenario_runs_on_our_server_and_on_a_peer(scenario: Scenario) -> None:
    small = Scenario(
        scenario.name, scenario.title, scenario.mode, scenario.unit, min(scenario.connections, 20),
        scenario.in_flight, scenario.size_bytes,
    )  # fmt: skip
    told: list[str] = []
    some = ("hioload", "hioload-coroutines", "hioload-2-workers", "raw", "websockets")
    servers = [name for name in some if name in scenario.servers]
    result = measure(small, servers, 1, 0.05, told.append)
    assert list(result.figures) == servers == told
    if scenario.unit == "bytes each":
        assert result.figures["hioload"].core_share is not None
    else:
        assert all(figure.median > 0 for figure in result.figures.values())


def test_a_server_that_can_not_start_is_told_by_name() -> None:
    with pytest.raises(InternalError, match="nobody"):
        Running("nobody", {0})
