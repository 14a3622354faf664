"""Small parts of a run, with hostile names in them."""

from __future__ import annotations

import torch

from fdd_flower.run_folder.rows import RoundRow, Summary
from fdd_flower.schema import Column, Normalisation, Schema
from fdd_flower.synthetic_set import SyntheticSet

HOSTILE = '<script src="http://evil.example/x.js">alert(1)</script>'
CLASSES = (HOSTILE, "two$dollars$")
NORMALISATION = Normalisation(mean=(0.25,), std=(0.5,))
SCHEMA = Schema(
    classes=CLASSES,
    feature_shape=(1, 3, 3),
    normalisation=NORMALISATION,
    columns=(Column(name="a"), Column(name=HOSTILE)),
)


def make_row(number: int = 1, **changes: object) -> RoundRow:
    values: dict[str, object] = {
        "round": number,
        "accuracy": 0.5,
        "loss": 1.25,
        "replies": 3,
        "rejected": 1,
        "bytes_up": 1000,
        "bytes_down": 20,
        "seconds_distill_max": 0.5,
        "seconds_train": 2.0,
        "epsilon": None,
        "rejected_codes": {"not-finite": 1},
    }
    return RoundRow(**(values | changes))  # pyright: ignore[reportArgumentType]


def make_summary(**changes: object) -> Summary:
    values: dict[str, object] = {
        "strategy": "fdd",
        "distiller": "dm",
        "merger": "class-balanced",
        "codec": "uint8",
        "model": "cnn",
        "data": "digits",
        "partition": "dirichlet",
        "num_clients": 4,
        "rounds": 2,
        "accuracy": 0.75,
        "accuracy_per_class": [0.5, 1.0],
        "bytes_up_total": 2000,
        "bytes_down_total": 40,
        "bytes_up_per_client": 500.0,
        "ipc": 10,
        "seconds_total": 5.0,
        "seed": 7,
        "versions": {"torch": "2.5", "python": "3.11"},
        "status": "completed",
    }
    return Summary(**(values | changes))  # pyright: ignore[reportArgumentType]


def make_set(n: int = 4, feature_shape: tuple[int, ...] = (1, 3, 3), k: int = 2) -> SyntheticSet:
    rng = torch.Generator().manual_seed(n)
    return SyntheticSet(
        inputs=torch.randn(n, *feature_shape, generator=rng),
        targets=torch.eye(k)[torch.arange(n) % k],
        weights=torch.arange(1.0, n + 1),
        meta={f"key{i}": str(i) for i in range(8)},
    )
