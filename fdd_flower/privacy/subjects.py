"""The subject as the unit of privacy: of each subject no more than a public share counts."""

from __future__ import annotations

import numpy as np


def kept(subjects: np.ndarray, most: int) -> np.ndarray:
    """Return the places of the records that count: the first `most` of each subject.

    Whether a record counts depends on its own subject's records alone. Each of them is to move a
    sum by at most 1 / `most` (`mechanism.whole`): a subject then moves it by at most 1, whatever
    the classes of its records.

    Parameters
    ----------
    subjects
        int64, (n,): whose record each is.
    most
        At least 1.

    Returns
    -------
    int64, in rising order.

    >>> kept(np.array([7, 7, 3, 7, 3]), 2).tolist()
    [0, 1, 2, 4]
    """
    order = np.argsort(subjects, kind="stable")
    _, first, counts = np.unique(subjects[order], return_index=True, return_counts=True)
    rank = np.arange(len(order)) - np.repeat(first, counts)
    return np.sort(order[rank < most])
