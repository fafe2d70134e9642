"""The room of control: configuration, metrics and probes. See README.md."""

from .config import ServerConfig
from .knobs import Knob, knob, values_of
from .loader import from_environment, load_toml
from .metrics import BucketHistogram, Family, MetricsRegistry, SimpleCounter, SimpleGauge
from .probes import ProbeRegistry, platform_probe
from .prometheus import CONTENT_TYPE, render
from .registry import ConfigControl
from .tracer import FinishedSpan, JsonLines, NullTracer, SpanList, SpanTracer

__all__ = [
    "CONTENT_TYPE",
    "BucketHistogram",
    "ConfigControl",
    "Family",
    "FinishedSpan",
    "JsonLines",
    "Knob",
    "MetricsRegistry",
    "NullTracer",
    "ProbeRegistry",
    "ServerConfig",
    "SimpleCounter",
    "SimpleGauge",
    "SpanList",
    "SpanTracer",
    "from_environment",
    "knob",
    "load_toml",
    "platform_probe",
    "render",
    "values_of",
]
