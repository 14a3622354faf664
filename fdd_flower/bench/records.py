"""The records of a bench: what is distilled, and what is measured on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fdd_flower.config import Config
from fdd_flower.data import load_dataset
from fdd_flower.data.base import Dataset, Split
from fdd_flower.device import moved, resolve
from fdd_flower.distillers.base import Plan
from fdd_flower.rng import numpy_stream
from fdd_flower.wire.codecs.base import Tunable, build_codec
from fdd_flower.wire.resolution import WHOLE

HELD_OUT = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What every task of a bench shares.

    Attributes
    ----------
    train, test
        What is distilled, and what is measured on, both on the device of the settings; with
        `holdout` both are training records.
    stored_bytes
        Of the training records and labels as they are stored: what sending them would take.
    """

    dataset: Dataset
    train: Split
    test: Split
    stored_bytes: int


def load_material(cfg: Config, *, holdout: bool, limit: int = 0) -> Material:
    """Return the records of a bench.

    Parameters
    ----------
    holdout
        Put a tenth of each class of the training records in the place of the test split.
    limit
        Use at most so many training records, drawn by `cfg.seed`; 0: all.

    Raises
    ------
    ConfigError
        If this machine has no such device.
    DataError
        If the data is missing, or a class is too small to be split.
    """
    device = resolve(cfg.runtime.device)
    data = replace(cfg.data, holdout=HELD_OUT) if holdout else cfg.data
    dataset = load_dataset(data, seed=cfg.seed)
    train, test = dataset.train, dataset.test
    if limit and limit < len(train):
        rng = numpy_stream(cfg.seed, "bench", "limit")
        train = train.take(np.sort(rng.permutation(len(train))[:limit]))
    return Material(
        dataset=dataset,
        train=moved(dataset.split(train), device),
        test=moved(dataset.split(test), device),
        stored_bytes=train.inputs.nbytes + train.labels.astype(np.uint8).nbytes,
    )


def make_plan(cfg: Config, dataset: Dataset, seed: int, *, resolution: int = WHOLE) -> Plan:
    """Return the plan of the first round that a run of `seed` would send."""
    codec = build_codec(cfg.codec, dataset.feature_shape)
    if isinstance(codec, Tunable):
        codec = codec.at_resolution(resolution)
    return Plan.of(dataset.schema, seed=seed, run="bench", round_=1, codec=codec)
