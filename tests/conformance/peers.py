"""Peers: our server and our client, each at one end of a connection to the conformance suite.

The suite is ``kosoku``, which plays the 517 cases of the Autobahn test suite, as a client or as a server. It
brings threads and descriptors of its own and changes the interpreter it runs in (import path, ``binascii``), so
whoever imports this module lends it a process: ``run.py`` is one.

Our end is the plain public API and one handler that echoes. Limits are the defaults: case 9.3.1 sends one
message in 65 537 fragments, and 131 072 are allowed. With permessage-deflate every message is compressed
(``min_bytes=0``): leaving short ones as they are, our default, is legal (RFC 7692 §6), but kosoku 0.1.0 hands an
uncompressed message of cases 12.* and 13.* to them as ``str``, and they raise "Strings must be encoded before
hashing". And in 13.2, 13.5 and 13.6 its server wants to ask for ``client_no_context_takeover`` and takes a client
that does not offer this by itself for one that can't; the RFC has it the other way round (§7.1.1.2: a server may ask
without). So our client offers it there, and only there.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Awaitable, Iterator, Sequence
from typing import Final, Protocol

from hioload_ws.adapters import Client, Server, connect
from hioload_ws.api.connection import Connection
from hioload_ws.api.errors import HioloadError
from hioload_ws.api.extension import ExtensionFactory
from hioload_ws.api.message import Message
from hioload_ws.protocol.deflate import PermessageDeflate
from tests.conformance.verdict import Played, Row

DEFLATE_CASES: Final = ("12.*", "13.*")
HINT_CASES: Final = ("13.2.*", "13.5.*", "13.6.*")
"""Where the suite's server agrees only with a client that offers ``client_no_context_takeover``."""
AGENT: Final = "hioload-ws"
CONCURRENCY: Final = 8
"""Cases at a time. Many of them are waiting for a time to pass; together they take a quarter of the time."""

_STORY_LENGTH: Final = 300


class _CaseResult(Protocol):
    """What we read of the suite's result of a case."""

    case_id: str
    behavior: _Verdict
    behavior_close: _Verdict
    result: str
    result_close: str
    expected: object
    received: object


class _Verdict(Protocol):
    value: str


class Selection:
    """Which cases are played, and what our end offers or agrees to meanwhile."""

    def __init__(
        self, cases: Sequence[str] = (), *, excluded: Sequence[str] = (), deflate: bool, hints: bool = False
    ) -> None:
        """``deflate``: permessage-deflate; ``hints``: with the hint that our client keeps no context."""
        self.cases = list(cases) or None
        self.excluded = list(excluded) or None
        self.extensions: list[ExtensionFactory] = (
            [PermessageDeflate(min_bytes=0, client_no_context_takeover=hints)] if deflate else []
        )


def client_selections(cases: Sequence[str], *, deflate: bool) -> list[Selection]:
    """Return what to play with our client: in 13.2, 13.5 and 13.6 it has to give a hint, else it must not."""
    if not deflate:
        return [Selection(cases, excluded=DEFLATE_CASES, deflate=False)]
    if cases:
        hints = all(case.startswith(tuple(each.rstrip("*") for each in HINT_CASES)) for case in cases)
        return [Selection(cases, deflate=True, hints=hints)]
    return [Selection(excluded=HINT_CASES, deflate=True), Selection(HINT_CASES, deflate=True, hints=True)]


def play_server(cases: Sequence[str], deflate: bool, limit_s: float) -> Played:
    """Let the suite be the client of our server. Raises ``TimeoutError`` after ``limit_s``."""
    selection = Selection(cases, excluded=() if deflate else DEFLATE_CASES, deflate=deflate)
    played = Played()
    server = Server("127.0.0.1", 0, on_error=_Collector(played), extensions=selection.extensions)
    server.on_message(_echo)
    with server.background() as url:
        run = importlib.import_module("kosoku").run_fuzzingclient

        async def results() -> list[_CaseResult]:
            # The suite makes a future of the running loop, so the call itself belongs into it.
            return await _results_of(run(url, selection.cases, selection.excluded, concurrency=CONCURRENCY))

        played.rows = _rows(asyncio.run(asyncio.wait_for(results(), limit_s)))
    _check_memory(played, server)
    return played


