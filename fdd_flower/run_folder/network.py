"""The trained model of a run, read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from fdd_flower.config import ModelConfig
from fdd_flower.errors import DataError
from fdd_flower.models import build_model
from fdd_flower.models.base import Network
from fdd_flower.run_folder.load import Run
from fdd_flower.run_folder.run_dir import MODEL, model_file
from fdd_flower.run_folder.tensor_file import unpack
from fdd_flower.run_folder.trust import require_trust


def load_network(run: Run, name: str = "", *, file: Path | None = None) -> Network:
    """Return the global model of `run`, or one that was trained on its set, ready to predict.

    Parameters
    ----------
    name
        A model family whose weights lie beside: one of `server.models`, or of `fdd train`.
        Empty: the global model.
    file
        What `fdd train` left elsewhere, in place of a name.

    Raises
    ------
    DataError
        If the run has no such model, or the file is damaged or holds another one.
    ConfigError
        If its family is of another package, and the run is not trusted.
    """
    path = file or run.path / (model_file(name) if name else MODEL)
    if run.schema is None or not path.exists():
        beside = ", ".join(sorted(other.name for other in run.path.glob(model_file("*"))))
        raise DataError(
            str(path),
            expected="the weights of a model",
            got="no such file",
            remedy="Pass a run that finished a round; `fdd train` adds other models to it."
            + f" It has {beside}." * bool(beside),
        )
    tensors, facts = unpack(path)
    cfg = _settings(run, name, facts, path)
    # a name that the user gave is the user's word
    require_trust({"model.name": cfg.name}, path, trust=run.trust or cfg.name == name)
    network = build_model(
        cfg,
        feature_shape=run.schema.feature_shape,
        num_classes=len(run.schema.classes),
        seed=run.config.seed,
    )
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise DataError(
            str(path),
            expected=f"the weights of a {cfg.name} model with the settings of the run",
            got=" ".join(str(error).split())[:200],
            remedy="Read this run with the version that made it.",
        ) from error
    return network.eval()


def _settings(run: Run, name: str, facts: Mapping[str, object], path: Path) -> ModelConfig:
    """Return what builds the model of a file: its own facts, or its name and the run's settings."""
    found = facts.get("model")
    if found is None:
        family = name or path.stem.partition("model-")[2]
        return replace(run.config.model, name=family) if family else run.config.model
    try:
        return ModelConfig(**found)  # pyright: ignore[reportCallIssue]
    except TypeError as error:
        raise DataError(
            str(path),
            expected="the settings of a model that this version knows",
            got=error,
            remedy="Read this file with the version that made it.",
        ) from error
