"""Weights and checkpoints: round trips, damaged files, and death while saving."""

import json
import os
import signal
import struct
import subprocess
import sys
import time

import numpy as np
import pytest
import safetensors.numpy

import fastdl
from fastdl import errors, io, nn, optim

DTYPES = ["float16", "bfloat16", "float32", "float64", "int32", "int64", "uint8", "bool_"]


def sample(dtype, shape):
    values = fastdl.tensor(np.random.default_rng(0).integers(0, 2, shape).astype(np.float32))
    return (values * 1.5 if "float" in dtype else values).to(getattr(fastdl, dtype))


def container(header, data=b""):
    """A file with any header, right or wrong."""
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


class TestWeights:
    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4), (0, 5)], ids=str)
    def test_round_trip(self, tmp_path, dtype, shape):
        tensor = sample(dtype, shape)
        io.save_file({"x": tensor}, tmp_path / "w")
        loaded = io.load_file(tmp_path / "w")["x"]
        assert loaded.dtype == tensor.dtype
        assert tuple(loaded.shape) == shape
        assert loaded.tolist() == tensor.tolist()

    def test_bfloat16_keeps_its_bits(self, tmp_path):
        values = fastdl.tensor([1.0, -2.0, 3.140625, float("inf"), 1e-40]).to(fastdl.bfloat16)
        io.save_file({"x": values}, tmp_path / "w")
        raw = (tmp_path / "w").read_bytes()[-10:]
        assert raw[:6] == bytes.fromhex("803f 00c0 4940")
        assert io.load_file(tmp_path / "w")["x"].tolist() == values.tolist()

    def test_other_programs_read_and_write_it(self, tmp_path):
        arrays = {
            "a": np.arange(6, dtype=np.float32).reshape(2, 3),
            "b": np.array([True, False]),
            "c": np.array(3, dtype=np.int64),
        }
        io.save_file({name: fastdl.tensor(a) for name, a in arrays.items()}, tmp_path / "w")
        for name, array in safetensors.numpy.load_file(tmp_path / "w").items():
            np.testing.assert_array_equal(array, arrays[name])
            assert array.dtype == arrays[name].dtype
        safetensors.numpy.save_file(arrays, tmp_path / "v", {"by": "somebody"})
        assert io.read_metadata(tmp_path / "v") == {"by": "somebody"}
        for name, tensor in io.load_file(tmp_path / "v").items():
            np.testing.assert_array_equal(tensor.numpy(), arrays[name])

    def test_views_parameters_and_no_tensors_at_all(self, tmp_path):
        whole = fastdl.tensor(np.arange(12.0).reshape(3, 4))
        io.save_file({"t": whole.T, "p": nn.Parameter(whole[1])}, tmp_path / "w")
        loaded = io.load_file(tmp_path / "w")
        assert loaded["t"].tolist() == whole.T.tolist()
        assert loaded["p"].tolist() == [4.0, 5.0, 6.0, 7.0]
        loaded["p"].fill_(0.0)  # what was loaded may be changed
        io.save_file({}, tmp_path / "none")
        assert io.load_file(tmp_path / "none") == {}
        assert io.read_metadata(tmp_path / "none") == {}

    def test_equal_contents_give_equal_files(self, tmp_path):
        metadata = {name: name.upper() for name in ("gamma", "alpha", "ä", "beta")}
        for name, texts in (("a", metadata), ("b", dict(reversed(metadata.items())))):
            io.save_file({"x": sample("float32", (2, 3))}, tmp_path / name, texts)
            assert io.read_metadata(tmp_path / name) == metadata
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()

    def test_only_tensors(self, tmp_path):
        with pytest.raises(errors.ArgumentError, match="'x' is of type list"):
            io.save_file({"x": [1.0]}, tmp_path / "w")
        assert list(tmp_path.iterdir()) == []


