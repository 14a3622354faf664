"""What is optimised, and what the server sees of it: unpacked and through the codec."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from fdd_flower.distillers.parts.packing import Packing
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.codecs.base import Codec

REFRESH = 10  # steps between two trips through the codec

Refit = Callable[[SyntheticSet, Codec], Codec]  # the codec for rows as they are by now


class Canvas:
    """Rows under optimisation, class after class.

    Parameters
    ----------
    rows
        One tensor (m, *feature_shape) a class, of packed rows.
    labels
        The class of each tensor in `rows`.
    num_classes
        Of the federation.
    packing
        How rows hold images.
    codec
        If given, `show` returns what the codec gives back; gradients pass straight through
        (arXiv:1308.3432).
    refit
        If given, is asked for the codec before each trip through it: rows that gain detail take
        more bytes, and their quality follows.
    """

    def __init__(
        self,
        rows: list[Tensor],
        labels: list[int],
        *,
        num_classes: int,
        packing: Packing | None = None,
        codec: Codec | None = None,
        refit: Refit | None = None,
    ) -> None:
        self.sizes = [len(part) for part in rows]
        self.labels, self.num_classes = labels, num_classes
        self.packing, self.codec, self._refit = packing or Packing(), codec, refit
        self.rows = torch.cat(rows).clone().requires_grad_()
        self._lost: list[Tensor] | None = None

    def show(self, part: int) -> Tensor:
        """Return the images that stand for class `part`, (m * packing.cells, *feature_shape)."""
        rows = self.rows.split(self.sizes)[part]
        if self._lost is not None:
            rows = rows + self._lost[part]
        return self.packing.images(rows)

    def show_all(self) -> Tensor:
        """Return the images of all classes, class after class."""
        return torch.cat([self.show(part) for part in range(len(self.sizes))])

    def targets(self) -> Tensor:
        """Return the class of each image of `show_all`: int64."""
        sizes = torch.tensor(self.sizes) * self.packing.cells
        return torch.tensor(self.labels).repeat_interleave(sizes).to(self.rows.device)

    @torch.no_grad()
    def through_codec(self, step: int) -> None:
        """Look again, every few steps, at what the codec makes of the rows."""
        if self.codec is None or step % REFRESH:
            return
        sent = self._as_set()
        if self._refit is not None:
            self.codec = self._refit(sent, self.codec)
        back = self.codec.decode(
            self.codec.encode(sent), feature_shape=sent.feature_shape, num_classes=self.num_classes
        )
        seen = back.inputs.to(sent.inputs.device)
        self._lost = list((seen - sent.inputs).split(self.sizes))

    def _as_set(self) -> SyntheticSet:
        labels = torch.tensor(self.labels).repeat_interleave(torch.tensor(self.sizes))
        targets = torch.nn.functional.one_hot(labels, self.num_classes).float()
        return SyntheticSet(
            inputs=self.rows.detach().contiguous(),
            targets=targets.to(self.rows.device),
            weights=self.rows.new_ones(len(labels)),
        )
