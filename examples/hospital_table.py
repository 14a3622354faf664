"""Hospitals with a table each: one classifier for all of them, and a synthetic table to share.

Each hospital's CSV stays its own: a client reads it, distils it, and sends the synthetic set. Here
all clients run on this machine, one after the other; docs/deploy.md has the real thing.

    python examples/hospital_table.py --demo
    python examples/hospital_table.py north.csv south.csv --test test.csv --label diagnosis
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from client_tables import parser_of, read
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fdd_flower as fdd

LABEL = "diagnosis"


def make_demo(folder: Path) -> tuple[list[Path], Path]:
    """Write the tables of three hospitals, with mixes of cases of their own, and a test table."""
    folder.mkdir(parents=True, exist_ok=True)
    bunch = load_breast_cancer(as_frame=True)
    table = bunch.data.assign(**{LABEL: bunch.target.map(dict(enumerate(bunch.target_names)))})
    table = table.sample(frac=1, random_state=0)
    test, rest = table[:169], table[169:]
    malignant = rest[LABEL] == "malignant"
    sick, well = rest[malignant], rest[~malignant]
    shares = {
        "north": pd.concat([sick[:80], well[:20]]),
        "south": pd.concat([sick[80:95], well[20:140]]),
        "west": pd.concat([sick[95:], well[140:]]),
    }
    paths = []
    for name, share in (shares | {"test": test}).items():
        paths.append(folder / f"{name}.csv")
        share.to_csv(paths[-1], index=False)
    return paths[:-1], paths[-1]


def alone(table: pd.DataFrame, test: pd.DataFrame, label: str) -> float:
    """Return the balanced accuracy of a hospital that trains on its own table."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(table.drop(columns=label), table[label])
    found = model.predict(test[table.columns.drop(label)])
    return float(balanced_accuracy_score(test[label], found))


def main(arguments: list[str] | None = None) -> None:
    """Run the federation, compare it with each hospital alone, and export the synthetic table."""
    about = __doc__.splitlines()[0]
    parser = parser_of(about, client="hospital", label=LABEL, out="runs/hospitals")
    options = read(parser, arguments, make_demo)
    run = fdd.run(
        clients=options.tables,
        rounds=1,
        data=options.test,
        out=options.out / "run",
        data_label=options.label,
    )
    test = pd.read_csv(options.test)
    print(f"\n{fdd.evaluate(run.model, test, test[options.label])}\n")
    print("balanced accuracy of each hospital alone, and of all through the synthetic sets:")
    for path in options.tables:
        print(f"  {path.stem}: {alone(pd.read_csv(path), test, options.label):.1%}")
    together = fdd.evaluate(run.model, test, test[options.label]).balanced_accuracy
    print(f"  together: {together:.1%}")

    synthetic = options.out / "synthetic.csv"
    run.synthetic.to_frame(label=options.label).to_csv(synthetic, index=False)
    print(f"\nsynthetic table: {synthetic}\nreport: {run.folder / 'report.html'}")


if __name__ == "__main__":
    main()
