"""What must not be in the repository: notes to ourselves, and the paths of anybody's machine."""

from __future__ import annotations

import re
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

# Put together from pieces, so that this file does not contain them.
NOTES = ["TO" + "DO", "FIX" + "ME", "X" * 3]
PATHS = ["/" + "work/", "/" + "home/", "/" + "root/", "/" + "Users/", "/tmp/" + "venv"]
FORBIDDEN = re.compile("|".join([rf"\b{word}\b" for word in NOTES] + [rf"(?<![\w.~-]){path}" for path in PATHS]))


def forbidden_words(text: str) -> list[str]:
    """Return ``line: word`` for each forbidden word of a text."""
    return [
        f"{number}: {match[0]}"
        for number, line in enumerate(text.splitlines(), 1)
        for match in FORBIDDEN.finditer(line)
    ]


def test_no_file_has_a_note_to_ourselves_or_a_path_of_a_machine(files: list[Path]) -> None:
    found: dict[str, list[str]] = {}
    for file in files:
        words = forbidden_words(file.read_bytes().decode("utf-8", errors="replace"))
        if words:
            found[str(file.relative_to(REPOSITORY))] = words
    assert found == {}


def test_each_forbidden_word_is_found_and_its_kin_is_not() -> None:
    for word in (*NOTES, *PATHS):
        assert forbidden_words(f"first\n# {word} x") == [f"2: {word}"]
    assert forbidden_words("mastodon https://example.org/home/ network/ framework/ ~/work/ tmp/venv") == []
