"""Streams, events, the stream-ordered allocator, pinned memory, and how failures are told.

What is decided at the start of a process (whether there is a cache, how late the host model of CUDA
does a stream's work) is tested in children.
"""

import contextlib
import textwrap
import threading

import pytest

import fastdl
from fastdl import cuda
from fastdl.data import DataLoader, TensorDataset
from fastdl.errors import ArgumentError, DeviceError
from tests.children import run_child

if not cuda.is_available():
    pytest.skip(cuda.status(), allow_module_level=True)

pytestmark = pytest.mark.cuda
MODEL = cuda.status() == "host model of CUDA"


# streams and events


class TestStreams:
    def test_the_current_stream_follows_the_block(self):
        default = cuda.current_stream()
        assert default.handle == 0
        side, other = cuda.Stream(), cuda.Stream("cuda:0")
        assert side != other
        assert side.device == fastdl.device("cuda:0")
        with cuda.stream(side) as entered:
            assert entered is side
            assert cuda.current_stream() == side
            with contextlib.suppress(KeyError), cuda.stream(other):
                assert cuda.current_stream() == other
                raise KeyError
            assert cuda.current_stream() == side
        assert cuda.current_stream() == default

    def test_each_thread_has_its_own(self):
        seen = []
        with cuda.stream(cuda.Stream()):
            thread = threading.Thread(target=lambda: seen.append(cuda.current_stream().handle))
            thread.start()
            thread.join()
        assert seen == [0]

    def test_a_stream_is_borrowed_again_after_its_last_use(self):
        run_child("""
            handle = cuda.Stream().handle
            again = cuda.Stream()
            assert again.handle == handle
            assert cuda.Stream().handle != handle
        """)

    def test_events_that_were_not_recorded(self):
        event = cuda.Event()
        assert event.query()
        event.synchronize()
        with pytest.raises(ArgumentError, match="does not measure time"):
            event.elapsed_time(cuda.Event(timing=True))
        with pytest.raises(ArgumentError, match="not recorded"):
            cuda.Event(timing=True).elapsed_time(cuda.Event(timing=True))

    def test_time_passes(self):
        begin, end = cuda.Event(timing=True), cuda.Event(timing=True)
        x = fastdl.ones((64, 64), device="cuda")
        begin.record()
        x = x @ x
        end.record()
        end.synchronize()
        assert end.query()
        assert begin.elapsed_time(end) >= 0

    def test_streams_wait_for_each_other(self):
        run_child("""
            side, x = cuda.Stream(), fastdl.ones((1000,), device="cuda")
            side.wait_stream(cuda.current_stream())
            with cuda.stream(side):
                y = x * 3
                done = cuda.Event()
                done.record()
            cuda.current_stream().wait_event(done)
            z = y + 1
            x.record_stream(side)
            y.record_stream(cuda.current_stream())
            assert z.sum().item() == 4000
            assert done.query() and side.query()
        """)

    def test_synchronize_waits_for_all_streams(self):
        run_child("""
            side = cuda.Stream()
            with cuda.stream(side):
                x = fastdl.ones((10,), device="cuda") + 1
            cuda.synchronize()
            assert side.query()
            assert x.cpu().tolist() == [2] * 10
        """)

    def test_gradients_on_a_side_stream(self):
        run_child("""
            with cuda.stream(cuda.Stream()):
                x = fastdl.ones((8, 8), device="cuda", requires_grad=True)
                ((x @ x) * x).sum().backward()
                assert x.grad.sum().item() == 3 * 8 * 64
        """)

    def test_a_device_that_is_not_there(self):
        for call in (
            lambda: fastdl.ones((2,)).to("cuda:7"),
            lambda: cuda.Stream("cuda:7"),
            lambda: fastdl.empty_like(fastdl.ones((2,)), device="cuda:7"),
            lambda: cuda.memory_stats("cuda:7"),
        ):
            with pytest.raises(DeviceError, match="there is no cuda:7") as caught:
                call()
            assert "index from 0" in caught.value.remedy
        with pytest.raises(DeviceError, match="the CPU has no streams"):
            cuda.Stream("cpu")

    @pytest.mark.skipif(not MODEL, reason="needs two devices")
    def test_two_gpus(self):
        run_child(
            """
            from fastdl.errors import DeviceError
            a = fastdl.ones((100,), device="cuda:0") + 1
            b = a.to("cuda:1")          # waits for the kernel on the other device
            assert (b * 2).sum().item() == 400
            side = cuda.Stream("cuda:1")
            assert side.device == "cuda:1"
            with cuda.stream(side):
                assert cuda.current_stream("cuda:0").handle == 0
                c = a.to("cuda:1") + 1
                assert c.sum().item() == 300
            try:
                a + b
            except DeviceError as error:
                assert "on cuda:0" in str(error) and "on cuda:1" in str(error)
            else:
                raise AssertionError
            event = cuda.Event()
            event.record()
            try:
                event.record(side)
            except DeviceError as error:
                assert "cuda:0" in error.problem
            else:
                raise AssertionError
            """,
            SIMT_DEVICES="2",
        )


