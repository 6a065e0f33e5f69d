"""Compiling a model for inference; docs/compile.md has the design."""

from __future__ import annotations

from fastdl.compiler.compiled import CompiledModel, compile  # noqa: A004 - as in PyTorch
from fastdl.compiler.report import Report

__all__ = ["CompiledModel", "Report", "compile"]
