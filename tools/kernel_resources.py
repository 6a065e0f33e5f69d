"""What each CUDA kernel takes of a multiprocessor, held to the table csrc/cuda/resources.txt.

ptxas decides how many registers a kernel has, and with them how many blocks are resident at once: a
change that looks harmless in the source can cost half of the occupancy. So the table is committed,
and a difference is an error, to be looked at and then recorded.

    python tools/kernel_resources.py LIBRARY --check    compare with the table
    python tools/kernel_resources.py LIBRARY --write    record what is there now

LIBRARY is libfastdl_cuda.so with code for both architectures. It is read by cuobjdump, a part of
the CUDA toolkit (alone: pip install nvidia-cuda-cuobjdump), and names are demangled by c++filt.
Another compiler allocates other registers: the table names its nvcc, and another one's library is
not compared.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).resolve().parent.parent / "csrc" / "cuda" / "resources.txt"
NUMBERS = ("REG", "SHARED", "STACK")
COLUMNS = (("count", 8), ("registers", 11), ("shared", 8), ("stack", 7))  # and their widths
VARIANTS = 8  # rows of one kernel at most; with more, they are joined to one

HEAD = """\
# Made by tools/kernel_resources.py from libfastdl_cuda.so. Do not edit.
# The greatest number of registers, and of bytes of static shared memory and of stack, over the
# instantiations (count) of a kernel. One that uses shared memory has a row for each tile: the
# whole numbers among its template arguments. sm_90 keeps 1024 bytes of a block's shared memory.
"""


class Kernel(NamedTuple):
    """One instantiation on one architecture."""

    arch: str
    symbol: str
    registers: int
    shared: int
    stack: int


class Summary(NamedTuple):
    """A row of the table on one architecture: how many instantiations, and their maxima."""

    instances: int
    registers: int
    shared: int
    stack: int


Rows = dict[str, dict[str, Summary]]  # by row and by architecture


def parse(text: str) -> Iterator[Kernel]:
    """The kernels in the output of cuobjdump --dump-resource-usage."""
    arch = symbol = ""
    for line in text.splitlines():
        words = line.split()
        if line.startswith("arch = "):
            arch = words[-1]
        elif words[:1] == ["Function"]:
            symbol = words[1].rstrip(":")
        elif words and words[0].startswith("REG:"):
            fields = dict(word.split(":") for word in words if "[" not in word)
            yield Kernel(arch, symbol, *(int(fields[name]) for name in NUMBERS))


def family(symbol: str) -> str:
    """The family of ops whose source file instantiates a kernel, as far as its name says.

    nvcc names an anonymous namespace after its file: _GLOBAL__N__ and a hash, the length of what
    follows, the file's name, and another hash.
    """
    found = re.search(r"_GLOBAL__N__[0-9a-f]{8}_(\d+)_(\w+)", symbol)
    if not found:
        return ""
    return re.sub(r"(_cuda)?_cu$", "", found[2][: int(found[1])])


def base_name(name: str) -> tuple[str, list[str]]:
    """A demangled kernel's name without namespaces, and its template arguments."""
    name = name.removeprefix("void ").replace("(anonymous namespace)::", "")
    end = re.search(r"[<(]|$", name)
    assert end
    arguments: list[str] = []
    if name[end.start() :].startswith("<"):
        depth, begin = 0, end.start() + 1
        for at in range(end.start(), len(name)):
            depth += (name[at] in "<(") - (name[at] in ">)")
            if (name[at] == "," and depth == 1) or depth == 0:
                arguments.append(name[begin:at].strip())
                begin = at + 1
            if depth == 0:
                break
    return name[: end.start()].rsplit("::", 1)[-1], arguments


def tile(arguments: Sequence[str]) -> str:
    """The whole numbers among template arguments, inside of class templates too."""
    return ", ".join(re.findall(r"(?<![\w)])-?\d+", " ".join(arguments)))


def summarise(kernels: Iterable[Kernel], names: dict[str, str]) -> Rows:
    """Rows by family and kernel and, where shared memory is used, by tile.

    Args:
        kernels: instantiations.
        names: from symbols to demangled names.
    """
    groups: dict[str, dict[str, list[Kernel]]] = {}
    for kernel in kernels:
        base, arguments = base_name(names[kernel.symbol])
        source = family(kernel.symbol)
        title = f"{source}: {base}" if source else base
        groups.setdefault(title, {}).setdefault(tile(arguments), []).append(kernel)
    rows: Rows = {}
    for title, tiles in groups.items():
        every = [kernel for group in tiles.values() for kernel in group]
        if len(tiles) > VARIANTS or not any(kernel.shared for kernel in every):
            tiles = {"": every}
        for numbers, group in tiles.items():
            row = rows.setdefault(f"{title}<{numbers}>" if numbers else title, {})
            for arch in sorted({kernel.arch for kernel in group}):
                own = [kernel for kernel in group if kernel.arch == arch]
                maxima = (max(column) for column in list(zip(*own, strict=True))[2:])
                row[arch] = Summary(len(own), *maxima)
    return rows


