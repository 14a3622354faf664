"""Settings of older versions: what each was, and what stands in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from fdd_flower.config._setting import Scalar
from fdd_flower.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Removed:
    """A setting that is gone.

    Attributes
    ----------
    same
        Values that meant what is done now; the default of old comes first.
    instead
        What replaces it, as a sentence.
    """

    same: tuple[Scalar, ...]
    instead: str


def _constant(value: Scalar) -> Removed:
    return Removed((value,), f"Leave it out: it is always {value}.")


REMOVED: Mapping[str, Removed] = {
    "strategy.num-selected": _constant(2),
    "strategy.beta": _constant(0.2),
    "strategy.server-momentum": _constant(0.9),
    "dynafed.reach": _constant(1),
    "dynafed.learning-rate": _constant(0.1),
    "dynafed.inner-steps": _constant(10),
    "dynafed.inner-rate": _constant(0.02),
    "dynafed.tuning-steps": _constant(20),
    "dynafed.tuning-rate": _constant(0.01),
    "dynafed.batch-size": _constant(256),
    "fedaf.keep": _constant(0.9),
    "fedaf.temperature": _constant(2.0),
    "fedaf.projections": _constant(50),
    "fedlgd.temperature": _constant(0.07),
    "fedlgd.learning-rate": _constant(0.06),
    "distiller.temperature": _constant(1.0),
    "distiller.teacher-steps": _constant(800),
    "distiller.perturbation": _constant(5.0),
    "distiller.frequencies": _constant(256),
    "codec.resolution": Removed(
        (16,), "Leave it out: images are sent whole; smaller ones only to fill distiller.bytes."
    ),
    "dynafed.steps": _constant(200),
    "fedlgd.steps": _constant(500),
    "distiller.spread": Removed(("fixed",), "Leave it out: each class has distiller.ipc rows."),
    "distiller.packing-basis": Removed(
        ("dct",), "Leave it out: it is pixels for a codec of images, and dct for any other."
    ),
    "distiller.small-classes": Removed(
        ("withhold",), "Leave it out: a class below distiller.min-records is always withheld."
    ),
    "distiller.levels": Removed(("last",), "Leave it out: features are always of the last block."),
    "distiller.first": Removed(("", "dm"), "Leave it out: dm distils in the first round."),
    "distiller.peer-rows": Removed(
        (0,), "Bound the merged set, of which peers are: merger.name=herded and merger.rows."
    ),
    "sketch.precision": Removed(
        ("half",), "Leave it out: it is half, and exact with sketch.secure-sum."
    ),
    "merger.near": _constant(0.1),
    "model.norm": _constant("instance"),
    "server.teacher-share": _constant(0.9),
    "server.teacher-steps": Removed((0,), "Leave it out: it is training.steps, or 5000 if fewer."),
    "training.weight-decay": _constant(0.01),
    "training.averaging": _constant(0.99),
    "scoring.root-per-class": _constant(10),
    "scoring.significance": _constant(0.05),
    "scoring.outlier": _constant(3.5),
    "scoring.copied": _constant(0.5),
}


def refuse_removed(name: str) -> None:
    """Refuse a key that an older version had, and say what replaces it.

    Raises
    ------
    ConfigError
        If `name` is one.
    """
    if name in REMOVED:
        _refuse(name, "one of an older version")


# What a setting that came later had in versions without it, where that is not its default now.
BEFORE: Mapping[str, Scalar] = {"preset": "none"}


def without_removed(
    flat: Mapping[str, Scalar], *, strict: bool = True
) -> tuple[dict[str, Scalar], dict[str, Scalar]]:
    """Return stored settings by keys of this version, and those lost that meant something else.

    A run of an older version keeps every setting, defaults too. Those that are gone are left out
    where they had a value that means what is done now.

    Parameters
    ----------
    strict
        Refuse any other value: work that goes on would not have the result it began for.

    Raises
    ------
    ConfigError
        If `strict` and one is lost.
    """
    lost = {
        name: value
        for name, value in flat.items()
        if name in REMOVED and value not in REMOVED[name].same
    }
    if strict and lost:
        name = min(lost)
        _refuse(name, repr(lost[name]))
    return {name: value for name, value in flat.items() if name not in REMOVED}, lost


def _refuse(name: str, got: str) -> NoReturn:
    raise ConfigError(
        name,
        expected="a setting of this version",
        got=got,
        remedy=REMOVED[name].instead,
    )
