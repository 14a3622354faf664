"""The k-means centres of each class: a baseline in which every image is a mean of records."""

from __future__ import annotations

from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.parts.pipeline import Job, Pipeline, Rows


@DISTILLERS.register("kmeans")
class KMeansCentres(Pipeline):
    """Sends each class's k-means centres, none of fewer than `min_records` records.

    Lloyd's algorithm (IEEE Trans. Inf. Theory 28, 1982) from k-means++ seeds (Arthur and
    Vassilvitskii, SODA 2007), as scikit-learn has them: one start, in the model's input space.
    Differs: a cluster of fewer than `min_records` joins the nearest other centres, and the largest
    are then halved for as long as both halves have enough. Where clusters are too uneven for as
    many, or time is short, means of equal groups.
    """

    def _rows(self, job: Job) -> Rows:
        turns = job.clock.turns(len(job.parts), job.clock.ends)
        pairs = zip(job.parts, turns, strict=True)
        return Rows([job.fresh_rows(part, "kmeans", until=turn) for part, turn in pairs])
