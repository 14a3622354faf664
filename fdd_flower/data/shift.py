"""Feature shift: the same classes seen through other cameras, one per client."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from fdd_flower.data.base import Records
from fdd_flower.errors import ConfigError
from fdd_flower.rng import numpy_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """What becomes of an image, in this order.

    Attributes
    ----------
    turns
        Quarter turns, counter-clockwise.
    inverted
        Whether light and dark change places.
    blur
        Standard deviation of a Gaussian blur, in 28ths of the image's height; 0: none.
    noise
        Standard deviation of added Gaussian noise, images being in [0, 1].
    """

    turns: int = 0
    inverted: bool = False
    blur: float = 0.0
    noise: float = 0.0


# Client k sees the world in way k, counted on from the first one after the last.
SHIFTS = (
    Shift(),
    Shift(turns=1),
    Shift(turns=2),
    Shift(turns=3),
    Shift(inverted=True),
    Shift(turns=1, inverted=True),
    Shift(blur=1.0),
    Shift(blur=2.0),
    Shift(noise=0.1),
    Shift(noise=0.2),
)


def shifted(records: Records, client: int, *, seed: int) -> Records:
    """Return the records of `client` in its way; the noise is drawn by `seed` and client.

    Raises
    ------
    ConfigError
        If they are no square images.
    """
    _check(records)
    rng = numpy_stream(seed, "shift", client)
    shift = SHIFTS[client % len(SHIFTS)]
    return replace(records, inputs=_apply(records.inputs, shift, rng=rng))


def shifted_in_turn(records: Records, *, seed: int) -> Records:
    """Return records of which every way has an equal share, at random.

    Raises
    ------
    ConfigError
        If they are no square images.
    """
    _check(records)
    rng = numpy_stream(seed, "shift", "test")
    way, inputs = rng.permutation(len(records)) % len(SHIFTS), records.inputs.copy()
    for place, shift in enumerate(SHIFTS):
        inputs[way == place] = _apply(inputs[way == place], shift, rng=rng)
    return replace(records, inputs=inputs)


def _apply(images: np.ndarray, shift: Shift, *, rng: np.random.Generator) -> np.ndarray:
    """Return images (n, c, s, s) of the same type."""
    white = _white(images)
    x = np.rot90(images, shift.turns, axes=(2, 3))
    if shift.inverted:
        x = white - x
    if shift.blur and len(x):
        x = _blurred(np.ascontiguousarray(x), shift.blur * x.shape[2] / 28)
    if shift.noise:
        x = x + white * shift.noise * rng.standard_normal(x.shape)
    x = np.clip(x, 0, white)
    return np.ascontiguousarray((np.rint(x) if white == 255 else x).astype(images.dtype))


def _white(images: np.ndarray) -> int:
    return 255 if images.dtype == np.uint8 else 1


def _blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    from torchvision.transforms.functional import gaussian_blur

    size = 2 * round(3 * sigma) + 1  # beyond three deviations there is next to nothing
    size = min(size, 2 * ((images.shape[2] - 1) // 2) + 1)  # what can be reflected at the border
    return gaussian_blur(torch.from_numpy(images).float(), [size, size], [sigma, sigma]).numpy()


def _check(records: Records) -> None:
    x = records.inputs
    square = x.ndim == 4 and x.shape[2] == x.shape[3]
    if not square or x.min(initial=0) < 0 or x.max(initial=0) > _white(x):
        raise ConfigError(
            "partition.shift",
            expected="square images from black to white, as uint8 or in [0, 1]",
            got=f"{x.dtype} records of shape {x.shape[1:]} from {x.min():g} to {x.max():g}",
            remedy="Leave partition.shift at none for these records.",
        )
