"""The machinery of the benchmarks, on calls of known length; what they measure needs PyTorch."""

import contextlib
import json
import sys
import time
import types

import pytest

from bench import report, timing
from bench.gpu import __main__ as gpu
from bench.gpu import report as gpu_report
from bench.gpu import stages as gpu_stages
from bench.timing import FEWEST, Case, Limit, Plan, Result, Sides, Spread, measure, run
from fastdl import _core

PLAN = Plan(rounds=3, sample=0.001, settle=0.0, warm_up=0.0)


def result(ours=2e-6, references=None, gates=None, work=4e3, **more):
    times = {"torch": 5e-6} if references is None else references
    sides = Sides(int, dict.fromkeys(times, int), int)
    gates = {"torch": 2.0} if gates is None else gates
    case = Case("eager", "a + a", "4x4", lambda: sides, work=work, gates=gates)
    return Result(case, 1, near(ours), {name: near(t) for name, t in times.items()}, **more)


def near(time):
    return Spread(time, 0.9 * time, 1.1 * time, 0.8 * time, 100)


def test_calls_are_timed_in_turns():
    order = []
    plan = Plan(rounds=4, sample=0.0, settle=0.0, warm_up=0.0)
    measure([lambda name=name: order.append(name) for name in "abc"], plan)
    assert "".join(order[-24:]) == "aabbcc" * 4


def test_a_slower_call_takes_longer():
    fast, slow = measure([lambda: None, lambda: time.sleep(0.002)], PLAN)
    assert slow.least >= 0.002 > fast.median
    assert fast.loops > slow.loops == 1
    assert slow.least <= slow.lower <= slow.median <= slow.upper


def test_long_calls_are_content_with_fewer_rounds():
    calls = []
    plan = Plan(rounds=50, sample=0.0, settle=0.0, warm_up=0.0, budget=0.0)
    measure([lambda: calls.append(1)], plan)
    assert len(calls) == 2 + 2 * FEWEST


def test_disagreement_is_raised_before_timing():
    def check():
        raise AssertionError("values differ")

    calls = []
    sides = Sides(lambda: calls.append(1), {"torch": lambda: calls.append(2)}, check)
    case = Case("ops", "exp", "tiny", lambda: sides)
    with pytest.raises(AssertionError, match=r"ops: exp tiny: the results disagree\nvalues differ"):
        run(case, PLAN, 1)
    assert not calls


def test_sides_are_told_apart_and_what_is_not_installed_is_named(monkeypatch):
    now = 0.0  # a clock of the test's own: on a busy machine a sleep may take twice its time

    def lasting(seconds):
        def call():
            nonlocal now
            now += seconds

        return call

    clock = types.SimpleNamespace(perf_counter=lambda: now, sleep=lambda seconds: None)
    monkeypatch.setattr(timing, "time", clock)
    sides = Sides(
        lasting(0.002),
        {"torch": lasting(0.008), "jax": None, "numpy": lasting(0.004)},
        lambda: None,
        {"peak": Limit(lasting(0.001), work=1.0)},
    )
    found = run(Case("ops", "wait", "", lambda: sides, work=1.0), PLAN, 1)
    assert list(found.references) == ["torch", "numpy"]
    assert found.missing == ["jax"]
    assert found.best == "numpy"
    assert found.ratios["torch"] == pytest.approx(4)
    assert found.ratios["numpy"] == pytest.approx(2)
    assert found.ratios["best"] == found.ratio == found.ratios["numpy"]
    assert found.ratios["peak"] == pytest.approx(0.5)


def test_something_can_go_on_beside_a_case():
    seen = []

    @contextlib.contextmanager
    def beside():
        seen.append("begin")
        yield
        seen.append("end")

    sides = Sides(lambda: seen.append("call"), {"torch": int}, lambda: seen.append("check"))
    run(Case("busy", "add", "", lambda: sides, beside=beside), PLAN, 1)
    assert seen[:3] == ["check", "begin", "call"]
    assert seen[-1] == "end"


def test_memory_is_what_the_calls_return():
    sides = Sides(lambda: 100, {"torch": lambda: 300}, lambda: None)
    found = run(Case("peak", "step", "", lambda: sides, figure="memory"), PLAN, 1)
    assert found.ratio == 3
    assert "300 B" in report.Table().row(found)


