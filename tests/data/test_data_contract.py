"""Every source, by being there: it registers, and what it returns can be used."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from fdd_flower.config import DataConfig
from fdd_flower.data import SOURCES, load_dataset, load_own
from fdd_flower.data.base import refuse, shown
from fdd_flower.errors import DataError
from fdd_flower.schema import Normalisation

EMBEDDED = {"breast-cancer": load_breast_cancer, "digits": load_digits, "wine": load_wine}


@pytest.mark.parametrize("name", SOURCES.built_in())
def test_every_built_in_registers_under_its_file_name(name: str) -> None:
    assert callable(SOURCES.get(name))
    assert name in SOURCES.names()


def test_the_config_names_every_source() -> None:
    doc = DataConfig.__dataclass_fields__["name"].metadata["doc"]
    assert doc.split(", ") == SOURCES.built_in()


@pytest.mark.parametrize("name", sorted(set(SOURCES.built_in()) - set(EMBEDDED)))
def test_a_path_that_does_not_exist_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^data\.path: expected .*nowhere.*absolute"):
        SOURCES.get(name)(DataConfig(name=name, path=str(tmp_path / "nowhere")))


@pytest.mark.parametrize("name", ["folder", "npz", "table"])
def test_a_source_of_own_files_needs_a_path(name: str) -> None:
    with pytest.raises(DataError, match=rf"^data\.path: .*data\.name={name}; got nothing\. Set"):
        SOURCES.get(name)(DataConfig(name=name))


@pytest.mark.parametrize("name", sorted(EMBEDDED))
def test_embedded_records_are_those_of_scikit_learn(name: str) -> None:
    bunch = EMBEDDED[name]()
    source = SOURCES.get(name)(DataConfig(name=name))
    assert source.test is None
    scale = 16 if name == "digits" else 1
    inputs = source.train.inputs.reshape(len(bunch.data), -1)
    np.testing.assert_allclose(inputs * scale, bunch.data, rtol=1e-6)
    np.testing.assert_array_equal(source.train.labels, bunch.target)
    assert source.classes == tuple(str(c) for c in bunch.target_names)
    assert (source.train.inputs.dtype, source.train.labels.dtype) == (np.float32, np.int64)


def test_digits_are_images_with_the_constants_of_the_whole_set() -> None:
    source = SOURCES.get("digits")(DataConfig())
    assert source.train.inputs.shape == (1797, 1, 8, 8)
    assert source.normalisation is not None
    assert source.normalisation.mean[0] == pytest.approx(source.train.inputs.mean(), abs=1e-4)
    assert source.normalisation.std[0] == pytest.approx(source.train.inputs.std(), abs=1e-4)


@pytest.mark.parametrize("name", sorted(EMBEDDED))
def test_a_public_set_is_not_taken_for_a_nodes_own(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"^data\.path: expected nothing for data\.name={name}"):
        load_own(
            DataConfig(name=name),
            path=str(tmp_path),
            classes=("0", "1"),
            feature_shape=(1,),
            normalisation=Normalisation(mean=(0.0,), std=(1.0,)),
        )


def test_folder_npz_and_table_agree_on_the_same_numbers(tmp_path: Path) -> None:
    labels = np.repeat([0, 1], 10)
    pixels = np.random.default_rng(0).integers(0, 256, (20, 1, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "data.npz", x=pixels, y=labels)
    for i, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        (tmp_path / "images" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0]).save(tmp_path / "images" / str(label) / f"{i:02}.png")
    rows = [",".join(map(str, [*x.ravel(), y])) for x, y in zip(pixels, labels, strict=True)]
    header = ",".join([*(f"p{i:02}" for i in range(16)), "label"])
    (tmp_path / "data.csv").write_text("\n".join([header, *rows]))
    npz = load_dataset(DataConfig(name="npz", path=str(tmp_path / "data.npz")), seed=0)
    folder = load_dataset(
        DataConfig(name="folder", path=str(tmp_path / "images"), image_size=4), seed=0
    )
    table = load_dataset(DataConfig(name="table", path=str(tmp_path / "data.csv")), seed=0)
    np.testing.assert_array_equal(npz.train.inputs, folder.train.inputs)
    assert npz.normalisation == folder.normalisation
    np.testing.assert_array_equal(table.train.inputs, npz.train.inputs.reshape(-1, 16))
    assert npz.classes == folder.classes == table.classes == ("0", "1")


def test_an_error_keeps_to_one_line_and_cuts_long_lists() -> None:
    error = refuse("x", expected="y", got=ValueError("two\n  lines"), remedy="z")
    assert str(error) == "x: expected y; got two lines. z"
    assert shown(["a", "b"]) == "a, b"
    assert shown(str(i) for i in range(1000)).endswith(" more")