def table(rows: Rows, compiler: str) -> str:
    """The table as text."""
    archs = sorted({arch for row in rows.values() for arch in row})
    width = max((len(name) for name in rows), default=0)
    fields = "".join(f"{name:>{size}}" for name, size in COLUMNS)
    lines = [
        f"# {compiler}",
        f"{'':<{width}}" + "".join(f"{arch:>{len(fields)}}" for arch in archs),
        f"{'kernel':<{width}}" + fields * len(archs),
    ]
    for name in sorted(rows):
        cells = ""
        for arch in archs:
            summary = rows[name].get(arch)
            for i, (_, size) in enumerate(COLUMNS):
                cells += f"{summary[i] if summary else '-':>{size}}"
        lines.append(f"{name:<{width}}{cells}")
    return HEAD + "\n".join(lines) + "\n"


def find(program: str) -> str:
    """Path of a program of the CUDA toolkit; says where to get it if there is none."""
    compiler = os.environ.get("CUDACXX") or shutil.which("nvcc") or ""
    home = os.environ.get("CUDA_HOME", "/usr/local/cuda")
    on_path = shutil.which(program)
    for path in (Path(compiler).resolve().parent, Path(home, "bin")):
        if os.access(path / program, os.X_OK):
            return str(path / program)
    if on_path:
        return on_path
    sys.exit(
        f"{program} was not found beside nvcc, in $CUDA_HOME/bin or on the PATH. It is part of the "
        f"CUDA toolkit; alone: pip install nvidia-cuda-{program}"
    )


def output(*command: str, text: str = "") -> str:
    """What a command prints; its failure ends the program."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr or done.stdout}")
    return done.stdout


def measure(library: Path, cuobjdump: str) -> Rows:
    """The rows of a library."""
    kernels = list(parse(output(cuobjdump, "--dump-resource-usage", str(library))))
    if not kernels:
        sys.exit(f"{library} holds no CUDA kernels")
    symbols = sorted({kernel.symbol for kernel in kernels})
    demangled = output("c++filt", text="\n".join(symbols)).splitlines()
    return summarise(kernels, dict(zip(symbols, demangled, strict=True)))


def compiler_version() -> str:
    """The line of nvcc --version that names release and build."""
    return output(find("nvcc"), "--version").strip().splitlines()[-2]


def main() -> int:
    """Prints, writes or checks the table; exit status 1 where it differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("library", type=Path, help="libfastdl_cuda.so")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", action="store_true", help="compare with the committed table")
    action.add_argument("--write", action="store_true", help="write the table")
    parser.add_argument("--table", type=Path, default=TABLE, help="csrc/cuda/resources.txt")
    parser.add_argument("--cuobjdump", metavar="PATH", help="where it is not beside nvcc")
    args = parser.parse_args()
    if not args.library.is_file():
        parser.error(f"there is no {args.library}")
    compiler = compiler_version()
    new = table(measure(args.library, args.cuobjdump or find("cuobjdump")), compiler)
    if args.write:
        args.table.write_text(new, encoding="utf-8")
        print(f"written: {args.table}")
    elif args.check:
        return check(args.table.read_text(encoding="utf-8"), new, compiler, str(args.library))
    else:
        print(new, end="")
    return 0


def check(old: str, new: str, compiler: str, library: str) -> int:
    """Compare two tables and say what differs; 1 if something does."""
    if f"# {compiler}\n" not in old:
        was = old[len(HEAD) :].splitlines()[0].removeprefix("# ")
        print(f"not compared: the table was made with {was}, and this is {compiler}")
        return 0
    if old == new:
        print(f"{library} agrees with the table of kernel resources")
        return 0
    sys.stdout.writelines(
        difflib.unified_diff(
            old.splitlines(keepends=True),
            new.splitlines(keepends=True),
            "resources.txt",
            library,
            n=0,
        )
    )
    print(
        "\nThe kernels take other resources than the table says. If that is meant, record it:\n"
        f"    python tools/kernel_resources.py {library} --write"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
