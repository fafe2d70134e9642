"""What a server shows: each number is right, is on the room's page, and is read by Prometheus's own parser."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hioload_ws import Connection, Message, Server, connect
from hioload_ws.adapters.observation import observe_executor, observe_pool
from hioload_ws.api import HandshakeFailed, SessionStatus
from hioload_ws.api.types import NodeId
from hioload_ws.control.metrics import MetricsRegistry
from hioload_ws.control.prometheus import render
from hioload_ws.internal.executor import WorkerExecutor
from hioload_ws.pool import PageSource, SlabBufferPool
from tests.adapters.live import PATIENCE_S, echo_server, run_on

ROOM = Path(__file__).resolve().parents[2] / "adapters"
BEGIN, END = "<!-- metrics: kept by tests/adapters/test_observation.py -->\n", "<!-- /metrics -->"
ROOMS = {
    "adapters": "connections", "control": "platform config", "internal": "reactor executor placement machine",
    "pool": "pool leaks leaks.collected", "protocol": "protocol", "session": "sessions", "transport": "machine",
}  # fmt: skip
"""The probes of each room that has something to say."""


class Gate:
    """Holds a thread until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.opened = threading.Event()

    def enter(self) -> None:
        self.entered.set()
        self.opened.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def busy() -> Iterator[Server]:
    """Return a server that is running, and to which everything has happened that is counted."""
    app = echo_server(on_error=lambda error, origin: None, leaks="simple", origins=["https://good.example"])

    @app.route("/broken")
    def fail(connection: Connection, message: Message) -> None:
        raise RuntimeError("broken")

    with app.background() as url, connect(url + "/a") as connection:
        for number in range(20):
            connection.send(f"{number}")
            connection.receive(PATIENCE_S)
        with connect(url + "/b") as other:
            other.close(4321)
        with pytest.raises(HandshakeFailed):
            connect(url, origin="https://evil.example")
        run_on(app, lambda: app.scheduler.schedule(0, lambda: None))
        app.executor.submit(lambda: None).result()
        while (
            value(app, "hioload_closes_total", code="4xxx") + value(app, "hioload_timers_total") < 2
            or app.connection_count != 1
        ):
            run_on(app, lambda: None)
        yield app


def value(app: Server, name: str, **labels: str) -> float:
    """Return one series, 0 where there is none."""
    found = [each.value for each in app.metrics.collect() if each.name == name and dict(each.labels) == labels]
    return found[0] if found else 0


def table(app: Server) -> str:
    """Return the table of metrics as it has to stand on the page."""
    lines = ["", "| Name | Kind | Labels | Meaning |", "|---|---|---|---|"]
    for family in app.metrics.families():
        labels = sorted({label for sample in family.samples for label in sample.labels if label != "le"})
        lines.append(f"| `{family.name}` | {family.kind} | {', '.join(labels)} | {family.help} |")
    return "\n".join(lines) + "\n\n"


def test_the_page_lists_every_metric_with_its_labels(busy: Server) -> None:
    page = (ROOM / "README.md").read_text("utf-8")
    found = page[page.index(BEGIN) + len(BEGIN) : page.index(END)]
    assert found == table(busy), f"put this between the marks of adapters/README.md:\n{table(busy)}"


def test_every_metric_has_a_help_text_and_a_name_of_its_kind(busy: Server) -> None:
    for family in busy.metrics.families():
        assert re.fullmatch(r"hioload_[a-z_]+", family.name) and family.help.endswith(".")
        assert family.name.endswith("_total") is (family.kind == "counter")


def test_the_parser_of_prometheus_reads_all_of_it(busy: Server) -> None:
    families = {family.name: family for family in text_string_to_metric_families(render(busy.metrics.families()))}
    shown = {family.name.removesuffix("_total"): family for family in busy.metrics.families()}
    assert families.keys() == shown.keys()
    for name, family in families.items():
        assert (family.type, len(family.samples)) == (shown[name].kind, len(shown[name].samples))
        assert family.documentation == shown[name].help
    [sent] = families["hioload_messages_sent"].samples
    assert sent.value == 20
    buckets = [each for each in families["hioload_loop_seconds"].samples if each.name.endswith("_bucket")]
    assert [each.value for each in buckets] == sorted(each.value for each in buckets)


