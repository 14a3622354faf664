"""The pictures, read back with another library."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fdd_flower.report.figures import _evenly, draw_curves, draw_synthetic, synthetic_figure
from fdd_flower.schema import Column, Normalisation, Schema
from fdd_flower.synthetic_set import SyntheticSet
from tests.report.samples import make_row, make_set


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def make(inputs: torch.Tensor, labels: list[int], k: int) -> SyntheticSet:
    return SyntheticSet(
        inputs=inputs, targets=torch.eye(k)[labels], weights=torch.ones(len(labels))
    )


def test_each_image_pixel_is_a_block_of_its_own_colour(tmp_path: Path) -> None:
    # records 0 and 2 are of class 1, record 1 is of class 0: the picture sorts them into rows
    rng = torch.Generator().manual_seed(0)
    colours = torch.randint(20, 236, (3, 3, 2, 2), generator=rng)
    scale = Normalisation(mean=(0.2, 0.4, 0.6), std=(0.5, 0.25, 0.4))
    mean = torch.tensor([0.2, 0.4, 0.6]).view(3, 1, 1)
    std = torch.tensor([0.5, 0.25, 0.4]).view(3, 1, 1)
    set_ = make((colours / 255 - mean) / std, [1, 0, 1], 2)
    draw_synthetic(set_, ["a", "b"], scale, tmp_path / "s.png")
    picture = pixels(tmp_path / "s.png")

    def where(record: int, y: int, x: int) -> tuple[float, float]:
        distance = np.abs(picture - colours[record, :, y, x].numpy())
        block = distance.max(axis=2) <= 1
        rows, columns = np.nonzero(block)
        top, left = rows.min(), columns.min()
        side = int(len(rows) ** 0.5)
        # a full square, and no other pixel of that colour
        assert block[top : top + side, left : left + side].all()
        assert side * side == len(rows)
        assert side == 36
        return int(top), int(left)

    for record in range(3):
        top, left = where(record, 0, 0)
        assert where(record, 0, 1) == (top, left + 36)
        assert where(record, 1, 0) == (top + 36, left)
        assert where(record, 1, 1) == (top + 36, left + 36)
    first_b, first_a, second_b = (where(record, 0, 0) for record in range(3))
    assert first_a[1] == first_b[1]
    assert first_a[0] < first_b[0]
    assert second_b[0] == first_b[0]
    assert second_b[1] > first_b[1]


def test_values_outside_the_range_are_cut(tmp_path: Path) -> None:
    inputs = torch.tensor([[[[-9.0, 9.0]]]])
    scale = Normalisation(mean=(0.5,), std=(1.0,))
    draw_synthetic(make(inputs, [0], 2), ["a", "b"], scale, tmp_path / "s.png")
    grey = pixels(tmp_path / "s.png")[..., 0]
    assert (grey == 0).sum() >= 36 * 36


def test_the_contrast_of_faint_images_is_raised(tmp_path: Path) -> None:
    # a scan over the whole range of its bits: all of it lies within a hundredth of that
    levels = torch.linspace(-1, 1, 16).view(1, 1, 4, 4)
    scale = Normalisation(mean=(0.5,), std=(0.005,))
    figure = synthetic_figure(make(levels, [0], 2), ["a", "b"], scale)
    assert any("contrast is raised" in text.get_text() for text in figure.texts)
    draw_synthetic(make(levels, [0], 2), ["a", "b"], scale, tmp_path / "s.png")
    picture = pixels(tmp_path / "s.png")
    blocks = [level for level in range(256) if (picture == level).sum() > 900]
    assert (blocks[0], blocks[-1]) == (0, 255)
    assert len(blocks) > 12


def test_a_missing_class_keeps_an_empty_row(tmp_path: Path) -> None:
    scale = Normalisation(mean=(0.0,), std=(1.0,))
    grey = torch.full((2, 1, 4, 4), 100 / 255)
    draw_synthetic(make(grey, [0, 2], 3), ["a", "b", "c"], scale, tmp_path / "three.png")
    draw_synthetic(make(grey, [0, 1], 2), ["a", "c"], scale, tmp_path / "two.png")
    three, two = pixels(tmp_path / "three.png"), pixels(tmp_path / "two.png")
    assert three.shape[0] - two.shape[0] == 72 + 6
    tops = np.nonzero((three == 100).all(axis=2).sum(axis=1) >= 72)[0]
    # matplotlib before 3.11 may draw a picture one line lower
    assert len(tops) == pytest.approx(2 * 72, abs=1)
    gaps = np.diff(tops)[np.diff(tops) > 1]
    assert gaps.tolist() == [pytest.approx(72 + 6 + 6 + 1, abs=1)]


@pytest.mark.parametrize(
    ("shape", "k", "n"),
    [
        ((1, 1, 1), 2, 1),
        ((3, 300, 200), 2, 3),
        ((1, 8, 8), 100, 150),
        ((5,), 2, 1),
        ((13,), 100, 150),
        ((2, 40), 3, 40),
        ((2, 6, 6), 3, 4),
    ],
)
def test_every_shape_and_class_count_draws(
    tmp_path: Path, shape: tuple[int, ...], k: int, n: int
) -> None:
    size = shape[0]
    scale = Normalisation(mean=(0.5,) * size, std=(0.2,) * size)
    names = [f"class {i} of a long name" for i in range(k)]
    draw_synthetic(make_set(n, shape, k), names, scale, tmp_path / "s.png")
    height, width, _ = pixels(tmp_path / "s.png").shape
    assert 150 <= height <= 2600
    assert 400 <= width <= 1700
    assert {p.name for p in tmp_path.iterdir()} == {"s.png"}


def test_a_set_with_late_classes_only_still_draws(tmp_path: Path) -> None:
    scale = Normalisation(mean=(0.0,), std=(1.0,))
    for inputs in (torch.zeros(1, 1, 4, 4), torch.zeros(1, 4)):
        names = [str(i) for i in range(60)]
        draw_synthetic(make(inputs, [59], 60), names, scale, tmp_path / "s.png")


def test_the_heat_map_has_the_signs_of_the_values(tmp_path: Path) -> None:
    inputs = torch.tensor([[2.0, -2.0], [-2.0, 2.0]])
    scale = Normalisation(mean=(50.0, 0.0), std=(9.0, 1.0))
    draw_synthetic(make(inputs, [0, 1], 2), ["a", "b"], scale, tmp_path / "s.png")
    picture = pixels(tmp_path / "s.png")[:, :860]
    red = (picture[..., 0] > picture[..., 2] + 60).nonzero()
    blue = (picture[..., 2] > picture[..., 0] + 60).nonzero()
    middle = np.median(np.concatenate([red[1], blue[1]]))
    upper = red[0] < np.median(np.concatenate([red[0], blue[0]]))
    assert (red[1][upper] <= middle).mean() > 0.97
    assert (red[1][~upper] >= middle).mean() > 0.97


@pytest.mark.parametrize("count", [3, 400])
def test_the_heat_map_names_the_features_of_a_table(count: int) -> None:
    scale = Normalisation(mean=(0.0,) * count, std=(1.0,) * count)
    set_ = make(torch.zeros(2, count), [0, 1], 2)
    names = [f"$site$={i}" for i in range(count)]
    schema = Schema(
        classes=("a", "b"),
        feature_shape=(count,),
        normalisation=scale,
        columns=tuple(Column(name=name) for name in names),
    )
    figure = synthetic_figure(set_, ["a", "b"], scale, schema=schema)
    found = [label for axes in figure.axes for label in axes.get_xticklabels()]
    shown = [label.get_text() for label in found if label.get_text() in names]
    assert shown == names[:: math.ceil(count / len(shown))]
    assert len(shown) >= min(count, 100)
    assert not any(label.get_parse_math() for label in found if label.get_text() in names)


def test_class_names_are_no_formulas(tmp_path: Path) -> None:
    scale = Normalisation(mean=(0.0,), std=(1.0,))
    names = ["$\\frac{$", "a\nb\x00\ud800"]
    for inputs in (torch.zeros(2, 1, 4, 4), torch.zeros(2, 4)):
        draw_synthetic(make(inputs, [0, 1], 2), names, scale, tmp_path / "s.png")


def test_the_same_set_draws_the_same_bytes(tmp_path: Path) -> None:
    scale = Normalisation(mean=(0.0,), std=(1.0,))
    for name in ("one.png", "two.png"):
        draw_synthetic(make_set(), ["a", "b"], scale, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.filterwarnings("error")
def test_a_name_that_the_font_lacks_is_no_warning(tmp_path: Path) -> None:
    scale = Normalisation(mean=(0.5,), std=(0.25,))
    draw_synthetic(make_set(), ["\u732b", "b"], scale, tmp_path / "a.png")


@pytest.mark.parametrize("count", [1, 3, 60])
def test_curves_draw_any_number_of_rounds(tmp_path: Path, count: int) -> None:
    draw_curves([make_row(i + 1) for i in range(count)], tmp_path / "c.png")
    height, width, _ = pixels(tmp_path / "c.png").shape
    assert (height, width) == (408, 1320)


def test_curves_draw_what_diverged(tmp_path: Path) -> None:
    lost = make_row(1, loss=float("nan"), accuracy=float("nan"), bytes_up=0, bytes_down=0)
    draw_curves([lost], tmp_path / "c.png")
    assert pixels(tmp_path / "c.png").shape[1] == 1320


def test_round_ticks_are_whole_numbers() -> None:
    from fdd_flower.report._curves import curves

    for count in (1, 2, 7, 100):
        figure = curves([make_row(i + 1) for i in range(count)], 50, "accuracy")
        for axes in figure.axes:
            low, high = axes.get_xlim()
            ticks = [float(t) for t in axes.get_xticks() if low <= t <= high]
            assert ticks
            assert ticks == [round(t) for t in ticks]


def test_curves_need_a_round(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one round"):
        draw_curves([], tmp_path / "c.png")


def test_of_many_records_some_are_shown_evenly_spaced():
    for count in (0, 1, 3, 10, 11, 40):
        shown = _evenly(torch.arange(count), 10).tolist()
        assert len(shown) == min(count, 10)
        assert shown == sorted(set(shown))
        if shown:
            assert (shown[0], shown[-1]) == (0, count - 1)
    gaps = torch.diff(_evenly(torch.arange(40), 10))
    assert int(gaps.max() - gaps.min()) <= 1


def test_images_of_other_units_are_shown_from_black_to_white(tmp_path: Path) -> None:
    # constants of pixels from 0 to 16, as scikit-learn's digits have
    scale = Normalisation(mean=(5.0,), std=(6.0,))
    values = torch.tensor([0.0, 8.0, 16.0]).repeat(12).view(1, 1, 6, 6)
    draw_synthetic(make((values - 5) / 6, [0], 1), ["a"], scale, tmp_path / "s.png")
    colours, counts = np.unique(pixels(tmp_path / "s.png"), return_counts=True)
    # a third of 36 pixels each, of 12 x 12 points in three channels
    assert set(colours[counts >= 12 * 144 * 3]) >= {0, 127, 255}


def test_series_are_lines_over_time_in_the_units_of_the_data() -> None:
    rng = torch.Generator().manual_seed(0)
    set_ = make(torch.randn(9, 2, 12, generator=rng), [0, 2, 2, 0, 2, 2, 2, 2, 2], 3)
    scale = Normalisation(mean=(5.0, -1.0), std=(3.0, 2.0))
    figure = synthetic_figure(set_, ["walk", "none", "$sit"], scale)
    values = set_.inputs * torch.tensor([[3.0], [2.0]]) + torch.tensor([[5.0], [-1.0]])
    for label, members in ((0, [0, 3]), (1, []), (2, [1, 2, 4, 6, 7, 8])):
        lines = figure.axes[label].get_lines()
        assert len(lines) == 2 * len(members)
        for line, (record, channel) in zip(
            lines, [(r, c) for r in members for c in (0, 1)], strict=True
        ):
            x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
            np.testing.assert_allclose(y, values[record, channel], rtol=1e-6)
            assert np.diff(x).tolist() == [1.0] * 11
    assert "no records" in [text.get_text() for text in figure.axes[1].texts]
    assert figure.axes[2].get_xlabel().startswith("time in samples")
    assert "units of the data" in figure.axes[2].get_xlabel()
    assert figure.axes[2].get_ylabel() == "$sit (7)"


def test_channels_of_unlike_scales_share_an_axis_in_deviations() -> None:
    set_ = make(torch.randn(2, 2, 8), [0, 1], 2)
    scale = Normalisation(mean=(0.0, 1e5), std=(1.0, 1e3))
    figure = synthetic_figure(set_, ["a", "b"], scale)
    assert "standard deviations" in figure.axes[1].get_xlabel()
    line = figure.axes[0].get_lines()[1]
    np.testing.assert_array_equal(np.asarray(line.get_ydata()), set_.inputs[0, 1])
    assert line.get_label() == "channel 1 (0 = 1e+05, 1 = 1.01e+05)"


@pytest.mark.parametrize(
    ("rate", "unit", "half"),
    [(0.0, "samples", "64"), (50.0, "seconds", "1.28"), (12_800.0, "milliseconds", "5"),
     (0.1, "minutes", "10.7"), (1 / 60, "hours", "1.07")],
)  # fmt: skip
def test_time_is_in_seconds_where_the_rate_is_known(rate: float, unit: str, half: str) -> None:
    scale = Normalisation(mean=(0.0, 0.0), std=(1.0, 1.0))
    schema = Schema(
        classes=("a", "b"),
        feature_shape=(2, 128),
        normalisation=scale,
        channels=("x [g]", "y [g]"),
        rate=rate,
    )
    set_ = make(torch.randn(2, 2, 128), [0, 1], 2)
    axes = synthetic_figure(set_, ["a", "b"], scale, schema=schema).axes[1]
    assert axes.get_xlabel().startswith(f"time in {unit},")
    assert [mark.get_text() for mark in axes.get_xticklabels()] == ["0", half]
    assert [line.get_label() for line in axes.get_lines()] == ["x [g]", "y [g]"]