class TestDamagedWeights:
    def check(self, path, data):
        path.write_bytes(data)
        with pytest.raises(errors.FormatError) as caught:
            io.load_file(path)
        assert str(path) in str(caught.value)
        assert caught.value.remedy
        return caught.value

    def test_cut_short_at_every_byte(self, tmp_path):
        io.save_file({"x": sample("float32", (2, 3)), "y": sample("bool_", (3,))}, tmp_path / "w")
        whole = (tmp_path / "w").read_bytes()
        for length in range(len(whole)):
            self.check(tmp_path / "cut", whole[:length])
        self.check(tmp_path / "long", whole + b"\0")

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"hello, world, this is a text file",
            struct.pack("<Q", 2**63) + b"{}",
            struct.pack("<Q", 2**64 - 1) + b"{}",
            struct.pack("<Q", 1 << 40) + b"{}",
            container(b"\xff\xfe{}"),
            container(b'{"\xc3\x28": 1}'),
            container(b"[]"),
            container(b"{"),
            container(b'{"x": 1}'),
            container(b"[" * 100_000),
            container({"x": entry(offsets=(0, 8)), "y": entry(offsets=(4, 12))}, b"\0" * 12),
            container({"x": entry(offsets=(0, 8)), "y": entry(offsets=(12, 20))}, b"\0" * 20),
            container({"x": entry(offsets=(8, 0))}, b"\0" * 8),
            container({"x": entry(offsets=(0, 16))}, b"\0" * 8),
            container({"x": entry(shape=(3,))}, b"\0" * 8),
            container({"x": entry(shape=(2**62, 4), offsets=(0, 0))}),
            container({"x": entry(shape=(2**63, 2), offsets=(0, 0))}),
            container({"x": entry(shape=(-1,), offsets=(0, 8))}, b"\0" * 8),
            container({"x": entry(dtype="F33")}, b"\0" * 8),
            container({"x": entry(dtype="I16", shape=(4,))}, b"\0" * 8),
            container({"__metadata__": {"a": 1}, "x": entry()}, b"\0" * 8),
            container({"__metadata__": 5, "x": entry()}, b"\0" * 8),
        ],
        ids=range(23),
    )
    def test_malformed(self, tmp_path, data):
        self.check(tmp_path / "bad", data)

    def test_a_foreign_dtype_is_named(self, tmp_path):
        data = container({"x": entry(dtype="I16", shape=(4,))}, b"\0" * 8)
        assert "'x' has dtype I16" in self.check(tmp_path / "bad", data).problem

    def test_any_changed_byte_of_the_header_gives_an_error_or_tensors(self, tmp_path):
        io.save_file({"x": sample("float32", (2, 3))}, tmp_path / "w", {"k": "v"})
        whole = (tmp_path / "w").read_bytes()
        damaged = 0
        generator = np.random.default_rng(0)
        for _ in range(2000):
            changed = bytearray(whole)
            for place in generator.integers(0, len(whole) - 24, generator.integers(1, 4)):
                changed[place] = generator.integers(0, 256)
            (tmp_path / "c").write_bytes(changed)
            try:
                loaded = io.load_file(tmp_path / "c")
            except errors.FormatError:
                damaged += 1
            else:
                assert all(isinstance(value, fastdl.Tensor) for value in loaded.values())
        assert damaged > 1000

    def test_missing_files_are_os_errors(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            io.load_file(tmp_path / "nothing")
        with pytest.raises(FileNotFoundError):
            io.save_file({}, tmp_path / "no" / "folder")


class TestAtomicWrite:
    def test_replaces(self, tmp_path):
        (tmp_path / "f").write_bytes(b"old")
        with io.atomic_write(tmp_path / "f") as file:
            file.write(b"new")
            assert (tmp_path / "f").read_bytes() == b"old"
        assert (tmp_path / "f").read_bytes() == b"new"
        assert list(tmp_path.iterdir()) == [tmp_path / "f"]

    @pytest.mark.parametrize("exception", [ValueError, KeyboardInterrupt])
    def test_an_exception_leaves_no_trace(self, tmp_path, exception):
        (tmp_path / "f").write_bytes(b"old")

        def fail():
            with io.atomic_write(tmp_path / "f") as file:
                file.write(b"new")
                raise exception

        with pytest.raises(exception):
            fail()
        assert (tmp_path / "f").read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [tmp_path / "f"]

    def test_symbolic_links_stay(self, tmp_path):
        (tmp_path / "real").write_bytes(b"old")
        (tmp_path / "link").symlink_to("real")
        with io.atomic_write(tmp_path / "link") as file:
            file.write(b"new")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real").read_bytes() == b"new"

    def test_permissions_are_those_of_a_new_file(self, tmp_path):
        with io.atomic_write(tmp_path / "f") as file:
            file.write(b"")
        (tmp_path / "g").write_bytes(b"")
        assert (tmp_path / "f").stat().st_mode == (tmp_path / "g").stat().st_mode


SAVER = """
import sys
import fastdl
from fastdl import io

value = 0.0
while True:
    state = {"x": fastdl.full((50_000,), value), "value": value}
    io.save_checkpoint(sys.argv[1], state)
    value += 1.0
    print(value, flush=True)
"""


def test_kill_during_save_leaves_a_whole_file(tmp_path):
    path = tmp_path / "c"
    generator = np.random.default_rng(0)
    seen = set()
    for saves in range(1, 7):
        with subprocess.Popen(
            [sys.executable, "-c", SAVER, str(path)], stdout=subprocess.PIPE
        ) as child:
            for _ in range(saves):
                child.stdout.readline()
            time.sleep(generator.uniform(0.0, 0.05))
            os.kill(child.pid, signal.SIGKILL)
        state = io.load_checkpoint(path)
        assert state["x"].tolist() == [state["value"]] * 50_000
        seen.add(state["value"])
    assert max(seen) >= 5.0


def training_state():
    model = nn.Linear(2, 2)
    optimizer = optim.Adam(model.parameters())
    model(fastdl.ones((1, 2))).sum().backward()
    optimizer.step()
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epoch": 3,
        "history": [{"loss": 0.5, "best": True, "note": "ä", "nothing": None}],
        "raw": b"\x00\xff",
        "shape": (1, 2),
        "limit": float("inf"),
        "numpy": np.float64(2.5),
    }


