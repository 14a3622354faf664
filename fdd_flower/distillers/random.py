"""Real records drawn at random: the baseline that a distiller must beat at equal bytes."""

from __future__ import annotations

from typing import ClassVar

from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.parts.pipeline import Job, Pipeline, Rows
from fdd_flower.distillers.parts.start import real_images


@DISTILLERS.register("random")
class RandomRecords(Pipeline):
    """Sends real records as they are: only for public data, never for private ones.

    The random coreset that condensation is compared with (DC, arXiv:2006.05929). Differs: a row
    may hold several records (`distiller.packing`), and a class gives no more than one for each
    `distiller.min-records` of its records.
    """

    sends_real: ClassVar[bool] = True

    def _rows(self, job: Job) -> Rows:
        return Rows(
            [
                job.packed(real_images(part, job.images(part), rng=job.rng(part)))
                for part in job.parts
            ]
        )