# the allocator


class TestAllocator:
    def test_blocks_are_used_again_on_their_stream_only(self):
        run_child("""
            def place(): return fastdl.empty((5000,), device="cuda").data_ptr()
            main = place()
            assert place() == main
            with cuda.stream(cuda.Stream()):
                side = place()
                assert side != main
                assert place() == side
            assert place() == main
            stats = cuda.memory_stats()
            assert stats["raw_requests"] == 2 and stats["requests"] == 5
            assert stats["in_use"] == 0 and stats["cached"] >= 40000
            cuda.empty_cache()
            assert cuda.memory_stats()["cached"] == 0
        """)

    def test_a_recorded_block_waits_for_the_other_stream(self):
        out = run_child("""
            side, main = cuda.Stream(), cuda.current_stream()
            x = fastdl.full((1 << 16,), 3.0, device="cuda")
            side.wait_stream(main)
            with cuda.stream(side):
                y = x * 2
            x.record_stream(side)
            del x
            print(cuda.memory_stats()["waiting"] > 0)
            late = fastdl.full((1 << 16,), 9.0, device="cuda")  # must not overwrite what side reads
            main.synchronize()
            with cuda.stream(side):
                assert y.sum().item() == 6 << 16
            side.synchronize()
            again = [fastdl.empty((1 << 16,), device="cuda") for _ in range(3)]
            assert cuda.memory_stats()["waiting"] == 0
            assert cuda.memory_stats()["raw_requests"] < 8
        """)
        assert out.split() == ["True"]

    def test_a_training_step_asks_the_driver_for_nothing(self):
        run_child("""
            import fastdl.functional as F
            model = fastdl.nn.Linear(64, 64).to("cuda")
            x = fastdl.ones((32, 64), device="cuda")
            def step():
                F.mse_loss(model(x), x).backward()
                for p in model.parameters():
                    p.grad = None
            step(), step()
            raw = cuda.memory_stats()["raw_requests"]
            for _ in range(5):
                step()
            assert cuda.memory_stats()["raw_requests"] == raw
        """)

    def test_the_peak_starts_anew(self):
        run_child("""
            x = fastdl.empty((1 << 20,), device="cuda")
            assert cuda.memory_stats()["peak"] >= 4 << 20
            del x
            cuda.reset_peak_memory()
            assert cuda.memory_stats()["peak"] == cuda.memory_stats()["in_use"] == 0
        """)

    def test_without_the_cache_every_block_is_exact(self):
        run_child(
            """
            x = fastdl.ones((1001,), dtype="uint8", device="cuda")
            assert cuda.memory_stats()["in_use"] == 1001
            del x
            y = [fastdl.ones((33,), device="cuda") + 1 for _ in range(4)]
            stats = cuda.memory_stats()
            assert stats["requests"] == stats["raw_requests"] and stats["cached"] == 0
            side = cuda.Stream()
            side.wait_stream(cuda.current_stream())
            with cuda.stream(side):
                z = y[0] * 2
            y[0].record_stream(side)
            y.clear()  # waits for both streams before the memory goes back
            with cuda.stream(side):
                assert z.sum().item() == 132
            """,
            FASTDL_CUDA_CACHE="0",
        )

    def test_a_limit_and_what_the_error_tells(self):
        run_child("""
            from fastdl.errors import OutOfMemoryError, ArgumentError
            import fastdl.functional as F
            cuda.set_memory_limit(40 << 20)
            x = fastdl.ones((1 << 21,), device="cuda", requires_grad=True)    # 8 MiB
            kept = [fastdl.empty((1 << 21,), device="cuda") for _ in range(3)]  # 32 MiB in all
            square = x.detach().reshape(1 << 10, 1 << 11)
            tall = square.reshape(1 << 18, 8)
            del kept[2]
            y, seed = x * 1.0, fastdl.ones((), device="cuda")
            def backward():
                cuda.set_memory_limit(0)
                try:
                    y.backward(seed.expand(1 << 21))
                finally:
                    cuda.set_memory_limit(40 << 20)
            for op, call in {
                "exp": lambda: [F.exp(x), F.exp(x)],
                "add": lambda: (x + x, x + x) and [x + x + x],
                "sub": lambda: [x - 2, x - 3],
                "lt": lambda: [x < i for i in range(8)],
                "matmul": lambda: tall @ tall.T[:, : 1 << 10],
                "zeros": lambda: fastdl.zeros((1 << 22,), device="cuda"),
                "cat": lambda: F.cat([x, x]),
                "conv2d": lambda: F.conv2d(x.detach().reshape(1, 1, 1 << 10, 1 << 11),
                                           fastdl.ones((2, 1, 1, 1), device="cuda")),
                "mul": backward,
            }.items():
                try:
                    keep = call()
                except OutOfMemoryError as error:
                    told = error
                    assert told.op == op, (op, told)
                    assert "do not fit on cuda:0" in told.problem, told
                    assert list(told.details)[:3] == ["free", "in use", "cached"], told
                    told_pass = "backward of mul" if call is backward else None
                    assert told.details.get("pass") == told_pass, told
                    assert " of " in told.details["free"], told
                    assert "largest block" in told.details["cached"], told
                    assert told.remedy
                else:
                    raise AssertionError(op)
                keep = None
            assert cuda.memory_stats()["retries"] >= 8
            for wrong in (-1, 1.5, float("nan")):
                try:
                    cuda.set_memory_limit(wrong)
                except ArgumentError:
                    continue
                raise AssertionError(wrong)
            cuda.set_memory_limit(0.5)
            cuda.set_memory_limit(None)
            assert F.exp(x).numel() == 1 << 21
        """)

    def test_the_cache_is_given_back_before_a_request_fails(self):
        run_child("""
            cuda.set_memory_limit(40 << 20)
            small = [fastdl.empty((1 << 18,), device="cuda") for _ in range(36)]
            small.clear()
            assert cuda.memory_stats()["cached"] >= 36 << 20
            big = fastdl.ones((1 << 23,), device="cuda")
            assert cuda.memory_stats()["cached"] == 0
            assert cuda.memory_stats()["retries"] == 1
            assert big.sum().item() == 1 << 23
        """)

    @pytest.mark.skipif(not MODEL, reason="fills the device")
    def test_the_device_itself_is_full(self):
        run_child(
            """
            from fastdl.errors import OutOfMemoryError
            kept = []
            try:
                while True:
                    kept.append(fastdl.empty((1 << 20,), device="cuda"))
            except OutOfMemoryError as error:
                assert error.op == "empty" and "64 MiB" in error.details["free"], error
            assert 10 < len(kept) < 17
            """,
            SIMT_MEMORY="64",
        )


