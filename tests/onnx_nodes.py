"""A backend for the ONNX project's node tests: its operators in terms of `fastdl.functional`.

    python -m tests.onnx_nodes            run all, write docs/onnx_coverage.md

`tests/onnx_operators.py` has the operators. `LEFT_OUT` says why other operators are not here. Cases
of covered operators with a dtype that fastdl has not, or an option that its function has not, count
as left out, too, with that reason.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

import fastdl
from tests.onnx_common import DTYPES, LeftOutError, reject
from tests.onnx_operators import OPERATORS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "onnx_coverage.md"

LEFT_OUT = {
    reason: names.split()
    for reason, names in {
        "strings": "RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer",
        "sequences and optional values": (
            "OptionalGetElement OptionalHasElement SequenceInsert SequenceMap SplitToSequence "
            "SequenceAt SequenceEmpty SequenceLength"
        ),
        "control flow": "If Loop Scan",
        "quantised arithmetic": (
            "ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv "
            "QLinearMatMul QuantizeLinear"
        ),
        "bits of integers": "BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor",
        "signal processing": "BlackmanWindow DFT HammingWindow HannWindow MelWeightMatrix STFT",
        "classical models": ("ArrayFeatureExtractor Binarizer LabelEncoder TreeEnsemble"),
        "decoding images": "ImageDecoder",
        "training by operators; fastdl.optim has these": "Adagrad Adam Momentum",
        "not yet": (
            "Attention CausalConvWithState CenterCropPad DeformConv Det FlexAttention "
            "LinearAttention RotaryEmbedding TensorScatter Col2Im GRU LSTM RNN "
            "NonMaxSuppression RoiAlign ReverseSequence Upsample SwiGLU Unique ScatterND "
            "MaxUnpool AffineGrid Bernoulli RandomUniformLike Compress GatherND"
        ),
    }.items()
}
# Graphs of many operators in 16 bits, compared to 1e-3: every one rounds its result.
ROUNDED = {
    f"test_attention_{name}_expanded"
    for name in ("4d_causal_bf16", "4d_causal_fp16", "4d_attn_mask_causal_bf16", "3d_causal_bf16",
                 "4d_padded_kv_bf16", "4d_causal_padded_kv_bf16")
}  # fmt: skip
WHY = {name: reason for reason, names in LEFT_OUT.items() for name in names}


def to_tensor(value):
    if value is None:
        return None
    reject(not isinstance(value, np.ndarray | np.generic), "sequences and optional values")
    value = np.asarray(value)
    reject(value.dtype.name not in DTYPES, f"dtype {value.dtype.name}")
    if value.dtype.name == "bfloat16":
        return fastdl.tensor(value.astype(np.float32)).bfloat16()
    return fastdl.tensor(np.ascontiguousarray(value).reshape(value.shape))


def run_model(model, inputs):
    """The outputs of a model's graph."""
    graph = model.graph
    for node in graph.node:
        if node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx"):
            raise LeftOutError(WHY.get(node.op_type, f"operator {node.op_type}"))
    values = {"": None}
    for name, value in zip([i.name for i in graph.input], inputs, strict=True):
        values[name] = to_tensor(value)
    for constant in graph.initializer:
        values[constant.name] = to_tensor(numpy_helper.to_array(constant))
    for node in graph.node:
        attributes = {a.name: _attribute(a) for a in node.attribute}
        if node.op_type == "Split":
            attributes["outputs"] = len(node.output)
        try:
            results = OPERATORS[node.op_type]([values[n] for n in node.input], attributes)
        except fastdl.errors.DTypeError as error:
            reject("is not supported on cpu" in error.problem, "no kernel for float16 on the CPU")
            raise
        results = results if isinstance(results, tuple) else (results,)
        values.update(zip(node.output, results, strict=False))
    return [values[o.name] for o in graph.output]


def _attribute(a):
    value = onnx.helper.get_attribute_value(a)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return list(value) if isinstance(value, tuple) or hasattr(value, "append") else value


def cases():
    """The ONNX project's node tests, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {case.name: case for case in collect_testcases(None)}


def run_case(case):
    """None where a case passes; LeftOutError or another exception otherwise."""
    reject(case.name in ROUNDED, "16-bit results of many operators, compared to 1e-3")
    for inputs, outputs in case.data_sets:
        got = run_model(case.model, inputs)
        for mine, theirs in zip(got, outputs, strict=False):
            want = np.asarray(theirs)
            a = mine.detach()
            a = a.float().numpy() if a.dtype == fastdl.bfloat16 else a.numpy()
            assert a.shape == want.shape, f"shape {a.shape}, expected {want.shape}"
            if want.dtype.name == "bfloat16":
                want = want.astype(np.float32)
            assert a.dtype == want.dtype, f"{a.dtype}, expected {want.dtype}"
            np.testing.assert_allclose(a, want, rtol=case.rtol, atol=case.atol, equal_nan=True)


def main():
    """Run all and write the page; exit status 1 where a case fails."""
    passed, failed, left = Counter(), {}, Counter()
    for name, case in cases().items():
        operator = case.model.graph.node[0].op_type
        single = len(case.model.graph.node) == 1
        try:
            run_case(case)
            passed[operator if single else "expanded from several"] += 1
        except LeftOutError as reason:
            left[str(reason)] += 1
        except Exception as error:
            failed[name] = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:150]}"
    total = sum(passed.values())
    everything = total + len(failed) + sum(left.values())
    head = f"""# ONNX's node tests

Of the {everything} cases that onnx {onnx.__version__} has for its operators, {total} pass on
`fastdl.functional` (`tests/onnx_operators.py`) and {len(failed)} fail; the others are left out
for the reasons below. `python -m tests.onnx_nodes` runs them and writes this page.
"""
    reasons = sorted(left.items(), key=lambda reason: -reason[1])
    tables = [
        _table("left out because of", "cases", reasons),
        _table("operator", "pass", sorted(passed.items())),
        _table("fails", "with", list(failed.items())) if failed else "",
    ]
    PAGE.write_text("\n".join([head, *filter(None, tables)]), encoding="utf-8")
    print(f"{total} pass, {len(failed)} fail, {sum(left.values())} left out")
    return 1 if failed else 0


def _table(first, second, rows):
    return "".join([f"| {first} | {second} |\n|---|---|\n", *[f"| {a} | {b} |\n" for a, b in rows]])


if __name__ == "__main__":
    sys.exit(main())
