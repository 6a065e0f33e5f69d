"""A backend for the ONNX project's node tests: its operators in terms of `fastdl.functional`.

    python -m tests.onnx_nodes            run all, write docs/onnx_coverage.md

`tests/onnx_operators.py` and its parts have the operators. `LEFT_OUT` says why other operators are
not here. Cases of covered operators with a dtype that fastdl has not, or an option that its
function has not, count as left out, too, with that reason.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter, defaultdict
from functools import cache
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
            "SequenceAt SequenceConstruct SequenceEmpty SequenceLength"
        ),
        "quantised arithmetic": (
            "ConvInteger DequantizeLinear DynamicQuantizeLinear MatMulInteger QLinearConv "
            "QLinearMatMul QuantizeLinear"
        ),
        "bits of floats": "BitCast",
        "signal processing": "BlackmanWindow DFT HammingWindow HannWindow MelWeightMatrix STFT",
        "classical models": ("ArrayFeatureExtractor Binarizer LabelEncoder TreeEnsemble"),
        "decoding images": "ImageDecoder",
        "training by operators; fastdl.optim has these": "Adagrad Adam Momentum",
        "functions of matrices": "Det",
        "draws other numbers": "Bernoulli RandomUniformLike",
    }.items()
}
# Compared to 1e-3, while each of several steps in 16 bits rounds its result.
ROUNDED = {
    f"test_attention_{name}{form}"
    for name in ("4d_causal_bf16", "4d_causal_fp16", "4d_attn_mask_causal_bf16", "3d_causal_bf16",
                 "4d_padded_kv_bf16", "4d_causal_padded_kv_bf16")
    for form in ("", "_expanded")
}  # fmt: skip
PASSES, FAILS = "passes", "a failure: "
DOMAINS = ("", "ai.onnx", "ai.onnx.preview")
WHY = {name: reason for reason, names in LEFT_OUT.items() for name in names}


def to_tensor(value):
    if value is None:
        return None
    value = numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value
    reject(not isinstance(value, np.ndarray | np.generic), "sequences and optional values")
    value = np.asarray(value)
    reject(value.dtype == object, "strings")
    reject(value.dtype.name not in DTYPES, f"dtype {value.dtype.name}")
    if value.dtype.name == "bfloat16":
        return fastdl.tensor(value.astype(np.float32)).bfloat16()
    return fastdl.tensor(np.ascontiguousarray(value).reshape(value.shape))


def run_model(model, inputs):
    """The outputs of a model's graph."""
    return run_graph(model.graph, {"": None}, map(to_tensor, inputs))


def run_graph(graph, outer, inputs):
    """The outputs of a graph that sees the values around it."""
    for node in graph.node:
        if node.op_type not in OPERATORS or node.domain not in DOMAINS:
            raise LeftOutError(WHY.get(node.op_type, f"operator {node.op_type}"))
    values = dict(outer)
    values.update(zip([i.name for i in graph.input], inputs, strict=True))
    for constant in graph.initializer:
        values[constant.name] = to_tensor(numpy_helper.to_array(constant))
    for node in graph.node:
        attributes = {a.name: _attribute(a, values) for a in node.attribute}
        attributes["outputs"] = len(node.output)
        results = OPERATORS[node.op_type]([values[n] for n in node.input], attributes)
        results = results if isinstance(results, tuple) else (results,)
        values.update(zip(node.output, results, strict=False))
    return [values[o.name] for o in graph.output]


def _attribute(a, values):
    value = onnx.helper.get_attribute_value(a)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    if isinstance(value, onnx.GraphProto):
        return lambda *inputs: run_graph(value, values, inputs)
    return list(value) if isinstance(value, tuple) or hasattr(value, "append") else value


@cache
def cases():
    """The ONNX project's node tests, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {case.name: case for case in collect_testcases(None)}


def run_case(case):
    """None where a case passes; LeftOutError or another exception otherwise."""
    reject(case.name in ROUNDED, "16-bit results of several steps, compared to 1e-3")
    for inputs, outputs in case.data_sets:
        got = run_model(case.model, inputs)
        for mine, theirs in zip(got, outputs, strict=False):
            proto = isinstance(theirs, onnx.TensorProto)
            want = numpy_helper.to_array(theirs) if proto else np.asarray(theirs)
            a = mine.detach()
            a = a.float().numpy() if a.dtype == fastdl.bfloat16 else a.numpy()
            assert a.shape == want.shape, f"shape {a.shape}, expected {want.shape}"
            if want.dtype.name == "bfloat16":
                want = want.astype(np.float32)
            assert a.dtype == want.dtype, f"{a.dtype}, expected {want.dtype}"
            np.testing.assert_allclose(a, want, rtol=case.rtol, atol=case.atol, equal_nan=True)


def outcome(case):
    """Why a case is left out, or PASSES; raises where it fails."""
    try:
        run_case(case)
    except LeftOutError as reason:
        return str(reason)
    return PASSES


def page(outcomes):
    """The text of the page; outcomes are of all cases, by name."""
    ways = Counter(outcomes.values())
    passed = ways.pop(PASSES)
    failed = sum(n for way, n in ways.items() if way.startswith(FAILS))
    reasons = sorted(ways.items(), key=lambda way: (-way[1], way[0]))
    operators = defaultdict(Counter)
    for name, case in cases().items():
        nodes = case.model.graph.node
        operator = nodes[0].op_type if len(nodes) == 1 else "several, as what one is made of"
        operators[operator][outcomes[name]] += 1
    rows = [(o, w.pop(PASSES, 0), w.total(), ", ".join(sorted(w))) for o, w in operators.items()]
    head = f"""# ONNX's node tests

Of the {len(outcomes)} cases that onnx {onnx.__version__} has for its operators, {passed} pass on
`fastdl.functional` (`tests/onnx_operators.py`) and {failed} fail; the others are left out
for the reasons below. `python -m tests.onnx_nodes` runs them and writes this page.
"""
    tables = [
        _table(("left out because of", "cases"), reasons),
        _table(("operator", "pass", "left out", "because of"), sorted(rows)),
    ]
    return "\n".join([head, *tables])


def _table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def main():
    """Run all and write the page; exit status 1 where a case fails."""
    outcomes = {}
    for name, case in cases().items():
        try:
            outcomes[name] = outcome(case)
        except Exception as error:
            said = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:150]}"
            outcomes[name] = FAILS + said
            print(name, said)
    PAGE.write_text(page(outcomes), encoding="utf-8")
    ways = Counter(outcomes.values())
    print(f"{ways[PASSES]} of {len(outcomes)} pass")
    return int(any(way.startswith(FAILS) for way in ways))


if __name__ == "__main__":
    sys.exit(main())
