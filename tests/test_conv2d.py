"""Convolution by every engine: shapes that each is chosen for, at the edges of its tiles."""

import numpy as np
import pytest

import fastdl
from fastdl import functional as F
from fastdl.errors import ArgumentError, ShapeError

FIRST, LAST = fastdl.contiguous_format, fastdl.channels_last

# batch, channels, height, width, filters, kernel, stride, padding, dilation, groups
SHAPES = [
    (1, 64, 13, 11, 48, (3, 3), 1, 1, 1, 1),  # no whole number of Winograd tiles
    (2, 32, 5, 4, 40, (3, 3), 1, (0, 2), 1, 1),
    (3, 64, 7, 7, 64, (3, 3), 1, 1, 1, 1),  # several samples to a unit
    (1, 32, 1, 1, 32, (3, 3), 1, 1, 1, 1),  # one pixel
    (1, 32, 3, 70, 17, (3, 3), 1, 5, 1, 1),  # mostly padding
    (2, 128, 14, 14, 96, (3, 3), 1, 1, 1, 2),
    (1, 192, 40, 41, 160, (3, 3), 1, 1, 1, 1),  # weights too large to stay transformed
    (9, 256, 6, 6, 288, (3, 3), 1, 1, 1, 1),
    (2, 33, 9, 10, 35, (3, 3), 1, 1, 1, 1),  # channels that fill no register
    (2, 64, 14, 15, 70, (3, 3), 2, 1, 1, 1),
    (2, 20, 17, 13, 24, (3, 2), (2, 3), (2, 1), (1, 2), 4),
    (2, 24, 12, 9, 30, (3, 3), 1, 3, 3, 3),
    (16, 72, 7, 7, 100, (1, 1), 1, 0, 1, 1),
    (2, 700, 5, 5, 33, (1, 1), 1, 0, 1, 1),  # several blocks of channels
    (1, 40, 9, 8, 20, (1, 1), 2, 0, 1, 1),
    (1, 3, 30, 31, 64, (7, 7), 2, 3, 1, 1),
    (2, 1, 12, 12, 6, (5, 5), 1, 2, 1, 1),
    (2, 6, 14, 14, 16, (5, 5), 1, 0, 1, 1),
    (1, 16, 8, 8, 16, (2, 2), 4, 0, 1, 1),  # pixels that no tap reaches
    (1, 16, 6, 6, 12, (1, 1), 1, 2, 1, 1),
    (2, 8, 9, 9, 8, (3, 3), 1, 1, 1, 8),
    (1, 16, 5, 5, 16, (5, 5), 1, 9, 1, 1),
    # Samples in lanes: whole blocks of them, one register too many, and less than a block.
    (64, 6, 14, 14, 16, (5, 5), 1, 0, 1, 1),
    (41, 8, 9, 8, 7, (3, 3), 2, 1, 1, 1),
    (17, 16, 7, 6, 20, (3, 2), (2, 3), (2, 1), (1, 2), 2),
    (20, 9, 6, 6, 12, (2, 2), 4, 0, 1, 1),  # pixels that no tap reaches
    (70, 12, 5, 5, 9, (3, 3), 1, 3, 1, 1),
]


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def windows(x, kernel, stride, padding, dilation):
    """[N, C, P, Q, R, S]: what each result sees of x."""
    (ph, pw), (sh, sw), (dh, dw), (r, s) = pair(padding), pair(stride), pair(dilation), kernel
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    seen = np.lib.stride_tricks.sliding_window_view(
        x, (dh * (r - 1) + 1, dw * (s - 1) + 1), axis=(2, 3)
    )
    return seen[:, :, ::sh, ::sw, ::dh, ::dw]


