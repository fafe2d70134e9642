"""Metrics as text that Prometheus reads: the exposition format, version 0.0.4.

A family is a ``# HELP`` line (where there is a text), a ``# TYPE`` line, and a line per sample. What could be
mistaken for the format itself is escaped: a backslash and a line feed in a help text; these and the double
quote in a label's value. Names need no escaping, because the registry lets no other ones in. Lines end with
one line feed, the last one too. Source: "Exposition formats",
prometheus.io/docs/instrumenting/exposition_formats. """

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..api.metrics import Sample
from .metrics import Family, number_text

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The media type to serve the text with."""

_HELP_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n"})
_VALUE_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})


def render(families: Iterable[Family]) -> str:
    """Return the text for ``MetricsRegistry.families()``; empty when there are none.

    A family without samples (its functions raised) is left out.
    """
    return "".join(line for family in families if family.samples for line in _lines(family))


def _lines(family: Family) -> Iterable[str]:
    if family.help:
        yield f"# HELP {family.name} {family.help.translate(_HELP_ESCAPES)}\n"
    yield f"# TYPE {family.name} {family.kind}\n"
    for sample in family.samples:
        yield f"{sample.name}{_labels(sample)} {number_text(sample.value)}\n"


def _labels(sample: Sample) -> str:
    pairs = [f'{label}="{value.translate(_VALUE_ESCAPES)}"' for label, value in sample.labels.items()]
    return "{" + ",".join(pairs) + "}" if pairs else ""


__all__ = ["CONTENT_TYPE", "render"]
