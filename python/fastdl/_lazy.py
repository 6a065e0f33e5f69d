"""Names of a package whose files are imported when a name is first used (PEP 562).

A package has a table of its files and the names that each defines::

    HOMES = {"linear": "Linear", "loss": "CTCLoss MSELoss"}
    __getattr__, __dir__ = attach(__name__, HOMES)

`fastdl.nn`, `fastdl.functional` and `fastdl` itself do: most programs use a tenth of their names.
Type checkers and editors read a stub file, which `tools/stubs.py` makes from the same table.

A file must not have the name of something else that its package exports: Python would put the
module in its place, whenever the file is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["attach"]


def attach(
    package: str, homes: Mapping[str, str], source: str = ""
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The functions `__getattr__` and `__dir__` of a module that imports late.

    Args:
        package: the module's own name.
        homes: the names, separated by blanks, by the file that defines them, a dotted path below
            `source`.
        source: the package of the files. Default: `package` itself, of which the files, being its
            submodules, are then attributes as well.
    """
    home = {name: file for file, names in homes.items() for name in names.split()}
    files = () if source else tuple(file for file in homes if "." not in file)
    source = source or package
    module = sys.modules[package]

    def __getattr__(name: str) -> Any:  # noqa: N807
        if name in home:
            value = getattr(import_module(f"{source}.{home[name]}"), name)
            setattr(module, name, value)  # the next time Python finds it without asking
            return value
        if name in files:
            return import_module(f"{source}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}", name=name, obj=module)

    def __dir__() -> list[str]:  # noqa: N807
        return sorted({*vars(module), *home, *files})

    return __getattr__, __dir__
