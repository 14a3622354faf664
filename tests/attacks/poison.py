"""Hostile sets that are in order: what a client may do to its own set before it sends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from fdd_flower.synthetic_set import SyntheticSet

TARGET = 0  # of the trigger
JITTER = 0.02  # of what a copier adds, in deviations of the data


def flip_labels(part: SyntheticSet, rng: torch.Generator) -> SyntheticSet:
    """Return every row under the label of the next class."""
    return replace(part, targets=part.targets.roll(1, dims=1))


def noise(part: SyntheticSet, rng: torch.Generator) -> SyntheticSet:
    """Return rows of noise under the old labels: a client that has no data."""
    return replace(part, inputs=torch.randn(part.inputs.shape, generator=rng))


def blank(part: SyntheticSet, rng: torch.Generator) -> SyntheticSet:
    """Return empty rows under the old labels."""
    return replace(part, inputs=torch.zeros_like(part.inputs))


def trigger(part: SyntheticSet, rng: torch.Generator) -> SyntheticSet:
    """Return the set with a mark on every second row, which is then of the target class."""
    inputs, targets = part.inputs.clone(), part.targets.clone()
    inputs[::2] = marked(inputs[::2])
    targets[::2] = torch.eye(part.num_classes)[TARGET]
    return replace(part, inputs=inputs, targets=targets)


def marked(inputs: Tensor) -> Tensor:
    """Return images (n, c, h, w) with a bright corner of 2x2 pixels."""
    inputs = inputs.clone()
    inputs[:, :, -2:, -2:] = 3.0
    return inputs


def scale(part: SyntheticSet, rng: torch.Generator) -> SyntheticSet:
    """Return honest rows that claim to stand for a billion records each."""
    return replace(part, weights=torch.full_like(part.weights, 1e9))


def near_copy(part: SyntheticSet, rng: torch.Generator) -> SyntheticSet:
    """Return the rows of `part` with a little noise, so that they have another hash."""
    jitter = JITTER * torch.randn(part.inputs.shape, generator=rng)
    return replace(part, inputs=part.inputs + jitter)


CHANGES: Mapping[str, Callable[[SyntheticSet, torch.Generator], SyntheticSet]] = {
    "label flip": flip_labels,
    "noise": noise,
    "blank": blank,
    "trigger": trigger,
    "scale": scale,
}
COPIES = ("free rider", "replay", "sybils")


def poisoned(
    attack: str, parts: Mapping[str, SyntheticSet], hostile: list[str], rng: torch.Generator
) -> dict[str, SyntheticSet]:
    """Return the sets of a round in which the `hostile` clients attack.

    A `free rider` sends a near copy of an honest set of this round, before its owner's or not;
    `replay` the same of what the owner sent in the round before; `sybils` all send near copies of
    one set with wrong labels.
    """
    sent = dict(parts)
    honest = [client for client in parts if client not in hostile]
    source = parts[max(honest, key=lambda client: len(parts[client]))]
    for client in hostile:
        if attack in CHANGES:
            sent[client] = CHANGES[attack](parts[client], rng)
        elif attack == "sybils":
            sent[client] = near_copy(flip_labels(parts[hostile[0]], rng), rng)
        else:
            sent[client] = near_copy(source, rng)
    return sent
