"""Runs a demo command as a person would: waits until it says that it is ready, then presses Ctrl-C.

The command must show what it shows, say ``Ctrl-C ends``, and end with exit code 0 when it is interrupted.

Usage: ``python .ci/demo.py COMMAND``. Exit code 0 when all of that happened within the time limit.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

READY = "Ctrl-C ends"
LIMIT_S = 300.0


def main(command: str) -> int:
    """Run the command in a process group of its own, as a terminal does; return the exit code for the gate."""
    demo = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    alarm = threading.Timer(LIMIT_S, os.killpg, (demo.pid, signal.SIGKILL))
    alarm.start()
    ready = False
    assert demo.stdout is not None
    for line in demo.stdout:
        print(line, end="", flush=True)
        if READY in line and not ready:
            ready = True
            os.killpg(demo.pid, signal.SIGINT)
    status = demo.wait()
    alarm.cancel()
    if not ready:
        print(f"the demo never said '{READY}'")
    return status if ready else status or 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
