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


def scatter(x, dim, index, src, reduce=None):
    if reduce is not None:
        src = np.broadcast_to(src, index.shape) if np.ndim(src) == 0 else src
        return scatter_reduce(x, dim, index, src, {"add": "sum", "multiply": "prod"}[reduce])
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


def index_put(x, indices, values, accumulate=False):
    out = x.copy()
    place = tuple(slice(None) if i is None else i for i in indices)
    if accumulate:
        np.add.at(out, place, values)
    else:
        out[place] = values
    return out


def put(x, index, source, accumulate=False):
    out = x.reshape(-1).copy()
    if accumulate:
        np.add.at(out, index.reshape(-1), source.reshape(-1))
    else:
        out[index.reshape(-1)] = source.reshape(-1)
    return out.reshape(x.shape)


def masked_scatter(x, mask, source):
    x, mask = np.broadcast_arrays(x, mask)
    out = x.copy()
    out[mask] = source.reshape(-1)[: int(mask.sum())]
    return out


def scatter_reduce(x, dim, index, src, reduce, include_self=True):
    """Element by element: the list of what meets in each place, and what becomes of it."""
    met = {}
    for place in np.ndindex(index.shape):
        to = list(place)
        to[dim] = int(index[place])
        met.setdefault(tuple(to), []).append(src[place])
    out = x.copy()
    for place, values in met.items():
        every = np.array([x[place], *values] if include_self else values, x.dtype)
        if reduce == "mean":
            total = every.sum()
            out[place] = total / len(every) if x.dtype.kind == "f" else total // len(every)
        else:
            out[place] = getattr(every, {"amax": "max", "amin": "min"}.get(reduce, reduce))()
    return out
