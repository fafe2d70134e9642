"""The tool tells a change from none: what it changes, what it leaves alone, and whom it asks."""

from __future__ import annotations

import ast
import types

from hioload_ws.protocol.close import is_wire_code
from tests.mutation.judging import is_replaceable, live_functions, unique_codes
from tests.mutation.operators import mutants_of, unchanged
from tests.mutation.rows import breaks, lines_of, load_rows
from tests.mutation.run import equivalents, key_of, texts
from tests.mutation.selection import Selection

SOURCE = '''"""A docstring is for readers."""

__all__ = ["f"]
LIMIT: Final[int] = 5


def f(a: int, b: bool = True) -> int:
    """So is this: 7."""
    if a < LIMIT and b:
        raise ValueError("words", 3)
    a += 1
    for each in range(a):
        if each:
            break
    g(a, key=b"x")
    return a * 2
'''


def test_every_operator_changes_one_place_and_words_for_people_stay() -> None:
    mutants = list(mutants_of("m", SOURCE))
    assert [(mutant.line, mutant.what) for mutant in mutants] == [
        (4, "5 -> 6"), (4, "5 -> 4"),
        (7, "True -> False"),
        (9, "condition turned round"), (9, "and -> or"), (9, "Lt -> LtE"),
        (10, "raise dropped"), (10, "3 -> 4"), (10, "3 -> 2"),
        (11, "Add -> Sub"), (11, "statement dropped"), (11, "1 -> 2"), (11, "1 -> 0"),
        (13, "condition turned round"),
        (14, "break -> continue"),
        (15, "statement dropped"), (15, "b'x' -> other bytes"),
        (16, "return -> return None"), (16, "Mult -> Add"), (16, "2 -> 3"), (16, "2 -> 1"),
    ]  # fmt: skip
    plain = ast.unparse(ast.parse(SOURCE)).splitlines()
    for mutant in mutants:
        changed = ast.unparse(mutant.tree()).splitlines()
        different = [number for number, line in enumerate(plain) if line not in changed[number : number + 1]]
        assert len(different) == 1, mutant
        compile(mutant.tree(), "m.py", "exec")


def test_an_unchanged_module_is_unchanged() -> None:
    assert ast.unparse(unchanged("m", SOURCE).tree()) == ast.unparse(ast.parse(SOURCE))


def test_only_tests_that_ran_the_statement_are_asked_and_all_where_an_import_did() -> None:
    selection = Selection({("m", 9): ["quick", "slow"], ("m", 10): ["slow"]}, {"quick": 0.1, "slow": 2.0, "other": 1.0})
    by_line = {mutant.line: mutant for mutant in mutants_of("m", SOURCE)}
    assert selection.of("m", by_line[9].lines).keys() == {"quick", "slow"}
    assert selection.of("m", by_line[10].lines).keys() == {"slow"}
    assert selection.of("m", by_line[4].lines).keys() == {"quick", "slow", "other"}
    assert selection.test_count == 3


def test_tests_of_the_module_itself_are_asked_first_and_then_the_quick_ones() -> None:
    seconds = {"tests/test_n.py::quick": 0.1, "tests/test_n.py::slow": 1.0, "tests/test_m_long.py::own": 2.0}
    selection = Selection({}, seconds, {("m", 4)})
    assert list(selection.of("m", range(1))) == [*list(seconds)[2:], *list(seconds)[:2]]
    assert selection.is_imported("m", range(3, 5)) and not selection.is_imported("m", range(5, 9))


def test_code_at_a_place_of_its_own_can_be_replaced_and_other_can_not() -> None:
    def compiled(text: str) -> types.CodeType:
        return compile(text, "m.py", "exec")

    names: dict[str, types.FunctionType] = {}
    exec(compiled("def f(): return 1\ndef g(): return lambda: 2, lambda: 3"), names)
    codes = unique_codes(compiled("def f(): return 7\ndef g(): return lambda: 2, lambda: 4"))
    assert codes.keys() == {("f", 1), ("g", 2)}
    assert is_replaceable([(("f", 1), names["f"]), (("g", 2), names["g"])], codes)
    first, _ = names["g"]()
    assert not is_replaceable([(("g.<locals>.<lambda>", 2), first)], codes)
    names["f"].__code__ = codes["f", 1]
    assert names["f"]() == 7


def test_functions_are_found_wherever_they_are_held() -> None:
    functions = dict(live_functions()["close"])
    assert functions["is_wire_code", is_wire_code.__code__.co_firstlineno] is is_wire_code


def test_every_change_on_record_is_one_that_the_tool_makes() -> None:
    keys = {key_of(mutant) for name, text in texts().items() for mutant in mutants_of(name, text)}
    assert not [key for key in equivalents() if key not in keys]
    assert all(len(reason.split()) > 4 for reason in equivalents().values())


def test_a_row_s_code_has_lines_to_break() -> None:
    rows = load_rows()
    assert len(rows) > 200
    _, code, _ = rows[0]
    assert {room for room, _ in breaks(code)} == {"protocol"}
    assert lines_of(SOURCE, "f") == range(7, 17)
    assert lines_of(SOURCE, "LIMIT") == range(4, 5)
    assert lines_of(SOURCE, "f.nothing") == lines_of(SOURCE, "g") == range(0)
