"""Presets: what a run does where its user leaves settings open, by bytes and the shape of a record.

Where the values come from: docs/decisions/0011-presets.md, and for photographs 0015-sharp-means.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fdd_flower.config._config import Config
from fdd_flower.config._keys import keys
from fdd_flower.config._run_config import from_run_config, to_run_config
from fdd_flower.config._setting import Scalar

NONE = "none"  # every setting as it stands
CODEC, MODEL = "avif", "convnet"
LEAST_SIDE = 16  # pixels of the smallest images whose settings were measured
GREYS, COLOURS = 1, 3  # channels that the codec takes
CLASSES, PIXELS = 10, 64 * 64  # up to which a preset's bytes are meant; more in proportion


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What a run may cost.

    Attributes
    ----------
    bytes
        That a client sends a round, for at most `CLASSES` classes of at most `PIXELS` pixels.
    steps
        Of training the global model, in batches of `BATCH`; 0: set by the rows of the set.
    taught
        Whether `MODEL` teaches a model of another family that the user chose.
    """

    bytes: int
    steps: int = 0
    taught: bool = False


PRESETS: Mapping[str, Preset] = {
    "tiny": Preset(bytes=8_000),
    "balanced": Preset(bytes=40_000),
    "best": Preset(bytes=100_000, steps=15_000, taught=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Settings after a preset has filled in those that were left open.

    Attributes
    ----------
    config
        With every value; its preset is `NONE`.
    chosen
        What the preset filled in, by key.
    """

    config: Config
    chosen: Mapping[str, Scalar]

    def words(self, preset: str) -> str:
        """Return what `preset` filled in, in a line."""
        said = ", ".join(f"{key} = {_typed(value)}" for key, value in self.chosen.items())
        return f"preset {preset}: {said or 'nothing; all is as set or by default'}"


def _typed(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def with_preset(
    cfg: Config,
    *,
    shape: tuple[int, ...],
    classes: int,
    given: Collection[str] | None = None,
) -> Filled:
    """Return `cfg` with the settings that were left open filled in by its preset.

    Presets are for images of `LEAST_SIDE` pixels a side or more, the strategy `fdd`, the codec avif
    and no `privacy.mode`. Anywhere else, and where a user asks for rows per class, they fill in
    nothing.

    Parameters
    ----------
    shape
        Of one input of a model.
    classes
        Of the whole federation.
    given
        Keys that the user gave. None: Flower hands an app every key and does not tell a default
        from a choice, so those that are not at their defaults.
    """
    flat = to_run_config(cfg)
    if given is None:
        given = {name for name, value in flat.items() if value != keys()[name].default}
    chosen = {
        name: value
        for name, value in _chosen(cfg, shape, classes, given).items()
        if name not in given and value != flat[name]
    }
    return Filled(config=from_run_config(flat | chosen | {"preset": NONE}), chosen=chosen)


def _chosen(
    cfg: Config, shape: tuple[int, ...], classes: int, given: Collection[str]
) -> dict[str, Scalar]:
    if not _measured(cfg, shape, given):
        return {}
    preset, pixels = PRESETS[cfg.preset], shape[1] * shape[2]
    scale = max(1.0, classes / CLASSES) * max(1.0, pixels / PIXELS)
    size = cfg.distiller.bytes or round(preset.bytes * scale)
    found: dict[str, Scalar] = {
        "distiller.bytes": size,
        "distiller.fill": "rows",
        "codec.name": CODEC,
        "codec.quality": _quality(size / (pixels * max(1.0, classes / CLASSES)), shape[0]),
        "training.clean-steps": 0.3,
    }
    if preset.steps:
        steps = preset.steps if size > FEW_BYTES else min(preset.steps, FEW_ROWS_STEPS)
        found |= {"training.steps": steps, "training.batch-size": BATCH}
    if "model.name" not in given:
        found["model.name"] = MODEL
    elif preset.taught and cfg.model.name != MODEL:
        found["server.teacher"] = MODEL
    if cfg.distiller.name == "dm":
        found |= {
            "distiller.depth": 3,
            "distiller.networks": 12,
            "distiller.steps": 60 if size > FEW_BYTES else 200,
            "distiller.learning-rate": 0.03,
            "distiller.codec-aware": True,
        }
        if shape[0] == COLOURS:
            found["distiller.start"] = "sharp"
    return found


def _measured(cfg: Config, shape: tuple[int, ...], given: Collection[str]) -> bool:
    """Tell whether there is anything that the presets were measured for."""
    rows = "distiller.ipc" in given or "distiller.bytes" in given
    return (
        cfg.preset in PRESETS
        and cfg.strategy.name == "fdd"
        and cfg.privacy.mode == "none"
        and len(shape) == 3
        and shape[0] in (GREYS, COLOURS)
        and min(shape[1:]) >= LEAST_SIDE
        and not ("codec.name" in given and cfg.codec.name not in ("auto", CODEC))
        and not (rows and not cfg.distiller.bytes)
    )


BATCH = 64
FEW_BYTES = 20_000  # up to which a client has the time for more steps
FEW_ROWS_STEPS = 10_000  # of training at most, on what few bytes hold
# Quality by bytes for each pixel of a class's images, from ten classes a client on.
GREY = ((25.0, 25), (90.0, 30), (float("inf"), 55))
COLOUR = ((25.0, 25), (90.0, 30), (float("inf"), 45))


def _quality(room: float, channels: int) -> int:
    table = GREY if channels == GREYS else COLOUR
    return next(quality for most, quality in table if room < most)
