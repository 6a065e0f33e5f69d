"""What the machine code of the tensor-core kernels has to show, in libfastdl_cuda.so.

    python -m tools.sass_gates LIBRARY

A matrix kernel can compile without a word and still not be one: tensor-core instructions lost to an
#if, accumulators in local memory. So the kernels whose names say what they are made of are read:

* `wgmma` in the name: HGMMA in the code for sm_90a. For other architectures such a kernel is empty.
* `mma` in the name: HMMA in the code for every architecture.
* either of them, and every other kernel that multiplies matrices (HOT): no loads from and no stores
  to local memory (LDL, STL), by which ptxas spills registers and indexes arrays.

LIBRARY is read by cuobjdump, a part of the CUDA toolkit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tools import kernel_resources as resources

HOT = {"conv2d", "gemm", "lstm", "gru", "mma", "skinny", "wgmma"}  # words of kernels' names
TENSOR = {"wgmma": "HGMMA", "mma": "HMMA"}
LOCAL = ("LDL", "STL")
SHORTEST = 64  # instructions; fewer are the empty body of a kernel for another architecture


class Code(NamedTuple):
    """One kernel's machine code on one architecture: how often each instruction occurs."""

    arch: str
    symbol: str
    opcodes: Counter[str]


def parse(lines: Iterable[str]) -> Iterator[Code]:
    """The kernels in the output of cuobjdump -sass; opcodes without their modifiers."""
    arch = ""
    code: Code | None = None
    for line in lines:
        words = line.split()
        if words[:2] == ["code", "for"] or words[:2] == ["Function", ":"]:
            if code:
                yield code
            code = None
            if words[0] == "code":
                arch = words[-1]
            else:
                code = Code(arch, words[-1], Counter())
        elif code and words and words[0].startswith("/*") and len(words) > 2:
            # "/*0040*/  @!P0 BRA 0x7f0 ; /* ... */", and a line with the rest of the encoding
            rest = words[1:]
            if rest[0].startswith("@"):
                rest = rest[1:]
            if rest[0].startswith("0x"):
                continue
            code.opcodes[rest[0].split(".")[0].rstrip(";")] += 1
    if code:
        yield code


def complaints(code: Code, name: str) -> Iterator[str]:
    """What is wrong with a kernel of this (base) name."""
    parts = set(name.split("_"))
    for part, opcode in TENSOR.items():
        own = part != "wgmma" or code.arch == "sm_90a"
        if part in parts and own and not code.opcodes[opcode]:
            yield f"{code.arch}: {name} has no {opcode}"
    for opcode in LOCAL:
        if parts & HOT and code.opcodes[opcode]:
            yield f"{code.arch}: {name} has {code.opcodes[opcode]} {opcode} (local memory)"


def is_empty(code: Code) -> bool:
    """Whether this is no kernel, but what the compiler leaves where there is none."""
    return sum(n for opcode, n in code.opcodes.items() if opcode != "NOP") < SHORTEST


def check(codes: Iterable[Code], names: dict[str, str]) -> tuple[list[str], Counter[str]]:
    """All complaints, and how many kernels have each of the words in their names.

    Args:
        codes: kernels; those that are not hot may be missing.
        names: from symbols to base names.
    """
    wrong: list[str] = []
    counts: Counter[str] = Counter()
    for code in codes:
        name = names[code.symbol]
        parts = set(name.split("_"))
        if "wgmma" in parts and code.arch != "sm_90a":
            if not is_empty(code):
                wrong.append(f"{code.arch}: {name} is not empty")
            continue
        counts.update(f"{code.arch} {part}" for part in TENSOR if part in parts)
        wrong += [f"{line}: {code.symbol}" for line in complaints(code, name)]
    return wrong, counts


def hot_symbols(library: Path, cuobjdump: str) -> dict[str, str]:
    """Base names of the kernels that are looked at, by symbol."""
    usage = resources.output(cuobjdump, "--dump-resource-usage", str(library))
    symbols = sorted({kernel.symbol for kernel in resources.parse(usage)})
    demangled = resources.output("c++filt", text="\n".join(symbols)).splitlines()
    names = {
        symbol: resources.base_name(name)[0]
        for symbol, name in zip(symbols, demangled, strict=True)
    }
    return {symbol: name for symbol, name in names.items() if HOT & set(name.split("_"))}


def main() -> int:
    """Reads a library and prints what is wrong with it; exit status 1 if anything is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("library", type=Path, help="libfastdl_cuda.so")
    parser.add_argument("--cuobjdump", metavar="PATH", help="where it is not beside nvcc")
    parser.add_argument(
        "--expect",
        default="sm_90a wgmma,sm_80 mma,sm_90a mma",
        help="of which there has to be a kernel (default: %(default)s)",
    )
    args = parser.parse_args()
    if not args.library.is_file():
        parser.error(f"there is no {args.library}")
    cuobjdump = args.cuobjdump or resources.find("cuobjdump")
    names = hot_symbols(args.library, cuobjdump)
    command = [cuobjdump, "-sass", "-fun", ",".join(names), str(args.library)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as dump:
        assert dump.stdout
        wrong, counts = check(parse(dump.stdout), names)
    if dump.returncode:
        sys.exit(f"cuobjdump failed with {dump.returncode}")
    wrong += [f"there is no kernel for {e}" for e in args.expect.split(",") if not counts[e]]
    for line in wrong:
        print(line)
    print(", ".join(f"{n} of {word}" for word, n in sorted(counts.items())) or "no kernels")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
