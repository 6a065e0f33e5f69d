"""Boxes: areas, overlaps, formats and coders against formulas written box by box."""

import numpy as np
import pytest

import fastdl
import fastdl.functional as F
from fastdl import autograd
from tests.references_image import overlaps


def boxes(n, seed=0):
    """Boxes inside of 10 x 10, of sizes from 0.5 to 4."""
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 6, (n, 2)), rng.uniform(0.5, 4, (n, 2))
    return np.concatenate([corner, corner + size], 1)


def check_gradients(function, *arrays):
    """First and second derivative against central differences along a random direction."""
    rng = np.random.default_rng(1)
    moves = [rng.uniform(-1, 1, a.shape) for a in arrays]

    def value(step, record=False):
        leaves = [
            fastdl.tensor(a + step * m, requires_grad=True)
            for a, m in zip(arrays, moves, strict=True)
        ]
        y = function(*leaves)
        loss = (y * y * fastdl.tensor(np.cos(np.arange(y.numel())).reshape(y.shape))).sum()
        grads = autograd.grad(loss, leaves, create_graph=record)
        return loss, _along(grads, moves), leaves

    _, slope, leaves = value(0.0, record=True)
    difference = (value(1e-6)[0].item() - value(-1e-6)[0].item()) / 2e-6
    assert slope.item() == pytest.approx(difference, rel=1e-6, abs=1e-6)
    second = _along(autograd.grad(slope, leaves), moves)
    difference = (value(1e-6)[1].item() - value(-1e-6)[1].item()) / 2e-6
    assert second.item() == pytest.approx(difference, rel=1e-6, abs=1e-6)


def _along(grads, moves):
    terms = [(g * fastdl.tensor(m)).sum() for g, m in zip(grads, moves, strict=True)]
    return sum(terms[1:], start=terms[0])


def test_area():
    b = boxes(5)
    np.testing.assert_allclose(F.box_area(b).numpy(), [(q[2] - q[0]) * (q[3] - q[1]) for q in b])
    assert F.box_area(b.reshape(5, 1, 4)).shape == (5, 1)
    assert F.box_area(np.zeros((0, 4))).shape == (0,)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_overlaps_of_all_pairs(dtype):
    a, b = boxes(7), boxes(9, seed=1)
    wanted = np.array([[overlaps(p, q) for q in b] for p in a])
    pairs = [fastdl.tensor(x).to(dtype) for x in (a, b)]
    tolerance = 1e-12 if dtype == "float64" else 1e-5
    np.testing.assert_allclose(F.box_iou(*pairs).numpy(), wanted[..., 0], atol=tolerance)
    np.testing.assert_allclose(
        F.generalized_box_iou(*pairs).numpy(), wanted[..., 1], atol=tolerance
    )
    assert (wanted[..., 0] == 0).any()
    assert (wanted[..., 0] > 0.2).any()
    assert F.box_iou(np.zeros((0, 4)), b).shape == (0, 9)
    assert F.generalized_box_iou(a, np.zeros((0, 4))).shape == (7, 0)


def test_known_overlaps():
    a = np.array([[0.0, 0, 2, 2]])
    b = np.array([[0.0, 0, 2, 2], [1, 1, 3, 3], [2, 0, 4, 2], [3, 0, 5, 2]])
    np.testing.assert_allclose(F.box_iou(a, b).numpy(), [[1, 1 / 7, 0, 0]])
    np.testing.assert_allclose(
        F.generalized_box_iou(a, b).numpy(), [[1, 1 / 7 - 2 / 9, 0, -2 / 10]]
    )
    assert np.isnan(F.box_iou(a[:, :1].repeat(4, 1), a[:, :1].repeat(4, 1)).numpy()).all()


def test_derivatives():
    a, b = boxes(3), boxes(4, seed=1)
    check_gradients(F.box_area, a)
    check_gradients(F.box_iou, a, b)
    check_gradients(F.generalized_box_iou, a, b)
    check_gradients(lambda x: F.box_convert(x, "cxcywh", "xywh"), a)
    check_gradients(lambda x, y: F.box_encode(x, y, (10, 10, 5, 5)), b[:3], a)
    check_gradients(lambda x, y: F.box_decode(x / 10, y, clamp=0.3), b[:3], a)
    check_gradients(lambda x: F.clip_boxes_to_image(x, (4, 5)), a)


def test_formats():
    b = boxes(6)
    x1, y1, x2, y2 = b.T
    others = {
        "xyxy": b,
        "xywh": np.stack([x1, y1, x2 - x1, y2 - y1], 1),
        "cxcywh": np.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], 1),
    }
    for start, values in others.items():
        for end, wanted in others.items():
            np.testing.assert_allclose(F.box_convert(values, start, end).numpy(), wanted)


def test_clipping():
    b = np.array([[-1.0, -2, 3, 4], [5, 6, 70, 80], [90, 1, 95, 2]])
    clipped = F.clip_boxes_to_image(b, (40, 60)).numpy()
    np.testing.assert_array_equal(clipped, [[0, 0, 3, 4], [5, 6, 60, 40], [60, 1, 60, 2]])


