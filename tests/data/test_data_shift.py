"""Feature shift: every client sees its images in a way of its own, and the server in all."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from fdd_flower.config import DataConfig, PartitionConfig
from fdd_flower.data import client_share, evaluation_split, load_dataset
from fdd_flower.data.base import Records
from fdd_flower.data.shift import SHIFTS, shifted, shifted_in_turn
from fdd_flower.errors import ConfigError

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 1, 28, 28), dtype=np.uint8)
RECORDS = Records(inputs=IMAGES, labels=np.arange(40) % 4)


def seen_by(client: int) -> np.ndarray:
    return shifted(RECORDS, client, seed=0).inputs


def test_turned_and_inverted() -> None:
    np.testing.assert_array_equal(seen_by(0), IMAGES)
    np.testing.assert_array_equal(seen_by(1)[3, 0], np.rot90(IMAGES[3, 0]))
    np.testing.assert_array_equal(seen_by(3)[3, 0], np.rot90(IMAGES[3, 0], -1))
    np.testing.assert_array_equal(seen_by(4), 255 - IMAGES)
    np.testing.assert_array_equal(seen_by(5)[0, 0], 255 - np.rot90(IMAGES[0, 0]))


def test_blurred_as_scipy_does() -> None:
    expected = gaussian_filter(IMAGES[0, 0].astype(float), 1.0, mode="mirror", truncate=3.0)
    assert np.abs(seen_by(6)[0, 0] - expected).max() <= 1


def test_noise_is_the_clients_own_and_drawn_once() -> None:
    difference = seen_by(8).astype(float) - IMAGES
    inside = difference[(IMAGES > 80) & (IMAGES < 175)]
    assert inside.std() == pytest.approx(25.5, rel=0.05)
    np.testing.assert_array_equal(seen_by(8), seen_by(8))
    assert not np.array_equal(seen_by(8), seen_by(18))


def test_the_test_split_has_every_way_alike() -> None:
    flat = Records(inputs=np.full((200, 1, 28, 28), 60, np.uint8), labels=np.zeros(200, np.int64))
    found = shifted_in_turn(flat, seed=0)
    inverted = (found.inputs.mean(axis=(1, 2, 3)) > 128).sum()
    noised = (found.inputs.std(axis=(1, 2, 3)) > 1).sum()
    assert inverted == 200 * sum(s.inverted for s in SHIFTS) / len(SHIFTS)
    assert noised == 200 * sum(s.noise > 0 for s in SHIFTS) / len(SHIFTS)
    np.testing.assert_array_equal(found.labels, flat.labels)


def test_client_and_server_get_shifted_records() -> None:
    dataset = load_dataset(DataConfig(name="digits"), seed=0)
    plain, shift = PartitionConfig(name="iid"), PartitionConfig(name="iid", shift="images")
    for client in (0, 1):
        before = client_share(dataset, plain, client=client, num_clients=5, seed=0)
        after = client_share(dataset, shift, client=client, num_clients=5, seed=0)
        assert np.array_equal(before.inputs, after.inputs) == (client == 0)
        np.testing.assert_array_equal(before.labels, after.labels)
    tested = evaluation_split(dataset, shift, seed=0)
    assert len(tested) == len(dataset.test)
    assert not np.array_equal(tested.inputs, evaluation_split(dataset, plain, seed=0).inputs)


@pytest.mark.parametrize("shape", [(3, 5), (3, 1, 28, 20)])
def test_what_cannot_be_shifted_is_refused(shape: tuple[int, ...]) -> None:
    records = Records(inputs=np.zeros(shape, np.uint8), labels=np.zeros(3, np.int64))
    with pytest.raises(ConfigError, match=r"partition\.shift.*square images"):
        shifted(records, 0, seed=0)
    with pytest.raises(ConfigError, match=r"partition\.shift"):
        shifted_in_turn(records, seed=0)
