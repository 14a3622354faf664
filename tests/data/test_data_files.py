"""The sources that read MNIST's, CIFAR-10's and NumPy's files, against files written here."""

import gzip
import hashlib
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torchvision

from fdd_flower.config import DataConfig
from fdd_flower.data import SOURCES, load_dataset
from fdd_flower.data.base import Source
from fdd_flower.data.sources.fashion_mnist import DEBIAN
from fdd_flower.errors import DataError

IDX = {"mnist": "MNIST", "fashion-mnist": "FashionMNIST"}


def read(name: str, path: Path | str = "") -> Source:
    return SOURCES.get(name)(DataConfig(name=name, path=str(path)))


def idx_bytes(values: np.ndarray) -> bytes:
    head = struct.pack(">BBBB", 0, 0, 8, values.ndim) + struct.pack(
        f">{values.ndim}I", *values.shape
    )
    return head + values.astype(np.uint8).tobytes()


def write_idx(root: Path, *, zipped: bool = False) -> dict[str, bytes]:
    rng = np.random.default_rng(1)
    root.mkdir(parents=True, exist_ok=True)
    files = {}
    for split, n in (("train", 12), ("t10k", 5)):
        images, labels = rng.integers(0, 256, (n, 3, 4)), rng.integers(0, 10, n)
        files[f"{split}-images-idx3-ubyte"] = idx_bytes(images)
        files[f"{split}-labels-idx1-ubyte"] = idx_bytes(labels)
    for name, content in files.items():
        target = root / (name + ".gz" if zipped else name)
        target.write_bytes(gzip.compress(content) if zipped else content)
    return files


@pytest.fixture
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    # As __init__ binds nothing of that name, the module is only to be had from here.
    monkeypatch.setattr(
        sys.modules["fdd_flower.data.sources.fashion_mnist"], "DEBIAN", tmp_path / "none"
    )


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", IDX)
def test_idx_files_are_read_byte_for_byte(
    name: str, nested: bool, zipped: bool, tmp_path: Path
) -> None:
    files = write_idx(tmp_path / IDX[name] / "raw" if nested else tmp_path, zipped=zipped)
    source = read(name, tmp_path)
    assert source.test is not None
    for part, prefix in ((source.train, "train"), (source.test, "t10k")):
        pixels = np.frombuffer(files[f"{prefix}-images-idx3-ubyte"], dtype=np.uint8, offset=16)
        labels = np.frombuffer(files[f"{prefix}-labels-idx1-ubyte"], dtype=np.uint8, offset=8)
        np.testing.assert_array_equal(part.inputs, pixels.reshape(-1, 1, 3, 4))
        np.testing.assert_array_equal(part.labels, labels)
    assert source.train.inputs.dtype == np.uint8
    assert len(source.classes) == 10


@pytest.mark.parametrize("content", [b"", b"\0\0\x08\x03", idx_bytes(np.zeros((2, 3)))[:-2]])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_damaged_idx_file_is_named(content: bytes, zipped: bool, tmp_path: Path) -> None:
    write_idx(tmp_path, zipped=zipped)
    file = tmp_path / f"train-images-idx3-ubyte{'.gz' if zipped else ''}"
    file.write_bytes(gzip.compress(content) if zipped else content)
    with pytest.raises(DataError, match=r"train-images-idx3.* copy it again"):
        read("mnist", tmp_path)


def test_a_gzip_file_that_was_cut_short_is_named(tmp_path: Path) -> None:
    write_idx(tmp_path, zipped=True)
    file = tmp_path / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"t10k-images-idx3.* copy it again"):
        read("mnist", tmp_path)


