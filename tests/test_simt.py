"""The host model of CUDA (docs/simt.md) finds every planted fault, and none in correct kernels.

The model is built with -DFASTDL_SIMT=ON; FASTDL_CUDA_LIBRARY names its library, and the program
with the faults lies beside it.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

SIMT = Path(__file__).parent / "simt"
PROGRAMS = Path(os.environ.get("FASTDL_CUDA_LIBRARY") or "none").parent / "simt_programs"
ORDERS = ["forward", "reverse", "shuffled"]


def planted(folder):
    """(name of the program, its file, {line: kinds of fault} of the kernel before it)."""
    found = []
    for path in sorted((SIMT / folder).glob("*.cu")):
        faults = {}
        for number, line in enumerate(path.read_text().splitlines(), 1):
            kinds = re.findall(r"FAULT: ([a-z-]+)", line)
            if kinds:
                faults[number] = kinds
            program = re.match(r"PROGRAM\((\w+)\)", line)
            if program:
                found.append((program[1], path, faults))
                faults = {}
    return found


FAULTS = planted("faults")
WRAPPERS = planted("wrappers")

needs_model = pytest.mark.skipif(
    not PROGRAMS.exists(), reason="the host model of CUDA is not built (docs/simt.md)"
)


def run(name, *arguments, order="forward"):
    result = subprocess.run(
        [PROGRAMS, name, *arguments],
        env={**os.environ, "SIMT_ORDER": order},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode in (0, 1), f"{name} died with {result.returncode}: {result.stderr}"
    return result.returncode, result.stdout + result.stderr


def parameters(programs):
    return [pytest.param(*p, id=p[0]) for p in programs]


def test_every_fault_says_what_it_is():
    assert len(FAULTS) > 20
    for name, path, faults in FAULTS:
        assert faults, f"{path.name}: no line before PROGRAM({name}) says FAULT: kind"


@needs_model
def test_the_program_has_every_file():
    names = subprocess.run([PROGRAMS], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(names) == sorted(name for name, _, _ in FAULTS + WRAPPERS)


@needs_model
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("name", "path", "faults"), parameters(FAULTS))
def test_fault_is_caught_where_it_is(name, path, faults, order):
    code, message = run(name, order=order)
    assert code == 1, f"{name} was not caught: {message}"
    lines = {int(n) for n in re.findall(rf"faults/{re.escape(path.name)}:(\d+)", message)}
    kind = message.split(":")[0]
    assert any(kind in faults.get(line, []) for line in lines), message


@needs_model
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("name", "path", "faults"), parameters(FAULTS))
def test_corrected_kernel_passes(name, path, faults, order):
    code, message = run(name, "fixed", order=order)
    assert code == 0, message


@needs_model
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("name", "path", "faults"), parameters(WRAPPERS))
def test_wrapper(name, path, faults, order):
    code, message = run(name, "fixed", order=order)
    assert code == 0, message
