"""Goal R5: what hostile clients cost, with and without quarantine, and who is quarantined.

    python benchmarks/poisoning.py --seeds 5 --distiller kmeans > poisoning.md

Sets of honest clients are distilled once for each cut and seed; then a share of the clients is
hostile, in each of the ways of `tests/attacks/poison.py`. The global model is trained on all sets,
on those that quarantine leaves, and on the honest ones alone; accuracy is measured on the server's
test records without the root records.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import torch

from fdd_flower.config import Config
from fdd_flower.data import client_share, load_dataset
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import DISTILLERS, Plan
from fdd_flower.errors import DistillError
from fdd_flower.mergers.base import MERGERS
from fdd_flower.models import build_model
from fdd_flower.rng import stream
from fdd_flower.scoring import ROOT_PER_CLASS, Root, bound_shares, hold_out_root, score_sets
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.evaluation import evaluate
from fdd_flower.training.loop import train_on

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.attacks.poison import CHANGES, COPIES, TARGET, marked, poisoned

CUTS = {"Dirichlet 0.1": ("dirichlet", 0.1), "IID": ("iid", 1.0)}


@dataclass
class Row:
    """Sums over seeds."""

    lost_open: float = 0.0  # accuracy against removing the hostile clients, without quarantine
    lost: float = 0.0  # with it
    hostile: int = 0
    caught: int = 0
    honest: int = 0
    wronged: int = 0
    fooled_open: float = 0.0  # share of marked records that become the trigger's class
    fooled: float = 0.0


class Federation:
    """The clients of one cut and seed, and the server's two halves of the test records."""

    def __init__(self, args: argparse.Namespace, cut: str, seed: int) -> None:
        base = Config(seed=seed)
        name, alpha = CUTS[cut]
        self.cfg = replace(
            base,
            partition=replace(base.partition, name=name, alpha=alpha),
            distiller=replace(base.distiller, name=args.distiller, steps=args.distiller_steps),
            training=replace(base.training, steps=args.steps),
            scoring=replace(base.scoring, mode="quarantine", quota=args.quota),
        )
        self.data = load_dataset(self.cfg.data, seed=seed)
        root, self.test = hold_out_root(
            self.data.split(self.data.test), per_class=ROOT_PER_CLASS, seed=seed
        )
        self.root = Root.of(root, seed=seed)
        self.parts = dict(self._distil(args.clients))
        self._trained: dict[tuple[str, ...], torch.nn.Module] = {}

    def _distil(self, clients: int):
        plan = Plan(
            round=1,
            seed=7,
            nonce="0" * 16,
            classes=self.data.classes,
            feature_shape=self.data.feature_shape,
            normalisation=self.data.normalisation,
        )
        for client in range(clients):
            share = client_share(
                self.data,
                self.cfg.partition,
                client=client,
                num_clients=clients,
                seed=self.cfg.seed,
            )
            distiller = DISTILLERS.get(self.cfg.distiller.name)(self.cfg.distiller)
            rng = stream(self.cfg.seed, "client", client, 1)
            try:
                yield (
                    str(client),
                    distiller.distill(share, plan=plan, start=None, rng=rng).synthetic,
                )
            except DistillError:
                continue  # too few records: the client sends nothing

    def model(self, parts: Mapping[str, SyntheticSet], key: tuple[str, ...]) -> torch.nn.Module:
        """Return the model trained on the merged `parts`, which `key` names."""
        if key not in self._trained:
            seed, rng = self.cfg.seed, stream(self.cfg.seed, "train", 1)
            quota = self.cfg.scoring.quota
            bounded = bound_shares(list(parts.values()), quota, owners=list(parts))
            merged = MERGERS.get("class-balanced")(self.cfg.merger).merge(bounded, rng=rng)
            model = build_model(
                self.cfg.model, feature_shape=self.data.feature_shape, num_classes=10, seed=seed
            )
            train_on(merged, model, self.cfg.training, rng=rng)
            self._trained[key] = model
        return self._trained[key]

    def fooled(self, model: torch.nn.Module) -> float:
        """Return the share of marked records of other classes that become the trigger's."""
        others = self.test.labels != TARGET
        away = Split(
            inputs=marked(self.test.inputs[others]),
            labels=torch.full((int(others.sum()),), TARGET),
            classes=self.test.classes,
        )
        return evaluate(model, away).accuracy


