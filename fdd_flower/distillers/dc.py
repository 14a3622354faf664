"""Gradient matching: training on few rows takes the same steps as training on the records."""

from __future__ import annotations

from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.objectives.gradients import GradientMatching


@DISTILLERS.register("dc")
class GradientMatchingPlain(GradientMatching):
    """DC (arXiv:2006.05929); code: https://github.com/VICO-UoE/DatasetCondensation.

    Differs from the paper: `distiller.networks` networks share the steps, each trained by
    `distiller.inner_steps` between matches (10 matches with 50 epochs between at 10 rows per class
    in the paper); Adam on the rows, with a cosine schedule; networks are small, and normalisation
    layers in evaluation mode; rows start from k-means centres and not from real images or noise.

    A client with one class needs `distiller.peers`, whose rows the network is then trained on
    too, or `distiller.inner_steps = 0`: then networks stay as drawn and classes separate.
    """
