"""What the operators of ONNX share."""

DTYPES = {"float16", "bfloat16", "float32", "float64", "int32", "int64", "uint8", "bool"}


class LeftOutError(Exception):
    """A case of a covered operator that is left out; the text is the reason."""


def reject(condition, reason):
    if condition:
        raise LeftOutError(reason)


def numbers(t):
    """A tensor of a few integers as a list."""
    return [int(v) for v in t.numpy().reshape(-1)]


def scalar(t):
    return t.reshape(-1)[0].item()