# pinned memory


class TestPinned:
    def test_pinned_tensors(self):
        x = fastdl.arange(12.0).reshape(3, 4)
        assert not x.is_pinned()
        p = x.T.pin_memory()
        assert p.is_pinned()
        assert p.is_contiguous()
        assert p.device == "cpu"
        assert p.tolist() == x.T.tolist()
        assert p.pin_memory().data_ptr() == p.data_ptr()
        assert p[1:].is_pinned()
        assert fastdl.empty((3,), pin_memory=True).is_pinned()
        assert fastdl.empty(0, pin_memory=True).numel() == 0
        with pytest.raises(DeviceError, match="only memory of the CPU"):
            x.to("cuda").pin_memory()
        with pytest.raises(DeviceError, match="only memory of the CPU"):
            fastdl.empty((3,), device="cuda", pin_memory=True)

    def test_gradients_pass(self):
        x = fastdl.ones((3,), requires_grad=True)
        (x.pin_memory().to("cuda", non_blocking=True) * 2).sum().backward()
        assert x.grad.tolist() == [2, 2, 2]

    def test_copies_there_and_back(self):
        x = fastdl.arange(1000.0).pin_memory()
        there = x.to("cuda", non_blocking=True)
        back = (there + 1).to("cpu", non_blocking=True)
        cuda.current_stream().synchronize()
        assert back.is_pinned()
        assert back.tolist() == [i + 1 for i in range(1000)]

    def test_a_blocking_copy_is_complete(self):
        run_child("""
            x = fastdl.zeros((1000,)).pin_memory()
            y = x.to("cuda")
            x.fill_(7)          # the copy has read the old values
            assert y.sum().item() == 0
            z = (y + 1).cpu()   # complete, though nobody waited
            assert z.sum().item() == 1000
            w = fastdl.ones((1000,))
            y = w.to("cuda", non_blocking=True)   # pageable: as if blocking
            w.fill_(5)
            assert y.sum().item() == 1000
        """)

    def test_a_freed_block_waits_for_its_copy(self):
        run_child("""
            x = fastdl.full((5000,), 3.0).pin_memory()
            place = x.data_ptr()
            y = x.to("cuda", non_blocking=True)
            del x
            other = fastdl.empty((5000,), pin_memory=True).fill_(8.0)
            assert y.sum().item() == 15000
            assert other.data_ptr() != place
            cuda.synchronize()
            assert fastdl.empty((5000,), pin_memory=True).data_ptr() == place
        """)

    def test_a_loader_pins_its_batches(self):
        data = TensorDataset(fastdl.arange(12.0).reshape(6, 2).numpy())
        for prefetch in (0, 2):
            batches = list(DataLoader(data, 2, pin_memory=True, prefetch=prefetch))
            assert [b[0].is_pinned() for b in batches] == [True] * 3
            assert batches[1][0].tolist() == [[4, 5], [6, 7]]


