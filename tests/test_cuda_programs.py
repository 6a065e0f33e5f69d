"""The programs of the host model on a GPU: its verdicts and the GPU's have to be the same.

``python -m bench.gpu`` builds them by nvcc (target cuda_programs) and names the file in
FASTDL_CUDA_PROGRAMS. compute-sanitizer sees some kinds of fault only; the others are the model's.
"""

import os
import shutil
import subprocess

import pytest

from tests.planted import FAULTS, WRAPPERS, parameters

PROGRAMS = os.environ.get("FASTDL_CUDA_PROGRAMS", "")
SANITIZER = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"

# Races in global memory and between blocks are beyond racecheck.
TOOLS = {
    "out-of-bounds": "memcheck",
    "unaligned": "memcheck",
    "divergent-barrier": "synccheck",
    "race": "racecheck",
}
NOT_SEEN = {
    "host_memory": "some systems let a GPU read the host's heap",
    "two_writers": "racecheck looks at shared memory only",
    **dict.fromkeys(
        (
            "no_await",
            "await_of_another_block",
            "publish_before_the_block_has_met",
            "one_buffer_for_all_steps",
        ),
        "racecheck looks at shared memory only",
    ),
    "static_shared_array": "the next bytes of shared memory belong to the block as well",
    "dynamic_shared_array": "shared memory is handed out in larger pieces",
    "barrier_after_return": "threads that have returned count as arrived since Volta",
    "barrier_in_both_branches": "barriers are counted by thread since Volta",
}

pytestmark = pytest.mark.cuda

if not PROGRAMS:
    pytest.skip("FASTDL_CUDA_PROGRAMS names no program", allow_module_level=True)


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(("name", "path", "faults"), parameters(FAULTS + WRAPPERS))
def test_without_the_bug(name, path, faults):
    done = run(PROGRAMS, name, "fixed")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not shutil.which(SANITIZER), reason="compute-sanitizer was not found")
@pytest.mark.parametrize(
    ("name", "path", "faults"),
    parameters([f for f in FAULTS if TOOLS.keys() & {k for kinds in f[2].values() for k in kinds}]),
)
def test_with_the_bug(name, path, faults):
    if name in NOT_SEEN:
        pytest.skip(NOT_SEEN[name])
    kinds = {kind for found in faults.values() for kind in found}
    tools = sorted({TOOLS[kind] for kind in kinds if kind in TOOLS})
    found = [run(SANITIZER, "--tool", t, "--error-exitcode", "9", PROGRAMS, name) for t in tools]
    assert any(done.returncode for done in found), f"{tools} saw nothing in {name}"
