"""The commands that README.md promises are found exactly, or it is said what is wrong with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import readme

SCRIPT = Path(readme.__file__)
LINE = "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest"
PAGE = f"""# Title

<!-- command: demo -->
```sh
python3 -m venv .venv && .venv/bin/python demo.py
```

<!-- command: test -->

```sh
{LINE}
```

```sh
something else
```
"""


def test_each_command_is_found_by_its_name() -> None:
    assert readme.command(PAGE, "test") == LINE
    assert readme.command(PAGE, "demo").endswith("demo.py")


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("", "0 found"),
        (PAGE + PAGE, "2 found"),
        (PAGE + "\n<!-- command: test -->\n", "1 found"),
        (PAGE.replace(LINE, f"{LINE}\nexit 0"), "it has 2"),
        (PAGE.replace(f"{LINE}\n", ""), "it has 0"),
        (PAGE.replace(LINE, "  "), "it has 1"),
        (PAGE.replace("<!-- command: test -->\n\n```sh", "<!-- command: test -->\n\n```python"), "0 found"),
    ],
)
def test_anything_but_one_block_of_one_line_is_refused(page: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        readme.command(page, "test")


def test_the_tests_are_put_under_coverage_and_nothing_else_changes() -> None:
    assert readme.under_coverage(LINE) == LINE.replace("python -m pytest", "python -m coverage run -m pytest")
    assert readme.under_coverage(f"{LINE} -q").endswith("-m coverage run -m pytest -q")
    for line in ("make test", f"{LINE} && {LINE}", "python -m pytest_other"):
        with pytest.raises(ValueError, match="-m pytest"):
            readme.under_coverage(line)


@pytest.mark.parametrize(
    ("line", "folder"), [(LINE, ".venv"), ("python3 -m venv --clear ../a-b/c.d && x", "../a-b/c.d")]
)
def test_the_folder_of_the_environment_is_read_from_the_command(line: str, folder: str) -> None:
    assert readme.environment(line) == folder


def test_a_command_without_an_environment_of_its_own_is_refused() -> None:
    with pytest.raises(ValueError, match="one environment"):
        readme.environment("pip install -e . && python -m pytest")


@pytest.mark.parametrize(
    ("options", "output"),
    [
        (["test"], LINE),
        (["test", "--coverage"], LINE.replace("-m pytest", "-m coverage run -m pytest")),
        (["test", "--venv"], ".venv"),
    ],
)
def test_the_script_prints_what_was_asked_for(tmp_path: Path, options: list[str], output: str) -> None:
    page = tmp_path / "README.md"
    page.write_text(PAGE)
    command = [sys.executable, str(SCRIPT), *options, str(page)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{output}\n", "")


def test_the_script_says_what_is_wrong_and_exits_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert readme.main(["test", str(tmp_path / "README.md")]) == 1
    (tmp_path / "README.md").write_text("# Title\n")
    assert readme.main(["test", str(tmp_path / "README.md")]) == 1
    assert capsys.readouterr().err.splitlines()[1] == (
        "README.md: one sh block marked '<!-- command: test -->' is wanted, 0 found"
    )
