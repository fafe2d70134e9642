"""``hioload-ws config``: is this file right, and what is in force?

``check`` says ``ok`` or every fault, one per line. ``show`` prints the configuration that a server would start
with, as a file that could be used again: each setting with its meaning, its unit, and where its value is from.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping

from ..api.errors import InvalidArgument
from ..control.config import ServerConfig
from ..control.knobs import values_of
from ..control.sources import SourcedConfig, read_config


def check(path: str) -> int:
    """Print ``ok`` and return 0 for a file that is right; else print its faults and return 1."""
    try:
        read_config(path, {})
    except InvalidArgument as error:
        print(re.sub(rf"; (?={re.escape(path)}:)", "\n", error.message))  # each fault begins with its place
        return 1
    print("ok")
    return 0


def show(path: str | None, *, as_json: bool, environ: Mapping[str, str] | None = None) -> int:
    """Print what file and environment say together and return 0; errors as ``read_config``."""
    sourced = read_config(path, os.environ if environ is None else environ)
    print(_as_json(sourced) if as_json else _as_toml(sourced))
    return 0


def _as_json(sourced: SourcedConfig) -> str:
    values = values_of(sourced.config)
    return json.dumps(
        {name: {"value": value, "origin": sourced.origins[name]} for name, value in values.items()}, indent=2
    )


def _as_toml(sourced: SourcedConfig) -> str:
    values = values_of(sourced.config)
    lines = []
    for knob in ServerConfig.describe():
        value = values[knob.name]
        facts = [fact for fact in (knob.unit, knob.allowed, sourced.origins[knob.name]) if fact]
        lines += ["", f"# {knob.help}", f"# {'; '.join(facts)}"]
        # TOML has no "none": a setting that is not set is a comment.
        lines.append(f"# {knob.name} is not set" if value is None else f"{knob.name} = {_toml(value)}")
    return "\n".join(lines[1:])


def _toml(value: object) -> str:
    """Return a value of a setting as TOML: JSON is close enough for strings, numbers and lists of strings."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


__all__ = ["check", "show"]
