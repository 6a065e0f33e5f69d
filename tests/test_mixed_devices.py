"""Every op of several tensors refuses operands on different devices, by name, and edits nothing."""

import pytest

import fastdl
from fastdl import cuda
from fastdl.errors import DeviceError
from tests.opcases import OPS
from tests.oprow import to_tensor

if not cuda.is_available():
    pytest.skip(cuda.status(), allow_module_level=True)

pytestmark = pytest.mark.cuda


def several_tensors():
    """Each op of the table that takes several tensors, with the call that has most of them."""
    rows = []
    for op in OPS:
        calls = [c for c in op.calls if len(c.arrays) > 1 and not c.empty]
        if calls:
            most = max(calls, key=lambda c: len(c.arrays))
            rows.append(pytest.param(op, most, id=op.name))
    return rows


def test_the_table_has_ops_of_several_tensors():
    assert len(several_tensors()) > 20


class TestMixedDevices:
    @pytest.mark.parametrize(("op", "call"), several_tensors())
    @pytest.mark.parametrize("common", ["cpu", "cuda"])
    def test_one_operand_elsewhere(self, op, call, common):
        other = "cuda" if common == "cpu" else "cpu"
        values = call.draw(op.name)
        dtype = "float32" if "float32" in op.dtypes else op.dtypes[0]
        for odd in range(len(values)):
            tensors = [
                to_tensor(v, dtype, other if i == odd else common) for i, v in enumerate(values)
            ]
            before = [t.cpu().tolist() for t in tensors]
            with pytest.raises(DeviceError, match="different devices") as caught:
                op.function(*call.fill(tensors), **call.kwargs)
            told = str(caught.value)
            assert "on cpu" in told, told
            assert "on cuda:0" in told, told
            assert ".to('" in caught.value.remedy, told
            assert len(caught.value.details) >= 2, told
            assert [t.cpu().tolist() for t in tensors] == before

    def test_beside_the_table(self):
        here, there = fastdl.ones((3, 3)), fastdl.ones((3, 3), device="cuda")
        weight = fastdl.ones((3, 3), device="cuda", requires_grad=True)
        for call in (
            lambda: here + there,
            lambda: there.add_(here),
            lambda: there * here.numpy(),
            lambda: here @ there,
            lambda: there < here,
            lambda: weight.backward(here),
            lambda: setattr(weight, "grad", here),
        ):
            with pytest.raises((DeviceError, fastdl.errors.ShapeError), match="device"):
                call()

    def test_copies_may_cross(self):
        there = fastdl.zeros((3,), device="cuda")
        there.copy_(fastdl.ones((3,)))
        there[1] = fastdl.tensor(5.0)
        assert there.tolist() == [1, 5, 1]