def play_client(cases: Sequence[str], deflate: bool, limit_s: float) -> Played:
    """Let the suite be the server of our client, which asks for one case after the other. Raises
    ``TimeoutError`` after ``limit_s``."""
    played = Played()
    for selection in client_selections(cases, deflate=deflate):
        played.rows += _rows(asyncio.run(asyncio.wait_for(_serve_client(selection, played), limit_s)))
    return played


async def _serve_client(selection: Selection, played: Played) -> list[_CaseResult]:
    suite = importlib.import_module("kosoku")
    async with suite.run_fuzzingserver(selection.cases, selection.excluded, port=0) as server:
        caller = _Caller(f"ws://{server.address}:{server.port}", selection, played)
        thread = threading.Thread(target=caller.call_all, daemon=True)  # a run that is stuck has to end, too
        thread.start()
        results = await _results_of(server.get_result())
        await asyncio.to_thread(thread.join)
    return results


class _Caller:
    """Our client, once per case, on several threads."""

    def __init__(self, url: str, selection: Selection, played: Played) -> None:
        self._url = url
        self._selection = selection
        self._played = played
        self._lock = threading.Lock()

    def call_all(self) -> None:
        """Ask how many cases there are, play them all, and tell the suite that it may report."""
        with connect(f"{self._url}/getCaseCount") as asked:
            numbers = iter(range(1, int(asked.receive(timeout_s=10)) + 1))
        threads = [threading.Thread(target=self._call, args=(numbers,), daemon=True) for _ in range(CONCURRENCY)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        Client(f"{self._url}/updateReports?agent={AGENT}").run()

    def _call(self, numbers: Iterator[int]) -> None:
        while True:
            with self._lock:
                number = next(numbers, None)
            if number is None:
                return
            self._call_one(number)

    def _call_one(self, number: int) -> None:
        client = Client(
            f"{self._url}/runCase?case={number}&agent={AGENT}",
            on_error=_Collector(self._played),
            extensions=self._selection.extensions,
        )
        client.on_message(_echo)
        try:
            client.run()
        except HioloadError as error:
            self._played.faults.append(f"the client never opened case number {number}: {error}")
        _check_memory(self._played, client)


async def _results_of(run: Awaitable[list[_CaseResult]]) -> list[_CaseResult]:
    """Return the results, also of a run that the suite calls a failure."""
    try:
        return await run
    except importlib.import_module("kosoku").FailureError as failure:
        results: list[_CaseResult] = failure.results
        return results


def _rows(results: Sequence[_CaseResult]) -> list[Row]:
    return [
        Row(each.case_id, each.behavior.value, each.behavior_close.value, _story(each)) for each in results
    ]


def _story(result: _CaseResult) -> str:
    words = (result.result, result.result_close, f"expected {result.expected}", f"received {result.received}")
    return "; ".join(word[:_STORY_LENGTH] for word in words)


def _echo(connection: Connection, message: Message) -> None:
    connection.send(message)


class _Collector:
    """An error hook that keeps what our end reports."""

    def __init__(self, played: Played) -> None:
        self._played = played

    def __call__(self, error: BaseException, origin: object) -> None:
        self._played.faults.append(f"our end reported {error!r} of {origin!r}")


def _check_memory(played: Played, end: Server | Client) -> None:
    in_use_count = end.pool.stats().in_use_count
    if in_use_count:
        played.faults.append(f"{in_use_count} leases were never returned")


__all__ = [
    "AGENT",
    "CONCURRENCY",
    "DEFLATE_CASES",
    "HINT_CASES",
    "Selection",
    "client_selections",
    "play_client",
    "play_server",
]
