#!/usr/bin/env python
"""Peers that are programs of their own: the npm package `ws`, as client and as server, and headless Chromium.

    python tests/interop/peers.py [--only ws,chromium] [--require ws,chromium]

Each peer that is present runs every echo; one that is absent is named and skipped, unless `--require` lists
it. The exit code is 0 when everything that ran passed and nothing required was absent. Nothing is installed
on the machine: `ws` comes from the npm registry into a cache folder (`ECHO_PEERS`, else `hioload-ws-peers` in
the user's cache), Chromium has to be there (Debian: `apt-get install chromium`).
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import os
import queue
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # run as a script, Python would search this folder and not the root

import hioload_ws  # noqa: E402
from tests.interop.echo_process import EchoProcess  # noqa: E402
from tests.interop.payloads import PAYLOADS, same  # noqa: E402

INSTALL_LIMIT_S: Final = 90
PEER_LIMIT_S: Final = 120
CHROMIUM_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


class Absent(Exception):
    """The peer is not on this machine; the text says what is missing."""


class Failed(Exception):
    """The peer is there and something went wrong; the text says what."""


def find_program(*names: str) -> str:
    """Return the path of the first program that exists, or raise `Absent`."""
    for name in names:
        if (path := shutil.which(name)) is not None:
            return path
    raise Absent(names[0])


@functools.cache
def node_with_ws() -> tuple[str, dict[str, str]]:
    """Return the path of Node.js and an environment in which it finds the package `ws`, fetched if needed."""
    node, npm = find_program("node"), find_program("npm")
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "hioload-ws-peers")
    folder = Path(os.environ.get("ECHO_PEERS") or default)
    if not (folder / "node_modules" / "ws" / "package.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [
            npm,
            "install",
            "--prefix",
            str(folder),
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "ws@8",
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Absent("npm package ws (the registry did not answer)") from None
        if done.returncode:
            raise Absent(f"npm package ws (npm install: {done.stderr.strip().splitlines()[:1]})")
    return node, os.environ | {"NODE_PATH": str(folder / "node_modules")}


def judge(text: str) -> int:
    """Return how many messages came back as sent, from the JSON that `echoAll` made, or raise `Failed`."""
    result = json.loads(text)
    if result["failures"]:
        raise Failed("; ".join(result["failures"]))
    return int(result["passed"])


def run_ws_client() -> int:
    """The npm package `ws` as client of our server."""
    node, environment = node_with_ws()
    with EchoProcess() as server:
        command = [node, str(HERE / "peer_client.js"), server.url]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PEER_LIMIT_S)
    if done.returncode:
        raise Failed(done.stderr)
    return judge(done.stdout)


@contextmanager
def ws_server() -> Iterator[str]:
    """Run the npm package `ws` as echo server and yield its URL; closing its input ends it."""
    node, environment = node_with_ws()
    command = [node, str(HERE / "peer_server.js")]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            readable, _, _ = select.select([server.stdout], [], [], PEER_LIMIT_S)
            line = server.stdout.readline() if readable else ""
            if not line.strip().isdigit():
                raise Failed(f"the server of ws did not start: {line!r}")
            yield f"ws://127.0.0.1:{line.strip()}"
        finally:
            server.communicate(timeout=PEER_LIMIT_S)


def run_ws_server() -> int:
    """Our client against the npm package `ws` as server: each message alone, then many in flight."""
    small = [payload for payload in PAYLOADS if payload.length_bytes <= 65_536] * 10
    rounds = [[payload] for payload in PAYLOADS] + [small]
    with ws_server() as url:
        for payloads in rounds:
            with hioload_ws.connect(url) as connection:
                for payload in payloads:
                    connection.send(payload.value)
                for payload in payloads:
                    if not same(connection.receive(timeout_s=PEER_LIMIT_S), payload.value):
                        raise Failed(f"{payload} came back changed")
    return sum(map(len, rounds))


class PageHandler(http.server.SimpleHTTPRequestHandler):
    """Serves the page and takes what it found out."""

    results: queue.SimpleQueue[str]

    def do_POST(self) -> None:
        """Take the result as the body of a POST."""
        self.results.put(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def page_server(results: queue.SimpleQueue[str]) -> Iterator[str]:
    """Serve the page on loopback and yield its URL."""
    made = type("Handler", (PageHandler,), {"results": results})
    handler = functools.partial(made, directory=str(HERE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/peer_page.html"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def chromium_at(url: str) -> Iterator[None]:
    """Open the page in a headless Chromium with a profile of its own, and end all its processes after."""
    program = find_program(*CHROMIUM_NAMES)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = subprocess.Popen(
            [program, *CHROMIUM_FLAGS, f"--user-data-dir={profile}", url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield
        finally:
            # The browser is a tree of processes; the session it leads is what ends them all.
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()


def run_chromium() -> int:
    """Headless Chromium as client of our server: the page compares byte by byte and posts the result."""
    find_program(*CHROMIUM_NAMES)
    results: queue.SimpleQueue[str] = queue.SimpleQueue()
    with EchoProcess() as server, page_server(results) as page:
        with chromium_at(f"{page}#{urllib.parse.quote(server.url, safe='')}"):
            try:
                text = results.get(timeout=PEER_LIMIT_S)
            except queue.Empty:
                raise Failed(f"the page said nothing within {PEER_LIMIT_S} s") from None
    return judge(text)


PEERS: Final[dict[str, tuple[tuple[str, Callable[[], int]], ...]]] = {
    "ws": (
        ("npm ws as client of our server", run_ws_client),
        ("our client of npm ws as server", run_ws_server),
    ),
    "chromium": (("headless Chromium as client of our server", run_chromium),),
}


def run_peer(peer: str, required: bool) -> bool:
    """Run everything of one peer, print one line each, and return whether that is good enough."""
    good = True
    for title, run in PEERS[peer]:
        try:
            print(f"passed: {title}, {run()} messages", flush=True)
        except Absent as missing:
            print(f"not present: {missing}, {'but required' if required else 'skipped'}: {title}", flush=True)
            good &= not required
        except Exception as error:  # whatever went wrong with one peer, the next one is still asked
            print(f"FAILED: {title}: {type(error).__name__}: {error}", flush=True)
            good = False
    return good


def peer_names(text: str) -> list[str]:
    """Split a comma-separated list of peers; refuse one that does not exist."""
    names = [name for name in text.split(",") if name]
    if unknown := set(names) - set(PEERS):
        raise argparse.ArgumentTypeError(
            f"no such peer: {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}"
        )
    return names


def main() -> int:
    """Run the peers that the command line names and return the exit code."""
    parser = argparse.ArgumentParser(description="Echo through peers that are programs of their own.")
    parser.add_argument(
        "--only", type=peer_names, default=list(PEERS), metavar="PEERS", help="run only these"
    )
    parser.add_argument(
        "--require", type=peer_names, default=[], metavar="PEERS", help="absence of these fails"
    )
    options = parser.parse_args()
    wanted = dict.fromkeys([*options.only, *options.require])
    outcomes = [run_peer(peer, peer in options.require) for peer in wanted]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
