"""What sums without noise say, against the plain computation; and the rows matched to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)

from fdd_flower.config import ModelConfig, from_run_config
from fdd_flower.data.base import Split
from fdd_flower.models.random_features import RandomFeatures
from fdd_flower.releases.base import COUNT, RELEASES, Total
from fdd_flower.releases.coding import BITS, coarse, pack, payload_of, shift_of
from fdd_flower.releases.dp_dm import Embeddings
from fdd_flower.releases.dp_gm import Gradients
from fdd_flower.releases.dp_sketch import Gram
from fdd_flower.releases.matched import ROOM, Matched
from fdd_flower.rng import stream
from tests.conftest import blobs, plan_for

COUNTS = (60, 40, 30)


def released(mode: str, shape: tuple[int, ...] = (1, 8, 8), **more: int) -> tuple[Matched, Split]:
    data = blobs(shape=shape, counts=COUNTS)
    settings = {"distiller.networks": 2, "distiller.width": 4, "sketch.width": 2, **more}
    cfg = from_run_config({"privacy.mode": mode, "num-server-rounds": 1, **settings})
    found = RELEASES.get(mode)(cfg, plan_for(data))
    assert isinstance(found, Matched)
    return found, data


def exact(release: Matched, data: Split, noise: float = 1e-6) -> Total:
    """Return the sum over records as if a little noise had been added, and none was."""
    values = release.sum(data).double() / release.unit
    return Total(values, noise * release.spread.expand(release.size))


def plain(mode: str, release: Matched, x: torch.Tensor) -> np.ndarray:
    """Return what a record gives, worked out alone and without anything of `Matched`."""
    pieces = []
    if isinstance(release, Embeddings):
        for view, centre in zip(release.views, release.centres, strict=True):
            e = (view.network.features(x[None])[0] - centre).detach().double().numpy()
            pieces.append(e / np.linalg.norm(e) / np.sqrt(len(release.views)))
    if isinstance(release, Gradients):
        for network, centres in zip(release.networks, release.centres, strict=True):
            network.requires_grad_(True)
            loss = F.cross_entropy(network(x[None]), torch.tensor([0]))
            weights = {n: p for n, p in network.named_parameters() if p.ndim > 1}
            found = dict(zip(weights, torch.autograd.grad(loss, [*weights.values()]), strict=True))
            network.requires_grad_(False)
            found["head.weight"] = found["head.weight"][0]
            for g, centre in zip(found.values(), centres, strict=True):
                e = (g.flatten() - centre).double().numpy()
                scale = np.sqrt(len(release.networks) * len(centres))
                pieces.append(e / np.linalg.norm(e) / scale)
    if isinstance(release, Gram):
        e = (release.phi(x[None])[0, :-1] - release.centre).double().numpy() / release.bound
        pieces.append(e / max(1, np.linalg.norm(e)))
    return np.concatenate(pieces)


@pytest.mark.parametrize("shape", [(1, 8, 8), (5,)])
@pytest.mark.parametrize("mode", ["dp-dm", "dp-gm", "dp-sketch"])
def test_a_sum_gives_counts_and_class_means(mode: str, shape: tuple[int, ...]) -> None:
    release, data = released(mode, shape)
    total = exact(release, data)
    np.testing.assert_allclose(release.counts(total), COUNTS, rtol=2e-3)
    blocks = release.blocks(total.values)
    for label, count in enumerate(COUNTS):
        want = np.mean([plain(mode, release, x) for x in data.inputs[data.labels == label]], axis=0)
        got = blocks[label, :-1].numpy() / ROOM / count
        np.testing.assert_allclose(got, want, atol=5e-4)


@pytest.mark.parametrize("mode", ["dp-dm", "dp-gm", "dp-sketch"])
def test_releases_of_neighbours_are_as_long(mode: str) -> None:
    release, data = released(mode)
    shift = shift_of(1.0, release.unit, release.spread)
    lengths = {
        len(payload_of(pack(coarse(release.noisy(release.sum(part), 1.0), shift))))
        for part in (data, data.take(data.labels < 2), data.take(data.labels > 2))
    }
    assert lengths == {BITS * -(-release.size // 8)}


@pytest.mark.parametrize("mode", ["dp-dm", "dp-gm", "dp-sketch"])
def test_rows_come_near_the_class_means_and_are_drawn_from_no_record(mode: str) -> None:
    release, data = released(mode)
    total = exact(release, data)
    rows = release.learn(total, rng=stream(0, "rows")).draw(1, rng=stream(0, "draw"))
    start = release.noise(len(rows), rng=stream(0, "rows"))
    wanted = release.blocks(total.values)[:, :-1].float() / ROOM / torch.tensor(COUNTS)[:, None]

    def far(inputs: torch.Tensor) -> float:
        with torch.no_grad():
            found = torch.cat(list(release.pieces(inputs)), dim=1)
        return float((found.view(3, -1, found.shape[1]).mean(dim=1) - wanted).norm())

    assert far(rows.inputs) < 0.4 * far(start)
    assert len(rows) == 30
    torch.testing.assert_close(
        rows.weights.view(3, 10).sum(dim=1), torch.tensor(COUNTS).float(), rtol=2e-3, atol=0
    )


@pytest.mark.parametrize("mode", ["dp-dm", "dp-gm", "dp-sketch"])
def test_classes_that_noise_hides_have_no_rows(mode: str) -> None:
    release, data = released(mode, (1, 8, 8), **{"distiller.steps": 1})
    total = exact(release, data, noise=0.3 * 35 / 2)  # 2 noises are 35 records at a spread of 1
    held = release.held(total).tolist()
    drawn = release.learn(total, rng=stream(0, "rows")).draw(1, rng=stream(0, "draw"))
    assert held == ([0] if mode == "dp-sketch" else [0, 1])  # whose sums have 1 / 0.6 the noise
    assert set(drawn.targets.argmax(dim=1).tolist()) <= {0, 1, 2}
    assert len(drawn) == 10 * len(held)
    nothing = Total(total.values * 0, total.noise)
    assert len(release.held(nothing)) >= 1


def test_ridge_regression_is_that_of_all_records() -> None:
    release, data = released("dp-sketch")
    assert isinstance(release, Gram)
    total = exact(release, data, noise=1e-9)
    found = release.coefficients(total).numpy()
    u = np.stack([plain("dp-sketch", release, x) for x in data.inputs]) * ROOM
    u = np.concatenate([u, np.full((len(u), 1), COUNT)], axis=1)
    y = np.eye(3)[data.labels.numpy()]
    g = u.T @ u
    ridge = min(0.1, 5 / len(u)) * np.trace(g) / min(len(u), len(g))
    want = np.linalg.solve(g + ridge * np.eye(len(g)), u.T @ y)
    f = release.phi(data.inputs).double().numpy()
    clipped = np.linalg.norm(f[:, :-1] - release.centre.numpy(), axis=1) > release.bound
    assert not clipped.all()
    np.testing.assert_allclose((f @ found)[~clipped], (u @ want)[~clipped], atol=0.01)


def test_the_model_random_features_says_what_the_teacher_says() -> None:
    release, data = released("dp-sketch")
    learned = release.learn(exact(release, data), rng=stream(0, "rows"))
    teacher = learned.teacher()
    assert teacher is not None
    model = RandomFeatures(ModelConfig(name="random-features", width=2), (1, 8, 8), 3)
    assert learned.solve(model)
    assert torch.equal(model(data.inputs).argmax(dim=1), teacher(data.inputs).argmax(dim=1))
    assert float((teacher(data.inputs).argmax(dim=1) == data.labels).float().mean()) > 0.9
    assert not learned.solve(RandomFeatures(ModelConfig(width=3), (1, 8, 8), 3))
