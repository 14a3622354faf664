"""Every setting: its default, what it means, and the values allowed. A section a class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Scalar = bool | int | float | str


def setting(
    default: Scalar,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """Declare a setting: its default, what it means, and the values allowed (ends included)."""
    return field(
        default=default, metadata={"doc": doc, "low": low, "high": high, "choices": choices}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyConfig:
    """The federated method, and when a round counts."""

    name: str = setting(
        "fdd",
        "bulyan, dynafed, fdd, fedadam, fedaf, fedavg, fedavgm, fedlgd, fedmedian, fednova, "
        "fedprox, fedtrimmedavg, fedyogi, krum, multikrum, scaffold, sketch",
    )
    min_nodes: int = setting(2, "connected clients to wait for before a round", low=1, high=100_000)
    quorum: int = setting(2, "usable replies below which the run ends", low=1, high=100_000)
    deadline: float = setting(3600.0, "seconds a round waits for replies", low=0.1, high=86_400)
    fraction: float = setting(
        1.0,
        "share of the connected clients that a round asks, drawn by seed and round; at least "
        "quorum of them",
        low=1e-6,
        high=1,
    )
    pool: str = setting(
        "round",
        "fdd: the sets that are merged: of the round alone; or of the last pool-rounds rounds, the "
        "last set of each client or all sets",
        choices=("round", "last", "all"),
    )
    pool_rounds: int = setting(3, "pool last, all: rounds that it reaches back", low=1, high=10_000)
    pool_decay: float = setting(
        0.5,
        "pool last, all: what every round of its age leaves of a set's claims",
        low=1e-3,
        high=1,
    )
    proximal_mu: float = setting(0.1, "FedProx: weight of the proximal term", low=0, high=100)
    num_malicious: int = setting(
        1, "Krum, multi-Krum, Bulyan: hostile clients it allows for", low=0, high=10_000
    )
    num_selected: int = setting(2, "multi-Krum: updates that are averaged", low=1, high=100_000)
    beta: float = setting(
        0.2, "trimmed mean: share of the replies cut from either end", low=0, high=0.49
    )
    server_learning_rate: float = setting(
        0.0,
        "FedAvgM, FedAdam, FedYogi: the server's step size; 0: 1, 0.1 and 0.01 of them",
        low=0,
        high=100,
    )
    server_momentum: float = setting(
        0.9, "FedAvgM: momentum of the server's steps", low=0, high=0.999
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalConfig:
    """Local training on real data, for the strategies that average parameters."""

    epochs: int = setting(1, "passes over the client's data a round", low=1, high=1_000)
    batch_size: int = setting(64, "records a step", low=1, high=65_536)
    learning_rate: float = setting(0.01, "step size of SGD", low=1e-8, high=10)
    momentum: float = setting(0.9, "momentum of SGD", low=0, high=0.999)


@dataclass(frozen=True, slots=True, kw_only=True)
class DynafedConfig:
    """DynaFed: rows that the server makes of the first global models, and tunes later ones on."""

    rounds: int = setting(5, "rounds whose global models are followed", low=1, high=10_000)
    reach: int = setting(1, "rounds ahead that training on the rows aims at", low=1, high=10_000)
    ipc: int = setting(15, "rows a class", low=1, high=10_000)
    steps: int = setting(200, "optimisation steps of the rows", low=1, high=1_000_000)
    learning_rate: float = setting(0.1, "step size of Adam there", low=1e-8, high=100)
    inner_steps: int = setting(10, "training steps on the rows a match", low=1, high=1_000)
    inner_rate: float = setting(
        0.02, "step size of that training at first; it is learned", low=1e-8, high=10
    )
    tuning_steps: int = setting(
        20, "steps on the rows that each later global model takes", low=0, high=1_000_000
    )
    tuning_rate: float = setting(0.01, "step size of SGD there", low=1e-8, high=10)
    batch_size: int = setting(256, "rows a step there", low=1, high=65_536)


@dataclass(frozen=True, slots=True, kw_only=True)
class FedafConfig:
    """FedAF: what clients and the server tell each other by mean logits a class."""

    keep: float = setting(
        0.9, "share of the global model in a client's networks; the rest is noise", low=0, high=1
    )
    local_weight: float = setting(
        0.8, "of the term that draws a client's rows to the global logits", low=0, high=1e6
    )
    global_weight: float = setting(
        0.8, "of the term that draws the global model to the clients' logits", low=0, high=1e6
    )
    temperature: float = setting(2.0, "of both sides of the server's term", low=0.01, high=100)
    projections: int = setting(
        50, "directions along which the client's term compares logits", low=1, high=10_000
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FedlgdConfig:
    """FedLGD: global virtual data, which the server makes of the clients' steps."""

    ipc: int = setting(10, "global virtual records a class", low=1, high=10_000)
    every: int = setting(
        5, "rounds from one update of virtual data to the next, on both sides", low=1, high=100_000
    )
    weight: float = setting(
        1.0, "of the term that holds clients' features to the global ones", low=0, high=1e6
    )
    temperature: float = setting(0.07, "of that contrastive term", low=0.001, high=100)
    steps: int = setting(500, "steps of gradient matching in an update", low=1, high=1_000_000)
    learning_rate: float = setting(0.06, "step size of Adam there", low=1e-8, high=100)


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
        "where the server's rows start; class-mean: clients also send the sums of their inputs",
        choices=("class-mean", "noise"),
    )
    secure_sum: bool = setting(False, "the server learns the sum over clients and no sketch")


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
class CodecConfig:
    """How a set is written into a message."""

    name: str = setting("uint8", "avif, float16, float32, uint8, webp")
    quality: int = setting(30, "avif, webp: 0 is smallest, 100 is best", low=0, high=100)
    resolution: int = setting(
        16, "avif, webp: sixteenths of an image's sides that are sent", low=1, high=16
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How the server trains the global model on the merged set."""

    steps: int = setting(1500, "optimiser steps a round", low=1, high=10_000_000)
    batch_size: int = setting(128, "synthetic records a step", low=1, high=65_536)
    learning_rate: float = setting(0.003, "peak step size of AdamW", low=1e-8, high=10)
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
class DataConfig:
    """Where records come from."""

    name: str = setting(
        "digits",
        "breast-cancer, cifar10, digits, fashion-mnist, folder, mnist, npz, table, wine",
    )
    path: str = setting("", "file or folder; a SuperNode's node config data-path goes before it")
    label: str = setting("label", "table: the column that holds the class")
    test_fraction: float = setting(
        0.2,
        "share held out for testing where the data has no test split of its own",
        low=0.01,
        high=1,
    )
    image_size: int = setting(32, "folder: height and width in pixels", low=4, high=1_024)
    holdout: float = setting(
        0.0,
        "share of each class of the training records that takes the place of the test split: for "
        "choosing settings; 0: measure on the test split",
        low=0,
        high=0.9,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionConfig:
    """How one data set is cut into clients, in simulation."""

    name: str = setting("dirichlet", "the split", choices=("iid", "dirichlet", "classes", "shards"))
    alpha: float = setting(0.3, "dirichlet: concentration; small is uneven", low=1e-3, high=1e4)
    classes_per_client: int = setting(2, "classes: classes a client holds", low=1, high=10_000)
    shards_per_client: int = setting(
        2, "shards: label-sorted shards a client holds", low=1, high=1_000
    )
    quantity: float = setting(
        0.0,
        "after the cut, clients keep shares of their records that are uneven by a Dirichlet "
        "distribution of this concentration; 0: all of them",
        low=0,
        high=1e4,
    )
    shift: str = setting(
        "none",
        "each client's images turned, inverted, blurred or noised in another way, and the test "
        "split's in all of these ways",
        choices=("none", "images"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyConfig:
    """What a client promises about its records."""

    mode: str = setting("none", "formal guarantee; this version has none", choices=("none",))


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig:
    """What a run leaves."""

    dir: str = setting("", "absolute folder; empty: $FDD_OUTPUT_DIR or ~/.fdd-flower/runs/<run id>")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    """The machine."""

    client_threads: int = setting(1, "torch threads of a client", low=1, high=1_024)
    server_threads: int = setting(1, "torch threads of the server", low=1, high=1_024)
    clients_file: str = setting(
        "",
        "absolute TOML file, in simulation: a table of budgets and networks for each client that "
        "has its own, as the node config of a real one",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting of a run; `[tool.flwr.app.config]` holds the same defaults."""

    num_server_rounds: int = setting(3, "rounds", low=1, high=100_000)
    seed: int = setting(0, "seed of everything random", low=0, high=2**31 - 1)
    resume: str = setting("", "absolute folder of a run to go on with; empty: a new run")
    strategy: StrategyConfig = field(default_factory=StrategyConfig)
    local: LocalConfig = field(default_factory=LocalConfig)
    dynafed: DynafedConfig = field(default_factory=DynafedConfig)
    fedaf: FedafConfig = field(default_factory=FedafConfig)
    fedlgd: FedlgdConfig = field(default_factory=FedlgdConfig)
    distiller: DistillerConfig = field(default_factory=DistillerConfig)
    sketch: SketchConfig = field(default_factory=SketchConfig)
    merger: MergerConfig = field(default_factory=MergerConfig)
    codec: CodecConfig = field(default_factory=CodecConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    data: DataConfig = field(default_factory=DataConfig)
    partition: PartitionConfig = field(default_factory=PartitionConfig)
    privacy: PrivacyConfig = field(default_factory=PrivacyConfig)
    scoring: ScoringConfig = field(default_factory=ScoringConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
