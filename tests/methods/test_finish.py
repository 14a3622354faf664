"""A finishing round: the last layer is that of ridge regression on everybody's real records."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)
from flwr.app import ArrayRecord

from fdd_flower.config import Config, ModelConfig, from_run_config, to_run_config
from fdd_flower.errors import ConfigError
from fdd_flower.models import build_model
from fdd_flower.server.checks import check_components
from fdd_flower.server.finish.base import bounded_sums
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.finish.readout import Basis, features_of, give, solve
from fdd_flower.training.finish.sums import Sums
from fdd_flower.wire.readout import basis_record, read_basis, read_sums, sums_record
from fdd_flower.wire.records import to_array_record, to_numpy
from fdd_flower.wire.refusals import Code, RefusedError
from tests.methods.test_end_to_end import rounds
from tests.server.test_forget import forgotten, holds_nothing_of
from tests.server.test_resume import result, settings_of, start

CLASSES, FEATURES, RECORDS = 3, 12, 900
FINISH = {"strategy.finish": "readout", "num-server-rounds": 2}


@pytest.fixture(scope="module")
def records() -> tuple[torch.Tensor, torch.Tensor]:
    """Return correlated features (with a 1 beside them) and labels that depend on them."""
    rng = torch.Generator().manual_seed(0)
    mixed = torch.randn(RECORDS, FEATURES, generator=rng) @ torch.randn(
        FEATURES, FEATURES, generator=rng
    )
    scores = mixed @ torch.randn(FEATURES, CLASSES, generator=rng)
    return F.pad(mixed, (0, 1), value=1.0), scores.argmax(dim=1)


@pytest.fixture(scope="module")
def basis(records: tuple[torch.Tensor, torch.Tensor]) -> Basis:
    return Basis.of(records[0][:50], torch.ones(50))


def sums_of(basis: Basis, features: torch.Tensor, labels: torch.Tensor, seed: int = 0) -> Sums:
    targets = F.one_hot(labels, CLASSES).double()
    return Sums.of(basis(features), targets, rng=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("split", ["alike", "a class each"])
def test_it_answers_as_least_squares_on_all_records_does(records, basis, split):
    features, labels = records
    order = torch.arange(RECORDS) if split == "alike" else labels.argsort(stable=True)
    parts = [
        (float(len(i)), sums_of(basis, features[i], labels[i], seed))
        for seed, i in enumerate(order.chunk(5))
    ]
    found = (features.double() @ solve(parts, basis)).argmax(dim=1)
    exact = np.linalg.lstsq(features.numpy(), np.eye(CLASSES)[labels], rcond=None)[0]
    oracle = torch.from_numpy((features.numpy() @ exact).argmax(axis=1))
    assert float((found == oracle).double().mean()) > 0.95
    assert float((oracle == labels).double().mean()) > 0.8  # or the oracle knows nothing


@pytest.mark.parametrize("seed", range(3))
def test_rounding_spoils_nothing_where_the_set_is_smaller_than_its_features(seed):
    rng = torch.Generator().manual_seed(seed)
    hidden = torch.randn(600, 6, generator=rng)
    features = torch.relu(hidden @ torch.randn(6, 80, generator=rng))
    features[:, :9] = 0  # units that no record wakes
    labels = (hidden @ torch.randn(6, CLASSES, generator=rng)).argmax(dim=1)
    few = Basis.of(features[:30], torch.ones(30))
    parts = [
        (120.0, sums_of(few, features[i], labels[i], seed))
        for i in labels.argsort(stable=True).chunk(5)
    ]
    found = (features.double() @ solve(parts, few)).argmax(dim=1)
    exact = np.linalg.lstsq(features.numpy(), np.eye(CLASSES)[labels], rcond=1e-4)[0]
    oracle = torch.from_numpy((features.numpy() @ exact).argmax(axis=1))
    right = [float((answers == labels).double().mean()) for answers in (found, oracle)]
    assert right[1] > 0.8
    assert right[0] > right[1] - 0.1


def test_rounding_is_right_in_the_mean(records, basis):
    features, labels = records[0][:80], records[1][:80]
    drawn = [sums_of(basis, features, labels, seed).dense() for seed in range(400)]
    inputs = basis(features)
    exact = inputs.T @ inputs / 80, inputs.T @ F.one_hot(labels, CLASSES).double() / 80
    for found, wanted in zip(zip(*drawn, strict=True), exact, strict=True):
        values = torch.stack(found)
        error, spread = (values.mean(dim=0) - wanted).abs(), values.std(dim=0) / 20
        # float16 lengths are off by up to 2^-11 each
        assert bool((error <= 5 * spread + 2e-3 * wanted.abs().max()).all())


def test_the_layer_is_put_in_and_scaled_to_probabilities():
    model = build_model(ModelConfig(name="cnn"), feature_shape=(1, 28, 28), num_classes=3, seed=0)
    rng = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 1, 28, 28, generator=rng), torch.arange(60) % 3
    synthetic = SyntheticSet(
        inputs=x, targets=F.one_hot(y, 3).float(), weights=torch.full((60,), 2.0)
    )
    features = features_of(model, x)
    coefficients = torch.linalg.lstsq(features.double(), synthetic.targets.double()).solution
    give(coefficients, model, synthetic)
    with torch.no_grad():
        logits = model(x)
    assert torch.equal(logits.argmax(1), (features.double() @ coefficients).argmax(1))
    # all rows are fitted, so that the best scale is a large one
    assert float(F.cross_entropy(logits, y)) < 0.1


def test_both_messages_come_back_as_they_were_sent(records, basis):
    sent = sums_of(basis, *records)
    back = read_sums(sums_record(sent), FEATURES + 1, CLASSES)
    assert all(torch.equal(getattr(back, n), getattr(sent, n)) for n in Sums.__slots__)
    there = read_basis(basis_record(basis), FEATURES + 1)
    assert torch.equal(there.matrix, basis.matrix)


BOMB = np.frombuffer(zlib.compress(bytes(10**6)), np.uint8)


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("second", BOMB, Code.UNDECODABLE),
        ("second", np.zeros(9, np.uint8), Code.UNDECODABLE),
        ("products", np.zeros(9, np.int8), Code.DTYPE),
        ("lengths", np.ones(3, np.float16), Code.SHAPE),
        ("lengths", np.full(FEATURES + 1, np.inf, np.float16), Code.NOT_FINITE),
        ("lengths", np.zeros(FEATURES + 1, np.float16), Code.RANGE),
        ("steps", np.array([1, 1], np.float32), Code.RANGE),  # correlations far above 1
        ("steps", np.array([np.nan, 1], np.float32), Code.NOT_FINITE),
        ("records", np.array([0], np.int64), Code.WEIGHTS),
        ("more", np.zeros(1), Code.ARRAYS),
    ],
)
def test_what_no_records_can_have_is_refused(records, basis, name, value, code):
    good = to_numpy(sums_record(sums_of(basis, *records)), max_bytes=10**6)
    with pytest.raises(RefusedError) as caught:
        read_sums(to_array_record({**good, name: value}), FEATURES + 1, CLASSES)
    assert caught.value.code == code


def test_without_an_array_it_is_refused(records, basis):
    good = to_numpy(sums_record(sums_of(basis, *records)), max_bytes=10**6)
    del good["records"]
    with pytest.raises(RefusedError) as caught:
        read_sums(to_array_record(good), FEATURES + 1, CLASSES)
    assert caught.value.code == Code.ARRAYS
    with pytest.raises(RefusedError):
        read_basis(ArrayRecord(), FEATURES + 1)


def test_no_client_counts_for_all(records, basis):
    one = sums_of(basis, *records)
    many = replace(one, records=torch.tensor([10**9]))
    long = replace(one, lengths=one.lengths * 50)
    counts = [count for count, _ in bounded_sums([one, one, one, many, long], longest=10)]
    assert counts[:3] == [RECORDS] * 3
    assert counts[3] == 100 * RECORDS
    assert counts[4] == pytest.approx(RECORDS * 10 / 2500, rel=1e-3)


@pytest.mark.parametrize("kind", ["readout", "fine-tune"])
def test_a_round_more_and_forgetting_falls_back(kind: str, tmp_path: Path):
    settings = settings_of(tmp_path / "run") | FINISH | {"training.start": "scratch"}
    settings["strategy.finish"] = kind
    start(settings)
    rows = rounds(tmp_path / "run")
    once = settings | {
        "num-server-rounds": 1,
        "strategy.finish": "none",
        "output.dir": str(tmp_path / "once"),
    }
    start(once)
    assert rows[0]["accuracy"] == rounds(tmp_path / "once")[0]["accuracy"]
    assert rows[1]["loss"] != rows[0]["loss"]
    # both leave the set of round 1
    assert (tmp_path / "run" / "synthetic.safetensors").read_bytes() == (
        tmp_path / "once" / "synthetic.safetensors"
    ).read_bytes()
    why = forgotten(tmp_path / "run", "1", tmp_path / "new")
    assert "exact up to round 1; what clients sent in round 2" in why
    assert len(rounds(tmp_path / "new")) == 1
    assert holds_nothing_of(tmp_path / "new", "1", tmp_path / "run")
    # the same as the run of one round without the client
    forgotten(tmp_path / "once", "1", tmp_path / "other")
    assert (
        result(tmp_path / "new")["model.safetensors"]
        == (result(tmp_path / "other")["model.safetensors"])
    )


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"strategy.name": "fedavg"}, "strategy.finish"),
        ({"strategy.name": "fedaf"}, "strategy.finish"),
        ({"strategy.finish-rounds": 2}, "strategy.finish-rounds"),
    ],
)
def test_where_it_has_no_place_it_is_refused(changes, key):
    cfg = from_run_config(to_run_config(Config()) | FINISH | changes)
    with pytest.raises(ConfigError, match=key):
        check_components(cfg)


def test_it_needs_a_round_before_it_and_a_last_layer(tmp_path: Path):
    for changes, key in (
        ({"num-server-rounds": 1}, "num-server-rounds"),
        ({"model.name": "convnet", "model.width": 1024}, "strategy.finish"),
    ):
        with pytest.raises(ConfigError, match=key):
            start(settings_of(tmp_path / "run") | FINISH | changes)
    assert not (tmp_path / "run").exists()


def test_more_rounds_of_it_go_on_from_each_other(tmp_path: Path):
    settings = settings_of(tmp_path / "run", "fine-tune") | {"training.start": "scratch"}
    start(settings)
    rows = rounds(tmp_path / "run")
    fewer = {"num-server-rounds": 2, "strategy.finish-rounds": 1}
    start(settings | fewer | {"output.dir": str(tmp_path / "fewer")})
    assert [row["loss"] for row in rows[:2]] == [row["loss"] for row in rounds(tmp_path / "fewer")]
    assert rows[2]["loss"] != rows[1]["loss"]
    assert "exact up to round 1; what clients sent in round 2" in forgotten(
        tmp_path / "run", "1", tmp_path / "new"
    )
    assert len(rounds(tmp_path / "new")) == 1
