"""`data.name = series`: windows against a loop over every start, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fdd_flower.config import DataConfig
from fdd_flower.data import load_dataset, load_own
from fdd_flower.data.sources.series import series
from fdd_flower.errors import DataError

CHANNELS = ("gyro", "acc", "deg C")
LENGTHS = {"a": 23, "b": 31, "c": 9, "d": 40}


def long_table() -> pd.DataFrame:
    """Return recordings of `LENGTHS`, rows in no order, whose class changes every 11 samples."""
    rng, rows = np.random.default_rng(0), []
    for name, length in LENGTHS.items():
        for i in range(length):
            values = dict(zip(CHANNELS, rng.normal(size=3).round(3).tolist(), strict=True))
            label = ["walk", "sit", None, "1.0"][(i // 11 + ord(name)) % 4]
            rows.append({"recording": name, "time": 5 + i / 50, "label": label, **values})
    return pd.DataFrame(rows).sample(frac=1, random_state=1)


def windows_by_loop(frame: pd.DataFrame, window: int, step: int) -> list[tuple[str, list]]:
    """Return (class, values) of every window, by trying each stretch sample by sample."""
    found = []
    for _, own in frame.sort_values("time").groupby("recording"):
        rows = own.fillna({"label": ""}).to_dict("records")
        first = 0
        for start in range(len(rows)):
            if start and not follows(rows[start - 1], rows[start]):
                first = start
            part = rows[start : start + window]
            whole = all(map(follows, part, part[1:])) and part[0]["label"]
            if len(part) == window and whole and (start - first) % step == 0:
                values = [[row[name] for row in part] for name in sorted(CHANNELS)]
                if not np.isnan(values).any():
                    found.append((part[0]["label"], values))
    return found


def follows(before: dict, after: dict) -> bool:
    late = after["time"] - before["time"] > 0.03
    lacking = [any(row[name] != row[name] for name in CHANNELS) for row in (before, after)]
    return before["label"] == after["label"] and not late and lacking[0] == lacking[1]


def save(frame: pd.DataFrame, path: Path) -> str:
    frame.to_csv(path, index=False) if path.suffix == ".csv" else frame.to_parquet(path)
    return str(path)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(("window", "step"), [(5, 0), (4, 3), (11, 1), (1, 1)])
def test_windows_of_a_long_table(suffix: str, window: int, step: int, tmp_path: Path):
    frame = long_table()
    path = save(frame, tmp_path / f"x.{suffix}")
    found = series(DataConfig(name="series", path=path, window=window, step=step))
    expected = windows_by_loop(frame, window, step or window // 2)
    assert len(found.train) == len(expected) > 0
    for inputs, label, (name, values) in zip(
        found.train.inputs, found.train.labels, expected, strict=True
    ):
        assert found.classes[label] == name
        np.testing.assert_array_equal(inputs, np.array(values, np.float32))


def test_no_window_reaches_across_a_gap_or_has_a_missing_value(tmp_path: Path):
    frame = change(long_table())
    frame.loc[[5, 60], "acc"] = np.nan
    frame.loc[61, "gyro"] = np.nan
    frame = frame.drop(index=[30, 31, 90])
    frame = pd.concat([frame, frame.iloc[10:13]])  # copied in twice
    found = series(DataConfig(path=save(frame, tmp_path / "x.csv"), window=4, step=3))
    expected = windows_by_loop(frame.drop_duplicates(), 4, 3)
    np.testing.assert_array_equal(
        found.train.inputs, np.array([values for _, values in expected], np.float32)
    )
    assert found.notes[0] == "duplicate rows count once: 3 left out"
    assert found.notes[1].startswith("2 gaps in time, in 2 recordings")
    assert found.notes[2].startswith("3 samples without a value")
    assert "of the samples with a class are in no window" in found.notes[3]
    assert found.notes[4] == "channels acc, deg C, gyro, at 50 samples a second"


def test_what_no_window_fits_into_is_named(tmp_path: Path):
    frame = change(long_table(), label="walk")
    found = series(DataConfig(path=save(frame, tmp_path / "x.csv"), window=20))
    assert found.notes[0] == "no window of 20 samples fits into c"
    # 20 of 23, 30 of 31, none of 9, 40 of 40
    assert found.notes[1].startswith("12.6% of the samples")


@pytest.mark.parametrize(
    ("name", "times", "rate"),
    [
        ("time", lambda t: t, 50.0),
        ("time", lambda t: t - t % 1 + 1.7e9 + t, 50.0),
        ("time_ms", lambda t: (1000 * t).round().astype(int), 50.0),
        ("t [us]", lambda t: (1e6 * t).round(), 50.0),
        ("time", lambda t: (1_700_000_000_000 + 1000 * t).round().astype("int64"), 50.0),
        ("time", lambda t: (50 * t).round().astype(int), 0.0),
        ("minutes", lambda t: t, 50 / 60),
        ("time", lambda t: pd.to_datetime(t, unit="s").dt.strftime("%d.%m.%Y %H:%M:%S.%f"), 50.0),
        ("time", lambda t: pd.to_datetime(t, unit="s").dt.strftime("%H:%M:%S,%f"), 50.0),
        ("time", lambda t: pd.to_datetime(t + 1e8, unit="s").astype(str), 50.0),
    ],
)
def test_the_rate_in_samples_a_second(name: str, times, rate: float, tmp_path: Path):
    frame = long_table().rename(columns={"time": name})
    frame[name] = times(frame[name])
    cfg = DataConfig(path=save(frame, tmp_path / "x.csv"), window=5, time=name)
    found = series(cfg)
    assert found.rate == pytest.approx(rate, rel=1e-4)
    assert found.channels == ("acc", "deg C", "gyro")
    asked = replace(cfg, rate=25.0)
    if rate:
        with pytest.raises(DataError, match=r"data.rate: expected .* as the times say; got 25"):
            series(asked)
    else:
        assert series(asked).rate == 25


@pytest.mark.parametrize("value", [-9999.0, 1e9])
def test_a_value_far_from_all_others_counts_as_missing(value: float, tmp_path: Path):
    frame, gone = change(long_table()), change(long_table())
    frame.loc[[5, 40, 41], "acc"] = value
    gone.loc[[5, 40, 41], "acc"] = np.nan
    frame["deg C"] = gone["deg C"] = np.where(frame.index == 3, 1e6, frame.index % 2)  # a switch
    path = save(frame, tmp_path / "x.csv")
    found = series(DataConfig(path=path, window=4))
    without = series(DataConfig(path=save(gone, tmp_path / "y.csv"), window=4))
    np.testing.assert_array_equal(found.train.inputs, without.train.inputs)
    assert found.notes[0] == f"acc: {value:g}, in 3 samples, is far from all other values and " + (
        "counts as missing"
    )
    table = wide_table()
    table.iloc[2, 5] = value
    of_rows = series(DataConfig(path=save(table, tmp_path / "w.csv"), window=4, recording="who"))
    assert "in 1 sample, is far from" in of_rows.notes[0]


def test_a_heavy_tail_is_no_mark(tmp_path: Path):
    frame = change(long_table())
    frame["acc"] = np.random.default_rng(0).standard_t(1.5, len(frame))
    found = series(DataConfig(path=save(frame, tmp_path / "x.csv"), window=5))
    assert not any("far from" in note for note in found.notes)


def test_labels_of_one_number_are_one_class(tmp_path: Path):
    frame = long_table()
    for name, one in (("train", "1"), ("test", "1.0")):
        save(frame.assign(label=frame.label.replace({"1.0": one})), tmp_path / f"{name}.csv")
    assert series(DataConfig(path=str(tmp_path), window=4)).classes == ("1", "sit", "walk")


def test_a_wide_table_of_one_channel_needs_no_name_for_it(tmp_path: Path):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(4, 12)))
    table.insert(0, "label", list("abab"))
    found = series(DataConfig(path=save(table, tmp_path / "x.csv")))
    assert (found.channels, found.train.inputs.shape) == (("value",), (4, 1, 12))


@pytest.mark.parametrize("split", [False, True])
def test_a_folder_with_a_file_for_each_recording(split: bool, tmp_path: Path):
    frame = change(long_table()).dropna(subset="label")
    for _, own in frame.groupby(["recording", "label"]):
        name, label = own.recording.iloc[0], own.label.iloc[0]
        side = "test" if split and name == "d" else "train" if split else ""
        folder = tmp_path / side / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        own.drop(columns=["recording", "label"]).to_csv(folder / f"{name}.csv", index=False)
    (tmp_path / "notes.md").write_text("not a table")
    (tmp_path / ".hidden.csv").write_text("nor this")
    found = series(DataConfig(path=str(tmp_path), window=5, step=2))
    parts = [found.train] if found.test is None else [found.train, found.test]
    assert len(parts) == 1 + split
    for part, names in zip(parts, (("a", "b", "c"), ("d",)) if split else ("abcd",), strict=True):
        expected = windows_by_loop(frame.loc[frame.recording.isin([*names])], 5, 2)
        windows = zip(part.labels, part.inputs, strict=True)
        assert sorted((found.classes[k], x.tolist()) for k, x in windows) == sorted(
            (label, np.array(x, np.float32).tolist()) for label, x in expected
        )
    # one that is cut by its class is several files, and each of these a recording
    assert found.train.recordings is not None


def test_files_of_a_folder_are_alike(tmp_path: Path):
    frame = change(long_table(), label="walk").drop(columns="recording").iloc[:20]
    save(frame, tmp_path / "a.csv")
    frame.rename(columns={"acc": "other"}).to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(DataError, match=r"b.csv: expected the columns .*acc.* as in a.csv"):
        series(DataConfig(path=str(tmp_path), window=4))
    frame.to_csv(tmp_path / "b.csv", index=False, sep=";", decimal=",")
    with pytest.raises(DataError, match=r"b.csv: expected decimals written as in a.csv"):
        series(DataConfig(path=str(tmp_path), window=4))
    (tmp_path / "b.csv").unlink()
    (tmp_path / "a.csv").rename(tmp_path / "a.txt.bak")
    with pytest.raises(DataError, match=r"a table that ends in .*got a.txt.bak"):
        series(DataConfig(path=str(tmp_path), window=4))


def test_columns_are_chosen(tmp_path: Path):
    frame = long_table().assign(comment="none")
    cfg = DataConfig(path=save(frame, tmp_path / "x.csv"), window=5)
    with pytest.raises(DataError, match="'comment': expected numbers"):
        series(cfg)
    assert series(replace(cfg, columns="-comment")).channels == ("acc", "deg C", "gyro")
    assert series(replace(cfg, columns="gyro, acc")).channels == ("acc", "gyro")


def test_dates_are_times(tmp_path: Path):
    frame = long_table()
    plain = series(DataConfig(path=save(frame, tmp_path / "x.csv"), window=5))
    frame["time"] = pd.to_datetime(frame["time"], unit="s").astype(str)
    dated = series(DataConfig(path=save(frame, tmp_path / "y.csv"), window=5))
    np.testing.assert_array_equal(plain.train.inputs, dated.train.inputs)


def test_a_table_with_semicolons_and_decimal_commas(tmp_path: Path):
    frame = long_table()
    plain = series(DataConfig(path=save(frame, tmp_path / "x.csv"), window=5))
    path = tmp_path / "y.csv"
    frame.to_csv(path, index=False, sep=";", decimal=",")
    other = series(DataConfig(path=str(path), window=5))
    np.testing.assert_array_equal(plain.train.inputs, other.train.inputs)
    assert other.classes == plain.classes


def wide_table() -> pd.DataFrame:
    """Return 6 recordings of 2 channels and 8 samples; the last one ends after 6."""
    values = np.arange(96, dtype=np.float32).reshape(6, 2, 8)
    columns = {f"{c}_{t}": values[:, i, t] for i, c in enumerate("ba") for t in range(8)}
    frame = pd.DataFrame({"label": list("xyxyxy"), "who": list("ppqqrr"), **columns})
    frame.iloc[5, [frame.columns.get_loc(f"{c}_{t}") for c in "ab" for t in (6, 7)]] = np.nan
    return frame


def test_a_row_of_a_wide_table_is_a_recording(tmp_path: Path):
    path = save(wide_table().iloc[::-1], tmp_path / "x.csv")
    source = series(DataConfig(path=path, window=4, step=2, subject="who", column="who"))
    found = source.train
    a, b = np.arange(96).reshape(6, 2, 8)[5][::-1], np.arange(96).reshape(6, 2, 8)[4][::-1]
    np.testing.assert_array_equal(found.inputs[:2], [a[:, :4], a[:, 2:6]])
    np.testing.assert_array_equal(found.inputs[2:5], [b[:, :4], b[:, 2:6], b[:, 4:]])
    assert found.subjects is not None
    assert found.subjects.tolist() == [2] * 5 + [1] * 6 + [0] * 6
    assert found.groups is not None
    assert [source.group_names[i] for i in found.groups[::6]] == ["r", "q", "p"]


@pytest.mark.parametrize("subject", ["", "who"])
def test_windows_of_an_archive(subject: str, tmp_path: Path):
    x = np.random.default_rng(0).normal(size=(40, 2, 20)).astype(np.float32)
    who = np.arange(40) // 4
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(40) % 2, who=who)
    cfg = DataConfig(name="series", path=str(tmp_path / "x.npz"), window=8, step=6, subject=subject)
    found = series(cfg).train
    for i, inputs in enumerate(found.inputs):
        row, part = divmod(i, 3)
        np.testing.assert_array_equal(inputs, x[row, :, 6 * part : 6 * part + 8])
        assert found.labels[i] == row % 2
    dataset = load_dataset(cfg, seed=1)
    sides = [part.recordings for part in (dataset.train, dataset.test)]
    assert len(dataset.train) + len(dataset.test) == 120
    assert sides[0] is not None
    assert sides[1] is not None
    assert not set(sides[0].tolist()) & set(sides[1].tolist())
    assert {*sides[0].tolist(), *sides[1].tolist()} == set(who if subject else range(40))


def test_no_recording_is_on_both_sides(tmp_path: Path):
    rng, parts = np.random.default_rng(0), []
    for recording in range(10):
        label = "ab"[recording % 2]
        rows = {"time": np.arange(30), "x": rng.normal(size=30), "label": label}
        parts.append(pd.DataFrame({"recording": recording, **rows}))
    cfg = DataConfig(name="series", path=save(pd.concat(parts), tmp_path / "x.csv"), window=10)
    dataset = load_dataset(cfg, seed=0)
    train, test = dataset.train, dataset.test
    assert train.recordings is not None
    assert test.recordings is not None
    assert not set(train.recordings.tolist()) & set(test.recordings.tolist())
    # 2 of 10 recordings of 5 windows, one of each class
    assert np.bincount(test.labels).tolist() == [5, 5]
    assert (dataset.schema.channels, dataset.schema.rate) == (("x",), 0)

    def own(channels: tuple[str, ...], rate: float) -> int:
        return len(
            load_own(
                replace(cfg, rate=10.0),
                path=cfg.path,
                classes=("b", "a"),
                feature_shape=(1, 10),
                normalisation=dataset.normalisation,
                channels=channels,
                rate=rate,
            )
        )

    assert own((), 0) == own(("x",), 10) == own(("x",), 0) == 50
    with pytest.raises(DataError, match="channels: expected y, as on the server; got x"):
        own(("y",), 0)
    with pytest.raises(DataError, match=r"rate: expected 20 samples a second.*got 10"):
        own(("x",), 20)


def change(frame: pd.DataFrame, **columns: object) -> pd.DataFrame:
    return frame.sort_values(["recording", "time"], ignore_index=True).assign(**columns)


def spoil(frame: pd.DataFrame, column: str, word: str, count: int = 1) -> pd.DataFrame:
    """Return a table with a word in the last cells of a column."""
    kept = frame[column].astype(str)
    return frame.assign(**{column: [*kept[:-count], *[word] * count]})


def dated(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose times are dates without a zone."""
    moments = pd.Timestamp("2024-10-27") + pd.to_timedelta(frame.time.round(2), unit="s")
    return frame.assign(time=[moment.isoformat() for moment in moments])