def test_messages_connections_closes_and_failures_are_told(busy: Server) -> None:
    assert value(busy, "hioload_messages_received_total") == value(busy, "hioload_messages_sent_total") == 20
    assert value(busy, "hioload_received_bytes_total") == value(busy, "hioload_sent_bytes_total") == 30
    assert value(busy, "hioload_connections") == value(busy, "hioload_sessions") == 1
    by_status = {
        sample.labels["status"]: sample.value
        for sample in busy.metrics.collect()
        if sample.name == "hioload_connections_by_status"
    }
    assert {status: count for status, count in by_status.items() if count} == {"active": 1}
    assert len(by_status) == len(SessionStatus)
    assert value(busy, "hioload_closes_total", code="4xxx") == 1
    assert value(busy, "hioload_handshake_failures_total", reason="403") == 1


def test_the_loop_its_timers_and_its_inbox_are_told(busy: Server) -> None:
    assert value(busy, "hioload_loop_seconds_count") >= 20
    assert 0 < value(busy, "hioload_loop_seconds_sum") < 3600
    assert value(busy, "hioload_timer_lag_seconds_count") >= 1
    assert value(busy, "hioload_inbox_capacity_posts") == busy.config.inbox_capacity
    gate = Gate()
    busy.post(gate.enter)
    assert gate.entered.wait(PATIENCE_S)
    for _ in range(3):
        busy.post(lambda: None)
    assert value(busy, "hioload_inbox_waiting_posts") == 3
    gate.opened.set()
    run_on(busy, lambda: None)
    assert value(busy, "hioload_inbox_posts_total") >= 5


def test_the_executor_s_queue_and_outcomes_are_told() -> None:
    metrics = MetricsRegistry()
    gate = Gate()
    with WorkerExecutor(1, NodeId(2), queue_capacity=1) as executor:
        observe_executor(metrics, executor)
        running = executor.submit(gate.enter)
        assert gate.entered.wait(PATIENCE_S)
        waiting = executor.submit(lambda: 1 // 0)
        with pytest.raises(Exception, match="full"):
            executor.submit(lambda: None)
        now = {(each.name, each.labels.get("outcome")): each.value for each in metrics.collect()}
        assert {each.labels["node"] for each in metrics.collect()} == {"2"}
        assert now["hioload_executor_threads", None] == now["hioload_executor_running_tasks", None] == 1
        assert now["hioload_executor_waiting_tasks", None] == now["hioload_executor_tasks_total", "refused"] == 1
        gate.opened.set()
        running.result()
        with pytest.raises(ZeroDivisionError):
            waiting.result()
        now = {(each.name, each.labels.get("outcome")): each.value for each in metrics.collect()}
        assert now["hioload_executor_tasks_total", "completed"] == now["hioload_executor_tasks_total", "failed"] == 1


def test_memory_is_told_by_node_and_class() -> None:
    metrics = MetricsRegistry()
    with SlabBufferPool(PageSource(NodeId(3)), limit_bytes=4 << 20) as pool:
        observe_pool(metrics, pool)
        small, large = pool.acquire(3000), pool.acquire(2 << 20)
        assert pool.try_acquire(4 << 20) is None
        seen = {(each.name, each.labels.get("size_bytes")): each.value for each in metrics.collect()}
        assert {each.labels["node"] for each in metrics.collect()} == {"3"}
        assert seen["hioload_pool_in_use_buffers", None] == 2
        assert seen["hioload_pool_class_in_use_buffers", "4096"] == seen["hioload_pool_class_in_use_buffers", "0"] == 1
        assert seen["hioload_pool_class_in_use_buffers", "2048"] == 0
        assert seen["hioload_pool_class_mapped_bytes", "0"] == 2 << 20
        assert seen["hioload_pool_mapped_bytes", None] > seen["hioload_pool_in_use_bytes", None] >= 3000 + (2 << 20)
        assert seen["hioload_pool_refusals_total", None] == 1
        small.release()
        large.release()


def test_every_room_has_probes_and_all_of_them_answer(busy: Server) -> None:
    lease = busy.pool.acquire(1000)
    state = busy.probes.dump_state()
    assert set(state) == {name for names in ROOMS.values() for name in names.split()}
    assert [value for value in state.values() if isinstance(value, BaseException)] == []
    leaks = state["leaks"]
    assert isinstance(leaks, tuple)
    assert [leak.lease_id for leak in leaks][-1] == lease.lease_id  # type: ignore[attr-defined]  # of this pool
    lease.release()
    assert isinstance(state["connections"], Mapping) and state["connections"]["active"] == 1
    assert isinstance(state["config"], Mapping) and state["config"]["values"] is busy.config
    assert isinstance(state["sessions"], Mapping) and state["sessions"]["alive"] == 1
    assert isinstance(state["machine"], dict) and state["machine"]["transports"]
