"""FedAF's client term: it pulls rows towards all clients' mean logits."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from fdd_flower.distillers.parts.canvas import Canvas
from fdd_flower.distillers.parts.pipeline import Job
from fdd_flower.distillers.parts.trained import frozen
from fdd_flower.rng import stream
from fdd_flower.training.class_logits import sliced_wasserstein, unit_directions


class LogitTerm:
    """Distance of the rows' mean logits from those of all clients' records, class by class.

    FedAF's collaborative data condensation (arXiv:2404.18962): a sliced Wasserstein distance,
    between what the global model makes of the rows and `plan.guidance.logits`. A class that
    no client knows has no term; without logits there is none at all.
    """

    def __init__(self, job: Job, canvas: Canvas) -> None:
        self._canvas, self._wanted = canvas, dict[int, Tensor]()
        guidance = job.plan.guidance
        if guidance is None or guidance.logits is None or guidance.weight == 0:
            return
        assert job.plan.model is not None  # checked before work starts
        self._model = frozen(job.plan.model)
        self._weight, logits = guidance.weight, guidance.logits
        self._wanted = {
            place: logits.values[[label]]
            for place, label in enumerate(job.labels)
            if bool(logits.held[label])
        }
        self._directions = unit_directions(
            len(logits.held),
            guidance.projections,
            rng=stream(job.plan.seed, "projections", job.plan.round),
        ).to(job.device)

    def losses(self) -> Iterator[Tensor]:
        """Yield the weighted distance, a class at a time."""
        for part, wanted in self._wanted.items():
            found = self._model(self._canvas.show(part)).mean(dim=0, keepdim=True)
            yield self._weight * sliced_wasserstein(found, wanted, self._directions)
