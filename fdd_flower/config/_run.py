"""Records, privacy, and the machine. A section a class."""

from __future__ import annotations

from dataclasses import dataclass

from fdd_flower.config._setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class DataConfig:
    """Where records come from."""

    name: str = setting(
        "digits",
        "breast-cancer, cifar10, digits, fashion-mnist, folder, hub, mnist, npz, series, table, "
        "wine",
        first=True,
    )
    path: str = setting(
        "",
        "file or folder of the data, or its name on the hub; on a SuperNode, data-path in the node "
        "config comes first",
        first=True,
    )
    schema: str = setting(
        "",
        "table: TOML file that says what the columns are, as `fdd schema` writes it; every client "
        "encodes by it; empty: drafted from the training records",
    )
    label: str = setting("label", "table, series: name of the column with the class", first=True)
    subject: str = setting(
        "",
        "table, series, npz, hub: name of the column or array that says whose each record is; with "
        "privacy.mode, a client's promise is then to each subject and not to each record",
    )
    test_fraction: float = setting(
        0.2,
        "share of the records held out for testing, where the data has no test split",
        low=0.01,
        high=1,
    )
    image: str = setting(
        "", "hub: name of the column with the image; empty: the only one that there is"
    )
    columns: str = setting(
        "",
        "table, series, hub: names of the columns to use, separated by commas, or with a dash "
        "before each those to leave out; empty: all",
    )
    image_size: int = setting(32, "folder, hub: height and width in pixels", low=4, high=1_024)
    resize: str = setting(
        "stretch",
        "folder: images of other shapes are stretched to the square, padded with black, or cropped "
        "around their centre",
        choices=("stretch", "pad", "crop"),
    )
    ground: str = setting(
        "white",
        "folder: what shows where an image is transparent",
        choices=("white", "black"),
    )
    channels: str = setting(
        "auto",
        "npz: whether the channels of an image or series come before its other axes or after; "
        "none: (n, h, w) are grey images; auto: as the shape suggests",
        choices=("auto", "first", "last", "none"),
    )
    window: int = setting(
        0,
        "series: samples per window; 0: each recording is one window",
        low=0,
        high=1_000_000,
    )
    step: int = setting(
        0,
        "series: samples from the start of a window to that of the next; 0: half a window",
        low=0,
        high=1_000_000,
    )
    recording: str = setting(
        "recording",
        "series: name of the column that says which recording a row is of; none has windows on "
        "both sides of the test split",
    )
    time: str = setting("time", "series: name of the column with the time of a row")
    rate: float = setting(
        0.0, "series, hub: samples a second; 0: as the times of a table say", low=0, high=1e9
    )
    holdout: float = setting(
        0.0,
        "share of the training records of each class to measure on instead of the test split, for "
        "choosing settings; 0: use the test split",
        low=0,
        high=0.9,
    )
    test_groups: str = setting(
        "",
        "groups of partition.column to test on, separated by commas, in place of a share of the "
        "records; none of theirs is trained on",
    )
    # No settings: `Config` writes here, for the sources, partition.column, and whether with
    # privacy.mode a node's records are read each alone.
    column: str = ""
    alone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionConfig:
    """How one data set is split into clients, in simulation."""

    name: str = setting(
        "dirichlet",
        "kind of split; balanced: dirichlet with clients of equal size; pathological: classes "
        "drawn at random, as in NIID-Bench; column: a client for each group in partition.column",
        choices=("iid", "dirichlet", "balanced", "classes", "pathological", "shards", "column"),
        first=True,
    )
    alpha: float = setting(
        0.3,
        "dirichlet, balanced: concentration; smaller is more uneven",
        low=1e-3,
        high=1e4,
        first=True,
    )
    classes_per_client: int = setting(
        2, "classes, pathological: classes per client", low=1, high=10_000
    )
    shards_per_client: int = setting(2, "shards: label-sorted shards per client", low=1, high=1_000)
    quantity: float = setting(
        0.0,
        "concentration of a Dirichlet distribution of client sizes, smaller is more uneven; 0: "
        "clients keep all their records",
        low=0,
        high=1e4,
    )
    column: str = setting(
        "",
        "table, series, npz, hub: name of the column or array that says which hospital, person or "
        "device a record is of; it is no feature",
    )
    min_records: int = setting(
        1,
        "column: a group with fewer records, those to test on counted too, is no client",
        low=1,
        high=10**9,
    )
    shift: str = setting(
        "none",
        "images: each client sees its images turned, inverted, blurred or noised in one of ten "
        "ways, and the test split has all ten",
        choices=("none", "images"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyConfig:
    """What a client promises about its records."""

    mode: str = setting(
        "none",
        "formal guarantee: none, or a method whose clients release noisy sums and nothing else",
        choices=("none", "dp-moments", "dp-dm", "dp-gm", "dp-sketch"),
        first=True,
    )
    epsilon: float = setting(
        1.0,
        "privacy budget of a client for the whole run: less is more private; a client's own "
        "privacy.max-epsilon comes first",
        low=1e-3,
        high=1e3,
        first=True,
    )
    delta: float = setting(
        1e-5,
        "probability with which the guarantee may fail: well below 1 / a client's records",
        low=1e-15,
        high=0.1,
    )
    sigma: float = setting(
        0.0,
        "noise of a release over what a record can change in it, in place of privacy.epsilon; 0: "
        "as much as privacy.epsilon and privacy.delta ask for",
        low=0,
        high=1e6,
    )
    rows: int = setting(
        500,
        "dp-moments: rows drawn of each class, for the set that a run leaves",
        low=1,
        high=1_000_000,
    )
    records_per_subject: int = setting(
        1,
        "data.subject: of each subject so many records count, the first ones in the file, and each "
        "as 1 / this of one",
        low=1,
        high=1_000,
    )
    most_records: int = setting(
        100_000,
        "records of one class at one client that a release is sure to have room for; larger sums "
        "are cut off; with little noise, more room takes more bytes",
        low=1,
        high=10_000_000,
    )
    colluding: int = setting(
        0,
        "noise shared behind a secure sum: clients that may tell the server their own noise",
        low=0,
        high=10_000,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig:
    """What a run leaves."""

    dir: str = setting(
        "",
        "folder of the results, an absolute path; empty: $FDD_OUTPUT_DIR or "
        "~/.fdd-flower/runs/<run id>",
        first=True,
    )
    track: str = setting(
        "", "also write each round to tensorboard, mlflow, or both with a comma; empty: to neither"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    """The machine."""

    device: str = setting(
        "auto",
        "where it computes; auto: an NVIDIA GPU where there is one, else the CPU",
        choices=("auto", "cpu", "cuda", "mps"),
    )
    client_threads: int = setting(1, "torch threads of a client", low=1, high=1_024)
    server_threads: int = setting(1, "torch threads of the server", low=1, high=1_024)
    clients_file: str = setting(
        "",
        "simulation: absolute path of a TOML file with a table of own budgets and networks per "
        "client, as a real client has them in its node config",
    )
