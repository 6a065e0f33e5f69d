# Made by tools/stubs.py. Do not edit.

import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, Self, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from fastdl.autograd import HookHandle

class SupportsDLPack(Protocol):
    """Any array with DLPack's two methods."""
    def __dlpack__(self, *, stream: Any = ...) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...

Number: TypeAlias = bool | int | float
ArrayLike: TypeAlias = Tensor | npt.NDArray[Any] | SupportsDLPack
Shape: TypeAlias = int | Sequence[int]
DTypeLike: TypeAlias = dtype | str | np.dtype[Any] | type[Any]
DeviceLike: TypeAlias = device | str
Index: TypeAlias = int | slice | Tensor | None
_Int: TypeAlias = int
_Bool: TypeAlias = bool
_DType: TypeAlias = dtype
_Device: TypeAlias = device

__version__: str

class dtype:
    """The type of a tensor's elements; one object per type."""
    @property
    def name(self) -> str:
        """As NumPy calls it."""
    @property
    def itemsize(self) -> int:
        """Bytes per element."""
    @property
    def is_floating_point(self) -> bool:
        """Whether it holds fractions."""

float16: dtype
bfloat16: dtype
float32: dtype
float64: dtype
int32: dtype
int64: dtype
uint8: dtype
bool_: dtype

class memory_format:
    """How the elements of a tensor [N, C, H, W] lie in memory."""

contiguous_format: memory_format
channels_last: memory_format

class device:
    """Where tensors live: device('cpu'), device('cuda:0'). Equal to its name, too."""
    def __init__(self, name: str) -> None: ...
    @property
    def type(self) -> str:
        """'cpu' or 'cuda'."""
    @property
    def index(self) -> int:
        """Which one, from 0."""
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

class _Door:
    """Checks the arguments of a function composed in Python."""
    def __init__(
        self,
        op: str,
        asks: str,
        names: Sequence[str],
        arrays: Sequence[bool],
        defaults: tuple[Any, ...],
    ) -> None: ...
    @property
    def asks(self) -> str:
        """What the door asks of the arguments."""
    def enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """(args, kwargs) with arrays as tensors, or None where an argument is symbolic."""

class Generator:
    """A stream of random numbers: a seed and a position (Philox, Salmon et al., 2011)."""
    def __init__(self, seed: int = 0) -> None: ...
    @property
    def seed(self) -> int:
        """What the stream is a function of."""
    @property
    def offset(self) -> int:
        """How many blocks of it are used."""
    def manual_seed(self, seed: int) -> None:
        """Starts the stream of another seed."""
    def get_state(self) -> tuple[int, int]:
        """(seed, offset)."""
    def set_state(self, state: tuple[int, int]) -> None:
        """Continues from what get_state returned."""

default_generator: Generator

def manual_seed(seed: int) -> None:
    """Seeds the default generator. The same seed gives the same numbers on every device."""

# threads, memory, devices

def set_num_threads(threads: int) -> None:
    """How many threads CPU ops may use. Results do not depend on it."""

def get_num_threads() -> int:
    """How many threads CPU ops may use."""

def set_winograd(enabled: bool) -> None:
    """Whether convolutions of float32 on the CPU may use Winograd's algorithm.

    It multiplies a quarter as often and rounds to about 1e-5 of the largest result, not 1e-6.
    """

def winograd_enabled() -> bool:
    """What set_winograd set; True at first."""

def set_float32_matmul_precision(precision: str) -> None:
    """How exact products of float32 matrices, and convolutions, are on CUDA, for all threads.

    'highest', as float32 arithmetic (the default), or 'high', with operands rounded to TF32's 10
    bits of mantissa, which tensor cores multiply faster. The CPU ignores it.
    """

def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision set; 'highest' at first."""

def _matmul_plan(
    batch: int,
    rows: int,
    columns: int,
    k: int,
    turned_a: bool,
    turned_b: bool,
    dtype: dtype,
    device: str,
) -> dict[str, Any]: ...
def isa() -> str:
    """The instruction set of the CPU kernels in use, such as 'avx2'."""

def cuda_status() -> tuple[bool, str]:
    """Whether CUDA can be used, and the GPU's name or why not."""

def cuda_device_count() -> int:
    """How many GPUs there are."""

def synchronize(device: str = "cuda") -> None:
    """Waits until the device has done all work."""

def backend_info() -> dict[str, Any]:
    """What was built and loaded, for `fastdl doctor`."""

def memory_stats(device: str = "cpu") -> dict[str, int]:
    """Figures of the device's allocator, in bytes and counts."""

def empty_cache(device: str = "cpu") -> None:
    """Returns cached memory to the system."""

class Stream:
    """A queue of work of a GPU.

    Streams are in no order with each other but what events say.

        side = fastdl.cuda.Stream()
        with fastdl.cuda.stream(side):
            y = x * 2
        side.synchronize()
    """
    def __init__(self, device: DeviceLike = "cuda") -> None: ...
    @property
    def device(self) -> _Device:
        """The GPU."""
    @property
    def handle(self) -> int:
        """The cudaStream_t as an int, for other libraries; 0 is the default stream."""
    def synchronize(self) -> None:
        """Waits until the stream has done its work."""
    def query(self) -> bool:
        """Whether the stream has done all of its work."""
    def wait_event(self, event: Event) -> None:
        """What the stream is given from now on waits for the event."""
    def wait_stream(self, other: Stream) -> None:
        """What the stream is given from now on waits for the other's work so far."""
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

class Event:
    """A mark in a stream, to wait for and to measure time with.

    begin, end = fastdl.cuda.Event(timing=True), fastdl.cuda.Event(timing=True)
    begin.record()
    y = x @ x
    end.record()
    end.synchronize()
    milliseconds = begin.elapsed_time(end)
    """
    def __init__(self, timing: bool = False) -> None: ...
    def record(self, stream: Stream | None = None) -> None:
        """Marks what the stream (default: the current one) was given so far."""
    def query(self) -> bool:
        """Whether the device has come to the mark."""
    def synchronize(self) -> None:
        """Waits until the device has come to the mark."""
    def elapsed_time(self, later: Event) -> float:
        """Milliseconds on the device from this mark to a later one."""

def current_stream(device: DeviceLike = "cuda") -> Stream:
    """The stream that this thread gives work to."""

def _set_current_stream(stream: Stream) -> None: ...
def _set_sync_debug(on: bool) -> None: ...
def _sync_debug() -> bool: ...
def _reset_peak(device: str) -> None: ...
def _multiply_adds(rounds: int, chunks: int) -> float: ...
def _cuda_memory_info(device: str) -> tuple[int, int]: ...
def _set_memory_limit(device: str, bytes: int | None) -> None: ...

# automatic differentiation

def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor, ...]:
    """The gradients of outputs with respect to inputs; see fastdl.autograd.grad."""

def zero_grads(tensors: Sequence[Tensor]) -> None:
    """Sets .grad of each to None."""

class Capture:
    """Work of ops, recorded; see fastdl.capture."""
    def __init__(self, inputs: Sequence[Tensor] = (), strict: bool = True) -> None: ...
    def begin(self) -> None:
        """Records what this thread does from here on."""
    def end(self) -> None:
        """Ends the recording."""
    def replay(self) -> bool:
        """Does the recorded work again; False, with nothing done, where it does not fit any
        more."""
    def replay_on(self, inputs: tuple[Any, ...]) -> bool | None:
        """replay() after `inputs` were copied into its own; None where they are not alike, or the
        mode of gradients is another."""
    @property
    def broken(self) -> str:
        """Why a capture that is not strict cannot be replayed, or ''."""
    @property
    def steps(self) -> int:
        """How many kernels a replay runs."""
    @property
    def graphs(self) -> int:
        """On a GPU, how many stretches of kernels a replay starts with one call. They are made at
        the first replay."""
    @property
    def memory(self) -> int:
        """Bytes that the capture holds."""

def is_capturing() -> bool:
    """Whether this thread's work is being captured."""

def replay_if(function: Callable[[], bool]) -> None:
    """Calls function() before each replay of the capture that is being made; False says that it
    does not fit any more."""

def uncaptured(function: Callable[[], Any]) -> Any:
    """function(), which is no part of a capture that is being made."""

def is_grad_enabled() -> bool:
    """Whether ops are recorded in this thread."""

def _set_grad_enabled(on: bool) -> None: ...
def _autocast_state() -> tuple[str | None, ...]:
    """The precision of autocast in this thread on (cpu, cuda), or None."""

def _enter_autocast(device: str, dtype: str | None) -> None: ...
def _exit_autocast(device: str, before: str | None) -> None: ...
def _anomaly_detection() -> bool: ...
def _set_anomaly_detection(on: bool) -> None: ...
def _signatures() -> list[dict[str, str]]: ...
def _conv2d_plan(
    input_shape: Sequence[int],
    weight_shape: Sequence[int],
    stride: int | Sequence[int],
    padding: int | Sequence[int] | str,
    dilation: int | Sequence[int],
    groups: int,
    dtype: DTypeLike,
    memory_format: memory_format,
    product: str,
) -> dict[str, Any]:
    """What fastdl.explain shows."""

def abs(input: ArrayLike) -> Tensor:
    """Elementwise |x|; its gradient at 0 is 0."""

def acos(input: ArrayLike) -> Tensor:
    """Elementwise the angle whose cosine is x; NaN beyond -1 and 1."""

def acosh(input: ArrayLike) -> Tensor:
    """Elementwise the positive number whose hyperbolic cosine is x; NaN below 1."""

def adam_step(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    exp_avg: Sequence[Tensor],
    exp_avg_sq: Sequence[Tensor],
    step: int,
    lr: float = 0.001,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-08,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    group: dict[str, Any] | None = None,
    states: list[dict[str, Any]] | None = None,
) -> None:
    """Adam (Kingma and Ba, 2015), or with `decoupled` AdamW (Loshchilov and Hutter, 2019), on
    all parameters, in place, in one call. `step` counts from 1. `group` holds lr, betas,
    eps and weight_decay instead. `states`, one of each parameter: a captured step counts in
    their 'step'."""

def adaptive_avg_pool1d(input: ArrayLike, output_size: int | Sequence[int | None] | None) -> Tensor:
    """The mean of windows of input[N, C, L] (or [C, L]) that make output_size of them.

    As adaptive_avg_pool2d, along one dimension."""

def adaptive_avg_pool2d(input: ArrayLike, output_size: int | Sequence[int | None] | None) -> Tensor:
    """The mean of windows of input[N, C, H, W] (or [C, H, W]) that make output_size of them.

    Row i of H' is the mean of rows floor(i H / H') up to ceil((i + 1) H / H'), and columns
    likewise: windows overlap where H' does not divide H, and repeat where it is larger. A size that
    is None stays as it is. An input without elements to pool raises ShapeError."""

def adaptive_avg_pool3d(input: ArrayLike, output_size: int | Sequence[int | None] | None) -> Tensor:
    """The mean of windows of input[N, C, D, H, W] (or [C, D, H, W]) that make output_size of them.

    As adaptive_avg_pool2d, along three dimensions."""

def adaptive_max_pool1d(
    input: ArrayLike, output_size: int | Sequence[int | None] | None, return_indices: bool = False
) -> Any:
    """The maximum of windows of input[N, C, L] (or [C, L]) that make output_size of them.

    As adaptive_max_pool2d, along one dimension."""

def adaptive_max_pool2d(
    input: ArrayLike, output_size: int | Sequence[int | None] | None, return_indices: bool = False
) -> Any:
    """The maximum of windows of input[N, C, H, W] (or [C, H, W]) that make output_size of them.

    Windows are those of adaptive_avg_pool2d. NaN wins; of equals the first takes the gradient.
    With return_indices the pair (values, indices), indices as those of max_pool2d."""

def adaptive_max_pool3d(
    input: ArrayLike, output_size: int | Sequence[int | None] | None, return_indices: bool = False
) -> Any:
    """The maximum of windows of input[N, C, D, H, W] (or [C, D, H, W]) that make output_size of them.

    As adaptive_max_pool2d, along three dimensions."""

def add(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input + other, with broadcasting.

    Tensors must agree in dtype and device (DTypeError, DeviceError); a Python
    number takes the tensor's dtype. Shapes that do not broadcast raise ShapeError."""

def addmm(
    input: ArrayLike, mat1: ArrayLike, mat2: ArrayLike, *, beta: float = 1.0, alpha: float = 1.0
) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2); input broadcasts to [N, P], and is not read where beta is 0."""

def affine_grid(theta: ArrayLike, size: Sequence[int], align_corners: bool = False) -> Tensor:
    """The grid of an affine map for grid_sample (spatial transformers, Jaderberg et al., 2015).

    theta[N, 2, 3] and the size [N, C, H, W] of the result give [N, H, W, 2]: theta times (x, y, 1)
    of every pixel, where x and y run from -1 to 1. theta[N, 3, 4] and [N, C, D, H, W] give
    [N, D, H, W, 3]. With align_corners -1 and 1 are the centres of the border pixels, else their
    outer edges. Raises ShapeError for a size that does not belong to theta."""

def all(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """Whether no element over `dim` (None: all dimensions) is 0, as bool."""

def alpha_dropout(
    input: ArrayLike, p: float = 0.5, training: bool = False, generator: Generator | None = None
) -> Tensor:
    """Sets each element to SELU's limit with probability p; an affine function then restores
    mean 0 and variance 1 (Klambauer et al., 2017). The input itself when not training, as by default;
    zeros for p = 1."""

def amax(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """The largest element over `dim`; NaN wins. Ties share the gradient evenly."""

def amin(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """The smallest element over `dim`; NaN wins. Ties share the gradient evenly."""

def any(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """Whether any element over `dim` (None: all dimensions) is not 0, as bool."""

def arange(
    start: float,
    end: float | None = None,
    step: float = 1,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
) -> Tensor:
    """start, start + step, ... below end; with one argument, 0 to below it.
    int64 where all three are ints, else float32."""

def argmax(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index (int64) of the largest element along `dim`, the first of equals;
    None: in the flattened tensor."""