def reference(x, w, b, dy, stride, padding, dilation, groups):
    """y, dx and the largest sums of absolute values behind each, in float64."""
    n, c, h, width = x.shape
    k, cg, r, s = w.shape
    (ph, pw), (sh, sw), (dh, dw) = pair(padding), pair(stride), pair(dilation)
    y, dx = [], np.zeros((n, c, h + 2 * ph, width + 2 * pw))
    for g in range(groups):
        seen = windows(x[:, g * cg : (g + 1) * cg], (r, s), stride, padding, dilation)
        wg = w[g * k // groups : (g + 1) * k // groups]
        y.append(np.einsum("ncpqrs,kcrs->nkpq", seen, wg, optimize=True))
        p, q = y[-1].shape[2:]
        gg = dy(k, p, q)[:, g * k // groups : (g + 1) * k // groups]
        for i in range(r):
            for j in range(s):
                dx[
                    :,
                    g * cg : (g + 1) * cg,
                    i * dh : i * dh + (p - 1) * sh + 1 : sh,
                    j * dw : j * dw + (q - 1) * sw + 1 : sw,
                ] += np.einsum("nkpq,kc->ncpq", gg, wg[:, :, i, j], optimize=True)
    y = np.concatenate(y, 1) + b[:, None, None]
    return y, dx[:, :, ph : ph + h, pw : pw + width]


def arrays(shape, dtype):
    n, c, h, w, k, (r, s), *options = shape
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((n, c, h, w)), rng.standard_normal((k, c // options[-1], r, s))
    return x.astype(dtype), weight.astype(dtype), rng.standard_normal(k).astype(dtype)


def tolerance(dtype, depth, winograd):
    """A share of the largest result.

    Rounding errors of `depth` sums grow like its root; results are at most about 4 roots of it, so
    that some ulps remain. F(4x4, 3x3) multiplies them by the norms of its transforms, which is some
    10 to 30 in practice.
    """
    ulp = np.finfo(dtype).eps
    return ulp * (300 if winograd and dtype == np.float32 else 8) * max(1.0, depth**0.25)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("layout", [FIRST, LAST], ids=["first", "last"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("winograd", [True, False])
def test_against_float64(shape, layout, dtype, winograd):
    x, w, b = arrays(shape, dtype)
    stride, padding, dilation, groups = shape[6:]
    kept = {}

    def dy(k, p, q):
        if not kept:
            rng = np.random.default_rng(1)
            kept["dy"] = rng.standard_normal((len(x), k, p, q)).astype(dtype)
        return kept["dy"]

    y, dx = reference(
        *(a.astype(np.float64) for a in (x, w, b)), dy, stride, padding, dilation, groups
    )
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    fastdl.set_winograd(winograd)
    try:
        xs = fastdl.tensor(x).contiguous(memory_format=layout).detach().requires_grad_()
        ws, bs = fastdl.tensor(w), fastdl.tensor(b)
        for _ in range(2):  # with the weight packed afresh, and kept
            got = F.conv2d(xs, ws, bs, **options)
            # An image of one channel lies in both formats, and counts as channels first.
            assert got.is_contiguous(memory_format=layout if x.shape[1] > 1 else FIRST)
            limit = tolerance(dtype, w[0].size, winograd) * abs(y).max()
            np.testing.assert_allclose(got.detach().numpy(), y, rtol=0, atol=limit)
        ws.requires_grad = True  # not kept
        again = F.conv2d(xs, ws, bs, **options)
        np.testing.assert_array_equal(again.detach().numpy(), got.detach().numpy())
        got.backward(fastdl.tensor(dy(*y.shape[1:])).contiguous(memory_format=layout))
        limit = tolerance(dtype, w.shape[0] // groups * w[0, 0].size, winograd)
        np.testing.assert_allclose(
            xs.grad.numpy(), dx, rtol=0, atol=limit * max(abs(dx).max(), 1.0)
        )
    finally:
        fastdl.set_winograd(True)


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2], SHAPES[9], SHAPES[12]], ids=str)
@pytest.mark.parametrize("layout", [FIRST, LAST], ids=["first", "last"])
def test_threads_do_not_change_bits(shape, layout):
    x, w, b = arrays(shape, np.float32)
    xs = fastdl.tensor(x).contiguous(memory_format=layout)
    before, results = fastdl.get_num_threads(), []
    try:
        for threads in (1, 4):
            fastdl.set_num_threads(threads)
            stride, padding, dilation, groups = shape[6:]
            results.append(
                F.conv2d(xs, fastdl.tensor(w), b, stride, padding, dilation, groups).numpy()
            )
    finally:
        fastdl.set_num_threads(before)
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("winograd", [True, False])
@pytest.mark.parametrize("layout", [FIRST, LAST], ids=["first", "last"])
def test_fused_epilogue_of_every_engine(layout, winograd):
    fastdl.set_winograd(winograd)
    try:
        for shape in (SHAPES[0], SHAPES[2], SHAPES[9], SHAPES[16]):
            x, w, b = arrays(shape, np.float32)
            stride, padding, dilation, groups = shape[6:]
            xs = fastdl.tensor(x).contiguous(memory_format=layout)
            plain = F.conv2d(xs, w, b, stride, padding, dilation, groups)
            residual = fastdl.tensor(np.random.default_rng(2).standard_normal(plain.shape))
            residual = residual.float()
            got = fastdl._core.conv2d_fused(
                xs, w, b, residual, "leaky_relu", 0.5, stride, padding, dilation, groups
            )
            expected = plain.numpy() + residual.numpy()
            expected = np.where(expected < 0, 0.5 * expected, expected)
            np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5, atol=1e-5)
    finally:
        fastdl.set_winograd(True)


def test_an_edit_of_the_weight_is_noticed():
    x, w, _ = arrays(SHAPES[0], np.float32)
    ws = fastdl.tensor(w)
    first = F.conv2d(x, ws)
    ws.mul_(2.0)
    np.testing.assert_array_equal(F.conv2d(x, ws).numpy(), 2 * first.numpy())
    shared = ws.numpy()  # from now on edits go unseen
    F.conv2d(x, ws)
    shared *= 2
    np.testing.assert_array_equal(F.conv2d(x, ws).numpy(), 4 * first.numpy())


def test_views_of_one_storage_have_packed_forms_of_their_own():
    x, w, _ = arrays(SHAPES[0], np.float32)
    both = fastdl.tensor(np.stack([w, 3 * w]))
    a, b = F.conv2d(x, both[0]), F.conv2d(x, both[1])
    np.testing.assert_allclose(b.numpy(), 3 * a.numpy(), rtol=1e-4, atol=1e-3)


def test_non_finite_values_stay_in_their_neighbourhood():
    x, w, _ = arrays((1, 16, 12, 12, 16, (3, 3), 1, 1, 1, 1), np.float32)
    x[0, 3, 2, 2] = np.nan
    fastdl.set_winograd(False)
    try:
        y = F.conv2d(x, w, padding=1).numpy()
    finally:
        fastdl.set_winograd(True)
    assert np.isnan(y[0, :, 1:4, 1:4]).all()
    assert np.isfinite(np.delete(y, [1, 2, 3], axis=2)).all()
    # Winograd's tiles are 4x4, and all of a tile sees what any of it sees.
    y = F.conv2d(x, w, padding=1).numpy()
    assert np.isnan(y[0, :, 1:4, 1:4]).all()
    assert np.isfinite(y[:, :, 4:, 4:]).all()


def test_explain():
    layer = fastdl.nn.Conv2d(64, 64, 3, padding=1)
    told = fastdl.explain(layer, (1, 64, 56, 56))
    assert [s.name for s in told.steps] == ["forward", "by input", "by weight"]
    assert told.steps[0].chosen == "Winograd F(4x4, 3x3)"
    assert told.steps[0].chosen == told.steps[0].candidates[0].name
    direct = next(c for c in told.steps[0].candidates if c.name == "direct product")
    assert direct.multiplications == 4 * told.steps[0].candidates[0].multiplications
    assert told.packed_bytes > 64 * 64 * 9 * 4
    assert "F(4x4, 3x3)" in str(told)
    fastdl.set_winograd(False)
    try:
        assert not fastdl.winograd_enabled()
        told = fastdl.explain((64, 64, 3, 3), (1, 64, 56, 56), padding=1, memory_format=LAST)
    finally:
        fastdl.set_winograd(True)
    assert told.steps[0].chosen == "direct product"
    assert fastdl.explain((6, 1, 5, 5), (64, 1, 28, 28)).steps[0].chosen == "shifted product"
    lenet = fastdl.explain((16, 6, 5, 5), (64, 6, 14, 14))
    assert lenet.steps[1].chosen == "product, lanes of the samples"
    shifted = next(c for c in lenet.steps[1].candidates if c.name == "shifted product")
    assert shifted.multiplications == lenet.steps[1].candidates[0].multiplications * 14**2 / 10**2


def test_explain_refuses():
    with pytest.raises(ShapeError):
        fastdl.explain((64, 64, 3, 3), (1, 32, 56, 56))
    with pytest.raises(ArgumentError, match="ReLU"):
        fastdl.explain(fastdl.nn.ReLU(), (1, 3))