@pytest.mark.parametrize(
    ("gates", "missed"),
    [
        ({}, []),
        ({"torch": 2.5}, []),
        ({"torch": 2.51}, ["torch"]),
        ({"torch": 2.5, "best": 1.5}, ["best"]),
        ({"best": 1.25, "copy": 0.5}, []),
        ({"copy": 0.51}, ["copy"]),
        ({"jax": 9.0}, []),  # not installed: said elsewhere, and no failure
    ],
)
def test_gates(gates, missed):
    # The limit moved half the work of the case in a quarter of the case's time.
    one = result(
        references={"torch": 5e-6, "numpy": 2.5e-6},
        gates=gates,
        limits={"copy": (near(5e-7), 2e3)},
        missing=["jax"],
    )
    assert one.ratios == pytest.approx({"torch": 2.5, "numpy": 1.25, "best": 1.25, "copy": 0.5})
    assert list(one.missed) == missed
    assert one.passed is not bool(missed)


def test_table_is_aligned():
    table = report.Table()
    head, rule = table.head("eager").strip().splitlines()
    row = table.row(result(gates={"torch": 2.6}))
    assert len(row) <= len(rule)
    assert row.index("2.50") + 4 == head.index("ratio") + 5
    assert "2.00 GFLOP/s" in row
    assert "2.00 us ± 10%" in row
    assert row.endswith("torch 2.50 (2.6 !)")


def test_means_are_geometric_by_group_and_have_gates():
    results = [result(8e-6, {"torch": 4e-6}), result(1e-6, {"torch": 2e-6, "jax": 3e-6})]
    found = {mean.reference: mean for mean in report.means(results, {"eager": {"torch": 1.01}})}
    assert found["torch"].mean == pytest.approx(1.0)
    assert found["torch"].lowest == pytest.approx(0.5)
    assert not found["torch"].passed
    assert found["jax"].cases == 1
    assert found["best"].passed
    assert "geometric mean  1.00 (1.01 !), lowest  0.50" in str(found["torch"])
    lines = list(report.verdict(results, list(found.values())))
    assert lines[0].strip() == "3 required ratios, 2 missed"
    assert "torch 0.50, required 2" in lines[1]


def test_verdict_names_what_is_not_installed():
    lines = list(report.verdict([result(missing=["onnxruntime"])], []))
    assert lines[1:] == ["not installed: eager: a + a 4x4, 1 threads: needs onnxruntime"]


def test_markdown_has_one_row_a_result():
    lines = report.markdown([result(), result(gates={}, work=0.0)]).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_json_holds_every_figure(tmp_path):
    path = tmp_path / "new" / "results.json"
    results = [result(), result()]
    report.save(path, {"cpu": "some"}, PLAN, results, list(report.means(results, {})))
    saved = json.loads(path.read_text(encoding="utf-8"))
    assert saved["machine"] == {"cpu": "some"}
    assert saved["plan"]["rounds"] == 3
    assert len(saved["results"]) == 2
    assert saved["results"][0]["fastdl"]["median"] == 2e-6
    assert saved["results"][0]["torch"]["median"] == 5e-6
    assert saved["results"][0]["ratios"]["torch"] == 2.5
    assert saved["means"][0]["mean"] == pytest.approx(2.5)


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
    assert report.amount(seconds) == text


def test_amount_of_memory():
    assert report.amount(2.5e8, "memory") == "250 MB"


# the GPU's (python -m bench.gpu): reports and stages, which need neither GPU nor PyTorch


def row(subject="gemm", case="matmul float32", status="ok", ours=2e-3, references=None, **more):
    base = {"subject": subject, "case": case, "size": "64", "flops": 0.0, "bytes": 0.0}
    if status != "ok":
        return base | {"status": status} | more
    references = {"PyTorch": 1e-3} if references is None else references
    times = {name: {"median": seconds} for name, seconds in references.items()}
    return base | {"status": "ok", "fastdl": {"median": ours}, "references": times} | more


COPY = row("copy", "copy float32", ours=1.0, references={"clone": 0.8, "copy_": 0.5}, bytes=4e12)


