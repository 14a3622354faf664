"""How well scores tell members from others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FEW = 0.01  # the false positive rate at which an attack is called sure


@dataclass(frozen=True, slots=True, kw_only=True)
class Roc:
    """A receiver operating characteristic: rates from 0 to 1, both rising."""

    fpr: np.ndarray
    tpr: np.ndarray


def roc(scores: np.ndarray, member: np.ndarray) -> Roc:
    """Return the rates at every threshold; higher scores are guessed to be members."""
    from sklearn.metrics import roc_curve

    # every threshold: without those on a line between others a rate at 1 % would be too low
    fpr, tpr, _ = roc_curve(member, scores, drop_intermediate=False)
    return Roc(fpr=fpr, tpr=tpr)


def auc(scores: np.ndarray, member: np.ndarray) -> float:
    """Return the probability that a member's score is above another's; a tie counts half."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(member, scores))


def tpr_at(scores: np.ndarray, member: np.ndarray, fpr: float = FEW) -> float:
    """Return the largest true positive rate at a false positive rate of at most `fpr`.

    As in Carlini et al. 2022, arXiv:2112.03570.
    """
    found = roc(scores, member)
    return float(found.tpr[found.fpr <= fpr].max())