def test_coders():
    anchors, b = boxes(8), boxes(8, seed=1)
    codes = F.box_encode(b, anchors, (10.0, 10.0, 5.0, 5.0)).numpy()
    for code, box, anchor in zip(codes, b, anchors, strict=True):
        width, height = anchor[2] - anchor[0], anchor[3] - anchor[1]
        wanted = [
            10 * (box[0] + box[2] - anchor[0] - anchor[2]) / 2 / width,
            10 * (box[1] + box[3] - anchor[1] - anchor[3]) / 2 / height,
            5 * np.log((box[2] - box[0]) / width),
            5 * np.log((box[3] - box[1]) / height),
        ]
        np.testing.assert_allclose(code, wanted)
    np.testing.assert_allclose(F.box_decode(codes, anchors, (10.0, 10.0, 5.0, 5.0)).numpy(), b)


def test_decoding_is_clamped():
    far = np.array([[0.0, 0, 1e30, np.inf]])
    decoded = F.box_decode(far, np.array([[0.0, 0, 16, 16]])).numpy()
    np.testing.assert_allclose(decoded, [[-492, -492, 508, 508]])


def test_decoding_per_class():
    """Codes [N, classes, 4] and anchors [N, 1, 4]."""
    codes, anchors = np.zeros((3, 5, 4)), boxes(3)[:, None]
    np.testing.assert_allclose(
        F.box_decode(codes, anchors).numpy(), np.broadcast_to(anchors, (3, 5, 4))
    )


def test_yolo_boxes():
    rng = np.random.default_rng(0)
    t, anchors = rng.standard_normal((2, 3, 4, 5, 4)), rng.uniform(1, 3, (5, 2))
    got = F.yolo_decode(t, anchors, 32.0).numpy()
    for n, i, j, a in np.ndindex(t.shape[:-1]):
        shift = 1 / (1 + np.exp(-t[n, i, j, a, :2]))
        centre, size = shift + [j, i], anchors[a] * np.exp(t[n, i, j, a, 2:])
        wanted = 32 * np.concatenate([centre - size / 2, centre + size / 2])
        np.testing.assert_allclose(got[n, i, j, a], wanted)
    check_gradients(F.yolo_decode, t[0, :1, :2], anchors)


def test_suppression_order_and_ties():
    b = np.array([[0.0, 0, 2, 2], [0, 0, 2, 2], [5, 5, 6, 6], [5, 5, 6, 6.1], [9, 9, 9, 9]])
    scores = np.array([0.5, 0.5, np.nan, 0.9, 0.1])
    assert F.nms(b, scores, 0.5).numpy().tolist() == [2, 0, 4]
    assert F.nms(b, -scores, 0.5).numpy().tolist() == [2, 4, 0]
    classes = np.array([0, 2**62, 0, -1, 0])
    assert F.batched_nms(b, scores, classes, 0.5).numpy().tolist() == [2, 3, 0, 1, 4]


def test_suppression_of_odd_boxes():
    """Boxes without area, turned round, infinite or NaN suppress nothing that has a number."""
    rows = [[1, 1, 1, 1], [1, 1, 1, 1], [3, 3, 1, 1], [np.nan] * 4, [-np.inf, 0, np.inf, 1]]
    kept = F.nms(np.array(rows), np.linspace(1, 0, 5), 0.5).numpy()
    assert kept.tolist() == [0, 1, 2, 3, 4]


def test_threshold_is_not_reached():
    """Overlapping by exactly the threshold is allowed."""
    b = np.array([[0.0, 0, 2, 1], [1, 0, 2, 1]])
    assert F.nms(b, np.array([1.0, 0.5]), 0.5).numpy().tolist() == [0, 1]
    assert F.nms(b, np.array([1.0, 0.5]), 0.49).numpy().tolist() == [0]


def test_suppression_by_threads(threads):
    """More boxes than one thread looks at; few are kept."""
    rng = np.random.default_rng(3)
    corner = rng.uniform(0, 60, (40000, 2))
    b = np.concatenate([corner, corner + rng.uniform(20, 40, (40000, 2))], 1)
    scores, found = rng.uniform(size=40000), []
    for count in (1, 2, 3):
        threads(count)
        found.append(F.nms(b, scores, 0.05).numpy())
        np.testing.assert_array_equal(found[-1], found[0])
    kept = b[found[0]]
    overlap = F.box_iou(kept, kept).numpy() - np.eye(len(kept))
    assert 3 < len(kept) < 100
    assert overlap.max() <= 0.05
    assert (F.box_iou(b, kept).numpy().max(1) > 0.05).all()


def test_suppression_is_not_captured():
    b = fastdl.tensor(boxes(4))
    step = fastdl.capture(lambda x: F.nms(x, x[:, 0], 0.5))
    step(b)
    with pytest.raises(fastdl.errors.CaptureError, match="nms"):
        step(b)
