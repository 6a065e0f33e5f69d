# The part of python/fastdl/_core.pyi that is not made from the signature table; see stubs.py.

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

# functions of the table

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

    # methods of the table
