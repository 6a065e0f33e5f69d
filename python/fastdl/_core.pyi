# Made by tools/stubs.py from the compiled module. Do not edit.

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
        self, op: str, asks: str, names: Sequence[str], arrays: Sequence[bool]
    ) -> None: ...
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
def _anomaly_detection() -> bool: ...
def _set_anomaly_detection(on: bool) -> None: ...
def _signatures() -> list[dict[str, str]]: ...
def _conv2d_plan(
    input_shape: Sequence[int],
    weight_shape: Sequence[int],
    stride: int | Sequence[int],
    padding: int | Sequence[int],
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

def add(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input + other, with broadcasting.

    Tensors must agree in dtype and device (DTypeError, DeviceError); a Python
    number takes the tensor's dtype. Shapes that do not broadcast raise ShapeError."""

def all(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """Whether no element over `dim` (None: all dimensions) is 0, as bool."""

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

def avg_pool2d(
    input: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of input[N, C, H, W] (or [C, H, W]).

    stride defaults to kernel_size; padding counts as zeros, in the divisor too unless
    count_include_pad is False."""

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

def cat(tensors: Sequence[ArrayLike], dim: int = 0) -> Tensor:
    """Joins tensors along dimension `dim`; all other sizes must agree."""

def ceil(input: ArrayLike) -> Tensor:
    """Elementwise the smallest whole number that is not below x; its gradient is 0."""

def celu(input: ArrayLike, alpha: float = 1.0) -> Tensor:
    """Elementwise x above 0, alpha * (exp(x / alpha) - 1) below (Barron, 2017)."""

def clamp(input: ArrayLike, min: Number | None = None, max: Number | None = None) -> Tensor:
    """Elementwise x between two bounds, which take its place outside; NaN stays. The gradient at a
    bound is that of x. Raises ArgumentError where neither bound is given."""

def conv2d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """Two-dimensional cross-correlation (LeCun et al., 1998).

    input[N, C, H, W], weight[K, C / groups, R, S], bias[K] give [N, K, P, Q] with
    P = (H + 2 * padding - dilation * (R - 1) - 1) // stride + 1, and Q likewise.
    Pairs are (vertical, horizontal). An empty batch gives an empty result.

    Raises ShapeError where channels, groups or sizes do not fit, ArgumentError for a stride,
    dilation or groups below 1 or a padding below 0."""

def conv2d_fused(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    residual: ArrayLike | None = None,
    activation: str = "none",
    slope: float = 0.01,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> Tensor:
    """activation(conv2d(input, weight, bias) + residual) in one pass; for inference.

    residual has the result's shape. activation: 'none', 'relu' or 'leaky_relu' with `slope`.
    Raises AutogradError where a gradient would be recorded, and what conv2d raises."""

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

def cumprod(input: ArrayLike, dim: int) -> Tensor:
    """The running product along `dim`: each element and all before it. Integers and bool multiply
    as int64."""

def cumsum(input: ArrayLike, dim: int) -> Tensor:
    """The running sum along `dim`: each element and all before it. Integers and bool sum as int64."""

def div(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input / other, with broadcasting; integers give float32. See add."""

def dropout(
    input: ArrayLike, p: float = 0.5, training: bool = True, generator: Generator | None = None
) -> Tensor:
    """Zeroes each element with probability p and scales the rest by 1 / (1 - p)
    (Srivastava et al., 2014); the input itself when not training."""

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

def flatten(input: ArrayLike, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Joins the dimensions from start_dim to end_dim into one."""

def floor(input: ArrayLike) -> Tensor:
    """Elementwise the largest whole number that is not above x; its gradient is 0."""

def floor_divide(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input / other rounded towards minus infinity, as // in Python; see add.

    Integers stay integers, and a division by 0 gives 0. Its gradient is 0."""

def fmod(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """What is left of input divided by other, with the sign of input; see add.

    Of integers, a division by 0 leaves 0."""

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

    index is int64, with the input's sizes outside `dim`; a value out of range raises
    IndexRangeError."""

def ge(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input >= other, elementwise, as bool."""

def gelu(input: ArrayLike, approximate: str = "none") -> Tensor:
    """Elementwise x times the probability that a normal variable is below x (Hendrycks and Gimpel,
    2016): x * (1 + erf(x / sqrt(2))) / 2, or with approximate='tanh'
    x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2."""

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

def matmul(input: ArrayLike, other: ArrayLike) -> Tensor:
    """The matrix product of [..., m, k] and [..., k, n], batches broadcast; a vector is a
    row on the left and a column on the right. Any strides, no copy.

    Raises ShapeError where the inner sizes differ."""

def max(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Any:
    """The largest element as a Tensor; with `dim`, the pair (values, indices) along it."""

def max_pool2d(
    input: ArrayLike,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The maximum of each window of input[N, C, H, W] (or [C, H, W]).

    stride defaults to kernel_size; padding, at most half the kernel, counts as minus infinity.
    NaN wins; of equals the first takes the gradient."""

def maximum(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """The larger of two, elementwise; NaN wins, a tie shares the gradient."""

def mean(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """The arithmetic mean over `dim` (None: all dimensions); floating tensors only."""

def min(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Any:
    """The smallest element as a Tensor; with `dim`, the pair (values, indices) along it."""

def minimum(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """The smaller of two, elementwise; NaN wins, a tie shares the gradient."""

def mish(input: ArrayLike) -> Tensor:
    """Elementwise x tanh(-logsigmoid(-x)) (Misra, 2019)."""

def mse_loss(input: ArrayLike, target: ArrayLike, reduction: str = "mean") -> Tensor:
    """(input - target) squared. Different shapes raise ShapeError: losses do not broadcast."""

def mul(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input * other, with broadcasting; see add."""

def narrow(input: ArrayLike, dim: int, start: int, length: int) -> Tensor:
    """A view of `length` elements of dimension `dim` from `start`.

    Raises IndexRangeError where they do not exist."""

def ne(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input != other, elementwise, as bool."""

def neg(input: ArrayLike) -> Tensor:
    """Elementwise -x."""

def norm(
    input: ArrayLike, p: float = 2.0, dim: int | Sequence[int] | None = None, keepdim: bool = False
) -> Tensor:
    """The p-norm over `dim` (None: all dimensions): sum(|x|**p)**(1 / p).

    1 is the sum of magnitudes, 2 the length, inf and -inf the largest and the smallest
    magnitude, 0 the count of what is not 0. The gradient of the length of 0 is 0."""

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

def permute(input: ArrayLike, dims: Shape) -> Tensor:
    """A view with the dimensions in the order `dims`."""

def pow(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input to the power other, with broadcasting; see add.

    Of integers an integer, which wraps around; a negative power of one is 0, but for 1 and -1."""

def prod(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """The product over `dim` (None: all dimensions), 1 of nothing. Integers and bool multiply as int64."""

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
def reshape(input: ArrayLike, shape: Shape) -> Tensor:
    """The elements in another shape, one size of which may be -1: a view where the strides
    allow, else a copy."""

@overload
def reshape(input: ArrayLike, *shape: int) -> Tensor:
    """The elements in another shape, one size of which may be -1: a view where the strides
    allow, else a copy."""

def round(input: ArrayLike) -> Tensor:
    """Elementwise the nearest whole number, of two the even one; its gradient is 0."""

def rsqrt(input: ArrayLike) -> Tensor:
    """Elementwise 1 / sqrt(x)."""

def scatter_add(input: ArrayLike, dim: int, index: ArrayLike, src: ArrayLike) -> Tensor:
    """A copy of input with src[i][j][k] added at [i][index[i][j][k]][k] (for dim 1).

    The additions to one element run in the order of src, so the result is deterministic."""

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
    """The square root of var."""

def sub(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor:
    """input - other, with broadcasting; see add."""

def sum(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> Tensor:
    """The sum over `dim` (None: all dimensions). Integers and bool sum as int64.

    The order of the additions depends on shape and strides alone, so the result has
    the same bits at any number of threads."""

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

def transpose(input: ArrayLike, dim0: int, dim1: int) -> Tensor:
    """A view with two dimensions exchanged."""

def trunc(input: ArrayLike) -> Tensor:
    """Elementwise the whole number next to x towards 0; its gradient is 0."""

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
    def _add_hook(self, hook: Any) -> builtins.int:
        """Calls hook(gradient) in every backward pass; see register_hook."""
    def _remove_hook(self, id: builtins.int) -> None:
        """See register_hook."""
    def abs(self) -> Tensor:
        """Elementwise |x|; its gradient at 0 is 0."""
    def acos(self) -> Tensor:
        """Elementwise the angle whose cosine is x; NaN beyond -1 and 1."""
    def acosh(self) -> Tensor:
        """Elementwise the positive number whose hyperbolic cosine is x; NaN below 1."""
    def add(self, other: ArrayLike | Number) -> Tensor:
        """input + other, with broadcasting.

        Tensors must agree in dtype and device (DTypeError, DeviceError); a Python
        number takes the tensor's dtype. Shapes that do not broadcast raise ShapeError."""
    def add_(self, other: ArrayLike | Number) -> Tensor:
        """Adds in place."""
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
    def asin(self) -> Tensor:
        """Elementwise the angle whose sine is x; NaN beyond -1 and 1."""
    def asinh(self) -> Tensor:
        """Elementwise the number whose hyperbolic sine is x."""
    def atan(self) -> Tensor:
        """Elementwise the angle whose tangent is x."""
    def atan2(self, other: ArrayLike | Number) -> Tensor:
        """The angle of the point (other, input) in radians, from -pi to pi; see add."""
    def atanh(self) -> Tensor:
        """Elementwise the number whose hyperbolic tangent is x; NaN beyond -1 and 1."""
    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: builtins.bool | None = None,
        create_graph: builtins.bool = False,
    ) -> None:
        """Adds the gradient of this tensor into .grad of every leaf that it was computed from.

        `gradient` (default: one, for a single element) is where it starts. create_graph records the
        pass for higher derivatives; retain_graph (default: create_graph) allows another pass."""
    def bfloat16(self) -> Tensor:
        """As bfloat16."""
    def bool(self) -> Tensor:
        """As bool: true where not 0."""
    def ceil(self) -> Tensor:
        """Elementwise the smallest whole number that is not below x; its gradient is 0."""
    def clamp(self, min: Number | None = None, max: Number | None = None) -> Tensor:
        """Elementwise x between two bounds, which take its place outside; NaN stays. The gradient at a
        bound is that of x. Raises ArgumentError where neither bound is given."""
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
    def cosh(self) -> Tensor:
        """Elementwise the hyperbolic cosine."""
    def cpu(self) -> Tensor:
        """The tensor on the CPU."""
    def cuda(self) -> Tensor:
        """The tensor on the first GPU."""
    def cumprod(self, dim: builtins.int) -> Tensor:
        """The running product along `dim`: each element and all before it. Integers and bool multiply
        as int64."""
    def cumsum(self, dim: builtins.int) -> Tensor:
        """The running sum along `dim`: each element and all before it. Integers and bool sum as int64."""
    def data_ptr(self) -> builtins.int:
        """The address of the first element."""
    def detach(self) -> Tensor:
        """A view of the same memory outside the graph."""
    def dim(self) -> builtins.int:
        """The number of dimensions."""
    def div(self, other: ArrayLike | Number) -> Tensor:
        """input / other, with broadcasting; integers give float32. See add."""
    def div_(self, other: ArrayLike | Number) -> Tensor:
        """Divides in place."""
    def double(self) -> Tensor:
        """As float64."""
    def eq(self, other: ArrayLike | Number) -> Tensor:
        """input == other, elementwise, as bool."""
    def erf(self) -> Tensor:
        """Elementwise the error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x."""
    def erfc(self) -> Tensor:
        """Elementwise 1 - erf(x), without its loss of digits for large x."""
    def exp(self) -> Tensor:
        """Elementwise e to the power x."""
    def exp2(self) -> Tensor:
        """Elementwise 2 to the power x."""
    @overload
    def expand(self, shape: Shape) -> Tensor:
        """A view in which sizes of 1 repeat and new dimensions come in front; -1 keeps a size."""
    @overload
    def expand(self, *shape: builtins.int) -> Tensor:
        """A view in which sizes of 1 repeat and new dimensions come in front; -1 keeps a size."""
    def expm1(self) -> Tensor:
        """Elementwise exp(x) - 1, exact for small x."""
    def fill_(self, value: builtins.float) -> Tensor:
        """Sets every element."""
    def flatten(self, start_dim: builtins.int = 0, end_dim: builtins.int = -1) -> Tensor:
        """Joins the dimensions from start_dim to end_dim into one."""
    def float(self) -> Tensor:
        """As float32."""
    def floor(self) -> Tensor:
        """Elementwise the largest whole number that is not above x; its gradient is 0."""
    def floor_divide(self, other: ArrayLike | Number) -> Tensor:
        """input / other rounded towards minus infinity, as // in Python; see add.

        Integers stay integers, and a division by 0 gives 0. Its gradient is 0."""
    def fmod(self, other: ArrayLike | Number) -> Tensor:
        """What is left of input divided by other, with the sign of input; see add.

        Of integers, a division by 0 leaves 0."""
    def gather(self, dim: builtins.int, index: ArrayLike) -> Tensor:
        """out[i][j][k] = input[i][index[i][j][k]][k] for dim 1 of three, and so on.

        index is int64, with the input's sizes outside `dim`; a value out of range raises
        IndexRangeError."""
    def ge(self, other: ArrayLike | Number) -> Tensor:
        """input >= other, elementwise, as bool."""
    def gt(self, other: ArrayLike | Number) -> Tensor:
        """input > other, elementwise, as bool."""
    def half(self) -> Tensor:
        """As float16."""
    def hardswish(self) -> Tensor:
        """Elementwise x relu6(x + 3) / 6 (Howard et al., 2019)."""
    def int(self) -> Tensor:
        """As int32."""
    def is_contiguous(self, memory_format: memory_format | None = None) -> builtins.bool:
        """Whether the elements are in order without gaps. An image of one channel or pixel is so in
        either memory format."""
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
    def log(self) -> Tensor:
        """Elementwise the natural logarithm; -inf at 0, NaN below."""
    def log10(self) -> Tensor:
        """Elementwise the logarithm to base 10; -inf at 0, NaN below."""
    def log1p(self) -> Tensor:
        """Elementwise log(1 + x), exact for small x."""
    def log2(self) -> Tensor:
        """Elementwise the logarithm to base 2; -inf at 0, NaN below."""
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
    def matmul(self, other: ArrayLike) -> Tensor:
        """The matrix product of [..., m, k] and [..., k, n], batches broadcast; a vector is a
        row on the left and a column on the right. Any strides, no copy.

        Raises ShapeError where the inner sizes differ."""
    def max(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Any:
        """The largest element as a Tensor; with `dim`, the pair (values, indices) along it."""
    def maximum(self, other: ArrayLike | Number) -> Tensor:
        """The larger of two, elementwise; NaN wins, a tie shares the gradient."""
    def mean(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The arithmetic mean over `dim` (None: all dimensions); floating tensors only."""
    def min(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Any:
        """The smallest element as a Tensor; with `dim`, the pair (values, indices) along it."""
    def minimum(self, other: ArrayLike | Number) -> Tensor:
        """The smaller of two, elementwise; NaN wins, a tie shares the gradient."""
    def mish(self) -> Tensor:
        """Elementwise x tanh(-logsigmoid(-x)) (Misra, 2019)."""
    def mul(self, other: ArrayLike | Number) -> Tensor:
        """input * other, with broadcasting; see add."""
    def mul_(self, other: ArrayLike | Number) -> Tensor:
        """Multiplies in place."""
    def narrow(self, dim: builtins.int, start: builtins.int, length: builtins.int) -> Tensor:
        """A view of `length` elements of dimension `dim` from `start`.

        Raises IndexRangeError where they do not exist."""
    def ne(self, other: ArrayLike | Number) -> Tensor:
        """input != other, elementwise, as bool."""
    def neg(self) -> Tensor:
        """Elementwise -x."""
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
    def permute(self, dims: Shape) -> Tensor:
        """A view with the dimensions in the order `dims`."""
    def pin_memory(self) -> Tensor:
        """The tensor in page-locked memory, which a GPU copies from while the CPU goes on; itself where
        it is.

            batch = x.pin_memory().to("cuda", non_blocking=True)"""
    def pow(self, other: ArrayLike | Number) -> Tensor:
        """input to the power other, with broadcasting; see add.

        Of integers an integer, which wraps around; a negative power of one is 0, but for 1 and -1."""
    def prod(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The product over `dim` (None: all dimensions), 1 of nothing. Integers and bool multiply as int64."""
    def reciprocal(self) -> Tensor:
        """Elementwise 1 / x."""
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
    def remainder(self, other: ArrayLike | Number) -> Tensor:
        """What is left of input // other, with the sign of other, as % in Python; see add.

        Of integers, a division by 0 leaves 0."""
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
    def retain_grad(self) -> None:
        """Keeps .grad of this tensor though it is no leaf."""
    def round(self) -> Tensor:
        """Elementwise the nearest whole number, of two the even one; its gradient is 0."""
    def rsqrt(self) -> Tensor:
        """Elementwise 1 / sqrt(x)."""
    def scatter_add(self, dim: builtins.int, index: ArrayLike, src: ArrayLike) -> Tensor:
        """A copy of input with src[i][j][k] added at [i][index[i][j][k]][k] (for dim 1).

        The additions to one element run in the order of src, so the result is deterministic."""
    def selu(self) -> Tensor:
        """Elementwise 1.0507 x above 0, 1.7581 (exp(x) - 1) below (Klambauer et al., 2017)."""
    def sigmoid(self) -> Tensor:
        """Elementwise 1 / (1 + exp(-x))."""
    def sign(self) -> Tensor:
        """Elementwise -1, 0 or 1; its gradient is 0."""
    def silu(self) -> Tensor:
        """Elementwise x sigmoid(x), also called swish (Hendrycks and Gimpel, 2016)."""
    def sin(self) -> Tensor:
        """Elementwise the sine of x in radians."""
    def sinh(self) -> Tensor:
        """Elementwise the hyperbolic sine."""
    def size(self, dim: builtins.int | None = None) -> Any:
        """The shape, or the size of one dimension."""
    def softmax(self, dim: builtins.int) -> Tensor:
        """exp(x) / sum(exp(x)) along `dim`, without overflow."""
    def softsign(self) -> Tensor:
        """Elementwise x / (1 + |x|) (Bergstra et al., 2009)."""
    def sqrt(self) -> Tensor:
        """Elementwise the square root; NaN below 0."""
    def square(self) -> Tensor:
        """Elementwise x * x."""
    def squeeze(self, dim: builtins.int | None = None) -> Tensor:
        """Drops dimension `dim` if its size is 1; None: all such dimensions."""
    def std(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        correction: builtins.int = 1,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The square root of var."""
    def stride(self) -> tuple[builtins.int, ...]:
        """The distance between neighbours per dimension, in elements."""
    def sub(self, other: ArrayLike | Number) -> Tensor:
        """input - other, with broadcasting; see add."""
    def sub_(self, other: ArrayLike | Number) -> Tensor:
        """Subtracts in place."""
    def sum(
        self,
        dim: builtins.int | Sequence[builtins.int] | None = None,
        keepdim: builtins.bool = False,
    ) -> Tensor:
        """The sum over `dim` (None: all dimensions). Integers and bool sum as int64.

        The order of the additions depends on shape and strides alone, so the result has
        the same bits at any number of threads."""
    def tan(self) -> Tensor:
        """Elementwise the tangent of x in radians."""
    def tanh(self) -> Tensor:
        """Elementwise the hyperbolic tangent."""
    def tanhshrink(self) -> Tensor:
        """Elementwise x - tanh(x)."""
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
    def transpose(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """A view with two dimensions exchanged."""
    def trunc(self) -> Tensor:
        """Elementwise the whole number next to x towards 0; its gradient is 0."""
    def uniform_(
        self,
        low: builtins.float = 0.0,
        high: builtins.float = 1.0,
        generator: Generator | None = None,
    ) -> Tensor:
        """Draws every element uniformly from [low, high)."""
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
    def zero_(self) -> Tensor:
        """Sets every element to 0."""
