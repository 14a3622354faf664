"""Class logits <-> two arrays of a message: which classes are known, and their logits."""

from __future__ import annotations

import numpy as np
import torch
from flwr.app import ArrayRecord

from fdd_flower.device import on_host
from fdd_flower.training.class_logits import BOUND, ClassLogits
from fdd_flower.wire.records import LOGITS, to_numpy
from fdd_flower.wire.refusals import Code, RefusedError

HELD = "class-logits-held"
_WHAT = f"reply.arrays.{LOGITS}"


def logits_arrays(logits: ClassLogits) -> dict[str, np.ndarray]:
    """Return class logits as the arrays of a message."""
    logits = on_host(logits)
    return {LOGITS: logits.values.numpy(), HELD: logits.held.numpy().astype(np.uint8)}


def read_logits(record: ArrayRecord, num_classes: int) -> ClassLogits:
    """Return the class logits in a message.

    Raises
    ------
    RefusedError
        If one of the arrays is missing, or of another shape or type; a value is not finite, or out
        of range; or a class that is said not to be there has values.
    """
    found = {name: record[name] for name in (LOGITS, HELD) if name in record}
    if len(found) < 2:
        raise _bad(f"{LOGITS} and {HELD}", ", ".join(found) or "neither", Code.ARRAYS)
    arrays = to_numpy(ArrayRecord(found), max_bytes=logits_bytes(num_classes))
    values, held = arrays[LOGITS], arrays[HELD]
    if (values.dtype, held.dtype) != (np.float32, np.uint8):
        raise _bad("float32, and uint8", f"{values.dtype}, {held.dtype}"[:80], Code.DTYPE)
    shapes = ((num_classes, num_classes), (num_classes,))
    if (values.shape, held.shape) != shapes:
        raise _bad(str(shapes), f"{values.shape}, {held.shape}"[:80], Code.SHAPE)
    if not bool(np.isfinite(values).all()):
        raise _bad("finite values", "NaN or infinity", Code.NOT_FINITE)
    largest = float(np.abs(values).max(initial=0))
    if largest > BOUND or held.max(initial=0) > 1 or bool(values[held == 0].any()):
        expected = f"values within +-{BOUND:g}, 0 or 1 in {HELD}, and zeros beside its 0"
        raise _bad(expected, f"up to {largest:g} and {held.max(initial=0)}", Code.RANGE)
    return ClassLogits(torch.from_numpy(values.copy()), torch.from_numpy(held == 1))


def logits_bytes(num_classes: int) -> int:
    """Return the most bytes that class logits take in a message, as NPY."""
    return 4 * num_classes**2 + num_classes + 2 * 256


def _bad(expected: str, got: object, code: Code) -> RefusedError:
    return RefusedError(_WHAT, expected=expected, got=got, code=code)
