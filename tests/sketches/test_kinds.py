"""Every kind of sketch against a loop over records, and over partitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from fdd_flower.config import DistillerConfig, SketchConfig
from fdd_flower.data.base import Split
from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.errors import ConfigError, DistillError
from fdd_flower.rng import stream
from fdd_flower.sketches.base import KINDS, MAX_RATIO, Sketch, bounded, median_of
from fdd_flower.sketches.synthesis import synthesise
from fdd_flower.wire.refusals import Code, RefusedError
from tests.conftest import blobs, plan_for
from tests.sketches.scene import (
    KIND_NAMES,
    SHAPES,
    added,
    arrays_of,
    at_random,
    kind_of,
    one_class_each,
    records,
    sketch_of,
    taken,
)


def steps(values: torch.Tensor) -> np.ndarray:
    return np.clip(np.round(values.detach().numpy().astype(np.float64) * 256), -32767, 32767)


def by_hand(kind, data: Split) -> dict[str, np.ndarray]:
    """Return the sums of a sketch, record by record."""
    sums = {name: np.zeros(shape) for name, shape in kind.shapes.items()}
    for x, label in zip(data.inputs, data.labels.tolist(), strict=True):
        sums["inputs"][label] += steps(x.flatten())
        if kind.cfg.kind == "gram":
            f = steps(kind.phi(x[None])[0, :-1])
            sums["means"][label] += f
            sums["products"] += np.outer(f, f)[np.triu_indices(len(f))]
        if kind.cfg.kind == "means":
            f = np.concatenate([steps(v.network.features(x[None])[0]) for v in kind.views])
            sums["first"][label] += f
            sums["second"][label] += f**2
        if kind.cfg.kind == "characteristic":
            each = zip(kind.views, kind.directions, strict=True)
            angle = torch.cat([v.network.features(x[None])[0] @ d for v, d in each])
            sums["cos"][label] += steps(angle.cos())
            sums["sin"][label] += steps(angle.sin())
    return sums


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", KIND_NAMES)
def test_a_sketch_is_the_sum_over_records(name, shape):
    data = records(shape)
    kind = kind_of(name, data)
    sketch, want = sketch_of(kind, data), by_hand(kind, data)
    assert sketch.counts.tolist() == [60, 40, 30]
    assert set(sketch.sums) == set(want)
    for key, values in sketch.sums.items():
        # one by one, the last bit of a feature may round another way
        np.testing.assert_allclose(values.numpy(), want[key], rtol=1e-5, atol=5)
        assert values.dtype == torch.int64


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", KIND_NAMES)
def test_the_partition_does_not_matter(name, shape):
    data = records(shape)
    kind = kind_of(name, data)
    whole = sketch_of(kind, data)
    for deal in (one_class_each, at_random):
        total = added([sketch_of(kind, part) for part in deal(data)])
        assert torch.equal(total.counts, whole.counts)
        for key, values in whole.sums.items():
            off = (total.sums[key] - values).double().norm() / values.double().norm()
            assert off <= 1e-6, key


@pytest.mark.parametrize("name", KIND_NAMES)
def test_the_partition_does_not_matter_after_the_wire_either(name):
    data = records()
    kind = kind_of(name, data)
    one, two = (
        added([kind.decode(arrays_of(kind, part)) for part in deal(data)])
        for deal in (one_class_each, at_random)
    )
    for key, values in one.sums.items():
        assert (two.sums[key] - values).double().norm() / values.double().norm() <= 1e-6, key


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", KIND_NAMES)
def test_what_is_sent_comes_back(name, exact):
    data = records()
    kind = kind_of(name, data, secure_sum=exact)
    sketch = sketch_of(kind, data)
    back = kind.decode(kind.encode(sketch))
    assert torch.equal(back.counts, sketch.counts)
    for key, values in sketch.sums.items():
        if key == "products" and not exact:
            assert (back.sums[key] - values).double().norm() <= 1e-6 * values.double().norm()
        else:
            assert torch.equal(back.sums[key], values)
    assert sum(a.nbytes for a in kind.encode(sketch).values()) <= kind.max_bytes()


def test_half_precision_of_1536_features_is_below_2_4_megabytes():
    data = blobs(shape=(1, 28, 28), counts=(12,) * 10)
    kind = KINDS.get("gram")(SketchConfig(), DistillerConfig(), plan_for(data))
    arrays = kind.encode(sketch_of(kind, data))
    # at 6,000 records of a class sums are 9 bits longer
    longer = 9 * sum(arrays[name].shape[1] for name in ("means", "inputs"))
    assert sum(array.nbytes for array in arrays.values()) + longer < 2_400_000


@pytest.mark.parametrize("shape", SHAPES)
def test_the_total_gives_the_ridge_regression_of_all_records(shape):
    data = records(shape)
    kind = kind_of("gram", data, secure_sum=True)
    total = added([sketch_of(kind, part) for part in one_class_each(data)])
    f = kind.phi(data.inputs).double().numpy()
    n, d = f.shape
    y = np.eye(3)[data.labels.numpy()]
    alpha = min(0.1, 5 / n) * float((f**2).sum()) / min(n, d)
    oracle = Ridge(alpha=alpha, fit_intercept=False).fit(f, y)  # type: ignore[arg-type]
    mine = f @ kind.teacher(total).coefficients.numpy()
    assert np.abs(mine - oracle.predict(f)).max() < 0.02


def test_moments_and_waves_are_those_of_the_records():
    data = records()
    moments, waves = kind_of("means", data), kind_of("characteristic", data)
    inside = data.inputs[data.labels == 1]
    f = moments.views[1].network.features(inside).detach().numpy()
    found = moments.moments(sketch_of(moments, data), 1, 1)
    assert found.deviation is not None
    np.testing.assert_allclose(found.mean.numpy(), f.mean(axis=0), atol=2e-3)
    np.testing.assert_allclose(found.deviation.numpy(), f.std(axis=0), atol=5e-3)
    z = waves.views[0].network.features(inside) @ waves.directions[0]
    wave = waves.wave(sketch_of(waves, data), 1, 0)
    want = np.exp(1j * z.detach().numpy()).mean(axis=0)
    np.testing.assert_allclose((wave.cos + 1j * wave.sin).numpy(), want, atol=2e-3)


@pytest.mark.parametrize("name", KIND_NAMES)
def test_clients_draw_the_same_features_and_each_round_others(name):
    data = records()
    one, same, other = (sketch_of(kind_of(name, data, round_=r), data) for r in (1, 1, 2))
    key = {"gram": "means", "means": "first", "characteristic": "cos"}[name]
    assert torch.equal(one.sums[key], same.sums[key])
    assert not torch.equal(one.sums[key], other.sums[key])


@pytest.mark.parametrize("name", KIND_NAMES)
def test_a_class_of_few_records_is_in_no_sum(name):
    data = records()
    few = torch.cat([torch.arange(60), torch.arange(60, 67)])  # 7 of class b
    kind = kind_of(name, data)
    with_few, without = (sketch_of(kind, taken(data, p)) for p in (few, torch.arange(60)))
    assert with_few.counts.tolist() == [60, 0, 0]
    for key, values in with_few.sums.items():
        assert torch.equal(values, without.sums[key])
    with pytest.raises(DistillError, match=r"distiller\.min-records"):
        sketch_of(kind, taken(data, torch.arange(60, 67)))


@pytest.mark.parametrize("start", ["class-mean", "noise"])
@pytest.mark.parametrize("name", KIND_NAMES)
def test_rows_are_matched_to_the_total(name, start):
    data = records()
    kind = kind_of(name, data, start=start, steps=60)
    total = added([sketch_of(kind, part) for part in one_class_each(data)])
    assert ("inputs" in total.sums) == (start == "class-mean")
    begun = synthesise(
        kind_of(name, data, start=start, steps=1, learning_rate=1e-8), total, rng=stream(0, "x")
    )
    found = synthesise(kind, total, rng=stream(0, "x"))
    assert torch.equal(found.labels, torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2]))
    assert found.weights.tolist() == pytest.approx([20] * 3 + [40 / 3] * 3 + [10] * 3)
    assert _loss(kind, total, found.inputs) < 0.5 * _loss(kind, total, begun.inputs)
    again = synthesise(kind, total, rng=stream(0, "x"))
    assert torch.equal(found.inputs, again.inputs)


def _loss(kind, total: Sketch, rows: torch.Tensor) -> float:
    canvas = Canvas(list(rows.split(3)), [0, 1, 2], num_classes=3)
    return float(
        sum(loss.detach() for step in range(2) for loss in kind.losses(total, canvas, step))
    )


def test_a_class_that_nobody_has_gets_no_rows():
    data = records()
    kind = kind_of("means", data)
    found = synthesise(kind, sketch_of(kind, one_class_each(data)[1]), rng=stream(0, "x"))
    assert found.labels.tolist() == [1, 1, 1]


def test_covariances_are_refused_by_name():
    with pytest.raises(ConfigError, match=r"distiller\.moments"):
        kind_of("means", records(), moments="covariance")


def test_a_client_that_claims_a_great_many_counts_for_a_hundred_medians():
    sketch = Sketch(torch.tensor([900_000, 0, 100_000]), {"x": torch.tensor([10**9, -7])})
    held = bounded(sketch, median_of([10, 30, 20, 1_000_000]))
    share = MAX_RATIO * 30 / 1_000_000
    assert held.counts.tolist() == [2700, 0, 300]
    assert held.sums["x"].tolist() == [10**9 * share, 0]
    assert bounded(sketch, 10_000) is sketch


def _grown(array: np.ndarray) -> np.ndarray:
    return np.concatenate([array, np.zeros_like(array[:1])])


BAD = {
    "no array": (lambda a: {}, Code.ARRAYS),
    "one missing": (lambda a: {k: v for k, v in a.items() if k != "inputs"}, Code.ARRAYS),
    "one more": (lambda a: a | {"extra": a["counts"]}, Code.ARRAYS),
    "counts are floats": (lambda a: a | {"counts": a["counts"] * 1.0}, Code.DTYPE),
    "a class more": (lambda a: a | {"counts": _grown(a["counts"])}, Code.SHAPE),
    "a negative count": (lambda a: a | {"counts": a["counts"] * [1, -1, 1]}, Code.WEIGHTS),
    "a class of two": (lambda a: a | {"counts": a["counts"] * 0 + 2}, Code.WEIGHTS),
    "a billion records": (lambda a: a | {"counts": a["counts"] * 10**8}, Code.WEIGHTS),
    "overflowing counts": (lambda a: a | {"counts": a["counts"] * 0 + 2**62}, Code.WEIGHTS),
    "nobody": (lambda a: a | {"counts": a["counts"] * 0}, Code.EMPTY),
    "no records behind a sum": (lambda a: a | {"counts": a["counts"] * [1, 0, 1]}, Code.RANGE),
    "planes of another type": (lambda a: a | {"inputs": a["inputs"].astype(np.int16)}, Code.DTYPE),
    "planes of another length": (lambda a: a | {"inputs": a["inputs"][:, :-1]}, Code.SHAPE),
    "too many planes": (lambda a: a | {"inputs": np.tile(a["inputs"], (9, 1))}, Code.SHAPE),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("name", KIND_NAMES)
def test_a_malformed_sketch_is_refused_with_a_code(name, what):
    data = records()
    kind, (change, code) = kind_of(name, data), BAD[what]
    kind.decode(arrays_of(kind, data))
    with pytest.raises(RefusedError) as caught:
        kind.decode(change(arrays_of(kind, data)))
    assert caught.value.code == code


def test_sums_that_no_records_have_are_refused():
    data = records()
    for name, key, change in (
        ("means", "second", lambda v: v // 4),  # squares smaller than their means allow
        ("means", "first", lambda v: v * 10**6),
        ("characteristic", "cos", lambda v: v * 0 + 60 * 257),
        ("gram", "products", lambda v: -v),
        ("gram", "products", lambda v: v // 2),
    ):
        kind = kind_of(name, data, secure_sum=True)
        sketch = sketch_of(kind, data)
        forged = Sketch(sketch.counts, {**sketch.sums, key: change(sketch.sums[key])})
        with pytest.raises(RefusedError) as caught:
            kind.decode(kind.encode(forged))
        assert caught.value.code == Code.RANGE
