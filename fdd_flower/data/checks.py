"""What must hold of any source's records before they are used."""

from __future__ import annotations

import numpy as np

from fdd_flower.data.base import Records, refuse


def check_records(
    name: str, records: Records, classes: tuple[str, ...], *, in_cells: bool = False
) -> None:
    """Refuse records that no distiller or model could use.

    Raises
    ------
    DataError
        If they are empty, of a wrong type, not finite, labelled outside `classes`, or have a
        subject for some only.
    """
    inputs, labels = records.inputs, records.labels
    remedy = f"Check the data behind data.name={name}."
    if labels.shape != (len(inputs),) or not len(labels):
        raise refuse(
            "data: labels",
            expected=f"one for each of {len(inputs)} records, and at least one",
            got=labels.shape,
            remedy=remedy,
        )
    kinds = (np.float64,) if in_cells else (np.uint8, np.float32)
    if inputs.dtype not in kinds or inputs.ndim < 2:
        raise refuse(
            "data: inputs",
            expected="uint8 or float32 of shape (n, c or d, ...)",
            got=f"{inputs.dtype} {inputs.shape}",
            remedy=remedy,
        )
    if labels.dtype != np.int64 or labels.min() < 0 or labels.max() >= len(classes):
        raise refuse(
            "data: labels",
            expected=f"int64 from 0 to {len(classes) - 1}",
            got=f"{labels.dtype} from {labels.min()} to {labels.max()}",
            remedy=remedy,
        )
    subjects = records.subjects
    if subjects is not None and (subjects.shape, subjects.dtype) != (labels.shape, np.int64):
        raise refuse(
            "data: subjects",
            expected=f"int64 of shape {labels.shape}, one for each record",
            got=f"{subjects.dtype} {subjects.shape}",
            remedy=remedy,
        )
    if inputs.dtype == np.float32 and not np.isfinite(inputs).all():
        raise refuse(
            "data: inputs",
            expected="finite numbers",
            got="NaN or infinity",
            remedy=remedy,
        )
