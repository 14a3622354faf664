"""Networks partly trained on the client's own records: embedders and local teachers."""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)

from fdd_flower.config import DistillerConfig, ModelConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers.parts.clock import SHARE_TO_PREPARE, Clock
from fdd_flower.errors import ConfigError
from fdd_flower.models import build_model, resolve_name
from fdd_flower.models.base import Network
from fdd_flower.rng import derive, stream
from fdd_flower.schema import is_image
from fdd_flower.training import augment
from fdd_flower.training.optimisers import Adam

BATCH = 64
LEARNING_RATE = 3e-3
WIDER = {"mlp": 8, "random-features": 2}  # than distiller.width: a unit of theirs costs less


def train_embedder(
    cfg: DistillerConfig,
    data: Split,
    *,
    marks: tuple[int, ...],
    seed: int,
    clock: Clock,
    share: float = SHARE_TO_PREPARE,
    index: int = 0,
) -> list[Network]:
    """Train one network on `data` by AdamW and return it as it was after each of `marks` steps.

    The trained networks see the client's records, and through the synthetic rows so does the
    server: this is no release under differential privacy.

    Parameters
    ----------
    marks
        Steps, rising.
    clock, share
        Training ends when that share of the time is over; the last weights then stand for the
        marks that were not reached.
    index
        Which family of the pool.
    """
    seed_of_net = derive(seed, "net")
    device = data.inputs.device
    network = build_embedder(
        cfg, data.feature_shape, len(data.classes), seed=seed_of_net, index=index
    ).to(device)
    rng = stream(seed, "batches")
    adam = Adam(network.parameters(), decay=0.01)
    image = is_image(data.feature_shape)
    started = clock.elapsed
    kept = []
    network.train()
    for step in range(max(marks)):
        if step in marks:
            kept.append(frozen(network))
        if not clock.may_prepare(step, started, share=share):
            break
        pick = torch.randint(len(data), (min(BATCH, len(data)),), generator=rng).to(device)
        x = data.inputs[pick]
        if image:
            x = augment.warp(x, augment.affine_maps(len(x), *x.shape[2:], rng=rng))
        loss = F.cross_entropy(network(x), data.labels[pick])
        adam.clear()
        loss.backward()
        adam.step(LEARNING_RATE)
    return [*kept, frozen(network)]


def build_embedder(
    cfg: DistillerConfig,
    feature_shape: tuple[int, ...],
    num_classes: int,
    *,
    seed: int,
    index: int = 0,
) -> Network:
    """Return fresh network `index` of the pool, of `distiller.width` and `distiller.depth`.

    Raises
    ------
    ConfigError
        If a name in `distiller.pool` is unknown, or its family cannot take these records.
    """
    families = [name.strip() for name in cfg.pool.split(",")]
    name = families[index % len(families)]
    if name == "auto":
        name = "convnet" if is_image(feature_shape) else resolve_name("auto", feature_shape)
    depth = cfg.depth if is_image(feature_shape) or name == "conv1d" else 1
    model = ModelConfig(name=name, width=WIDER.get(name, 1) * cfg.width, depth=depth)
    try:
        return build_model(model, feature_shape=feature_shape, num_classes=num_classes, seed=seed)
    except ConfigError as error:
        raise ConfigError(
            "distiller.pool",
            expected=error.expected,
            got=f"{name!r} ({error.got})",
            remedy="Name families that take these records; auto always does.",
        ) from error


def frozen(network: Network) -> Network:
    """Return a copy of `network` that never trains again."""
    return copy.deepcopy(network).requires_grad_(False).eval()
