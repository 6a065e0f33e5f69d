"""Functions of `fastdl.functional` that are composed of compiled ones, a file per subject.

A function is here, and not in C++, where composing it costs neither speed nor accuracy. Each has a
door (`fastdl.composed.door`), so that bad arguments are refused under its own name.
"""

from importlib import import_module
from pkgutil import iter_modules

from fastdl.composed.door import COMPOSED

__all__ = ["COMPOSED"]

for _subject in iter_modules(__path__):
    import_module(f"fastdl.composed.{_subject.name}")
