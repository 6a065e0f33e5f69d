"""The GPU's cases, on a GPU or under the host model of CUDA: ``pytest bench/test_gpu.py``."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import fastdl
from bench.gpu import __main__ as gpu
from bench.gpu import kernels, models, sides
from bench.gpu.sides import Reference, agree, forward, normal
from bench.gpu.timing import QUICK, Case, run

needs_cuda = pytest.mark.skipif(not fastdl.cuda.is_available(), reason=fastdl.cuda.status())
CASES = [*kernels.cases(quick=True), *models.cases(quick=True)]


@needs_cuda
@pytest.mark.parametrize("case", CASES, ids=str)
def test_case(case: Case) -> None:
    """Results agree with float64, and the case can be timed."""
    result = run(case, QUICK)
    assert set(result.errors) == {"fastdl", *result.references}
    assert result.ours.median > 0


def test_names_are_unique() -> None:
    for quick in (False, True):
        names = [str(case) for case in (*kernels.cases(quick), *models.cases(quick))]
        assert len(names) == len(set(names))


def test_full_sizes_say_what_they_cost() -> None:
    for case in kernels.cases(quick=False):
        assert case.flops > 0 or case.bytes > 0, str(case)


@needs_cuda
def test_a_wrong_result_is_not_timed() -> None:
    def make() -> object:
        references = {"PyTorch": Reference(torch.exp)}
        return forward(lambda x: x.exp() * 1.001, references, lambda seed: [normal(64, seed=seed)])

    with pytest.raises(AssertionError, match=r"fastdl: relative error 0\.001"):
        run(Case("elementwise", "exp", "64", make), QUICK)  # type: ignore[arg-type]


def test_agreement_looks_at_shape_and_integers() -> None:
    x = torch.arange(6.0)
    assert agree(x, x.double(), "x") == 0
    with pytest.raises(AssertionError, match=r"x: .*\[6\].*, expected .*\[2, 3\]"):
        agree(x, x.double().view(2, 3), "x")
    with pytest.raises(AssertionError, match="values differ"):
        agree(x.long(), x.long() + 1, "x")


def test_inputs_exceed_the_cache_together(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = SimpleNamespace(L2_cache_size=1000)
    monkeypatch.setattr(sides, "DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    for numbers, sets in ((10, 32), (100, 5), (499, 2), (500, 1), (10**6, 1)):
        drawn = sides.rotated(lambda seed, n=numbers: [torch.full((n,), float(seed))])
        assert [float(tensors[0][0]) for tensors in drawn] == list(range(sets))


@needs_cuda
def test_the_command(tmp_path: Path) -> None:
    words = ["--no-build", "--quick", "--only", "bench", "--filter", "softmax: softmax"]
    assert gpu.main(["--out", str(tmp_path), *words]) == 0
    saved = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert saved["machine"]["device"] == fastdl.cuda.status()
    # Without a GPU there are no times.
    expected = "ok" if torch.cuda.is_available() else "checked"
    assert [row["status"] for row in saved["results"]] == [expected, expected]
    assert all("fastdl" in row["errors"] for row in saved["results"])
    assert "softmax: softmax, backward" in (tmp_path / "gpu.md").read_text(encoding="utf-8")
