"""A server without its counting: it works, counts nothing, and is refused when there is nothing to take out."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from hioload_ws.api import InternalError
from hioload_ws.bench.uncounted import Finder, Uncounting

PROGRAM = """
from hioload_ws.bench.uncounted import load_uncounted
library = load_uncounted("hioload_ws")
app = library.Server("127.0.0.1", 0)
app.on_message(lambda connection, message: connection.send(message))
with app.background() as url, library.connect(url) as client:
    for size in (10, 300, 70_000):
        client.send(bytes(size))
        assert client.receive(20) == bytes(size)
seen = {sample.name: sample.value for sample in app.metrics.collect()}
assert seen["hioload_connections_closed_total"] == 1, "what is not on the way of a message is counted"
print(int(sum(seen[f"hioload_{name}"] for name in (
    "messages_sent_total", "messages_received_total", "sent_bytes_total", "received_bytes_total",
    "loop_seconds_count", "loop_turns_total",
))))
"""


def without_counting(source: str) -> tuple[str, int]:
    uncounting = Uncounting()
    return ast.unparse(uncounting.visit(ast.parse(source))), uncounting.removed_count


def test_what_counts_is_taken_out_and_nothing_else() -> None:
    source = (
        "def send(self, size):\n"
        "    traffic = self.traffic\n"
        "    traffic.sent.count += 1\n"
        "    self.hub.traffic.bytes.count += size\n"
        "    self._loop_counts[size.bit_length()] += 1\n"
        "    self._loop_total_ns += size\n"
        "    self.pending += size\n"
        "    self.rows.count += 1\n"
        "def use(hub):\n"
        "    traffic = hub.traffic\n"
        "    return traffic\n"
    )
    assert without_counting(source) == (
        "def send(self, size):\n    pass\n    pass\n    pass\n    pass\n    pass\n    self.pending += size\n"
        "    self.rows.count += 1\n\ndef use(hub):\n    traffic = hub.traffic\n    return traffic",
        4,
    )


def test_a_server_without_its_counting_works_and_counts_no_message() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_module_that_counts_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "connection.py").write_text("x = 1\n")
    spec = Finder("other").find_spec("other.adapters.connection", [str(tmp_path)])
    assert spec is not None and spec.loader is not None
    with pytest.raises(InternalError, match="nothing is counted in other.adapters.connection"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
    assert Finder("other").find_spec("other.adapters.hub", [str(tmp_path)]) is None
