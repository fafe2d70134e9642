"""Stepping: a function is called before each byte code of an implementation.

Two ways, because neither works everywhere: ``sys.settrace`` with ``f_trace_opcodes`` up to Python 3.11, and
``sys.monitoring`` (PEP 669) from 3.12 on, where the former loses events. Both see unmodified Python code, only
on the threads that ask, and never the kit's own. With ``sys.monitoring`` a function is instrumented when it is
entered for the first time and seen from its second run on, so the first run only gets to know the code.
"""

from __future__ import annotations

import dis
import functools
import os
import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Final, Protocol, TypeVar

R = TypeVar("R")

Step = Callable[[CodeType, int], bool]
"""Called before each byte code, with the code and the offset in it, until it returns ``False``."""

# As the code objects have it: a link on the way is not resolved.
_KIT: Final = os.path.join(os.path.dirname(__file__), "")
_LIBRARY: Final = os.path.join(os.path.dirname(os.__file__), "")
_ON_TRIAL: Final = os.path.join(_KIT, "mutants", "")


def is_ours(code: CodeType) -> bool:
    """Return whether code belongs to the kit and not to what is on trial."""
    name = code.co_filename
    return name.startswith(_KIT) and not name.startswith(_ON_TRIAL)


class Stepper(Protocol):
    """Runs functions step by step. Thread rules: any thread, each for itself."""

    first_run_counts: bool
    """Whether the very first run sees the steps already."""

    def run(self, operation: Callable[[], R], step: Step) -> R:
        """Return ``operation()``; call ``step`` before each byte code, until it returns ``False``."""

    def close(self) -> None:
        """Leave the interpreter as it was. Idempotent."""


class TraceStepper:
    """Implements ``Stepper`` with a trace function."""

    first_run_counts = True

    def run(self, operation: Callable[[], R], step: Step) -> R:
        """Run with a trace function in place, and put back the one that was there."""

        # A trace function runs untraced: coverage tools can't see it, and see nothing while it is in place.
        def enter(frame: FrameType, event: str, argument: object) -> object:  # pragma: no cover - untraced
            if is_ours(frame.f_code):
                return None
            frame.f_trace_opcodes = True
            return visit

        def visit(frame: FrameType, event: str, argument: object) -> object:  # pragma: no cover - untraced
            if event == "opcode" and not step(frame.f_code, frame.f_lasti):
                sys.settrace(None)
                return None
            return visit

        before = sys.gettrace()
        sys.settrace(enter)  # type: ignore[arg-type]  # the stubs want a trace function to return itself
        try:  # pragma: no cover - untraced
            return operation()
        finally:
            sys.settrace(before)

    def close(self) -> None:
        """There is nothing to undo."""


if sys.version_info >= (3, 12):  # pragma: no cover - coverage is measured on 3.11
    _events = sys.monitoring.events

    class MonitorStepper:
        """Implements ``Stepper`` with ``sys.monitoring``. Raises ``ValueError`` where no tool id is free."""

        first_run_counts = False

        def __init__(self) -> None:
            self._codes: set[CodeType] = set()
            self._steps: dict[int, Step] = {}
            self._tool = _take_tool_id()
            sys.monitoring.register_callback(self._tool, _events.PY_START, self._enter)
            sys.monitoring.register_callback(self._tool, _events.INSTRUCTION, self._visit)

        def run(self, operation: Callable[[], R], step: Step) -> R:
            """Run with the events switched on."""
            self._steps[threading.get_ident()] = step
            sys.monitoring.set_events(self._tool, _events.PY_START)
            try:
                return operation()
            finally:
                self._steps.pop(threading.get_ident(), None)
                if not self._steps and self._tool >= 0:
                    sys.monitoring.set_events(self._tool, 0)

        def close(self) -> None:
            """Give the tool id back and take the instruments out of the code."""
            if self._tool < 0:
                return
            for code in self._codes:
                sys.monitoring.set_local_events(self._tool, code, 0)
            for event in (_events.PY_START, _events.INSTRUCTION):
                sys.monitoring.register_callback(self._tool, event, None)
            sys.monitoring.free_tool_id(self._tool)
            self._tool = -1

        def _enter(self, code: CodeType, offset: int) -> object:
            if threading.get_ident() in self._steps and code not in self._codes and not is_ours(code):
                self._codes.add(code)
                sys.monitoring.set_local_events(self._tool, code, _events.INSTRUCTION)
            return None

        def _visit(self, code: CodeType, offset: int) -> object:
            step = self._steps.get(threading.get_ident())
            if step is not None and not step(code, offset):
                self._steps.pop(threading.get_ident(), None)
            return None

    def _take_tool_id() -> int:
        # 0 to 2 and 5 have names (debugger, coverage, profiler, optimizer): their owners may come later.
        for number in (3, 4):
            if sys.monitoring.get_tool(number) is None:
                sys.monitoring.use_tool_id(number, "hioload-ws contract")
                return number
        raise ValueError("no tool id of sys.monitoring is free")


_SHARED: Final = frozenset(
    "LOAD_ATTR STORE_ATTR DELETE_ATTR BINARY_SUBSCR STORE_SUBSCR DELETE_SUBSCR BINARY_SLICE STORE_SLICE "
    "STORE_DEREF STORE_GLOBAL CONTAINS_OP FOR_ITER CALL CALL_KW CALL_FUNCTION_EX".split()
)


@functools.cache
def shared_offsets(code: CodeType) -> frozenset[int]:
    """Return where code may touch what another thread sees: only before these a switch can make a difference."""
    return frozenset(each.offset for each in dis.get_instructions(code) if each.opname in _SHARED)


@functools.cache
def is_of_python(code: CodeType) -> bool:
    """Return whether code belongs to Python's own library, or was generated by it (methods of data classes)."""
    name = code.co_filename
    return name.startswith(("<", _LIBRARY)) and "site-packages" not in name


def shown_instruction(place: tuple[CodeType, int]) -> str:
    """Return a place in code as file, line, function, and what is done there."""
    code, offset = place
    line, what = code.co_firstlineno, "what is there"
    for each in dis.get_instructions(code):
        if each.offset == offset:
            line = each.positions.lineno or line if each.positions is not None else line
            what = f"{each.opname} {each.argrepr}".strip()
    return f"{os.path.basename(code.co_filename)}:{line} in {code.co_name}, before {what}"


def stepper() -> Stepper:
    """Return what works on this version of Python."""
    if sys.version_info >= (3, 12):  # pragma: no cover - coverage is measured on 3.11
        return MonitorStepper()
    else:  # so that a type checker of either version is content
        return TraceStepper()


__all__ = [
    "Step",
    "Stepper",
    "TraceStepper",
    "is_of_python",
    "is_ours",
    "shared_offsets",
    "shown_instruction",
    "stepper",
]
