"""The room's page is true: its table of settings is the configuration's own, and it names every module."""

from __future__ import annotations

import re
from pathlib import Path

from hioload_ws.control import ServerConfig
from hioload_ws.control.knobs import Knob

ROOM = Path(__file__).resolve().parents[2] / "adapters"
BEGIN, END = "<!-- settings: kept by tests/adapters/test_readme.py -->\n", "<!-- /settings -->"


def row(knob: Knob) -> str:
    """Return the line of one setting; its table says nothing that the knob does not."""
    default = "none" if knob.default is None or knob.default == () else f"`{knob.default}`"
    kind = f"`{knob.kind}`".replace("|", "\\|")
    unit = "" if knob.unit in ("", "s", "µs", "bytes") else f"{knob.unit}, "  # those stand in the name
    allowed = f"{unit}{knob.allowed}".removesuffix(", ")
    return f"| `{knob.name}` | {kind} | {default} | {allowed} | {'yes' if knob.live else 'no'} | {knob.help} |"


def table() -> str:
    """Return the table of settings as it has to stand on the page."""
    head = "| Setting | Type | Default | Allowed | Live | Meaning |\n|---|---|---|---|---|---|\n"
    return "\n" + head + "".join(f"{row(knob)}\n" for knob in ServerConfig.describe()) + "\n"


def test_the_table_of_settings_is_that_of_the_configuration() -> None:
    page = (ROOM / "README.md").read_text("utf-8")
    found = page[page.index(BEGIN) + len(BEGIN) : page.index(END)]
    assert found == table(), f"put this between the marks of adapters/README.md:\n{table()}"


def test_every_module_that_the_page_names_exists_and_every_module_is_named() -> None:
    page = (ROOM / "README.md").read_text("utf-8")
    reading = page[page.index("## In which order to read") : page.index("## The life of a server")]
    modules = {path.name for path in ROOM.glob("*.py")} - {"__init__.py"}
    assert set(re.findall(r"`(\w+\.py)`", reading)) == modules
