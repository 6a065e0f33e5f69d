"""The CUDA backend: whether it is there, its streams and events, and its memory.

    >>> import fastdl
    >>> side = fastdl.cuda.Stream()
    >>> x = fastdl.empty(1024, pin_memory=True)
    >>> with fastdl.cuda.stream(side):
    ...     y = x.to("cuda", non_blocking=True) * 2
    >>> fastdl.cuda.current_stream().wait_stream(side)

Everything that needs a GPU raises `DeviceError`, with the reason, where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastdl import _core
from fastdl._core import Event, Stream, current_stream
from fastdl.errors import ArgumentError

__all__ = [
    "Event",
    "Stream",
    "current_stream",
    "device_count",
    "empty_cache",
    "is_available",
    "memory_info",
    "memory_stats",
    "reset_peak_memory",
    "set_memory_limit",
    "set_sync_debug",
    "status",
    "stream",
    "sync_debug",
    "synchronize",
]


def is_available() -> bool:
    """Whether the CUDA library, a driver and a device were found."""
    return _core.cuda_status()[0]


def status() -> str:
    """The name of the GPU, or why CUDA cannot be used."""
    return _core.cuda_status()[1]


def device_count() -> int:
    """Number of CUDA devices; 0 where there is no CUDA."""
    return _core.cuda_device_count()


def synchronize(device: str = "cuda") -> None:
    """Wait until all work that was queued on a device, on any stream, is done."""
    _core.synchronize(device)


@contextmanager
def stream(s: Stream) -> Iterator[Stream]:
    """Give the work of this thread to a stream.

    Kernels, copies and allocations inside go to `s`. Streams are not ordered among each other: what
    `s` is to read must have been made on it, or waited for (`wait_stream`, `wait_event`), and a
    tensor of another stream must not be freed before `s` has used it, or say so (`record_stream`).

    Example:
        side = fastdl.cuda.Stream()
        side.wait_stream(fastdl.cuda.current_stream())
        with fastdl.cuda.stream(side):
            y = x @ x
        x.record_stream(side)
        fastdl.cuda.current_stream().wait_stream(side)
    """
    before = current_stream(s.device)
    _core._set_current_stream(s)
    try:
        yield s
    finally:
        _core._set_current_stream(before)


def set_sync_debug(on: bool) -> None:
    """Wait for every kernel, so that a fault inside it is raised by its own op. Slow.

    The environment variable ``FASTDL_CUDA_SYNC=1`` does the same from the start.

    Example:
        fastdl.cuda.set_sync_debug(True)
        model(x)  # DeviceError: conv2d: kernel failed on cuda:0: an illegal memory access ...
    """
    _core._set_sync_debug(on)


def sync_debug() -> bool:
    """Whether every kernel is waited for."""
    return _core._sync_debug()


def memory_info(device: str = "cuda") -> tuple[int, int]:
    """Free and total bytes of a device, as the driver counts them."""
    return _core._cuda_memory_info(device)


def memory_stats(device: str = "cuda") -> dict[str, int]:
    """Figures of a device's allocator.

    Returns:
        ``in_use``: bytes of blocks handed out now.
        ``peak``: the most that ``in_use`` has been since the start or `reset_peak_memory`.
        ``cached``: bytes of freed blocks that can be handed out at once.
        ``largest_cached``: the largest of them.
        ``waiting``: bytes of freed blocks that another stream may still use (`record_stream`).
        ``requests``: allocations asked for.
        ``raw_requests``: of these, those that went to the driver (cudaMalloc).
        ``retries``: of these, those for which the cache was given back to make room. A number
        that grows from step to step says that the memory is too small for the work.

    Sizes are those of blocks, up to an eighth more than was asked for. Freed blocks are kept per
    stream and handed out to the stream that they were allocated on.

    Example:
        fastdl.cuda.memory_stats()["peak"] / 2**20  # MiB
    """
    return _core.memory_stats(device)


def reset_peak_memory(device: str = "cuda") -> None:
    """Start ``peak`` of `memory_stats` anew, from what is in use now."""
    _core._reset_peak(device)


def set_memory_limit(limit: float | None, device: str = "cuda") -> None:
    """Take at most so much of a device's memory, to leave some to other programs.

    Args:
        limit: bytes as an int, a fraction of the device's memory as a float up to 1.0, or None for
            no limit. A request beyond it raises `OutOfMemoryError`, as if the device had no more.
        device: which device.

    Example:
        fastdl.cuda.set_memory_limit(0.5)
    """
    if limit is None:
        _core._set_memory_limit(device, None)
        return
    in_bytes = isinstance(limit, int)
    if not (limit >= 0 if in_bytes else 0.0 <= limit <= 1.0):
        raise ArgumentError(
            "set_memory_limit",
            f"the limit is {limit}",
            remedy="use bytes as an int, or a fraction from 0.0 to 1.0",
        )
    total = memory_info(device)[1]
    _core._set_memory_limit(device, int(limit) if in_bytes else int(limit * total))


def empty_cache(device: str = "cuda") -> None:
    """Give the allocator's unused memory back to the driver. Waits for the device."""
    _core.empty_cache(device)
