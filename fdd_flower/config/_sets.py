"""What a client makes of its records, and how it is written. A section a class."""

from __future__ import annotations

from dataclasses import dataclass

from fdd_flower.config._setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillerConfig:
    """What a client does to its data."""

    name: str = setting("dm", "dc, dm, dm-krr, dsa, herding, kmeans, krr, ncfm, random")
    ipc: int = setting(10, "synthetic records a class", low=1, high=10_000)
    bytes: int = setting(
        0, "bytes a client sends a round, filled instead of ipc; 0: use ipc", low=0, high=10**9
    )
    fill: str = setting(
        "trade",
        "bytes, avif and webp: each client trades quality for rows by its own records; or all code "
        "at codec.quality and send as many rows as fit",
        choices=("trade", "rows"),
    )
    spread: str = setting(
        "fixed",
        "ipc for each class; or as many rows in all, shared by the classes a client has; with "
        "bytes fixed only",
        choices=("fixed", "classes"),
    )
    packing: int = setting(
        0,
        "images a side in one row: 2 puts 2x2 smaller ones into it; 0: 2 for images of 16x16 "
        "pixels or more, unless a codec for images follows",
        low=0,
        high=4,
    )
    packing_basis: str = setting(
        "dct",
        "what a packed image keeps: fewer pixels, or the lowest frequencies of its cosine "
        "transform",
        choices=("pixels", "dct"),
    )
    labels: str = setting(
        "hard",
        "one class a row; or probabilities from the global model, from one trained on the "
        "client's records, or solved by ridge regression; krr and dm-krr learn theirs: hard only",
        choices=("hard", "global", "local", "ridge"),
    )
    temperature: float = setting(1.0, "of a teacher's labels", low=0.01, high=100)
    teacher_steps: int = setting(800, "training steps of a local teacher", low=1, high=1_000_000)
    codec_aware: bool = setting(False, "optimise what the codec gives back")
    seconds: float = setting(3600.0, "time a distillation may take", low=0.1, high=86_400)
    steps: int = setting(100, "optimisation steps", low=1, high=1_000_000)
    learning_rate: float = setting(0.06, "step size of Adam", low=1e-8, high=100)
    start: str = setting(
        "kmeans",
        "where optimisation starts",
        choices=("kmeans", "class-mean", "noise", "real-unsafe"),
    )
    min_records: int = setting(
        8, "records that a k-means centre, and a class, must at least have", low=1, high=1_000_000
    )
    small_classes: str = setting(
        "withhold",
        "a class below min-records: leave it out, or refuse to run",
        choices=("withhold", "refuse"),
    )
    networks: int = setting(8, "seeded networks a round", low=1, high=1_000)
    width: int = setting(32, "channels of a seeded network", low=1, high=1_024)
    depth: int = setting(2, "blocks of a seeded network", low=1, high=8)
    augment: bool = setting(
        False,
        "differentiable augmentation of images, one draw a network; not for dc, nor for dsa, "
        "which has its own",
    )
    pool: str = setting(
        "auto",
        "families of the networks, taken in turn: names with commas between; auto: convnet for "
        "images, mlp for all else",
    )
    embedder: str = setting(
        "random",
        "weights of the networks: seeded, of the global model and perturbed copies of it, or "
        "partly trained on the client's records",
        choices=("random", "global", "trained"),
    )
    perturbation: float = setting(
        5.0, "embedder global: length of the random step from its weights", low=0, high=1_000
    )
    embedder_steps: int = setting(
        400, "embedder trained: steps of the longest trained network", low=1, high=100_000
    )
    sample: int = setting(
        1500,
        "records a class that each network sees, drawn for it; 0: all; not for dc, dsa",
        low=0,
        high=10**9,
    )
    group_size: int = setting(
        8,
        "dm, dm-krr: images of a class, at least, that one group of its records is matched by; a "
        "class of fewer than two such groups, or 0: the class as a whole",
        low=0,
        high=1_000_000,
    )
    levels: str = setting(
        "last",
        "features that are matched: of the last block of a network, or of every block; not for "
        "dc, dsa",
        choices=("last", "all"),
    )
    moments: str = setting(
        "deviation",
        "dm, dm-krr: class means; means and deviations; means and covariances",
        choices=("mean", "deviation", "covariance"),
    )
    frequencies: int = setting(256, "ncfm: frequencies drawn a step", low=1, high=65_536)
    ridge: float = setting(
        1e-2,
        "krr, dm-krr, labels ridge: penalty, relative to the mean eigenvalue",
        low=1e-9,
        high=1e3,
    )
    kernel_weight: float = setting(
        1.0,
        "dm-krr: weight of the kernel term, 1 as much as the moments at the start",
        low=0,
        high=1e6,
    )
    inner_steps: int = setting(
        1,
        "dc, dsa: training steps on the synthetic set between matches; with peers from 1",
        low=0,
        high=10_000,
    )
    peers: bool = setting(
        False, "other clients' rows of the round before stand beside this client's own"
    )
    peer_rows: int = setting(
        0,
        "peers: rows a class of theirs that a client is sent at most, picked by herding; 0: all",
        low=0,
        high=1_000_000,
    )
    first: str = setting(
        "", "peers: the class-wise distiller of the first round, when there are none yet"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SketchConfig:
    """What clients of the strategy `sketch` send: sums over their records, which add."""

    kind: str = setting(
        "gram",
        "products of random features; class moments of seeded networks' features; or their "
        "characteristic functions",
        choices=("gram", "means", "characteristic"),
    )
    width: int = setting(96, "gram: units of the random features", low=1, high=512)
    precision: str = setting(
        "half",
        "gram: sums of products in 15 bits each beside their largest part; or as they are",
        choices=("half", "exact"),
    )
    start: str = setting(
        "class-mean",
        "where the server's rows start; class-mean: clients also send the sums of their inputs, "
        "but not under a secure sum, nor where the model is solved for",
        choices=("class-mean", "noise"),
    )
    secure_sum: bool = setting(False, "the server learns the sum over clients and no sketch")
    neighbours: int = setting(
        0,
        "secure-sum: clients with which each shares masks and secrets, an even number; 0: all",
        low=0,
        high=10_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecConfig:
    """How a set is written into a message."""

    name: str = setting("uint8", "avif, float16, float32, uint8, webp")
    quality: int = setting(30, "avif, webp: 0 is smallest, 100 is best", low=0, high=100)
    resolution: int = setting(
        16, "avif, webp: sixteenths of an image's sides that are sent", low=1, high=16
    )
