"""ResNet and VGG as ONNX graphs, run by ONNX Runtime.

The graphs are those that an export of the model gives: one node for each layer. ONNX Runtime folds
the batch norms and fuses what follows by itself when it loads them. Its session has the number of
threads that was set, and is otherwise as it comes: its workers spin.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from bench.libraries import Array, optional, threads
from bench.timing import Call

__all__ = ["session"]


def session(network: str, weights: Mapping[str, Array], x: Array) -> Call | None:
    """One inference in ONNX Runtime, or None where that is not installed.

    Args:
        network: "resnet18", "resnet50" or "vgg16".
        weights: the state_dict, named as in torchvision.
        x: the images.
    """
    runtime, onnx = optional("onnxruntime"), optional("onnx")
    if runtime is None or onnx is None:
        return None
    graph = _Graph(onnx, weights)
    y = _vgg(graph) if network.startswith("vgg") else _resnet(graph)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads()
    model = graph.model(x.shape, y)
    ready = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return functools.partial(_run, ready, x)


def _run(ready: Any, x: Array) -> Array:
    return ready.run(None, {"images": x})[0]


class _Graph:
    """Nodes in order; each method adds one and returns the name of its output."""

    def __init__(self, onnx: Any, weights: Mapping[str, Array]) -> None:
        self.onnx = onnx
        self.weights = weights
        self.nodes: list[Any] = []

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{kind}_{len(self.nodes)}"
        node = self.onnx.helper.make_node(kind, list(inputs), [name], name=name, **attributes)
        self.nodes.append(node)
        return name

    def conv(self, x: str, path: str, stride: int = 1) -> str:
        weight = self.weights[f"{path}.weight"]
        side = weight.shape[2]
        bias = [f"{path}.bias"] if f"{path}.bias" in self.weights else []
        return self.add(
            "Conv",
            x,
            f"{path}.weight",
            *bias,
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[side // 2] * 4,
        )

    def norm(self, x: str, path: str) -> str:
        parts = ("weight", "bias", "running_mean", "running_var")
        names = [f"{path}.{part}" for part in parts]
        return self.add("BatchNormalization", x, *names, epsilon=1e-5)

    def linear(self, x: str, path: str) -> str:
        return self.add("Gemm", x, f"{path}.weight", f"{path}.bias", transB=1)

    def relu(self, x: str) -> str:
        return self.add("Relu", x)

    def pool(self, x: str, size: int, stride: int, padding: int = 0) -> str:
        return self.add(
            "MaxPool",
            x,
            kernel_shape=[size, size],
            strides=[stride, stride],
            pads=[padding] * 4,
        )

    def model(self, shape: tuple[int, ...], output: str) -> bytes:
        helper, floats = self.onnx.helper, self.onnx.TensorProto.FLOAT
        used = {name for node in self.nodes for name in node.input}
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("images", floats, shape)],
            [helper.make_tensor_value_info(output, floats, (shape[0], 1000))],
            [
                self.onnx.numpy_helper.from_array(value, name)
                for name, value in self.weights.items()
                if name in used
            ],
        )
        version = helper.make_opsetid("", 20)
        model = helper.make_model(graph, opset_imports=[version], ir_version=10)
        self.onnx.checker.check_model(model)
        return bytes(model.SerializeToString())


def _resnet(graph: _Graph) -> str:
    x = graph.relu(graph.norm(graph.conv("images", "conv1", 2), "bn1"))
    x = graph.pool(x, 3, 2, 1)
    for stage in range(1, 5):
        block = 0
        while f"layer{stage}.{block}.conv1.weight" in graph.weights:
            x = _block(graph, x, f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1)
            block += 1
    x = graph.add("Flatten", graph.add("GlobalAveragePool", x), axis=1)
    return graph.linear(x, "fc")


def _block(graph: _Graph, x: str, path: str, stride: int) -> str:
    shortcut = x
    if f"{path}.downsample.0.weight" in graph.weights:
        shortcut = graph.norm(graph.conv(x, f"{path}.downsample.0", stride), f"{path}.downsample.1")
    bottleneck = f"{path}.conv3.weight" in graph.weights
    for i in (1, 2, 3) if bottleneck else (1, 2):
        step = stride if i == (2 if bottleneck else 1) else 1
        x = graph.norm(graph.conv(x, f"{path}.conv{i}", step), f"{path}.bn{i}")
        if i < (3 if bottleneck else 2):
            x = graph.relu(x)
    return graph.relu(graph.add("Add", x, shortcut))


def _vgg(graph: _Graph) -> str:
    x, member = "images", 0
    for count in (2, 2, 3, 3, 3):
        for _ in range(count):
            x = graph.relu(graph.conv(x, f"features.{member}"))
            member += 2
        x = graph.pool(x, 2, 2)
        member += 1
    x = graph.add("Flatten", x, axis=1)
    for i in (0, 3):
        x = graph.relu(graph.linear(x, f"classifier.{i}"))
    return graph.linear(x, "classifier.6")
