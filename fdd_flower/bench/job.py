"""What is asked of a process that distils, and what it says when it cannot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fdd_flower.config import Config, Scalar, from_run_config, to_run_config
from fdd_flower.wire.resolution import WHOLE

KEPT = ".kept.npz"  # beside the result: the last good set of a failed distillation


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One distillation.

    Attributes
    ----------
    settings
        The flat run config.
    seed
        Of the distillation; the run config's own seed draws the splits.
    target_bytes
        0: `distiller.ipc` rows per class. Otherwise as many as take at most so many bytes.
    limit
        Training records to use; 0: all.
    out
        The file to write.
    resolution
        Sixteenths of an image's sides that a codec for images sends.
    """

    settings: Mapping[str, Scalar]
    seed: int
    single_class: bool
    holdout: bool
    out: str
    target_bytes: int = 0
    limit: int = 0
    resolution: int = WHOLE

    @property
    def cfg(self) -> Config:
        """The settings, parsed."""
        return from_run_config(self.settings)

    def to_json(self) -> str:
        """Return this job as one line."""
        return json.dumps(asdict(self))


def read_job(text: str) -> Job:
    """Return what `Job.to_json` wrote."""
    return Job(**json.loads(text))


def job_for(cfg: Config, **values: Any) -> Job:
    """Return a job under `cfg`."""
    return Job(settings=to_run_config(cfg), **values)
