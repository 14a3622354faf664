"""One distillation in its own process: `python -m fdd_flower.bench.distil.worker`.

The job comes on stdin. Alone, its time and its peak of memory are its own.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from fdd_flower.bench.distil.equal_bytes import bracket_rows, fewest_dropped
from fdd_flower.bench.distil.message import Made
from fdd_flower.bench.distil.whole_set import Clients, distil, fewer_rows
from fdd_flower.bench.job import KEPT, Job, read_job
from fdd_flower.bench.memory import peak_bytes
from fdd_flower.bench.records import Material, load_material, make_plan
from fdd_flower.bench.spawn import answer
from fdd_flower.config import CodecConfig, Config
from fdd_flower.distillers.base import Distilled, Plan, packing_of
from fdd_flower.errors import FddError
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.threads import threads
from fdd_flower.wire.resolution import WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worker:
    job: Job
    cfg: Config
    material: Material
    plan: Plan
    base: int  # bytes held before the work

    def distilled(self, ipc: int) -> Made:
        cfg = replace(self.cfg, distiller=replace(self.cfg.distiller, ipc=ipc))
        started = time.perf_counter()
        clients = distil(
            cfg,
            self.material.train,
            plan=self.plan,
            seed=self.job.seed,
            single_class=self.job.single_class,
        )
        seconds = time.perf_counter() - started
        # before the encoding, whose memory is not the distiller's
        return self.encoded(clients, ipc=ipc, seconds=seconds, peak=peak_bytes())

    def encoded(self, clients: Clients, *, ipc: int, seconds: float, peak: int) -> Made:
        default = self.plan.codec
        assert default is not None  # a bench's plan names one
        used = [part.codec or default for part in clients.sent]
        chosen = getattr(used[0], "cfg", None)
        pairs = zip(used, clients.sent, strict=True)
        return Made(
            parts=[codec.encode(part.synthetic) for codec, part in pairs],
            codec=chosen if isinstance(chosen, CodecConfig) else self.cfg.codec,
            resolution=getattr(used[0], "resolution", WHOLE),
            packing=packing_of(self.cfg.distiller, self.plan.feature_shape, self.plan.codec),
            seconds=seconds,
            peak_mb=peak / 1e6,
            base_mb=self.base / 1e6,
            ipc=ipc,
            withheld=clients.withheld,
            meta=clients.sent[0].synthetic.meta,
            clients=clients,
        )

    def equal(self, target: int) -> Made:
        """Return as many rows as take at most `target` bytes; of one per class, whatever it takes.

        Where one more row per class is too much, it comes for some of the classes.
        """

        def make(ipc: int) -> tuple[int, Made]:
            made = self.distilled(ipc)
            return made.bytes, made

        found = bracket_rows(make, target=target, start=self.cfg.distiller.ipc)
        fits, above = found.fits, found.above
        if above is None or (fits is not None and fits.bytes == target):
            assert fits is not None  # there was at least one try
            return fits.made
        trimmed = self._trimmed(above.made, target)
        if trimmed is not None and (fits is None or trimmed.bytes > fits.bytes):
            return trimmed
        return fits.made if fits else above.made

    def _trimmed(self, made: Made, target: int) -> Made | None:
        whole = made.clients
        assert whole is not None

        def without(count: int) -> Made:
            return self.encoded(
                fewer_rows(whole, count),
                ipc=made.ipc,
                seconds=made.seconds,
                peak=int(made.peak_mb * 1e6),
            )

        count = fewest_dropped(
            lambda count: without(count).bytes, most=whole.spare_rows, target=target
        )
        return None if count is None else without(count)

    def keep(self, part: SyntheticSet) -> None:
        """Leave the last good set of a failed distillation."""
        last = Clients(sent=(Distilled(synthetic=part, withheld=()),), withheld=())
        made = self.encoded(last, ipc=self.cfg.distiller.ipc, seconds=0.0, peak=self.base)
        made.save(Path(self.job.out + KEPT))


def work(job: Job) -> Made:
    """Do `job` and return what it made.

    Raises
    ------
    FddError
        If the data cannot be read, or the distiller refuses; its `kept`, if it has one, is left
        beside `job.out`.
    """
    cfg = job.cfg
    with threads(cfg.runtime.client_threads):
        material = load_material(cfg, holdout=job.holdout, limit=job.limit)
        plan = make_plan(cfg, material.dataset, job.seed, resolution=job.resolution)
        _warm_up()
        worker = _Worker(job=job, cfg=cfg, material=material, plan=plan, base=peak_bytes())
        try:
            if job.target_bytes:
                return worker.equal(job.target_bytes)
            return worker.distilled(cfg.distiller.ipc)
        except FddError as error:
            kept = getattr(error, "kept", None)
            if isinstance(kept, SyntheticSet):
                worker.keep(kept)
            raise


def _warm_up() -> None:
    """Take one optimiser step: torch's first one imports a compiler for seconds."""
    value = torch.zeros(1, requires_grad=True)
    value.sum().backward()
    torch.optim.Adam([value]).step()


def _leave(text: str) -> str:
    """Do the job in `text`, and return the file that holds what it made."""
    job = read_job(text)
    work(job).save(Path(job.out))
    return job.out


if __name__ == "__main__":
    sys.exit(answer(_leave))
