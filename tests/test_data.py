"""Datasets, loader, IDX files, and finding the files of data sets."""

import gzip
import hashlib
import itertools
import struct
import threading
import time
import urllib.error

import numpy as np
import pytest

import fastdl
from fastdl import errors
from fastdl.data import (
    DataLoader,
    Dataset,
    RandomShift,
    Subset,
    TensorDataset,
    datasets,
    fetch,
    read_idx,
    stratified_split,
)
from fastdl.data.resize import resize_bilinear


def numbers(count=10):
    return TensorDataset(np.arange(count, dtype=np.float32), np.arange(count) * 2)


def contents(loader):
    return [batch[0].tolist() for batch in loader]


class TestDatasets:
    def test_tensor_dataset(self):
        data = TensorDataset(fastdl.tensor([[1.0], [2.0]]), np.array([3, 4]))
        assert len(data) == 2
        assert data[1][0].tolist() == [2.0]
        assert data[-1][1] == 4
        with pytest.raises(errors.IndexRangeError):
            data[2]
        with pytest.raises(errors.ShapeError, match="first dimension"):
            TensorDataset(np.zeros(3), np.zeros(4))
        with pytest.raises(errors.ShapeError, match="without dimensions"):
            TensorDataset(np.float32(1))
        with pytest.raises(errors.ArgumentError):
            TensorDataset()

    def test_subset(self):
        part = Subset(numbers(), [7, 2, 5])
        assert len(part) == 3
        assert part[1][1] == 4
        assert part.get_batch(np.array([2, 0]))[0].tolist() == [5.0, 7.0]
        with pytest.raises(errors.IndexRangeError):
            Subset(numbers(), [10])

    def test_items_of_any_kind_are_stacked(self):
        class Squares(Dataset):
            def __len__(self):
                return 5

            def __getitem__(self, index):
                return index * index

        class Pairs(Squares):
            def __getitem__(self, index):
                return fastdl.full((2,), index), 0.5

        assert contents(DataLoader(Squares(), 2)) == [[0, 1], [4, 9], [16]]
        first, second = next(iter(DataLoader(Pairs(), 3)))
        assert tuple(first.shape) == (3, 2)
        assert second.dtype == fastdl.float32

    def test_stratified_split(self):
        labels = np.repeat([0, 1, 2], [50, 30, 20])
        train, test = stratified_split(labels, 0.2, seed=1)
        assert np.bincount(labels[test]).tolist() == [10, 6, 4]
        assert sorted([*train, *test]) == list(range(100))
        again = stratified_split(labels, 0.2, seed=1)
        np.testing.assert_array_equal(test, again[1])
        assert stratified_split(labels, 0.2, seed=2)[1].tolist() != test.tolist()
        with pytest.raises(errors.ArgumentError):
            stratified_split(labels, 1.0, seed=1)


