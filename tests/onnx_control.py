"""ONNX's control flow: its graphs come as functions of tensors to lists of tensors."""

from __future__ import annotations

import fastdl
import fastdl.functional as F
from tests.onnx_common import reject, scalar


def branch(inputs, attributes):
    return tuple(attributes["then_branch" if scalar(inputs[0]) else "else_branch"]())


def loop(inputs, attributes):
    trips, condition, *carried = inputs
    going = condition is None or scalar(condition)
    taken, collected = 0, []
    while going and (trips is None or taken < scalar(trips)):
        going, *results = attributes["body"](fastdl.tensor([taken]), fastdl.tensor(going), *carried)
        carried, step = results[: len(carried)], results[len(carried) :]
        collected.append(step)
        taken, going = taken + 1, scalar(going)
    reject(not collected, "a loop of no step, whose results have no shape")
    return (*carried, *(F.stack(each) for each in zip(*collected, strict=True)))


def scan(inputs, attributes):
    reject(inputs[0] is None, "Scan of operator set 8")
    simple = ("body", "num_scan_inputs", "outputs")
    reject(any(a not in simple for a in attributes), "Scan along other axes, or backwards")
    states = len(inputs) - attributes["num_scan_inputs"]
    carried, collected = inputs[:states], []
    for step in zip(*(s.unbind(0) for s in inputs[states:]), strict=True):
        results = attributes["body"](*carried, *step)
        carried = results[:states]
        collected.append(results[states:])
    return (*carried, *(F.stack(each) for each in zip(*collected, strict=True)))


OPERATORS = {"If": branch, "Loop": loop, "Scan": scan}
