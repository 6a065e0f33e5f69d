"""How errors look, and how they find the layer that they came from."""

import copy
import pickle

import pytest

import fastdl
from fastdl import errors, nn


def test_full_form():
    error = errors.ShapeError(
        "conv2d",
        "input has 4 channels, weight expects 3",
        {"input": "float32[8, 4, 32, 32]", "weight": "float32[6, 3, 5, 5]"},
        "give the layer in_channels=4, or pass an input with 3 channels",
    )
    error.modules += [nn.Conv2d(3, 6, 5)]
    assert str(error) == (
        "conv2d: input has 4 channels, weight expects 3\n"
        "  layer:    (Conv2d)\n"
        "  input:    float32[8, 4, 32, 32]\n"
        "  weight:   float32[6, 3, 5, 5]\n"
        "  try:      give the layer in_channels=4, or pass an input with 3 channels"
    )


def test_short_form():
    assert str(errors.Error("save")) == "save"
    assert str(errors.Error("save", "disk full")) == "save: disk full"


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("ShapeError", ValueError),
        ("DTypeError", TypeError),
        ("DeviceError", RuntimeError),
        ("OutOfMemoryError", MemoryError),
        ("FormatError", ValueError),
        ("IndexRangeError", IndexError),
        ("UnavailableError", RuntimeError),
        ("ArgumentError", ValueError),
        ("AutogradError", RuntimeError),
    ],
)
def test_every_error_is_also_a_builtin_one(name, builtin):
    kind = getattr(errors, name)
    assert issubclass(kind, fastdl.Error)
    assert issubclass(kind, builtin)
    error = kind("op", "problem", {"a": "b"}, "remedy")
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(again) is kind
        assert str(again) == str(error)


def test_path_of_the_layer_is_added_while_unwinding():
    model = nn.Sequential(
        {"features": nn.Sequential(nn.ReLU(), nn.Linear(4, 3)), "head": nn.Linear(3, 2)}
    )
    with pytest.raises(errors.ShapeError) as caught:
        model(fastdl.zeros((2, 5)))
    assert caught.value.layer == "features.1 (Linear)"
    assert "  layer:    features.1 (Linear)\n" in str(caught.value) + "\n"
    assert caught.value.modules == [model.features[1], model.features, model]


def test_path_through_a_module_that_is_no_direct_child():
    class Wrapper(nn.Module):
        def __init__(self):
            self.parts = nn.ModuleList([nn.Linear(2, 2), nn.Linear(3, 2)])

        def forward(self, input):
            return self.parts[1](self.parts[0](input))

    with pytest.raises(errors.ShapeError) as caught:
        Wrapper()(fastdl.zeros((1, 2)))
    assert caught.value.layer == "parts.1 (Linear)"


def test_error_outside_any_layer_has_no_path():
    with pytest.raises(errors.ShapeError) as caught:
        fastdl.functional.linear(fastdl.zeros((2, 5)), fastdl.zeros((3, 4)))
    assert caught.value.layer == ""
    assert "layer:" not in str(caught.value)
