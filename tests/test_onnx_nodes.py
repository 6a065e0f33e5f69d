"""The ONNX project's node tests; what is covered is in docs/onnx_coverage.md."""

import re
import warnings

import pytest

pytest.importorskip("onnx", reason="pip install '.[test]' brings onnx")

from tests import onnx_nodes

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    CASES = onnx_nodes.cases()


def outcome(case):
    try:
        onnx_nodes.run_case(case)
    except onnx_nodes.LeftOutError as reason:
        return str(reason)
    return "passes"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_node(name):
    assert outcome(CASES[name])  # or raises; the page counts what passes, and why others do not


@pytest.mark.filterwarnings("ignore")
def test_the_page_has_the_count():
    passed = sum(outcome(case) == "passes" for case in CASES.values())
    said = re.search(r"operators, (\d+) pass", onnx_nodes.PAGE.read_text(encoding="utf-8"))
    assert passed == int(said.group(1)), "python -m tests.onnx_nodes writes the page anew"
