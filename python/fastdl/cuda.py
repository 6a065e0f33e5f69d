"""The CUDA backend: whether it is there, and its memory."""

from __future__ import annotations

from fastdl import _core

__all__ = [
    "device_count",
    "empty_cache",
    "is_available",
    "memory_stats",
    "status",
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
    """Wait until all work that was queued on a device is done."""
    _core.synchronize(device)


def memory_stats(device: str = "cuda") -> dict[str, int]:
    """Bytes in use and cached by the allocator of a device, their peak, and its requests."""
    return _core.memory_stats(device)


def empty_cache(device: str = "cuda") -> None:
    """Give the allocator's unused memory back to the driver."""
    _core.empty_cache(device)
