"""Includes and imports point down the layers only, and files stay short."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CSRC = ROOT / "csrc"
PACKAGE = ROOT / "python" / "fastdl"

# What a file of each layer may include: its own layer and these.
BELOW = {
    "core": set(),
    "autograd": {"core"},
    "cpu": {"core"},
    "cuda": {"core"},
    "ops": {"autograd", "core"},
    "ops on the CPU": {"ops", "cpu", "core"},
    "ops on CUDA": {"ops", "cuda", "core"},
    "bindings": {"ops", "autograd", "core"},
}
KERNEL_LAYERS = {"cpu", "cuda", "ops on the CPU", "ops on CUDA"}

# Packages and modules of python/fastdl from the ground up; one may import what is on an earlier
# line, and its own line only within the same package.
PYTHON_LAYERS = [
    {"_core", "errors"},
    {"_lazy", "_repr", "_table", "autocast", "autograd", "capture"},
    {"composed"},
    {"functional"},
    {"init", "symbolic"},
    {"nn"},
    {"compiler", "cuda", "explanation", "graph", "io", "metrics", "optim", "progress"},
    {"data", "diagram", "viz"},
    {"train"},
    {"models"},
    {"recipes"},
    {"cli"},
]

NATIVE = sorted(p for s in ("h", "cc", "cu", "cuh") for p in CSRC.rglob(f"*.{s}"))
PYTHON = sorted(PACKAGE.rglob("*.py"))
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def layer(path: Path) -> str:
    """The layer of a native file, by its folder and, in ops, its suffix."""
    folder = path.relative_to(CSRC).parts[0]
    if path.stem == "thread_pool":
        return "core"  # it runs kernels and is none: part of the extension module, built once
    if folder == "ops":
        if path.stem.endswith("_cpu"):
            return "ops on the CPU"
        if path.stem.endswith("_cuda"):
            return "ops on CUDA"
    return folder


@cache
def includes(path: Path) -> tuple[Path, ...]:
    """The files of ours that a file includes, all written from csrc/."""
    found = tuple(CSRC / name for name in INCLUDE.findall(path.read_text(encoding="utf-8")))
    missing = [str(p.relative_to(CSRC)) for p in found if not p.is_file()]
    assert not missing, f"{path.relative_to(ROOT)} includes {missing}, which csrc/ does not have"
    return found


@cache
def reached(path: Path) -> frozenset[Path]:
    """All files of ours that a file includes, directly or not."""
    seen: set[Path] = set()
    todo = [path]
    while todo:
        for target in includes(todo.pop()):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return frozenset(seen)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_there_is_something_to_check():
    assert len(NATIVE) > 50
    assert len(PYTHON) > 20


@pytest.mark.parametrize("path", NATIVE, ids=relative)
def test_includes_point_down(path):
    own = layer(path)
    allowed = BELOW[own] | {own}
    wrong = [relative(p) for p in includes(path) if layer(p) not in allowed]
    assert not wrong, f"{relative(path)} ({own}) may include {sorted(allowed)}, not {wrong}"


@pytest.mark.parametrize("path", [p for p in NATIVE if layer(p) in KERNEL_LAYERS], ids=relative)
def test_kernels_see_no_tensor(path):
    assert CSRC / "core" / "tensor.h" not in reached(path)


def test_no_circular_includes():
    circular = [relative(p) for p in NATIVE if p in reached(p)]
    assert not circular


def rank(name: str) -> int:
    """The line of PYTHON_LAYERS that names a module of the package."""
    for number, names in enumerate(PYTHON_LAYERS):
        if name in names:
            return number
    raise AssertionError(f"python/fastdl/{name} is not in PYTHON_LAYERS")


def imports(path: Path) -> set[str]:
    """First names below fastdl that a module imports, at its top or later."""
    package = ("fastdl", *path.relative_to(PACKAGE).with_suffix("").parts[:-1])
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            found |= {(*module, alias.name) for alias in node.names}
    return {name[1] for name in found if name[0] == "fastdl" and len(name) > 1}


MODULES = [p for p in PYTHON if p.parent != PACKAGE or p.stem not in {"__init__", "__main__"}]


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_python_imports_point_down(path):
    own = path.relative_to(PACKAGE).with_suffix("").parts[0]
    modules = {p.name.removesuffix(".py") for p in PACKAGE.iterdir()} | {"_core"}
    used = imports(path) & modules - {own}
    wrong = sorted(name for name in used if rank(name) >= rank(own))
    assert not wrong, f"{relative(path)} imports {wrong}, which lie beside it or above"


def test_files_are_short():
    folders = ["csrc", "python", "tests", "bench", "tools", "cmake"]
    suffixes = {".h", ".cc", ".cu", ".cuh", ".py", ".cmake"}
    files = [p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in suffixes]
    lengths = {relative(p): len(p.read_text(encoding="utf-8").splitlines()) for p in files}
    assert not {name: n for name, n in lengths.items() if n > 600}


def test_every_family_is_in_the_build_list():
    text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
    listed = re.search(r"set\(FASTDL_OPS\s([^)]*)\)", text).group(1).split()
    families = {
        re.sub(r"_(cpu|cuda)$", "", p.stem)
        for p in (CSRC / "ops").iterdir()
        if p.suffix in {".cc", ".cu"}
    }
    assert sorted(families) == listed
