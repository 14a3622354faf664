"""How much a client may send under the settings of a run, and the checks that enforce it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.base import Plan
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.arrays import MAX_MAGNITUDE
from fdd_flower.wire.refusals import Code, RefusedError
from fdd_flower.wording import many

HEADROOM = 4096  # bytes of NPY headers and ranges beside the rows themselves
# A row is of a class that has clearly more than half of it; at half, rounding decides.
OWN_CLASS = 0.51


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRules:
    """Bounds of one client's set as it travels: rows are packed, where rows are.

    Attributes
    ----------
    max_bytes
        Of its arrays, as NPY.
    max_rows
        In all.
    max_rows_a_class
        Of each class.
    """

    max_bytes: int
    max_rows: int
    max_rows_a_class: int

    @classmethod
    def of(cls, cfg: DistillerConfig, plan: Plan) -> Self:
        """Return the bounds for a round whose settings are `cfg`.

        Soft labels need not keep the class that a row was distilled for, so that only the number
        of all rows is bounded with them.
        """
        rows = cfg.ipc * len(plan.classes)
        if cfg.bytes:
            # A row takes at least a byte, however well it is coded.
            return cls(max_bytes=cfg.bytes, max_rows=cfg.bytes, max_rows_a_class=cfg.bytes)
        values = math.prod(plan.feature_shape)
        limit = HEADROOM + 4 * rows * (values + len(plan.classes) + 1) + 16 * values
        fixed = cfg.labels == "hard"
        return cls(max_bytes=limit, max_rows=rows, max_rows_a_class=cfg.ipc if fixed else rows)

    def check_rows(self, part: SyntheticSet) -> None:
        """Hold the rows of a decoded set against the bounds, before they are unpacked.

        Raises
        ------
        RefusedError
            If there are too many, of one class or in all.
        """
        if len(part) > self.max_rows:
            raise _refused(f"at most {many(self.max_rows, 'row')}", len(part), Code.TOO_MANY_ROWS)
        most = int((part.targets > OWN_CLASS).sum(dim=0).max())
        if most > self.max_rows_a_class:
            expected = f"at most {many(self.max_rows_a_class, 'row')} of a class"
            raise _refused(expected, most, Code.QUOTA)


def check_kind(part: SyntheticSet, plan: Plan) -> None:
    """Check that a set is of this plan and in range, whichever codec read it.

    Raises
    ------
    RefusedError
        If its shape or number of classes is another, or an input is out of range.
    """
    if (part.feature_shape, part.num_classes) != (plan.feature_shape, len(plan.classes)):
        expected = f"inputs {plan.feature_shape} and {many(len(plan.classes), 'class')}"
        raise _refused(expected, f"{part.feature_shape} and {part.num_classes}", Code.SHAPE)
    largest = float(part.inputs.abs().max())
    if largest > MAX_MAGNITUDE:
        raise _refused(f"inputs within +-{MAX_MAGNITUDE:g}", f"{largest:g}", Code.RANGE)


def _refused(expected: str, got: object, code: Code) -> RefusedError:
    return RefusedError("reply.arrays", expected=expected, got=got, code=code)