def test_gpu_rows_are_the_last_word_on_each_case():
    started = [row("softmax", "softmax", "started"), row("pool", "max", "started")]
    lines = [json.dumps(r) for r in (*started, row("softmax", "softmax"))]
    rows = gpu_report.collect(lines)
    assert [(r["case"], r["status"]) for r in rows] == [("softmax", "ok"), ("max", "no result")]


def test_gpu_ratios_are_those_of_the_fastest_way_and_floors_those_of_the_fastest_copy():
    assert gpu_report.bandwidth([row(), COPY]) == 8e12
    assert gpu_report.bandwidth([row(bytes=1.0)]) is None
    conv = row(ours=2e-3, references={"NCHW": 4e-3, "channels-last": 3e-3}, flops=4e9)
    assert gpu_report.cells(conv, 8e12)[2:] == [
        "2",
        "3 (channels-last)",
        "1.50",
        "2 TFLOP/s",
        "",
        "",
    ]
    add = row(bytes=8e9)
    assert gpu_report.cells(add, 8e12)[2:] == ["2", "1", "0.50", "4000 GB/s", "50 %", ""]
    assert gpu_report.cells(add, None)[-2] == ""


def test_gpu_rows_without_figures_say_why():
    absent = gpu_report.cells(row(status="no kernel"), 8e12)
    assert absent == ["gemm: matmul float32", "64", "no kernel", "", "", "", "", ""]


def test_gpu_requirements_are_of_ratio_or_of_the_share_of_a_copy():
    slow = row("conv2d", "3x3 bfloat16, dgrad")
    assert gpu_report.missed(slow, 8e12) == "ratio 0.50, required 1"
    assert gpu_report.cells(slow, 8e12)[-1] == "1 MISSED"
    assert gpu_report.missed(slow | {"fastdl": {"median": 1e-3}}, 8e12) == ""
    softmax = row("softmax", "softmax", bytes=8e9)
    assert gpu_report.missed(softmax, 8e12) == "0.50 of a copy, required 0.9"
    assert gpu_report.missed(softmax, None) == ""  # no copy was measured
    assert gpu_report.missed(row("optimiser", "Adam", "failed"), 8e12) == "failed"
    assert gpu_report.missed(row("copy", "clone"), 8e12) == ""  # nothing is required of it


def test_gpu_report(tmp_path):
    stages = [{"stage": "tests", "status": "failed", "seconds": 2.5, "detail": "1 failed"}]
    rows = [COPY, row(), row("gemm", "matmul float16"), row("LSTM", "training", "no kernel")]
    summary = gpu_report.summary(stages, rows).splitlines()
    assert summary[0].split() == ["tests", "failed", "2", "s", "1", "failed"]
    assert "2 timed, geometric mean  0.50, lowest  0.50 (matmul float32 64)" in summary[2]
    assert summary[3].split()[1:] == ["0", "timed,", "1", "no", "kernel"]
    assert not any("MISSED" in line for line in summary)
    norm = row("batch norm", "training", ours=1.0, bytes=4e12)
    assert (
        gpu_report.summary(stages, [COPY, norm]).splitlines()[-1].startswith("MISSED: batch norm")
    )
    text = gpu_report.markdown({"gpu": "none", "versions": {"torch": "2"}}, stages, rows)
    assert "* versions: torch 2" in text
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(table) == 2 + 1 + len(rows)
    gpu_report.save(tmp_path / "gpu.json", {"gpu": "none"}, {"quick": True}, stages, rows)
    saved = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert saved["copy_bytes_per_second"] == 8e12
    assert len(saved["results"]) == 4


@pytest.fixture
def session(tmp_path):
    return gpu_stages.Session(tmp_path, quick=True)


def test_gpu_stage_keeps_the_log_of_a_process(session):
    print_it = [sys.executable, "-c", "print('first'); print('second')"]
    assert session.call("a.log", 60, *print_it) == 0
    assert session.call("a.log", 60, sys.executable, "-c", "raise SystemExit(7)") == 7
    assert (session.out / "a.log").read_text(encoding="utf-8") == "first\nsecond\n"
    assert session.tail("a.log") == "second"


