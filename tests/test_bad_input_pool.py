"""Bad input of pooling: sizes, indices and boxes raise typed errors before memory is touched."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl.errors import ArgumentError, DTypeError, IndexRangeError, OutOfMemoryError, ShapeError
from tests.oprow import DEVICES

HUGE = 2**62
ROW, IMAGE, VOLUME = fastdl.ones(2, 3, 9), fastdl.ones(2, 3, 7, 6), fastdl.ones(2, 3, 5, 6, 4)
INPUTS = {1: ROW, 2: IMAGE, 3: VOLUME}


def boxes(*rows):
    return fastdl.tensor(np.array(rows, dtype=np.float64))


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("name", ["max_pool", "avg_pool"])
class TestWindows:
    def pool(self, name, dims):
        return getattr(F, f"{name}{dims}d"), INPUTS[dims]

    @pytest.mark.parametrize("size", [0, -1, HUGE, 2**63 - 1, -(2**63)])
    def test_sizes(self, name, dims, size):
        pool, x = self.pool(name, dims)
        with pytest.raises(ArgumentError, match="kernel_size"):
            pool(x, size)
        with pytest.raises(ArgumentError, match="kernel_size"):
            pool(x, [2] * (dims - 1) + [size])
        with pytest.raises(ArgumentError, match="stride"):
            pool(x, 2, size)
        if size != 0:
            with pytest.raises(ArgumentError, match="padding"):
                pool(x, 2, 1, size)
        if name == "max_pool":
            with pytest.raises(ArgumentError, match="dilation"):
                pool(x, 2, 1, 0, size)

    def test_numbers_of_sizes(self, name, dims):
        pool, x = self.pool(name, dims)
        with pytest.raises(TypeError, match="kernel_size"):
            pool(x, [2] * (dims + 1))

    def test_padding_is_half_the_kernel_at_most(self, name, dims):
        pool, x = self.pool(name, dims)
        with pytest.raises(ArgumentError, match="padding is 2"):
            pool(x, 3, 1, 2)

    def test_window_larger_than_the_input(self, name, dims):
        pool, x = self.pool(name, dims)
        with pytest.raises(ShapeError, match="reaches over 10"):
            pool(x, 10)

    def test_rank_and_dtype(self, name, dims):
        pool, x = self.pool(name, dims)
        with pytest.raises(ShapeError, match="dimension"):
            pool(x.unsqueeze(0), 2)
        with pytest.raises(DTypeError, match="int64"):
            pool(x.long(), 2)


def test_divisors():
    for divisor in (0, -3):
        with pytest.raises(ArgumentError, match="divisor_override"):
            F.avg_pool2d(IMAGE, 2, divisor_override=divisor)
        with pytest.raises(ArgumentError, match="divisor_override"):
            F.avg_pool3d(VOLUME, 2, divisor_override=divisor)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("name", ["adaptive_avg_pool", "adaptive_max_pool"])
def test_adaptive_sizes(name, dims):
    pool, x = getattr(F, f"{name}{dims}d"), INPUTS[dims]
    for size in (0, -1, HUGE, 2**63 - 1):
        with pytest.raises(ArgumentError, match="output_size"):
            pool(x, size)
    with pytest.raises(TypeError, match="output_size"):
        pool(x, [2] * (dims + 1))
    with pytest.raises(ShapeError, match="input is 0"):
        pool(x[..., :0], 2)
    with pytest.raises((OutOfMemoryError, ShapeError)):
        pool(fastdl.ones(64, 1024, *x.shape[2:]), 2**24)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dims", [1, 2, 3])
class TestUnpool:
    def unpool(self, dims, device, index, *args, **kwargs):
        x = fastdl.ones(1, 2, *[2] * dims, device=device)
        indices = np.zeros(x.shape, np.int64)
        indices.reshape(-1)[-1] = index
        where = fastdl.tensor(indices, device=device)
        return getattr(F, f"max_unpool{dims}d")(x, where, *args, **kwargs)

    @pytest.mark.parametrize("index", [-1, None, 2**40, -(2**63)])
    def test_indices(self, dims, device, index):
        index = 4**dims if index is None else index
        with pytest.raises(IndexRangeError, match=f"{index} at position"):
            self.unpool(dims, device, index, 2)
        assert self.unpool(dims, device, 4**dims - 1, 2).shape == (1, 2, *[4] * dims)

    def test_output_size(self, dims, device):
        for size in ([6] * dims, [2] * dims, [HUGE] * dims):
            with pytest.raises(ArgumentError, match="output_size"):
                self.unpool(dims, device, 0, 2, output_size=size)
        with pytest.raises(ArgumentError, match="numbers"):
            self.unpool(dims, device, 0, 2, output_size=[4] * (dims + 1))
        with pytest.raises(ArgumentError, match="output_size is 0"):
            self.unpool(dims, device, 0, 2, output_size=[0] * dims)

    def test_sizes(self, dims, device):
        with pytest.raises(ShapeError, match="would be"):
            self.unpool(dims, device, 0, 2, padding=9)
        with pytest.raises(ArgumentError, match="stride"):
            self.unpool(dims, device, 0, 2, 0)
        if dims > 1:
            with pytest.raises((OutOfMemoryError, ShapeError)):
                self.unpool(dims, device, 0, 2**24, 2**24)


def test_unpool_shapes():
    with pytest.raises(ShapeError, match="dimension 3 of indices is 5"):
        F.max_unpool2d(IMAGE, fastdl.zeros(2, 3, 7, 5, dtype="int64"), 2)
    with pytest.raises(DTypeError):
        F.max_unpool2d(IMAGE, IMAGE, 2)


def test_the_last_of_equal_indices_stays():
    x = fastdl.tensor([[[1.0, 2.0, 3.0]]], requires_grad=True)
    y = F.max_unpool1d(x, fastdl.tensor([[[4, 1, 4]]]), 2)
    np.testing.assert_array_equal(y.detach().numpy(), [[[0, 2, 0, 0, 3, 0]]])
    (y * fastdl.arange(1.0, 7.0)).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[[0, 2, 5]]])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["roi_align", "roi_pool"])
class TestBoxes:
    @pytest.mark.parametrize(
        "box",
        [
            [2, 0, 0, 1, 1],
            [-1, 0, 0, 1, 1],
            [0.5, 0, 0, 1, 1],
            [np.nan, 0, 0, 1, 1],
            [np.inf, 0, 0, 1, 1],
            [1e300, 0, 0, 1, 1],
            [0, np.nan, 0, 1, 1],
            [0, 0, -np.inf, 1, 1],
            [0, 0, 0, np.inf, 1],
            [0, 0, 0, 1, 1e30],
        ],
        ids=str,
    )
    def test_values(self, name, device, box):
        rows = boxes([0, 0, 0, 1, 1], [1, 0, 0, 1, 1], box).to(device)
        with pytest.raises(IndexRangeError, match="box 2 is") as caught:
            getattr(F, name)(IMAGE.to(device), rows, 2)
        assert "2 images" in str(caught.value)

    def test_scale(self, name, device):
        pool, x, one = getattr(F, name), IMAGE.to(device), boxes([0, 0, 0, 1, 1]).to(device)
        for scale in (0, -1, float("nan")):
            with pytest.raises(ArgumentError, match="spatial_scale"):
                pool(x, one, 2, scale)
        with pytest.raises(IndexRangeError, match="box 0"):
            pool(x, one, 2, float("inf"))

    def test_sizes(self, name, device):
        pool, x, one = getattr(F, name), IMAGE.to(device), boxes([0, 0, 0, 1, 1]).to(device)
        for size in (0, -1, HUGE, [2, 0]):
            with pytest.raises(ArgumentError, match="output_size"):
                pool(x, one, size)
        with pytest.raises((OutOfMemoryError, ShapeError)):
            pool(x, one, 2**24)

    def test_shapes(self, name, device):
        pool, x = getattr(F, name), IMAGE.to(device)
        for bad in (fastdl.ones(3, 4), fastdl.ones(5), fastdl.ones(1, 2, 5)):
            with pytest.raises(ShapeError, match="five numbers"):
                pool(x, bad.to(device), 2)
        with pytest.raises(ShapeError, match=r"boxes\[1\]"):
            pool(x, [fastdl.ones(2, n, device=device) for n in (4, 5)], 2)
        with pytest.raises(DTypeError, match="boxes"):
            pool(x, fastdl.zeros(1, 5, dtype="int64", device=device), 2)

    def test_more_lists_than_images(self, name, device):
        one = fastdl.ones(1, 4, device=device)
        with pytest.raises(IndexRangeError, match="box 2"):
            getattr(F, name)(IMAGE.to(device), [one, one, one], 2)


def test_sampling_ratio():
    for ratio in (-2, 1025, HUGE):
        with pytest.raises(ArgumentError, match="sampling_ratio"):
            F.roi_align(IMAGE, boxes([0, 0, 0, 1, 1]), 2, sampling_ratio=ratio)
    inverted = F.roi_align(IMAGE, boxes([0, 5, 5, 1, 1]), 2, sampling_ratio=3, aligned=True)
    assert np.isfinite(inverted.numpy()).all()


def test_composed_pooling():
    for p in (0, -1, float("nan")):
        with pytest.raises(ArgumentError, match="norm_type"):
            F.lp_pool2d(IMAGE, p, 2)
    with pytest.raises(ArgumentError, match="kernel_size"):
        F.lp_pool1d(ROW, 2, 0)
    with pytest.raises(ArgumentError, match="stride"):
        F.lp_pool3d(VOLUME, 2, 2, HUGE)
    with pytest.raises(ShapeError, match="dimension"):
        F.global_max_pool(fastdl.ones(3))
    with pytest.raises(ShapeError, match="is 0"):
        F.global_average_pool(fastdl.ones(2, 3, 0))
    with pytest.raises(ArgumentError, match="levels"):
        F.spatial_pyramid_pool(IMAGE, [2, 0])
    with pytest.raises(ArgumentError, match="mode"):
        F.spatial_pyramid_pool(IMAGE, [2], "median")
