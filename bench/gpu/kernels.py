"""GPU cases, op by op: memory, products, convolution, pooling, norms, losses, elementwise, sums.

`quick` takes sizes that the host model of CUDA can compute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

import fastdl
from bench.conv import Layer
from bench.gpu.sides import Reference, Tensors, backward, forward, normal
from bench.gpu.timing import DEVICE, Case
from fastdl import _core
from fastdl import functional as F

__all__ = ["cases"]

R = torch.nn.functional
WIDTH = {"float32": 4, "float16": 2, "bfloat16": 2}
DTYPES = tuple(WIDTH)

# Convolutions of ResNet-50: each size and kind once, of the first block that has it.
RESNET = (
    Layer("7x7/2", 32, 3, 64, 7, 224, 2, 3),
    Layer("1x1", 32, 64, 64, 1, 56),
    Layer("3x3", 32, 64, 64, 3, 56, 1, 1),
    Layer("1x1", 32, 64, 256, 1, 56),
    Layer("1x1", 32, 256, 64, 1, 56),
    Layer("1x1/2", 32, 256, 512, 1, 56, 2),
    Layer("3x3/2", 32, 128, 128, 3, 56, 2, 1),
    Layer("3x3", 32, 128, 128, 3, 28, 1, 1),
    Layer("1x1", 32, 512, 128, 1, 28),
    Layer("3x3", 32, 256, 256, 3, 14, 1, 1),
    Layer("1x1", 32, 1024, 256, 1, 14),
    Layer("3x3", 32, 512, 512, 3, 7, 1, 1),
)
TINY = (Layer("3x3", 2, 5, 8, 3, 9, 1, 1),)


def cases(quick: bool) -> Iterator[Case]:
    """Every op; the copies come first, since they measure the bandwidth."""
    for subject in (_copies, _products, _convolutions, _pools, _norms, _softmax, _losses):
        yield from subject(quick)
    for subject in (_elementwise, _sums, _indexing):
        yield from subject(quick)


def _torch(function: Callable[..., Any], name: str = "PyTorch") -> dict[str, Reference]:
    return {name: Reference(function)}


def _shape(*sizes: int) -> str:
    return "x".join(map(str, sizes))


# memory


def _copies(quick: bool) -> Iterator[Case]:
    count = 1 << (12 if quick else 28)

    def make() -> Any:
        target = torch.empty(count, device=DEVICE)
        ways = {"clone": Reference(torch.clone), "copy_": Reference(lambda x: target.copy_(x))}
        return forward(lambda x: x.clone(), ways, lambda seed: [normal(count, seed=seed)])

    yield Case("copy", "copy float32", str(count), make, bytes=8 * count)
    n = 48 if quick else 8192
    for dtype in DTYPES[:2]:
        yield _one("copy", f"transpose {dtype}", lambda x: x.T.contiguous(), (n, n), 2, dtype)
    image = (2, 3, 9, 8) if quick else (32, 256, 56, 56)
    yield _one("copy", "to channels-last float16", _to_last, image, 2, "float16")
    to_half = _torch(lambda x: x.half() if x.dtype == torch.float32 else x)
    inputs = partial(_normals, (count,))
    make_cast = partial(forward, lambda x: x.half(), to_half, inputs)
    yield Case("copy", "float32 to float16", str(count), make_cast, bytes=6 * count)


def _to_last(x: Any) -> Any:
    """Kept as [N, H, W, C], so that both libraries show the copy itself."""
    return x.permute(0, 2, 3, 1).contiguous()


# matrix products


def _products(quick: bool) -> Iterator[Case]:
    squares = (40,) if quick else (256, 512, 1024, 2048, 4096, 8192)
    skinny = ((1, 33, 40),) if quick else ((1, 4096, 4096), (16, 4096, 4096), (4096, 4096, 16))
    for dtype in DTYPES:
        for n in squares:
            yield _product(n, n, n, dtype)
        for m, k, n in skinny:
            yield _product(m, k, n, dtype, "matmul, skinny")
        size = (24, 40, 16) if quick else (4096, 4096, 4096)
        yield _product(*size, dtype, "matmul, A transposed", lambda a, b: a.T @ b, (1, 0))
        yield _product(*size, dtype, "matmul, B transposed", lambda a, b: a @ b.T, (0, 1))
    batch, n = (3, 20) if quick else (256, 256)
    make = partial(
        forward,
        fastdl.matmul,
        _torch(torch.matmul),
        lambda seed: [normal(batch, n, n, seed=seed), normal(batch, n, n, seed=seed + 100)],
    )
    flops = 2.0 * batch * n**3
    yield Case("gemm", "matmul, batched float32", f"{batch} of {_shape(n, n, n)}", make, flops)


def _product(
    m: int,
    k: int,
    n: int,
    dtype: str,
    name: str = "matmul",
    function: Callable[[Any, Any], Any] = lambda a, b: a @ b,
    transposed: tuple[int, int] = (0, 0),
) -> Case:
    a, b = ((k, m) if transposed[0] else (m, k)), ((n, k) if transposed[1] else (k, n))

    def inputs(seed: int) -> Tensors:
        return [normal(*a, dtype=dtype, seed=seed), normal(*b, dtype=dtype, seed=seed + 100)]

    make = partial(forward, function, _torch(function), inputs)
    # Below 64 rows or columns the time is that of reading the larger operand.
    moved = WIDTH[dtype] * (m * k + k * n + m * n) if min(m, n) < 64 else 0.0
    flops = 2.0 * m * k * n
    return Case("gemm", f"{name} {dtype}", _shape(m, k, n), make, flops, moved)


# convolution and pooling: PyTorch in its default layout, and in the one that cuDNN prefers


def _channels_last(tensors: Tensors) -> Tensors:
    last = torch.channels_last
    return [t.contiguous(memory_format=last) if t.dim() == 4 else t for t in tensors]


def _both_layouts(function: Callable[..., Any]) -> dict[str, Reference]:
    return {"NCHW": Reference(function), "channels-last": Reference(function, _channels_last)}


def _convolutions(quick: bool) -> Iterator[Case]:
    for dtype in DTYPES[:2]:
        for layer in TINY if quick else RESNET:
            options: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding}
            functions = partial(F.conv2d, **options), _both_layouts(partial(R.conv2d, **options))
            inputs = partial(_conv_inputs, layer, dtype)
            out = (layer.size + 2 * layer.padding - layer.kernel) // layer.stride + 1
            flops = 2.0 * layer.batch * layer.filters * out**2 * layer.channels * layer.kernel**2
            size = f"{_shape(layer.batch, layer.channels, layer.size, layer.size)} "
            size += f"to {layer.filters}"
            for name, make in (
                ("forward", partial(forward, *functions, inputs)),
                ("dgrad", partial(backward, *functions, inputs, (0,))),
                ("wgrad", partial(backward, *functions, inputs, (1,))),
            ):
                yield Case("conv2d", f"{layer.name} {dtype}, {name}", size, make, flops)
    for layer in TINY if quick else RESNET:
        yield from _convolutions_last(layer)


def _image_last(tensors: Tensors) -> Tensors:
    return [*_channels_last(tensors[:1]), *tensors[1:]]


def _convolutions_last(layer: Layer) -> Iterator[Case]:
    """In bfloat16 with images channels last on both sides; forward as a layer has it."""
    options: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding}
    out = (layer.size + 2 * layer.padding - layer.kernel) // layer.stride + 1
    flops = 2.0 * layer.batch * layer.filters * out**2 * layer.channels * layer.kernel**2
    size = f"{_shape(layer.batch, layer.channels, layer.size, layer.size)} to {layer.filters}"
    name = f"{layer.name} bfloat16"
    inputs = partial(_conv_inputs, layer, "bfloat16")

    def with_bias(seed: int) -> Tensors:
        return [*inputs(seed), normal(layer.filters, dtype="bfloat16", seed=seed + 200)]

    def ours(x: Any, w: Any, b: Any) -> Any:
        return _core.conv2d_fused(x, w, b, activation="relu", **options)

    def theirs(x: Any, w: Any, b: Any) -> Any:
        return R.relu(R.conv2d(x, w, b, **options))

    def both(function: Callable[..., Any]) -> dict[str, Reference]:
        return {"channels-last": Reference(function, _channels_last)}

    make = partial(forward, ours, both(theirs), with_bias, prepare=_image_last)
    yield Case("conv2d", f"{name}, forward with bias and ReLU", size, make, flops)
    functions = partial(F.conv2d, **options), both(partial(R.conv2d, **options))
    for gradient, wanted in (("dgrad", 0), ("wgrad", 1)):
        make = partial(backward, *functions, inputs, (wanted,), prepare=_image_last)
        yield Case("conv2d", f"{name}, {gradient}", size, make, flops)


def _conv_inputs(layer: Layer, dtype: str, seed: int) -> Tensors:
    taps = layer.channels * layer.kernel**2
    weight = (layer.filters, layer.channels, layer.kernel, layer.kernel)
    return [
        normal(layer.batch, layer.channels, layer.size, layer.size, dtype=dtype, seed=seed),
        normal(*weight, dtype=dtype, seed=seed + 100, scale=taps**-0.5),
    ]


def _pools(quick: bool) -> Iterator[Case]:
    shape = (2, 3, 9, 8) if quick else (32, 64, 112, 112)
    window = {"kernel_size": 3, "stride": 2, "padding": 1}
    most = partial(F.max_pool2d, **window), _both_layouts(partial(R.max_pool2d, **window))
    mean = partial(F.avg_pool2d, kernel_size=2), _both_layouts(partial(R.avg_pool2d, kernel_size=2))
    last = (2, 8, 9, 8) if quick else (64, 64, 112, 112)
    for name, functions in (("max 3x3/2", most), ("average 2x2", mean)):
        yield from _both_ways("pool", name, shape, functions, 1.25, 1.25)
        # Forward without the gradient stores no positions; backward reads a byte for each.
        inputs, numel, size = partial(_images, last), 2.0 * _numel(last), _shape(*last)
        what = f"{name}, channels-last float16"
        yield Case("pool", what, size, partial(forward, *functions, inputs), bytes=1.25 * numel)
        back = (1.25 if name.startswith("average") else 1.375) * numel
        make = partial(backward, *functions, inputs, (0,))
        yield Case("pool", f"{what}, backward", size, make, bytes=back)


def _images(shape: tuple[int, ...], seed: int) -> Tensors:
    """Half-precision images in channels-last."""
    return _channels_last([normal(*shape, dtype="float16", seed=seed)])


# normalisation, softmax, losses


def _norms(quick: bool) -> Iterator[Case]:
    shape = (2, 3, 5, 4) if quick else (32, 256, 56, 56)

    def norm(functions: Any, training: bool) -> Callable[..., Any]:
        def apply(x: Any, weight: Any, bias: Any, mean: Any, variance: Any) -> Any:
            if training:
                return functions.batch_norm(x, None, None, weight, bias, training=True)
            return functions.batch_norm(x, mean, variance, weight, bias, training=False)

        return apply

    def inputs(seed: int) -> Tensors:
        rest = [normal(shape[1], seed=seed + i) for i in range(1, 5)]
        return [normal(*shape, seed=seed), *rest[:3], rest[3].abs() + 0.5]

    size, numel = _shape(*shape), 4.0 * _numel(shape)
    evaluation = partial(forward, norm(F, False), _both_layouts(norm(R, False)), inputs)
    yield Case("batch norm", "evaluation", size, evaluation, bytes=2 * numel)
    training = norm(F, True), _both_layouts(norm(R, True)), inputs
    # The mean must be known before the first result: two readings.
    yield Case("batch norm", "training", size, partial(forward, *training), bytes=3 * numel)
    make = partial(backward, *training, (0, 1, 2))
    yield Case("batch norm", "training, backward", size, make, bytes=5 * numel)

    def images(seed: int) -> Tensors:
        return _images(shape, seed) + inputs(seed)[1:]

    last = norm(F, True), _both_layouts(norm(R, True)), images
    what = "training, channels-last float16"
    yield Case("batch norm", what, size, partial(forward, *last), bytes=1.5 * numel)
    make = partial(backward, *last, (0, 1, 2))
    yield Case("batch norm", f"{what}, backward", size, make, bytes=2.5 * numel)
    yield from _row_norms(quick)


def _row_norms(quick: bool) -> Iterator[Case]:
    for shape in ((6, 40),) if quick else ((65536, 1024), (16384, 4096)):
        for dtype in DTYPES[:2]:

            def inputs(seed: int, shape: tuple[int, ...] = shape, dtype: str = dtype) -> Tensors:
                rest = [normal(shape[1], seed=seed + i, dtype=dtype) for i in (1, 2)]
                return [normal(*shape, seed=seed, dtype=dtype), *rest]

            def norm(functions: Any, width: int = shape[1]) -> Callable[..., Any]:
                return lambda x, w, b: functions.layer_norm(x, [width], w, b)

            sides = norm(F), _torch(norm(R)), inputs
            size, numel = _shape(*shape), float(WIDTH[dtype]) * _numel(shape)
            yield Case("layer norm", dtype, size, partial(forward, *sides), bytes=2 * numel)
            make = partial(backward, *sides, (0, 1, 2))
            yield Case("layer norm", f"{dtype}, backward", size, make, bytes=3 * numel)
    shape = (2, 8, 6, 6) if quick else (16, 320, 64, 64)

    def images(seed: int) -> Tensors:
        return [normal(*shape, seed=seed), *(normal(shape[1], seed=seed + i) for i in (1, 2))]

    def groups(functions: Any) -> Callable[..., Any]:
        return lambda x, w, b: functions.group_norm(x, 4, w, b)

    sides = groups(F), _torch(groups(R)), images
    size, numel = _shape(*shape), 4.0 * _numel(shape)
    yield Case("group norm", "4 groups", size, partial(forward, *sides), bytes=3 * numel)
    make = partial(backward, *sides, (0, 1, 2))
    yield Case("group norm", "4 groups, backward", size, make, bytes=5 * numel)


def _softmax(quick: bool) -> Iterator[Case]:
    for shape in ((5, 33),) if quick else ((65536, 1024), (2048, 32768), (16, 4 << 20)):
        for name in ("softmax", "log_softmax"):
            functions = partial(getattr(F, name), dim=1), _torch(partial(getattr(R, name), dim=1))
            yield from _both_ways("softmax", name, shape, functions, 2, 3)


def _losses(quick: bool) -> Iterator[Case]:
    rows, classes = (6, 17) if quick else (8192, 32000)

    def inputs(seed: int) -> Tensors:
        generator = torch.Generator(DEVICE).manual_seed(seed)
        labels = torch.randint(0, classes, (rows,), generator=generator, device=DEVICE)
        return [normal(rows, classes, seed=seed), labels]

    functions = F.cross_entropy, _torch(R.cross_entropy), inputs
    size, numel = _shape(rows, classes), 4.0 * rows * classes
    yield Case("loss", "cross entropy", size, partial(forward, *functions), bytes=numel)
    make = partial(backward, *functions, (0,))
    yield Case("loss", "cross entropy, backward", size, make, bytes=2 * numel)


# elementwise, sums, indexing


def _elementwise(quick: bool) -> Iterator[Case]:
    shape = (40, 25) if quick else (8192, 8192)
    for dtype in DTYPES[:2]:
        for name, function, tensors in (
            ("add", lambda a, b: a + b, 3),
            ("multiply by a number", lambda a: a * 2.5, 2),
            ("exp", lambda a: a.exp(), 2),
            ("sigmoid", lambda a: a.sigmoid(), 2),
        ):
            yield _one("elementwise", f"{name} {dtype}", function, shape, tensors, dtype)
    functions = F.relu, _torch(torch.relu)
    yield from _both_ways("elementwise", "relu float32", shape, functions, 2, 3)

    def row(seed: int) -> Tensors:
        return [normal(*shape, seed=seed), normal(shape[1], seed=seed + 100)]

    make = partial(forward, lambda a, b: a + b, _torch(lambda a, b: a + b), row)
    moved = 8.0 * _numel(shape)
    yield Case("elementwise", "add a row float32", _shape(*shape), make, bytes=moved)


def _sums(quick: bool) -> Iterator[Case]:
    shape = (33, 20) if quick else (65536, 1024)
    for name, function in (
        ("sum over rows", lambda x: x.sum(1)),
        ("sum over columns", lambda x: x.sum(0)),
        ("largest of rows", lambda x: x.amax(1)),
        ("place of the largest of rows", lambda x: x.argmax(1)),
        ("variance of rows", lambda x: x.var(1)),
    ):
        yield _one("reduction", name, function, shape, 1)
    make = partial(
        forward,
        lambda x: x.sum(),
        _torch(lambda x: x.sum()),
        partial(_normals, shape),
        1e-3,  # of a sum whose terms cancel
    )
    yield Case("reduction", "sum", _shape(*shape), make, bytes=4.0 * _numel(shape))


def _indexing(quick: bool) -> Iterator[Case]:
    rows, width, count = (11, 8, 20) if quick else (32000, 1024, 65536)

    def inputs(seed: int) -> Tensors:
        generator = torch.Generator(DEVICE).manual_seed(seed)
        tokens = torch.randint(0, rows, (count,), generator=generator, device=DEVICE)
        return [tokens, normal(rows, width, seed=seed)]

    functions = F.embedding, _torch(R.embedding), inputs
    size, line = f"{count} of {_shape(rows, width)}", 4.0 * width
    make = partial(forward, *functions)
    yield Case("index", "embedding", size, make, bytes=line * (min(count, rows) + count))
    make = partial(backward, *functions, (1,))
    yield Case("index", "embedding, backward", size, make, bytes=line * (count + rows))


# one tensor


def _normals(shape: tuple[int, ...], seed: int, dtype: str = "float32") -> Tensors:
    return [normal(*shape, dtype=dtype, seed=seed)]


def _numel(shape: tuple[int, ...]) -> int:
    return torch.Size(shape).numel()


def _one(
    subject: str,
    name: str,
    function: Callable[..., Any],
    shape: tuple[int, ...],
    tensors: float,
    dtype: str = "float32",
) -> Case:
    """A function that both libraries spell alike; `tensors` of this size are read or written."""
    operands = function.__code__.co_argcount

    def inputs(seed: int) -> Tensors:
        return [normal(*shape, dtype=dtype, seed=seed + 100 * i) for i in range(operands)]

    make = partial(forward, function, _torch(function), inputs)
    moved = tensors * WIDTH[dtype] * _numel(shape)
    return Case(subject, name, _shape(*shape), make, bytes=moved)


def _both_ways(
    subject: str,
    name: str,
    shape: tuple[int, ...],
    functions: tuple[Callable[..., Any], dict[str, Reference]],
    there: float,
    back: float,
) -> Iterator[Case]:
    """A function of one float32 tensor and its gradient; how many such tensors each moves."""
    inputs, numel, size = partial(_normals, shape), 4.0 * _numel(shape), _shape(*shape)
    yield Case(subject, name, size, partial(forward, *functions, inputs), bytes=there * numel)
    make = partial(backward, *functions, inputs, (0,))
    yield Case(subject, f"{name}, backward", size, make, bytes=back * numel)