def zoned(frame: pd.DataFrame, zone: str) -> pd.DataFrame:
    """Return a table of which every second time has a time zone."""
    times = dated(frame).time
    return frame.assign(time=[t + zone * (i % 2) for i, t in enumerate(times)])


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    frame = change(frame)
    frame.loc[3, "time"] = frame.loc[2, "time"]
    return frame


def slower(frame: pd.DataFrame) -> pd.DataFrame:
    frame = change(frame)
    frame.loc[frame.recording == "b", "time"] *= 2
    return frame


def faster_later(frame: pd.DataFrame) -> pd.DataFrame:
    frame = change(frame)
    late = (frame.recording == "d") & (frame.time > 5.4)
    return frame.drop(index=frame[late].index[::2])


def one_channel_less(frame: pd.DataFrame) -> pd.DataFrame:
    frame = change(frame)
    frame.loc[frame.recording == "b", "acc"] = np.nan
    return frame


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (twice, "'a'.*5.04 and then 5.04, the same time"),
        (slower, "rates.*0.02 in '[acd]' and 0.04 in 'b'"),
        (faster_later, "'d'.*a sample every 0.02.*5.4 and then 5.44"),
        (lambda f: change(f, acc=np.where(f.index % 2, f.acc, np.nan)), "'acc'.*49.5% of the rows"),
        (lambda f: change(f, acc=[np.inf, *f.acc[1:]]), "'acc'.*sample 0 of recording 'a'"),
        (one_channel_less, "'acc'.*all of recording 'b': channels"),
        (lambda f: change(f, acc="high"), "'acc'.*expected numbers; got 'high'"),
        (lambda f: change(f, acc="1.5 g"), "'acc'.*expected numbers; got '1.5 g'.*Drop the col"),
        (lambda f: spoil(f, "acc", "ERR"), "'ERR' in 1 of 103 cells. Correct .*leave them empty"),
        (lambda f: spoil(f, "acc", "--", 9), "got '--' in 9 of 103 cells. Correct"),
        (lambda f: spoil(f, "time", "s"), "'time'.*got 's' in 1 of 103 cells.*units or a footer"),
        (lambda f: spoil(dated(f), "time", "end"), "'time'.*got 'end' in 1 of 103 cells"),
        (lambda f: zoned(f, "Z"), "a time zone in every row, or in none; got '.*Z' and '.*[0-9]'"),
        (lambda f: zoned(f, "+02:00"), "a time zone in every row"),
        (lambda f: zoned(f, "-0530"), "a time zone in every row"),
        (lambda f: change(f, time=f.time.round(1)), "times that differ.*the same time.*rounded"),
        (lambda f: change(f, label=f.label.where(f.index % 9 == 0)), "at most 1,.*into each row"),
        (
            lambda f: change(f, **{"Unnamed: 0": f.index}),
            "every column.*'Unnamed: 0' in pandas",
        ),
        (lambda f: f.rename(columns={"label": "-1", "time": "0.5"}), "first line looks like"),
        (lambda f: change(f, label=None), "'label'.*got none at all"),
        (lambda f: f.drop(columns="label"), "data.label.*got 'label'"),
        (lambda f: f.drop(columns="recording"), "data.recording.*got 'recording'"),
        (lambda f: f.drop(columns="time"), "data.time.*no column 'time', and a column"),
        (lambda f: f.assign(time=f.time.where(f.time > 5.1)), "'time'.*none in row"),
        (lambda f: f.assign(recording=None), "'recording'.*none in row 1,"),
        (lambda f: change(f, time="noon o'clock"), "'time'.*expected numbers or dates"),
        (lambda f: change(f, who=range(len(f))), "'who'.*one value in all of recording 'a'"),
    ],
)
def test_what_is_refused(spoil, says: str, tmp_path: Path):
    path = save(spoil(long_table()), tmp_path / "x.csv")
    with pytest.raises(DataError, match=says):
        series(DataConfig(path=path, window=5, subject="who"))


