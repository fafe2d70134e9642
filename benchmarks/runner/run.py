"""Run: servers and loads side by side, turn by turn, and what came out of it.

All servers of a scenario are started first. Then they take turns: in each round every server is loaded once, for the
same short time, while the others sleep. So whatever else the machine does hits all of them alike, and a ratio is
taken within a round, where both sides had the same weather. Figures are medians over rounds; *spread* is how far the
middle half of the rounds lies apart, as a share of the median: that is the noise that a comparison has to exceed.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Final, Self

from ..api.errors import InternalError
from .load import Task
from .process import cpu_ns, pss_bytes, share_cpus
from .scenario import OURS, Mode, Scenario
from .servers import KINDS, Running

Progress = Callable[[str], None]
"""Told what is measured next."""

_END_S: Final = 30.0
_MOST_LOADS: Final = 4
_IDLE_TURNS: Final = 30


@dataclass(slots=True)
class Figure:
    """What one server did in one scenario: units of work per second of CPU time, a value per round; for idle
    servers bytes per connection, and the share of a core that it used meanwhile."""

    values: list[float] = field(default_factory=list)
    core_share: float | None = None

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Distance of the quartiles, as a share of the median; 0 for fewer than three values."""
        if len(self.values) < 3:
            return 0.0
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return (high - low) / self.median


@dataclass(slots=True)
class Result:
    """The figures of one scenario, by server."""

    scenario: str
    figures: dict[str, Figure]

    def ratio(self, server: str, against: str) -> float:
        """Return the median over rounds of the ratio of two servers."""
        pairs = zip(self.figures[server].values, self.figures[against].values, strict=True)
        return statistics.median(ours / theirs for ours, theirs in pairs)

    def ratio_spread(self, server: str, against: str) -> float:
        """Return the spread of that ratio, as ``Figure.spread``."""
        pairs = zip(self.figures[server].values, self.figures[against].values, strict=True)
        return Figure([ours / theirs for ours, theirs in pairs]).spread


class Load:
    """Load processes that play one task together. Use it in a ``with`` block."""

    def __init__(self, running: Running, scenario: Scenario, cpus: Collection[int]) -> None:
        """Start them and wait until all connections are up. Raises ``InternalError``."""
        wanted = min(_MOST_LOADS, len(cpus)) if scenario.mode is Mode.ECHO else 1
        self._loads = []
        for number in range(wanted):
            share = scenario.connections // wanted + (number < scenario.connections % wanted)
            task = Task(
                port=running.port,
                mode=scenario.mode.value,
                connections=share,
                in_flight=scenario.in_flight,
                size_bytes=scenario.size_bytes,
                path="/all" if scenario.mode is Mode.BROADCAST else "/",
                raw=KINDS[running.name].raw,
                seed=number + 1,
                cpus=sorted(cpus),
            )
            process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.load"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self._loads.append(process)
            self._tell(process, asdict(task))
        for process in self._loads:
            self._hear(process)

    def work(self, seconds: float) -> int:
        """Have them work for so long, and return the units of work that were done. Raises ``InternalError``."""
        for process in self._loads:
            self._tell(process, seconds)
        return sum(self._hear(process) for process in self._loads)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._loads:
            with contextlib.suppress(BrokenPipeError):
                assert process.stdin is not None
                process.stdin.close()
        for process in self._loads:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            assert process.stdout is not None
            process.stdout.close()

    @staticmethod
    def _tell(process: subprocess.Popen[str], what: object) -> None:
        assert process.stdin is not None
        process.stdin.write(json.dumps(what) + "\n")
        process.stdin.flush()

    @staticmethod
    def _hear(process: subprocess.Popen[str]) -> int:
        assert process.stdout is not None
        line = process.stdout.readline()
        answer = json.loads(line) if line else {"event": "failed", "error": "the load process ended"}
        if answer["event"] == "failed":
            raise InternalError(f"the load found a fault: {answer['error']}")
        return int(answer.get("count", 0))


def measure(
    scenario: Scenario, servers: Sequence[str], rounds: int, seconds: float, progress: Progress
) -> Result:
    """Return what the servers did. Raises ``InternalError`` when one sends a wrong reply or dies."""
    run = _idle if scenario.mode is Mode.IDLE else _busy
    return Result(scenario.name, run(scenario, servers, rounds, seconds, progress))


def _busy(
    scenario: Scenario, servers: Sequence[str], rounds: int, seconds: float, progress: Progress
) -> dict[str, Figure]:
    server_cpus, load_cpus = share_cpus()
    figures = {name: Figure() for name in servers}
    with contextlib.ExitStack() as stack:
        pairs = []
        for name in servers:
            running = stack.enter_context(Running(name, server_cpus))
            load = stack.enter_context(Load(running, scenario, load_cpus))
            load.work(min(0.2, seconds))  # caches, allocators and branch predictors
            pairs.append((running, load))
        for number in range(rounds):
            for running, load in pairs[number % len(pairs) :] + pairs[: number % len(pairs)]:
                progress(running.name)
                before_ns = cpu_ns(running.pid)
                count = load.work(seconds)
                used_ns = cpu_ns(running.pid) - before_ns
                # Several workers use up so many seconds of CPU in one, where there are the CPUs.
                workers = KINDS[running.name].workers
                figures[running.name].values.append(count * workers * 1e9 / used_ns)
    return figures


def _idle(
    scenario: Scenario, servers: Sequence[str], rounds: int, seconds: float, progress: Progress
) -> dict[str, Figure]:
    """Memory is measured once per round on a fresh server: a process keeps what it once had. The share of a core is
    taken of our own server, once, over 30 times ``seconds``: so long that keep-alive has its turn."""
    server_cpus, load_cpus = share_cpus()
    figures = {name: Figure() for name in servers}
    for number in range(min(rounds, 3)):
        for name in servers:
            progress(name)
            with Running(name, server_cpus) as running:
                with Load(running, _few(scenario), load_cpus):
                    before_bytes = pss_bytes(running.pid)
                    with Load(running, scenario, load_cpus) as load:
                        used_bytes = pss_bytes(running.pid) - before_bytes
                        figures[name].values.append(used_bytes / scenario.connections)
                        if number == 0 and name == OURS:
                            before_ns = cpu_ns(running.pid)
                            load.work(_IDLE_TURNS * seconds)
                            used_ns = cpu_ns(running.pid) - before_ns
                            figures[name].core_share = used_ns / (_IDLE_TURNS * seconds * 1e9)
    return figures


def _few(scenario: Scenario) -> Scenario:
    """Return the scenario with a few connections: what a server imports and caches for its first ones is not what
    each of many costs."""
    return Scenario(scenario.name, scenario.title, scenario.mode, scenario.unit, 16)


__all__ = ["Figure", "Load", "Progress", "Result", "measure"]
