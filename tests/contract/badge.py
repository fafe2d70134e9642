"""Badge: a report as a small SVG picture, for a README.

It says the verdict and how many requirements passed of how many; the full numbers are its title, which browsers
show and screen readers read. "Conformant" is green only where the verdict is.
"""

from __future__ import annotations

from html import escape
from typing import Final

from .report import Outcome, Report, Verdict
from .text import summary

_COLOURS: Final = {
    Verdict.CONFORMANT: "#2c8a4b",
    Verdict.WARNINGS: "#9a7b0a",
    Verdict.NOT_CONFORMANT: "#c0392b",
    Verdict.INCOMPLETE: "#6b6b6b",
    Verdict.NOTHING: "#6b6b6b",
}

_CHARACTER: Final = 6.6
"""Width of a character in pixels, about; ``textLength`` makes the text fit."""

BADGE: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img">
<title>{title}</title>
<rect width="{width}" height="20" rx="3" fill="#444"/>
<path d="M{left} 0h{right_inner}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{right_inner}z" fill="{colour}"/>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="6" y="14" textLength="{left_text}">{label}</text>
<text x="{right_start}" y="14" textLength="{right_text}">{message}</text>
</g>
</svg>
"""


def to_svg(report: Report) -> str:
    """Return the report as a picture."""
    label = report.suite
    counts = report.counts
    message = f"{report.verdict.value}: {counts[Outcome.PASS]} of {len(report.entries)} passed"
    left_text, right_text = round(len(label) * _CHARACTER), round(len(message) * _CHARACTER)
    left, right = left_text + 12, right_text + 12
    return BADGE.format(
        width=left + right,
        left=left,
        right_inner=right - 3,
        right_start=left + 6,
        left_text=left_text,
        right_text=right_text,
        title=escape(summary(report)),
        label=escape(label),
        message=escape(message),
        colour=_COLOURS[report.verdict],
    )


__all__ = ["to_svg"]