@pytest.mark.parametrize(
    ("window", "says"),
    [(41, "data.window: expected at most 11.*got 41"), (0, "data.window.*not equally long")],
)
def test_windows_that_do_not_fit(window: int, says: str, tmp_path: Path):
    path = save(long_table(), tmp_path / "x.csv")
    with pytest.raises(DataError, match=says):
        series(DataConfig(path=path, window=window))


def test_a_class_that_no_window_fits_into_is_said(tmp_path: Path):
    turn = pd.DataFrame({"recording": "e", "time": np.arange(6) / 50, "label": "turn"})
    frame = pd.concat([long_table(), turn.assign(**dict.fromkeys(CHANNELS, 0.5))])
    path = save(frame, tmp_path / "x.csv")
    notes = series(DataConfig(path=path, window=7)).notes
    said = "class 'turn' is left out: no window of 7 samples fits into its longest stretch, of 6"
    assert said in notes
    assert "turn" not in " ".join(series(DataConfig(path=path, window=6)).notes)
    # where but one is left, the refusal says so
    long = pd.DataFrame({"recording": "f", "time": np.arange(30) / 50, "label": "sit"})
    frame = pd.concat([turn, long]).assign(**dict.fromkeys(CHANNELS, 0.5))
    path = save(frame, tmp_path / "y.csv")
    with pytest.raises(DataError, match=r"only 'sit' .*class 'turn' is left out"):
        load_dataset(DataConfig(name="series", path=path, window=7), seed=0)


