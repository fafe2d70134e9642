"""Where settings come from: a TOML file, and environment variables.

Both yield plain values; ``ServerConfig`` checks them. What this module adds is the way back: an error names
the place a person has to go to. For a file that is ``file:line: key``. The parser of the standard library
does not say where a key stands, so the line is found by scanning for something that looks like the key, and
taken for it only if the text before it is a complete document without that key: a look-alike inside a string
or a list leaves it incomplete. A key written with escapes is not found; its error names file and key.

For environment variables, text is all there is, so it is parsed by the field's type: ``HIOLOAD_PORT=80`` is a
number because ``port`` is an ``int``. ``none`` stands for ``None`` where a field allows it, and commas
separate the items of a tuple. A variable that starts like ours and is not known is an error, not silence. """

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, get_args

from ..api.errors import InvalidArgument
from .config import ServerConfig
from .knobs import find_problems, hints_of, knobs_of, refuse, suggestion

ENVIRONMENT_PREFIX: Final = "HIOLOAD_"
NONE_WORD: Final = "none"

# What the parser of the standard library adds to its complaints.
_PLACE: Final = re.compile(r"(.*) \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)", re.DOTALL)
_KEY: Final = re.compile(r"[ \t]*([A-Za-z0-9_-]+)[ \t]*=")

_INTEGER: Final = re.compile(r"[+-]?[0-9]+(?:_[0-9]+)*")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def load_toml(path: str | Path, base: ServerConfig | None = None) -> ServerConfig:
    """Return ``base`` (default: all defaults) with the settings of a TOML file, which are keys at the top
    level.

    Raises ``InvalidArgument`` for text that is not UTF-8 or not TOML (with line and column) and for unknown
    keys and wrong values, all of them, each with file, line and key; ``OSError`` when the file can't be read.
    TOML has no "none": leave the key out. """
    name = str(path)
    try:
        text = Path(path).read_bytes().decode("utf-8")
        values = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise InvalidArgument(f"{name}: not UTF-8 at byte {error.start}", file=name) from error
    except tomllib.TOMLDecodeError as error:
        raise _malformed(name, text, str(error)) from error
    tuples = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    problems = find_problems(ServerConfig, tuples)
    if problems:
        raise _located(name, text, problems)
    try:
        return ServerConfig.from_mapping(values, name, base)
    except InvalidArgument as error:
        # Values that are right alone and wrong together; one of a pair may come from elsewhere.
        fields = error.context.get("fields")
        wrong = fields if isinstance(fields, tuple) else ()
        places = [f"{name}:{find_line(text, key)}: {key}" for key in values if key in wrong]
        message = f"{error.message}, see {', '.join(places) or 'the base'}"
        raise InvalidArgument(message, file=name, **error.context) from None


def _malformed(name: str, text: str, complaint: str) -> InvalidArgument:
    """Return the error for text that is not TOML: where the parser stopped, and which key stands there."""
    match = _PLACE.fullmatch(complaint)
    if match is None:
        return InvalidArgument(f"{name}: {complaint}", file=name)
    lines = text.splitlines() or [""]
    # The parser says "end of document" where something is missing.
    number = int(match[2]) if match[2] else len(lines)
    key = _KEY.match(lines[number - 1]) if number <= len(lines) else None
    what = f"{key[1]}: {match[1]}" if key else match[1]
    column = f" in column {match[3]}" if match[3] else " at the end of the file"
    return InvalidArgument(f"{name}:{number}: {what}{column}", file=name, fields=(key[1],) if key else ())


def _located(name: str, text: str, problems: Mapping[str, str]) -> InvalidArgument:
    """Return the error for findings in a file: one ``file:line: key finding`` each."""
    places = {key: find_line(text, key) for key in problems}
    findings = [
        f"{name}:{places[key]}: {key} {problem}" if places[key] else f"{name}: {key} {problem}"
        for key, problem in problems.items()
    ]
    return InvalidArgument("; ".join(findings), file=name, fields=tuple(problems))


def find_line(text: str, key: str) -> int | None:
    """Return the number (from 1) of the line where a top-level key of valid TOML begins, or ``None``."""
    looks_like = re.compile(rf"""^[ \t]*\[?\[?[ \t]*(["']?){re.escape(key)}\1[ \t]*[=.\]]""", re.MULTILINE)
    for match in looks_like.finditer(text):
        before = text[: match.start()]
        try:
            found = key not in tomllib.loads(before)
        except tomllib.TOMLDecodeError:
            continue  # inside a string or a list
        if found:
            return before.count("\n") + 1
    return None


def from_environment(
    environ: Mapping[str, str], base: ServerConfig | None = None, *, also_known: Collection[str] = ()
) -> ServerConfig:
    """Return ``base`` (default: all defaults) with the settings of variables named ``HIOLOAD_`` and a field's
    name in capitals.

    Other variables are none of ours; ``also_known`` are those that start like ours and mean something else.
    Raises ``InvalidArgument`` naming every unknown variable (with the nearest known one) and every wrong
    value. """
    hints = hints_of(ServerConfig)
    known = {ENVIRONMENT_PREFIX + name.upper(): name for name in knobs_of(ServerConfig)}
    values: dict[str, object] = {}
    unknown: dict[str, str] = {}
    for variable, text in environ.items():
        if variable in known:
            values[known[variable]] = parse_text(hints[known[variable]], text)
        elif variable.startswith(ENVIRONMENT_PREFIX) and variable not in also_known:
            unknown[variable] = f"is not known{suggestion(variable, [*known, *also_known])}"
    found = find_problems(ServerConfig, values)
    problems = {ENVIRONMENT_PREFIX + name.upper(): problem for name, problem in found.items()}
    if unknown or problems:
        raise refuse(unknown | problems, "environment")
    return ServerConfig.from_mapping(values, "environment", base)


def parse_text(hint: object, text: str) -> object:
    """Return the value that a text stands for in a field of that type.

    Text that does not fit is returned as it is; the check of the type then names it. Digits are ASCII; an
    integer may have single underscores between them. """
    kinds = get_args(hint) if get_args(hint) and type(None) in get_args(hint) else (hint,)
    if type(None) in kinds and text.strip().lower() == NONE_WORD:
        return None
    if int in kinds and _INTEGER.fullmatch(text.strip()):
        return int(text)
    if float in kinds and _NUMBER.fullmatch(text.strip()):
        return float(text)
    if tuple[str, ...] in kinds:
        return tuple(item.strip() for item in text.split(",")) if text.strip() else ()
    return text


__all__ = ["ENVIRONMENT_PREFIX", "find_line", "from_environment", "load_toml", "parse_text"]
