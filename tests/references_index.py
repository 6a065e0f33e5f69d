"""What the functions of indices and masks compute, in NumPy."""

import numpy as np


def masked_fill(x, mask, value):
    return np.where(mask, value, x)


def masked_select(x, mask):
    x, mask = np.broadcast_arrays(x, mask)
    return x[mask]


def nonzero(x, as_tuple=False):
    if as_tuple:
        return np.nonzero(np.atleast_1d(x))
    return np.argwhere(x)


def gather(x, dim, index):
    """For an index that is smaller than x as well."""
    places = list(np.indices(index.shape))
    places[dim] = index
    return x[tuple(places)]


def take_along_dim(x, indices, dim=None):
    if dim is None:
        return x.reshape(-1)[indices.reshape(-1)]
    return np.take_along_axis(x, indices, axis=dim)


def _places(index, dim):
    places = list(np.indices(index.shape))
    places[dim] = index
    return tuple(places)


def scatter(x, dim, index, src):
    out = x.copy()
    if np.ndim(src):
        src = src[tuple(slice(n) for n in index.shape)]
    out[_places(index, dim)] = src
    return out


def scatter_add(x, dim, index, src):
    out = x.copy()
    np.add.at(out, _places(index, dim), src[tuple(slice(n) for n in index.shape)])
    return out


def _along(dim, index):
    return (slice(None),) * dim + (index,)


def index_add(x, dim, index, source, alpha=1):
    out = x.copy()
    np.add.at(out, _along(dim % x.ndim, index), alpha * source)
    return out


def index_copy(x, dim, index, source):
    out = x.copy()
    out[_along(dim % x.ndim, index)] = source
    return out


def one_hot(labels, num_classes=-1):
    if num_classes < 0:
        num_classes = int(labels.max()) + 1
    return (labels[..., None] == np.arange(num_classes)).astype(np.int64)
