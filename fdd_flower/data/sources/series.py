"""Windows of sensor recordings, from an NPZ archive or a table, long or wide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.base import SOURCES, Agreed, Records, Source, refuse, shown
from fdd_flower.data.groups import grouped
from fdd_flower.data.recordings.alone import recordings_alone
from fdd_flower.data.recordings.files import Tables, read_tables, splits_of
from fdd_flower.data.recordings.recording import Recorded, Recording
from fdd_flower.data.recordings.table import from_table
from fdd_flower.data.recordings.times import differ
from fdd_flower.data.recordings.windows import Windows, cut_up, pieces, step_of
from fdd_flower.data.sources.paths import given_path
from fdd_flower.data.subjects import numbered
from fdd_flower.data.tables.classes import joined
from fdd_flower.wording import many


@SOURCES.register("series")
def series(cfg: DataConfig, *, agreed: Agreed | None = None) -> Source:
    """Return windows as float32 (n, channels, `cfg.window`), the channels sorted by name.

    `cfg.path` is an archive; a table of any kind that `table` reads; or a folder with the table
    `train` and perhaps `test`, or with a table for each recording, see `splits_of`. In a table
    `cfg.recording` and `cfg.time` name the columns that say which recording a row is of, and when
    it was; without a column of time, a row is a recording. Columns called `cfg.subject` and
    `cfg.column` say whose a recording is, and which group it is of. Of an archive, as `npz` reads
    it, each of `x` (n, channels, samples) is a recording.

    A window begins every `cfg.step` samples (0: half a window) of each stretch of one recording
    and one class, without a gap in time or a missing value; what is left at its end is dropped, and
    so are moments without a class. With `cfg.window` 0 each recording is one window.

    Parameters
    ----------
    agreed
        Given, each recording to train on is read alone.

    Raises
    ------
    DataError
        If a file cannot be read, a column is missing, no window fits, two rows are of one time, or
        rates, channels or (without `cfg.window`) lengths differ.
    """
    path = given_path(cfg)
    if path.suffix.lower() == ".npz":
        return _archive(path, cfg, agreed)
    return _tables(path, cfg, agreed)


def _archive(path: Path, cfg: DataConfig, agreed: Agreed | None) -> Source:
    source = SOURCES.get("npz")(cfg, agreed=agreed)
    train = _cut_records(f"{path}: x", source.train, cfg)
    test = source.test
    return replace(
        source,
        train=train,
        test=None if test is None else _cut_records(f"{path}: x_test", test, cfg),
        rate=cfg.rate,
    )


def _cut_records(what: str, records: Records, cfg: DataConfig) -> Records:
    if records.inputs.ndim != 3 or records.inputs.dtype != np.float32:
        raise refuse(
            what,
            expected="floats of shape (n, channels, samples)",
            got=f"{records.inputs.dtype} {records.inputs.shape}",
            remedy="Save it with numpy.savez(path, x=x, y=y); one channel is (n, 1, samples).",
        )
    length = records.inputs.shape[2]
    window = cfg.window or length
    if window > length:
        raise _too_short(what, length, window)
    starts = np.arange(0, length - window + 1, step_of(cfg.step, window))
    own = records.subjects
    whole = replace(records, recordings=np.arange(len(records)) if own is None else own)
    each = whole.take(np.repeat(np.arange(len(records)), len(starts)))
    views = np.lib.stride_tricks.sliding_window_view(records.inputs, window, axis=2)[:, :, starts]
    windows = views.swapaxes(1, 2).reshape(-1, records.inputs.shape[1], window)
    return replace(each, inputs=windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """The windows of one table: float32 (n, c, t), the class of each, and its recording."""

    found: Recorded
    windows: np.ndarray
    labels: list[str]
    recordings: list[Recording]


def _tables(path: Path, cfg: DataConfig, agreed: Agreed | None) -> Source:
    splits = splits_of(path)
    splits = splits[:1] if agreed is not None else splits
    files = [split.path for split in splits]
    parts = [
        _part(split, cfg) if agreed is None else _part_alone(split, cfg, agreed) for split in splits
    ]
    first, last = parts[0], parts[-1]
    length, channels = first.windows.shape[2], first.found.channels
    if last.found.channels != channels or last.windows.shape[2] != length:
        raise refuse(
            str(files[-1]),
            expected=f"windows of {many(length, 'sample')} of {shown(channels)}",
            got=f"{many(last.windows.shape[2], 'sample')} of {shown(last.found.channels)}",
            remedy="Write both files with the same channels, and set data.window.",
        )
    rates = [part.found.rate for part in parts]
    if all(rates) and differ(rates[0], rates[-1]):
        raise refuse(
            str(files[-1]),
            expected=f"{many(rates[0], 'sample')} a second, as in {files[0].name}",
            got=f"{rates[-1]:g}",
            remedy="Resample to one rate.",
        )
    held = [part.labels for part in parts]
    names = joined(held) if agreed is None else {label: label for label in held[0]}
    classes = sorted({*names.values()})
    train, *test = [_records(part, names, classes, cfg) for part in parts]
    if (cfg.subject and agreed is not None) or _beside(first, cfg.subject):
        train = replace(train, subjects=train.recordings)
    notes = [
        f"{file.name}: {note}" if len(files) > 1 else note
        for file, part in zip(files, parts, strict=True)
        for note in part.found.notes
    ]
    found = Source(
        train=train,
        test=test[0] if test else None,
        classes=tuple(classes),
        channels=channels,
        rate=rates[0],
        notes=(*notes, _said(channels, rates[0])),
    )
    groups = [None if agreed is not None else _groups(part, cfg.column) for part in parts]
    return found if groups[0] is None else grouped(found, *groups)


def _said(channels: Sequence[str], rate: float) -> str:
    often = (
        f"at {many(rate, 'sample')} a second" if rate else "at a rate that is not known (data.rate)"
    )
    return f"channels {shown(channels)}, {often}"


def _part_alone(split: Tables, cfg: DataConfig, agreed: Agreed) -> _Part:
    """Return the windows of the recordings that can be read; there may be none."""
    found = recordings_alone(split, cfg, agreed)
    window = cfg.window or agreed.feature_shape[-1]
    recordings = [one for one in found.recordings if cfg.window or one.values.shape[1] == window]
    step = step_of(cfg.step, window)
    cut = [(one, part) for one in recordings for part in cut_up(one, window=window, step=step)]
    none = np.empty((0, len(found.channels) or agreed.feature_shape[0], window), np.float32)
    return _Part(
        found=replace(found, notes=(*found.notes, *_left_out(found.recordings, cut, window))),
        windows=np.concatenate([none, *(part.values for _, part in cut)]),
        labels=[part.label for _, part in cut for _ in part.starts],
        recordings=[one for one, part in cut for _ in part.starts],
    )


def _part(split: Tables, cfg: DataConfig) -> _Part:
    path, frame = split.path, read_tables(split, cfg)
    found = from_table(str(path), frame, cfg, [cfg.subject, cfg.column])
    recordings = found.recordings
    if not cfg.window:
        _check_whole(path, recordings)
    window = cfg.window or recordings[0].values.shape[1]
    step = step_of(cfg.step, window)
    cut = [(one, part) for one in recordings for part in cut_up(one, window=window, step=step)]
    if not cut:
        if not any((one.labels != "").any() for one in recordings):
            raise refuse(
                f"{path}: column {cfg.label!r}",
                expected="a class in the rows to learn from",
                got="none at all",
                remedy="Set data.label to the column that holds the class.",
            )
        longest = max((end - first for one in recordings for first, end in pieces(one)), default=0)
        raise _too_short(str(path), longest, window)
    return _Part(
        found=replace(found, notes=(*found.notes, *_left_out(recordings, cut, window))),
        windows=np.concatenate([part.values for _, part in cut]),
        labels=[part.label for _, part in cut for _ in part.starts],
        recordings=[one for one, part in cut for _ in part.starts],
    )


def _left_out(
    recordings: list[Recording], cut: list[tuple[Recording, Windows]], window: int
) -> list[str]:
    """Return which recordings and classes have no window, and how many samples are in none."""
    used = {id(one) for one, _ in cut}
    without = [one.name for one in recordings if id(one) not in used]
    notes = []
    if without:
        notes.append(f"no window of {many(window, 'sample')} fits into {shown(without, limit=5)}")
    kept = {part.label for _, part in cut}
    longest: dict[str, int] = {}
    for one in recordings:
        for first, end in pieces(one):
            label = str(one.labels[first])
            longest[label] = max(longest.get(label, 0), end - first)
    notes += [
        f"class {label!r} is left out: no window of {many(window, 'sample')} fits into its "
        f"longest stretch, of {length}"
        for label, length in longest.items()
        if label not in kept
    ]
    held = sum(part.samples for _, part in cut)
    labelled = sum(int((one.labels != "").sum()) for one in recordings)
    if held < labelled:
        notes.append(f"{1 - held / labelled:.1%} of the samples with a class are in no window")
    return notes


def _check_whole(path: Path, recordings: list[Recording]) -> None:
    lengths = {one.values.shape[1]: one.name for one in recordings}
    if len(lengths) > 1:
        short, long = min(lengths), max(lengths)
        raise refuse(
            f"{path}: data.window",
            expected="a number of samples, where recordings are not equally long",
            got=f"0, with {many(short, 'sample')} in recording {lengths[short]!r} and {long} in "
            f"{lengths[long]!r}",
            remedy=f"Set data.window, to {short} or less to use them all.",
        )
    for one in recordings:
        if len(set(one.labels)) > 1:
            raise refuse(
                f"{path}: data.window",
                expected="a number of samples, where the class changes within a recording",
                got=f"0, with {shown(sorted(set(one.labels)))} in recording {one.name!r}",
                remedy="Set data.window: each window then lies within one class.",
            )


def _records(part: _Part, names: dict[str, str], classes: list[str], cfg: DataConfig) -> Records:
    place = {name: i for i, name in enumerate(classes)}
    # a person's recordings stay together too
    of = [one.beside.get(cfg.subject, one.name) for one in part.recordings]
    return Records(
        inputs=part.windows,
        labels=np.array([place[names[label]] for label in part.labels], dtype=np.int64),
        recordings=numbered(of),
    )


def _groups(part: _Part, column: str) -> list[object] | None:
    return [one.beside[column] for one in part.recordings] if _beside(part, column) else None


def _beside(part: _Part, column: str) -> bool:
    return any(column in one.beside for one in part.recordings[:1])


def _too_short(what: str, longest: int, window: int) -> Exception:
    return refuse(
        f"{what}: data.window",
        expected=f"at most {longest}, the samples of the longest stretch of a class without a gap",
        got=window,
        remedy="Lower data.window, or write the class into each row.",
    )
