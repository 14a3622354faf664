"""What a distiller is, and what every distiller shares: which classes it may touch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from fdd_flower.config import DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.data.large import by_class
from fdd_flower.distillers.parts.packing import Packing
from fdd_flower.errors import DistillError
from fdd_flower.models.base import Network
from fdd_flower.registry import Registry
from fdd_flower.rng import derive
from fdd_flower.schema import Column, Normalisation, Schema, is_image, kind_of
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.training.class_logits import ClassLogits
from fdd_flower.wire.codecs.base import Codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Guidance:
    """What FedAF's clients go by beside the global model.

    Attributes
    ----------
    keep
        Share of the global model's weights in each network; the rest is noise.
    weight, projections
        Of the term that draws rows to `logits`; directions that it looks along.
    logits
        All clients' mean logits of the round before; None: there are none yet.
    """

    keep: float
    weight: float
    projections: int
    logits: ClassLogits | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the server asks of every client in one round; all of it is public.

    Attributes
    ----------
    round
        From 1.
    seed
        Seeds the networks and augmentations that all clients share in this round.
    nonce
        Names the run and round; a reply repeats it, so an old reply is recognised.
    classes
        Names of all classes of the federation; a label is a place in this list.
    feature_shape, normalisation
        What one model input is, and the constants that make it.
    columns, label, prior
        Of a table: what each column is, the one with the class, and the shares of the classes.
    channels, rate
        Of a series: the names of its channels, and samples a second, 0 if not known.
    model
        The global model, for `embedder = global` and `labels = global`; None before it has
        learned anything.
    peers
        The other clients' merged rows of the round before; None in the first.
    codec
        What the set will travel through, for `codec-aware`; None: exactly as it is.
    guidance
        Of the strategy `fedaf`; None with any other.
    """

    round: int
    seed: int
    nonce: str
    classes: tuple[str, ...]
    feature_shape: tuple[int, ...]
    normalisation: Normalisation
    columns: tuple[Column, ...] = ()
    label: str = ""
    prior: tuple[float, ...] = ()
    channels: tuple[str, ...] = ()
    rate: float = 0.0
    model: Network | None = None
    peers: SyntheticSet | None = None
    codec: Codec | None = None
    guidance: Guidance | None = None

    @classmethod
    def of(
        cls, schema: Schema, *, seed: int, run: str, round_: int = 0, codec: Codec | None = None
    ) -> Plan:
        """Return what a run of `seed` asks in every round; `run` tells runs of a seed apart."""
        return cls(
            round=round_,
            seed=derive(seed, "plan"),
            nonce=f"{derive(seed, 'nonce', run):016x}",
            classes=schema.classes,
            feature_shape=schema.feature_shape,
            normalisation=schema.normalisation,
            columns=schema.columns,
            label=schema.label,
            prior=schema.prior,
            channels=schema.channels,
            rate=schema.rate,
            codec=codec,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Distilled:
    """What a distiller gives.

    Attributes
    ----------
    synthetic
        With `distiller.packing` above 1 its rows are packed: `packing_of(cfg).unpack` undoes it.
    withheld
        The classes that were left out as too small.
    codec
        What to encode the set with: the plan's codec, or one at the quality that fits
        `distiller.bytes`; None where the plan names none.
    """

    synthetic: SyntheticSet
    withheld: tuple[str, ...]
    codec: Codec | None = None


class Distiller(Protocol):
    """Turns a client's records into a few synthetic ones.

    Its class may declare `sends_real = True`, if rows can be records as they are; `joint = True`,
    if its objective needs contrast between classes and can use `plan.peers`; `trains = True`, if
    peers matter only where networks train on the rows for `distiller.inner-steps`; `packs = True`,
    if its rows hold several images by `distiller.packing`; `groups = True`, if rows stand for
    groups of a class's records by `distiller.group-size`; `guided = True`, if it follows
    `plan.guidance`; and `ignores = ("labels",)`, or other settings that it has no use for: a run
    that changes them is refused.
    """

    def distill(
        self, data: Split, *, plan: Plan, start: SyntheticSet | None, rng: torch.Generator
    ) -> Distilled:
        """Return a synthetic set for `data`.

        Parameters
        ----------
        data
            The client's own records, on the device to work on.
        plan
            The round's public plan; what it holds is on the same device.
        start
            This client's set of the previous round, to start from; None in the first.
        rng
            This client's stream for the round. It comes from the run's seed, which the server
            knows, so it is reproducible and not secret.

        Raises
        ------
        DistillError
            If the rules of the run config leave no class to distil.
        """
        ...


LEAST_PACKED = 16  # pixels per side of the smallest images that are packed by default

DISTILLERS: Registry[Callable[[DistillerConfig], Distiller]] = Registry(
    "distiller", "fdd_flower.distillers"
)


def packing_of(
    cfg: DistillerConfig, feature_shape: tuple[int, ...], codec: Codec | None
) -> Packing:
    """Return how the rows of a run hold records; 0 becomes the choice for shape and codec."""
    if not declares(cfg.name, "packs"):
        return Packing()
    if kind_of(feature_shape) == "series":
        return Packing(cfg.packing or 1, "time")
    # frequencies hold more of an image (decision 2), but are no image that a codec could code
    basis = "pixels" if takes_images(codec) else "dct"
    large = is_image(feature_shape) and min(feature_shape[1:]) >= LEAST_PACKED
    return Packing(cfg.packing or (2 if large and basis == "dct" else 1), basis)


def declares(name: str, flag: str) -> bool:
    """Tell whether the distiller called `name` declares `flag`; see `Distiller`."""
    return bool(getattr(DISTILLERS.get(name), flag, False))


def ignored_by(name: str) -> tuple[str, ...]:
    """Return the attributes of `DistillerConfig` that distiller `name` declares to ignore."""
    return getattr(DISTILLERS.get(name), "ignores", ())


def takes_images(codec: Codec | None) -> bool:
    """Tell whether a codec is one for images, which packed rows need not look like."""
    return hasattr(codec, "max_rows")


def room_in_mosaic(codec: Codec | None, feature_shape: tuple[int, ...]) -> int | None:
    """Return how many rows of a class a codec has room for; None where there is no bound."""
    max_rows = getattr(codec, "max_rows", None)
    return None if max_rows is None else max_rows(feature_shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassRecords:
    """The records of one class that a client may distil, and how many rows stand for them."""

    label: int
    inputs: Tensor  # (n, *feature_shape)
    rows: int


def usable_classes(
    data: Split, cfg: DistillerConfig, *, cells: int = 1
) -> tuple[list[ClassRecords], tuple[str, ...]]:
    """Return the classes that hold enough records, and the names of those withheld.

    A class gets at most one image for `min_records` records, so that none can stand for a
    handful of people.

    Parameters
    ----------
    cells
        Images in a row.

    Raises
    ------
    DistillError
        If none is large enough.
    """
    usable, withheld, sizes = [], [], []
    held = by_class(data.inputs, data.labels, len(data.classes))
    for label, (name, inputs) in enumerate(zip(data.classes, held, strict=True)):
        if len(inputs) >= cfg.min_records:
            usable.append(ClassRecords(label=label, inputs=inputs, rows=cfg.ipc))
        elif len(inputs):
            withheld.append(name)
            sizes.append(len(inputs))
    if withheld and not usable:
        raise DistillError(
            f"records of class {withheld[0]!r}",
            expected=f"at least distiller.min-records = {cfg.min_records}",
            got=sizes[0],
            remedy="Collect more records, leave this client out, or lower distiller.min-records.",
        )
    if not usable:
        raise DistillError(
            "records of this client",
            expected="at least one class",
            got="none",
            remedy="Give the client data, or split the data among fewer clients.",
        )
    most = [-(-(len(part.inputs) // cfg.min_records) // cells) for part in usable]
    bounded = [
        replace(part, rows=min(part.rows, rows)) for part, rows in zip(usable, most, strict=True)
    ]
    return bounded, tuple(withheld)


def of_classes(data: Split, labels: list[int]) -> Split:
    """Return the records of `data` whose class is in `labels`."""
    known = torch.isin(data.labels, torch.tensor(labels, device=data.labels.device))
    if bool(known.all()):
        return data
    return data.take(known)


def assemble(
    parts: list[ClassRecords], inputs: list[Tensor], num_classes: int, meta: dict[str, str]
) -> SyntheticSet:
    """Join the rows of each class into one set with hard labels.

    Parameters
    ----------
    parts, inputs
        A class and its synthetic rows (m, *feature_shape), in the same order.
    """
    rows = torch.cat(inputs).float().contiguous()
    sizes = torch.tensor([len(own) for own in inputs])
    labels = torch.tensor([part.label for part in parts]).repeat_interleave(sizes)
    share = torch.tensor([len(part.inputs) for part in parts]) / sizes
    return SyntheticSet(
        inputs=rows,
        targets=torch.nn.functional.one_hot(labels, num_classes).float().to(rows.device),
        weights=share.repeat_interleave(sizes).float().to(rows.device),
        meta=meta,
    )
