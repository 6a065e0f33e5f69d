"""What the figures were measured on."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import fastdl
from fastdl import _core

__all__ = ["describe", "usable_cores"]


def describe() -> dict[str, Any]:
    """Machine, versions, commit and date; everything is a string, a number or a dict of strings."""
    return {
        "cpu": _cpu_model(),
        "cores": usable_cores(),
        "isa": _core.isa(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "commit": _commit(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "versions": {
            "python": platform.python_version(),
            "fastdl": fastdl.__version__,
            **{name: _version(name) for name in ("torch", "numpy", "onnxruntime", "jax")},
        },
    }


def usable_cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _cpu_model() -> str:
    """The model's name, with family and model numbers, since virtual machines hide the name."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    fields: dict[str, str] = {}
    for line in info.read_text(encoding="utf-8").splitlines():
        name, found, value = line.partition(":")
        if found:
            fields.setdefault(name.strip(), value.strip())
    name = fields.get("model name", platform.machine())
    return f"{name} (family {fields.get('cpu family', '?')}, model {fields.get('model', '?')})"


def _commit() -> str:
    root = Path(__file__).resolve().parent.parent

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "--short", "HEAD")
        return (commit + ("+" if git("status", "--porcelain") else "")) or "unknown"
    except OSError:  # no git here
        return "unknown"
