"""``fastdl doctor``: what fastdl is, and what it found on this machine."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
from pathlib import Path

import fastdl
from fastdl import _core, cuda
from fastdl.data import fetch

__all__ = ["command"]

_OPTIONAL = {
    "scikit-learn": "digits of the recipes",
    "matplotlib": "pictures of the recipes",
    "tqdm": "progress bars",
}


def command(_: argparse.Namespace) -> int:
    """Print the report; always succeeds, since a missing GPU is no fault."""
    info = _core.backend_info()
    sections = {
        "fastdl": _build(),
        "cpu": {
            "instruction set": f"{info['isa']} (built: {', '.join(info['available'])})",
            "threads": f"{info['threads']} (of {os.cpu_count()} processors)",
            "kernels": info["library_dir"],
            "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        },
        "cuda": _cuda(),
        "packages": {name: _package(name, use) for name, use in _OPTIONAL.items()},
        "data": {
            "cache folder": str(fetch.cache_folder()),
            "FASTDL_DATA": os.environ.get("FASTDL_DATA", "not set"),
            "Fashion-MNIST": _fashion_mnist(),
        },
    }
    for title, rows in sections.items():
        print(title)
        for label, text in rows.items():
            print(f"  {label:<18}{text}")
    return 0


def _build() -> dict[str, str]:
    return {
        "version": fastdl.__version__,
        "installed in": str(Path(fastdl.__file__).parent),
        "compiled module": str(_core.__file__),
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "numpy": importlib.metadata.version("numpy"),
        "safetensors": importlib.metadata.version("safetensors"),
    }


def _cuda() -> dict[str, str]:
    if not cuda.is_available():
        return {"available": "no", "reason": cuda.status()}
    return {"available": "yes", "device": cuda.status(), "devices": str(cuda.device_count())}


def _package(name: str, use: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return f"not installed; for the {use}: pip install 'fastdl[recipes]'"


def _fashion_mnist() -> str:
    found = fetch.find_all(fetch.FASHION_MNIST)
    return str(found[0].parent) if found else "not on this machine; downloaded when needed"