def argmin(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The index (int64) of the smallest element along `dim`, the first of equals;
    None: in the flattened tensor."""

def argsort(
    input: ArrayLike, dim: int = -1, descending: bool = False, stable: bool = False
) -> Tensor:
    """The indices (int64) that sort the input along `dim`; see sort."""

def argwhere(input: ArrayLike) -> Tensor:
    """The positions of the elements that are not 0, in order: int64 [count, dimensions]."""

def asin(input: ArrayLike) -> Tensor:
    """Elementwise the angle whose sine is x; NaN beyond -1 and 1."""

def asinh(input: ArrayLike) -> Tensor:
    """Elementwise the number whose hyperbolic sine is x."""

def atan(input: ArrayLike) -> Tensor:
    """Elementwise the angle whose tangent is x."""

def atan2(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """The angle of the point (other, input) in radians, from -pi to pi; see add."""

def atanh(input: ArrayLike) -> Tensor:
    """Elementwise the number whose hyperbolic tangent is x; NaN beyond -1 and 1."""

def avg_pool1d(
    input: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of input[N, C, L] (or [C, L]).

    As avg_pool2d, along one dimension."""

def avg_pool2d(
    input: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of input[N, C, H, W] (or [C, H, W]).

    stride defaults to kernel_size; padding, at most half the kernel, counts as zeros, in the divisor
    too unless count_include_pad is False. divisor_override takes the divisor's place."""

def avg_pool3d(
    input: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of input[N, C, D, H, W] (or [C, D, H, W]).

    As avg_pool2d, along three dimensions."""

def baddbmm(
    input: ArrayLike, batch1: ArrayLike, batch2: ArrayLike, *, beta: float = 1.0, alpha: float = 1.0
) -> Tensor:
    """beta * input + alpha * (batch1 @ batch2) of batches of matrices; input broadcasts to [B, N, P], and
    is not read where beta is 0."""

def batch_norm(
    input: ArrayLike,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-05,
    residual: ArrayLike | None = None,
    activation: str = "none",
    slope: float = 0.01,
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias per channel of input[N, C, ...]
    (Ioffe and Szegedy, 2015), then `+ residual`, then the activation, in one pass over memory.

    In training the statistics are the batch's (biased variance), and the running ones move
    towards them by `momentum` (unbiased variance), in place; else the running ones are used.
    The residual has the input's shape; activation: 'none', 'relu' or 'leaky_relu', whose negative
    side has the `slope`. Raises ShapeError for a training batch of one value per channel."""

def batched_nms(
    boxes: ArrayLike, scores: ArrayLike, idxs: ArrayLike, iou_threshold: float
) -> Tensor:
    """nms of every class apart: boxes suppress those of the same idxs only.

    idxs[N] has any int64 for each box. The indices of all classes come in one order of falling
    score."""

def bernoulli(input: ArrayLike, generator: Generator | None = None) -> Tensor:
    """1 with the probability that input holds and 0 otherwise, in its dtype.

    A probability outside [0, 1], or NaN, raises ArgumentError."""

def binary_cross_entropy(
    input: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None, reduction: str = "mean"
) -> Tensor:
    """-(t log p + (1 - t) log(1 - p)) for probabilities p = input; logarithms are bounded by -100.

    weight scales the elements and broadcasts against them; the target does not: another shape raises
    ShapeError."""

def binary_cross_entropy_with_logits(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    reduction: str = "mean",
    pos_weight: ArrayLike | None = None,
) -> Tensor:
    """binary_cross_entropy of sigmoid(input), in a form without overflow.

    weight scales the elements, pos_weight the terms of positive targets; both broadcast. A target of
    another shape raises ShapeError."""

def bincount(input: ArrayLike, weights: ArrayLike | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2, ... occurs, up to the largest one, with at least `minlength` bins:
    int64; or the sum of the weights there, in their dtype and the order of the input.

    Raises IndexRangeError for negative numbers. Differentiable in weights."""

def bitwise_and(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """The bits that both have, elementwise, as input & other; of bools, whether both are true.

    For integers and bools (DTypeError); see add."""

def bitwise_left_shift(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """The bits of input moved up by other, as input << other; see add.

    For integers (DTypeError). A shift below 0, or by all bits and more, gives 0."""

def bitwise_not(input: ArrayLike) -> Tensor:
    """The other bits, elementwise, as ~input; of bools, the other truth.

    For integers and bools (DTypeError)."""

def bitwise_or(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """The bits that either has, as input | other; see bitwise_and."""

def bitwise_right_shift(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """The bits of input moved down by other, as input >> other; see add.

    For integers (DTypeError). The sign is kept: a shift below 0, or by all bits and more,
    leaves -1 of a negative number and 0 of another."""

def bitwise_xor(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """The bits that just one has, as input ^ other; see bitwise_and."""

def blur2d(input: ArrayLike, stride: int | Sequence[int] = 1) -> Tensor:
    """Each channel filtered by [1, 2, 1] / 4 along rows and columns, zeros beyond the border.

    The blur of StyleGAN's resampling (Karras et al., 2019). With a stride it takes every stride-th
    pixel of the filtered image: downsampling without aliases (Zhang, 2019). input[N, C, H, W] gives
    [N, C, ceil(H / stride), ceil(W / stride)]. Raises ShapeError for images of no pixel."""

def bmm(input: ArrayLike, mat2: ArrayLike) -> Tensor:
    """The products of two batches of matrices, [B, N, P]; nothing broadcasts."""

@overload
def broadcast_to(input: ArrayLike, shape: Shape) -> Tensor:
    """A view in which sizes of 1 repeat and new dimensions come in front; see expand."""

@overload
def broadcast_to(input: ArrayLike, *shape: int) -> Tensor:
    """A view in which sizes of 1 repeat and new dimensions come in front; see expand."""

def bucketize(input: ArrayLike, boundaries: ArrayLike, right: bool = False) -> Tensor:
    """Which interval between ascending boundaries each element is in (int64): the number of boundaries
    below it, or with `right` not above it; see searchsorted."""

def cat(tensors: Sequence[ArrayLike], dim: int = 0) -> Tensor:
    """Joins tensors along dimension `dim`; all other sizes must agree."""

def ceil(input: ArrayLike) -> Tensor:
    """Elementwise the smallest whole number that is not below x; its gradient is 0."""

def celu(input: ArrayLike, alpha: float = 1.0) -> Tensor:
    """Elementwise x above 0, alpha * (exp(x / alpha) - 1) below (Barron, 2017)."""

def channel_shuffle(input: ArrayLike, groups: int) -> Tensor:
    """Deals the channels out anew (ShuffleNet, Zhang et al., 2018): [N, g C, ...] as [N, g, C, ...],
    transposed to [N, C, g, ...] and read as [N, g C, ...].

    Raises ShapeError where the groups do not divide the channels."""

def chunk(input: ArrayLike, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of `chunks` parts of dimension `dim`, each of ceil(size / chunks) elements: the last may be
    smaller, and there may be fewer."""

def clamp(input: ArrayLike, min: Number | None = None, max: Number | None = None) -> Tensor:
    """Elementwise x between two bounds, which take its place outside; NaN stays. The gradient at a
    bound is that of x. Where min is above max, all is max. Raises ArgumentError where neither
    bound is given."""

def conv1d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """One-dimensional cross-correlation, for example over time (Waibel et al., 1989).

    input[N, C, L] (or [C, L]), weight[K, C / groups, R], bias[K] give [N, K, P] (or [K, P]); sizes,
    padding and errors as in conv2d."""

def conv2d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Two-dimensional cross-correlation (LeCun et al., 1998).

    input[N, C, H, W] (or [C, H, W]), weight[K, C / groups, R, S], bias[K] give [N, K, P, Q] (or
    [K, P, Q]) with P = (H + 2 * padding - dilation * (R - 1) - 1) // stride + 1, and Q likewise.
    Pairs are (vertical, horizontal). padding 'valid' is 0; 'same', with a stride of 1, keeps H and W:
    dilation * (R - 1) zeros, one more behind than before where they are odd. An empty batch gives an
    empty result.

    Raises ShapeError where channels, groups or sizes do not fit, ArgumentError for a stride,
    dilation or groups below 1, a padding below 0, or 'same' with a stride."""

def conv2d_fused(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    residual: ArrayLike | None = None,
    activation: str = "none",
    slope: float = 0.01,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """activation(conv2d(input, weight, bias) + residual) in one pass; for inference.

    residual has the result's shape. activation: 'none', 'relu' or 'leaky_relu' with `slope`.
    Raises AutogradError where a gradient would be recorded, and what conv2d raises."""

def conv3d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Three-dimensional cross-correlation, for example over video (Ji et al., 2013).

    input[N, C, D, H, W] (or [C, D, H, W]), weight[K, C / groups, T, R, S], bias[K] give
    [N, K, O, P, Q] (or [K, O, P, Q]); sizes, padding and errors as in conv2d. Triples are (depth,
    vertical, horizontal)."""

def conv_transpose1d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """Transposed one-dimensional convolution.

    input[N, C, L] (or [C, L]), weight[C, K / groups, R], bias[K] give [N, K, P] (or [K, P]); sizes and
    errors as in conv_transpose2d."""

def conv_transpose2d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """Transposed two-dimensional convolution (Zeiler et al., 2010).

    The gradient of conv2d by its input, with the same weight and options: each element of the input is
    multiplied by the kernel, and the products are added where they overlap. input[N, C, H, W] (or
    [C, H, W]), weight[C, K / groups, R, S], bias[K] give [N, K, P, Q] (or [K, P, Q]) with
    P = (H - 1) * stride - 2 * padding + dilation * (R - 1) + output_padding + 1, and Q likewise.
    Pairs are (vertical, horizontal). Several sizes of a convolution's input have outputs of size H;
    output_padding, below the stride or the dilation, says which.

    Raises ShapeError where channels, groups or sizes do not fit or the result would be empty,
    ArgumentError for numbers out of range."""

def conv_transpose3d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> Tensor:
    """Transposed three-dimensional convolution.

    input[N, C, D, H, W] (or [C, D, H, W]), weight[C, K / groups, T, R, S], bias[K] give
    [N, K, O, P, Q] (or [K, O, P, Q]); sizes and errors as in conv_transpose2d. Triples are (depth,
    vertical, horizontal)."""

def cos(input: ArrayLike) -> Tensor:
    """Elementwise the cosine of x in radians."""

def cosh(input: ArrayLike) -> Tensor:
    """Elementwise the hyperbolic cosine."""

def cross_entropy(
    input: ArrayLike,
    target: ArrayLike,
    weight: ArrayLike | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """-log softmax(input)[target] over the classes in dimension 1 of input[N, C, ...].

    target[N, ...] holds int64 class indices; one outside 0..C-1 raises IndexRangeError, except
    ignore_index, whose loss is 0. Or target[N, C, ...] holds the probabilities of the classes.
    weight[C] scales the classes. label_smoothing mixes the target with equal probabilities
    (Szegedy et al., 2016). reduction: 'none', 'sum', or 'mean', which divides by the weights of the
    targets that count (for probabilities, by the number of samples)."""

def cummax(input: ArrayLike, dim: int) -> tuple[Tensor, Tensor]:
    """The largest element so far along `dim`: the pair (values, indices), indices int64.

    Of equal elements the last one counts; NaN wins. The gradient goes to the elements chosen."""

def cummin(input: ArrayLike, dim: int) -> tuple[Tensor, Tensor]:
    """The smallest element so far along `dim`; see cummax."""

def cumprod(input: ArrayLike, dim: int) -> Tensor:
    """The running product along `dim`: each element and all before it. Integers and bool multiply
    as int64."""

def cumsum(input: ArrayLike, dim: int) -> Tensor:
    """The running sum along `dim`: each element and all before it. Integers and bool sum as int64."""

def depth_to_space(input: ArrayLike, block_size: int, mode: str = "DCR") -> Tensor:
    """ONNX's DepthToSpace: [..., C b^2, H, W] to [..., C, H b, W b]; undoes space_to_depth.

    Pixel (i, j) of a block comes from channel (i b + j) C + c with 'DCR', from c b^2 + i b + j with
    'CRD', which is pixel_shuffle; 'darknet' is explained there. Raises ShapeError where b^2 does not
    divide the channels."""

def diag(input: ArrayLike, diagonal: int = 0) -> Tensor:
    """Of a vector the matrix that has it on a diagonal; of a matrix a copy of its diagonal."""

def diagonal(input: ArrayLike, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A view of the elements [i, i + offset] of dimensions dim1 and dim2, as a last dimension."""

def div(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input / other, with broadcasting; integers give float32. See add."""

def dot(input: ArrayLike, tensor: ArrayLike) -> Tensor:
    """The scalar product of two vectors."""

def dropout(
    input: ArrayLike, p: float = 0.5, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """Zeroes each element with probability p and scales the rest by 1 / (1 - p)
    (Srivastava et al., 2014); the input itself when not training."""

def dropout1d(
    input: ArrayLike, p: float = 0.5, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """Zeroes each channel with probability p and scales the rest by 1 / (1 - p)
    (Tompson et al., 2015); the input itself when not training."""

def dropout2d(
    input: ArrayLike, p: float = 0.5, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """As dropout1d, for images; of three dimensions the first is taken to be the batch."""

def dropout3d(
    input: ArrayLike, p: float = 0.5, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """As dropout1d, for volumes."""

def elu(input: ArrayLike, alpha: float = 1.0) -> Tensor:
    """Elementwise x above 0, alpha * (exp(x) - 1) below (Clevert, Unterthiner and Hochreiter, 2015)."""

def embedding(input: ArrayLike, weight: ArrayLike) -> Tensor:
    """Rows of weight[entries, features] at the int64 indices of input[...]:
    a tensor [..., features].

    An index outside 0..entries-1 raises IndexRangeError."""

@overload
def empty(
    shape: Shape,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor whose elements are whatever the memory held.

    With pin_memory, in page-locked memory of the CPU (see Tensor.pin_memory)."""

@overload
def empty(
    *shape: int,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor whose elements are whatever the memory held.

    With pin_memory, in page-locked memory of the CPU (see Tensor.pin_memory)."""

def empty_like(
    input: Tensor, dtype: DTypeLike | None = None, device: DeviceLike | None = None
) -> Tensor:
    """A tensor like the input, its elements not set."""

def eq(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input == other, elementwise, as bool."""

def erf(input: ArrayLike) -> Tensor:
    """Elementwise the error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""

def erfc(input: ArrayLike) -> Tensor:
    """Elementwise 1 - erf(x), without its loss of digits for large x."""

def exp(input: ArrayLike) -> Tensor:
    """Elementwise e to the power x."""

def exp2(input: ArrayLike) -> Tensor:
    """Elementwise 2 to the power x."""

@overload
def expand(input: ArrayLike, shape: Shape) -> Tensor:
    """A view in which sizes of 1 repeat and new dimensions come in front; -1 keeps a size."""

@overload
def expand(input: ArrayLike, *shape: int) -> Tensor:
    """A view in which sizes of 1 repeat and new dimensions come in front; -1 keeps a size."""

def expm1(input: ArrayLike) -> Tensor:
    """Elementwise exp(x) - 1, exact for small x."""

def eye(
    n: int, m: int | None = None, dtype: DTypeLike | None = None, device: DeviceLike | None = None
) -> Tensor:
    """The matrix [n, m] with ones on its diagonal and zeros elsewhere; square and float32 by default."""

def feature_alpha_dropout(
    input: ArrayLike, p: float = 0.5, training: bool = False, generator: Generator | None = None
) -> Tensor:
    """alpha_dropout of whole channels of input[N, C, ...]; when training, which is not the default."""

def flatten(input: ArrayLike, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Joins the dimensions from start_dim to end_dim into one."""

@overload
def flip(input: ArrayLike, dims: Shape) -> Tensor:
    """A copy with the order of the elements turned round along each of `dims`."""

@overload
def flip(input: ArrayLike, *dims: int) -> Tensor:
    """A copy with the order of the elements turned round along each of `dims`."""

def floor(input: ArrayLike) -> Tensor:
    """Elementwise the largest whole number that is not above x; its gradient is 0."""

def floor_divide(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input / other rounded towards minus infinity, as // in Python; see add.

    Integers stay integers, and a division by 0 gives 0. Its gradient is 0."""

def fmod(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """What is left of input divided by other, with the sign of input; see add.

    Of integers, a division by 0 leaves 0."""

def fold(
    input: ArrayLike,
    output_size: int | Sequence[int],
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """Images [N, C, H, W] of output_size (H, W), each element the sum of input[N, C * R * S, L] at
    the places that unfold reads it into (col2im).

    Raises ShapeError where the input is not what unfold gives for such images."""

def from_dlpack(array: Any) -> Tensor:
    """A tensor that shares the memory of anything with __dlpack__: PyTorch, CuPy, JAX, NumPy."""

def from_numpy(array: Any) -> Tensor:
    """A tensor that shares the array's memory (read-only if the array is)."""

def full(
    shape: Shape,
    value: float,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """One value everywhere; float32 by default."""

def full_like(
    input: Tensor, value: float, dtype: DTypeLike | None = None, device: DeviceLike | None = None
) -> Tensor:
    """One value in the input's shape, dtype and device."""

def gather(input: ArrayLike, dim: int, index: ArrayLike) -> Tensor:
    """out[i][j][k] = input[i][index[i][j][k]][k] for dim 1 of three, and so on.

    index is int64; outside `dim` its sizes are at most input's. A value out of range raises
    IndexRangeError."""

def gaussian_dropout(
    input: ArrayLike, p: float = 0.5, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """Multiplies by normal noise of mean 1 and standard deviation sqrt(p / (1 - p)), the first two
    moments of dropout (Srivastava et al., 2014). The input itself when not training. Raises
    ArgumentError for p = 1."""

def gaussian_noise(
    input: ArrayLike, std: float, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """Adds normal noise of mean 0 and standard deviation std (Bishop, 1995); the input itself when
    not training."""

def ge(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input >= other, elementwise, as bool."""

def gelu(input: ArrayLike, approximate: str = "none") -> Tensor:
    """Elementwise x times the probability that a normal variable is below x (Hendrycks and Gimpel,
    2016): x * (1 + erf(x / sqrt(2))) / 2, or with approximate='tanh'
    x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2."""

def grid_sample(
    input: ArrayLike,
    grid: ArrayLike,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> Tensor:
    """The input at the points of a grid (spatial transformers, Jaderberg et al., 2015).

    input[N, C, H, W] and grid[N, P, Q, 2] give [N, C, P, Q]; input[N, C, D, H, W] and
    grid[N, O, P, Q, 3] give [N, C, O, P, Q] ('bicubic' is for images alone). A point (x, y) or
    (x, y, z) runs from -1 to 1 over width, height and depth; with align_corners these are the
    centres of the border pixels, else their outer edges. What lies outside reads as 0 ('zeros'),
    as the border, or as the image mirrored there ('reflection'). A NaN counts as -1, and a point
    of more than 2^30 pixels away as one at 2^30. Gradients go to both; that of the grid is 0 for
    'nearest' and where a point was clipped.

    float32 and float64. Raises ShapeError for an image of no pixel."""

def group_norm(
    input: ArrayLike,
    num_groups: int,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-05,
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias (Wu and He, 2018).

    Mean and (biased) variance are those of each sample over the pixels and the C / num_groups channels
    of a group; weight and bias are per channel. Raises ShapeError where num_groups does not divide C."""

def gru(
    input: ArrayLike,
    h0: ArrayLike,
    weight_ih: ArrayLike,
    weight_hh: ArrayLike,
    bias_ih: ArrayLike | None = None,
    bias_hh: ArrayLike | None = None,
) -> tuple[Tensor, Tensor]:
    """Gated recurrent units over a sequence (Cho et al., 2014; the reset gate after the product).

    input[T, N, I], h0[N, H], weight_ih[3H, I], weight_hh[3H, H], biases [3H], gates in the order reset,
    update, new. Returns (output[T, N, H], h_n[N, H]).
    Raises ShapeError naming the operand that does not fit."""

def gt(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input > other, elementwise, as bool."""

def hardshrink(input: ArrayLike, lambd: float = 0.5) -> Tensor:
    """Elementwise x beyond -lambd and lambd, 0 between."""

def hardsigmoid(input: ArrayLike, alpha: float = 1 / 6, beta: float = 0.5) -> Tensor:
    """Elementwise min(max(alpha * x + beta, 0), 1) (Courbariaux, Bengio and David, 2015)."""

def hardswish(input: ArrayLike) -> Tensor:
    """Elementwise x relu6(x + 3) / 6 (Howard et al., 2019)."""

def hardtanh(input: ArrayLike, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """Elementwise x between two bounds, which take its place outside (Collobert, 2004)."""

def histc(input: ArrayLike, bins: int = 100, min: float = 0.0, max: float = 0.0) -> Tensor:
    """How many elements fall into each of `bins` bins of equal width from min to max, in the input's
    dtype. The last bin has its upper border too.

    What lies outside, and NaN, is not counted. Where min and max are equal, they become the
    smallest and the largest element (and where these are equal, 1 less and 1 more). Raises
    ArgumentError for a range that is infinite or NaN, or whose min is above max."""

def histogram(
    input: ArrayLike,
    bins: ArrayLike | Number,
    range: Sequence[float] | None = None,
    weight: ArrayLike | None = None,
    density: bool = False,
) -> tuple[Tensor, Tensor]:
    """How many elements fall into each bin, or the sums of their weights: (hist, bin_edges), both in the
    input's dtype.

    `bins` is their number, of equal width over range=(min, max) (default: the smallest and the largest
    element), or the ascending edges themselves, one more than bins; whether they ascend is not checked.
    A bin has its lower edge, the last one its upper edge too; what lies outside, and NaN, is not counted.
    With `density` the integral over the bins is 1. Differentiable in weight. Raises ArgumentError for a
    range that is infinite, NaN or descending, or a number of bins that is not whole."""

def index_add(
    input: ArrayLike, dim: int, index: ArrayLike, source: ArrayLike, alpha: Number = 1
) -> Tensor:
    """input with alpha times the slices of source added to the slices of dimension `dim` that the
    vector index names, in its order. Raises IndexRangeError."""

def index_copy(input: ArrayLike, dim: int, index: ArrayLike, source: ArrayLike) -> Tensor:
    """A copy of input with the slices of source in place of the slices of dimension `dim` that the
    vector index names; of several for one place the last one stays. Raises IndexRangeError."""

def index_fill(input: ArrayLike, dim: int, index: ArrayLike, value: ArrayLike | Number) -> Tensor:
    """A copy of input with `value` (a number or a 0-d tensor) in the slices of dimension `dim` that
    the vector index names. Raises IndexRangeError."""

def index_put(
    input: ArrayLike,
    indices: Sequence[ArrayLike | None],
    values: ArrayLike | Number,
    accumulate: bool = False,
) -> Tensor:
    """A copy of input with values, which broadcast, at input[indices]: an index tensor or mask for each
    of the first dimensions, or None for all of one.

    Of several values for one element the last one stays, or with `accumulate` all are added to it.
    Raises IndexRangeError."""

def index_select(input: ArrayLike, dim: int, index: ArrayLike) -> Tensor:
    """The slices of dimension `dim` that the vector index names, in its order.

    A value outside 0..size-1 raises IndexRangeError."""

def instance_norm(
    input: ArrayLike,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-05,
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias (Ulyanov, Vedaldi and Lempitsky, 2016).

    Mean and (biased) variance are those of each sample's channel over its pixels, and the running ones
    move towards their means over the batch by `momentum` (unbiased variance), in place; without
    use_input_stats the running ones are used. Raises ShapeError for statistics of a single pixel."""

def interpolate(
    input: ArrayLike,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """The input resized to `size`, or by `scale_factor` to floor(size * scale_factor).

    Both are one number or one for each of the 1 to 3 spatial dimensions; pass one of the two.
    'linear' is for [N, C, W], 'bilinear' and 'bicubic' (Keys, 1981, a = -0.75) for [N, C, H, W],
    'trilinear' for [N, C, D, H, W], the others for any. Output j lies at (j + 1/2) / s - 1/2 of
    the input, where s is the scale factor if it is given and recompute_scale_factor is not
    True, else output by input size; with align_corners at j (n - 1) / (m - 1), so that the first
    and the last elements of both lie on each other. 'nearest' takes input floor(j / s) and
    'nearest-exact' input floor((j + 1/2) / s), computed without rounding where sizes are given;
    'area' takes the mean of the inputs from floor(j n / m) up to ceil((j + 1) n / m). antialias
    (bilinear, and bicubic with a = -0.5) widens the kernel to an output's width where the image
    shrinks.

    The result is channels-last where the input is. Raises ArgumentError for options that do not go
    together or an output of no element, ShapeError for an input of no pixel."""

def isfinite(input: ArrayLike) -> Tensor:
    """True where x is neither infinite nor NaN."""

def isinf(input: ArrayLike) -> Tensor:
    """True where x is infinite, of either sign."""

def isnan(input: ArrayLike) -> Tensor:
    """True where x is not a number."""

def layer_norm(
    input: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    bias: ArrayLike | None = None,
    eps: float = 1e-05,
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias (Ba, Kiros and Hinton, 2016).

    Mean and (biased) variance are those of each sample over its last dimensions, whose sizes are
    normalized_shape; weight and bias have that shape. Raises ShapeError where they do not fit."""

def le(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input <= other, elementwise, as bool."""

def leaky_relu(input: ArrayLike, negative_slope: float = 0.01) -> Tensor:
    """Elementwise x above 0, negative_slope * x below (Maas, Hannun and Ng, 2013)."""

def linear(input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> Tensor:
    """input[..., in] times weight[out, in] transposed, plus bias[out]: [..., out].

    Raises ShapeError, DTypeError or DeviceError where the operands do not fit."""

def linear_fused(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    residual: ArrayLike | None = None,
    activation: str = "none",
    slope: float = 0.01,
) -> Tensor:
    """activation(linear(input, weight, bias) + residual) in one pass; for inference.

    residual has the result's shape. activation: 'none', 'relu' or 'leaky_relu' with `slope`.
    Raises AutogradError where a gradient would be recorded, and what linear raises."""

def linspace(
    start: float,
    end: float,
    steps: int,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
) -> Tensor:
    """`steps` numbers evenly spaced from start to end, both included; float32 by default.

    Raises ArgumentError where a bound is not finite."""

def local_response_norm(
    input: ArrayLike, size: int, alpha: float = 0.0001, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """x / (k + alpha / size * sum(x^2))^beta, the sum being over `size` channels around each one
    (Krizhevsky, Sutskever and Hinton, 2012; also called cross-channel normalisation).

    The window begins size / 2 channels before its own; channels that do not exist count as 0."""

def log(input: ArrayLike) -> Tensor:
    """Elementwise the natural logarithm; -inf at 0, NaN below."""

def log10(input: ArrayLike) -> Tensor:
    """Elementwise the logarithm to base 10; -inf at 0, NaN below."""

def log1p(input: ArrayLike) -> Tensor:
    """Elementwise log(1 + x), exact for small x."""

def log2(input: ArrayLike) -> Tensor:
    """Elementwise the logarithm to base 2; -inf at 0, NaN below."""

def log_softmax(input: ArrayLike, dim: int) -> Tensor:
    """log(softmax(x)) along `dim`, without cancellation."""

def logical_and(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """Whether both are not 0, elementwise, as bool."""

def logical_not(input: ArrayLike) -> Tensor:
    """True where x is 0, elementwise."""

def logical_or(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """Whether either is not 0, elementwise, as bool."""

def logical_xor(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """Whether just one is not 0, elementwise, as bool."""

def logsigmoid(input: ArrayLike) -> Tensor:
    """Elementwise log(sigmoid(x)), without overflow."""

def logsumexp(
    input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False
) -> Tensor:
    """log(sum(exp(x))) over `dim` (None: all dimensions), without overflow; -inf of nothing."""

def lstm(
    input: ArrayLike,
    h0: ArrayLike,
    c0: ArrayLike,
    weight_ih: ArrayLike,
    weight_hh: ArrayLike,
    bias_ih: ArrayLike | None = None,
    bias_hh: ArrayLike | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Long short-term memory over a sequence (Hochreiter and Schmidhuber, 1997).

    input[T, N, I], h0 and c0 [N, H], weight_ih[4H, I], weight_hh[4H, H], biases [4H], gates in
    the order input, forget, cell, output. Returns (output[T, N, H], h_n[N, H], c_n[N, H]).
    Raises ShapeError naming the operand that does not fit."""

def lt(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input < other, elementwise, as bool."""

def masked_fill(input: ArrayLike, mask: ArrayLike, value: ArrayLike | Number) -> Tensor:
    """`value` where mask is true, else input; mask, input and a tensor value broadcast.

    Raises DTypeError for another dtype than input's, or a fraction for integers."""

def masked_scatter(input: ArrayLike, mask: ArrayLike, source: ArrayLike) -> Tensor:
    """A copy of input with the elements of source, in order, where mask is true; input and mask broadcast.

    Raises ShapeError where source has fewer elements than the mask selects. How many it selects is
    read, so that it cannot be captured."""

def masked_select(input: ArrayLike, mask: ArrayLike) -> Tensor:
    """The elements of input where mask is true, as a vector in the order of memory; both broadcast.

    The size of the result depends on the values, so that it cannot be captured."""

def matmul(input: ArrayLike, other: ArrayLike) -> Tensor:
    """The matrix product of [..., m, k] and [..., k, n], batches broadcast; a vector is a
    row on the left and a column on the right. Any strides, no copy.

    Raises ShapeError where the inner sizes differ."""

def max(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Any:
    """The largest element as a Tensor; with `dim`, the pair (values, indices) along it."""

def max_pool1d(
    input: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of input[N, C, L] (or [C, L]).

    As max_pool2d, along one dimension."""

def max_pool2d(
    input: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of input[N, C, H, W] (or [C, H, W]).

    stride defaults to kernel_size; padding, at most half the kernel, counts as minus infinity.
    NaN wins; of equals the first takes the gradient. With return_indices the pair (values,
    indices): where in its plane each maximum lies, row * W + column, as int64, and -1 for a
    window of padding alone (which only dilation makes)."""

def max_pool3d(
    input: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of input[N, C, D, H, W] (or [C, D, H, W]).

    As max_pool2d, along three dimensions; indices are (slice * H + row) * W + column."""

def max_unpool1d(
    input: ArrayLike,
    indices: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Values of input[N, C, L] (or [C, L]) at the indices of max_pool1d, zeros elsewhere.

    As max_unpool2d, along one dimension."""

def max_unpool2d(
    input: ArrayLike,
    indices: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Values of input[N, C, H, W] (or [C, H, W]) at the indices of max_pool2d, zeros elsewhere.

    A plane of the result has (H - 1) stride - 2 padding + kernel_size rows, and columns likewise, or
    output_size, which differs by less than a stride; it may name samples and channels before. stride
    defaults to kernel_size. Of values with one index the last stays and takes the gradient. An index
    outside of the plane raises IndexRangeError. Source: Zeiler and Fergus, 2014."""

def max_unpool3d(
    input: ArrayLike,
    indices: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Values of input[N, C, D, H, W] (or [C, D, H, W]) at the indices of max_pool3d, zeros elsewhere.

    As max_unpool2d, along three dimensions."""

def maximum(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """The larger of two, elementwise; NaN wins, a tie shares the gradient."""

def mean(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """The arithmetic mean over `dim` (None: all dimensions); floating tensors only."""

def median(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Any:
    """The element in the middle, the lower one of two; NaN where there is any.

    With `dim` the pair (values, indices) along it. The gradient goes to the element chosen.
    Raises ShapeError for no elements."""

def meshgrid(tensors: Sequence[ArrayLike], indexing: str = "ij") -> tuple[Tensor, ...]:
    """Vectors as coordinates of a grid: views of one shape, of which the i-th varies along dimension i
    alone; with indexing='xy' the first two dimensions change places."""

def min(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest element as a Tensor; with `dim`, the pair (values, indices) along it."""

def minimum(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """The smaller of two, elementwise; NaN wins, a tie shares the gradient."""

def mish(input: ArrayLike) -> Tensor:
    """Elementwise x tanh(-logsigmoid(-x)) (Misra, 2019)."""

def mm(input: ArrayLike, mat2: ArrayLike) -> Tensor:
    """The product of two matrices."""

def movedim(
    input: ArrayLike, source: int | Sequence[int], destination: int | Sequence[int]
) -> Tensor:
    """A view with dimension source[i] at place destination[i], the others in their order."""

def mse_loss(input: ArrayLike, target: ArrayLike, reduction: str = "mean") -> Tensor:
    """(input - target) squared. Different shapes raise ShapeError: losses do not broadcast."""

def mul(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input * other, with broadcasting; see add."""

def multinomial(
    input: ArrayLike,
    num_samples: int,
    replacement: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Categories drawn by the weights of a vector or of each row: int64 [num_samples] or [N, num_samples].

    Weights need not sum to 1. Without replacement a category is drawn once, and the draws are in order:
    each by the weights of those that are left. ArgumentError where a weight is negative, infinite or NaN,
    and where a row has no weight or fewer categories with weight than draws without replacement."""

def mv(input: ArrayLike, vec: ArrayLike) -> Tensor:
    """The product of a matrix and a vector."""

def nanmedian(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Any:
    """As median, of the elements that are not NaN; NaN where all are."""

def narrow(input: ArrayLike, dim: int, start: int, length: int) -> Tensor:
    """A view of `length` elements of dimension `dim` from `start`.

    Raises IndexRangeError where they do not exist."""

def ne(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input != other, elementwise, as bool."""

def neg(input: ArrayLike) -> Tensor:
    """Elementwise -x."""

def nms(boxes: ArrayLike, scores: ArrayLike, iou_threshold: float) -> Tensor:
    """Non-maximum suppression: int64 indices of the boxes that are kept, by falling score.

    A box (x1, y1, x2, y2) is kept unless one of higher score that was kept overlaps it by more than
    iou_threshold, as intersection over union. Of equal scores the first comes first, NaN counts as the
    highest, and boxes without area overlap nothing. float32 and float64; no gradient."""

def nonzero(input: ArrayLike, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not 0, in order: int64 [count, dimensions], or with
    as_tuple one vector per dimension, which indexes the tensor as the mask does."""

def norm(
    input: ArrayLike, p: float = 2.0, dim: int | Sequence[int] | None = None, keepdim: bool = False
) -> Tensor:
    """The p-norm over `dim` (None: all dimensions): sum(|x|**p)**(1 / p).

    1 is the sum of magnitudes, 2 the length, inf and -inf the largest and the smallest
    magnitude, 0 the count of what is not 0. The gradient of the length of 0 is 0."""

def normal(
    mean: ArrayLike | Number = 0.0,
    std: ArrayLike | Number = 1.0,
    size: int | Sequence[int] | None = None,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Normal with a mean and a standard deviation of each element, which broadcast; of two numbers,
    in the shape `size`. A std that is negative or NaN raises ArgumentError."""

def one_hot(input: ArrayLike, num_classes: int = -1) -> Tensor:
    """1 at the class that input names and 0 elsewhere: int64 [..., num_classes].

    -1 infers the classes from the largest label. A label outside 0..num_classes-1 raises
    IndexRangeError."""

@overload
def ones(
    shape: Shape,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Ones; float32 by default."""

@overload
def ones(
    *shape: int,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Ones; float32 by default."""

def ones_like(
    input: Tensor, dtype: DTypeLike | None = None, device: DeviceLike | None = None
) -> Tensor:
    """Ones of the input's shape, dtype and device."""

def outer(input: ArrayLike, vec2: ArrayLike) -> Tensor:
    """input[i] * vec2[j] of two vectors: [N, M]."""

def pad(
    input: ArrayLike, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """A border around the tensor, of any number of its last dimensions.

    pad has a pair (before, after) for each dimension, the last dimension's first; negative numbers
    crop. mode 'constant' fills with `value` (default 0), 'reflect' mirrors at the outermost elements
    without repeating them, 'replicate' repeats those, and 'circular' goes on at the other end.
    Raises ShapeError where a border is wider than its mode can fill: size - 1 elements for 'reflect',
    size for 'circular'; ArgumentError for a list of odd length or a value with another mode."""

@overload
def permute(input: ArrayLike, dims: Shape) -> Tensor:
    """A view with the dimensions in the order `dims`."""

@overload
def permute(input: ArrayLike, *dims: int) -> Tensor:
    """A view with the dimensions in the order `dims`."""

def pixel_shuffle(input: ArrayLike, upscale_factor: int) -> Tensor:
    """Channels to blocks of pixels (Shi et al., 2016): [..., C r^2, H, W] to [..., C, H r, W r].

    Pixel (i, j) of a block comes from channel c r^2 + i r + j. Raises ShapeError where r^2 does not
    divide the channels."""

def pixel_unshuffle(input: ArrayLike, downscale_factor: int) -> Tensor:
    """Undoes pixel_shuffle: [..., C, H r, W r] to [..., C r^2, H, W].

    Raises ShapeError where r does not divide rows and columns."""

def pow(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input to the power other, with broadcasting; see add.

    Of integers an integer, which wraps around; a negative power of one is 0, but for 1 and -1."""

def prod(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """The product over `dim` (None: all dimensions), 1 of nothing. Integers and bool multiply as int64."""

def put(input: ArrayLike, index: ArrayLike, source: ArrayLike, accumulate: bool = False) -> Tensor:
    """A copy of input with the elements of source at index of the flattened input; -1 is the last one.

    Of several for one element the last one stays, or with `accumulate` all are added to it. Raises
    IndexRangeError, and ShapeError unless index and source have as many elements."""

@overload
def rand(
    shape: Shape,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    generator: Generator | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform in [0, 1). The same seed gives the same numbers on every device."""

@overload
def rand(
    *shape: int,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    generator: Generator | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform in [0, 1). The same seed gives the same numbers on every device."""

def rand_like(
    input: ArrayLike,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in [0, 1), in the input's shape, dtype and device."""

@overload
def randint(
    low: int,
    high: int,
    shape: Shape,
    device: DeviceLike | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """int64, uniform in [low, high)."""

@overload
def randint(
    low: int,
    high: int,
    *shape: int,
    device: DeviceLike | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """int64, uniform in [low, high)."""

def randint_like(
    input: ArrayLike,
    low: int,
    high: int,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Integers, uniform in [low, high), in the input's shape, dtype and device."""

@overload
def randn(
    shape: Shape,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    generator: Generator | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal with mean 0 and standard deviation 1 (Box and Muller, 1958)."""

@overload
def randn(
    *shape: int,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    generator: Generator | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal with mean 0 and standard deviation 1 (Box and Muller, 1958)."""

def randn_like(
    input: ArrayLike,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Normal with mean 0 and standard deviation 1, in the input's shape, dtype and device."""

def randperm(n: int, generator: Generator | None = None) -> Tensor:
    """A random order of 0..n-1 as int64 (Fisher and Yates)."""

def reciprocal(input: ArrayLike) -> Tensor:
    """Elementwise 1 / x."""

def relu(input: ArrayLike) -> Tensor:
    """Elementwise max(x, 0), its gradient at 0 being 0 (Nair and Hinton, 2010)."""

def relu6(input: ArrayLike) -> Tensor:
    """Elementwise min(max(x, 0), 6) (Krizhevsky, 2010)."""

def remainder(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """What is left of input // other, with the sign of other, as % in Python; see add.

    Of integers, a division by 0 leaves 0."""

@overload
def repeat(input: ArrayLike, repeats: Shape) -> Tensor:
    """Copies of the tensor side by side, repeats[i] along dimension i; more numbers than dimensions
    add new ones in front.

    Raises ShapeError for fewer."""

@overload
def repeat(input: ArrayLike, *repeats: int) -> Tensor:
    """Copies of the tensor side by side, repeats[i] along dimension i; more numbers than dimensions
    add new ones in front.

    Raises ShapeError for fewer."""

def repeat_interleave(input: ArrayLike, repeats: int, dim: int | None = None) -> Tensor:
    """Each element `repeats` times in a row along dimension `dim`, or in the flattened tensor."""

@overload
def reshape(input: ArrayLike, shape: Shape) -> Tensor:
    """The elements in another shape, one size of which may be -1: a view where the strides
    allow, else a copy."""

@overload
def reshape(input: ArrayLike, *shape: int) -> Tensor:
    """The elements in another shape, one size of which may be -1: a view where the strides
    allow, else a copy."""

def rms_norm(
    input: ArrayLike,
    normalized_shape: int | Sequence[int],
    weight: ArrayLike | None = None,
    eps: float | None = None,
) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich, 2019).

    The mean is that of each sample over its last dimensions, whose sizes are normalized_shape; weight
    has that shape. eps None: the dtype's epsilon. Raises ShapeError where they do not fit."""

def roi_align(
    input: ArrayLike,
    boxes: ArrayLike | Sequence[ArrayLike],
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """A map [P, Q] of each box of input[N, C, H, W]: means of bilinear samples (He et al., 2017).

    boxes[K, 5] are (image, left, top, right, bottom), or a list of [L, 4] for each image; corners
    are multiplied by spatial_scale. The result is [K, C, P, Q], (P, Q) being output_size. A bin is the
    mean of sampling_ratio x sampling_ratio samples, or of about one a pixel where that is 0 or -1.
    With aligned the centre of pixel 0 is at 0.5, and small boxes are not widened to one pixel.

    Differentiable in input; boxes may have any floating dtype and take no gradient. Boxes that are not
    finite, reach beyond 2^24 pixels or name no image raise IndexRangeError."""

def roi_pool(
    input: ArrayLike,
    boxes: ArrayLike | Sequence[ArrayLike],
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
) -> Tensor:
    """A map [P, Q] of each box of input[N, C, H, W]: maxima of its bins (Girshick, 2015).

    boxes[K, 5] are (image, left, top, right, bottom), or a list of [L, 4] for each image; corners
    are multiplied by spatial_scale and rounded, and belong to the box. The result is [K, C, P, Q], (P,
    Q) being output_size. Of a box of h rows, bin p has rows floor(p h / P) up to ceil((p + 1) h / P),
    and columns likewise; a bin outside of the image is 0. NaN wins; of equals the first takes the
    gradient.

    Differentiable in input; boxes may have any floating dtype and take no gradient. Boxes that are not
    finite, reach beyond 2^24 pixels or name no image raise IndexRangeError."""

def roll(
    input: ArrayLike, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None
) -> Tensor:
    """A copy with element i at i + shift along each of `dims`; what leaves at the end comes in at the
    front. Without `dims` the flattened tensor is rolled.

    Raises ArgumentError unless there is one shift for each of dims."""

def round(input: ArrayLike) -> Tensor:
    """Elementwise the nearest whole number, of two the even one; its gradient is 0."""

def rsqrt(input: ArrayLike) -> Tensor:
    """Elementwise 1 / sqrt(x)."""

def scatter(
    input: ArrayLike, dim: int, index: ArrayLike, src: ArrayLike | Number, reduce: str | None = None
) -> Tensor:
    """A copy of input with src[i][j][k], or the number, put at [i][index[i][j][k]][k] (for dim 1).

    Of several values for one element the last one stays; with `reduce` they are added to it or
    multiplied with it (scatter_reduce does more). index and src may be smaller than input
    outside `dim`. Raises IndexRangeError."""

def scatter_add(input: ArrayLike, dim: int, index: ArrayLike, src: ArrayLike) -> Tensor:
    """A copy of input with src[i][j][k] added at [i][index[i][j][k]][k] (for dim 1).

    The additions to one element run in the order of src, so the result is deterministic.
    index and src may be smaller than input outside `dim`."""

def scatter_reduce(
    input: ArrayLike,
    dim: int,
    index: ArrayLike,
    src: ArrayLike,
    reduce: str,
    include_self: bool = True,
) -> Tensor:
    """A copy of input where element [i][index[i][j][k]][k] (for dim 1) is the sum, product, mean, largest
    or smallest of itself and all src[i][j][k] that are sent there.

    Without include_self it is that of the sources alone, where there are any. Sums and products
    run in the order of src, so the result is deterministic; means of integers are rounded down;
    equal extremes share the gradient evenly. index and src may be smaller than input outside
    `dim`. Raises IndexRangeError."""

def searchsorted(sorted_sequence: ArrayLike, input: ArrayLike, right: bool = False) -> Tensor:
    """Where each element would be inserted into an ascending sequence (int64): in front of those equal
    to it, or with `right` behind them.

    sorted_sequence [N], for an input of any shape, or [..., N] for an input [..., M] of the same
    sizes in front (else ShapeError). Whether it ascends is not checked."""

def selu(input: ArrayLike) -> Tensor:
    """Elementwise 1.0507 x above 0, 1.7581 (exp(x) - 1) below (Klambauer et al., 2017)."""

def sgd_step(
    params: Sequence[Tensor],
    grads: Sequence[Tensor] | None,
    momentum_buffers: Sequence[Tensor],
    lr: float = 0.001,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    first_step: bool = False,
    group: dict[str, Any] | None = None,
) -> None:
    """Stochastic gradient descent on all parameters, in place, in one call. The buffers may be
    an empty list where momentum is 0; at the first step they become the gradient. `group`
    holds the options from lr to nesterov instead. Without `grads`: those parameters that have one,
    by theirs; without momentum."""

def sigmoid(input: ArrayLike) -> Tensor:
    """Elementwise 1 / (1 + exp(-x))."""

def sign(input: ArrayLike) -> Tensor:
    """Elementwise -1, 0 or 1; its gradient is 0."""

def silu(input: ArrayLike) -> Tensor:
    """Elementwise x sigmoid(x), also called swish (Hendrycks and Gimpel, 2016)."""

def sin(input: ArrayLike) -> Tensor:
    """Elementwise the sine of x in radians."""

def sinh(input: ArrayLike) -> Tensor:
    """Elementwise the hyperbolic sine."""

def softmax(input: ArrayLike, dim: int) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`, without overflow."""

def softplus(input: ArrayLike, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Elementwise log(1 + exp(beta * x)) / beta, without overflow (Dugas et al., 2000); x where
    beta * x is above the threshold."""

def softshrink(input: ArrayLike, lambd: float = 0.5) -> Tensor:
    """Elementwise x drawn towards 0 by lambd, 0 between -lambd and lambd (Donoho, 1995)."""

def softsign(input: ArrayLike) -> Tensor:
    """Elementwise x / (1 + |x|) (Bergstra et al., 2009)."""

def sort(input: ArrayLike, dim: int = -1, descending: bool = False, stable: bool = False) -> Any:
    """The elements in order along `dim`: the pair (values, indices), both of the input's shape.

    NaN is the largest. Equal elements keep their order, whether `stable` is asked or not. The
    gradient of an element goes back to where it was; indices are int64."""

def space_to_depth(input: ArrayLike, block_size: int, mode: str = "DCR") -> Tensor:
    """ONNX's SpaceToDepth: [..., C, H b, W b] to [..., C b^2, H, W], blocks to channels.

    Pixel (i, j) of a block goes to channel (i b + j) C + c with 'DCR' (block row, block column,
    channel), to c b^2 + i b + j with 'CRD' (pixel_unshuffle). This is the reorganisation of YOLOv2
    (Redmon and Farhadi, 2017). Darknet's own code computes something else, which weights trained with
    it need: mode 'darknet' reads the memory of the image as [C / b^2, H b, W b], with H and W its
    sizes, applies 'DCR', and reads the result as [C b^2, H / b, W / b]. Raises ShapeError where b does
    not divide rows and columns or, for darknet, b^2 the channels."""

def split(
    tensor: ArrayLike, split_size_or_sections: int | Sequence[int], dim: int = 0
) -> tuple[Tensor, ...]:
    """Views of neighbouring parts of dimension `dim`: of one size, where the last may be smaller,
    or of the given sizes.

    Raises ShapeError where sizes do not add up to the dimension's, ArgumentError for size 0."""

def sqrt(input: ArrayLike) -> Tensor:
    """Elementwise the square root; NaN below 0."""

def square(input: ArrayLike) -> Tensor:
    """Elementwise x * x."""

def squeeze(input: ArrayLike, dim: int | None = None) -> Tensor:
    """Drops dimension `dim` if its size is 1; None: all such dimensions."""

def stack(tensors: Sequence[ArrayLike], dim: int = 0) -> Tensor:
    """Joins tensors of one shape along a new dimension `dim`."""

def std(
    input: ArrayLike,
    dim: int | Sequence[int] | None = None,
    correction: int = 1,
    keepdim: bool = False,
) -> Tensor:
    """The square root of var; its gradient where it is 0 is 0."""

def stochastic_depth(
    input: ArrayLike, p: float, mode: str, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """Zeroes the input with probability p and else scales it by 1 / (1 - p) (Huang et al., 2016).

    mode 'batch' decides once, 'row' for each sample of input[N, ...]; the input itself when not
    training. It belongs on the residual branch, before the addition."""

def sub(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input - other, with broadcasting; see add."""

def sum(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """The sum over `dim` (None: all dimensions). Integers and bool sum as int64.

    The order of the additions depends on shape and strides alone, so the result has
    the same bits at any number of threads."""

def swapaxes(input: ArrayLike, axis0: int, axis1: int) -> Tensor:
    """A view with two dimensions exchanged; see transpose."""

def take(input: ArrayLike, index: ArrayLike) -> Tensor:
    """The elements of the flattened input at index, in index's shape; -1 is the last one.

    Raises IndexRangeError."""

def take_along_dim(input: ArrayLike, indices: ArrayLike, dim: int | None = None) -> Tensor:
    """gather with the other dimensions broadcast; None: of the flattened tensors.

    Takes what argmax with keepdim and argsort give. Raises IndexRangeError."""

def tan(input: ArrayLike) -> Tensor:
    """Elementwise the tangent of x in radians."""

def tanh(input: ArrayLike) -> Tensor:
    """Elementwise the hyperbolic tangent."""

def tanhshrink(input: ArrayLike) -> Tensor:
    """Elementwise x - tanh(x)."""

def tensor(
    data: Any,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor with a copy of `data`: numbers, nested lists, or any array.

    Python floats give float32, ints int64, bools bool; arrays keep their dtype."""

def threshold(input: ArrayLike, threshold: float, value: float) -> Tensor:
    """Elementwise x above the threshold, else value."""

@overload
def tile(input: ArrayLike, dims: Shape) -> Tensor:
    """As repeat, but fewer numbers than dimensions are those of the last ones (NumPy's tile)."""

@overload
def tile(input: ArrayLike, *dims: int) -> Tensor:
    """As repeat, but fewer numbers than dimensions are those of the last ones (NumPy's tile)."""

def topk(input: ArrayLike, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """The k largest elements along `dim`, or with largest=False the k smallest: the pair (values,
    indices), in order, or with sorted=False in any order.

    Of equal elements the first count; NaN is the largest. The gradient goes to those chosen.
    Raises ArgumentError where there are fewer than k."""

def transpose(input: ArrayLike, dim0: int, dim1: int) -> Tensor:
    """A view with two dimensions exchanged."""

def tril(input: ArrayLike, diagonal: int = 0) -> Tensor:
    """The matrices with 0 above the given diagonal: where column - row > diagonal."""

def triu(input: ArrayLike, diagonal: int = 0) -> Tensor:
    """The matrices with 0 below the given diagonal: where column - row < diagonal."""

def trunc(input: ArrayLike) -> Tensor:
    """Elementwise the whole number next to x towards 0; its gradient is 0."""

def unbind(input: ArrayLike, dim: int = 0) -> tuple[Tensor, ...]:
    """Views of all slices along dimension `dim`, without that dimension."""

def unflatten(input: ArrayLike, dim: int, sizes: Sequence[int]) -> Tensor:
    """Cuts dimension `dim` into several of the given sizes, one of which may be -1.

    Raises ShapeError where their product is not the dimension's."""

def unfold(
    input: ArrayLike,
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> Tensor:
    """Every window of input[N, C, H, W] (or [C, H, W]) as a column: [N, C * R * S, L].

    A window has R rows and S columns, L is their number, and padding counts as 0 (im2col).
    Raises ShapeError where no window fits."""

@overload
def uniform(
    shape: Shape,
    low: float = 0.0,
    high: float = 1.0,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in [low, high). The same seed gives the same numbers on every device."""

@overload
def uniform(
    *shape: int,
    low: float = 0.0,
    high: float = 1.0,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    generator: Generator | None = None,
) -> Tensor:
    """Uniform in [low, high). The same seed gives the same numbers on every device."""

def unique(
    input: ArrayLike,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Each element once, ascending (whatever `sorted` says); with `dim` each slice along it, in
    lexicographic order.

    With return_inverse also which of them each element is, and with return_counts how often each
    occurs, both int64: a tuple in this order. NaN equals nothing, itself included. Not differentiable.
    Raises ShapeError for slices without elements."""

def unscale_grads(grads: Sequence[Tensor], scale: Tensor) -> Tensor:
    """Divides gradients of one dtype and device by the single number in `scale`, in place, in one
    call. Returns a float32 tensor that is 1 where one of them became, or was, infinite or NaN, else 0."""

def unsqueeze(input: ArrayLike, dim: int) -> Tensor:
    """Adds a dimension of size 1 at `dim`."""

def var(
    input: ArrayLike,
    dim: int | Sequence[int] | None = None,
    correction: int = 1,
    keepdim: bool = False,
) -> Tensor:
    """The variance over `dim`, divided by (count - correction)."""

@overload
def view(input: ArrayLike, shape: Shape) -> Tensor:
    """As reshape, but raises ShapeError instead of copying."""

@overload
def view(input: ArrayLike, *shape: int) -> Tensor:
    """As reshape, but raises ShapeError instead of copying."""

def where(condition: ArrayLike, input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input where condition (bool) is true, else other; all three broadcast."""

@overload
def zeros(
    shape: Shape,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Zeros; float32 by default."""

@overload
def zeros(
    *shape: int,
    dtype: DTypeLike | None = None,
    device: DeviceLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Zeros; float32 by default."""

def zeros_like(
    input: Tensor, dtype: DTypeLike | None = None, device: DeviceLike | None = None
) -> Tensor:
    """Zeros of the input's shape, dtype and device."""

class Tensor:
    """An array of one dtype on one device, through which gradients flow."""
    # Parameters hand their data to this, so subclasses may take what they like.
    def __new__(cls, *args: Any, **kwargs: Any) -> Self: ...
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    @property
    def shape(self) -> tuple[_Int, ...]:
        """The sizes."""
    @property
    def dtype(self) -> _DType:
        """The element type."""
    @property
    def device(self) -> _Device:
        """Where the elements are."""
    @property
    def nbytes(self) -> _Int:
        """Bytes of all elements."""
    @property
    def ndim(self) -> _Int:
        """The number of dimensions."""
    @property
    def is_leaf(self) -> _Bool:
        """Whether no recorded op made this tensor."""
    @property
    def grad_fn(self) -> Any:
        """The recorded op that made this tensor, or None."""
    @property
    def T(self) -> Tensor:
        """A view with the dimensions reversed."""
    @property
    def mT(self) -> Tensor:
        """A view with the last two dimensions exchanged."""
    @property
    def _version(self) -> _Int: ...
    @property
    def _shared(self) -> _Bool: ...

    requires_grad: _Bool
    """Whether gradients flow to this tensor; settable on leaves."""
    grad: Tensor | None
    """The gradient that backward() has added up, or None."""

    def __len__(self) -> _Int: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    def __getitem__(self, index: Index | tuple[Index, ...]) -> Tensor: ...
    def __setitem__(self, index: Index | tuple[Index, ...], value: ArrayLike | Number) -> None: ...
    def __bool__(self) -> _Bool: ...
    def __int__(self) -> _Int: ...
    def __index__(self) -> _Int: ...
    def __float__(self) -> builtins.float: ...
    def __neg__(self) -> Tensor: ...
    def __abs__(self) -> Tensor: ...
    def __invert__(self) -> Tensor: ...
    def __add__(self, other: ArrayLike | Number) -> Tensor: ...
    def __radd__(self, other: ArrayLike | Number) -> Tensor: ...
    def __iadd__(self, other: ArrayLike | Number) -> Tensor: ...
    def __sub__(self, other: ArrayLike | Number) -> Tensor: ...
    def __rsub__(self, other: ArrayLike | Number) -> Tensor: ...
    def __isub__(self, other: ArrayLike | Number) -> Tensor: ...
    def __mul__(self, other: ArrayLike | Number) -> Tensor: ...
    def __rmul__(self, other: ArrayLike | Number) -> Tensor: ...
    def __imul__(self, other: ArrayLike | Number) -> Tensor: ...
    def __truediv__(self, other: ArrayLike | Number) -> Tensor: ...
    def __rtruediv__(self, other: ArrayLike | Number) -> Tensor: ...
    def __itruediv__(self, other: ArrayLike | Number) -> Tensor: ...
    def __floordiv__(self, other: ArrayLike | Number) -> Tensor: ...
    def __rfloordiv__(self, other: ArrayLike | Number) -> Tensor: ...
    def __mod__(self, other: ArrayLike | Number) -> Tensor: ...
    def __rmod__(self, other: ArrayLike | Number) -> Tensor: ...
    def __and__(self, other: ArrayLike | Number) -> Tensor: ...
    def __rand__(self, other: ArrayLike | Number) -> Tensor: ...
    def __or__(self, other: ArrayLike | Number) -> Tensor: ...
    def __ror__(self, other: ArrayLike | Number) -> Tensor: ...
    def __xor__(self, other: ArrayLike | Number) -> Tensor: ...
    def __rxor__(self, other: ArrayLike | Number) -> Tensor: ...
    def __lshift__(self, other: ArrayLike | Number) -> Tensor: ...
    def __rlshift__(self, other: ArrayLike | Number) -> Tensor: ...
    def __rshift__(self, other: ArrayLike | Number) -> Tensor: ...
    def __rrshift__(self, other: ArrayLike | Number) -> Tensor: ...
    def __pow__(self, other: ArrayLike | Number) -> Tensor: ...
    def __rpow__(self, other: ArrayLike | Number) -> Tensor: ...
    def __matmul__(self, other: ArrayLike) -> Tensor: ...
    def __rmatmul__(self, other: ArrayLike) -> Tensor: ...
    def __lt__(self, other: ArrayLike | Number) -> Tensor: ...
    def __le__(self, other: ArrayLike | Number) -> Tensor: ...
    def __gt__(self, other: ArrayLike | Number) -> Tensor: ...
    def __ge__(self, other: ArrayLike | Number) -> Tensor: ...
    # Elementwise, and not bool as object has it.
    def __eq__(self, other: ArrayLike | Number) -> Tensor: ...  # type: ignore[override]
    def __ne__(self, other: ArrayLike | Number) -> Tensor: ...  # type: ignore[override]
    def __hash__(self) -> _Int: ...
    def __array__(self, dtype: Any = None, copy: builtins.bool | None = None) -> Any:
        """NumPy's view of the tensor."""
    def __deepcopy__(self, memo: Any) -> Tensor:
        """A leaf with a copy of the memory."""
    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: Any = None,
        dl_device: Any = None,
        copy: builtins.bool | None = None,
    ) -> Any:
        """The DLPack capsule that other libraries read this tensor's memory through."""
    def __dlpack_device__(self) -> tuple[builtins.int, builtins.int]:
        """DLPack's code of the device, and its index."""
    def __format__(self, format_spec: str) -> str:
        """The number of a tensor without dimensions, as in f'{loss:.4f}'; without a format, str."""
    def _add_hook(self, hook: Any) -> builtins.int:
        """Calls hook(gradient) in every backward pass; see register_hook."""
    def _remove_hook(self, id: builtins.int) -> None:
        """See register_hook."""
    def abs(self) -> Tensor:
        """Elementwise |x|; its gradient at 0 is 0."""
    def abs_(self) -> Tensor:
        """In place, elementwise |x|; its gradient at 0 is 0."""
    def acos(self) -> Tensor:
        """Elementwise the angle whose cosine is x; NaN beyond -1 and 1."""
    def acos_(self) -> Tensor:
        """In place, elementwise the angle whose cosine is x; NaN beyond -1 and 1."""
    def acosh(self) -> Tensor:
        """Elementwise the positive number whose hyperbolic cosine is x; NaN below 1."""
    def acosh_(self) -> Tensor:
        """In place, elementwise the positive number whose hyperbolic cosine is x; NaN below 1."""
    def add(self, other: ArrayLike | Number) -> Tensor:
        """input + other, with broadcasting.

        Tensors must agree in dtype and device (DTypeError, DeviceError); a Python
        number takes the tensor's dtype. Shapes that do not broadcast raise ShapeError."""
    def add_(self, other: ArrayLike | Number) -> Tensor:
        """In place; see add."""
    def addmm(
        self,
        mat1: ArrayLike,
        mat2: ArrayLike,
        *,
        beta: builtins.float = 1.0,
        alpha: builtins.float = 1.0,
    ) -> Tensor:
        """beta * input + alpha * (mat1 @ mat2); input broadcasts to [N, P], and is not read where beta is 0."""
    def all(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """Whether no element over `dim` (None: all dimensions) is 0, as bool."""
    def amax(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The largest element over `dim`; NaN wins. Ties share the gradient evenly."""
    def amin(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The smallest element over `dim`; NaN wins. Ties share the gradient evenly."""
    def any(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """Whether any element over `dim` (None: all dimensions) is not 0, as bool."""
    def argmax(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """The index (int64) of the largest element along `dim`, the first of equals;
        None: in the flattened tensor."""
    def argmin(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """The index (int64) of the smallest element along `dim`, the first of equals;
        None: in the flattened tensor."""
    def argsort(
        self,
        dim: builtins.int = -1,
        descending: builtins.bool = False,
        stable: builtins.bool = False,
    ) -> Tensor:
        """The indices (int64) that sort the input along `dim`; see sort."""
    def argwhere(self) -> Tensor:
        """The positions of the elements that are not 0, in order: int64 [count, dimensions]."""
    def asin(self) -> Tensor:
        """Elementwise the angle whose sine is x; NaN beyond -1 and 1."""
    def asin_(self) -> Tensor:
        """In place, elementwise the angle whose sine is x; NaN beyond -1 and 1."""
    def asinh(self) -> Tensor:
        """Elementwise the number whose hyperbolic sine is x."""
    def asinh_(self) -> Tensor:
        """In place, elementwise the number whose hyperbolic sine is x."""
    def atan(self) -> Tensor:
        """Elementwise the angle whose tangent is x."""
    def atan2(self, other: ArrayLike | Number) -> Tensor:
        """The angle of the point (other, input) in radians, from -pi to pi; see add."""
    def atan2_(self, other: ArrayLike | Number) -> Tensor:
        """In place; see atan2."""
    def atan_(self) -> Tensor:
        """In place, elementwise the angle whose tangent is x."""
    def atanh(self) -> Tensor:
        """Elementwise the number whose hyperbolic tangent is x; NaN beyond -1 and 1."""
    def atanh_(self) -> Tensor:
        """In place, elementwise the number whose hyperbolic tangent is x; NaN beyond -1 and 1."""
    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: builtins.bool | None = None,
        create_graph: builtins.bool = False,
    ) -> None:
        """Adds the gradient of this tensor into .grad of every leaf that it was computed from.

        `gradient` (default: one, for a single element) is where it starts. create_graph records the
        pass for higher derivatives; retain_graph (default: create_graph) allows another pass."""
    def baddbmm(
        self,
        batch1: ArrayLike,
        batch2: ArrayLike,
        *,
        beta: builtins.float = 1.0,
        alpha: builtins.float = 1.0,
    ) -> Tensor:
        """beta * input + alpha * (batch1 @ batch2) of batches of matrices; input broadcasts to [B, N, P], and
        is not read where beta is 0."""
    def bernoulli(self, generator: Generator | None = None) -> Tensor:
        """1 with the probability that input holds and 0 otherwise, in its dtype.

        A probability outside [0, 1], or NaN, raises ArgumentError."""
    def bernoulli_(self, p: ArrayLike | Number = 0.5, generator: Generator | None = None) -> Tensor:
        """Sets every element to 1 with probability p and to 0 otherwise; see bernoulli."""
    def bfloat16(self) -> Tensor:
        """As bfloat16."""
    def bincount(self, weights: ArrayLike | None = None, minlength: builtins.int = 0) -> Tensor:
        """How often each of 0, 1, 2, ... occurs, up to the largest one, with at least `minlength` bins:
        int64; or the sum of the weights there, in their dtype and the order of the input.

        Raises IndexRangeError for negative numbers. Differentiable in weights."""
    def bitwise_and(self, other: ArrayLike | Number) -> Tensor:
        """The bits that both have, elementwise, as input & other; of bools, whether both are true.

        For integers and bools (DTypeError); see add."""
    def bitwise_left_shift(self, other: ArrayLike | Number) -> Tensor:
        """The bits of input moved up by other, as input << other; see add.

        For integers (DTypeError). A shift below 0, or by all bits and more, gives 0."""
    def bitwise_not(self) -> Tensor:
        """The other bits, elementwise, as ~input; of bools, the other truth.

        For integers and bools (DTypeError)."""
    def bitwise_or(self, other: ArrayLike | Number) -> Tensor:
        """The bits that either has, as input | other; see bitwise_and."""
    def bitwise_right_shift(self, other: ArrayLike | Number) -> Tensor:
        """The bits of input moved down by other, as input >> other; see add.

        For integers (DTypeError). The sign is kept: a shift below 0, or by all bits and more,
        leaves -1 of a negative number and 0 of another."""
    def bitwise_xor(self, other: ArrayLike | Number) -> Tensor:
        """The bits that just one has, as input ^ other; see bitwise_and."""
    def bmm(self, mat2: ArrayLike) -> Tensor:
        """The products of two batches of matrices, [B, N, P]; nothing broadcasts."""
    def bool(self) -> Tensor:
        """As bool: true where not 0."""
    @overload
    def broadcast_to(self, shape: Shape) -> Tensor:
        """A view in which sizes of 1 repeat and new dimensions come in front; see expand."""
    @overload
    def broadcast_to(self, *shape: builtins.int) -> Tensor:
        """A view in which sizes of 1 repeat and new dimensions come in front; see expand."""
    def byte(self) -> Tensor:
        """As uint8."""
    def ceil(self) -> Tensor:
        """Elementwise the smallest whole number that is not below x; its gradient is 0."""
    def ceil_(self) -> Tensor:
        """In place, elementwise the smallest whole number that is not below x; its gradient is 0."""
    def celu_(self, alpha: builtins.float = 1.0) -> Tensor:
        """In place, elementwise x above 0, alpha * (exp(x / alpha) - 1) below (Barron, 2017)."""
    def chunk(self, chunks: builtins.int, dim: builtins.int = 0) -> tuple[Tensor, ...]:
        """Views of `chunks` parts of dimension `dim`, each of ceil(size / chunks) elements: the last may be
        smaller, and there may be fewer."""
    def clamp(self, min: Number | None = None, max: Number | None = None) -> Tensor:
        """Elementwise x between two bounds, which take its place outside; NaN stays. The gradient at a
        bound is that of x. Where min is above max, all is max. Raises ArgumentError where neither
        bound is given."""
    def clamp_(self, min: Number | None = None, max: Number | None = None) -> Tensor:
        """In place; see clamp."""
    def clone(self) -> Tensor:
        """A copy without gaps, in channels last where the tensor is; gradients flow through it."""
    def contiguous(self, memory_format: memory_format | None = None) -> Tensor:
        """The tensor, or a copy if its elements are not in order without gaps.

        memory_format: channels_last, for a tensor [N, C, H, W], makes the channels of a pixel neighbours;
        the shape stays. ShapeError where there are not 4 dimensions."""
    def copy_(self, source: ArrayLike) -> Tensor:
        """Takes the values of `source`, which may broadcast, have another dtype or device."""
    def cos(self) -> Tensor:
        """Elementwise the cosine of x in radians."""
    def cos_(self) -> Tensor:
        """In place, elementwise the cosine of x in radians."""
    def cosh(self) -> Tensor:
        """Elementwise the hyperbolic cosine."""
    def cosh_(self) -> Tensor:
        """In place, elementwise the hyperbolic cosine."""
    def cpu(self) -> Tensor:
        """The tensor on the CPU."""
    def cuda(self) -> Tensor:
        """The tensor on the first GPU."""
    def cummax(self, dim: builtins.int) -> tuple[Tensor, Tensor]:
        """The largest element so far along `dim`: the pair (values, indices), indices int64.

        Of equal elements the last one counts; NaN wins. The gradient goes to the elements chosen."""
    def cummin(self, dim: builtins.int) -> tuple[Tensor, Tensor]:
        """The smallest element so far along `dim`; see cummax."""
    def cumprod(self, dim: builtins.int) -> Tensor:
        """The running product along `dim`: each element and all before it. Integers and bool multiply
        as int64."""
    def cumsum(self, dim: builtins.int) -> Tensor:
        """The running sum along `dim`: each element and all before it. Integers and bool sum as int64."""
    def data_ptr(self) -> builtins.int:
        """The address of the first element."""
    def detach(self) -> Tensor:
        """A view of the same memory outside the graph."""
    def diag(self, diagonal: builtins.int = 0) -> Tensor:
        """Of a vector the matrix that has it on a diagonal; of a matrix a copy of its diagonal."""
    def diagonal(
        self, offset: builtins.int = 0, dim1: builtins.int = 0, dim2: builtins.int = 1
    ) -> Tensor:
        """A view of the elements [i, i + offset] of dimensions dim1 and dim2, as a last dimension."""
    def dim(self) -> builtins.int:
        """The number of dimensions."""
    def div(self, other: ArrayLike | Number) -> Tensor:
        """input / other, with broadcasting; integers give float32. See add."""
    def div_(self, other: ArrayLike | Number) -> Tensor:
        """In place; see div."""
    def dot(self, tensor: ArrayLike) -> Tensor:
        """The scalar product of two vectors."""
    def double(self) -> Tensor:
        """As float64."""
    def element_size(self) -> builtins.int:
        """Bytes of an element."""
    def elu_(self, alpha: builtins.float = 1.0) -> Tensor:
        """In place, elementwise x above 0, alpha * (exp(x) - 1) below (Clevert, Unterthiner and Hochreiter, 2015)."""
    def eq(self, other: ArrayLike | Number) -> Tensor:
        """input == other, elementwise, as bool."""
    def erf(self) -> Tensor:
        """Elementwise the error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    def erf_(self) -> Tensor:
        """In place, elementwise the error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    def erfc(self) -> Tensor:
        """Elementwise 1 - erf(x), without its loss of digits for large x."""
    def erfc_(self) -> Tensor:
        """In place, elementwise 1 - erf(x), without its loss of digits for large x."""
    def exp(self) -> Tensor:
        """Elementwise e to the power x."""
    def exp2(self) -> Tensor:
        """Elementwise 2 to the power x."""
    def exp2_(self) -> Tensor:
        """In place, elementwise 2 to the power x."""
    def exp_(self) -> Tensor:
        """In place, elementwise e to the power x."""
    @overload
    def expand(self, shape: Shape) -> Tensor:
        """A view in which sizes of 1 repeat and new dimensions come in front; -1 keeps a size."""
    @overload
    def expand(self, *shape: builtins.int) -> Tensor:
        """A view in which sizes of 1 repeat and new dimensions come in front; -1 keeps a size."""
    def expand_as(self, other: ArrayLike) -> Tensor:
        """A view in the shape of another tensor; see expand."""
    def expm1(self) -> Tensor:
        """Elementwise exp(x) - 1, exact for small x."""
    def expm1_(self) -> Tensor:
        """In place, elementwise exp(x) - 1, exact for small x."""
    def exponential_(
        self, lambd: builtins.float = 1.0, generator: Generator | None = None
    ) -> Tensor:
        """Draws every element from the exponential distribution of rate lambd, whose mean is 1 / lambd."""
    def fill_(self, value: builtins.float) -> Tensor:
        """Sets every element."""
    def flatten(self, start_dim: builtins.int = 0, end_dim: builtins.int = -1) -> Tensor:
        """Joins the dimensions from start_dim to end_dim into one."""
    @overload
    def flip(self, dims: Shape) -> Tensor:
        """A copy with the order of the elements turned round along each of `dims`."""
    @overload
    def flip(self, *dims: builtins.int) -> Tensor:
        """A copy with the order of the elements turned round along each of `dims`."""
    def float(self) -> Tensor:
        """As float32."""
    def floor(self) -> Tensor:
        """Elementwise the largest whole number that is not above x; its gradient is 0."""
    def floor_(self) -> Tensor:
        """In place, elementwise the largest whole number that is not above x; its gradient is 0."""
    def floor_divide(self, other: ArrayLike | Number) -> Tensor:
        """input / other rounded towards minus infinity, as // in Python; see add.

        Integers stay integers, and a division by 0 gives 0. Its gradient is 0."""
    def floor_divide_(self, other: ArrayLike | Number) -> Tensor:
        """In place; see floor_divide."""
    def fmod(self, other: ArrayLike | Number) -> Tensor:
        """What is left of input divided by other, with the sign of input; see add.

        Of integers, a division by 0 leaves 0."""
    def fmod_(self, other: ArrayLike | Number) -> Tensor:
        """In place; see fmod."""
    def gather(self, dim: builtins.int, index: ArrayLike) -> Tensor:
        """out[i][j][k] = input[i][index[i][j][k]][k] for dim 1 of three, and so on.

        index is int64; outside `dim` its sizes are at most input's. A value out of range raises
        IndexRangeError."""
    def ge(self, other: ArrayLike | Number) -> Tensor:
        """input >= other, elementwise, as bool."""
    def gt(self, other: ArrayLike | Number) -> Tensor:
        """input > other, elementwise, as bool."""
    def half(self) -> Tensor:
        """As float16."""
    def hardshrink_(self, lambd: builtins.float = 0.5) -> Tensor:
        """In place, elementwise x beyond -lambd and lambd, 0 between."""
    def hardsigmoid_(self, alpha: builtins.float = 1 / 6, beta: builtins.float = 0.5) -> Tensor:
        """In place, elementwise min(max(alpha * x + beta, 0), 1) (Courbariaux, Bengio and David, 2015)."""
    def hardswish(self) -> Tensor:
        """Elementwise x relu6(x + 3) / 6 (Howard et al., 2019)."""
    def hardswish_(self) -> Tensor:
        """In place, elementwise x relu6(x + 3) / 6 (Howard et al., 2019)."""
    def hardtanh_(self, min_val: builtins.float = -1.0, max_val: builtins.float = 1.0) -> Tensor:
        """In place, elementwise x between two bounds, which take its place outside (Collobert, 2004)."""
    def histc(
        self, bins: builtins.int = 100, min: builtins.float = 0.0, max: builtins.float = 0.0
    ) -> Tensor:
        """How many elements fall into each of `bins` bins of equal width from min to max, in the input's
        dtype. The last bin has its upper border too.

        What lies outside, and NaN, is not counted. Where min and max are equal, they become the
        smallest and the largest element (and where these are equal, 1 less and 1 more). Raises
        ArgumentError for a range that is infinite or NaN, or whose min is above max."""
    def histogram(
        self,
        bins: ArrayLike | Number,
        range: Sequence[builtins.float] | None = None,
        weight: ArrayLike | None = None,
        density: builtins.bool = False,
    ) -> tuple[Tensor, Tensor]:
        """How many elements fall into each bin, or the sums of their weights: (hist, bin_edges), both in the
        input's dtype.

        `bins` is their number, of equal width over range=(min, max) (default: the smallest and the largest
        element), or the ascending edges themselves, one more than bins; whether they ascend is not checked.
        A bin has its lower edge, the last one its upper edge too; what lies outside, and NaN, is not counted.
        With `density` the integral over the bins is 1. Differentiable in weight. Raises ArgumentError for a
        range that is infinite, NaN or descending, or a number of bins that is not whole."""
    def index_add(
        self, dim: builtins.int, index: ArrayLike, source: ArrayLike, alpha: Number = 1
    ) -> Tensor:
        """input with alpha times the slices of source added to the slices of dimension `dim` that the
        vector index names, in its order. Raises IndexRangeError."""
    def index_add_(
        self, dim: builtins.int, index: ArrayLike, source: ArrayLike, alpha: Number = 1
    ) -> Tensor:
        """In place; see index_add."""
    def index_copy(self, dim: builtins.int, index: ArrayLike, source: ArrayLike) -> Tensor:
        """A copy of input with the slices of source in place of the slices of dimension `dim` that the
        vector index names; of several for one place the last one stays. Raises IndexRangeError."""
    def index_copy_(self, dim: builtins.int, index: ArrayLike, source: ArrayLike) -> Tensor:
        """In place; see index_copy."""
    def index_fill(self, dim: builtins.int, index: ArrayLike, value: ArrayLike | Number) -> Tensor:
        """A copy of input with `value` (a number or a 0-d tensor) in the slices of dimension `dim` that
        the vector index names. Raises IndexRangeError."""
    def index_fill_(self, dim: builtins.int, index: ArrayLike, value: ArrayLike | Number) -> Tensor:
        """In place; see index_fill."""
    def index_put(
        self,
        indices: Sequence[ArrayLike | None],
        values: ArrayLike | Number,
        accumulate: builtins.bool = False,
    ) -> Tensor:
        """A copy of input with values, which broadcast, at input[indices]: an index tensor or mask for each
        of the first dimensions, or None for all of one.

        Of several values for one element the last one stays, or with `accumulate` all are added to it.
        Raises IndexRangeError."""
    def index_put_(
        self,
        indices: Sequence[ArrayLike | None],
        values: ArrayLike | Number,
        accumulate: builtins.bool = False,
    ) -> Tensor:
        """In place; see index_put."""
    def index_select(self, dim: builtins.int, index: ArrayLike) -> Tensor:
        """The slices of dimension `dim` that the vector index names, in its order.

        A value outside 0..size-1 raises IndexRangeError."""
    def int(self) -> Tensor:
        """As int32."""
    def is_contiguous(self, memory_format: memory_format | None = None) -> builtins.bool:
        """Whether the elements are in order without gaps. An image of one channel or pixel is so in
        either memory format."""
    def is_floating_point(self) -> builtins.bool:
        """Whether the dtype is one of floats."""
    def is_pinned(self) -> builtins.bool:
        """Whether the memory is page-locked by pin_memory."""
    def isfinite(self) -> Tensor:
        """True where x is neither infinite nor NaN."""
    def isinf(self) -> Tensor:
        """True where x is infinite, of either sign."""
    def isnan(self) -> Tensor:
        """True where x is not a number."""
    def item(self) -> Any:
        """The one element as a Python number."""
    def le(self, other: ArrayLike | Number) -> Tensor:
        """input <= other, elementwise, as bool."""
    def leaky_relu_(self, negative_slope: builtins.float = 0.01) -> Tensor:
        """In place, elementwise x above 0, negative_slope * x below (Maas, Hannun and Ng, 2013)."""
    def log(self) -> Tensor:
        """Elementwise the natural logarithm; -inf at 0, NaN below."""
    def log10(self) -> Tensor:
        """Elementwise the logarithm to base 10; -inf at 0, NaN below."""
    def log10_(self) -> Tensor:
        """In place, elementwise the logarithm to base 10; -inf at 0, NaN below."""
    def log1p(self) -> Tensor:
        """Elementwise log(1 + x), exact for small x."""
    def log1p_(self) -> Tensor:
        """In place, elementwise log(1 + x), exact for small x."""
    def log2(self) -> Tensor:
        """Elementwise the logarithm to base 2; -inf at 0, NaN below."""
    def log2_(self) -> Tensor:
        """In place, elementwise the logarithm to base 2; -inf at 0, NaN below."""
    def log_(self) -> Tensor:
        """In place, elementwise the natural logarithm; -inf at 0, NaN below."""
    def log_softmax(self, dim: builtins.int) -> Tensor:
        """log(softmax(x)) along `dim`, without cancellation."""
    def logical_and(self, other: ArrayLike | Number) -> Tensor:
        """Whether both are not 0, elementwise, as bool."""
    def logical_not(self) -> Tensor:
        """True where x is 0, elementwise."""
    def logical_or(self, other: ArrayLike | Number) -> Tensor:
        """Whether either is not 0, elementwise, as bool."""
    def logical_xor(self, other: ArrayLike | Number) -> Tensor:
        """Whether just one is not 0, elementwise, as bool."""
    def logsigmoid(self) -> Tensor:
        """Elementwise log(sigmoid(x)), without overflow."""
    def logsigmoid_(self) -> Tensor:
        """In place, elementwise log(sigmoid(x)), without overflow."""
    def logsumexp(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """log(sum(exp(x))) over `dim` (None: all dimensions), without overflow; -inf of nothing."""
    def long(self) -> Tensor:
        """As int64."""
    def lt(self, other: ArrayLike | Number) -> Tensor:
        """input < other, elementwise, as bool."""
    def masked_fill(self, mask: ArrayLike, value: ArrayLike | Number) -> Tensor:
        """`value` where mask is true, else input; mask, input and a tensor value broadcast.

        Raises DTypeError for another dtype than input's, or a fraction for integers."""
    def masked_fill_(self, mask: ArrayLike, value: ArrayLike | Number) -> Tensor:
        """In place; see masked_fill."""
    def masked_scatter(self, mask: ArrayLike, source: ArrayLike) -> Tensor:
        """A copy of input with the elements of source, in order, where mask is true; input and mask broadcast.

        Raises ShapeError where source has fewer elements than the mask selects. How many it selects is
        read, so that it cannot be captured."""
    def masked_scatter_(self, mask: ArrayLike, source: ArrayLike) -> Tensor:
        """In place; see masked_scatter."""
    def masked_select(self, mask: ArrayLike) -> Tensor:
        """The elements of input where mask is true, as a vector in the order of memory; both broadcast.

        The size of the result depends on the values, so that it cannot be captured."""
    def matmul(self, other: ArrayLike) -> Tensor:
        """The matrix product of [..., m, k] and [..., k, n], batches broadcast; a vector is a
        row on the left and a column on the right. Any strides, no copy.

        Raises ShapeError where the inner sizes differ."""
    def max(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Any:
        """The largest element as a Tensor; with `dim`, the pair (values, indices) along it."""
    def maximum(self, other: ArrayLike | Number) -> Tensor:
        """The larger of two, elementwise; NaN wins, a tie shares the gradient."""
    def maximum_(self, other: ArrayLike | Number) -> Tensor:
        """In place; see maximum."""
    def mean(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The arithmetic mean over `dim` (None: all dimensions); floating tensors only."""
    def median(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Any:
        """The element in the middle, the lower one of two; NaN where there is any.

        With `dim` the pair (values, indices) along it. The gradient goes to the element chosen.
        Raises ShapeError for no elements."""
    def min(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Any:
        """The smallest element as a Tensor; with `dim`, the pair (values, indices) along it."""
    def minimum(self, other: ArrayLike | Number) -> Tensor:
        """The smaller of two, elementwise; NaN wins, a tie shares the gradient."""
    def minimum_(self, other: ArrayLike | Number) -> Tensor:
        """In place; see minimum."""
    def mish(self) -> Tensor:
        """Elementwise x tanh(-logsigmoid(-x)) (Misra, 2019)."""
    def mish_(self) -> Tensor:
        """In place, elementwise x tanh(-logsigmoid(-x)) (Misra, 2019)."""
    def mm(self, mat2: ArrayLike) -> Tensor:
        """The product of two matrices."""
    def movedim(
        self,
        source: builtins.int | Sequence[builtins.int],
        destination: builtins.int | Sequence[builtins.int],
    ) -> Tensor:
        """A view with dimension source[i] at place destination[i], the others in their order."""
    def mul(self, other: ArrayLike | Number) -> Tensor:
        """input * other, with broadcasting; see add."""
    def mul_(self, other: ArrayLike | Number) -> Tensor:
        """In place; see mul."""
    def multinomial(
        self,
        num_samples: builtins.int,
        replacement: builtins.bool = False,
        generator: Generator | None = None,
    ) -> Tensor:
        """Categories drawn by the weights of a vector or of each row: int64 [num_samples] or [N, num_samples].

        Weights need not sum to 1. Without replacement a category is drawn once, and the draws are in order:
        each by the weights of those that are left. ArgumentError where a weight is negative, infinite or NaN,
        and where a row has no weight or fewer categories with weight than draws without replacement."""
    def mv(self, vec: ArrayLike) -> Tensor:
        """The product of a matrix and a vector."""
    def nanmedian(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Any:
        """As median, of the elements that are not NaN; NaN where all are."""
    def narrow(self, dim: builtins.int, start: builtins.int, length: builtins.int) -> Tensor:
        """A view of `length` elements of dimension `dim` from `start`.

        Raises IndexRangeError where they do not exist."""
    def ne(self, other: ArrayLike | Number) -> Tensor:
        """input != other, elementwise, as bool."""
    def neg(self) -> Tensor:
        """Elementwise -x."""
    def neg_(self) -> Tensor:
        """In place, elementwise -x."""
    def nonzero(self, as_tuple: builtins.bool = False) -> Any:
        """The positions of the elements that are not 0, in order: int64 [count, dimensions], or with
        as_tuple one vector per dimension, which indexes the tensor as the mask does."""
    def norm(
        self,
        p: builtins.float = 2.0,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The p-norm over `dim` (None: all dimensions): sum(|x|**p)**(1 / p).

        1 is the sum of magnitudes, 2 the length, inf and -inf the largest and the smallest
        magnitude, 0 the count of what is not 0. The gradient of the length of 0 is 0."""
    def normal_(
        self,
        mean: builtins.float = 0.0,
        std: builtins.float = 1.0,
        generator: Generator | None = None,
    ) -> Tensor:
        """Draws every element from a normal distribution."""
    def numel(self) -> builtins.int:
        """The number of elements."""
    def numpy(self) -> Any:
        """A NumPy array that shares the tensor's memory; CPU tensors outside the graph only."""
    def outer(self, vec2: ArrayLike) -> Tensor:
        """input[i] * vec2[j] of two vectors: [N, M]."""
    @overload
    def permute(self, dims: Shape) -> Tensor:
        """A view with the dimensions in the order `dims`."""
    @overload
    def permute(self, *dims: builtins.int) -> Tensor:
        """A view with the dimensions in the order `dims`."""
    def pin_memory(self) -> Tensor:
        """The tensor in page-locked memory, which a GPU copies from while the CPU goes on; itself where
        it is.

            batch = x.pin_memory().to("cuda", non_blocking=True)"""
    def pow(self, other: ArrayLike | Number) -> Tensor:
        """input to the power other, with broadcasting; see add.

        Of integers an integer, which wraps around; a negative power of one is 0, but for 1 and -1."""
    def pow_(self, other: ArrayLike | Number) -> Tensor:
        """In place; see pow."""
    def prod(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The product over `dim` (None: all dimensions), 1 of nothing. Integers and bool multiply as int64."""
    def put(self, index: ArrayLike, source: ArrayLike, accumulate: builtins.bool = False) -> Tensor:
        """A copy of input with the elements of source at index of the flattened input; -1 is the last one.

        Of several for one element the last one stays, or with `accumulate` all are added to it. Raises
        IndexRangeError, and ShapeError unless index and source have as many elements."""
    def put_(
        self, index: ArrayLike, source: ArrayLike, accumulate: builtins.bool = False
    ) -> Tensor:
        """In place; see put."""
    def reciprocal(self) -> Tensor:
        """Elementwise 1 / x."""
    def reciprocal_(self) -> Tensor:
        """In place, elementwise 1 / x."""
    def record_stream(self, stream: Stream) -> None:
        """Says that work on another stream uses the tensor, so that its memory, once freed, is not given
        out again before that stream has done what it has now.

            with fastdl.cuda.stream(side):
                y = x * 2
            x.record_stream(side)"""
    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Calls hook(gradient) in every backward pass; it may return another gradient.
        The handle's remove() ends that."""
    def relu(self) -> Tensor:
        """Elementwise max(x, 0), its gradient at 0 being 0 (Nair and Hinton, 2010)."""
    def relu6(self) -> Tensor:
        """Elementwise min(max(x, 0), 6) (Krizhevsky, 2010)."""
    def relu6_(self) -> Tensor:
        """In place, elementwise min(max(x, 0), 6) (Krizhevsky, 2010)."""
    def relu_(self) -> Tensor:
        """In place, elementwise max(x, 0), its gradient at 0 being 0 (Nair and Hinton, 2010)."""
    def remainder(self, other: ArrayLike | Number) -> Tensor:
        """What is left of input // other, with the sign of other, as % in Python; see add.

        Of integers, a division by 0 leaves 0."""
    def remainder_(self, other: ArrayLike | Number) -> Tensor:
        """In place; see remainder."""
    @overload
    def repeat(self, repeats: Shape) -> Tensor:
        """Copies of the tensor side by side, repeats[i] along dimension i; more numbers than dimensions
        add new ones in front.

        Raises ShapeError for fewer."""
    @overload
    def repeat(self, *repeats: builtins.int) -> Tensor:
        """Copies of the tensor side by side, repeats[i] along dimension i; more numbers than dimensions
        add new ones in front.

        Raises ShapeError for fewer."""
    def repeat_interleave(self, repeats: builtins.int, dim: builtins.int | None = None) -> Tensor:
        """Each element `repeats` times in a row along dimension `dim`, or in the flattened tensor."""
    def requires_grad_(self, requires_grad: builtins.bool = True) -> Tensor:
        """Sets requires_grad and returns the tensor."""
    @overload
    def reshape(self, shape: Shape) -> Tensor:
        """The elements in another shape, one size of which may be -1: a view where the strides
        allow, else a copy."""
    @overload
    def reshape(self, *shape: builtins.int) -> Tensor:
        """The elements in another shape, one size of which may be -1: a view where the strides
        allow, else a copy."""
    def reshape_as(self, other: ArrayLike) -> Tensor:
        """The elements in the shape of another tensor; see reshape."""
    def retain_grad(self) -> None:
        """Keeps .grad of this tensor though it is no leaf."""
    def roll(
        self,
        shifts: builtins.int | Sequence[builtins.int],
        dims: builtins.int | Sequence[builtins.int] | None = None,
    ) -> Tensor:
        """A copy with element i at i + shift along each of `dims`; what leaves at the end comes in at the
        front. Without `dims` the flattened tensor is rolled.

        Raises ArgumentError unless there is one shift for each of dims."""
    def round(self) -> Tensor:
        """Elementwise the nearest whole number, of two the even one; its gradient is 0."""
    def round_(self) -> Tensor:
        """In place, elementwise the nearest whole number, of two the even one; its gradient is 0."""
    def rsqrt(self) -> Tensor:
        """Elementwise 1 / sqrt(x)."""
    def rsqrt_(self) -> Tensor:
        """In place, elementwise 1 / sqrt(x)."""
    def scatter(
        self,
        dim: builtins.int,
        index: ArrayLike,
        src: ArrayLike | Number,
        reduce: str | None = None,
    ) -> Tensor:
        """A copy of input with src[i][j][k], or the number, put at [i][index[i][j][k]][k] (for dim 1).

        Of several values for one element the last one stays; with `reduce` they are added to it or
        multiplied with it (scatter_reduce does more). index and src may be smaller than input
        outside `dim`. Raises IndexRangeError."""
    def scatter_(self, dim: builtins.int, index: ArrayLike, src: ArrayLike | Number) -> Tensor:
        """In place; see scatter."""
    def scatter_add(self, dim: builtins.int, index: ArrayLike, src: ArrayLike) -> Tensor:
        """A copy of input with src[i][j][k] added at [i][index[i][j][k]][k] (for dim 1).

        The additions to one element run in the order of src, so the result is deterministic.
        index and src may be smaller than input outside `dim`."""
    def scatter_add_(self, dim: builtins.int, index: ArrayLike, src: ArrayLike) -> Tensor:
        """In place; see scatter_add."""
    def scatter_reduce(
        self,
        dim: builtins.int,
        index: ArrayLike,
        src: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """A copy of input where element [i][index[i][j][k]][k] (for dim 1) is the sum, product, mean, largest
        or smallest of itself and all src[i][j][k] that are sent there.

        Without include_self it is that of the sources alone, where there are any. Sums and products
        run in the order of src, so the result is deterministic; means of integers are rounded down;
        equal extremes share the gradient evenly. index and src may be smaller than input outside
        `dim`. Raises IndexRangeError."""
    def scatter_reduce_(
        self,
        dim: builtins.int,
        index: ArrayLike,
        src: ArrayLike,
        reduce: str,
        include_self: builtins.bool = True,
    ) -> Tensor:
        """In place; see scatter_reduce."""
    def selu(self) -> Tensor:
        """Elementwise 1.0507 x above 0, 1.7581 (exp(x) - 1) below (Klambauer et al., 2017)."""
    def selu_(self) -> Tensor:
        """In place, elementwise 1.0507 x above 0, 1.7581 (exp(x) - 1) below (Klambauer et al., 2017)."""
    def sigmoid(self) -> Tensor:
        """Elementwise 1 / (1 + exp(-x))."""
    def sigmoid_(self) -> Tensor:
        """In place, elementwise 1 / (1 + exp(-x))."""
    def sign(self) -> Tensor:
        """Elementwise -1, 0 or 1; its gradient is 0."""
    def sign_(self) -> Tensor:
        """In place, elementwise -1, 0 or 1; its gradient is 0."""
    def silu(self) -> Tensor:
        """Elementwise x sigmoid(x), also called swish (Hendrycks and Gimpel, 2016)."""
    def silu_(self) -> Tensor:
        """In place, elementwise x sigmoid(x), also called swish (Hendrycks and Gimpel, 2016)."""
    def sin(self) -> Tensor:
        """Elementwise the sine of x in radians."""
    def sin_(self) -> Tensor:
        """In place, elementwise the sine of x in radians."""
    def sinh(self) -> Tensor:
        """Elementwise the hyperbolic sine."""
    def sinh_(self) -> Tensor:
        """In place, elementwise the hyperbolic sine."""
    def size(self, dim: builtins.int | None = None) -> Any:
        """The shape, or the size of one dimension."""
    def softmax(self, dim: builtins.int) -> Tensor:
        """exp(x) / sum(exp(x)) along `dim`, without overflow."""
    def softplus_(self, beta: builtins.float = 1.0, threshold: builtins.float = 20.0) -> Tensor:
        """In place, elementwise log(1 + exp(beta * x)) / beta, without overflow (Dugas et al., 2000); x where
        beta * x is above the threshold."""
    def softshrink_(self, lambd: builtins.float = 0.5) -> Tensor:
        """In place, elementwise x drawn towards 0 by lambd, 0 between -lambd and lambd (Donoho, 1995)."""
    def softsign(self) -> Tensor:
        """Elementwise x / (1 + |x|) (Bergstra et al., 2009)."""
    def softsign_(self) -> Tensor:
        """In place, elementwise x / (1 + |x|) (Bergstra et al., 2009)."""
    def sort(
        self,
        dim: builtins.int = -1,
        descending: builtins.bool = False,
        stable: builtins.bool = False,
    ) -> Any:
        """The elements in order along `dim`: the pair (values, indices), both of the input's shape.

        NaN is the largest. Equal elements keep their order, whether `stable` is asked or not. The
        gradient of an element goes back to where it was; indices are int64."""
    def split(
        self, split_size_or_sections: builtins.int | Sequence[builtins.int], dim: builtins.int = 0
    ) -> tuple[Tensor, ...]:
        """Views of neighbouring parts of dimension `dim`: of one size, where the last may be smaller,
        or of the given sizes.

        Raises ShapeError where sizes do not add up to the dimension's, ArgumentError for size 0."""
    def sqrt(self) -> Tensor:
        """Elementwise the square root; NaN below 0."""
    def sqrt_(self) -> Tensor:
        """In place, elementwise the square root; NaN below 0."""
    def square(self) -> Tensor:
        """Elementwise x * x."""
    def square_(self) -> Tensor:
        """In place, elementwise x * x."""
    def squeeze(self, dim: builtins.int | None = None) -> Tensor:
        """Drops dimension `dim` if its size is 1; None: all such dimensions."""
    def std(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        correction: builtins.int = 1,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The square root of var; its gradient where it is 0 is 0."""
    def stride(self) -> tuple[builtins.int, ...]:
        """The distance between neighbours per dimension, in elements."""
    def sub(self, other: ArrayLike | Number) -> Tensor:
        """input - other, with broadcasting; see add."""
    def sub_(self, other: ArrayLike | Number) -> Tensor:
        """In place; see sub."""
    def sum(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The sum over `dim` (None: all dimensions). Integers and bool sum as int64.

        The order of the additions depends on shape and strides alone, so the result has
        the same bits at any number of threads."""
    def swapaxes(self, axis0: builtins.int, axis1: builtins.int) -> Tensor:
        """A view with two dimensions exchanged; see transpose."""
    def take(self, index: ArrayLike) -> Tensor:
        """The elements of the flattened input at index, in index's shape; -1 is the last one.

        Raises IndexRangeError."""
    def take_along_dim(self, indices: ArrayLike, dim: builtins.int | None = None) -> Tensor:
        """gather with the other dimensions broadcast; None: of the flattened tensors.

        Takes what argmax with keepdim and argsort give. Raises IndexRangeError."""
    def tan(self) -> Tensor:
        """Elementwise the tangent of x in radians."""
    def tan_(self) -> Tensor:
        """In place, elementwise the tangent of x in radians."""
    def tanh(self) -> Tensor:
        """Elementwise the hyperbolic tangent."""
    def tanh_(self) -> Tensor:
        """In place, elementwise the hyperbolic tangent."""
    def tanhshrink(self) -> Tensor:
        """Elementwise x - tanh(x)."""
    def tanhshrink_(self) -> Tensor:
        """In place, elementwise x - tanh(x)."""
    def threshold_(self, threshold: builtins.float, value: builtins.float) -> Tensor:
        """In place, elementwise x above the threshold, else value."""
    @overload
    def tile(self, dims: Shape) -> Tensor:
        """As repeat, but fewer numbers than dimensions are those of the last ones (NumPy's tile)."""
    @overload
    def tile(self, *dims: builtins.int) -> Tensor:
        """As repeat, but fewer numbers than dimensions are those of the last ones (NumPy's tile)."""
    def to(
        self,
        target: Any = None,
        dtype: DTypeLike | None = None,
        device: DeviceLike | None = None,
        non_blocking: builtins.bool = False,
        memory_format: memory_format | None = None,
    ) -> Tensor:
        """The tensor in another dtype, on another device or in another memory format; itself where
        nothing changes.

        With non_blocking, copies from pinned memory to a GPU, and from a GPU into new pinned memory,
        run on while the caller goes on. Wait for the stream before the source is changed, or the
        result read, on the CPU."""
    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
    def topk(
        self,
        k: builtins.int,
        dim: builtins.int = -1,
        largest: builtins.bool = True,
        sorted: builtins.bool = True,
    ) -> Any:
        """The k largest elements along `dim`, or with largest=False the k smallest: the pair (values,
        indices), in order, or with sorted=False in any order.

        Of equal elements the first count; NaN is the largest. The gradient goes to those chosen.
        Raises ArgumentError where there are fewer than k."""
    def transpose(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """A view with two dimensions exchanged."""
    def tril(self, diagonal: builtins.int = 0) -> Tensor:
        """The matrices with 0 above the given diagonal: where column - row > diagonal."""
    def triu(self, diagonal: builtins.int = 0) -> Tensor:
        """The matrices with 0 below the given diagonal: where column - row < diagonal."""
    def trunc(self) -> Tensor:
        """Elementwise the whole number next to x towards 0; its gradient is 0."""
    def trunc_(self) -> Tensor:
        """In place, elementwise the whole number next to x towards 0; its gradient is 0."""
    def type_as(self, other: Tensor) -> Tensor:
        """In the dtype of other, on its device."""
    def unbind(self, dim: builtins.int = 0) -> tuple[Tensor, ...]:
        """Views of all slices along dimension `dim`, without that dimension."""
    def unflatten(self, dim: builtins.int, sizes: Sequence[builtins.int]) -> Tensor:
        """Cuts dimension `dim` into several of the given sizes, one of which may be -1.

        Raises ShapeError where their product is not the dimension's."""
    def unfold(self, dimension: builtins.int, size: builtins.int, step: builtins.int) -> Tensor:
        """A view of all windows of `size` elements along a dimension, `step` apart: their elements are a
        new last dimension.

        Raises ShapeError where no window fits."""
    def uniform_(
        self,
        low: builtins.float = 0.0,
        high: builtins.float = 1.0,
        generator: Generator | None = None,
    ) -> Tensor:
        """Draws every element uniformly from [low, high)."""
    def unique(
        self,
        sorted: builtins.bool = True,
        return_inverse: builtins.bool = False,
        return_counts: builtins.bool = False,
        dim: builtins.int | None = None,
    ) -> Any:
        """Each element once, ascending (whatever `sorted` says); with `dim` each slice along it, in
        lexicographic order.

        With return_inverse also which of them each element is, and with return_counts how often each
        occurs, both int64: a tuple in this order. NaN equals nothing, itself included. Not differentiable.
        Raises ShapeError for slices without elements."""
    def unsqueeze(self, dim: builtins.int) -> Tensor:
        """Adds a dimension of size 1 at `dim`."""
    def var(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        correction: builtins.int = 1,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The variance over `dim`, divided by (count - correction)."""
    @overload
    def view(self, shape: Shape) -> Tensor:
        """As reshape, but raises ShapeError instead of copying."""
    @overload
    def view(self, *shape: builtins.int) -> Tensor:
        """As reshape, but raises ShapeError instead of copying."""
    def view_as(self, other: ArrayLike) -> Tensor:
        """A view in the shape of another tensor; see view."""
    def zero_(self) -> Tensor:
        """Sets every element to 0."""
