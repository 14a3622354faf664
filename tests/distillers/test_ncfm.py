"""Characteristic functions against numpy's complex exponentials."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.ncfm import (
    SPREADS,
    CharacteristicFunctionMatching,
    Wave,
    discrepancy,
    frequencies,
    wave_of,
)
from fdd_flower.distillers.parts.views import TILE, random_view
from tests.conftest import blobs, plan_for

CFG = DistillerConfig(ipc=4, steps=80, networks=4, width=8, start="class-mean")


@pytest.mark.parametrize("shape", [(1, 8, 8), (13,)])
def test_the_wave_of_a_class_is_the_mean_of_complex_exponentials(shape):
    data = blobs(shape=shape, counts=(TILE + 44,))
    view = random_view(CFG, plan_for(data), 0)
    with torch.no_grad():
        features = view.embed(data.inputs)
    draw = frequencies(features.shape[1], 30, seed=7, index=0)
    wave = wave_of(view, data.inputs, draw)
    z, t = features.double().numpy(), draw.double().numpy()
    projected = (z - z.mean(axis=0)) @ t
    t *= np.resize(SPREADS, 30) / np.sqrt(np.mean(projected**2))
    want = np.exp(1j * (z - z.mean(axis=0)) @ t).mean(axis=0)
    np.testing.assert_allclose(wave.cos.numpy(), want.real, atol=1e-3)
    np.testing.assert_allclose(wave.sin.numpy(), want.imag, atol=1e-3)


class Largest(TorchDispatchMode):
    """Remembers how many numbers the largest tensor made had."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        if isinstance(found, torch.Tensor):
            self.numbers = max(self.numbers, found.numel())
        return found


def test_a_wave_takes_the_memory_of_a_tile():
    data = blobs(shape=(13,), counts=(5 * TILE,))
    view = random_view(CFG, plan_for(data), 0)
    draw = frequencies(view.embed(data.inputs[:1]).shape[1], 300, seed=7, index=0)
    with Largest() as largest:
        wave_of(view, data.inputs, draw)
    assert largest.numbers == 300 * TILE


def test_records_deviate_along_frequencies_as_told_whatever_the_scale_of_features():
    data = blobs(counts=(200,))
    view = random_view(CFG, plan_for(data), 0)
    with torch.no_grad():
        features = view.embed(data.inputs)
    draw = frequencies(features.shape[1], 600, seed=7, index=0)
    for size in (1.0, 100.0):
        wave = wave_of(view, data.inputs, size * draw)
        angles = (features @ (size * draw) - wave.centre) * wave.scale
        for k, spread in enumerate(SPREADS):
            rms = float(angles[:, k :: len(SPREADS)].square().mean().sqrt())
            assert rms == pytest.approx(spread, rel=0.1)


def test_the_discrepancy_is_half_the_complex_distance_squared_under_a_root():
    # With equal weights, amplitude and phase add up to |a - b|^2.
    rng = np.random.default_rng(0)
    rows, centre, scale = rng.normal(size=(5, 40)), rng.normal(size=40), rng.uniform(1, 2, 40)
    real = np.exp(1j * rng.normal(size=(100, 40))).mean(axis=0)
    found = np.exp(1j * (rows - centre) * scale).mean(axis=0)
    want = np.sqrt(0.5) * np.abs(found - real)
    wave = Wave(*(torch.tensor(x) for x in (centre, scale, real.real, real.imag)))
    got = float(discrepancy(torch.tensor(rows), wave))
    assert got == pytest.approx(want.mean(), rel=1e-4)


def test_gradients_are_finite_where_rows_are_the_records():
    data = blobs(counts=(30,))
    view = random_view(CFG, plan_for(data), 0)
    draw = frequencies(view.embed(data.inputs[:1]).shape[1], 30, seed=7, index=0)
    rows = data.inputs.clone().requires_grad_()
    discrepancy(view.embed(rows) @ draw, wave_of(view, data.inputs, draw)).backward()
    assert rows.grad is not None
    assert torch.isfinite(rows.grad).all()


def test_steps_bring_the_waves_closer_on_networks_and_frequencies_never_seen():
    data = blobs(counts=(80, 60))
    plan = plan_for(data)
    unseen = random_view(CFG, plan, CFG.networks + 5)

    def gap(steps: int) -> float:
        cfg = DistillerConfig(ipc=4, steps=steps, networks=4, width=8, start="class-mean")
        rng = torch.Generator().manual_seed(0)
        distiller = CharacteristicFunctionMatching(cfg)
        rows = distiller.distill(data, plan=plan, start=None, rng=rng).synthetic
        total = 0.0
        with torch.no_grad():
            for label in (0, 1):
                features = unseen.embed(rows.inputs[rows.labels == label])
                draw = frequencies(features.shape[1], 200, seed=99, index=0)
                wave = wave_of(unseen, data.inputs[data.labels == label], draw)
                total += float(discrepancy(features @ draw, wave))
        return total

    assert gap(80) < 0.75 * gap(1)