class TestLoader:
    @pytest.mark.parametrize("prefetch", [0, 1, 3])
    def test_batches(self, prefetch):
        loader = DataLoader(numbers(), 4, prefetch=prefetch)
        assert len(loader) == 3
        assert contents(loader) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        assert contents(DataLoader(numbers(), 4, drop_last=True, prefetch=prefetch)) == [
            [0, 1, 2, 3], [4, 5, 6, 7],
        ]  # fmt: skip
        assert len(DataLoader(numbers(), 4, drop_last=True)) == 2

    def test_without_batches(self):
        loader = DataLoader(numbers(3), None)
        assert len(loader) == 3
        items = list(loader)
        assert [tuple(x.shape) for x, _ in items] == [(), (), ()]
        assert [y.item() for _, y in items] == [0, 2, 4]

    def test_empty(self):
        assert contents(DataLoader(numbers(0), 4)) == []

    def test_shuffle_is_decided_by_seed_and_epoch(self):
        loader = DataLoader(numbers(100), 10, shuffle=True, seed=5)
        first, second = contents(loader), contents(loader)
        assert first != second
        for epoch in (first, second):
            assert sorted(itertools.chain(*epoch)) == list(range(100))
        np.random.default_rng().random(10)
        fastdl.manual_seed(99)
        again = DataLoader(numbers(100), 10, shuffle=True, seed=5, prefetch=0)
        assert [contents(again), contents(again)] == [first, second]
        again.epoch = 1
        assert contents(again) == second
        assert contents(DataLoader(numbers(100), 10, shuffle=True, seed=6)) != first

    def test_state(self):
        loader = DataLoader(numbers(20), 5, shuffle=True, seed=3)
        list(loader)
        other = DataLoader(numbers(20), 5, shuffle=True)
        other.load_state_dict(loader.state_dict())
        assert contents(other) == contents(loader)

    def test_fields_stay_together(self):
        for x, y in DataLoader(numbers(50), 7, shuffle=True):
            np.testing.assert_array_equal(y.numpy(), x.numpy().astype(np.int64) * 2)

    def test_transform_has_a_generator_of_its_own(self):
        def noise(batch, generator):
            return (batch[0] + generator.random(len(batch[0])), batch[1])

        loaders = [DataLoader(numbers(), 4, transform=noise, prefetch=n) for n in (0, 2)]
        epochs = [[contents(loader), contents(loader)] for loader in loaders]
        assert epochs[0] == epochs[1]
        assert epochs[0][0] != epochs[0][1]
        parts = [np.array(batch) % 1 for batch in epochs[0][0]]
        assert not np.array_equal(parts[0], parts[1])

    def test_batches_may_be_written_to(self):
        data = numbers()
        for x, _ in DataLoader(data, 4):
            x.fill_(-1.0)
        assert data.arrays[0].tolist() == list(range(10))

    def test_arguments(self):
        for options in ({"batch_size": 0}, {"prefetch": -1}, {"seed": -1}):
            with pytest.raises(errors.ArgumentError):
                DataLoader(numbers(), **options)


class Faulty(Dataset):
    def __len__(self):
        return 10

    def __getitem__(self, index):
        if index == 5:
            raise KeyError("item 5 is bad")
        return index


def prefetch_threads():
    return [t for t in threading.enumerate() if t.name == "fastdl-prefetch"]


class TestPrefetch:
    @pytest.mark.parametrize("prefetch", [0, 2])
    def test_exceptions_come_through_after_good_batches(self, prefetch):
        batches = iter(DataLoader(Faulty(), 2, prefetch=prefetch))
        assert [next(batches)[0].tolist() for _ in range(2)] == [[0, 1], [2, 3]]
        with pytest.raises(KeyError, match="item 5 is bad"):
            next(batches)
        assert not prefetch_threads()

    def test_breaking_off_ends_the_thread(self):
        iterator = iter(DataLoader(numbers(1000), 1))
        next(iterator)
        assert len(prefetch_threads()) == 1
        iterator.close()
        assert not prefetch_threads()
        for _ in DataLoader(numbers(1000), 1):
            break
        assert not prefetch_threads()

    def test_it_runs_ahead_but_not_without_end(self):
        made = []

        class Counting(Dataset):
            def __len__(self):
                return 100

            def __getitem__(self, index):
                made.append(index)
                return index

        iterator = iter(DataLoader(Counting(), 1, prefetch=2))
        next(iterator)
        deadline = time.monotonic() + 5
        while len(made) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)
        assert 3 <= len(made) <= 4
        iterator.close()


class TestImages:
    def test_resize_keeps_constants_and_ramps(self):
        ones = resize_bilinear(np.ones((1, 8, 8)), (32, 32))
        np.testing.assert_allclose(ones, 1.0, rtol=1e-12)
        ramp = np.broadcast_to(np.arange(8.0), (1, 8, 8))
        wide = resize_bilinear(ramp, (8, 32))[0, 0]
        centres = np.clip((np.arange(32) + 0.5) / 4 - 0.5, 0, 7)
        np.testing.assert_allclose(wide, centres, rtol=1e-12)
        single = resize_bilinear(np.full((1, 1, 1), 3.0), (2, 2))
        assert single.tolist() == [[[3.0, 3.0], [3.0, 3.0]]]

    def test_random_shift(self):
        image = np.zeros((50, 1, 7, 7), np.float32)
        image[:, 0, 3, 3] = 1.0
        labels = np.arange(50)
        shifted, same = RandomShift(2)((image, labels), np.random.default_rng(0))
        assert same is labels
        _, _, rows, columns = np.nonzero(shifted)
        assert len(rows) == 50
        for places in (rows, columns):
            assert set(places.tolist()) == {1, 2, 3, 4, 5}
        assert shifted.shape == image.shape
        filled, _ = RandomShift(2, fill=9.0)((image, labels), np.random.default_rng(0))
        assert (filled == 9.0).any()
        untouched = RandomShift(0)((image,), np.random.default_rng(0))
        assert untouched[0] is image

    def test_digits(self):
        data = datasets.digits()
        images, labels = data.train.arrays
        assert images.shape == (1438, 1, 32, 32)
        assert images.dtype == np.float32
        assert labels.dtype == np.int64
        assert len(data.test) == 359
        assert np.bincount(data.test.arrays[1]).min() >= 34
        assert abs(images.mean()) < 1e-5
        assert abs(images.std() - 1) < 1e-5
        again = datasets.digits()
        np.testing.assert_array_equal(again.test.arrays[0], data.test.arrays[0])
        assert data.classes[3] == "3"


