"""The table of faults names tests; each has to exist, in the module its heading names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_test_that_the_table_names_exists_in_the_module_of_its_heading() -> None:
    module, named = "", 0
    for line in (HERE / "README.md").read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"## .*: `(test_\w+\.py)`$", line):
            module = heading[1]
        elif row := re.match(r"\| .* \| `(test_\w+)` \|$", line):
            tree = ast.parse((HERE / module).read_text(encoding="utf-8"))
            assert row[1] in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, line
            named += 1
        else:
            assert not line.startswith("| ") or line == "| Fault | Test |", (
                f"a row that names no test: {line}"
            )
    assert named > 50


def test_every_module_of_faults_has_a_table() -> None:
    text = (HERE / "README.md").read_text(encoding="utf-8")
    for module in HERE.glob("test_*_faults.py"):
        assert f"`{module.name}`\n" in text, module.name
