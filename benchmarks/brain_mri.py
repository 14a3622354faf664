"""Runs on a folder of images beside central training of the same model, on held-out and test.

    fdd run ... --set data.holdout=0.2 --out RUN
    python benchmarks/brain_mri.py FOLDER RUN ... --central

The same 80 % of the training records are trained on by all; the rest chose settings, and the test
split is looked at here only.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from sklearn.metrics import balanced_accuracy_score
from torch import nn

from fdd_flower.config import DataConfig, ModelConfig, TrainingConfig
from fdd_flower.data import load_dataset
from fdd_flower.data.base import Dataset
from fdd_flower.models import build_model
from fdd_flower.run_folder.load import load_run
from fdd_flower.run_folder.network import load_network
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.loop import train_on

HELD_OUT = 0.2  # of the training records: settings are chosen on them


def central(data: Dataset, steps: int) -> nn.Module:
    """Return a `convnet` trained on all training records as a server trains one on a set."""
    split = data.split(data.train)
    classes = len(data.classes)
    records = SyntheticSet(
        inputs=split.inputs,
        targets=torch.eye(classes)[split.labels],
        weights=torch.ones(len(split)),
    )
    model = build_model(
        ModelConfig(name="convnet"),
        feature_shape=data.feature_shape,
        num_classes=classes,
        seed=0,
    )
    train_on(records, model, TrainingConfig(steps=steps), rng=torch.Generator().manual_seed(0))
    return model


@torch.no_grad()
def score(model: nn.Module, data: Dataset, of: Dataset) -> float:
    """Return the balanced accuracy in percent on the test records of `of`, scaled as `data` is."""
    model.eval()
    inputs = data.normalisation.apply(of.test.inputs)
    found = torch.cat([model(tile) for tile in inputs.split(64)]).argmax(dim=1)
    return 100 * float(balanced_accuracy_score(of.test.labels, found.numpy()))


def main() -> None:
    """Print a line for central training and for each run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--central", action="store_true", help="train on the records themselves")
    parser.add_argument("--steps", type=int, default=0, help="of it; by default until it settles")
    options = parser.parse_args()

    torch.set_num_threads(1)
    whole = DataConfig(name="folder", path=str(options.folder), image_size=options.size)
    held = load_dataset(replace(whole, holdout=HELD_OUT), seed=0)
    test = load_dataset(whole, seed=0)

    def say(name: str, model: nn.Module, about: str) -> None:
        print(f"{name}: held-out {score(model, held, held):.1f}, ", end="")
        print(f"test {score(model, held, test):.1f}, {about}", flush=True)

    if options.central:
        start = time.process_time()
        model = central(held, options.steps)
        say("central", model, f"{len(held.train)} rows, {time.process_time() - start:.0f} s of CPU")
    for folder in options.runs:
        run = load_run(folder)
        rows = 0 if run.synthetic is None else len(run.synthetic.set)
        size = run.summary.bytes_up_per_client
        say(folder.name, load_network(run), f"{rows} rows, {size:,.0f} B up a client")


if __name__ == "__main__":
    main()
