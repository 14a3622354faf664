"""Gradient matching under siamese augmentation: records and rows are changed the same way."""

from __future__ import annotations

import torch

from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.objectives.gradients import Augmentation, GradientMatching
from fdd_flower.distillers.objectives.siamese import siamese


@DISTILLERS.register("dsa")
class SiameseGradientMatching(GradientMatching):
    """DSA (arXiv:2102.08259); code: https://github.com/VICO-UoE/DatasetCondensation.

    In each match one augmentation, with one draw of its parameters, changes the records and the
    rows of a class. Images get the affine maps of `fdd_flower.training.augment`,
    brightness and contrast, or a square cut out; tables and series get one noise vector added.

    Differs from the paper: no flips, as digits are no digits in a mirror; no saturation; crop,
    scale and rotation are one milder affine map; and as `dc` differs from its paper.
    """

    def _augmentation(
        self, feature_shape: tuple[int, ...], *, rng: torch.Generator
    ) -> Augmentation:
        return siamese(feature_shape, rng=rng)
