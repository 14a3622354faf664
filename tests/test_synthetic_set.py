"""A set checks itself: what it refuses, and how sets are joined."""

import dataclasses
from typing import Any

import pytest
import torch

from fdd_flower.errors import WireError
from fdd_flower.synthetic_set import SyntheticSet, concatenate


def fields(n: int = 4, shape: tuple[int, ...] = (1, 2, 2), classes: int = 3) -> dict[str, Any]:
    return {
        "inputs": torch.arange(n * torch.Size(shape).numel()).float().view(n, *shape),
        "targets": torch.eye(classes)[torch.arange(n) % classes],
        "weights": torch.arange(1, n + 1).float(),
    }


def changed(change: dict[str, Any]) -> dict[str, Any]:
    return fields() | change


def test_it_tells_its_shape() -> None:
    s = SyntheticSet(**fields())
    assert len(s) == 4
    assert s.feature_shape == (1, 2, 2)
    assert s.num_classes == 3
    assert s.labels.tolist() == [0, 1, 2, 0]
    assert s.meta == {}


def test_it_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SyntheticSet(**fields()).weights = torch.ones(4)  # type: ignore[misc]


@pytest.mark.parametrize("key", ["inputs", "targets", "weights"])
@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.int64, torch.bool])
def test_only_float32_will_do(key: str, kind: torch.dtype) -> None:
    values = fields()
    values[key] = values[key].to(kind)
    with pytest.raises(WireError, match=rf"SyntheticSet\.{key}: expected a float32 tensor"):
        SyntheticSet(**values)


@pytest.mark.parametrize("key", ["inputs", "targets", "weights"])
@pytest.mark.parametrize("value", [None, [[1.0]], 1.0, "text"])
def test_only_a_tensor_will_do(key: str, value: object) -> None:
    with pytest.raises(WireError, match=rf"SyntheticSet\.{key}: expected a float32 tensor"):
        SyntheticSet(**changed({key: value}))


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("inputs", (4,)),
        ("inputs", ()),
        ("targets", (4,)),
        ("targets", (4, 3, 1)),
        ("weights", (4, 1)),
        ("weights", ()),
    ],
)
def test_dimensions_are_checked(key: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(WireError, match=rf"SyntheticSet\.{key}.*dimensions|feature_shape"):
        SyntheticSet(**changed({key: torch.ones(shape)}))


@pytest.mark.parametrize("key", ["inputs", "targets", "weights"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_values_are_finite(key: str, value: float) -> None:
    values = fields()
    values[key].view(-1)[-1] = value
    with pytest.raises(WireError, match=rf"SyntheticSet\.{key}: expected finite values"):
        SyntheticSet(**values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": torch.ones(0, 2)}, "at least one row"),
        (fields(n=0), "at least one row"),
        ({"inputs": torch.ones(3, 2)}, "3 rows, as inputs has"),
        ({"targets": torch.eye(3)}, "4 rows, as inputs has"),
        ({"weights": torch.ones(1)}, "4 rows, as inputs has"),
        ({"targets": torch.ones(4, 0)}, "at least one class"),
        ({"targets": torch.ones(4, 3)}, "probabilities that sum to 1"),
        ({"targets": torch.zeros(4, 3)}, "probabilities that sum to 1"),
        ({"targets": torch.tensor([[1.5, -0.5]] * 4)}, "probabilities that sum to 1"),
        (
            {"targets": torch.tensor([[1.0, 0.0]] * 3 + [[1.0, 0.01]])},
            "probabilities that sum to 1",
        ),
        ({"weights": torch.tensor([1.0, 1.0, 0.0, 1.0])}, "positive numbers"),
        ({"weights": torch.tensor([1.0, 1.0, -9.0, 1.0])}, "positive numbers"),
        ({"origin": torch.zeros(4)}, "int32 and .4,., or None; got torch.float32"),
        ({"origin": torch.zeros(3, dtype=torch.int32)}, "got torch.int32 and .3,."),
    ],
)
def test_rows_are_checked(change: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(WireError, match=message):
        SyntheticSet(**changed(change))


def test_rounded_probabilities_are_accepted() -> None:
    thirds = torch.full((4, 3), 0.3333)
    assert len(SyntheticSet(**changed({"targets": thirds}))) == 4


def test_joining_keeps_every_row_in_order() -> None:
    first, second = SyntheticSet(**fields(n=2), meta={"who": "a"}), SyntheticSet(**fields(n=3))
    joined = concatenate([first, second])
    assert joined.weights.tolist() == [1, 2, 1, 2, 3]
    assert joined.labels.tolist() == [0, 1, 0, 1, 2]
    assert torch.equal(joined.inputs[2:], second.inputs)
    assert joined.meta == {"who": "a"}
    assert joined.origin is not None
    assert joined.origin.tolist() == [0, 0, 1, 1, 1]


@pytest.mark.parametrize("other", [None, {"shape": (4,)}, {"classes": 4}])
def test_only_sets_of_one_kind_are_joined(other: dict[str, Any] | None) -> None:
    parts = [] if other is None else [SyntheticSet(**fields()), SyntheticSet(**fields(**other))]
    with pytest.raises(WireError, match=r"SyntheticSet\.parts"):
        concatenate(parts)
