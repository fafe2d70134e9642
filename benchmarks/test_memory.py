"""What an idle connection costs in memory, by kind of object.

Two measurements, each in a server process of its own whose clients live elsewhere:

- *by object*: what a connection owns and its share of common tables, as ``tests/load/footprint.py`` counts it;
- *by the system*: the process's proportional set size (PSS, proc_pid_smaps(5)) before and after, which also counts
  what the allocator leaves free between objects.

Run with ``pytest benchmarks/test_memory.py -s``, which prints the table. Linux only, for the second.

Measured on CPython 3.11, Linux 6: 900 bytes of objects of its own, 145 of tables, 865 of PSS. The raw head of the
request would be another 500; it is shared, since it differs in nothing but the key.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hioload_ws import Server
from tests.load.footprint import object_bytes

CONNECTION_COUNT = 2000
MOST_BYTES = 1024

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0\r\n"
    b"Upgrade: websocket\r\nOrigin: http://127.0.0.1\r\nSec-WebSocket-Version: 13\r\nAccept-Language: en\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\nSec-WebSocket-Key: %s\r\n\r\n"
)

# Opens connections, says so, and holds them until its input ends.
CLIENT = f"""
import base64, os, socket, sys
held = []
for _ in range(int(sys.argv[2])):
    each = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    each.sendall({REQUEST!r} % base64.b64encode(os.urandom(16)))
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        head += each.recv(4096)
    assert head.startswith(b"HTTP/1.1 101 "), head
    held.append(each)
print("open", flush=True)
sys.stdin.read()
"""

SERVER = """
import json
from benchmarks.test_memory import figures
print(json.dumps(figures()))
"""


class Clients:
    """Idle connections to a server that this process turns."""

    def __init__(self, app: Server, count: int) -> None:
        port = app.url.rpartition(":")[2]
        command = [sys.executable, "-c", CLIENT, port, str(count)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        while not select.select([self._process.stdout], (), (), 0)[0]:
            app.turn(20_000_000)
        assert self._process.stdout.readline() == b"open\n", "the clients have given up"

    def close(self) -> None:
        with self._process:
            pass


def pss_bytes() -> int:
    """Return this process's proportional set size."""
    with open("/proc/self/smaps_rollup", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def figures() -> dict[str, object]:
    """Serve idle connections in this process; return what one of them takes."""
    app = Server("127.0.0.1", 0)
    app.on_message(lambda connection, message: connection.send(message))
    app.start()
    try:
        Clients(app, 50).close()  # so that code and caches are there
        while app.connection_count:
            app.turn(100_000_000)
        before_bytes = pss_bytes()
        clients = Clients(app, CONNECTION_COUNT)
        system_bytes = (pss_bytes() - before_bytes) / CONNECTION_COUNT
        owned, shares = object_bytes(app)
        clients.close()
        while app.connection_count:
            app.turn(100_000_000)
    finally:
        app.shutdown()
        app.turn(0)
    return {"system": system_bytes, "objects": {**owned, **shares}}


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/smaps_rollup is Linux's")
def test_bytes_of_an_idle_connection(benchmark: BenchmarkFixture) -> None:
    def measure() -> dict[str, object]:
        command = [sys.executable, "-c", SERVER]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
        result: dict[str, object] = json.loads(done.stdout)
        return result

    found: dict[str, object] = benchmark.pedantic(measure, rounds=1)  # type: ignore[no-untyped-call]  # not typed
    by_kind = found["objects"]
    assert isinstance(by_kind, dict) and by_kind["WebSocketConnection"] > 0
    total_bytes = sum(by_kind.values())
    print(f"\nBytes per idle connection, of {CONNECTION_COUNT}")
    for name, share_bytes in by_kind.items():
        print(f"{share_bytes:8.1f}  {name}")
    print(f"{total_bytes:8.1f}  together, by object\n{found['system']:8.1f}  by the system (PSS)")
    benchmark.extra_info.update(found)
    assert total_bytes < 2 * MOST_BYTES
