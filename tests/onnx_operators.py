"""ONNX's operators in terms of `fastdl.functional`: functions of (inputs, attributes).

Inputs are tensors, or None where they are absent; attributes are Python's values.
"""

from __future__ import annotations

import numpy as np
import onnx

import fastdl
import fastdl.functional as F
from tests import (
    onnx_attention,
    onnx_control,
    onnx_images,
    onnx_indices,
    onnx_sequences,
    onnx_windows,
)
from tests.onnx_common import DTYPES, numbers, reject, scalar


def unary(function, **renamed):
    def run(inputs, attributes):
        given = {
            ours: attributes[theirs] for theirs, ours in renamed.items() if theirs in attributes
        }
        return function(inputs[0], **given)

    return run


def binary(function):
    return lambda inputs, attributes: function(inputs[0], inputs[1])


def bit_shift(inputs, attributes):
    left = attributes["direction"] == "LEFT"
    return (F.bitwise_left_shift if left else F.bitwise_right_shift)(*inputs)


def folded(function):
    def run(inputs, attributes):
        out = inputs[0]
        for other in inputs[1:]:
            out = function(out, other)
        return out

    return run


def mean_of(inputs, attributes):
    return folded(F.add)(inputs, attributes) / len(inputs)


def mod(inputs, attributes):
    return (F.fmod if attributes.get("fmod") else F.remainder)(inputs[0], inputs[1])


def power(inputs, attributes):
    x, y = inputs
    return F.pow(x, y.to(x.dtype)) if x.dtype.is_floating_point else F.pow(
        x.double(), y.double()).round().to(x.dtype)  # fmt: skip


def divide(inputs, attributes):
    x, y = inputs
    if x.dtype.is_floating_point:
        return F.div(x, y)
    return F.trunc(F.div(x.double(), y.double())).to(x.dtype)


def cast(inputs, attributes):
    name = onnx.helper.tensor_dtype_to_np_dtype(attributes["to"]).name
    reject(name not in DTYPES, f"dtype {name}")
    return inputs[0].to(getattr(fastdl, name.replace("bool", "bool_")))


def reduction(function, *, squared=False, finish=None, start=None):
    def run(inputs, attributes):
        x = start(inputs[0]) if start else inputs[0]
        axes = attributes.get("axes")
        if len(inputs) > 1 and inputs[1] is not None:
            axes = numbers(inputs[1])
        if not axes:
            if attributes.get("noop_with_empty_axes"):
                return finish(x) if finish else x
            axes = list(range(x.ndim))
        y = function(x, axes, bool(attributes.get("keepdims", 1)))
        y = finish(y) if finish else y
        return y.to(inputs[0].dtype)

    return run


def extreme(function, limit):
    def run(inputs, attributes):
        x = inputs[0]
        if x.numel() == 0:
            axes = numbers(inputs[1]) if len(inputs) > 1 else attributes.get("axes", [])
            shape = [1 if i in axes else n for i, n in enumerate(x.shape)]
            limit_of_bool = limit > 0
            limited = limit_of_bool if x.dtype == fastdl.bool_ else limit
            return fastdl.full(shape, float(limited)).to(x.dtype)
        as_bool = x.dtype == fastdl.bool_
        y = reduction(function)([x.int() if as_bool else x, *inputs[1:]], attributes)
        return y.bool() if as_bool else y

    return run


def arg_extreme(largest):
    def run(inputs, attributes):
        x, axis = inputs[0], attributes.get("axis", 0)
        if attributes.get("select_last_index"):
            x = F.flip(x, [axis])
        y = (F.argmax if largest else F.argmin)(x, axis, bool(attributes.get("keepdims", 1)))
        return x.shape[axis] - 1 - y if attributes.get("select_last_index") else y

    return run


def running(function):
    def run(inputs, attributes):
        x, axis = inputs[0], int(scalar(inputs[1]))
        reject(not isinstance(axis, int), "axis")
        if attributes.get("reverse"):
            x = F.flip(x, [axis])
        y = function(x, axis).to(x.dtype)
        if attributes.get("exclusive"):
            first = y.narrow(axis, 0, 1) * 0 + (1 if function is F.cumprod else 0)
            y = F.cat([first, y.narrow(axis, 0, y.shape[axis] - 1)], axis)
        return F.flip(y, [axis]) if attributes.get("reverse") else y

    return run


def gemm(inputs, attributes):
    a, b, *c = inputs
    a = a.T if attributes.get("transA") else a
    b = b.T if attributes.get("transB") else b
    y = (a @ b) * attributes.get("alpha", 1.0)
    return y + c[0] * attributes.get("beta", 1.0) if c and c[0] is not None else y