@pytest.mark.parametrize("name", ["cifar10", *IDX])
def test_a_given_path_without_the_files_is_never_filled_by_download(
    name: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"^data\.path: .*without them\. .*leave data\.path empty"):
        read(name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("_home")
@pytest.mark.parametrize(
    ("name", "kind"),
    [("cifar10", "CIFAR10"), ("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")],
)
def test_a_failed_download_says_what_to_do(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(_: object) -> None:
        raise RuntimeError("Error downloading:\nTried http://example.org")

    monkeypatch.setattr(getattr(torchvision.datasets, kind), "download", no_network)
    with pytest.raises(DataError, match=rf"^download of {name}: .*set data\.path") as caught:
        read(name)
    assert str(tmp_path / "home" / ".fdd-flower" / "data") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("_home")
@pytest.mark.parametrize("name", IDX)
def test_without_a_path_the_download_is_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(data: torchvision.datasets.MNIST) -> None:
        write_idx(Path(data.raw_folder))

    monkeypatch.setattr(getattr(torchvision.datasets, IDX[name]), "download", fake)
    assert len(read(name).train) == 12
    assert (tmp_path / "home" / ".fdd-flower" / "data" / IDX[name] / "raw").is_dir()


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="needs Debian's dataset-fashion-mnist")
def test_debians_fashion_mnist_is_the_published_one() -> None:
    dataset = load_dataset(DataConfig(name="fashion-mnist"), seed=0)
    assert dataset.train.inputs.shape == (60_000, 1, 28, 28)
    assert dataset.test.inputs.shape == (10_000, 1, 28, 28)
    assert np.bincount(dataset.train.labels).tolist() == [6_000] * 10
    with gzip.open(DEBIAN / "t10k-images-idx3-ubyte.gz") as file:
        expected = np.frombuffer(file.read(), dtype=np.uint8, offset=16)
    np.testing.assert_array_equal(dataset.test.inputs.ravel(), expected)
    scaled = dataset.train.inputs[:, 0] / np.float32(255)
    assert dataset.normalisation.mean[0] == pytest.approx(scaled.mean(), abs=1e-3)
    assert dataset.normalisation.std[0] == pytest.approx(scaled.std(), abs=1e-3)
    assert dataset.classes[9] == "Ankle boot"


def write_cifar(root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    base = root / "cifar-10-batches-py"
    base.mkdir()
    rng = np.random.default_rng(2)
    cifar, sums, pixels = torchvision.datasets.CIFAR10, {}, {}
    names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
    for name in names:
        pixels[name] = rng.integers(0, 256, (4, 3072), dtype=np.uint8)
        content = pickle.dumps({"data": pixels[name], "labels": [0, 1, 2, 3]})
        (base / name).write_bytes(content)
        sums[name] = hashlib.md5(content).hexdigest()
    meta = pickle.dumps({"label_names": list("abcdefghij")})
    (base / "batches.meta").write_bytes(meta)
    monkeypatch.setattr(cifar, "train_list", [[n, sums[n]] for n in names[:5]])
    monkeypatch.setattr(cifar, "test_list", [[names[5], sums[names[5]]]])
    monkeypatch.setattr(cifar, "meta", {**cifar.meta, "md5": hashlib.md5(meta).hexdigest()})
    return pixels


def test_cifar10_is_read_channels_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = write_cifar(tmp_path, monkeypatch)
    source = read("cifar10", tmp_path)
    assert source.train.inputs.shape == (20, 3, 32, 32)
    np.testing.assert_array_equal(
        source.train.inputs[4], pixels["data_batch_2"][0].reshape(3, 32, 32)
    )
    assert source.test is not None
    np.testing.assert_array_equal(source.test.inputs.reshape(4, -1), pixels["test_batch"])
    assert source.classes == tuple("abcdefghij")


def test_a_changed_cifar10_file_is_not_unpickled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cifar(tmp_path, monkeypatch)
    (tmp_path / "cifar-10-batches-py" / "data_batch_3").write_bytes(b"cos\nsystem\n")
    with pytest.raises(DataError, match="cifar-10-batches-py"):
        read("cifar10", tmp_path)


X, Y = np.arange(24, dtype=np.float32).reshape(6, 4), np.array([0, 1, 2, 0, 1, 2])
IMAGES = np.zeros((6, 1, 4, 4), dtype=np.uint8)


def npz(path: Path, **arrays: np.ndarray) -> Source:
    np.savez(path / "data.npz", **arrays)  # pyright: ignore[reportArgumentType]
    return read("npz", path / "data.npz")


def test_npz_gives_its_arrays_back(tmp_path: Path) -> None:
    source = npz(
        tmp_path, x=X.astype(np.float64), y=Y.astype(np.uint8), x_test=X[:2], y_test=Y[:2] + 1
    )
    np.testing.assert_array_equal(source.train.inputs, X)
    assert (source.train.inputs.dtype, source.train.labels.dtype) == (np.float32, np.int64)
    assert source.test is not None
    assert source.test.labels.tolist() == [1, 2]
    assert source.classes == ("0", "1", "2")


def test_npz_keeps_images_as_bytes(tmp_path: Path) -> None:
    source = npz(tmp_path, x=IMAGES, y=Y)
    assert source.train.inputs.dtype == np.uint8
    assert source.test is None


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": X}, "keys x and y; got x. Write it with"),
        ({}, "keys x and y; got none"),
        ({"x": X, "y": Y, "x_test": X}, "keys x_test and y_test"),
        ({"x": X, "y": Y / 2}, "y: expected classes: whole numbers.*0.5 in record 1.*A quantity"),
        ({"x": X, "y": np.eye(6) + np.eye(6)[0]}, r"y: expected one class.*\(6, 6\), with rows"),
        ({"x": X, "y": np.zeros((6, 2, 2), int)}, r"y: expected classes.*int64 \(6, 2, 2\)"),
        ({"x": X[:5], "y": Y}, r"x: expected \(n, d\).*n = 6.*\(5, 4\)"),
        ({"x": X[:, 0], "y": Y}, r"x: expected \(n, d\)"),
        ({"x": X[:0], "y": Y[:0]}, "y: expected classes.*n at least 1"),
        ({"x": X.astype(str), "y": Y}, "x: expected numbers; got <U32. Save"),
        ({"x": np.zeros((6, 1, 2, 2, 2)), "y": Y}, r"x: expected \(n, d\).*\(6, 1, 2, 2, 2\)"),
        ({"x": np.where(X == 9, np.nan, X), "y": Y}, "x: expected finite.*record 2,.*drop"),
        (
            {"x": np.where(X == 9, 1e300, X.astype(np.float64)), "y": Y},
            "x: expected finite.*record 2,",
        ),
        ({"x": X, "y": Y, "x_test": X[:, :3], "y_test": Y}, r"x_test: .*\(4,\).*got.*\(3,\)"),
        ({"x": np.array([{}] * 6), "y": Y}, "plain arrays.*numpy.savez"),
    ],
)
def test_npz_says_what_is_wrong(arrays: dict[str, np.ndarray], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words) as caught:
        npz(tmp_path, **arrays)
    assert "data.npz" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: b"",
        lambda good: b"not an archive",
        lambda good: good[: len(good) // 2],
        lambda good: good[:60] + b"\xff" * 40 + good[100:],
    ],
)
def test_a_damaged_npz_is_named(spoil: Callable[[bytes], bytes], tmp_path: Path) -> None:
    npz(tmp_path, x=X, y=Y)
    path = tmp_path / "data.npz"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DataError, match=r"data\.npz: expected a NumPy \.npz archive"):
        read("npz", path)


def test_a_member_that_is_no_array_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mixed.npz"
    np.savez(path, y=np.zeros(6, dtype=np.int64))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("x.npy", "garbage")
    with pytest.raises(DataError, match="plain arrays; got x is not an array"):
        read("npz", path)


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(DataError, match="got a single array"):
        read("npz", tmp_path / "x.npy")
