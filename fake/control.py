"""Configuration, metrics and probes for tests: the real ones, with what tests want to ask.

None of the three does I/O. ``ConfigControl`` over a ``ServerConfig`` is its own best fake; it begins here with
the settings a test names and no file. ``RecordingMetrics`` is the real registry, plus ``value``: a test asks for
one series by name instead of searching samples. ``FaultyProbes`` is the real registry, plus a fault script
that makes probes raise, which a dump must survive.
"""

from __future__ import annotations

from ..api.debug import Probe
from ..api.errors import NotFound
from ..control.config import ServerConfig
from ..control.metrics import MetricsRegistry
from ..control.probes import ProbeRegistry
from ..control.registry import ConfigControl
from .faults import Faults


def fake_control(**settings: object) -> ConfigControl[ServerConfig]:
    """Return a real control over a configuration with these settings. Raises ``InvalidArgument``."""
    return ConfigControl(ServerConfig.from_mapping(settings, "fake_control"))


class RecordingMetrics(MetricsRegistry):
    """Implements ``api.metrics.Metrics``, and answers what one series shows."""

    __slots__ = ()

    def value(self, name: str, **labels: str) -> float:
        """Return the value of one series now. Raises ``NotFound``, naming those there are."""
        samples = self.collect()
        for sample in samples:
            if sample.name == name and dict(sample.labels) == labels:
                return sample.value
        raise NotFound("no such series", name=name, labels=labels, known=sorted({each.name for each in samples}))


class FaultyProbes(ProbeRegistry):
    """Implements ``api.debug.Debug``; ``faults`` is applied at each ``probe``, with ``name=``."""

    __slots__ = ("_faults",)

    def __init__(self, faults: Faults | None = None) -> None:
        super().__init__()
        self._faults = Faults() if faults is None else faults

    def register_probe(self, name: str, probe: Probe) -> None:
        """Add a probe; errors as ``api.debug.Debug.register_probe``."""

        def ask() -> object:
            self._faults.apply("probe", name=name)
            return probe()

        super().register_probe(name, ask)


__all__ = ["FaultyProbes", "RecordingMetrics", "fake_control"]
