"""Another model from the set of a run, measured as the run's own model was."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from fdd_flower.config import Config, Scalar, from_run_config, to_run_config
from fdd_flower.data import load_dataset
from fdd_flower.data.base import Split
from fdd_flower.device import device_of, moved, resolve
from fdd_flower.errors import ConfigError, DataError
from fdd_flower.models import build_model, resolve_name
from fdd_flower.models.base import Network
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.run_folder.load import Run
from fdd_flower.run_folder.saved_set import SavedSet
from fdd_flower.run_folder.tensor_file import pack
from fdd_flower.run_folder.trust import outside_names, require_trust
from fdd_flower.schema import Schema
from fdd_flower.scoring import server_records
from fdd_flower.threads import threads
from fdd_flower.training.evaluation import Evaluation, evaluate
from fdd_flower.training.family import as_pupil, as_teacher, train_family
from fdd_flower.training.loop import Progress

# what may be changed; the rest made the set, which exists already
SETTABLE = ("data.", "model.", "runtime.", "server.teacher", "training.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A model trained on a run's set.

    Attributes
    ----------
    cfg
        The settings that it was trained by; `model.name` is its family.
    rows
        Of the set.
    steps
        Optimiser steps that were taken.
    seconds
        That training took, a teacher's included.
    """

    network: Network
    cfg: Config
    rows: int
    steps: int
    seconds: float

    def write(self, path: Path) -> None:
        """Write the weights, and the settings that build the model for them.

        Raises
        ------
        OSError
            If the folder cannot be written, or the disk is full.
        """
        write_atomic(path, pack(self.network.state_dict(), {"model": asdict(self.cfg.model)}))


def kept_set(run: Run) -> SavedSet:
    """Return the merged set of a run.

    Raises
    ------
    DataError
        If it has none.
    """
    if run.synthetic is None:
        raise DataError(
            str(run.path),
            expected="a run with a synthetic.safetensors",
            got=f"none: strategy {run.summary.strategy}, {run.summary.status}",
            remedy="Pass a run that completed and whose clients sent sets, such as one of fdd.",
        )
    return run.synthetic


def training_settings(run: Run, name: str, given: Mapping[str, Scalar]) -> Config:
    """Return the run's settings with those that were given, for a model of the family `name`.

    The model is built once and thrown away, so that one that does not fit is refused here.

    Raises
    ------
    ConfigError
        If a setting cannot be changed for a finished run, the model does not fit the records, or
        this machine has no such device.
    """
    saved = kept_set(run)
    for key in given:
        if key != "seed" and not key.startswith(SETTABLE):
            raise ConfigError(
                key,
                expected=f"a setting of training: seed, {', '.join(f'{s}*' for s in SETTABLE)}",
                got="one that made the set",
                remedy="The set stays as it is; for another one start a new run.",
            )
    cfg = from_run_config({**to_run_config(run.config), **given})
    used = ("data.name", "server.teacher")  # `name` is the user's word
    outside = {k: n for k, n in outside_names(cfg).items() if k in used and k not in given}
    require_trust(outside, run.path, trust=run.trust)
    resolve(cfg.runtime.device)
    name = resolve_name(name, saved.set.feature_shape)
    cfg = replace(cfg, model=replace(cfg.model, name=name))
    for family in filter(None, (cfg.server.teacher, name)):
        build_model(
            replace(cfg.model, name=family),
            feature_shape=saved.set.feature_shape,
            num_classes=saved.set.num_classes,
            seed=cfg.seed,
        )
    return cfg


def train_on_kept(run: Run, cfg: Config, *, progress: Progress | None = None) -> Trained:
    """Train the model that `cfg` names on the set of `run`.

    With the run's own settings the weights are those that `server.models` would have given.

    Raises
    ------
    FddError
        If the run has no set, or the loss stops being finite.
    """
    merged = moved(kept_set(run).set, resolve(cfg.runtime.device))
    round_, started, steps = run.summary.rounds, time.monotonic(), 0

    def counted(done: int, total: int) -> None:
        nonlocal steps
        steps = done
        if progress is not None:
            progress(done, total)

    with threads(cfg.runtime.server_threads):
        how, teacher = cfg, None
        if cfg.server.teacher:
            network = train_family(cfg.server.teacher, merged, as_teacher(cfg), round_=round_)
            how, teacher = as_pupil(cfg, network)
        network = train_family(
            cfg.model.name, merged, how, round_=round_, teacher=teacher, progress=counted
        )
    seconds = round(time.monotonic() - started, 3)
    return Trained(network=network, cfg=cfg, rows=len(merged), steps=steps, seconds=seconds)


def measure(trained: Trained, test: Split) -> Evaluation:
    """Return how the model does on test records."""
    with threads(trained.cfg.runtime.server_threads):
        return evaluate(trained.network, moved(test, device_of(trained.network)))


def test_split(run: Run, cfg: Config) -> Split:
    """Return the test records of a run, read by `cfg.data`, in the space of its models.

    Raises
    ------
    DataError
        If they cannot be read here, or are no longer of the run's shape and classes.
    """
    schema = run.schema
    assert schema is not None  # a run with a set has one
    # a table is encoded as the run did, whatever its rows are now
    table = schema if schema.label else None
    dataset = load_dataset(cfg.data, seed=run.config.seed, schema=table)
    _require_same(dataset.schema, schema)
    dataset = replace(dataset, normalisation=schema.normalisation)
    test, _ = server_records(replace(run.config, data=cfg.data), dataset)
    return test


def _require_same(found: Schema, schema: Schema) -> None:
    for what in ("classes", "feature_shape"):
        if getattr(found, what) != getattr(schema, what):
            raise DataError(
                "the test records",
                expected=f"{what.replace('_', ' ')} {getattr(schema, what)}, as in the run",
                got=getattr(found, what),
                remedy="The data has changed since: set data.path to the data that the run read.",
            )
