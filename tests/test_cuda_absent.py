"""Where there is no CUDA, everything that asks for it says why."""

import fastdl
from fastdl import cuda
from tests.children import run_child

WITHOUT = """
import contextlib, io
from fastdl.cli import main
from fastdl.errors import DeviceError
from fastdl.data import DataLoader, TensorDataset
x = fastdl.ones((4, 4))
assert not cuda.is_available() and cuda.device_count() == 0
assert "no CUDA library" in cuda.status()
assert not x.is_pinned()
for call in (
    lambda: x.to("cuda"),
    lambda: x.cuda(),
    lambda: fastdl.zeros((2,), device="cuda"),
    lambda: x.pin_memory(),
    lambda: fastdl.empty((2,), pin_memory=True),
    lambda: next(iter(DataLoader(TensorDataset(x.numpy()), pin_memory=True))),
    lambda: cuda.Stream(),
    lambda: cuda.Event(),
    lambda: cuda.current_stream(),
    lambda: cuda.synchronize(),
    lambda: cuda.memory_stats(),
    lambda: cuda.memory_info(),
    lambda: cuda.set_memory_limit(0.5),
    lambda: cuda.empty_cache(),
):
    try:
        call()
    except DeviceError as error:
        assert "no CUDA library" in error.problem, error
        assert "fastdl doctor" in error.remedy, error
    else:
        raise AssertionError(call)
out = io.StringIO()
with contextlib.redirect_stdout(out):
    main(["doctor"])
assert "no CUDA library" in out.getvalue()
assert (x @ x).sum().item() == 64
"""


def test_without_cuda_everything_says_why():
    run_child(WITHOUT, FASTDL_CUDA_LIBRARY="/nowhere/libfastdl_cuda.so")


def test_the_figures_of_the_cpu_have_the_same_names():
    stats = fastdl.memory_stats("cpu")
    assert stats["waiting"] == 0
    assert {"in_use", "peak", "cached", "largest_cached", "requests", "raw_requests"} < set(stats)


def test_sync_debug_can_be_switched_anywhere():
    before = cuda.sync_debug()
    cuda.set_sync_debug(True)
    assert cuda.sync_debug()
    cuda.set_sync_debug(before)
