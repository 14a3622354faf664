"""Sets of earlier rounds beside those of the last: who is in the pool, and how much they weigh."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from fdd_flower.config import Scalar
from fdd_flower.errors import ConfigError
from fdd_flower.ledger import Ledger
from fdd_flower.mergers import dedupe
from fdd_flower.run_folder.saved_set import load_set
from fdd_flower.server.pool import Pooled
from tests.methods.test_end_to_end import rounds
from tests.server.test_forget import forgotten
from tests.server.test_resume import Killed, resume, settings_of, start

POOL: dict[str, Scalar] = {
    "strategy.pool": "all",
    "strategy.pool-rounds": 2,
    "merger.name": "union",
}


def run(folder: Path, *, method: str = "warm", clients: int = 3, absent=(), **changes: Scalar):
    named = {key.replace("__", ".").replace("_", "-"): value for key, value in changes.items()}
    start(settings_of(folder, method) | POOL | named, clients=clients, absent=absent)
    return folder


def sent(folder: Path) -> dict[tuple[str, int], dict[str, np.ndarray]]:
    """Return the sets that the ledger accepted, by client and round."""
    return {
        (entry.client, entry.round): load_file(folder / "ledger" / f"{entry.sha256}.safetensors")
        for entry in Ledger(folder / "ledger").entries()
    }


def test_all_sets_of_the_last_rounds_are_merged_and_older_ones_weigh_less(tmp_path: Path) -> None:
    folder = run(tmp_path / "run", strategy__pool_decay=0.25)
    parts = sent(folder)
    order = [(client, round_) for client in "012" for round_ in (3, 2)]
    merged = load_set(folder / "synthetic.safetensors")
    np.testing.assert_array_equal(
        merged.set.inputs, np.concatenate([parts[key]["inputs"] for key in order])
    )
    weights = [parts[key]["weights"] * (0.25 if key[1] == 2 else 1) for key in order]
    np.testing.assert_array_equal(merged.set.weights, np.concatenate(weights))
    assert [source.round for source in merged.sources] == [3, 2] * 3


@pytest.mark.parametrize("merger", ["class-balanced", "weighted"])
def test_age_counts_in_full_where_claims_are_bounded(tmp_path: Path, merger: str) -> None:
    folder = run(tmp_path / "run", merger__name=merger, strategy__pool_decay=0.01)
    merged, parts = load_set(folder / "synthetic.safetensors"), sent(folder)
    keys = [(client, round_) for client in "012" for round_ in (3, 2)]
    claims = np.concatenate([parts[key]["weights"] for key in keys]).astype(float)
    ages = np.concatenate([np.full(len(parts[k]["weights"]), {3: 1, 2: 0.01}[k[1]]) for k in keys])
    labels = merged.set.labels.numpy()
    for label in np.unique(labels):
        own = labels == label
        middle = np.sort(claims[own])[(own.sum() - 1) // 2]
        claims[own] = claims[own].clip(middle / 10, middle * 10) * ages[own]
        if merger == "class-balanced":
            claims[own] /= claims[own].sum()
    np.testing.assert_allclose(merged.set.weights, claims / claims.mean(), rtol=1e-4)


def test_what_is_very_old_still_has_a_weight(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    ledger = Ledger(folder / "ledger")
    entry = next(iter(ledger.entries()))
    old = Pooled(client=entry.client, round=1, sha256=entry.sha256, factor=1e-44)
    assert float(old.load(Mock(ledger=ledger)).weights.min()) > 0


def test_the_last_set_of_each_client_stays_when_others_are_drawn(tmp_path: Path) -> None:
    folder = run(
        tmp_path / "run",
        clients=4,
        strategy__pool="last",
        strategy__pool_rounds=3,
        strategy__fraction=0.5,
    )
    last = {}
    for client, round_ in sorted(sent(folder), key=lambda key: key[1]):
        last[client] = round_
    merged = load_set(folder / "synthetic.safetensors")
    assert [source.round for source in merged.sources] == [last[c] for c in sorted(last)]
    assert len(last) > 2  # more than one round's clients
    assert [row["replies"] for row in rounds(folder)] == [2, 2, 2]


@pytest.mark.parametrize("pool", ["last", "all"])
def test_forgetting_and_resuming_are_exact(tmp_path: Path, pool: str) -> None:
    whole = run(tmp_path / "whole", strategy__pool=pool, clients=4)
    never = run(tmp_path / "never", strategy__pool=pool, clients=4, absent=(2,))
    forgotten(whole, "1", tmp_path / "without")
    for name in ("synthetic.safetensors", "model.safetensors"):
        assert (tmp_path / "without" / name).read_bytes() == (never / name).read_bytes()

    def killed(message):
        if message.content["meta"]["round"] == 3:
            raise Killed
        return message

    with pytest.raises(Killed):
        start(
            settings_of(tmp_path / "killed") | POOL | {"strategy.pool": pool},
            clients=4,
            faults={3: killed},
        )
    resume(tmp_path / "killed", clients=4)
    for name in ("synthetic.safetensors", "model.safetensors"):
        assert (tmp_path / "killed" / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"strategy.pool": "round", "strategy.pool-rounds": 5}, r"strategy\.pool-rounds"),
        ({"strategy.name": "fedavg", "strategy.pool": "all"}, r"strategy\.pool"),
    ],
)
def test_what_would_have_no_effect_is_refused(
    tmp_path: Path, settings: dict[str, Scalar], match: str
) -> None:
    with pytest.raises(ConfigError, match=match):
        start(settings_of(tmp_path / "run") | settings)
    assert not (tmp_path / "run").exists()


def test_of_a_clients_rows_that_repeat_each_other_the_newest_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dedupe, "NEAR", 5.0)
    folder = run(tmp_path / "run", merger__name="dedupe", strategy__pool_decay=1)
    merged, parts = load_set(folder / "synthetic.safetensors"), sent(folder)
    assert len(merged.set) == len(merged.set.labels.unique())  # all of a class are near enough
    sources = [merged.source_of(row) for row in range(len(merged.set))]
    assert {source.round for source in sources if source} == {3}
    clients = {entry.sha256: entry.client for entry in Ledger(folder / "ledger").entries()}
    for inputs, source in zip(merged.set.inputs, sources, strict=True):
        assert source is not None
        rows = torch.from_numpy(parts[clients[source.sha256], 3]["inputs"])
        assert (rows == inputs).flatten(1).all(dim=1).any()