class TestCheckpoint:
    def test_round_trip(self, tmp_path):
        state = training_state()
        io.save_checkpoint(tmp_path / "c", state)
        loaded = io.load_checkpoint(tmp_path / "c")
        assert list(loaded) == list(state)
        for name, tensor in state["model"].items():
            assert loaded["model"][name].tolist() == tensor.tolist()
        own = loaded["optimizer"]["state"][0]
        assert own["step"] == 1
        assert own["exp_avg"].tolist() == state["optimizer"]["state"][0]["exp_avg"].tolist()
        assert loaded["history"] == state["history"]
        assert (loaded["epoch"], loaded["raw"], loaded["limit"]) == (3, b"\x00\xff", float("inf"))
        assert (loaded["shape"], loaded["numpy"]) == ([1, 2], 2.5)

    def test_names_that_would_collide(self, tmp_path):
        one, two = fastdl.tensor([1.0]), fastdl.tensor([2.0])
        io.save_checkpoint(tmp_path / "c", {"a": {"b": one}, "a/b": two})
        loaded = io.load_checkpoint(tmp_path / "c")
        assert (loaded["a"]["b"].item(), loaded["a/b"].item()) == (1.0, 2.0)

    def test_cut_short_at_every_byte(self, tmp_path):
        io.save_checkpoint(tmp_path / "c", training_state())
        whole = (tmp_path / "c").read_bytes()
        for length in range(len(whole)):
            (tmp_path / "cut").write_bytes(whole[:length])
            with pytest.raises(errors.FormatError):
                io.load_checkpoint(tmp_path / "cut")

    def test_every_changed_byte_is_noticed(self, tmp_path):
        io.save_checkpoint(tmp_path / "c", training_state())
        whole = (tmp_path / "c").read_bytes()
        padding = whole.index(b"}  ") if b"}  " in whole else len(whole)
        header_end = 8 + struct.unpack_from("<Q", whole)[0]
        for place in range(len(whole)):
            if padding < place < header_end:
                continue  # blanks between header and data mean nothing
            changed = bytearray(whole)
            changed[place] ^= 0x01
            (tmp_path / "changed").write_bytes(changed)
            with pytest.raises(errors.FormatError):
                io.load_checkpoint(tmp_path / "changed")

    def test_weights_are_no_checkpoint(self, tmp_path):
        io.save_file({"x": fastdl.zeros((1,))}, tmp_path / "w")
        with pytest.raises(errors.FormatError, match="weights, not a checkpoint"):
            io.load_checkpoint(tmp_path / "w")

    def test_a_newer_version_is_refused(self, tmp_path, monkeypatch):
        monkeypatch.setattr("fastdl.io.checkpoint.FORMAT_VERSION", 2)
        io.save_checkpoint(tmp_path / "c", {"a": 1})
        monkeypatch.undo()
        with pytest.raises(errors.FormatError, match="version 2, this fastdl knows 1") as caught:
            io.load_checkpoint(tmp_path / "c")
        assert caught.value.remedy == "upgrade fastdl"

    @pytest.mark.parametrize(
        ("state", "message"),
        [
            ({"a": {1: 2}}, "a has the key 1"),
            ({"a": [object()]}, "a/0 is of type object"),
            ({"$x": 1}, "key '\\$x'"),
            ({"f": {"g": print}}, "f/g is of type builtin_function"),
        ],
    )
    def test_what_cannot_be_stored(self, tmp_path, state, message):
        with pytest.raises(errors.ArgumentError, match=message):
            io.save_checkpoint(tmp_path / "c", state)
        assert list(tmp_path.iterdir()) == []


BAD_FILES = """
import pathlib, sys
import fastdl
from fastdl import io
from fastdl.errors import FormatError

def header(text):
    return len(text).to_bytes(8, "little") + text

def tensor(first, last):
    return b'{"dtype": "F32", "shape": [2], "data_offsets": [%d, %d]}' % (first, last)

path = pathlib.Path(sys.argv[1])
io.save_file({"x": fastdl.arange(6.0)}, path)
whole = path.read_bytes()
bad = [whole[:size] for size in range(len(whole))]
bad += [
    header(b'{"a": ' + tensor(0, 8) + b', "b": ' + tensor(4, 12) + b"}") + bytes(12),  # overlap
    header(b'{"a": ' + tensor(0, 2**62) + b"}") + bytes(8),
    (2**63).to_bytes(8, "little") + b"{}",
    (10**12).to_bytes(8, "little") + b"{}",
    header(b"\\xff\\xfe{}"),  # not UTF-8
]
io.save_checkpoint(path, {"x": fastdl.arange(6.0), "epoch": 3})
checkpoint = path.read_bytes()
loads = [(io.load_file, b) for b in bad]
loads += [(io.load_checkpoint, checkpoint[:size]) for size in range(len(checkpoint))]
for load, content in loads:
    path.write_bytes(content)
    try:
        load(path)
    except FormatError:
        continue
    raise SystemExit(f"no error for {content!r}")
print("alive")
"""


def test_bad_files_end_no_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", BAD_FILES, str(tmp_path / "f")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "alive\n"
