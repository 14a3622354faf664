"""Kernel ridge regression: rows and labels on which a ridge regression fits the records."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.distillers.objectives.kernel import KernelTerm
from fdd_flower.distillers.parts.optimise import optimise
from fdd_flower.distillers.parts.pipeline import Job, Pipeline, Rows


@DISTILLERS.register("krr")
class KernelRidge(Pipeline):
    """Kernel inducing points over pools of networks: KIP, RFAD or FRePo, by settings.

    Minimises, over rows and their labels, the squared residual on the client's records of ridge
    regression on the rows. `distiller.embedder = random` uses seeded networks (RFAD,
    arXiv:2210.12067), `trained` and `global` partly trained ones (FRePo, arXiv:2206.00719).

    Differs from the papers: KIP (arXiv:2107.13034) takes the network's infinite-width kernel, here
    the kernel is that of finite features, so that all records enter through two sums per network
    that are computed once. Learned labels are probabilities of which the row's own class keeps at
    least half, so that they can be sent, and a row never changes class; the papers' are any
    numbers. FRePo trains its networks on the rows in turn, here they are fixed. Each class counts
    alike, however many records it has. The penalty is relative to the kernel's mean eigenvalue.

    With `distiller.peers` the other clients' rows stand in the support with their labels, and are
    records too, each class with the same weight; a class that both have counts half from each.
    Then rows of a client with one class leave to the other classes what is theirs.
    """

    joint = True
    ignores: ClassVar[tuple[str, ...]] = ("labels", "group_size")

    def _rows(self, job: Job) -> Rows:
        canvas = job.canvas(job.first_rows())
        kernel = KernelTerm(job, job.views(), canvas)
        optimise(canvas, kernel.losses, job.cfg, clock=job.clock, extra=[kernel.logits])
        return replace(job.found(canvas), targets=kernel.targets())
