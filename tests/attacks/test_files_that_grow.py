"""Files that are small on the disk and huge in memory, and images that are more than an image."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageCms

from fdd_flower.config import DataConfig
from fdd_flower.data.archives import arrays as npz
from fdd_flower.data.base import SOURCES
from fdd_flower.data.images.pixels import read_image
from fdd_flower.data.sources import paths
from fdd_flower.data.tables import files
from fdd_flower.errors import DataError


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that promises so many pixels, and holds none."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + crc

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(bytes(9))), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("size", [(9_500, 9_500), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_an_image_of_too_many_pixels_is_not_decoded(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(*size))
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("it was decoded"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError, match=r"pixels|bomb|memory|overflow|range|size"):
            read_image(path, (8, 8))


def test_no_image_starts_a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n")
    with Image.open(path) as opened:  # what Pillow hands to Ghostscript
        assert opened.format == "EPS"
    monkeypatch.setattr("subprocess.Popen.__init__", lambda *a, **k: pytest.fail("a program"))
    with pytest.raises(DataError, match="an image that Pillow can read"):
        read_image(path, (8, 8))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    memory = io.BytesIO()
    image.save(memory, kind, **options)
    return memory.getvalue()


RED = Image.new("RGB", (8, 8), (255, 0, 0))
BLUE = Image.new("RGB", (8, 8), (0, 0, 255))
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
SEVERAL = {
    "animated gif": saved(RED, "GIF", save_all=True, append_images=[BLUE] * 3),
    "animated webp": saved(RED, "WEBP", save_all=True, append_images=[BLUE] * 3, lossless=True),
    "animated png": saved(RED, "PNG", save_all=True, append_images=[BLUE] * 3),
    "pages": saved(RED, "TIFF", save_all=True, append_images=[BLUE] * 3),
}
MORE = {
    "a preview": saved(RED, "MPO", save_all=True, append_images=[BLUE]),
    "a profile of other colours": saved(RED, "PNG", icc_profile=PROFILE),
    "a broken profile": saved(RED, "PNG", icc_profile=b"\0" * 99),
}


@pytest.mark.parametrize("what", MORE)
def test_of_an_image_that_is_more_the_first_picture_counts(tmp_path: Path, what: str) -> None:
    path = tmp_path / "image"
    path.write_bytes(MORE[what])
    found = read_image(path, (8, 8), channels=3).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(found, [255, 0, 0], atol=2)


@pytest.mark.parametrize("what", SEVERAL)
def test_which_of_several_pictures_is_meant_is_not_guessed(tmp_path: Path, what: str) -> None:
    path = tmp_path / "image"
    path.write_bytes(SEVERAL[what])
    with pytest.raises(DataError, match=r"image: .*several pictures"):
        read_image(path, (8, 8))


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF"])
def test_an_image_that_was_cut_is_named(tmp_path: Path, kind: str, keep: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content, path = saved(Image.fromarray(noise), kind), tmp_path / "cut"
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(DataError, match="cut"):
        read_image(path, (8, 8))


def archive(path: Path, content: bytes, size: int) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as found, found.open("x.npy", "w") as x:
        x.write(content)
        for _ in range(size // 2**20):
            x.write(bytes(2**20))


def header(shape: tuple[int, ...]) -> bytes:
    memory = io.BytesIO()
    about = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(memory, about)
    return memory.getvalue()


def test_an_archive_of_zeros_is_not_inflated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, honest = tmp_path / "bomb.npz", tmp_path / "honest.npz"
    monkeypatch.setattr(paths, "MOST_INFLATED", 2**20)
    archive(path, header((2**24,)), 2**24)
    assert path.stat().st_size < 2**24 / 500
    np.savez_compressed(honest, x=np.random.default_rng(0).integers(0, 4, 2**21, dtype=np.uint8))
    assert npz.read_arrays(honest)["x"].shape == (2**21,)
    monkeypatch.setattr(np.lib.npyio.NpzFile, "__getitem__", lambda *_: pytest.fail("inflated"))
    with pytest.raises(DataError, match="bytes in memory"):
        npz.read_arrays(path)


@pytest.mark.parametrize("shape", [(2**60,), (2**40, 2**10), (2**63, 2**63)])
def test_a_header_that_promises_more_than_there_is(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "bomb.npz"
    archive(path, header(shape), 0)
    with pytest.raises(DataError, match="archive of plain arrays"):
        npz.read_arrays(path)


def test_a_member_with_a_path_is_a_name_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as found:
        for name in ("../../out.npy", "/out.npy"):
            found.writestr(name, header((1,)) + b"\0")
    assert set(npz.read_arrays(path)) == {"../../out", "/out"}
    assert [one.name for one in tmp_path.iterdir()] == ["data.npz"]


def test_a_table_of_one_value_is_not_inflated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.parquet"
    pd.DataFrame({"a": np.zeros(2**20), "label": 0}).to_parquet(path, compression="zstd")
    assert files.read_frame(path).shape == (2**20, 2)
    monkeypatch.setattr(paths, "MOST_INFLATED", 2**20)
    monkeypatch.setattr(pd, "read_parquet", lambda *_: pytest.fail("inflated"))
    with pytest.raises(DataError, match="bytes in memory"):
        SOURCES.get("table")(DataConfig(name="table", path=str(path)))
