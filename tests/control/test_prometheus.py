"""The text format: golden text, and a reader written from the format's description that reads it back."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from hioload_ws.control.metrics import MetricsRegistry
from hioload_ws.control.prometheus import CONTENT_TYPE, render

GOLDEN = r"""# HELP frames_total Frames, by "kind"\nand \\ node.
# TYPE frames_total counter
frames_total{kind="a\"b",node="0"} 3
frames_total{kind="c\\d\ne",node="1"} 4
# TYPE queue gauge
queue 2.5
# HELP size_bytes Sizes.
# TYPE size_bytes histogram
size_bytes_bucket{kind="text",le="10.0"} 1
size_bytes_bucket{kind="text",le="100.0"} 2
size_bytes_bucket{kind="text",le="+Inf"} 3
size_bytes_count{kind="text"} 3
size_bytes_sum{kind="text"} 1055.0
"""


def test_the_text_is_the_golden_one() -> None:
    metrics = MetricsRegistry()
    histogram = metrics.histogram("size_bytes", [10, 100], "Sizes.", kind="text")
    for value in (5, 50, 1000):
        histogram.observe(value)
    help_text = 'Frames, by "kind"\nand \\ node.'
    metrics.counter("frames_total", help_text, node="1", kind="c\\d\ne").add(4)
    metrics.counter("frames_total", help_text, node="0", kind='a"b').add(3)
    metrics.observe_with("queue", lambda: 2.5)
    metrics.observe_with("broken", lambda: 1 // 0, "Left out.")
    assert render(metrics.families()) == GOLDEN
    assert CONTENT_TYPE == "text/plain; version=0.0.4; charset=utf-8"


def test_prometheus_own_parser_reads_the_golden_text() -> None:
    families = {family.name: family for family in text_string_to_metric_families(GOLDEN)}
    assert {name: family.type for name, family in families.items()} == {
        "frames": "counter", "queue": "gauge", "size_bytes": "histogram"
    }  # fmt: skip
    assert families["frames"].documentation == 'Frames, by "kind"\nand \\ node.'
    frames = [(dict(sample.labels), sample.value) for sample in families["frames"].samples]
    assert frames == [({"kind": 'a"b', "node": "0"}, 3.0), ({"kind": "c\\d\ne", "node": "1"}, 4.0)]
    sizes = [(sample.name, sample.value) for sample in families["size_bytes"].samples]
    assert sizes[-2:] == [("size_bytes_count", 3.0), ("size_bytes_sum", 1055.0)]


def test_without_metrics_there_is_no_text() -> None:
    assert render(MetricsRegistry().families()) == ""


SAMPLE_LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+)')
LABEL_PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')
UNESCAPED = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}


def unescape(text: str) -> str:
    return re.sub(r"\\.", lambda match: UNESCAPED[match[0]], text)


def read(text: str) -> tuple[dict[str, str], list[tuple[str, dict[str, str], float]]]:
    """Read help texts and samples; a line that does not fit the format fails."""
    helps: dict[str, str] = {}
    samples = []
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            _, _, name, help_text = line.split(" ", 3)
            helps[name] = unescape(help_text)
        elif not line.startswith("# TYPE "):
            match = SAMPLE_LINE.fullmatch(line)
            assert match is not None, line
            pairs = match[2] or ""
            assert LABEL_PAIR.sub("", pairs) == ""
            labels = {label: unescape(value) for label, value in LABEL_PAIR.findall(pairs)}
            samples.append((match[1], labels, float(match[3])))
    return helps, samples


TEXTS = st.text(st.sampled_from('ab"\\\n{},= é'), max_size=8) | st.text(max_size=8)


@given(TEXTS.filter(bool), st.dictionaries(st.sampled_from("abc"), TEXTS), st.floats(allow_nan=False))
def test_whatever_is_written_is_read_back(help_text: str, labels: dict[str, str], value: float) -> None:
    metrics = MetricsRegistry()
    metrics.gauge("g", help_text, **labels).set(value)
    metrics.histogram("h", [1], help_text, **labels).observe(2)
    helps, samples = read(render(metrics.families()))
    assert helps == {"g": help_text, "h": help_text}
    assert samples == [
        ("g", labels, value),
        ("h_bucket", {**labels, "le": "1.0"}, 0),
        ("h_bucket", {**labels, "le": "+Inf"}, 1),
        ("h_count", labels, 1),
        ("h_sum", labels, 2),
    ]
