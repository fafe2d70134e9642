"""Reads the commands that README.md promises, so that what is checked is what people will type.

README.md marks two blocks, each preceded by a comment of its own and holding one line::

    <!-- command: test -->
    ```sh
    python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest
    ```

``demo`` shows the library at work until Ctrl-C; ``test`` runs all tests. Each makes its own virtual
environment and works in a fresh clone.

Usage: ``python .ci/readme.py NAME [--coverage | --venv] [README]`` prints the command; with ``--coverage`` its
``-m pytest`` runs under coverage; with ``--venv`` the folder of its environment is printed instead.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path


def command(text: str, name: str) -> str:
    """Return the command of that name. Raises ``ValueError`` unless there is exactly one, of one line."""
    blocks: list[str] = re.findall(
        rf"^<!-- command: {re.escape(name)} -->\n+```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    if len(blocks) != 1 or text.count(f"<!-- command: {name} -->") != 1:
        raise ValueError(f"one sh block marked '<!-- command: {name} -->' is wanted, {len(blocks)} found")
    lines = blocks[0].splitlines()
    if len(lines) != 1 or not lines[0].strip():
        raise ValueError(f"the command '{name}' must be one line, it has {len(lines)}")
    return lines[0]


def under_coverage(line: str) -> str:
    """Return the command with its tests measured. Raises ``ValueError`` where it runs no ``-m pytest``."""
    if len(re.findall(r" -m pytest\b", line)) != 1:
        raise ValueError("the test command must say '-m pytest' once")
    return re.sub(r" -m pytest\b", " -m coverage run -m pytest", line)


def environment(line: str) -> str:
    """Return the folder of the environment the command makes. Raises ``ValueError`` where it makes none."""
    found = re.findall(r"\bpython3 -m venv (?:-\S+ )*([\w./-]+)", line)
    if len(found) != 1:
        raise ValueError("the command must make one environment with 'python3 -m venv FOLDER'")
    return str(found[0])


def main(arguments: list[str]) -> int:
    """Print what was asked for, or say what is wrong with README.md."""
    words = [word for word in arguments if not word.startswith("--")]
    file = Path(words[1]) if len(words) > 1 else Path(__file__).resolve().parent.parent / "README.md"
    try:
        line = command(file.read_text(encoding="utf-8"), words[0])
        if "--coverage" in arguments:
            line = under_coverage(line)
        print(environment(line) if "--venv" in arguments else line)
    except (OSError, ValueError) as error:
        print(f"{file.name}: {error}", file=sys.stderr)
        return 1
    return 0


__all__ = ["command", "environment", "main", "under_coverage"]

if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
