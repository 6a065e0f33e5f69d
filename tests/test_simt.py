"""The host model of CUDA (docs/simt.md) finds every planted fault, and none in correct kernels.

The model is built with -DFASTDL_SIMT=ON; FASTDL_CUDA_LIBRARY names its library, and the program
with the faults lies beside it.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.planted import FAULTS, WRAPPERS, parameters

PROGRAMS = Path(os.environ.get("FASTDL_CUDA_LIBRARY") or "none").parent / "simt_programs"
ORDERS = ["forward", "reverse", "shuffled"]

if not PROGRAMS.exists():
    pytest.skip("the host model of CUDA is not built (docs/simt.md)", allow_module_level=True)


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


def test_every_fault_says_what_it_is():
    assert len(FAULTS) > 20
    for name, path, faults in FAULTS:
        assert faults, f"{path.name}: no line before PROGRAM({name}) says FAULT: kind"


def test_the_program_has_every_file():
    names = subprocess.run([PROGRAMS], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(names) == sorted(name for name, _, _ in FAULTS + WRAPPERS)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("name", "path", "faults"), parameters(FAULTS))
def test_fault_is_caught_where_it_is(name, path, faults, order):
    code, message = run(name, order=order)
    assert code == 1, f"{name} was not caught: {message}"
    lines = {int(n) for n in re.findall(rf"faults/{re.escape(path.name)}:(\d+)", message)}
    kind = message.split(":")[0]
    assert any(kind in faults.get(line, []) for line in lines), message
    if kind != "wrong-result":  # which a program finds itself, after the kernel
        assert re.search(r"; [a-z]\w+(, block |$)", message.strip()), "names the kernel"


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("name", "path", "faults"), parameters(FAULTS))
def test_corrected_kernel_passes(name, path, faults, order):
    code, message = run(name, "fixed", order=order)
    assert code == 0, message


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("name", "path", "faults"), parameters(WRAPPERS))
def test_wrapper(name, path, faults, order):
    code, message = run(name, "fixed", order=order)
    assert code == 0, message
