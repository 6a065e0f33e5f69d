"""The CUDA backend: whether it is there, and its memory."""

from __future__ import annotations

from typing import Any

from fastdl import _core

__all__ = [
    "device_count",
    "empty_cache",
    "is_available",
    "memory_stats",
    "synchronize",
    "unavailable_reason",
]


def is_available() -> bool:
    """Whether the CUDA library, a driver and a device were found."""
    return bool(_core.cuda_status()[0])


def unavailable_reason() -> str:
    """Why CUDA cannot be used; empty if it can."""
    available, reason = _core.cuda_status()
    return "" if available else str(reason)


def device_count() -> int:
    """Number of CUDA devices; 0 where there is no CUDA."""
    return int(_core.cuda_device_count())


def synchronize() -> None:
    """Wait until all work that was queued on the current device is done."""
    _core.synchronize()


def memory_stats(device: Any = "cuda") -> dict[str, int]:
    """Bytes allocated and cached by the allocator of a device, with their peaks."""
    return dict(_core.memory_stats(device))


def empty_cache(device: Any = "cuda") -> None:
    """Give the allocator's unused memory back to the driver."""
    _core.empty_cache(device)
