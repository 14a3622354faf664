"""Subjects: all records of one person, in several clients, against none of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fdd_flower.audit.metrics import auc, tpr_at
from fdd_flower.audit.protocol import Known, at
from fdd_flower.audit.sums.trace import traces
from fdd_flower.audit.targets import Target
from fdd_flower.data.base import Split
from fdd_flower.rng import derive, numpy_stream, stream

SIZE = 8  # records of a subject, where the data names none
CLIENTS = 2  # that hold a subject's records


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """How well subjects that took part are told from others.

    Attributes
    ----------
    subjects, clients
        That were drawn; that each one's records were dealt to.
    auc, tpr, score
        Of the best score; the true positive rate is at 1 % false positives.
    auc_of_records
        Of single records by that score, in the same releases.
    """

    subjects: int
    clients: int
    score: str
    auc: float
    tpr: float
    auc_of_records: float


def subject_attack(
    target: Target, pool: Split, subjects: Tensor, known: Known, *, seed: int
) -> Subjects:
    """Deal the records of half of the subjects to clients, release each, and add up the scores.

    Parameters
    ----------
    subjects
        int64, (n,): whose record each of `pool` is, from 0.
    """
    count = int(subjects.max()) + 1
    member = numpy_stream(seed, "audit", "subjects").random(count) < 0.5
    inside = torch.from_numpy(np.flatnonzero(member[subjects.numpy()]))
    inside = inside[torch.randperm(len(inside), generator=stream(seed, "dealt"))]
    totals: dict[str, Tensor] = {}
    for client in range(CLIENTS):
        held = at(pool, inside[client::CLIENTS])
        release = target.release(held, known, derive(seed, "subject-client", client))
        scores = release.scores(pool, learned=False) | traces(release, pool, known)
        for name, score in scores.items():
            spread = score.std().clamp_min(1e-12)
            totals[name] = totals.get(name, torch.zeros(len(pool))) + score / spread
    sums = {
        name: torch.zeros(count).index_add_(0, subjects, score).numpy()
        / np.bincount(subjects.numpy(), minlength=count).clip(1)
        for name, score in totals.items()
    }
    best = max(sums, key=lambda name: auc(sums[name], member))
    return Subjects(
        subjects=count,
        clients=CLIENTS,
        score=best,
        auc=auc(sums[best], member),
        tpr=tpr_at(sums[best], member),
        auc_of_records=auc(totals[best].numpy(), member[subjects.numpy()]),
    )


def alike(records: Split, *, size: int = SIZE, seed: int) -> tuple[Split, Tensor]:
    """Return records in groups of `size` that are alike, as one person's are, and the groups.

    A record of a class not yet taken, with its nearest neighbours, is a subject; what is left of
    each class is left out.
    """
    places, groups, number = [], [], 0
    for label in range(len(records.classes)):
        left = torch.nonzero(records.labels == label).flatten()
        left = left[torch.randperm(len(left), generator=stream(seed, "alike", label))]
        while len(left) >= size:
            flat = records.inputs[left].flatten(1)
            near = (flat - flat[0]).square().sum(1).argsort()[:size]
            places.append(left[near])
            groups.append(torch.full((size,), number))
            keep = torch.ones(len(left), dtype=torch.bool)
            keep[near] = False
            left, number = left[keep], number + 1
    return at(records, torch.cat(places)), torch.cat(groups)
