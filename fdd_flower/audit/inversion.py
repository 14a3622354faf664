"""Gradient inversion: pictures out of the update that FedAvg sends."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from torch import Tensor

from fdd_flower.audit.protocol import Known, at
from fdd_flower.data.base import Split
from fdd_flower.models import build_model
from fdd_flower.models.base import Network
from fdd_flower.rng import stream
from fdd_flower.schema import is_image
from fdd_flower.training.optimisers import Adam

TOTAL_VARIATION = 1e-3  # weight of the smoothness of images
STEP = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Inversion:
    """How like the client's records the pictures are that an attacker rebuilds.

    Attributes
    ----------
    batch
        Records in the one step of SGD that was sent.
    psnr, ssim
        Mean over records: decibels over the range of the data, and from -1 to 1; `ssim` is of
        images only.
    psnr_by_chance
        Of the nearest record of the reference with the same label: what no update is needed for.
    labels
        Share of the labels that were read off the update.
    """

    batch: int
    psnr: float
    ssim: float | None
    psnr_by_chance: float
    labels: float


def inversion_attack(
    records: Split, known: Known, *, batch: int, steps: int, seed: int
) -> tuple[Inversion, Tensor, Tensor]:
    """Rebuild one batch from its gradient; return the figures, the records and what was rebuilt.

    Labels are read off the last layer's gradient (iDLG, Zhao et al. 2020, arXiv:2001.02610; for
    batches Yin et al. 2021, arXiv:2104.07586); pixels are found so that their gradient points
    the same way (Geiping et al. 2020, arXiv:2003.14053; DLG, Zhu et al. 2019, arXiv:1906.08935).
    The models here have no dropout, so there is no mask to be found with them (DIA).
    """
    places = torch.randperm(len(records), generator=stream(seed, "inverted"))[:batch]
    held = at(records, places)
    network = build_model(
        known.cfg.model,
        feature_shape=held.feature_shape,
        num_classes=len(held.classes),
        seed=known.plan.seed,
    ).eval()
    loss = F.cross_entropy(network(held.inputs), held.labels)
    wanted = list(torch.autograd.grad(loss, list(network.parameters())))
    labels = labels_of(wanted[-1], batch)
    low, high = (float(v) for v in known.reference.inputs.aminmax())
    guess = _rebuilt(network, wanted, labels, held.feature_shape, (low, high), steps, seed)
    matched = _matched(held, guess, labels)
    near = _matched(held, known.reference.inputs, known.reference.labels)
    span = high - low
    share = labels.bincount(minlength=len(held.classes))
    right = torch.minimum(share, held.labels.bincount(minlength=len(held.classes))).sum()
    found = Inversion(
        batch=batch,
        psnr=_mean_psnr(held.inputs, matched, span),
        ssim=ssim(held.inputs, matched, span) if is_image(held.feature_shape) else None,
        psnr_by_chance=_mean_psnr(held.inputs, near, span),
        labels=int(right) / batch,
    )
    return found, held.inputs, matched


def labels_of(bias: Tensor, batch: int) -> Tensor:
    """Return the labels of a batch, int64 (batch,), from the gradient of the last bias, (k,).

    It is mean(p) - share of each class; with p about 1 / k, the most negative is read first.
    """
    left = bias - bias.mean()
    found = []
    for _ in range(batch):
        place = int(left.argmin())
        found.append(place)
        left = left.clone()
        left[place] += 1 / batch
    return torch.tensor(found)


def psnr(first: Tensor, second: Tensor, span: float) -> float:
    """Return the peak signal-to-noise ratio of two records, in decibels; `span` is their range."""
    error = float((first - second).square().mean())
    return 20 * math.log10(span) - 10 * math.log10(max(error, 1e-12))


def ssim(first: Tensor, second: Tensor, span: float) -> float:
    """Return the mean structural similarity of images (n, c, h, w), from -1 to 1.

    Wang et al. 2004, with a uniform window of 7 pixels and unbiased moments, over all windows
    that lie within the image.
    """
    window = min(7, *first.shape[2:])
    pixels = window**2

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, window, stride=1)

    a, b = first.double(), second.double()
    ma, mb = mean(a), mean(b)
    scale = pixels / (pixels - 1)
    va, vb = (mean(a * a) - ma * ma) * scale, (mean(b * b) - mb * mb) * scale
    both = (mean(a * b) - ma * mb) * scale
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    found = (2 * ma * mb + c1) * (2 * both + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    return float(found.mean())


def _rebuilt(
    network: Network,
    wanted: list[Tensor],
    labels: Tensor,
    shape: tuple[int, ...],
    ends: tuple[float, float],
    steps: int,
    seed: int,
) -> Tensor:
    low, high = ends
    noise = torch.rand(len(labels), *shape, generator=stream(seed, "dummy"))
    guess = (low + (high - low) * noise).requires_grad_()
    adam = Adam([guess])
    norm = torch.stack([w.square().sum() for w in wanted]).sum().sqrt()
    for step in range(steps):
        loss = F.cross_entropy(network(guess), labels)
        found = torch.autograd.grad(loss, list(network.parameters()), create_graph=True)
        along = torch.stack([(f * w).sum() for f, w in zip(found, wanted, strict=True)]).sum()
        length = torch.stack([f.square().sum() for f in found]).sum().sqrt()
        apart = 1 - along / (length * norm).clamp_min(1e-12)
        if is_image(shape):
            apart = apart + TOTAL_VARIATION * _variation(guess) / (high - low)
        (guess.grad,) = torch.autograd.grad(apart, [guess])
        adam.step(STEP * (high - low) * (0.1 if step > 0.7 * steps else 1.0))
        with torch.no_grad():
            guess.clamp_(low, high)
    return guess.detach()


def _variation(images: Tensor) -> Tensor:
    return images.diff(dim=2).abs().mean() + images.diff(dim=3).abs().mean()


def _matched(held: Split, guesses: Tensor, labels: Tensor) -> Tensor:
    """Return for each record the guess nearest to it, of its label where there is one."""
    apart = torch.cdist(held.inputs.flatten(1), guesses.flatten(1))
    other = held.labels[:, None] != labels[None, :]
    apart = apart + other * apart.max().clamp_min(1.0) * 10
    return guesses[apart.argmin(dim=1)]


def _mean_psnr(records: Tensor, guesses: Tensor, span: float) -> float:
    pairs = zip(records, guesses, strict=True)
    return sum(psnr(a, b, span) for a, b in pairs) / len(records)
