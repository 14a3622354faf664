"""A round of clients with blobs for data, and root records of the same blobs."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from fdd_flower.data.base import Split
from fdd_flower.scoring import Root, hold_out_root
from fdd_flower.scoring.base import Embedded, Evidence
from fdd_flower.synthetic_set import SyntheticSet
from tests.conftest import blobs

CLASSES = 4
TEST = blobs(counts=(30, 30, 30, 30), seed=3)
ROOT = Root.of(hold_out_root(TEST, per_class=10, seed=0)[0], seed=0)


def client(seed: int, held: tuple[int, ...] = (0, 1, 2, 3), rows: int = 6) -> SyntheticSet:
    """Return the set of a client that holds some of the classes: fresh draws of the blobs."""
    rng = torch.Generator().manual_seed(1000 + seed)
    labels = torch.tensor(held).repeat_interleave(rows)
    means = torch.stack([TEST.inputs[TEST.labels == label].mean(dim=0) for label in held])
    inputs = means.repeat_interleave(rows, dim=0)
    return SyntheticSet(
        inputs=inputs + 0.5 * torch.randn(inputs.shape, generator=rng),
        targets=torch.eye(CLASSES)[labels],
        weights=torch.ones(len(labels)),
    )


def clients(number: int, *, rows: int = 6) -> dict[str, SyntheticSet]:
    """Return the sets of `number` honest clients with all classes."""
    return {str(seed): client(seed, rows=rows) for seed in range(number)}


def evidence(
    parts: Mapping[str, SyntheticSet],
    *,
    root: Root = ROOT,
    earlier: Mapping[str, SyntheticSet] | None = None,
) -> Evidence:
    """Return what signals read of a round."""
    return Evidence(
        root=root,
        parts={name: Embedded.of(part, root) for name, part in parts.items()},
        earlier={name: Embedded.of(part, root) for name, part in (earlier or {}).items()},
    )


def only(split: Split, *labels: int) -> Split:
    """Return the records of some classes."""
    pick = torch.isin(split.labels, torch.tensor(labels))
    return Split(inputs=split.inputs[pick], labels=split.labels[pick], classes=split.classes)