def idx_bytes(array, code=0x08):
    header = struct.pack(">HBB", 0, code, array.ndim)
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


class TestIdx:
    def test_round_trip(self, tmp_path):
        pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
        (tmp_path / "plain").write_bytes(idx_bytes(pixels))
        (tmp_path / "packed").write_bytes(gzip.compress(idx_bytes(pixels)))
        for name in ("plain", "packed"):
            np.testing.assert_array_equal(read_idx(tmp_path / name), pixels)
        wide = np.array([1.5, -2.5], dtype=">f4")
        (tmp_path / "floats").write_bytes(idx_bytes(wide, 0x0D))
        result = read_idx(tmp_path / "floats")
        assert result.dtype == np.float32
        assert result.tolist() == [1.5, -2.5]

    @pytest.mark.parametrize("packed", [False, True])
    def test_cut_short_at_every_byte(self, tmp_path, packed):
        whole = idx_bytes(np.arange(6, dtype=np.uint8).reshape(2, 3))
        if packed:
            whole = gzip.compress(whole, mtime=0)
        path = tmp_path / "cut"
        for length in range(len(whole)):
            path.write_bytes(whole[:length])
            with pytest.raises(errors.FormatError) as caught:
                read_idx(path)
            assert str(path) in str(caught.value)
            assert "fetch it again" in caught.value.remedy

    @pytest.mark.parametrize(
        "data",
        [
            b"PK\x03\x04 a zip file",
            b"\x00\x01\x08\x01\x00\x00\x00\x01\x05",  # first bytes not zero
            b"\x00\x00\x07\x01\x00\x00\x00\x01\x05",  # unknown type
            b"\x00\x00\x08\x00",  # no dimensions
            b"\x00\x00\x08\x01\x00\x00\x00\x01\x05\x06",  # a byte too many
            b"\x00\x00\x0e\xff" + b"\xff" * 1020,  # 255 dimensions of 2**32 - 1
            b"\x00\x00\x08\x02\xff\xff\xff\xff\xff\xff\xff\xff\x05",
        ],
    )
    def test_damaged(self, tmp_path, data):
        (tmp_path / "bad").write_bytes(data)
        with pytest.raises(errors.FormatError):
            read_idx(tmp_path / "bad")


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No data anywhere: the cache is empty, and the system's folder is not looked at."""
    monkeypatch.delenv("FASTDL_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(fetch, "_SYSTEM_FOLDER", tmp_path / "system")
    return tmp_path


CONTENT = idx_bytes(np.arange(5, dtype=np.uint8))
FILES = fetch.FileSet(
    "toy", "http://127.0.0.1:9/", {"toy.gz": hashlib.sha256(CONTENT).hexdigest()}, "dataset-toy"
)


class TestFetch:
    @pytest.mark.parametrize("place", ["own", "own/toy", "cache/fastdl/toy", "system/toy"])
    @pytest.mark.parametrize("name", ["toy.gz", "toy"])
    def test_places(self, nowhere, monkeypatch, place, name):
        monkeypatch.setenv("FASTDL_DATA", str(nowhere / "own"))
        folder = nowhere / place
        folder.mkdir(parents=True)
        (folder / name).write_bytes(gzip.compress(CONTENT) if name.endswith("gz") else CONTENT)
        assert list(fetch.dataset_files(FILES)) == [(folder / name, CONTENT)]
        assert fetch.find_all(FILES) == [folder / name]

    def test_wrong_checksum(self, nowhere):
        folder = fetch.cache_folder() / "toy"
        folder.mkdir(parents=True)
        (folder / "toy.gz").write_bytes(gzip.compress(CONTENT + b"!"))
        with pytest.raises(errors.FormatError, match="does not have the content") as caught:
            list(fetch.dataset_files(FILES))
        assert str(folder / "toy.gz") in str(caught.value)

    def test_offline(self, nowhere):
        with pytest.raises(errors.UnavailableError) as caught:
            list(fetch.dataset_files(FILES))
        text = str(caught.value)
        assert "the download failed (" in text
        for needed in ("toy.gz", str(fetch.cache_folder() / "toy"), FILES.checksums["toy.gz"]):
            assert needed in text
        assert "apt-get install dataset-toy" in text

    def test_downloading_switched_off(self, nowhere, monkeypatch):
        monkeypatch.setattr(fetch, "_get", lambda url, name: pytest.fail("downloaded"))
        with pytest.raises(errors.UnavailableError, match="switched off"):
            datasets.fashion_mnist(download=False)
        assert fetch.find_all(fetch.FASHION_MNIST) == []

    def test_download_is_kept(self, nowhere, monkeypatch):
        asked = []
        length = [str(len(gzip.compress(CONTENT, mtime=0)))]

        class Response:
            def __init__(self):
                self.headers = {"Content-Length": length[0]}
                self.left = gzip.compress(CONTENT, mtime=0)

            def read(self, count):
                part, self.left = self.left[:7], self.left[7:]
                return part

            def __enter__(self):
                return self

            def __exit__(self, *_):
                pass

        def urlopen(url, timeout):
            asked.append(url)
            return Response()

        monkeypatch.setattr(fetch.urllib.request, "urlopen", urlopen)
        path = fetch.cache_folder() / "toy" / "toy.gz"
        assert list(fetch.dataset_files(FILES)) == [(path, CONTENT)]
        assert list(fetch.dataset_files(FILES)) == [(path, CONTENT)]
        assert asked == ["http://127.0.0.1:9/toy.gz"]

        length[0] = "999"
        path.unlink()
        with pytest.raises(errors.UnavailableError, match=r"broke after \d+ of 999 bytes"):
            list(fetch.dataset_files(FILES))
        assert not path.exists()

    def test_refused_by_the_server(self, nowhere, monkeypatch):
        def urlopen(url, timeout):
            raise urllib.error.URLError("no such host")

        monkeypatch.setattr(fetch.urllib.request, "urlopen", urlopen)
        with pytest.raises(errors.UnavailableError, match="no such host"):
            list(fetch.dataset_files(FILES))

    def test_fashion_mnist_from_files(self, nowhere, monkeypatch):
        generator = np.random.default_rng(0)
        folder = nowhere / "own" / "fashion-mnist"
        folder.mkdir(parents=True)
        sums = {}
        for name, array in (
            ("train-images-idx3-ubyte.gz", generator.integers(0, 256, (6, 28, 28), np.uint8)),
            ("train-labels-idx1-ubyte.gz", np.arange(6, dtype=np.uint8)),
            ("t10k-images-idx3-ubyte.gz", generator.integers(0, 256, (3, 28, 28), np.uint8)),
            ("t10k-labels-idx1-ubyte.gz", np.arange(3, dtype=np.uint8)),
        ):
            (folder / name).write_bytes(gzip.compress(idx_bytes(array)))
            sums[name] = hashlib.sha256(idx_bytes(array)).hexdigest()
        monkeypatch.setenv("FASTDL_DATA", str(nowhere / "own"))
        monkeypatch.setattr(fetch, "FASHION_MNIST", fetch.FASHION_MNIST._replace(checksums=sums))
        data = datasets.fashion_mnist(download=False)
        assert data.train.arrays[0].shape == (6, 1, 32, 32)
        assert data.test.arrays[1].tolist() == [0, 1, 2]
        assert data.classes[9] == "Ankle boot"
        background = (0.0 - data.mean) / data.std
        np.testing.assert_allclose(data.train.arrays[0][:, :, :2], background, rtol=1e-6)
