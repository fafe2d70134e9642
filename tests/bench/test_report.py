"""What is made of figures: medians and spreads, goals, the JSON form, comparisons, the table and the picture."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from hioload_ws.api import InvalidArgument
from hioload_ws.bench.plot import svg
from hioload_ws.bench.report import as_json, compare, comparison, from_json, machine, table, verdicts
from hioload_ws.bench.run import Figure, Result


def small(ours: list[float], raw: list[float], websockets: list[float] | None = None) -> Result:
    figures = {"hioload": Figure(ours), "raw": Figure(raw)}
    if websockets is not None:
        figures["websockets"] = Figure(websockets)
    return Result("small", figures)


def idle(ours: list[float], share: float = 0.001) -> Result:
    return Result("idle", {"hioload": Figure(ours, share)})


def test_median_and_spread() -> None:
    figure = Figure([10.0, 12.0, 11.0, 30.0, 9.0])
    assert figure.median == 11.0
    assert figure.spread == pytest.approx(2.0 / 11.0)
    assert Figure([5.0, 9.0]).spread == 0.0


def test_a_ratio_is_taken_within_each_round() -> None:
    # The machine was twice as slow in the second round: the ratio does not notice.
    result = small([100.0, 50.0, 100.0], [200.0, 100.0, 200.0])
    assert result.ratio("hioload", "raw") == 0.5
    assert result.ratio_spread("hioload", "raw") == 0.0


def test_goals_are_judged_where_both_took_part() -> None:
    found = {verdict.goal.against: verdict for verdict in verdicts(small([60.0], [100.0], [20.0]))}
    assert found["raw"].reached and found["raw"].value == 0.6
    assert not found["websockets"].reached and found["websockets"].value == 3.0
    assert "picows" not in found


def test_where_less_is_better_a_goal_is_a_limit() -> None:
    assert [verdict.reached for verdict in verdicts(idle([1000.0]))] == [True]
    assert [verdict.reached for verdict in verdicts(idle([1025.0]))] == [False]


def test_json_brings_everything_back() -> None:
    results = [small([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]), idle([900.0])]
    text = json.dumps(as_json(results, 3, 0.5))
    assert from_json(text, "a file") == results
    assert "3 rounds of 0.5 s" in machine(json.loads(text))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "results": [{}]}', "7"])
def test_other_files_are_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidArgument, match=r"a\.json is no file of results"):
        from_json(text, "a.json")


def test_another_format_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="format 99"):
        from_json('{"format": 99, "results": []}', "a.json")


def test_a_loss_beyond_the_noise_is_a_regression() -> None:
    before, now = small([100.0] * 3, [200.0] * 3), small([80.0] * 3, [200.0] * 3)
    [change] = compare([before], [now])
    assert change.regressed and change.change == pytest.approx(-0.2)
    assert "REGRESSED" in comparison([change])


def test_a_loss_within_the_noise_is_none() -> None:
    before, now = small([70.0, 100.0, 130.0], [200.0] * 3), small([80.0] * 3, [200.0] * 3)
    [change] = compare([before], [now])
    assert not change.regressed


def test_a_slower_machine_is_no_regression() -> None:
    [change] = compare([small([100.0], [200.0])], [small([50.0], [100.0])])
    assert change.change == 0 and not change.regressed


def test_without_the_floor_a_peer_is_the_reference() -> None:
    before = Result("small", {"hioload": Figure([4.0]), "websockets": Figure([1.0])})
    now = Result("small", {"hioload": Figure([6.0]), "websockets": Figure([2.0])})
    [change] = compare([before], [now])
    assert change.against == "websockets" and change.regressed


def test_memory_is_compared_as_it_is_and_less_is_better() -> None:
    [better] = compare([idle([1000.0])], [idle([800.0])])
    [worse] = compare([idle([1000.0])], [idle([1200.0])])
    assert not better.regressed and better.change == pytest.approx(0.25)
    assert worse.regressed


def test_what_only_one_run_has_is_not_compared() -> None:
    assert compare([idle([1.0])], [small([1.0], [2.0])]) == []
    assert compare([Result("small", {"raw": Figure([1.0])})], [small([1.0], [2.0])]) == []


def test_the_table_says_what_was_reached_and_what_was_missed() -> None:
    text = table([small([60.0] * 3, [100.0] * 3, [20.0] * 3), idle([1025.0], 0.006)])
    assert "goal reached: hioload at least 0.55 x raw: 0.60" in text
    assert "goal MISSED: hioload at least 4 x websockets: 3.00" in text
    assert "goal MISSED: hioload at most 1024 bytes each: 1025" in text
    assert "goal MISSED: hioload at most 0.5% of a core: 0.60%" in text


def test_the_picture_is_xml_with_a_bar_per_figure() -> None:
    root = ElementTree.fromstring(svg([small([60.0], [100.0]), idle([1000.0])], "by <whom>"))
    bars = [each for each in root.iter("{http://www.w3.org/2000/svg}rect") if each.get("y")]
    assert len(bars) == 3
    assert "by <whom>" in "".join(root.itertext())
