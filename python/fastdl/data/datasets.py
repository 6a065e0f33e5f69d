"""The data sets of the recipes: handwritten digits and Fashion-MNIST, as 32x32 images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastdl.data import fetch
from fastdl.data.dataset import TensorDataset, stratified_split
from fastdl.data.idx import parse_idx
from fastdl.data.resize import resize_bilinear
from fastdl.errors import FormatError, UnavailableError

__all__ = ["ImageData", "digits", "fashion_mnist"]

_SIDE = 32  # LeNet-5 takes 32x32 (LeCun et al., 1998, section II.B)
_DIGITS_SPLIT_SEED = 0  # fixed: figures are comparable only on one and the same test split

_FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


class ImageData(NamedTuple):
    """A labelled set of images with its fixed split.

    Both parts hold float32[N, 1, 32, 32] images, shifted and scaled to mean 0 and variance 1
    over the training part, and int64[N] labels.
    """

    train: TensorDataset
    test: TensorDataset
    classes: tuple[str, ...]
    mean: float
    std: float


def digits() -> ImageData:
    """The 1,797 handwritten digits of scikit-learn, scaled from 8x8 to 32x32.

    The split is stratified, 80 % to 20 %, and always the same. Needs scikit-learn (in the extra
    ``fastdl[recipes]``), which carries the images: nothing is downloaded.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise UnavailableError(
            "digits",
            "scikit-learn, which carries these images, is not installed",
            remedy="pip install 'fastdl[recipes]'",
        ) from error
    pixels, labels = load_digits(return_X_y=True)
    images = resize_bilinear(pixels.reshape(-1, 8, 8) / 16.0, (_SIDE, _SIDE))
    train, test = stratified_split(labels, 0.2, seed=_DIGITS_SPLIT_SEED)
    return _normalised(
        (images[train], labels[train]),
        (images[test], labels[test]),
        tuple(str(digit) for digit in range(10)),
    )


def fashion_mnist(download: bool = True) -> ImageData:
    """Fashion-MNIST: 60,000 training and 10,000 test images, padded from 28x28 to 32x32.

    The four IDX files are looked for in ``$FASTDL_DATA``, the cache folder and
    ``/usr/share/datasets`` (Debian's package dataset-fashion-mnist), and downloaded last.

    Args:
        download: whether to fetch missing files. Default: True.

    Raises:
        FormatError: a file is damaged.
        UnavailableError: the files are neither here nor to be had; it says where to put them.

    Source: H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST", arXiv:1708.07747, 2017.
    """
    arrays = [
        parse_idx(content, str(path))
        for path, content in fetch.dataset_files(fetch.FASHION_MNIST, download=download)
    ]
    train_images, train_labels, test_images, test_labels = arrays
    for images, labels in ((train_images, train_labels), (test_images, test_labels)):
        if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
            raise FormatError(
                "fashion_mnist",
                "images and labels do not belong together",
                {"images": str(list(images.shape)), "labels": str(list(labels.shape))},
                "fetch the four files anew from one source",
            )
    pad = (_SIDE - 28) // 2
    edges = ((0, 0), (pad, pad), (pad, pad))
    return _normalised(
        (np.pad(train_images, edges) / np.float32(255), train_labels),
        (np.pad(test_images, edges) / np.float32(255), test_labels),
        _FASHION_CLASSES,
    )


def _normalised(
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    classes: tuple[str, ...],
) -> ImageData:
    mean = float(train[0].mean(dtype=np.float64))
    std = float(train[0].std(dtype=np.float64))

    def prepare(images: np.ndarray, labels: np.ndarray) -> TensorDataset:
        scaled = ((images - mean) / std).astype(np.float32)
        return TensorDataset(scaled[:, np.newaxis], labels.astype(np.int64))

    return ImageData(prepare(*train), prepare(*test), classes, mean, std)
