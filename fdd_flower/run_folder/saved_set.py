"""A SyntheticSet as a file, with what a stranger needs to use it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from fdd_flower.errors import DataError, FddError
from fdd_flower.run_folder.tensor_file import pack, unpack
from fdd_flower.schema import Normalisation, Schema
from fdd_flower.synthetic_set import SyntheticSet

# Of the file, as docs/wire-format.md has it: readers open every minor version of their major one,
# and a file without a version, which is from before there was one, as 1.0.
MAJOR, MINOR = 1, 1

_TENSORS = {"inputs", "targets", "weights", "origin"}
_FACTS = {"classes", "meta", "normalisation", "sources", "version"}


@dataclass(frozen=True, slots=True)
class Source:
    """A set that went into a merged one: its round, and its hash in the ledger.

    Not whose it is: the ledger knows, and the merged set can be passed on.
    """

    round: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSet:
    """A set, the names of its target columns, and the way back to the units of the data.

    Attributes
    ----------
    sources
        Of a merged set: what it was merged from, in order; `set.origin` says which of them each row
        came from.
    """

    set: SyntheticSet
    classes: tuple[str, ...]
    normalisation: Normalisation
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        if len(self.classes) != self.set.num_classes:
            raise DataError(
                "classes",
                expected=f"{self.set.num_classes} names, one a target column",
                got=len(self.classes),
                remedy="Pass the class list of the plan that made the set.",
            )

    @property
    def schema(self) -> Schema:
        """What is public about a record; the file does not know the names of columns."""
        return Schema(
            classes=self.classes,
            feature_shape=self.set.feature_shape,
            normalisation=self.normalisation,
        )

    def source_of(self, row: int) -> Source | None:
        """Return the set that a row came from; None: from several, or not known."""
        place = -1 if self.set.origin is None else int(self.set.origin[row])
        return self.sources[place] if 0 <= place < len(self.sources) else None

    def to_bytes(self) -> bytes:
        """Return the bytes of `synthetic.safetensors`: the same set gives the same bytes."""
        facts = {
            "version": f"{MAJOR}.{MINOR}",
            "classes": list(self.classes),
            "normalisation": {
                "mean": list(self.normalisation.mean),
                "std": list(self.normalisation.std),
            },
            "meta": dict(self.set.meta),
        }
        tensors = {name: getattr(self.set, name) for name in ("inputs", "targets", "weights")}
        if self.sources:
            facts["sources"] = [[one.round, one.sha256] for one in self.sources]
            if self.set.origin is not None:
                tensors["origin"] = self.set.origin
        return pack(tensors, facts)


def load_set(path: Path) -> SavedSet:
    """Read what `SavedSet.to_bytes` made.

    Raises
    ------
    DataError
        If the file is missing, truncated, of a later major version, or holds something else.
    """
    tensors, facts = unpack(path)
    _require_known(path, tensors, facts)
    try:
        scale = facts["normalisation"]
        return SavedSet(
            set=SyntheticSet(
                inputs=tensors["inputs"],
                targets=tensors["targets"],
                weights=tensors["weights"],
                meta={str(name): str(value) for name, value in facts["meta"].items()},
                origin=tensors.get("origin"),
            ),
            classes=tuple(str(name) for name in facts["classes"]),
            normalisation=Normalisation(
                mean=tuple(float(x) for x in scale["mean"]),
                std=tuple(float(x) for x in scale["std"]),
            ),
            sources=tuple(
                Source(int(round_), str(sha256)) for round_, sha256 in facts.get("sources", ())
            ),
        )
    except (KeyError, TypeError, AttributeError, ValueError, FddError) as error:
        raise DataError(
            str(path),
            expected="inputs, targets, weights, and classes, normalisation and meta about them",
            got=f"{type(error).__name__}: {error}",
            remedy="Pass the synthetic.safetensors of a run.",
        ) from error


def _require_known(path: Path, tensors: Collection[str], facts: Mapping[str, object]) -> None:
    """Refuse a version or a name that this reader does not know, by name."""
    found = str(facts.get("version", f"{MAJOR}.0"))
    major, dot, minor = found.partition(".")
    if major != str(MAJOR) or not dot or not (minor.isascii() and minor.isdecimal()):
        raise _unknown(path, f"a synthetic set of version {MAJOR}.x", f"version {found[:20]!r}")
    unknown = sorted({*tensors} - _TENSORS) + sorted({*facts} - _FACTS)
    if unknown and int(minor) <= MINOR:
        known = ", ".join(sorted(_TENSORS | _FACTS))
        raise _unknown(path, f"only {known}", ", ".join(repr(name[:40]) for name in unknown)[:200])


def _unknown(path: Path, expected: str, got: str) -> DataError:
    return DataError(
        str(path), expected=expected, got=got, remedy="Read it with the version that wrote it."
    )
