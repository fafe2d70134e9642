"""Judging: puts a mutant in place and asks the tests, in a process of its own that is forked for it.

Two roads lead there. The *quick* one begins where all tests are collected already and the library is imported: the
changed functions get their new code, in the objects that everybody holds (``function.__code__``), and the tests
run. Nothing is imported or collected again, so a mutant costs what its tests cost. It is for lines that no import ran.
The *slow* one is for the others (constants, tables, defaults of arguments): it begins where nothing of ours is
imported, and an import hook gives the changed module to whoever asks. That takes seconds.

Time limits are in CPU seconds, so that a busy machine kills nobody.
"""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import os
import resource
import shutil
import sys
import tempfile
import traceback
import types
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest

REPOSITORY: Final = Path(__file__).resolve().parents[2]
if str(REPOSITORY) not in sys.path:  # started by a program's path, and not by way of the tests
    sys.path.insert(0, str(REPOSITORY))

from tests.mutation.operators import Mutant  # noqa: E402  # the path comes first
from tests.mutation.selection import Chooser, Selection, limit_cpu  # noqa: E402

ROOM: Final = "protocol"
TESTS: Final = REPOSITORY / "tests" / ROOM
COLLECTING_CPU_S: Final = 60
MEMORY_LIMIT_BYTES: Final = 2 << 30
OPTIONS: Final = (
    *("-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "--hypothesis-seed=0", f"--rootdir={REPOSITORY}"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # Hypothesis is imported already, on purpose
)

Place = tuple[str, int]
"""Where a function is in its module: its qualified name and its first line."""


class Hook(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the mutated module in place of the one on disk."""

    def __init__(self, mutant: Mutant, room: str = ROOM) -> None:
        self._name = f"hioload_ws.{room}.{mutant.module}"
        self._file = str(REPOSITORY / room / f"{mutant.module}.py")
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._name:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=self._file)

    def exec_module(self, module: types.ModuleType) -> None:
        module.__file__ = self._file
        exec(compile(self._mutant.tree(), self._file, "exec"), module.__dict__)


class Verdicts:
    """A pytest plugin that runs no test itself: with all of them collected it asks about one mutant after the other,
    each in a child, and calls ``tell(mutant, survived)``; ``survived`` is ``None`` where the quick road is closed."""

    def __init__(
        self, mutants: Sequence[Mutant], selection: Selection, tell: Callable[[Mutant, bool | None], None]
    ) -> None:
        self._mutants, self._selection, self._tell = mutants, selection, tell

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        functions = live_functions()
        items = {item.nodeid: item for item in session.items}
        gc.collect()
        gc.freeze()  # the children share what is there, as long as nobody writes to it
        for mutant in self._mutants:
            codes = unique_codes(compile(mutant.tree(), str(REPOSITORY / ROOM / f"{mutant.module}.py"), "exec"))
            if not is_replaceable(functions[mutant.module], codes):
                self._tell(mutant, None)
                continue
            wanted = self._selection.of(mutant.module, mutant.lines)
            chosen = [(items[test], seconds) for test, seconds in wanted.items()]

            def ask(_: Path) -> int:
                for place, function in functions[mutant.module]:
                    function.__code__ = codes[place]
                return _run(session, chosen)

            self._tell(mutant, in_child(ask, COLLECTING_CPU_S, quiet=False))
        return True


def _run(session: pytest.Session, chosen: Sequence[tuple[pytest.Item, float]]) -> int:
    """Run tests until one fails; return how many did."""
    followers = [item for item, _ in chosen[1:]]
    for (item, seconds), follower in zip(chosen, [*followers, None], strict=True):
        limit_cpu(seconds)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=follower)
        if session.testsfailed:
            break
    return session.testsfailed


def live_functions() -> dict[str, list[tuple[Place, types.FunctionType]]]:
    """Return the functions of the room's modules that exist, by module: also those that decorators hold."""
    found: dict[str, list[tuple[Place, types.FunctionType]]] = defaultdict(list)
    for each in gc.get_objects():
        if type(each) is types.FunctionType:  # ``isinstance`` would ask a proxy of something that has gone
            code = each.__code__
            file = Path(code.co_filename)
            if file.parent.name == ROOM and file.resolve().parent == REPOSITORY / ROOM:
                found[file.stem].append(((code.co_qualname, code.co_firstlineno), each))
    return found


def unique_codes(module: types.CodeType) -> dict[Place, types.CodeType]:
    """Return the code objects within a module's, also those within them, where only one is at its place."""
    found: dict[Place, list[types.CodeType]] = defaultdict(list)
    left = [module]
    while left:
        inner = [each for each in left.pop().co_consts if isinstance(each, types.CodeType)]
        for each in inner:
            found[each.co_qualname, each.co_firstlineno].append(each)
        left += inner
    return {place: codes[0] for place, codes in found.items() if len(codes) == 1}


def is_replaceable(functions: Sequence[tuple[Place, types.FunctionType]], codes: dict[Place, types.CodeType]) -> bool:
    """Whether each function has a new code, of as many free variables (others Python refuses)."""
    return all(
        place in codes and len(codes[place].co_freevars) == len(function.__code__.co_freevars)
        for place, function in functions
    )


def judge(mutants: Sequence[Mutant], selection: Selection, tell: Callable[[Mutant, bool], None]) -> None:
    """Judge mutants here, in a process that has imported nothing of ours; call ``tell(mutant, survived)`` for each."""
    slow = [each for each in mutants if selection.is_imported(each.module, each.lines)]
    quick = [each for each in mutants if each not in slow]

    def note(mutant: Mutant, survived: bool | None) -> None:
        if survived is None:
            os.write(back, f"{quick.index(mutant)}\n".encode())
        else:
            tell(mutant, survived)

    def ask(_: Path) -> int:
        files = [str(file) for file in sorted(TESTS.glob("test_*.py"))]
        return int(pytest.main([*OPTIONS, *files], plugins=[Verdicts(quick, selection, note)]))

    forth, back = os.pipe()
    if not in_child(ask, resource.RLIM_INFINITY):
        raise RuntimeError("the tests can't be collected, or the process that has collected them broke down")
    os.close(back)
    with os.fdopen(forth) as others:  # few enough for a pipe to hold
        slow += [quick[int(line)] for line in others]
    for mutant in slow:
        tell(mutant, survives(mutant, selection))


def survives(mutant: Mutant, selection: Selection, *, quiet: bool = True) -> bool:
    """Ask the tests that run the changed line, the slow way; stop at the first that fails."""
    wanted = selection.of(mutant.module, mutant.lines)

    def ask(_: Path) -> int:
        sys.meta_path.insert(0, Hook(mutant))
        files = sorted({test.partition("::")[0] for test in wanted})
        return int(pytest.main([*OPTIONS, *files], plugins=[Chooser(wanted)]))

    return in_child(ask, COLLECTING_CPU_S, quiet=quiet)


def in_child(function: Callable[[Path], int], cpu_s: float, *, quiet: bool = True) -> bool:
    """Run ``function`` with a scratch folder in a forked process; ``True`` when it returned 0 in time."""
    scratch = Path(tempfile.mkdtemp(prefix="mutant-"))
    child = os.fork()
    if not child:
        try:
            code = _limited(function, scratch, cpu_s, quiet=quiet)
        except BaseException:
            if not quiet:
                traceback.print_exc()
            code = 1
        os._exit(min(code, 1))
    try:
        _, status = os.waitpid(child, 0)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return status == 0


def _limited(function: Callable[[Path], int], scratch: Path, cpu_s: float, *, quiet: bool) -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (round(cpu_s), resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
    # Hypothesis remembers what failed: a fresh memory for each, so that mutants do not help to kill each other.
    os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(scratch)
    if quiet:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
    return function(scratch)


__all__ = [
    "OPTIONS",
    "REPOSITORY",
    "ROOM",
    "TESTS",
    "Hook",
    "in_child",
    "is_replaceable",
    "judge",
    "live_functions",
    "survives",
    "unique_codes",
]
