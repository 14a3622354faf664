"""Records, privacy, and the machine. A section a class."""

from __future__ import annotations

from dataclasses import dataclass

from fdd_flower.config._setting import setting


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

    name: str = setting(
        "dirichlet",
        "the split; balanced: dirichlet with clients of equal size; pathological: classes drawn at "
        "random, as by NIID-Bench",
        choices=("iid", "dirichlet", "balanced", "classes", "pathological", "shards"),
    )
    alpha: float = setting(
        0.3, "dirichlet, balanced: concentration; small is uneven", low=1e-3, high=1e4
    )
    classes_per_client: int = setting(
        2, "classes, pathological: classes a client holds", low=1, high=10_000
    )
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
        "each client's images turned, inverted, blurred or noised in another of ten ways, and the "
        "test split's in all ten; fewer clients than ten leave ways that none of them has",
        choices=("none", "images"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyConfig:
    """What a client promises about its records."""

    mode: str = setting("none", "formal guarantee; this version has none", choices=("none",))


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
