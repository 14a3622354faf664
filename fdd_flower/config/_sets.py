"""What a client makes of its records, and how it is written. A section a class."""

from __future__ import annotations

from dataclasses import dataclass

from fdd_flower.config._setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillerConfig:
    """What a client does to its data."""

    name: str = setting("dm", "dc, dm, dm-krr, dsa, herding, kmeans, krr, ncfm, random", first=True)
    ipc: int = setting(10, "synthetic records per class", low=1, high=10_000, first=True)
    bytes: int = setting(
        0,
        "bytes a client may send per round, filled with rows; 0: send ipc rows per class",
        low=0,
        high=10**9,
        first=True,
    )
    fill: str = setting(
        "trade",
        "with bytes and a codec with a quality: each client trades quality for rows by its own "
        "records; or all code at codec.quality and send as many rows as fit",
        choices=("trade", "rows"),
    )
    packing: int = setting(
        0,
        "images along each side of a row: 2 packs 2x2 smaller images, or two series, into one row; "
        "0: 2 for images of at least 16x16 pixels, but 1 where an image codec follows, and 1 for "
        "series",
        low=0,
        high=4,
    )
    labels: str = setting(
        "hard",
        "labels of the rows: one class; probabilities from the global model or from one trained on "
        "the client's records; or solved by ridge regression (krr and dm-krr learn their own: hard "
        "only)",
        choices=("hard", "global", "local", "ridge"),
    )
    codec_aware: bool = setting(False, "optimise the rows as they are after the codec")
    seconds: float = setting(3600.0, "time limit of one distillation", low=0.1, high=86_400)
    steps: int = setting(100, "optimisation steps", low=1, high=1_000_000)
    learning_rate: float = setting(0.06, "step size of Adam", low=1e-8, high=100)
    start: str = setting(
        "kmeans",
        "where optimisation starts; sharp: k-means centres of images, with each frequency scaled "
        "up towards its spread among records",
        choices=("kmeans", "sharp", "class-mean", "noise", "real-unsafe"),
    )
    min_records: int = setting(
        8,
        "records that each class, and each k-means centre, must have; smaller classes are withheld",
        low=1,
        high=1_000_000,
        first=True,
    )
    fresh: bool = setting(
        False,
        "in each round distil records of a class that earlier rounds did not, as far as there are "
        "ipc x min-records for each, and start from them; or else all, from the set of the round "
        "before",
    )
    networks: int = setting(8, "randomly initialised networks per round", low=1, high=1_000)
    width: int = setting(32, "channels of such a network", low=1, high=1_024)
    depth: int = setting(2, "blocks of such a network", low=1, high=8)
    augment: bool = setting(
        False,
        "differentiable augmentation of images, one draw per network (not for dc, nor for dsa, "
        "which has its own)",
    )
    pool: str = setting(
        "auto",
        "families of these networks, separated by commas and taken in turn; auto: convnet for "
        "images, conv1d for series, mlp otherwise",
    )
    embedder: str = setting(
        "random",
        "weights of these networks: random; the global model's and perturbed copies of it; or "
        "partly trained on the client's records",
        choices=("random", "global", "trained"),
    )
    embedder_steps: int = setting(
        400, "embedder trained: training steps of the longest-trained network", low=1, high=100_000
    )
    sample: int = setting(
        1500,
        "records per class that each network sees, drawn anew for each; 0: all (not for dc and "
        "dsa)",
        low=0,
        high=10**9,
    )
    group_size: int = setting(
        8,
        "dm, dm-krr: the records of a class are split into groups, each matched by at least this "
        "many images; 0: each class as a whole",
        low=0,
        high=1_000_000,
    )
    moments: str = setting(
        "deviation",
        "dm, dm-krr: what is matched per class: means; means and deviations; or means and "
        "covariances",
        choices=("mean", "deviation", "covariance"),
    )
    ridge: float = setting(
        1e-2,
        "krr, dm-krr, labels ridge: penalty, relative to the mean eigenvalue",
        low=1e-9,
        high=1e3,
    )
    kernel_weight: float = setting(
        1.0,
        "dm-krr: weight of the kernel term; 1: as much as the moment term at the start",
        low=0,
        high=1e6,
    )
    inner_steps: int = setting(
        1,
        "dc, dsa: training steps on the rows between matches; at least 1 with peers",
        low=0,
        high=10_000,
    )
    peers: bool = setting(
        False,
        "let clients see the other clients' rows of the round before; dm distils in the first "
        "round",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SketchConfig:
    """Strategy `sketch`: clients send sums over their records, which add up."""

    kind: str = setting(
        "gram",
        "what is summed: products of random features; class moments of seeded networks' features; "
        "or characteristic functions of these",
        choices=("gram", "means", "characteristic"),
    )
    width: int = setting(96, "gram: width of the random features", low=1, high=512)
    start: str = setting(
        "class-mean",
        "where the server's rows start; class-mean: clients also send the sum of their inputs per "
        "class (never with secure-sum, nor where the model is solved from the sums)",
        choices=("class-mean", "noise"),
    )
    secure_sum: bool = setting(
        False, "a server that keeps to the protocol learns only the sum, no single client's part"
    )
    neighbours: int = setting(
        0,
        "secure-sum: how many clients each client shares masks with, an even number; 0: all",
        low=0,
        high=10_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecConfig:
    """How a set is written into a message."""

    name: str = setting(
        "auto",
        "auto, avif, float16, float32, series, uint8, webp",
        first=True,
    )
    quality: int = setting(30, "avif, series, webp: quality; 100 is best", low=0, high=100)
