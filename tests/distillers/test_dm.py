"""Distribution matching against numpy and a per-class loop."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.dm import DistributionMatching
from fdd_flower.distillers.objectives.moments import Moments, mismatch, moments_of, project
from fdd_flower.distillers.parts.views import TILE, random_view
from fdd_flower.errors import DistillError
from fdd_flower.training import augment
from tests.conftest import blobs, plan_for

CFG = DistillerConfig(ipc=4, steps=60, networks=3, width=8, depth=2, augment=False)


@pytest.mark.parametrize("shape", [(1, 8, 8), (13,)])
@pytest.mark.parametrize("width", [8, 64])  # below and above what covariances are projected to
def test_moments_equal_numpy_over_all_features_at_once(shape, width):
    data = blobs(shape=shape, counts=(2 * TILE + 5,))
    cfg = dataclasses.replace(CFG, width=width)
    view = random_view(cfg, plan_for(data), 0)
    with torch.no_grad():
        features = view.embed(data.inputs)
    wanted = features.double().numpy()
    got = moments_of(view, data.inputs, "deviation")
    np.testing.assert_allclose(got.mean.numpy(), wanted.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(_known(got.deviation).numpy(), wanted.std(axis=0), atol=1e-4)
    got = moments_of(view, data.inputs, "covariance")
    wanted = np.cov(project(features).double().numpy(), rowvar=False, bias=True)
    np.testing.assert_allclose(_known(got.covariance).numpy(), wanted, atol=1e-4)
    assert got.deviation is None


def _known(value: torch.Tensor | None) -> torch.Tensor:
    assert value is not None
    return value


@pytest.mark.parametrize("rows", [5, 1])
@pytest.mark.parametrize("kind", ["mean", "deviation", "covariance"])
def test_the_mismatch_equals_numpy(rows, kind):
    rng = np.random.default_rng(0)
    x, mean, spread = rng.normal(size=(rows, 6)), rng.normal(size=6), rng.normal(size=(6, 6))
    real = {
        "mean": Moments(torch.tensor(mean)),
        "deviation": Moments(torch.tensor(mean), deviation=torch.tensor(spread[0])),
        "covariance": Moments(torch.tensor(mean), covariance=torch.tensor(spread)),
    }[kind]
    want = ((x.mean(axis=0) - mean) ** 2).sum()
    if rows > 1 and kind == "deviation":
        want += ((np.sqrt(x.var(axis=0) + 1e-6) - spread[0]) ** 2).sum()
    if rows > 1 and kind == "covariance":
        want += ((np.cov(x, rowvar=False, bias=True) - spread) ** 2).sum()
    assert float(mismatch(torch.tensor(x), real)) == pytest.approx(want, rel=1e-6)


def test_steps_bring_the_statistics_closer_on_networks_never_seen():
    data = blobs(counts=(80, 60))
    plan = plan_for(data)

    def gap(steps: int) -> float:
        cfg = DistillerConfig(ipc=4, steps=steps, networks=4, width=8, depth=2, start="class-mean")
        rng = torch.Generator().manual_seed(0)
        part = DistributionMatching(cfg).distill(data, plan=plan, start=None, rng=rng).synthetic
        unseen = random_view(CFG, dataclasses.replace(plan, seed=99), 0)
        total = torch.zeros(())
        with torch.no_grad():
            for label in (0, 1):
                real = moments_of(unseen, data.inputs[data.labels == label], "deviation")
                total += mismatch(unseen.embed(part.inputs[part.labels == label]), real)
        return float(total)

    assert gap(100) < 0.5 * gap(1)


def test_views_are_public_the_same_wherever_they_are_built():
    plan = plan_for(blobs())
    a, b = (random_view(DistillerConfig(width=4), plan, 2) for _ in range(2))
    other = random_view(DistillerConfig(width=4), plan, 3)
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
