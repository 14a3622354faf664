"""Distribution matching against numpy and a per-class loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fdd_flower import augment
from fdd_flower.config import DistillerConfig
from fdd_flower.distillers._views import TILE, build_view, class_statistics
from fdd_flower.distillers.dm import DistributionMatching, matching_loss
from fdd_flower.errors import DistillError
from tests.conftest import blobs, plan_for

CFG = DistillerConfig(ipc=4, steps=60, networks=3, width=8, depth=2, augment=False)


@pytest.mark.parametrize("shape", [(1, 8, 8), (13,)])
def test_statistics_equal_numpy_over_all_features_at_once(shape):
    data = blobs(shape=shape, counts=(2 * TILE + 5,))
    view = build_view(CFG, shape, seed=3, index=0)
    with torch.no_grad():
        features = view.embed(data.inputs).double().numpy()
    got = class_statistics(view, data.inputs).numpy()
    np.testing.assert_allclose(got[0], features.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(got[1], features.std(axis=0), atol=1e-4)


def test_loss_equals_a_loop_over_classes_in_numpy():
    data = blobs(counts=(30, 20))
    view = build_view(CFG, (1, 8, 8), seed=3, index=0)
    rows, sizes = data.inputs[:5], [4, 1]
    real = torch.stack([class_statistics(view, data.inputs[data.labels == c]) for c in (0, 1)])
    features = view.embed(rows).detach().double().numpy()
    mean, std = real.double().numpy()[:, 0], real.double().numpy()[:, 1]
    want = ((features[:4].mean(axis=0) - mean[0]) ** 2).sum()
    want += ((np.sqrt(features[:4].var(axis=0) + 1e-6) - std[0]) ** 2).sum()
    want += ((features[4] - mean[1]) ** 2).sum()  # one row: no deviation
    assert float(matching_loss(view, rows, real, sizes)) == pytest.approx(want, rel=1e-4)


def test_steps_bring_the_statistics_closer_on_networks_never_seen():
    data = blobs(counts=(80, 60))
    plan = plan_for(data)

    def mismatch(steps: int) -> float:
        cfg = DistillerConfig(ipc=4, steps=steps, networks=4, width=8, depth=2, start="class-mean")
        rng = torch.Generator().manual_seed(0)
        part = DistributionMatching(cfg).distill(data, plan=plan, start=None, rng=rng).synthetic
        unseen = build_view(CFG, (1, 8, 8), seed=99, index=0)
        real = torch.stack(
            [class_statistics(unseen, data.inputs[data.labels == c]) for c in (0, 1)]
        )
        with torch.no_grad():
            return float(matching_loss(unseen, part.inputs, real, [4, 4]))

    assert mismatch(100) < 0.5 * mismatch(1)


def test_views_are_public_the_same_wherever_they_are_built():
    a, b = (build_view(DistillerConfig(width=4), (1, 8, 8), seed=5, index=2) for _ in range(2))
    other = build_view(DistillerConfig(width=4), (1, 8, 8), seed=5, index=3)
    x = torch.randn(3, 1, 8, 8)
    assert torch.equal(a.embed(x), b.embed(x))
    assert not torch.equal(a.embed(x), other.embed(x))


def test_warm_start_goes_on_from_the_earlier_rows():
    data = blobs(counts=(80, 60))
    plan, rng = plan_for(data), torch.Generator().manual_seed(0)
    still = DistillerConfig(ipc=4, steps=1, networks=1, width=4, learning_rate=1e-6)
    first = DistributionMatching(CFG).distill(data, plan=plan, start=None, rng=rng).synthetic
    second = DistributionMatching(still).distill(data, plan=plan, start=first, rng=rng).synthetic
    torch.testing.assert_close(first.inputs, second.inputs, atol=1e-4, rtol=0)
    assert second.meta["start"] == "warm"


def test_a_loss_that_is_not_finite_names_the_setting():
    data = blobs(counts=(80, 60))
    cfg = DistillerConfig(ipc=4, steps=50, networks=1, width=4, learning_rate=100.0)
    huge = type(data)(inputs=data.inputs * 1e30, labels=data.labels, classes=data.classes)
    with pytest.raises(DistillError, match=r"step 0.*distiller\.learning-rate"):
        DistributionMatching(cfg).distill(
            huge, plan=plan_for(data), start=None, rng=torch.Generator()
        )


def test_warp_by_the_identity_and_by_a_whole_pixel_shift():
    x = torch.randn(2, 1, 10, 10)
    identity = torch.tensor([[[1.0, 0, 0], [0, 1, 0]]])
    torch.testing.assert_close(augment.warp(x, identity), x, atol=1e-5, rtol=0)
    one_right = torch.tensor([[[1.0, 0, 2 / 10], [0, 1, 0]]])  # samples one pixel further right
    torch.testing.assert_close(augment.warp(x, one_right)[..., :-1], x[..., 1:], atol=1e-5, rtol=0)


def test_affine_maps_stay_in_their_ranges():
    maps = augment.affine_maps(5000, 10, 20, rng=torch.Generator().manual_seed(0))
    scale = torch.linalg.det(maps[:, :, :2]).sqrt()
    assert 1 - augment.SCALE - 1e-6 <= float(scale.min()) < 0.91
    assert 1.09 < float(scale.max()) <= 1 + augment.SCALE + 1e-6
    # One pixel of 10 rows, and of 20 columns, in coordinates that span 2.
    assert maps[:, 1, 2].abs().max() == pytest.approx(2 * augment.SHIFT / 10, rel=0.01)
    assert maps[:, 0, 2].abs().max() == pytest.approx(2 * augment.SHIFT / 20, rel=0.01)
