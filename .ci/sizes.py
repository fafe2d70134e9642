"""Holds the size of things: a module is read in one sitting, a function on one screen.

A module has at most 400 lines and a function at most 50, its docstring not counted (explaining is never
punished). Lines aim for 110 characters and never have more than 120. There is no list of exceptions: what
does not fit is two things, and gets cut where it is two. All Python of the repository is measured: library,
tests, examples, benchmarks and these scripts.

Usage: ``python .ci/sizes.py [ROOT]``. Prints ``file:line: explanation`` per fault; exits with 1 if there is
any.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MAX_MODULE_LINES: Final = 400
MAX_FUNCTION_LINES: Final = 50
MAX_LINE_LENGTH: Final = 120

PLACES: Final = (
    *"api protocol internal pool transport session control adapters fake".split(),
    *"src src/hioload_ws tests examples benchmarks .ci".split(),
)


def sources(root: Path) -> list[Path]:
    """Return every Python file under the measured places; links are not followed, so each counts once."""
    found: set[Path] = set()
    for place in PLACES:
        pattern = "*.py" if place.startswith("src") else "**/*.py"
        found.update((root / place).glob(pattern))
    return sorted(found)


def _docstring_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    if ast.get_docstring(node, clean=False) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1


def check_file(path: str, text: str) -> Iterator[str]:
    """Yield one line per thing in the file that is too large. Raises ``SyntaxError`` for no Python."""
    lines = text.splitlines()
    if len(lines) > MAX_MODULE_LINES:
        yield f"{path}:{MAX_MODULE_LINES + 1}: the module has {len(lines)} lines, {MAX_MODULE_LINES} at most"
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE_LENGTH:
            yield f"{path}:{number}: the line has {len(line)} characters, {MAX_LINE_LENGTH} at most"
    for node in ast.walk(ast.parse(text, filename=path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1 - _docstring_lines(node)
            if length > MAX_FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {length} lines, {MAX_FUNCTION_LINES} at most"


def main(arguments: list[str]) -> int:
    """Measure the tree named by the first argument (default: the one this script lies in)."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    files = sources(root)
    faults = [
        fault
        for file in files
        for fault in check_file(file.relative_to(root).as_posix(), file.read_text(encoding="utf-8"))
    ]
    if not files:
        faults.append(f"no Python file is under {root}")
    for fault in faults:
        print(fault)
    print(f"sizes: {len(faults)} faults" if faults else f"sizes: ok, {len(files)} files", file=sys.stderr)
    return 1 if faults else 0


__all__ = ["check_file", "main", "sources"]

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