def test_a_class_that_changes_needs_a_window(tmp_path: Path):
    frame = long_table()
    path = save(frame.query("recording == 'a'"), tmp_path / "x.csv")
    with pytest.raises(DataError, match=r"data.window.*class changes"):
        series(DataConfig(path=path))


def test_channels_of_a_wide_table_are_equally_long(tmp_path: Path):
    path = save(wide_table().drop(columns="a_7"), tmp_path / "x.csv")
    with pytest.raises(DataError, match=r"channel 'b'.*8, from 0 to 7"):
        series(DataConfig(path=path, recording="who"))


def test_one_recording_cannot_be_split(tmp_path: Path):
    frame = long_table()
    path = save(frame.query("recording == 'd'"), tmp_path / "x.csv")
    with pytest.raises(DataError, match=r"data.test-fraction.*two recordings.*got 1"):
        load_dataset(DataConfig(name="series", path=path, window=4), seed=0)


def test_both_files_of_a_folder_have_the_same_channels(tmp_path: Path):
    frame = long_table()
    save(frame, tmp_path / "train.csv")
    save(frame.rename(columns={"acc": "other"}), tmp_path / "test.csv")
    with pytest.raises(DataError, match=r"test.csv.*the same channels"):
        series(DataConfig(path=str(tmp_path), window=4))
