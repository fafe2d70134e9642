"""Page: a report as one HTML file that needs nothing else, for artefacts of a build.

First the verdict and the numbers, then what somebody has to look at (root causes first, each with all that is
known), then the table of all requirements. Everything that comes from the implementation is escaped.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from .report import Entry, Outcome, Report
from .text import story, summary

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --good: #2a7; --bad: #d33; --dim: #888; --warn: #b80; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { font-size: 1.2rem; font-weight: 600; } .conformant { color: var(--good); } .not { color: var(--bad); }
.counts { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; list-style: none; }
.counts li { border: 1px solid var(--line); border-radius: .4rem; padding: .1rem .6rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
td:first-child, td:last-child { white-space: nowrap; }
pre { overflow-x: auto; padding: .8rem; border: 1px solid var(--line); border-radius: .4rem; font-size: .85rem; }
.pass { color: var(--good); } .fail, .kit-error { color: var(--bad); font-weight: 600; }
.warn { color: var(--warn); } .blocked, .untested, .unsupported { color: var(--dim); }
"""

PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{suite} on {subject}</h1>
<p class="verdict {verdict_class}">{verdict}</p>
<ul class="counts">
{counts}
</ul>
{findings}
<h2>All requirements</h2>
<table>
<thead><tr><th>Id</th><th>Level</th><th>Requirement</th><th>Outcome</th><th>ms</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p>Seed {seed}, {mode}, {seconds:.2f} s, contract kit {version}.</p>
</body>
</html>
"""


def to_html(report: Report) -> str:
    """Return the report as a page."""
    return PAGE.format(
        title=escape(summary(report)),
        style=_STYLE,
        suite=escape(report.suite),
        subject=escape(report.subject),
        verdict_class="conformant" if report.conformant else "not",
        verdict=escape(report.verdict.value),
        counts="\n".join(_counts(report)),
        findings="\n".join(_findings(report)),
        rows="\n".join(_row(entry) for entry in report.entries),
        seed=report.seed,
        mode="full" if report.full else "quick",
        seconds=report.seconds,
        version=escape(report.version),
    )


def _counts(report: Report) -> Iterator[str]:
    for outcome, count in report.counts.items():
        yield f'<li class="{outcome.value if count else "untested"}">{count} {outcome.value}</li>'


def _findings(report: Report) -> Iterator[str]:
    if report.findings:
        yield "<h2>To look at, root causes first</h2>"
    for entry in report.findings:
        id = escape(entry.requirement.id)
        yield f'<pre id="{id}" class="finding">{escape(story(report, entry))}</pre>'


def _row(entry: Entry) -> str:
    required = entry.requirement
    outcome = entry.outcome.value
    if entry.outcome in (Outcome.FAIL, Outcome.WARN, Outcome.KIT_ERROR):
        outcome = f'<a href="#{escape(required.id)}">{outcome}</a>'
    elif entry.blocked_by:
        outcome = f'{outcome} by <a href="#{escape(entry.blocked_by)}">{escape(entry.blocked_by)}</a>'
    sentence = escape(required.sentence)
    if required.capability is not None:
        sentence += f" <i>({escape(required.capability)})</i>"
    return (
        f"<tr><td>{escape(required.id)}</td><td>{required.level.value}</td><td>{sentence}</td>"
        f'<td class="{entry.outcome.value}">{outcome}</td><td>{entry.seconds * 1000:.1f}</td></tr>'
    )


__all__ = ["to_html"]
