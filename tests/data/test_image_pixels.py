"""Pixels of the kinds of files that people have, against NumPy."""

import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    SecondaryCaptureImageStorage,
)

from fdd_flower.data.images.many import read_images
from fdd_flower.data.images.pixels import read_image
from fdd_flower.data.images.tiff import read_deep_tiff
from fdd_flower.errors import DataError

RAMP = np.arange(16, dtype=np.uint16).reshape(4, 4) * 4_000


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_sixteen_bits_keep_their_depth(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"scan.{ending}"
    Image.fromarray(RAMP).save(path)
    found = read_image(path, (4, 4))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, :, 0], RAMP / 65_535, rtol=1e-6)


def test_depths_share_one_scale(tmp_path: Path) -> None:
    Image.fromarray(RAMP).save(tmp_path / "a.png")
    Image.new("RGB", (4, 4), (51, 0, 255)).save(tmp_path / "b.png")
    found = read_images(tmp_path, [tmp_path / "a.png", tmp_path / "b.png"], (4, 4))
    assert found.shape == (2, 3, 4, 4)
    np.testing.assert_allclose(found[0], np.stack([RAMP / 65_535] * 3), rtol=1e-6)
    np.testing.assert_allclose(found[1, :, 0, 0], [0.2, 0, 1], rtol=1e-6)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.uint8, np.uint16, np.int16])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_tiff(kind: type, channels: int, tmp_path: Path) -> None:
    values = (np.arange(16 * channels).reshape(4, 4, channels) * 2).astype(kind)
    photometric = "rgb" if channels == 3 else "minisblack"
    plain = values if channels == 3 else values[:, :, 0]
    tifffile.imwrite(tmp_path / "x.tif", plain, photometric=photometric)
    found = read_image(tmp_path / "x.tif", (4, 4))
    scale = 65_535 if kind == np.uint16 else 1
    np.testing.assert_allclose(found, values / scale, rtol=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("pillow", [True, False])
def test_white_may_be_zero(kind: type, pillow: bool, tmp_path: Path) -> None:
    values = (np.arange(16).reshape(4, 4) * 15).astype(kind)
    tifffile.imwrite(tmp_path / "x.tif", values, photometric="miniswhite")
    top = np.iinfo(kind).max
    wanted = (top - values) / (1 if kind == np.uint8 else top)
    found = read_image(tmp_path / "x.tif", (4, 4)) if pillow else read_deep_tiff(tmp_path / "x.tif")
    np.testing.assert_allclose(found[:, :, 0], wanted, rtol=1e-6)


def test_values_of_another_unit_are_not_mixed_with_bytes(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 100).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "b.tif", np.full((4, 4), -800, np.int16))
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((4, 4), np.float32))
    paths = [tmp_path / name for name in ("a.png", "b.tif", "c.tif")]
    with pytest.raises(DataError, match=r"a\.png of 8 bits, and b\.tif with values below 0"):
        read_images(tmp_path, paths, (4, 4))
    assert read_images(tmp_path, paths[1:], (4, 4)).min() == -800  # nothing contradicts it
    assert read_images(tmp_path, paths[::2], (4, 4)).max() == np.float32(100 / 255)


