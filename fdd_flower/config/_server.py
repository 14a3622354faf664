"""What the server does with what it was sent. A section a class."""

from __future__ import annotations

from dataclasses import dataclass

from fdd_flower.config._setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class MergerConfig:
    """How the server joins the sets that it accepted."""

    name: str = setting(
        "class-balanced", "class-balanced, dedupe, herded, redistil, union, weighted"
    )
    rows: int = setting(100, "of herded and redistil: rows a class at most", low=1, high=1_000_000)
    steps: int = setting(100, "of redistil: optimisation steps", low=1, high=1_000_000)
    near: float = setting(
        0.1, "of dedupe: root mean square, in deviations, below which rows are one", low=0, high=100
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The global model."""

    name: str = setting("auto", "auto, cnn, convnet, logistic, mlp, random-features, resnet18")
    width: int = setting(32, "convnet: channels a block; mlp: hidden units", low=1, high=4_096)
    depth: int = setting(3, "convnet: blocks; mlp: hidden layers", low=1, high=16)
    norm: str = setting(
        "instance",
        "convnet: normalisation layer",
        choices=("instance", "group", "layer", "batch", "none"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """What the server makes of the merged set beside the global model."""

    models: str = setting(
        "",
        "families, with commas between, that are trained on the last merged set too, as "
        "model.name is, and measured: cnn,resnet18, say",
    )
    teacher: str = setting(
        "",
        "family that is trained on the merged set first and then teaches the others, in place of "
        "ridge regression; empty: none",
    )
    teacher_share: float = setting(
        0.9, "share of the others' targets that server.teacher gives", low=0.01, high=1
    )
    teacher_steps: int = setting(
        0, "optimiser steps of server.teacher; 0: training.steps", low=0, high=10_000_000
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How the server trains the global model on the merged set."""

    steps: int = setting(
        0,
        "optimiser steps a round; 0: 1000 for a set of fewer than 256 rows, else 1500",
        low=0,
        high=10_000_000,
    )
    batch_size: int = setting(
        0,
        "synthetic records a step; 0: 32 of fewer than 256 rows, else 128",
        low=0,
        high=65_536,
    )
    learning_rate: float = setting(
        0.0,
        "peak step size of AdamW; 0: 0.006 for a set of fewer than 256 rows, else 0.003",
        low=0,
        high=10,
    )
    weight_decay: float = setting(0.01, "decoupled weight decay", low=0, high=10)
    start: str = setting(
        "scratch",
        "fresh weights each round, or the last round's",
        choices=("scratch", "warm"),
    )
    augment: bool = setting(True, "random shifts, scales and rotations of images")
    mixup: float = setting(1.0, "alpha of mixup's Beta distribution; 0 turns it off", low=0, high=8)
    cutmix: float = setting(0.5, "share of batches cut instead of mixed up, images", low=0, high=1)
    clean_steps: float = setting(
        0.0, "share of the steps, the last ones, without mixup and cutmix", low=0, high=1
    )
    noise: float = setting(
        0.6, "standard deviation of noise on the normalised columns of tables", low=0, high=10
    )
    teacher: float = setting(
        0.5,
        "share of the targets that ridge regression on random features of the set gives",
        low=0,
        high=1,
    )
    averaging: float = setting(
        0.99, "decay of the weight average; 0 turns it off", low=0, high=0.9999
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringConfig:
    """What the server makes of a set that is well-formed but may be of no use, or hostile.

    Other than `off`, it takes the root records out of the server's test records.
    """

    mode: str = setting(
        "off",
        "score: measure each set; quarantine: also leave out sets on which signals agree",
        choices=("off", "score", "quarantine"),
    )
    root_per_class: int = setting(
        10, "test records of a class to score by, at most half of them", low=2, high=1_000
    )
    significance: float = setting(
        0.05, "chance at which a set's labels are called wrong", low=1e-12, high=0.5
    )
    outlier: float = setting(
        3.5, "robust deviations at which a class mean is an outlier", low=0.1, high=1e6
    )
    copied: float = setting(
        0.5, "share of near copies at which a set is another client's", low=0.05, high=1
    )
    quota: float = setting(
        0.0,
        "most of a class's claimed weight a client may have, in equal shares, from 1; 0: any; "
        "in every mode",
        low=0,
        high=1e6,
    )
