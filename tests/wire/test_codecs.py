"""Every codec, by being there: round trips, and arrays from strangers."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

from fdd_flower.config import CodecConfig
from fdd_flower.errors import WireError
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import CODECS, Codec, build_codec, resolved

SHAPES = [(1, 8, 8), (3, 32, 32), (2, 5), (13,)]
CLASSES = 5
ROWS = 6
NAMES = CODECS.built_in()
BYTES_A_VALUE = {"float32": 4, "float16": 2, "uint8": 1}
# Codecs that write `inputs`, `targets` and `weights` apart; test_image_codecs.py has the others.
APART = sorted(BYTES_A_VALUE)


def codec(name: str) -> Codec:
    return CODECS.get(name)(CodecConfig(name=name))


def part(
    shape: tuple[int, ...], *, seed: int = 0, rows: int = ROWS, soft: bool = True
) -> SyntheticSet:
    rng = torch.Generator().manual_seed(seed)
    scores = torch.randn(rows, CLASSES, generator=rng) * 3
    hard = torch.nn.functional.one_hot(scores.argmax(dim=1), CLASSES).float()
    # Channels of different centre and spread, as normalisation by one constant leaves them.
    spread = torch.rand(1, shape[0], *[1] * (len(shape) - 1), generator=rng) * 4
    return SyntheticSet(
        inputs=(torch.randn(rows, *shape, generator=rng) - 0.5) * spread,
        targets=scores.softmax(dim=1) if soft else hard,
        weights=torch.rand(rows, generator=rng) * 1e5 + 1,
    )


def there_and_back(name: str, s: SyntheticSet) -> SyntheticSet:
    return codec(name).decode(
        codec(name).encode(s), feature_shape=s.feature_shape, num_classes=s.num_classes
    )


# --- round trips ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", NAMES)
def test_a_set_comes_back_in_its_shape_with_its_weights(name: str, shape: tuple[int, ...]) -> None:
    sent = part(shape)
    came = there_and_back(name, sent)
    assert came.inputs.shape == sent.inputs.shape
    assert torch.equal(came.weights, sent.weights)
    span = float(sent.inputs.max() - sent.inputs.min())
    # Noise is the worst that a codec of images can be given: there its colours only stay in range.
    # `series` has a quality for all that it writes (test_series_codec.py).
    lossy = name == "series" or (name not in APART and len(shape) == 3)
    assert float((came.inputs - sent.inputs).abs().max()) <= (span if lossy else span / 255)
    assert float((came.targets - sent.targets).abs().max()) <= 1 / 255


@pytest.mark.parametrize("name", NAMES)
def test_one_hot_rows_come_back_exactly(name: str) -> None:
    sent = part((13,), rows=50, soft=False)
    assert torch.equal(there_and_back(name, sent).targets, sent.targets)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_set_gives_the_same_bytes_and_is_not_changed(name: str) -> None:
    sent = part((3, 32, 32))
    before = sent.inputs.clone()
    first, second = codec(name).encode(sent), codec(name).encode(sent)
    assert {k: v.tobytes() for k, v in first.items()} == {k: v.tobytes() for k, v in second.items()}
    for array in first.values():
        array.fill(0)
    assert torch.equal(sent.inputs, before)


@pytest.mark.parametrize("name", NAMES)
def test_decoded_memory_is_its_own(name: str) -> None:
    arrays = codec(name).encode(part((13,)))
    came = codec(name).decode(arrays, feature_shape=(13,), num_classes=CLASSES)
    before = came.inputs.clone(), came.targets.clone(), came.weights.clone()
    for array in arrays.values():
        array.fill(0)
    assert all(map(torch.equal, before, (came.inputs, came.targets, came.weights)))


@pytest.mark.parametrize("name", NAMES)
def test_read_only_memory_will_do(name: str) -> None:
    sent = part((13,))
    arrays = codec(name).encode(sent)
    frozen = {k: np.frombuffer(v.tobytes(), v.dtype).reshape(v.shape) for k, v in arrays.items()}
    came = codec(name).decode(frozen, feature_shape=(13,), num_classes=CLASSES)
    assert torch.equal(came.inputs, there_and_back(name, sent).inputs)


@pytest.mark.parametrize("name", NAMES)
def test_rows_in_another_order_come_back_in_that_order(name: str) -> None:
    # In a mosaic an image's error depends on its neighbours.
    shape = (3, 4, 4) if name in APART else (13,)
    sent, order = part(shape), torch.tensor([3, 1, 5, 0, 2, 4])
    moved = SyntheticSet(
        inputs=sent.inputs[order], targets=sent.targets[order], weights=sent.weights[order]
    )
    came = there_and_back(name, moved)
    assert torch.equal(came.inputs, there_and_back(name, sent).inputs[order])
    assert torch.equal(came.targets, there_and_back(name, sent).targets[order])


@pytest.mark.parametrize("name", NAMES)
def test_what_the_reader_would_refuse_is_not_written(name: str) -> None:
    good = part((13,))
    too_large = good.inputs.clone()
    too_large[2, 3] = 70_000.0  # float16 would make it infinite
    for inputs, weights in (
        (too_large, good.weights),
        (good.inputs, good.weights * 1e6),
        (good.inputs, good.weights * 1e-13),
    ):
        bad = SyntheticSet(inputs=inputs, targets=good.targets, weights=weights)
        with pytest.raises(WireError, match=r"expected values"):
            codec(name).encode(bad)


@pytest.mark.parametrize("name", NAMES)
def test_the_largest_allowed_values_travel(name: str) -> None:
    good = part((13,))
    sent = SyntheticSet(
        inputs=torch.full((ROWS, 13), 1e4), targets=good.targets, weights=torch.full((ROWS,), 1e9)
    )
    came = there_and_back(name, sent)
    step = 1 if name == "series" else 0
    assert float((came.inputs - sent.inputs).abs().max()) <= step
    assert torch.equal(came.weights, sent.weights)


@pytest.mark.parametrize("classes", [1, 2, 10, 300, 2000])
@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_classes_travels(name: str, classes: int) -> None:
    scores = torch.randn(4, classes, generator=torch.Generator().manual_seed(0))
    sent = SyntheticSet(
        inputs=torch.zeros(4, 3), targets=scores.softmax(dim=1), weights=torch.ones(4)
    )
    came = there_and_back(name, sent)
    assert float((came.targets - sent.targets).abs().max()) <= 1 / 255
    torch.testing.assert_close(came.targets.sum(dim=1), torch.ones(4))


@pytest.mark.parametrize(("name", "size"), BYTES_A_VALUE.items())
def test_a_value_takes_the_bytes_that_the_name_says(name: str, size: int) -> None:
    arrays = codec(name).encode(part((3, 32, 32)))
    assert arrays["inputs"].nbytes == ROWS * 3 * 32 * 32 * size
    assert arrays["targets"].nbytes == ROWS * CLASSES * size


@pytest.mark.parametrize(
    ("shape", "name"),
    [((6, 128), "series"), ((1, 8), "series"), ((3, 7), "uint8"), ((13,), "uint8"),
     ((3, 32, 32), "uint8")],
)  # fmt: skip
def test_auto_is_chosen_by_the_shape(shape: tuple[int, ...], name: str) -> None:
    chosen = resolved(CodecConfig(name="auto", quality=40), shape)
    assert chosen == CodecConfig(name=name, quality=40)
    assert type(build_codec(CodecConfig(name="auto"), shape)) is CODECS.get(name)
    assert resolved(CodecConfig(name="float16"), shape).name == "float16"


def test_float32_is_exact() -> None:
    sent = part((3, 32, 32))
    came = there_and_back("float32", sent)
    assert torch.equal(came.inputs, sent.inputs)
    assert torch.equal(came.targets, sent.targets)


@pytest.mark.parametrize("seed", range(5))
def test_float16_is_within_half_a_unit_in_the_last_place(seed: int) -> None:
    sent = part((3, 8, 8), seed=seed)
    error = (there_and_back("float16", sent).inputs - sent.inputs).abs()
    assert bool((error <= sent.inputs.abs() * 2.0**-11 + 2.0**-25).all())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(5))
def test_uint8_is_within_half_a_step_of_its_channel(shape: tuple[int, ...], seed: int) -> None:
    sent = part(shape, seed=seed)
    x = sent.inputs.double().numpy()
    error = np.abs(there_and_back("uint8", sent).inputs.double().numpy() - x)
    for channel in range(shape[0]):
        step = np.ptp(x[:, channel]) / 255
        rounding = np.abs(x[:, channel]).max() * 2.0**-23  # of float32, at both ends
        assert error[:, channel].max() <= step / 2 + rounding


def test_uint8_keeps_a_constant_channel_exactly() -> None:
    good = part((3, 8, 8))
    inputs = good.inputs.clone()
    inputs[:, 1] = 0.3
    inputs[:, 2] = 1e-44  # so small a spread has no step in float32
    inputs[0, 2] = 0.0
    sent = SyntheticSet(inputs=inputs, targets=good.targets, weights=good.weights)
    came = there_and_back("uint8", sent)
    assert torch.equal(came.inputs[:, 1], inputs[:, 1])
    assert float(came.inputs[:, 2].abs().max()) < 1e-40


def test_uint8_ends_of_the_range_are_codes_0_and_255() -> None:
    codes = codec("uint8").encode(part((3, 8, 8)))["inputs"]
    assert (codes.min(axis=(0, 2, 3)) == 0).all()
    assert (codes.max(axis=(0, 2, 3)) == 255).all()


def shares_by_loop(row: list[float]) -> list[int]:
    exact = [255 * p / sum(row) for p in row]
    shares = [int(e) for e in exact]
    neediest = sorted(range(len(row)), key=lambda i: (shares[i] - exact[i], i))
    for i in neediest[: 255 - sum(shares)]:
        shares[i] += 1
    return shares


@pytest.mark.parametrize("seed", range(10))
def test_uint8_shares_are_the_largest_remainders(seed: int) -> None:
    sent = part((13,), seed=seed)
    shares = codec("uint8").encode(sent)["targets"]
    assert shares.tolist() == [shares_by_loop(row) for row in sent.targets.double().tolist()]


# --- strangers -----------------------------------------------------------------------------

Arrays = dict[Any, Any]
Attack = Callable[[Arrays], Any]
ATTACKS: dict[str, Attack] = {}


def attack(function: Attack) -> Attack:
    ATTACKS[function.__name__.replace("_", "-")] = function
    return function


def on_each(name: str, change: Callable[[np.ndarray], Any]) -> None:
    """File one attack for each array that every codec has."""
    for key in ("inputs", "targets", "weights"):
        ATTACKS[f"{key}-{name}"] = lambda a, key=key: a | {key: change(a[key])}


on_each("missing-rows", lambda x: x[:-1].copy())
on_each("extra-row", lambda x: np.concatenate([x, x[:1]]))
on_each("no-rows", lambda x: x[:0].copy())
on_each("extra-axis", lambda x: x[..., None].copy())
on_each("leading-axis", lambda x: x[None].copy())
on_each("flat", lambda x: x.reshape(-1) if x.ndim > 1 else x.reshape(2, -1))
on_each("no-axis", lambda x: x.reshape(-1)[0].reshape(()))
on_each("numpy-scalar", lambda x: x.reshape(-1)[0])
on_each("python-scalar", lambda x: float(x.reshape(-1)[0]))
on_each("none", lambda x: None)
on_each("list", lambda x: x.tolist())
on_each("bytes", lambda x: x.tobytes())
on_each("tensor", lambda x: torch.from_numpy(x))
on_each("masked", lambda x: np.ma.masked_array(x))
on_each("record-array", lambda x: x.view(np.recarray))
on_each("object", lambda x: x.astype(object))
on_each("text", lambda x: x.astype("U4"))
on_each("structured", lambda x: np.zeros(x.shape, [("a", np.float32)]))
on_each("float64", lambda x: x.astype(np.float64))
on_each("int64", lambda x: x.astype(np.int64))
on_each("complex", lambda x: x.astype(np.complex64))
on_each("bool", lambda x: x.astype(bool))
on_each("time", lambda x: x.astype("datetime64[s]"))
on_each("big-endian", lambda x: x.astype(">f4"))
on_each("swapped-bytes", lambda x: x.astype(np.float32).astype(">f4").view(">f4"))
on_each("every-other", lambda x: np.repeat(x, 2, axis=0)[::2])
on_each("reversed", lambda x: x[::-1])
on_each("broadcast", lambda x: np.broadcast_to(x[:1], x.shape))
on_each("terabytes-by-broadcast", lambda x: np.broadcast_to(x[:1], (10**12, *x.shape[1:])))


@attack
def empty(a: Arrays) -> Any:
    return {}


@attack
def no_inputs(a: Arrays) -> Any:
    return {k: v for k, v in a.items() if k != "inputs"}


@attack
def no_targets(a: Arrays) -> Any:
    return {k: v for k, v in a.items() if k != "targets"}


@attack
def no_weights(a: Arrays) -> Any:
    return {k: v for k, v in a.items() if k != "weights"}


@attack
def unknown_name(a: Arrays) -> Any:
    return a | {"extra": a["weights"]}


@attack
def long_name(a: Arrays) -> Any:
    return a | {"x" * 100_000: a["weights"]}


@attack
def name_in_capitals(a: Arrays) -> Any:
    return {str(k).upper(): v for k, v in a.items()}


@attack
def names_of_several_types(a: Arrays) -> Any:
    return a | {3: a["weights"], None: a["weights"]}


@attack
def not_a_mapping(a: Arrays) -> Any:
    return list(a.items())


@attack
def nothing(a: Arrays) -> Any:
    return None


@attack
def fortran_order(a: Arrays) -> Any:
    return a | {"inputs": np.asfortranarray(a["inputs"])}


@attack
def channels_last(a: Arrays) -> Any:
    return a | {"inputs": np.ascontiguousarray(np.moveaxis(a["inputs"], 1, -1))}


@attack
def another_image_of_the_same_size(a: Arrays) -> Any:
    return a | {"inputs": a["inputs"].reshape(ROWS, 3, 2, 8)}


@attack
def one_class_more(a: Arrays) -> Any:
    return a | {"targets": np.concatenate([a["targets"], 0 * a["targets"][:, :1]], axis=1)}


@attack
def one_class_less(a: Arrays) -> Any:
    return a | {"targets": a["targets"][:, 1:].copy()}


@attack
def no_class(a: Arrays) -> Any:
    return a | {"targets": a["targets"][:, :0].copy()}


@attack
def zero_target_row(a: Arrays) -> Any:
    return a | {
        "targets": a["targets"] * (np.arange(ROWS) != 2)[:, None].astype(a["targets"].dtype)
    }


@attack
def doubled_targets(a: Arrays) -> Any:
    return a | {"targets": a["targets"] * a["targets"].dtype.type(2)}


@attack
def no_rows_anywhere(a: Arrays) -> Any:
    return a | {k: a[k][:0].copy() for k in ("inputs", "targets", "weights")}


def with_weight(value: float) -> Attack:
    def change(a: Arrays) -> Any:
        weights = a["weights"].copy()
        weights[3] = value
        return a | {"weights": weights}

    return change


for label, value in {
    "nan": np.nan,
    "infinite": np.inf,
    "zero": 0.0,
    "negative": -9.0,
    "huge": 3e38,
    "tiny": 1e-40,
}.items():
    ATTACKS[f"weight-{label}"] = with_weight(value)


ON_IMAGES_ONLY = {"fortran-order", "channels-last", "another-image-of-the-same-size"}


@pytest.mark.parametrize("how", ATTACKS)
def test_a_malformed_set_is_a_wire_error(how: str) -> None:
    shapes = [(3, 4, 4), (13,)][: 1 if how in ON_IMAGES_ONLY else 2]
    for name, shape in product(APART, shapes):
        bad = ATTACKS[how](dict(codec(name).encode(part(shape))))
        with pytest.raises(WireError) as caught:
            codec(name).decode(bad, feature_shape=shape, num_classes=CLASSES)
        assert len(str(caught.value)) < 1000


FLOATS = [("float32", np.float32), ("float16", np.float16)]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2e4, -2e4])
@pytest.mark.parametrize(("name", "kind"), FLOATS)
def test_an_input_out_of_range_is_a_wire_error(name: str, kind: type, value: float) -> None:
    arrays = codec(name).encode(part((13,)))
    arrays["inputs"][-1, 4] = kind(value)
    with pytest.raises(WireError, match="inputs"):
        codec(name).decode(arrays, feature_shape=(13,), num_classes=CLASSES)


@pytest.mark.parametrize(
    "row",
    [
        [np.nan, 1, 0, 0, 0],
        [np.inf, 0, 0, 0, 0],
        [-0.5, 1.5, 0, 0, 0],
        [0.5, 0.4, 0, 0, 0],
        [6e4, 6e4, 0, 0, 0],
        [-np.inf, np.inf, 0, 0, 0],
    ],
)
@pytest.mark.parametrize(("name", "kind"), FLOATS)
def test_a_target_row_that_is_no_distribution_is_a_wire_error(
    name: str, kind: type, row: list[float]
) -> None:
    arrays = codec(name).encode(part((13,)))
    arrays["targets"][1] = np.array(row, kind)
    with pytest.raises(WireError, match="targets"):
        codec(name).decode(arrays, feature_shape=(13,), num_classes=CLASSES)


@pytest.mark.parametrize("row", [[254, 0, 0, 0, 0], [255, 1, 0, 0, 0], [255] * 5, [0] * 5])
def test_uint8_shares_that_do_not_sum_to_255_are_a_wire_error(row: list[int]) -> None:
    arrays = codec("uint8").encode(part((13,)))
    arrays["targets"][1] = row
    with pytest.raises(WireError, match="sum to 255"):
        codec("uint8").decode(arrays, feature_shape=(13,), num_classes=CLASSES)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lo", np.nan),
        ("lo", np.inf),
        ("lo", 2e4),
        ("lo", -3e38),
        ("scale", np.nan),
        ("scale", np.inf),
        ("scale", 0.0),
        ("scale", -1.0),
        ("scale", 1e3),
        ("scale", 3e38),
    ],
)
def test_uint8_ranges_that_make_no_sense_are_a_wire_error(key: str, value: float) -> None:
    arrays = codec("uint8").encode(part((13,)))
    arrays[key][5] = value
    with pytest.raises(WireError):
        codec("uint8").decode(arrays, feature_shape=(13,), num_classes=CLASSES)


@pytest.mark.parametrize("key", ["lo", "scale"])
@pytest.mark.parametrize("shape", [(), (1,), (12,), (14,), (13, 1), (1, 13), (6, 13)])
def test_uint8_ranges_of_another_shape_are_a_wire_error(key: str, shape: tuple[int, ...]) -> None:
    arrays = codec("uint8").encode(part((13,)))
    arrays[key] = np.ones(shape, np.float32)
    with pytest.raises(WireError, match=key):
        codec("uint8").decode(arrays, feature_shape=(13,), num_classes=CLASSES)


@pytest.mark.parametrize("name", NAMES)
def test_random_bytes_give_a_set_or_a_wire_error(name: str) -> None:
    rng = np.random.default_rng(0)
    good = codec(name).encode(part((3, 4, 4)))
    outcomes = set()
    for _ in range(500):
        bad = {key: array.copy() for key, array in good.items()}
        raw = bad[str(rng.choice(sorted(bad)))].reshape(-1).view(np.uint8)
        raw[rng.integers(len(raw), size=2)] = rng.integers(256, size=2)
        try:
            came = codec(name).decode(bad, feature_shape=(3, 4, 4), num_classes=CLASSES)
            assert float(came.inputs.abs().max()) <= 1e4
            outcomes.add("set")
        except WireError:
            outcomes.add("refused")
    assert outcomes == {"set", "refused"}
