"""What the server does with what it was sent. A section a class."""

from __future__ import annotations

from dataclasses import dataclass

from fdd_flower.config._setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class MergerConfig:
    """How the server joins the sets that it accepted."""

    name: str = setting(
        "class-balanced",
        "class-balanced, dedupe, herded, redistil, union, weighted",
        first=True,
    )
    rows: int = setting(100, "herded, redistil: rows per class at most", low=1, high=1_000_000)
    steps: int = setting(100, "redistil: optimisation steps", low=1, high=1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The global model."""

    name: str = setting(
        "auto",
        "auto, cnn, conv1d, convnet, logistic, mlp, quadratic, random-features, resnet18",
        first=True,
    )
    width: int = setting(
        32, "convnet, conv1d: channels per block; mlp: hidden units", low=1, high=4_096
    )
    depth: int = setting(
        3,
        "convnet, conv1d: blocks, of which a long series gets more; mlp: hidden layers",
        low=1,
        high=16,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerConfig:
    """Other models that the server trains on the merged set."""

    models: str = setting(
        "",
        "more families, separated by commas, to train on the last merged set and measure, such as "
        "cnn,resnet18; also scikit-learn's gradient-boosting and random-forest",
    )
    teacher: str = setting(
        "",
        "family trained on the merged set first, which then teaches the others instead of ridge "
        "regression; empty: none",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How the server trains the global model on the merged set."""

    steps: int = setting(
        0,
        "optimiser steps per round; 0: until the loss has settled, at most 1000 for a set of fewer "
        "than 256 rows, else 1500",
        low=0,
        high=10_000_000,
    )
    batch_size: int = setting(
        0,
        "synthetic records per step; 0: 32 for a set of fewer than 256 rows, else 128",
        low=0,
        high=65_536,
    )
    learning_rate: float = setting(
        0.0,
        "peak step size of AdamW; 0: 0.006 for a set of fewer than 256 rows, else 0.003",
        low=0,
        high=10,
    )
    start: str = setting(
        "scratch",
        "weights a round starts from: fresh ones, or the last round's",
        choices=("scratch", "warm"),
    )
    augment: bool = setting(True, "random shifts, scales and rotations of images")
    shift: float = setting(
        1.0, "images: the largest random shift in each direction, in pixels", low=0, high=64
    )
    flip: bool = setting(
        False,
        "images: mirror half of them left to right; for photographs, not for digits, letters or "
        "scans in which the side matters",
    )
    distort: float = setting(
        0.0,
        "series: random shifts in time, scales and noise while training; 1: up to a sixteenth of "
        "the window, and a tenth of the values; 0: none",
        low=0,
        high=4,
    )
    mixup: float = setting(1.0, "alpha of mixup's Beta distribution; 0: no mixup", low=0, high=8)
    cutmix: float = setting(
        0.5, "images: share of the batches with cutmix instead of mixup", low=0, high=1
    )
    clean_steps: float = setting(
        0.0, "share of the steps, at the end, without mixup and cutmix", low=0, high=1
    )
    noise: float = setting(
        0.6, "tables: standard deviation of the noise added to normalised columns", low=0, high=10
    )
    teacher: float = setting(
        0.5,
        "share of the targets given by ridge regression on random features of the set",
        low=0,
        high=1,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationConfig:
    """What the server measures on its test records, and shows first."""

    metric: str = setting(
        "auto",
        "what is shown first; auto: auroc for two classes of which one has less than a fifth of "
        "the test records, balanced_accuracy where one class has over twice as many as another, "
        "else accuracy",
        choices=(
            "auto",
            "accuracy",
            "balanced_accuracy",
            "macro_f1",
            "auroc",
            "average_precision",
            "brier",
        ),
        first=True,
    )
    positive: str = setting(
        "",
        "two classes: the one that average precision, calibration and a threshold are about; "
        "empty: one with less than a fifth of the test records, else the second",
    )
    recall: float = setting(
        0.0,
        "two classes: share of the positive one to find; a threshold for it is chosen on the "
        "merged set by cross-fitting and measured on the test records; 0: none",
        low=0,
        high=1,
    )
    precision: float = setting(
        0.0,
        "the same for the share of positive answers that are right, in place of a recall; the "
        "classes are as frequent as the schema's prior says, else as the clients' counts say",
        low=0,
        high=1,
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
    quota: float = setting(
        0.0,
        "most weight a client may claim of a class, in equal shares: from 1, or 0 for no bound; in "
        "every mode",
        low=0,
        high=1e6,
    )