def test_gpu_stage_kills_what_takes_too_long_with_its_children(session):
    sleep = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    words = [sys.executable, "-c", f"import subprocess, sys; subprocess.run({sleep})"]
    begin = time.monotonic()
    assert session.call("slow.log", 1, *words) == gpu_stages.TIMED_OUT
    assert time.monotonic() - begin < 30


def test_gpu_failing_stage_is_recorded_and_the_next_one_runs(tmp_path, monkeypatch, capsys):
    allowed = []

    def broken(session, seconds):
        raise OSError("no such program")

    def fine(session, seconds):
        allowed.append(seconds)
        return gpu_stages.Outcome("passed", "all of it")

    names = {"build": gpu.Stage(broken, 0.5), "tests": gpu.Stage(fine, 0.5)}
    monkeypatch.setattr(gpu, "STAGES", names)
    monkeypatch.setattr(gpu, "_machine", lambda *_: {"versions": {}})
    assert gpu.main(["--out", str(tmp_path), "--minutes", "1"]) == 1
    assert 55 < allowed[0] <= 60  # what the first stage left
    printed = capsys.readouterr()
    assert "OSError: no such program" in printed.out
    assert "[tests] passed: all of it" in printed.err
    saved = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert [stage["status"] for stage in saved["stages"]] == ["failed", "passed"]


def test_gpu_stage_names_are_checked(tmp_path, capsys):
    with pytest.raises(SystemExit):
        gpu.main(["--out", str(tmp_path), "--only", "build,test"])
    assert "no stage 'test'; there are build, tests, sanitizer" in capsys.readouterr().err


def test_gpu_benchmarks_go_on_after_a_case_that_ends_the_process(session, monkeypatch):
    """The first process dies in its second case, the second one finishes."""
    lives = [[row(), row("pool", "max", "started")], [row("LSTM", "training")]]
    codes = iter([-11, 0])

    def call(log, seconds, *words, **options):
        session.logs.add(log)
        with session.results.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(r) + "\n" for r in lives.pop(0))
        return next(codes)

    monkeypatch.setattr(session, "call", call)
    assert gpu_stages.bench(session, 60) == ("failed", "2 ok")
    rows = gpu_report.collect(session.lines())
    assert [r["status"] for r in rows] == ["ok", "no result", "ok"]


def test_gpu_sanitizer_reports_each_tool(session, monkeypatch):
    codes = {"memcheck": 0, "racecheck": 9}
    monkeypatch.setattr(gpu_stages.shutil, "which", lambda *_, **__: "compute-sanitizer")

    def call(log, seconds, *words, **environment):
        assert environment == {"FASTDL_CUDA_CACHE": "0"}
        return codes.get(words[2], gpu_stages.TIMED_OUT)

    monkeypatch.setattr(session, "call", call)
    status, detail = gpu_stages.sanitizer(session, 60)
    assert status == "failed"
    results = ["memcheck clean", "racecheck found errors", "synccheck timed out"]
    assert detail.split(", ") == [*results, "initcheck timed out"]


def test_gpu_build_is_for_the_device_at_hand(session, monkeypatch):
    commands = []

    def call(log, seconds, *words):
        commands.append(" ".join(map(str, words)))
        return 0

    monkeypatch.setattr(session, "call", call)
    for capability, arch in (("9.0", "90a-real"), ("8.6", "80-real")):
        monkeypatch.setattr(
            gpu_stages, "device", lambda _, found=capability: {"compute capability": found}
        )
        assert gpu_stages.build(session, 60) == ("passed", arch)
        assert f"-DFASTDL_CUDA_ARCHS={arch}" in commands[-2]
    monkeypatch.setattr(gpu_stages, "device", lambda _: {})
    assert gpu_stages.build(session, 60) == (
        "failed",
        "no code for compute capability unknown: no GPU",
    )


def test_the_multiply_add_peak_counts_operations():
    one = _core._multiply_adds(10, 1)
    assert one >= 2 * 10 * 12 * 4
    assert _core._multiply_adds(30, 7) == 21 * one
    assert _core._multiply_adds(0, 3) == _core._multiply_adds(3, 0) == 0
