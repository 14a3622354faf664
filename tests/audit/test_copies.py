"""Copies are found in a set of which one row in twenty is a record; a set without passes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fdd_flower.audit.copies import as_pairs, copy_test
from fdd_flower.audit.distances import nearest
from fdd_flower.audit.protocol import Canaries, Known, draw_canaries
from fdd_flower.audit.released.rows import Rows, mixed_with
from fdd_flower.audit.targets import targets
from fdd_flower.synthetic_set import SyntheticSet
from tests.conftest import blobs


def _drawn_afresh(seed: int, drawn: Canaries) -> SyntheticSet:
    """Return rows of the same population, of which none was made from a record."""
    rng = torch.Generator().manual_seed(seed)
    means = torch.stack([drawn.records.inputs[drawn.records.labels == c].mean(0) for c in range(3)])
    labels = torch.arange(60) % 3
    return SyntheticSet(
        inputs=means[labels] + 0.5 * torch.randn(60, 1, 8, 8, generator=rng),
        targets=torch.nn.functional.one_hot(labels, 3).float(),
        weights=torch.ones(60),
    )


def test_distances_are_those_of_a_loop():
    rng = torch.Generator().manual_seed(0)
    points, rows = torch.randn(20, 5, generator=rng), torch.randn(9, 5, generator=rng)
    labels, row_labels = torch.arange(20) % 3, torch.arange(9) % 2
    apart, which = nearest(points, labels, rows, row_labels)
    for i in range(20):
        own = [j for j in range(9) if row_labels[j] == labels[i]]
        if not own:
            assert which[i] == -1
            continue
        found = [float((points[i] - rows[j]).norm()) for j in own]
        assert float(apart[i]) == pytest.approx(min(found), rel=1e-5)
        assert which[i] == own[found.index(min(found))]


@pytest.mark.parametrize("share", [0.0, 0.05])
def test_a_twentieth_of_raw_records_is_found_in_9_of_10_and_none_in_19_of_20(share):
    found = []
    for seed in range(20 if share == 0 else 10):
        drawn, reference = draw_canaries(
            blobs(counts=(260, 260, 260), seed=seed), count=400, seed=seed
        )
        part = _drawn_afresh(seed, drawn)
        if share:
            part = mixed_with(part, drawn.members, share, seed=seed)
        copies, pairs = copy_test(part, drawn.members, drawn.others, reference)
        found.append(copies.too_many)
        if share:
            assert copies.copies == pytest.approx(0.05)
            assert pairs[0].distance == 0
    assert sum(found) <= 1 if share == 0 else sum(found) >= 9


def test_raw_records_are_told_and_shown(small: tuple[Canaries, Known]):
    drawn, known = small
    release = targets(known.cfg, ["raw-copy"])[0].release(drawn.members, known, 0)
    assert isinstance(release, Rows)
    copies, pairs = copy_test(release.part, drawn.members, drawn.others, known.reference)
    assert copies.copies == 1
    assert copies.copies_holdout == 0
    assert copies.too_many
    for row, record in as_pairs(pairs, 5):
        assert torch.equal(release.part.inputs[row], drawn.members.inputs[record])


def test_a_copy_of_another_contrast_is_told_in_the_embedding_alone(small: tuple[Canaries, Known]):
    drawn, known = small
    sent = targets(known.cfg, ["raw-copy"])[0].release(drawn.members, known, 0)
    assert isinstance(sent, Rows)
    changed = Rows(replace(sent.part, inputs=1.5 * sent.part.inputs), known)
    beside = drawn.members, drawn.others, known.reference
    plain, _ = copy_test(changed.part, *beside)
    embedded, _ = copy_test(changed.embedded_rows(), *map(changed.embedded, beside))
    assert plain.near_duplicates == 0
    assert embedded.near_duplicates > 0.9
    assert embedded.too_many
