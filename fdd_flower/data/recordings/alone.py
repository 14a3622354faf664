"""The recordings of a split, each read as if it were the only one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fdd_flower.config import DataConfig
from fdd_flower.data.alone.table import frame_alone
from fdd_flower.data.base import Agreed, refuse, shown
from fdd_flower.data.recordings.files import Tables, named
from fdd_flower.data.recordings.recording import Recorded, Recording
from fdd_flower.data.recordings.table import from_table
from fdd_flower.data.recordings.times import check_rate
from fdd_flower.data.tables.numbers import words

if TYPE_CHECKING:
    import pandas as pd

MOST_REASONS = 3
LONGEST = 300  # letters that are read of a class, and said of an error


def recordings_alone(tables: Tables, cfg: DataConfig, agreed: Agreed) -> Recorded:
    """Return the recordings that can be read, whatever the others are; notes say of those left out.

    A moment without a recording or a subject is of none. Of one file the header is its form; in a
    folder a file is a recording, and left out if its columns are others.

    Raises
    ------
    DataError
        If the one file is no table, or lacks a column.
    """
    if tables.path in tables.files:
        frame = frame_alone(tables.path, text=cfg.label)
        channels = _form(str(tables.path), frame, cfg)
        found = list(_each(str(tables.path), frame, cfg, agreed))
    else:
        channels, found = agreed.channels, list[Recording | Exception]()
        for file in tables.files:
            try:
                name = file.relative_to(tables.path)
                frame = named(name, frame_alone(file, text=cfg.label), cfg, labelled=True)
                _check_channels(str(file), _form(str(file), frame, cfg), agreed)
                found += _each(str(file), frame, cfg, agreed)
            # whatever a library raised: it is about this file
            except Exception as error:
                found.append(error)
    errors = [str(one)[:LONGEST] for one in found if isinstance(one, Exception)]
    reasons = "; ".join(errors[:MOST_REASONS]) + ("; ..." if len(errors) > MOST_REASONS else "")
    return Recorded(
        channels=channels,
        rate=cfg.rate or agreed.rate,
        recordings=[one for one in found if isinstance(one, Recording)],
        notes=(f"{len(errors)} of {len(found)} recordings are left out: {reasons}",)
        if errors
        else (),
    )


def _form(what: str, frame: pd.DataFrame, cfg: DataConfig) -> tuple[str, ...]:
    """Return the channels, as the header alone says."""
    if cfg.subject and cfg.subject not in frame.columns:
        raise refuse(
            f"{what}: data.subject",
            expected=f"one of the columns {shown(frame.columns)}",
            got=repr(cfg.subject),
            remedy="Set data.subject to the column that says whose a recording is.",
        )
    return from_table(what, _plain(frame.iloc[:0], cfg), cfg, [cfg.subject]).channels


def _check_channels(what: str, channels: tuple[str, ...], agreed: Agreed) -> None:
    right = channels == agreed.channels if agreed.channels else True
    if not right or len(channels) != agreed.feature_shape[0]:
        raise refuse(
            what,
            expected=f"the channels {shown(agreed.channels)}",
            got=shown(channels),
            remedy="Name the columns as the server's data does.",
        )


def _plain(frame: pd.DataFrame, cfg: DataConfig) -> pd.DataFrame:
    """Return the table without the column of groups, which clients have no use for."""
    used = {cfg.recording, cfg.subject, cfg.time, cfg.label}
    return frame if cfg.column in used else frame.drop(columns=cfg.column, errors="ignore")


def _each(
    what: str, frame: pd.DataFrame, cfg: DataConfig, agreed: Agreed
) -> Iterator[Recording | Exception]:
    import pandas as pd

    frame = _plain(frame, cfg)
    # one class of a million letters would take as much room for each of the others
    short = [text[:LONGEST] if isinstance(text, str) else text for text in frame[cfg.label]]
    frame = frame.assign(**{cfg.label: pd.Series(short, index=frame.index, dtype=object)})
    keys = [name for name in dict.fromkeys([cfg.recording, cfg.subject]) if name in frame.columns]
    whose = pd.DataFrame({name: words(frame[name]) for name in keys}, index=frame.index).dropna()
    if cfg.time not in frame.columns:
        yield from from_table(what, frame.loc[whose.index], cfg, [cfg.subject]).recordings
        return
    # two people may call their recordings alike
    for _, own in whose.groupby(keys, sort=True):
        try:
            found = from_table(what, frame.loc[own.index], cfg, [cfg.subject])
            check_rate(what, found.rate, agreed.rate)
            yield from found.recordings
        except Exception as error:
            yield error
