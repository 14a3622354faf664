"""Utility against refitting, and Shapley values against all orders."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch

from fdd_flower.scoring.shapley import shapley_values, total
from fdd_flower.scoring.utility import FEW, Game, leave_one_out, utility
from fdd_flower.training.ridge import Gram, penalty
from tests.attacks.poison import flip_labels
from tests.scoring.scene import ROOT, client, clients, evidence


def refitted(parts) -> float:
    """Return the value of a group of sets by NumPy, from its rows."""
    f = np.concatenate([ROOT.phi(part.inputs).double().numpy() for part in parts])
    y = np.concatenate([part.targets.double().numpy() for part in parts])
    shift = float(penalty(torch.tensor((f**2).sum()), len(f), f.shape[1]))
    c = np.linalg.solve(f.T @ f + shift * np.eye(f.shape[1]), f.T @ y)
    truth = ROOT.targets.numpy()
    return float(1 - ((truth - ROOT.features.numpy() @ c) ** 2).sum() / (truth**2).sum())


def test_leaving_one_out_by_subtraction_is_to_fit_again_without_it() -> None:
    parts = clients(5) | {"9": flip_labels(client(9), torch.Generator())}
    found = leave_one_out(Game.of(evidence(parts)))
    for name in parts:
        others = [part for key, part in parts.items() if key != name]
        expected = refitted(parts.values()) - refitted(others)
        assert found[name] == pytest.approx(expected, abs=1e-8)


def test_wrong_labels_harm_and_the_only_holder_of_a_class_helps_most() -> None:
    parts = {str(seed): client(seed, held=(0, 1, 2)) for seed in range(6)}
    parts |= {
        "7": client(7, held=(3,)),
        "8": flip_labels(client(8, held=(0, 1)), torch.Generator()),
    }
    found = utility(evidence(parts))
    values = {name: finding.value or 0.0 for name, finding in found.items()}
    assert max(values, key=lambda name: values[name]) == "7"
    assert values["8"] < 0
    assert found["8"].suspect
    assert not found["7"].suspect


def test_what_a_client_claims_to_stand_for_does_not_count() -> None:
    parts = clients(4)
    loud = parts | {"2": replace(parts["2"], weights=torch.full((24,), 1e9))}
    assert utility(evidence(loud)) == utility(evidence(parts))


def exact(game: Game) -> dict[str, float]:
    """Return Shapley values over all orders, each group fitted from its rows."""
    names, found = list(game.features), dict.fromkeys(game.features, 0.0)
    orders = list(permutations(names))
    for order in orders:
        before = 0.0
        for count, name in enumerate(order, start=1):
            f = torch.cat([game.features[key] for key in order[:count]])
            y = torch.cat([game.targets[key] for key in order[:count]])
            value = game.value(Gram(f.T @ f, f.T @ y), len(f))
            found[name] += (value - before) / len(orders)
            before = value
    return found


def test_sampled_shapley_values_come_near_the_exact_ones_and_sum_to_the_whole() -> None:
    game = Game.of(evidence(clients(3) | {"9": flip_labels(client(9), torch.Generator())}))
    names = list(game.features)
    rng = torch.Generator().manual_seed(0)
    found = shapley_values(names, game, rng=rng, orders=200, tolerance=0.0)
    expected = exact(game)
    assert sum(found.values()) == pytest.approx(
        game.value(*total(game, list(game.features))), abs=1e-9
    )
    for name in names:
        assert found[name] == pytest.approx(expected[name], abs=0.04)
    assert min(found, key=lambda name: found[name]) == "9"


def test_many_clients_are_sampled_and_the_same_seed_gives_the_same() -> None:
    parts = {str(seed): client(seed, rows=1) for seed in range(FEW + 2)}
    parts["3"] = flip_labels(client(3, rows=3), torch.Generator())
    found = utility(evidence(parts))
    assert found == utility(evidence(parts))
    assert found["3"].suspect
    assert found["3"].value == min(finding.value or 0.0 for finding in found.values())
    assert found["3"].value != leave_one_out(Game.of(evidence(parts)))["3"]
