"""The ONNX project's node tests; what is covered is in docs/onnx_coverage.md."""

import warnings
from functools import cache

import pytest

pytest.importorskip("onnx", reason="pip install '.[test]' brings onnx")

from tests import onnx_nodes

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    CASES = onnx_nodes.cases()


@cache
def outcome(name):
    return onnx_nodes.outcome(CASES[name])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_node(name):
    assert outcome(name)  # or raises; the page tells what passes, and why others do not


@pytest.mark.filterwarnings("ignore")
def test_the_page_is_up_to_date():
    written = onnx_nodes.PAGE.read_text(encoding="utf-8")
    text = onnx_nodes.page({name: outcome(name) for name in CASES})
    assert written == text, "python -m tests.onnx_nodes writes the page anew"
