"""Plot: a run as one SVG picture, a group of bars per scenario.

Bars of a group are shares of its best server, since scenarios differ by orders of magnitude; the figure stands beside
each bar. Written by hand: a few rectangles and words need no library, and any browser shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from .report import by_name
from .run import Result
from .scenario import COROUTINES, NO_CTYPES, OURS, Mode
from .servers import KINDS

_WIDTH: Final = 760
_LEFT: Final = 190
_BAR: Final = 14
_GAP: Final = 4
_ROOM: Final = 110
_COLOURS: Final = {OURS: "#1f6feb", COROUTINES: "#6ea8fe", NO_CTYPES: "#a5c8ff"}
_OTHER: Final = "#9aa0a6"


def svg(results: Sequence[Result], caption: str) -> str:
    """Return the picture as the text of an SVG file."""
    parts: list[str] = []
    y = 30
    for result in results:
        scenario = by_name(result.scenario)
        idle = scenario.mode is Mode.IDLE
        unit = f"{scenario.unit}, less is better" if idle else f"{scenario.unit} per second of server CPU"
        parts.append(f'<text x="10" y="{y}" class="t">{escape(scenario.title)} <tspan class="u">{unit}</tspan></text>')
        y += 10
        most = max(figure.median for figure in result.figures.values())
        for name, figure in result.figures.items():
            width = max(1, round((_WIDTH - _LEFT - _ROOM) * figure.median / most))
            middle = y + _BAR - 3
            parts += [
                f'<text x="{_LEFT - 8}" y="{middle}" text-anchor="end">{escape(KINDS[name].title)}</text>',
                f'<rect x="{_LEFT}" y="{y}" width="{width}" height="{_BAR}" fill="{_COLOURS.get(name, _OTHER)}"/>',
                f'<text x="{_LEFT + width + 6}" y="{middle}">{figure.median:,.0f}</text>',
            ]
            y += _BAR + _GAP
        y += 26
    parts.append(f'<text x="10" y="{y}" class="u">{escape(caption)}</text>')
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y + 14}" '
        f'viewBox="0 0 {_WIDTH} {y + 14}" font-family="sans-serif" font-size="12">'
        "<style>.t{font-weight:bold}.u{font-weight:normal;fill:#5f6368;font-size:11px}</style>"
        f'<rect width="{_WIDTH}" height="{y + 14}" fill="white"/>'
    )
    return "\n".join((head, *parts, "</svg>", ""))


__all__ = ["svg"]
