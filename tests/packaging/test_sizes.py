"""The size of things: modules of at most 400 lines, functions of at most 50, no exceptions."""

from __future__ import annotations

from pathlib import Path

import pytest
import sizes

REPOSITORY = Path(__file__).resolve().parents[2]


def test_nothing_in_the_repository_is_too_large() -> None:
    files = sizes.sources(REPOSITORY)
    assert len(files) > 50
    faults = [fault for file in files for fault in sizes.check_file(str(file), file.read_text("utf-8"))]
    assert faults == []


def test_no_file_is_measured_twice_through_a_link() -> None:
    files = sizes.sources(REPOSITORY)
    assert len({file.resolve() for file in files}) == len(files)
    assert {REPOSITORY / "pool" / "lease.py", REPOSITORY / "src" / "hioload_ws" / "__init__.py"} <= set(files)


def test_a_module_of_400_lines_fits_and_one_of_401_does_not() -> None:
    assert list(sizes.check_file("a.py", "x = 1\n" * 400)) == []
    assert list(sizes.check_file("a.py", "x = 1\n" * 401)) == [
        "a.py:401: the module has 401 lines, 400 at most"
    ]


@pytest.mark.parametrize("start", ["def f():", "async def f():", "class C:\n  def f():"])
def test_a_function_of_50_lines_fits_and_one_of_51_does_not(start: str) -> None:
    assert list(sizes.check_file("a.py", start + "\n    x = 1" * 49)) == []
    (fault,) = sizes.check_file("a.py", start + "\n    x = 1" * 50)
    assert fault.endswith(": f has 51 lines, 50 at most")


def test_a_docstring_does_not_count_and_any_other_text_does() -> None:
    text = '"""A.' + "\n    b" * 30 + '\n    """'
    assert list(sizes.check_file("a.py", f"def f():\n    {text}" + "\n    x = 1" * 49)) == []
    (fault,) = sizes.check_file("a.py", f"def f():\n    y = {text}" + "\n    x = 1" * 49)
    assert fault == "a.py:1: f has 82 lines, 50 at most"


def test_a_line_of_120_characters_fits_and_one_of_121_does_not() -> None:
    assert list(sizes.check_file("a.py", "x = '" + "é" * 114 + "'\n")) == []
    assert list(sizes.check_file("a.py", "\nx = '" + "é" * 115 + "'\n")) == [
        "a.py:2: the line has 121 characters, 120 at most"
    ]


def test_a_tree_without_python_is_an_error_and_not_a_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sizes.main([str(tmp_path)]) == 1
    assert "no Python file" in capsys.readouterr().out


def test_the_script_prints_what_is_too_large(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "a.py").write_text("x = 1\n")
    assert sizes.main([str(tmp_path)]) == 0
    (tmp_path / "pool" / "a.py").write_text("x = 1\n" * 401)
    assert sizes.main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == "pool/a.py:401: the module has 401 lines, 400 at most\n"
