"""Configuration, metrics and probes answer what tests ask."""

from __future__ import annotations

import pytest

from hioload_ws.api import InvalidArgument, Metrics, NotFound
from hioload_ws.fake.control import FaultyProbes, RecordingMetrics, fake_control
from hioload_ws.fake.faults import Faults


def test_a_configuration_begins_with_the_settings_named() -> None:
    control = fake_control(max_connections=5)
    assert control.config().max_connections == 5
    assert control.set_config(max_connections=6).max_connections == 6
    with pytest.raises(InvalidArgument):
        fake_control(max_conections=5)


def test_a_series_is_asked_for_by_name() -> None:
    metrics = RecordingMetrics()
    registry: Metrics = metrics
    registry.counter("messages_total", kind="text").add(3)
    assert metrics.value("messages_total", kind="text") == 3
    with pytest.raises(NotFound, match="messages_total"):
        metrics.value("messages_total")


def test_a_probe_that_fails_by_script_is_shown_and_the_others_answer() -> None:
    with Faults() as faults:
        error = OSError("gone")
        faults.on("probe", name="pool").fail(error)
        probes = FaultyProbes(faults)
        probes.register_probe("pool", lambda: 1)
        probes.register_probe("loop", lambda: 2)
        assert probes.dump_state() == {"pool": error, "loop": 2}
        assert probes.dump_state() == {"pool": 1, "loop": 2}
    assert FaultyProbes().dump_state() == {}
