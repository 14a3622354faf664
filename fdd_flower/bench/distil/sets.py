"""The sets of a bench: each is made once, in its own process, and kept."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from fdd_flower.bench.distil.message import Made, load_made
from fdd_flower.bench.distil.settings import Bench
from fdd_flower.bench.folder import BenchDir, set_name
from fdd_flower.bench.job import KEPT, Job, job_for
from fdd_flower.bench.spawn import DiedError, ask
from fdd_flower.config import Config
from fdd_flower.errors import DataError, DistillError, FddError
from fdd_flower.wire.codecs.base import CODECS, Tunable
from fdd_flower.wire.resolution import WHOLE


@dataclass(frozen=True, slots=True)
class Found:
    """A set, and how long it took to get; 0 seconds if it was there already."""

    made: Made
    seconds: float


@dataclass(frozen=True, slots=True)
class Sets:
    """Makes the sets of `bench` in `folder`, or finds those of an earlier start."""

    bench: Bench
    folder: BenchDir

    def distilled(self, distiller: str, ipc: int, seed: int) -> Found:
        """Return a distiller's set.

        Raises
        ------
        DistillError
            If the distillation failed.
        """
        path = self.folder.message(set_name(distiller, ipc, seed))
        found = _load(path)
        if found is not None:
            return Found(found, 0.0)
        return _timed(self._job(self.bench.settings(distiller, ipc), seed, path))

    def equal(self, baseline: str, ipc: int, seed: int, *, like: Made) -> Found:
        """Return a baseline's set of at most as many bytes as `like`, and as near as can be.

        Parameters
        ----------
        ipc
            Rows a class to try first.

        Raises
        ------
        DistillError
            If the distillation failed.
        """
        name = f"{baseline}-{like.bytes}-bytes-seed{seed}" + _tuning(like)
        path = self.folder.message(name)
        found = _load(path)
        if found is not None:
            return Found(found, 0.0)
        cfg = replace(self.bench.baseline(baseline, ipc), codec=like.codec)
        job = self._job(cfg, seed, path, target_bytes=like.bytes, resolution=like.resolution)
        return _timed(job)

    def take_kept(self, distiller: str, ipc: int, seed: int) -> Made | None:
        """Return the last good set of a failed distillation, if it left one; remove its file."""
        path = Path(str(self.folder.message(set_name(distiller, ipc, seed))) + KEPT)
        found = _load(path)
        path.unlink(missing_ok=True)
        return found

    def _job(self, cfg: Config, seed: int, path: Path, **values: int) -> Job:
        return job_for(
            cfg,
            seed=seed,
            single_class=self.bench.single_class,
            holdout=self.bench.holdout,
            out=str(path),
            **values,
        )


def spawn(job: Job) -> Made:
    """Do `job` in a process of its own and return what it made.

    Raises
    ------
    DistillError
        If the distillation refused, broke down or was killed.
    """
    threads = job.cfg.runtime.client_threads
    try:
        out = ask("fdd_flower.bench.distil.worker", job.to_json(), threads=threads)
    except FddError as error:
        raise DistillError(
            error.what, expected=error.expected, got=error.got, remedy=error.remedy
        ) from error
    except DiedError as error:
        raise DistillError(
            f"process of {job.cfg.distiller.name}",
            expected="a distilled set",
            got=str(error),
            remedy="Repeat the distillation with smaller settings, or report this.",
        ) from error
    return load_made(Path(out))


def quality_of(made: Made) -> int:
    """Return the quality that `made` was encoded with; 0 for a codec that has none."""
    codec = CODECS.get(made.codec.name)(made.codec)
    return made.codec.quality if isinstance(codec, Tunable) else 0


def resolution_of(made: Made) -> int:
    """Return the sixteenths of a side that `made` was encoded at; 0 for a codec without them."""
    return made.resolution if quality_of(made) else 0


def _tuning(made: Made) -> str:
    if not quality_of(made):
        return ""
    whole = made.resolution == WHOLE
    return f"-q{made.codec.quality}" + ("" if whole else f"-r{made.resolution}")


def _timed(job: Job) -> Found:
    started = time.perf_counter()
    made = spawn(job)
    return Found(made, time.perf_counter() - started)


def _load(path: Path) -> Made | None:
    if path.exists():
        # a damaged file is made again
        with suppress(DataError):
            return load_made(path)
    return None
