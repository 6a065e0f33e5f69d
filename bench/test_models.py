"""Whole networks give the same in fastdl, PyTorch and ONNX Runtime, and a failure stops nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from bench import models
from bench.__main__ import _run
from bench.libraries import set_threads
from bench.timing import Case, Plan, Sides


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("network", "side"), [("resnet18", 64), ("resnet50", 96), ("vgg16", 224)])
def test_inference_agrees(network: str, side: int, compiled: bool) -> None:
    set_threads(1)
    sides = models._inference(network, 2, side, compiled)
    assert set(sides.references) == {"torch", "onnxruntime"}
    sides.check()


def test_training_agrees() -> None:
    set_threads(1)
    models._step(4, 64).check()


def test_a_case_that_fails_is_reported_and_the_others_run() -> None:
    def fail() -> None:
        raise AssertionError("values differ")

    good, bad = (Sides(int, {"torch": int}, check) for check in (int, fail))
    cases = [Case("some", name, "", lambda s=s: s) for name, s in (("bad", bad), ("good", good))]
    options = SimpleNamespace(short=True, filter="", threads=[1])
    plan = Plan(rounds=2, sample=0.0, settle=0.0, warm_up=0.0)
    results, wrong = _run({"some": SimpleNamespace(cases=lambda short: cases)}, options, plan)
    assert [result.case.name for result in results] == ["good"]
    assert len(wrong) == 1
    assert "values differ" in wrong[0]