def attack(world: Federation, name: str, share: float, row: Row) -> None:
    """Add one attack by a share of the clients of `world` to `row`."""
    rng = torch.Generator().manual_seed(world.cfg.seed)
    clients = list(world.parts)
    order = torch.randperm(len(clients), generator=rng).tolist()
    hostile = [clients[i] for i in sorted(order[: round(share * len(clients))])]
    sent = poisoned(name, world.parts, hostile, rng)
    earlier = world.parts if name == "replay" else {}
    scores = score_sets(sent, root=world.root, earlier=earlier, seed=world.cfg.seed)
    aside = {client for client, score in scores.items() if score.reason}
    kept = {client: part for client, part in sent.items() if client not in aside}
    honest = {client: part for client, part in sent.items() if client not in hostile}
    row.hostile += len(hostile)
    row.caught += len(aside & set(hostile))
    row.honest += len(honest)
    row.wronged += len(aside & set(honest))
    if not world.cfg.training.steps:
        return

    def train(parts: Mapping[str, SyntheticSet]) -> torch.nn.Module:
        names = (f"{c}:{name}:{share}" if c in hostile else c for c in parts)
        return world.model(parts, tuple(names))

    removed, opened, guarded = train(honest), train(sent), train(kept)
    best = evaluate(removed, world.test).accuracy
    row.lost_open += best - evaluate(opened, world.test).accuracy
    row.lost += best - evaluate(guarded, world.test).accuracy
    if name == "trigger":
        row.fooled_open += world.fooled(opened)
        row.fooled += world.fooled(guarded)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--distiller", default="kmeans")
    parser.add_argument("--distiller-steps", type=int, default=100)
    parser.add_argument("--steps", type=int, default=300, help="of training; 0: only catch")
    parser.add_argument("--quota", type=float, default=0.0)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.2, 0.4])
    parser.add_argument("--attacks", nargs="+", default=[*CHANGES, *COPIES])
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows: dict[tuple[str, float, str], Row] = defaultdict(Row)
    quiet: dict[str, list[int]] = {cut: [0, 0] for cut in CUTS}
    started = monotonic()
    for cut in CUTS:
        for seed in range(args.seeds):
            world = Federation(args, cut, seed)
            clean = score_sets(world.parts, root=world.root, earlier={}, seed=seed)
            quiet[cut][0] += sum(bool(score.reason) for score in clean.values())
            quiet[cut][1] += len(clean)
            for share in args.shares:
                for name in args.attacks:
                    attack(world, name, share, rows[cut, share, name])
            done = f"{cut}, seed {seed}: {monotonic() - started:.0f} s"
            print(done, file=sys.stderr, flush=True)
    for cut, (wronged, count) in quiet.items():
        print(f"- {cut}, nobody hostile: {wronged} of {count} sets quarantined")
    print_table(rows, args)


def print_table(rows: Mapping[tuple[str, float, str], Row], args: argparse.Namespace) -> None:
    """Print the rows in Markdown."""
    heads = ["cut", "hostile", "attack", "hostile caught", "honest caught"]
    if args.steps:
        heads += ["points lost", "with quarantine", "fooled", "with quarantine"]
    print(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for (cut, share, name), row in rows.items():
        cells = [
            cut,
            f"{share:.0%}",
            name,
            f"{row.caught}/{row.hostile}",
            f"{row.wronged}/{row.honest}",
        ]
        if args.steps:
            cells += [f"{100 * lost / args.seeds:.1f}" for lost in (row.lost_open, row.lost)]
            fooled = [f"{f / args.seeds:.0%}" for f in (row.fooled_open, row.fooled)]
            cells += fooled if name == "trigger" else ["", ""]
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
