"""The machinery of the benchmarks, on calls of known length; what they measure needs PyTorch."""

import json
import time

import pytest

from bench import report
from bench.timing import Case, Pair, Plan, Result, Spread, measure, run

PLAN = Plan(rounds=3, sample=0.001, settle=0.0, warm_up=0.0)


def result(ours=2e-6, reference=5e-6, gate=2.0, work=4e3):
    spreads = [Spread(t, 0.9 * t, 1.1 * t, 0.8 * t, 100) for t in (ours, reference)]
    case = Case("eager", "a + a", "4x4", lambda: Pair(int, int, int), work=work, gate=gate)
    return Result(case, 1, *spreads)


def test_calls_are_timed_in_turns():
    order = []
    plan = Plan(rounds=4, sample=0.0, settle=0.0, warm_up=0.0)
    measure((lambda: order.append("a"), lambda: order.append("b")), plan)
    assert "".join(order[-16:]) == "aabb" * 4


def test_a_slower_call_takes_longer():
    fast, slow = measure((lambda: None, lambda: time.sleep(0.002)), PLAN)
    assert slow.least >= 0.002 > fast.median
    assert fast.loops > slow.loops == 1
    assert slow.least <= slow.lower <= slow.median <= slow.upper


def test_disagreement_is_raised_before_timing():
    def check():
        raise AssertionError("values differ")

    calls = []
    case = Case(
        "ops", "exp", "tiny", lambda: Pair(lambda: calls.append(1), lambda: calls.append(2), check)
    )
    with pytest.raises(AssertionError, match=r"ops: exp tiny: the results disagree\nvalues differ"):
        run(case, PLAN, 1)
    assert not calls


@pytest.mark.parametrize(("gate", "passed"), [(None, True), (2.5, True), (2.51, False)])
def test_gate(gate, passed):
    one = result(gate=gate)
    assert one.ratio == pytest.approx(2.5)
    assert one.passed is passed


def test_table_is_aligned():
    table = report.Table()
    head, rule = table.head("eager").strip().splitlines()
    row = table.row(result())
    assert len(row) <= len(rule) <= 160
    assert row.index("2.50") + 4 == head.index("ratio") + 5
    assert "2.00 GFLOP/s" in row
    assert "2.00 us ± 10%" in row


def test_markdown_has_one_row_a_result():
    lines = report.markdown([result(), result(gate=None, work=0.0)]).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_json_holds_every_figure(tmp_path):
    path = tmp_path / "new" / "results.json"
    report.save(path, {"cpu": "some"}, PLAN, [result(), result()])
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert saved["machine"] == {"cpu": "some"}
    assert saved["plan"]["rounds"] == 3
    assert len(saved["results"]) == 2
    assert saved["results"][0]["fastdl"]["median"] == 2e-6
    assert saved["results"][0]["ratio"] == 2.5


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1.5, "1.50 s"),
        (0.9999, "1.00 s"),
        (0.0123, "12.3 ms"),
        (4.5e-7, "450 ns"),
        (2e-6, "2.00 us"),
    ],
)
def test_duration(seconds, text):
    assert report.duration(seconds) == text