# failures

FORGED = """
import ctypes
from fastdl.errors import DeviceError
import fastdl.functional as F

class View(ctypes.Structure):  # DLPack's DLTensor
    _fields_ = [("data", ctypes.c_void_p), ("device", ctypes.c_int32 * 2), ("ndim", ctypes.c_int32),
                ("dtype", ctypes.c_uint32), ("shape", ctypes.POINTER(ctypes.c_int64))]

pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]

def beyond():
    '''A tensor that says that it is longer than its memory.'''
    capsule = fastdl.ones((4,), device="cuda").__dlpack__()
    View.from_address(pointer_of(capsule, b"dltensor")).shape[0] = 1 << 40
    return fastdl.from_dlpack(capsule)[(1 << 40) - 4096:]
x = beyond()
"""


class TestFailures:
    @pytest.mark.parametrize("how", ["environment", "switch"])
    def test_sync_debug_blames_the_op(self, how):
        source = """
            try:
                F.exp(x)
            except DeviceError as error:
                assert error.op == "exp", error
                assert "failed on cuda:0" in error.problem, error
                assert error.details["kernel"] == "unary_forward", error
                assert error.remedy
            else:
                raise AssertionError
        """
        if how == "switch":
            source = "cuda.set_sync_debug(True)\n" + textwrap.dedent(source)
        run_child(
            FORGED + textwrap.dedent(source), FASTDL_CUDA_SYNC="1" if how == "environment" else "0"
        )

    def test_without_it_a_wait_tells(self):
        source = """
            y = None
            try:
                y = F.exp(x)
                cuda.synchronize()
            except DeviceError as error:
                assert error.op in ("exp", "synchronize"), error
                assert "FASTDL_CUDA_SYNC=1" in error.remedy, error
            else:
                raise AssertionError
        """
        run_child(FORGED + textwrap.dedent(source), FASTDL_CUDA_SYNC="0")
