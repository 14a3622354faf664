"""scikit-learn's trees as models: against scikit-learn itself, saved and fitted again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from torch import Tensor

from fdd_flower.config import Config, ModelConfig, ServerConfig
from fdd_flower.errors import ConfigError
from fdd_flower.methods.base import method_of
from fdd_flower.models import ESTIMATORS, build_model
from fdd_flower.models.base import Network
from fdd_flower.run_folder.tensor_file import pack, unpack
from fdd_flower.server.extra_models import check_models
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.family import train_family
from tests.conftest import blobs, plan_for


def make(name: str, *, k: int = 3, seed: int = 0, shape: tuple[int, ...] = (2, 3)) -> Network:
    cfg = ModelConfig(name=name)
    return build_model(cfg, feature_shape=shape, num_classes=k, seed=seed)


def soft_set(n: int = 60, k: int = 3) -> SyntheticSet:
    rng = torch.Generator().manual_seed(1)
    logits = 3 * torch.randn(n, k, generator=rng)
    inputs = torch.randn(n, 2, 3, generator=rng)
    inputs[:, 0, :k] += logits[:, :3]
    targets = logits.double().softmax(dim=1).float()
    return SyntheticSet(
        inputs=inputs, targets=targets, weights=1 + 9 * torch.rand(n, generator=rng)
    )


def shares(model: Network, x: Tensor) -> np.ndarray:
    return model(x).double().softmax(dim=1).numpy()


def oracle(name: str, set_: SyntheticSet, state: int) -> Any:
    """Fit to one row for each class that a row has a share of, one by one."""
    x, y, w = [], [], []
    for row, target, weight in zip(set_.inputs, set_.targets, set_.weights, strict=True):
        for label, share in enumerate(target.tolist()):
            if share >= 1e-3:
                x.append(row.flatten().numpy())
                y.append(label)
                w.append(float(weight) * share)
    leaf = min(max(min(np.bincount(y)) // 2, 1), 20)
    model: Any = (
        RandomForestClassifier(random_state=state)
        if name == "random-forest"
        else HistGradientBoostingClassifier(min_samples_leaf=leaf, random_state=state)
    )
    return model.fit(np.stack(x), y, sample_weight=np.array(w) / np.mean(w))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_it_is_scikit_learns_own_on_rows_by_class_and_comes_back_from_a_file(
    name: str, tmp_path: Path
):
    set_, model = soft_set(), make(name)
    model.fit(set_)  # pyright: ignore[reportCallIssue]
    x = torch.randn(40, 2, 3, generator=torch.Generator().manual_seed(2))
    found = shares(model, x)
    state = int(model.state_dict()["state"])
    expected = oracle(name, set_, state).predict_proba(x.flatten(1).numpy())
    np.testing.assert_allclose(found, expected, atol=1e-6)
    (tmp_path / "m.safetensors").write_bytes(pack(model.state_dict()))
    again = make(name, seed=5)
    again.load_state_dict(unpack(tmp_path / "m.safetensors")[0])
    np.testing.assert_array_equal(shares(again, x), found)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_rows_of_a_table_are_blurred(name: str):
    # a column that tells the classes of forty rows apart by a hair, beside one that does by far
    labels = torch.arange(40) % 2
    hair = 1e-3 * labels + torch.linspace(0, 1e-4, 40)
    inputs = torch.stack([hair, 4.0 * labels], dim=1)
    set_ = SyntheticSet(inputs=inputs, targets=torch.eye(2)[labels], weights=torch.full((40,), 9.0))
    model = make(name, k=2, shape=(2,))
    model.fit(set_)  # pyright: ignore[reportCallIssue]
    x = torch.tensor([[1.0, 0.0], [-1.0, 4.0], [0.0, 0.0], [0.0, 4.0]])
    assert shares(model, x).argmax(axis=1).tolist() == [0, 1, 0, 1]
    again = make(name, k=2, shape=(2,), seed=7)
    again.load_state_dict(model.state_dict())
    np.testing.assert_array_equal(shares(again, x), shares(model, x))


def test_the_same_seed_gives_the_same_forest_and_another_another():
    x, cfg, set_ = torch.randn(20, 2, 3), Config(), soft_set(20)
    one, same, other = (
        shares(train_family("random-forest", set_, cfg, round_=r), x) for r in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()


def test_a_class_that_the_set_lacks_is_never_said_and_one_class_always():
    blob = blobs(shape=(2, 3), counts=(20, 20))
    targets = torch.nn.functional.one_hot(blob.labels, 3).float()
    set_ = SyntheticSet(inputs=blob.inputs, targets=targets, weights=torch.ones(40))
    model = make("gradient-boosting")
    model.fit(set_)  # pyright: ignore[reportCallIssue]
    assert shares(model, blob.inputs)[:, 2].max() < 1e-9
    one = SyntheticSet(inputs=blob.inputs, targets=targets[:1].expand(40, 3), weights=set_.weights)
    model.fit(one)  # pyright: ignore[reportCallIssue]
    assert shares(model, blob.inputs)[:, 0].min() > 0.999


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": torch.zeros(0)},
        {"inputs": torch.zeros(3, 5)},
        {"targets": torch.full((60, 3), torch.nan)},
        {"state": torch.zeros(2)},
    ],
)
def test_a_file_that_holds_something_else_is_refused(changes: dict[str, Tensor]):
    model = make("random-forest")
    model.fit(soft_set())  # pyright: ignore[reportCallIssue]
    with pytest.raises(RuntimeError, match="set"):
        make("random-forest").load_state_dict({**model.state_dict(), **changes})


@pytest.mark.parametrize(
    ("cfg", "key"),
    [
        (Config(model=ModelConfig(name="random-forest")), "model.name"),
        (Config(server=ServerConfig(teacher="gradient-boosting")), "server.teacher"),
    ],
)
def test_trees_are_no_model_of_a_run_and_no_teacher(cfg: Config, key: str):
    with pytest.raises(ConfigError, match=f"{key}.*server.models"):
        check_models(cfg, plan_for(blobs(shape=(6,))), method_of(cfg))
    good = Config(server=ServerConfig(models="random-forest,gradient-boosting"))
    check_models(good, plan_for(blobs(shape=(6,))), method_of(good))
