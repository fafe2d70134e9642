"""The floor check: each rule is broken by a made-up tree and named, and the real tree breaks none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import layers
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

Check = Callable[..., list[str]]


@pytest.fixture
def check(tmp_path: Path) -> Check:
    """Return a function that writes a tree, given as path to source, and returns the faults found in it."""

    def write_and_check(files: dict[str, str]) -> list[str]:
        for path, source in files.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(source)
        return [str(fault) for fault in layers.check(tmp_path)]

    return write_and_check


def test_the_real_tree_keeps_every_rule() -> None:
    assert [str(fault) for fault in layers.check(REPOSITORY)] == []


def test_every_room_has_a_floor() -> None:
    found = {
        path.parent.name
        for path in REPOSITORY.glob("*/__init__.py")
        if not path.parent.name.startswith(".") and path.parent.name not in ("build", "dist")
    }
    assert found <= layers.FLOORS.keys()


def test_an_import_from_a_lower_floor_is_fine(check: Check) -> None:
    assert check({"pool/slab.py": "import mmap\nfrom ..api.errors import Closed\nfrom .. import api\n"}) == []


def test_an_import_from_a_higher_floor_is_named_with_file_and_line(check: Check) -> None:
    assert check({"pool/slab.py": "import mmap\n\nfrom ..session.store import Store\n"}) == [
        "pool/slab.py:3: floor: pool (floor 2) may not import session (floor 3): above it"
    ]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("protocol/frame.py", "from ..internal.clock import now"),
        ("transport/tcp.py", "from .. import session"),
        ("session/store.py", "from ..control import config"),
    ],
)
def test_an_import_from_a_neighbour_on_the_same_floor_is_a_fault(check: Check, path: str, source: str) -> None:
    (fault,) = check({path: source})
    assert fault.startswith(f"{path}:1: floor: ") and fault.endswith(": its neighbour")


@pytest.mark.parametrize(
    "source",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..adapters import server\n",
        "import typing\nif typing.TYPE_CHECKING:\n    from ..adapters import server\n",
        "\ndef late() -> None:\n    from ..adapters import server\n",
        "\nclass Late:\n    from ..adapters import server\n",
        "import importlib\n\nserver = importlib.import_module('..adapters.server', __package__)\n",
        "from importlib import import_module\n\nserver = import_module('..adapters', package=__package__)\n",
    ],
)
def test_no_import_hides_from_the_floor_rule(check: Check, source: str) -> None:
    (fault,) = check({"pool/slab.py": source})
    assert "floor: pool (floor 2) may not import adapters (floor 4)" in fault


def test_the_package_itself_gives_only_its_version(check: Check) -> None:
    assert check({"adapters/cli.py": "from .. import __version__\n"}) == []
    assert check({"adapters/cli.py": "from .. import Server\n"}) == [
        "adapters/cli.py:1: floor: 'Server' is no room; only __version__ may come from the package"
    ]


def test_the_package_itself_stands_below_the_contract_kit(check: Check) -> None:
    tree = {"src/hioload_ws/__init__.py": '"""X."""\nfrom .adapters import Server\n'}
    assert check(tree) == []
    (fault,) = check({"src/hioload_ws/__main__.py": "from .contract.cli import main\n"})
    assert "__main__.py:1: floor: hioload_ws (floor 5) may not import contract (floor 6)" in fault


def test_the_contract_kit_lies_in_the_tests_and_may_import_everything(check: Check) -> None:
    assert check({"tests/contract/ring.py": "import pytest\nfrom ..fake.ring import Ring\n"}) == []


@pytest.mark.parametrize("name", ["hioload_ws", "hioload_ws.api.errors", "pool", "api.errors"])
def test_an_absolute_import_of_the_library_is_a_fault(check: Check, name: str) -> None:
    expected = f"session/store.py:1: absolute: import '{name}' relatively: it is part of the library"
    assert check({"session/store.py": f"import {name}\n"}) == [expected]
    assert check({"session/store.py": f"from {name} import x\n"}) == [expected]
    assert check({"session/store.py": f"__import__({name!r})\n"}) == [expected]


def test_an_import_beyond_the_package_is_a_fault(check: Check) -> None:
    assert check({"pool/slab.py": "from ...elsewhere import x\n"}) == [
        "pool/slab.py:1: floor: '...elsewhere' leads out of the package"
    ]


def test_a_third_party_import_is_a_fault_except_typing_extensions(check: Check) -> None:
    assert check({"pool/slab.py": "import typing_extensions\nimport numpy.linalg\n"}) == [
        "pool/slab.py:2: foreign: 'numpy' is neither the standard library nor typing-extensions"
    ]


def test_names_of_the_type_checker_are_fine_only_where_nothing_runs(check: Check) -> None:
    hidden = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from _typeshed import Incomplete\n"
    assert check({"pool/slab.py": hidden}) == []
    (fault,) = check({"pool/slab.py": "from _typeshed import Incomplete\n"})
    assert fault.startswith("pool/slab.py:1: foreign: ")


@pytest.mark.parametrize("name", sorted(layers.IMPURE))
def test_protocol_imports_nothing_impure_wherever_the_import_stands(check: Check, name: str) -> None:
    source = f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {name}\n"
    assert check({"protocol/codec.py": source, "internal/clock.py": source}) == [
        f"protocol/codec.py:3: pure: protocol may not import '{name}': pass it in"
    ]


def test_a_circle_of_imports_is_named_module_by_module(check: Check) -> None:
    tree = {
        "pool/__init__.py": '"""Pool."""\n',
        "pool/a.py": "from .b import thing\n",
        "pool/b.py": "import os\nfrom . import c\n",
        "pool/c.py": "try:\n    from .a import other\nexcept ImportError:\n    raise\n",
    }
    assert check(tree) == ["pool/a.py:1: cycle: pool/a.py -> pool/b.py -> pool/c.py -> pool/a.py"]


def test_a_module_that_imports_its_own_package_is_in_a_circle_with_it(check: Check) -> None:
    tree = {"pool/__init__.py": '"""Pool."""\nfrom .a import thing\n', "pool/a.py": "from . import other\n"}
    assert check(tree) == ["pool/__init__.py:2: cycle: pool/__init__.py -> pool/a.py -> pool/__init__.py"]


@pytest.mark.parametrize(
    "back",
    [
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .a import thing\n",
        "def late() -> None:\n    from .a import thing\n",
        "async def late() -> None:\n    from .a import thing\n",
    ],
)
def test_a_circle_that_does_not_close_when_loaded_is_none(check: Check, back: str) -> None:
    assert check({"pool/a.py": "from .b import thing\n", "pool/b.py": back}) == []


def test_the_else_branch_of_type_checking_runs_and_counts(check: Check) -> None:
    back = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    thing = 1\nelse:\n    from .a import thing\n"
    (fault,) = check({"pool/a.py": "from .b import thing\n", "pool/b.py": back})
    assert ": cycle: " in fault


def test_a_subpackage_belongs_to_its_room(check: Check) -> None:
    tree = {
        "transport/uring/__init__.py": '"""Rings."""\nfrom .queue import Queue\n__all__ = ["Queue"]\n',
        "transport/uring/queue.py": "from ..base import Base\nfrom ...pool import Lease\n",
        "transport/base.py": "import socket\n",
    }
    assert check(tree) == []


def test_an_init_file_holds_docstring_imports_and_all(check: Check) -> None:
    good = '"""Pool."""\nfrom __future__ import annotations\nimport os\nfrom .a import x\n__all__ = ["x"]\n'
    assert check({"pool/__init__.py": good}) == []


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ('"""Pool."""\nfrom .a import x\nx()\n', 3),
        ('"""Pool."""\nSIZE = 1\n', 2),
        ('"""Pool."""\n__version__ = "1"\n', 2),
        ('"""Pool."""\n\n\ndef helper() -> None:\n    """Help."""\n', 4),
        ('"""Pool."""\nif True:\n    from .a import x\n', 2),
        ("from .a import x\n", 1),
        ("", 1),
    ],
)
def test_anything_else_in_an_init_file_is_a_fault(check: Check, source: str, line: int) -> None:
    (fault,) = check({"pool/__init__.py": source})
    assert fault.startswith(f"pool/__init__.py:{line}: init: ")


def test_the_init_file_of_the_package_may_hold_its_version(check: Check) -> None:
    assert check({"src/hioload_ws/__init__.py": '"""X."""\n__version__ = "1"\n__all__ = ["__version__"]\n'}) == []


def test_a_tree_without_any_room_is_an_error_and_not_a_pass(tmp_path: Path) -> None:
    with pytest.raises(LookupError):
        layers.check(tmp_path)


@pytest.mark.parametrize(
    ("source", "code", "output"),
    [
        ("import mmap\n", 0, ""),
        ("import pool\n", 1, "pool/a.py:1: absolute: import 'pool' relatively: it is part of the library\n"),
        ("import\n", 1, ""),
    ],
)
def test_the_script_prints_the_faults_and_exits_with_one(
    tmp_path: Path, source: str, code: int, output: str
) -> None:
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "a.py").write_text(source)
    command = [sys.executable, str(REPOSITORY / ".ci" / "layers.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (code, output)
    assert done.stderr.startswith("layers: ")