def test_a_palette_of_greys_is_grey(tmp_path: Path) -> None:
    Image.fromarray(np.uint8(RAMP // 256)).quantize(16).save(tmp_path / "x.png")
    with Image.open(tmp_path / "x.png") as made:
        assert made.mode == "P"
    found = read_image(tmp_path / "x.png", (4, 4))
    np.testing.assert_array_equal(found[:, :, 0], RAMP // 256)


def test_an_empty_file_is_called_so(tmp_path: Path) -> None:
    for name in ("x.jpg", "x.dcm"):
        (tmp_path / name).touch()
        with pytest.raises(DataError, match="got an empty file"):
            read_image(tmp_path / name, (4, 4))


def test_a_deep_tiff_without_tifffile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "x.tif", np.zeros((4, 4, 3), np.float64), photometric="rgb")
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(DataError, match=r"x\.tif: expected tifffile.*fdd-flower\[medical\]"):
        read_image(tmp_path / "x.tif", (4, 4))


@pytest.mark.parametrize("ground", ["white", "black"])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_shows_the_ground(mode: str, ground: str, tmp_path: Path) -> None:
    alpha = np.full((4, 4), 128, dtype=np.uint8)
    alpha[0], alpha[3] = 0, 255
    picture = Image.new("RGBA", (4, 4), (100, 100, 100, 0))
    picture.putalpha(Image.fromarray(alpha))
    path = tmp_path / "x.png"
    if mode == "P":
        flat = Image.new("P", (4, 4), 1)
        flat.putpalette([0, 0, 0, 100, 100, 90])
        flat.putpixel((0, 0), 0)
        flat.save(path, transparency=0)
        found = read_image(path, (4, 4), ground=ground)
        behind = 255 if ground == "white" else 0
        assert found[0, 0].tolist() == [behind] * 3
        assert found[3, 3].tolist() == [100, 100, 90]
        return
    picture.convert(mode).save(path)
    found = read_image(path, (4, 4), ground=ground)
    assert found.shape[2] == (1 if mode == "LA" else 3)
    share = alpha / 255
    expected = share * 100 + (1 - share) * (255 if ground == "white" else 0)
    np.testing.assert_allclose(found[:, :, 0], expected, atol=1)


@pytest.mark.parametrize("deep", [False, True])
def test_resizing_by_choice(deep: bool, tmp_path: Path) -> None:
    columns = np.repeat(np.array([[10, 20, 30, 40]]), 2, axis=0)  # 2 rows, 4 columns
    Image.fromarray(columns.astype(np.uint16 if deep else np.uint8)).save(tmp_path / "x.png")
    scale = 65_535 if deep else 1

    def rows(resize: str) -> np.ndarray:
        return read_image(tmp_path / "x.png", (4, 4), resize=resize)[:, :, 0] * scale

    np.testing.assert_allclose(rows("stretch"), [[10, 20, 30, 40]] * 4, rtol=1e-5)
    padded = [[0] * 4, [10, 20, 30, 40], [10, 20, 30, 40], [0] * 4]
    np.testing.assert_allclose(rows("pad"), padded, rtol=1e-5)
    # between the pixels of the middle square, twice as dense
    np.testing.assert_allclose(rows("crop"), [[17.5, 22.5, 27.5, 32.5]] * 4, atol=0.6)


def scan(path: Path, pixels: np.ndarray, **tags: object) -> Path:
    """Write a DICOM file of 12 bits."""
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = SecondaryCaptureImageStorage
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = UID("1.2.3")
    found.Rows, found.Columns = pixels.shape[:2]
    found.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    found.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    found.BitsAllocated = 8 * pixels.dtype.itemsize
    found.BitsStored = 12 if pixels.ndim == 2 else 8
    found.HighBit = found.BitsStored - 1
    found.PixelRepresentation = int(pixels.dtype.kind == "i")
    found.PlanarConfiguration = 0
    found.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(found, name, value)
    pydicom.dcmwrite(path, found, enforce_file_format=True)
    return path


HU = np.array([[-1000, -500, 0, 500]] * 4, dtype=np.int16)


def test_dicom_without_a_window_keeps_the_range_of_its_bits(tmp_path: Path) -> None:
    found = read_image(scan(tmp_path / "x.dcm", RAMP // 15), (4, 4))
    np.testing.assert_allclose(found[:, :, 0], (RAMP // 15) / 4_095, rtol=1e-5)
    found = read_image(scan(tmp_path / "x", HU, RescaleSlope=2, RescaleIntercept=-7), (4, 4))
    np.testing.assert_allclose(found[0, :, 0], (HU[0] + 2_048) / 4_095, rtol=1e-5)


@pytest.mark.parametrize("kind", ["MONOCHROME2", "MONOCHROME1"])
def test_dicom_is_seen_through_its_window(kind: str, tmp_path: Path) -> None:
    tags = {"WindowCenter": [0, 40], "WindowWidth": [1_000, 80], "PhotometricInterpretation": kind}
    found = read_image(scan(tmp_path / "x.dcm", HU, **tags), (4, 4))
    assert found.dtype == np.uint8
    expected = np.array([0, 0, 128, 255])
    expected = 255 - expected if kind == "MONOCHROME1" else expected
    np.testing.assert_allclose(found[0, :, 0], expected, atol=1)


def test_dicom_in_colour(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(read_image(scan(tmp_path / "x.dcm", pixels), (4, 4)), pixels)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"NumberOfFrames": 2, "Rows": 2}, "2 pictures in one file"),
        ({"Rows": 60_000, "Columns": 60_000}, "60000x60000 pixels"),
        ({"PixelData": b"12"}, "length|bytes"),
    ],
)
def test_dicom_that_no_one_picture_is(tags: dict, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"x\.dcm: .*({words})"):
        read_image(scan(tmp_path / "x.dcm", HU, **tags), (4, 4))


def test_dicom_packed_as_a_whole_is_not_inflated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = scan(tmp_path / "x.dcm", HU)
    found = pydicom.dcmread(path)
    found.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    pydicom.dcmwrite(path, found, enforce_file_format=True)
    monkeypatch.setattr("zlib.decompress", lambda *_: pytest.fail("it was inflated"))
    with pytest.raises(DataError, match="packed as a whole"):
        read_image(path, (4, 4))


def test_dicom_without_pydicom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scan(tmp_path / "x.dcm", HU)
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(DataError, match=r"expected pydicom.*pip install 'fdd-flower\[medical\]'"):
        read_image(path, (4, 4))


def _notes(tmp_path: Path, *paths: Path) -> list[str]:
    found: list[str] = []
    read_images(tmp_path, paths, (4, 4), notes=found)
    return found


def test_dicom_with_and_without_a_window_is_told_apart(tmp_path: Path) -> None:
    window = {"WindowCenter": 100, "WindowWidth": 400}
    shown = [scan(tmp_path / f"{i}.dcm", HU, **window) for i in range(2)]
    bare = scan(tmp_path / "bare.dcm", RAMP // 15)
    assert _notes(tmp_path, *shown) == _notes(tmp_path, bare) == []
    (note,) = _notes(tmp_path, *shown, bare)
    assert note.startswith("DICOM: 2 files shown through a window")
    assert "1 file without one, such as bare.dcm" in note
    # each by its own window, whatever lies beside it
    both = read_images(tmp_path, [shown[0], bare], (4, 4))
    alone = read_images(tmp_path, shown[:1], (4, 4))
    np.testing.assert_allclose(both[0], alone[0] / 255, rtol=1e-6)


@pytest.mark.parametrize(("top", "share"), [(4_095, "6%"), (65_535, "100%")])
def test_depths_that_are_mixed_are_said(top: int, share: str, tmp_path: Path) -> None:
    deep, plain = tmp_path / "deep.png", tmp_path / "plain.png"
    Image.fromarray(np.full((4, 4), top, np.uint16)).save(deep)
    Image.new("L", (4, 4), 200).save(plain)
    assert _notes(tmp_path, plain) == _notes(tmp_path, deep) == []
    (note,) = _notes(tmp_path, plain, deep)
    assert note.startswith("1 image of more than 8 bits, such as deep.png, beside 1 of 8 bits")
    assert note.endswith(f"is {share} of that")


def test_dicom_beside_photographs_is_said(tmp_path: Path) -> None:
    Image.new("L", (4, 4), 200).save(tmp_path / "x.png")
    path = scan(tmp_path / "x.dcm", HU, WindowCenter=100, WindowWidth=400)
    (note,) = _notes(tmp_path, tmp_path / "x.png", path)
    assert note.startswith("1 of DICOM, such as x.dcm, beside other images")
