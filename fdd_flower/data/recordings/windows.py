"""Recordings cut into windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from fdd_flower.data.recordings.recording import Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Windows of one stretch of a recording, and one class.

    Attributes
    ----------
    values
        float32, (n, channels, window); a view.
    label
        Their class.
    starts
        The sample that each begins at, of the recording, from 0.
    """

    values: np.ndarray
    label: str
    starts: range

    @property
    def samples(self) -> int:
        """How many samples of the recording are in one of them or more."""
        window = self.values.shape[2]
        return window + (len(self.starts) - 1) * min(self.starts.step, window)


def step_of(step: int, window: int) -> int:
    """Return the samples from one window to the next: `step` or, for 0, half a window."""
    return step or max(1, window // 2)


def pieces(recording: Recording) -> Iterator[tuple[int, int]]:
    """Yield where each stretch of one class begins and ends, without gaps or missing values."""
    labels, stretch = recording.labels, recording.stretch
    edges = np.flatnonzero((labels[1:] != labels[:-1]) | (stretch[1:] != stretch[:-1])) + 1
    for first, end in pairwise([0, *edges.tolist(), len(labels)]):
        if labels[first] and stretch[first] >= 0:
            yield first, end


def cut_up(recording: Recording, *, window: int, step: int) -> Iterator[Windows]:
    """Yield the windows of each stretch of one class, without gaps or missing values.

    What is left at the end of a stretch is in none.
    """
    for first, end in pieces(recording):
        if end - first < window:
            continue
        views = np.lib.stride_tricks.sliding_window_view(
            recording.values[:, first:end], window, axis=1
        )
        yield Windows(
            values=views[:, ::step].swapaxes(0, 1),
            label=str(recording.labels[first]),
            starts=range(first, end - window + 1, step),
        )