def batch_normalization(inputs, attributes):
    x, scale, bias, mean, var = inputs
    training = bool(attributes.get("training_mode"))
    if training:  # ONNX's momentum is of the old, and its variance biased
        m, dims = attributes.get("momentum", 0.9), [0, *range(2, x.ndim)]
        now, spread = F.mean(x, dims), F.var(x, dims, correction=0)
        y = F.batch_norm(x, None, None, scale, bias, True, eps=attributes.get("epsilon", 1e-5))
        return y, mean * m + now * (1 - m), var * m + spread * (1 - m)
    return F.batch_norm(x, mean, var, scale, bias, eps=attributes.get("epsilon", 1e-5))


def layer_normalization(inputs, attributes):
    x, scale, *bias = inputs
    axis = attributes.get("axis", -1) % x.ndim
    dims = list(range(axis, x.ndim))
    eps = attributes.get("epsilon", 1e-5)
    y = F.layer_norm(x, list(x.shape[axis:]), None, None, eps) * scale
    mean = F.mean(x, dims, True)
    inverse = F.rsqrt(F.var(x, dims, correction=0, keepdim=True) + eps)
    return (y + bias[0] if bias and bias[0] is not None else y), mean, inverse


def rms_normalization(inputs, attributes):
    x, scale = inputs
    axis = attributes.get("axis", -1) % x.ndim
    return F.rms_norm(x, list(x.shape[axis:]), None, attributes.get("epsilon", 1e-5)) * scale


def group_normalization(inputs, attributes):
    x, scale, bias = inputs
    return F.group_norm(x, attributes["num_groups"], scale, bias, attributes.get("epsilon", 1e-5))


def instance_normalization(inputs, attributes):
    x, scale, bias = inputs
    return F.instance_norm(x, weight=scale, bias=bias, eps=attributes.get("epsilon", 1e-5))


def mean_variance(inputs, attributes):
    x, axes = inputs[0], attributes.get("axes", [0, 2, 3])
    centred = x - F.mean(x, axes, True)
    return centred / (F.mean(centred * centred, axes, True) + 1e-9).sqrt()


def lrn(inputs, attributes):
    alpha, beta = attributes.get("alpha", 1e-4), attributes.get("beta", 0.75)
    k = attributes.get("bias", 1.0)
    return F.local_response_norm(inputs[0], attributes["size"], alpha, beta, k)


def softmax(function):
    return lambda inputs, attributes: function(inputs[0], attributes.get("axis", -1))


def hardmax(inputs, attributes):
    x, axis = inputs[0], attributes.get("axis", -1)
    return F.scatter(x * 0, axis, F.argmax(x, axis, True), 1.0)


def swish(inputs, attributes):
    return inputs[0] * F.sigmoid(inputs[0] * attributes.get("alpha", 1.0))


def clip(inputs, attributes):
    x, low, high = [*inputs, None, None][:3]
    x = x if low is None else F.maximum(x, low)
    return x if high is None else F.minimum(x, high)


def dropout(inputs, attributes):
    x = inputs[0]
    training = len(inputs) > 2 and inputs[2] is not None and bool(scalar(inputs[2]))
    ratio = scalar(inputs[1]) if len(inputs) > 1 and inputs[1] is not None else 0.5
    reject(training and ratio > 0, "draws other numbers")
    return x, F.isnan(x * 0 + 1).logical_not()


def reshape(inputs, attributes):
    x, shape = inputs[0], numbers(inputs[1])
    if not attributes.get("allowzero"):
        shape = [x.shape[i] if n == 0 else n for i, n in enumerate(shape)]
    return x.reshape(shape)


def squeeze(inputs, attributes):
    x = inputs[0]
    axes = numbers(inputs[1]) if len(inputs) > 1 else [i for i, n in enumerate(x.shape) if n == 1]
    gone = {a % x.ndim for a in axes}
    return x.reshape([n for i, n in enumerate(x.shape) if i not in gone])


def unsqueeze(inputs, attributes):
    x, axes = inputs[0], numbers(inputs[1]) if len(inputs) > 1 else attributes["axes"]
    rank = x.ndim + len(axes)
    at = {a % rank for a in axes}
    rest = iter(x.shape)
    return x.reshape([1 if i in at else next(rest) for i in range(rank)])


def slice_(inputs, attributes):
    x, starts, ends = inputs[0], numbers(inputs[1]), numbers(inputs[2])
    axes = numbers(inputs[3]) if len(inputs) > 3 and inputs[3] is not None else range(len(starts))
    steps = numbers(inputs[4]) if len(inputs) > 4 else [1] * len(starts)
    key = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        size = x.shape[axis]
        if step < 0:
            start = min(start + size if start < 0 else start, size - 1)
            end = end + size if -size <= end < 0 else end
            key[axis] = slice(start, None if end < 0 else end, step)
        else:
            key[axis] = slice(start, min(end, size), step)
    return x[tuple(key)]


