"""The example with several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from hioload_ws import connect

PROGRAM = """
import os, sys
from examples import workers
made = workers.make_app
def make_app():
    app = made(port=0, workers=2)
    app.start()
    print(app.url, flush=True)
    return app
workers.make_app = make_app
workers.main()
"""
PATIENCE_S = 20.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_the_answers_come_from_workers_and_are_counted() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            for _ in range(10):
                with connect(url) as connection:
                    connection.send("hello")
                    who, what = str(connection.receive(PATIENCE_S)).split(": ")
                    assert (who == f"process {process.pid}", what) == (False, "hello")
            process.send_signal(signal.SIGTERM)
            lines = process.stdout.read().splitlines()
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()
    assert lines[0] == "all 10"
    assert sum(int(line.split()[1]) for line in lines[1:]) == 10
