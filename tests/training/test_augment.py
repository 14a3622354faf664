"""Random maps of images: how far they shift, and which images they mirror."""

from typing import Any

import torch
from torch import nn

from fdd_flower.config import TrainingConfig
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training import augment
from fdd_flower.training.loop import train_on


def maps(**options: Any) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return augment.affine_maps(2000, 32, 16, rng=rng, **options)


def test_a_shift_is_in_pixels_and_reaches_its_limit_on_both_sides():
    pixels = maps(shift=4)[:, :, 2] * torch.tensor([16, 32]) / 2
    assert pixels.abs().max() <= 4
    assert pixels.amin() < -3.9
    assert pixels.amax() > 3.9
    assert not maps(shift=0)[:, :, 2].any()


def test_half_of_the_images_are_mirrored_and_nothing_else_changes():
    plain, flipped = maps(), maps(flip=True)
    mirrored = flipped[:, 0, 0] < 0
    assert 900 < mirrored.sum() < 1100
    torch.testing.assert_close(flipped[~mirrored], plain[~mirrored])
    columns = torch.tensor([-1.0, 1.0, 1.0])  # the map of a pixel's column, and not its shift
    torch.testing.assert_close(flipped[mirrored], plain[mirrored] * columns)


def test_a_mirrored_map_mirrors_left_to_right():
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    mirror = torch.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    torch.testing.assert_close(augment.warp(images, mirror), images.flip(3), atol=1e-5, rtol=0)


def test_training_takes_both_from_its_settings(monkeypatch):
    seen = []
    drawn = augment.affine_maps

    def spy(*sizes: int, **options: Any):
        seen.append((options["shift"], options["flip"]))
        return drawn(*sizes, **options)

    monkeypatch.setattr(augment, "affine_maps", spy)
    inputs = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    targets = nn.functional.one_hot(torch.arange(4) % 2).float()
    synthetic = SyntheticSet(inputs=inputs, targets=targets, weights=torch.ones(4))
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    cfg = TrainingConfig(steps=2, batch_size=4, shift=3.0, flip=True)
    train_on(synthetic, model, cfg, rng=torch.Generator().manual_seed(2))
    assert seen == [(3.0, True)] * 2
