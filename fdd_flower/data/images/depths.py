"""Pictures of several depths in one folder: what a user should know of their brightness."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fdd_flower.data.images.files import is_dicom, name_within
from fdd_flower.wording import many


class Depths:
    """Counts pictures by how they are brought to one scale."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # by whether it is DICOM, and whether it came as bytes: how many, the first of them
        self.found: dict[tuple[bool, bool], tuple[int, Path]] = {}
        self.brightest = 0.0  # of deep images that are no DICOM

    def add(self, path: Path, pixels: np.ndarray) -> None:
        """Count a picture as `read_image` gives it."""
        kind = (is_dicom(path), pixels.dtype == np.uint8)
        count, first = self.found.get(kind, (0, path))
        self.found[kind] = count + 1, first
        if kind == (False, False):
            self.brightest = max(self.brightest, float(pixels.max()))

    def notes(self) -> Iterator[str]:
        """Yield what was done with pictures of several depths, a line each."""
        bare, windowed = self.found.get((True, False)), self.found.get((True, True))
        if bare and windowed:
            yield (
                f"DICOM: {many(windowed[0], 'file')} shown through a window of its own, and "
                f"{many(bare[0], 'file')} without one, such as {self._name(bare)}, over the whole "
                "range of its bits: contrasts differ"
            )
        deep, plain = self.found.get((False, False)), self.found.get((False, True))
        if deep and plain:
            yield (
                f"{many(deep[0], 'image')} of more than 8 bits, such as {self._name(deep)}, beside "
                f"{plain[0]:,} of 8 bits: 65,535 is as bright as 255, and the brightest value of "
                f"them is {self.brightest:.0%} of that"
            )
        dicom = [one for one in (bare, windowed) if one]
        if dicom and (deep or plain):
            yield (
                f"{sum(count for count, _ in dicom):,} of DICOM, such as {self._name(dicom[0])}, "
                "beside other images: contrasts may differ"
            )

    def _name(self, kind: tuple[int, Path]) -> str:
        return name_within(self.root, kind[1])
