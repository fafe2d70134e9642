"""The contract of metrics, on the registry there is and the one of the fakes."""

from __future__ import annotations

import pytest

from hioload_ws.contract.suites.metrics import MetricsContract
from hioload_ws.control import MetricsRegistry
from hioload_ws.fake import RecordingMetrics
from tests.kit.holding import hold


@pytest.mark.parametrize("kind", [MetricsRegistry, RecordingMetrics])
def test_every_registry_of_ours_is_conformant(kind: type[MetricsRegistry]) -> None:
    def make(*, max_series_per_name: int) -> MetricsRegistry:
        return kind(max_series_per_name)

    hold(MetricsContract, make, kind.__name__)