def split(inputs, attributes):
    x, axis = inputs[0], attributes.get("axis", 0)
    if len(inputs) > 1:
        return tuple(F.split(x, numbers(inputs[1]), axis))
    parts = attributes.get("num_outputs") or attributes["outputs"]
    return tuple(F.split(x, -(-x.shape[axis] // parts), axis))


def pad(inputs, attributes):
    x, pads = inputs[0], numbers(inputs[1])
    value = scalar(inputs[2]) if len(inputs) > 2 and inputs[2] is not None else 0
    axes = numbers(inputs[3]) if len(inputs) > 3 else list(range(x.ndim))
    n, both = len(axes), [(0, 0)] * x.ndim
    for i, axis in enumerate(axes):
        both[axis] = (pads[i], pads[n + i])
    mode = {"edge": "replicate", "wrap": "circular"}.get(*2 * (attributes.get("mode", "constant"),))
    while mode != "constant" and len(both) > 1 and both[0] == (0, 0):
        both = both[1:]
    around = [v for pair in reversed(both) for v in pair]
    return F.pad(x, around, mode, float(value)) if mode == "constant" else F.pad(x, around, mode)


def trilu(inputs, attributes):
    k = int(scalar(inputs[1])) if len(inputs) > 1 else 0
    return (F.triu if attributes.get("upper", 1) else F.tril)(inputs[0], k)


def range_(inputs, attributes):
    start, limit, delta = map(scalar, inputs)
    return fastdl.arange(start, limit, delta, dtype=inputs[0].dtype)


def constant_of_shape(inputs, attributes):
    value = attributes.get("value", np.zeros(1, np.float32))
    reject(value.dtype.name not in DTYPES, f"dtype {value.dtype.name}")
    return fastdl.tensor(value).reshape(()).expand(tuple(numbers(inputs[0]))).clone()


def eye_like(inputs, attributes):
    rows, columns = inputs[0].shape
    dtype = inputs[0].dtype.name
    if "dtype" in attributes:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(attributes["dtype"]).name
    reject(dtype not in DTYPES, f"dtype {dtype}")
    ones = fastdl.ones((rows, columns))
    k = attributes.get("k", 0)
    return F.tril(F.triu(ones, k), k).to(getattr(fastdl, dtype.replace("bool", "bool_")))


def lp_normalization(inputs, attributes):
    x, axis = inputs[0], attributes.get("axis", -1)
    length = F.norm(x, float(attributes.get("p", 2)), axis, True)
    return F.where(length == 0, 0.0, x / length).to(x.dtype)


def negative_log_likelihood(inputs, attributes):
    x, target, *weight = inputs
    return F.nll_loss(x, target.long(), *weight, reduction=attributes.get("reduction", "mean"),
                      ignore_index=attributes.get("ignore_index", -(2**40)))  # fmt: skip


def softmax_cross_entropy(inputs, attributes):
    x, target, *weight = inputs
    options = {"reduction": attributes.get("reduction", "mean"),
               "ignore_index": attributes.get("ignore_index", -(2**40))}  # fmt: skip
    return F.cross_entropy(x, target.long(), *weight, **options), F.log_softmax(x, 1)


def is_inf(inputs, attributes):
    x = inputs[0]
    y = F.isinf(x)
    if not attributes.get("detect_positive", 1):
        y = y.logical_and(x < 0)
    return y if attributes.get("detect_negative", 1) else y.logical_and(x > 0)


def prelu(inputs, attributes):
    x, slope = inputs
    return F.where(x > 0, x, x * slope)


def flatten(inputs, attributes):
    x, axis = inputs[0], attributes.get("axis", 1)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape([int(np.prod(x.shape[:axis])), int(np.prod(x.shape[axis:]))])


def shape_of(inputs, attributes):
    key = slice(attributes.get("start"), attributes.get("end"))
    return fastdl.tensor(np.array(inputs[0].shape[key], np.int64))


PLAIN = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf", "Exp",
    "Floor", "Log", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Sinh",
    "Softplus", "Softsign", "Sqrt", "Tan", "Tanh",
)  # fmt: skip

OPERATORS = {
    **onnx_attention.OPERATORS, **onnx_control.OPERATORS, **onnx_images.OPERATORS,
    **onnx_indices.OPERATORS, **onnx_sequences.OPERATORS, **onnx_windows.OPERATORS,
    **{n: unary(getattr(F, n.lower())) for n in PLAIN},
    "Add": binary(F.add), "Sub": binary(F.sub), "Mul": binary(F.mul), "Div": divide,
    "BitwiseAnd": binary(F.bitwise_and), "BitwiseOr": binary(F.bitwise_or),
    "BitwiseXor": binary(F.bitwise_xor), "BitwiseNot": unary(F.bitwise_not), "BitShift": bit_shift,
    "And": binary(F.logical_and), "Or": binary(F.logical_or), "Xor": binary(F.logical_xor),
    "Equal": binary(F.eq), "Greater": binary(F.gt), "GreaterOrEqual": binary(F.ge),
    "Less": binary(F.lt), "LessOrEqual": binary(F.le), "MatMul": binary(F.matmul),
    "Pow": power, "Mod": mod, "Not": unary(F.logical_not), "IsNaN": unary(F.isnan), "IsInf": is_inf,
    "Max": folded(F.maximum), "Min": folded(F.minimum), "Sum": folded(F.add), "Mean": mean_of,
    "Selu": lambda i, a: a.get("gamma", 1.0507009873554805) * F.elu(
        i[0], a.get("alpha", 1.6732632423543772)),
    "Celu": unary(F.celu, alpha="alpha"), "Elu": unary(F.elu, alpha="alpha"),
    "LeakyRelu": unary(F.leaky_relu, alpha="negative_slope"), "PRelu": prelu,
    "HardSigmoid": lambda i, a: F.clamp(
        i[0] * a.get("alpha", 0.2) + a.get("beta", 0.5), 0.0, 1.0),
    "HardSwish": unary(F.hardswish), "Gelu": unary(F.gelu, approximate="approximate"),
    "Swish": swish, "SwiGLU": lambda i, a: swish(i, a) * i[1],
    "Shrink": lambda i, a: F.where(
        i[0] < -a.get("lambd", 0.5), i[0] + a.get("bias", 0.0),
        F.where(i[0] > a.get("lambd", 0.5), i[0] - a.get("bias", 0.0), i[0] * 0)),
    "ThresholdedRelu": lambda i, a: F.where(i[0] > a.get("alpha", 1.0), i[0], 0.0),
    "Softmax": softmax(F.softmax), "LogSoftmax": softmax(F.log_softmax), "Hardmax": hardmax,
    "Clip": clip, "Cast": cast, "CastLike": lambda i, a: i[0].to(i[1].dtype), "Dropout": dropout,
    "Identity": lambda i, a: i[0], "Where": lambda i, a: F.where(*i),
    "ReduceSum": reduction(F.sum), "ReduceMean": reduction(F.mean), "ReduceProd": reduction(F.prod),
    "ReduceMax": extreme(F.amax, float("-inf")), "ReduceMin": extreme(F.amin, float("inf")),
    "ReduceL1": reduction(F.sum, start=F.abs),
    "ReduceL2": reduction(F.sum, start=F.square, finish=F.sqrt),
    "ReduceSumSquare": reduction(F.sum, start=F.square),
    "ReduceLogSum": reduction(F.sum, finish=F.log), "ReduceLogSumExp": reduction(F.logsumexp),
    "ArgMax": arg_extreme(True), "ArgMin": arg_extreme(False),
    "CumSum": running(F.cumsum), "CumProd": running(F.cumprod),
    "GlobalAveragePool": unary(F.global_average_pool), "GlobalMaxPool": unary(F.global_max_pool),
    "Gemm": gemm, "Einsum": lambda i, a: F.einsum(a["equation"], *i),
    "BatchNormalization": batch_normalization, "LayerNormalization": layer_normalization,
    "RMSNormalization": rms_normalization, "GroupNormalization": group_normalization,
    "InstanceNormalization": instance_normalization, "LRN": lrn,
    "MeanVarianceNormalization": mean_variance, "LpNormalization": lp_normalization,
    "Reshape": reshape, "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Flatten": flatten,
    "Transpose": lambda i, a: i[0].permute(a.get("perm", list(range(i[0].ndim))[::-1])),
    "Expand": lambda i, a: i[0] + fastdl.zeros(tuple(numbers(i[1]))).to(i[0].dtype),
    "Tile": lambda i, a: F.tile(i[0], numbers(i[1])), "Concat": lambda i, a: F.cat(i, a["axis"]),
    "Slice": slice_, "Split": split, "Pad": pad, "Trilu": trilu,
    "Range": range_, "ConstantOfShape": constant_of_shape, "EyeLike": eye_like,
    "Constant": lambda i, a: fastdl.tensor(a["value"]) if "value" in a else _constant(a),
    "Shape": shape_of, "Size": lambda i, a: fastdl.tensor(np.int64(i[0].numel())),
    "NegativeLogLikelihoodLoss": negative_log_likelihood,
    "SoftmaxCrossEntropyLoss": softmax_cross_entropy,
}  # fmt: skip


def _constant(attributes):
    name, value = next((k, v) for k, v in attributes.items() if k.startswith("value_"))
    return fastdl.tensor(np.array(value, np.float32 if "float" in name else np.int64))
