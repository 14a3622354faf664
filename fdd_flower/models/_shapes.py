"""What the image families check before they build."""

from __future__ import annotations

from fdd_flower.errors import ConfigError


def image_shape(
    feature_shape: tuple[int, ...], *, family: str, smallest: int, instead: str
) -> tuple[int, int, int]:
    """Return `feature_shape` as (channels, height, width).

    Parameters
    ----------
    family
        Name of the model that asks, for the message.
    smallest
        Pixels that height and width must at least have.
    instead
        The family to name to the user whose images are smaller than that.

    Raises
    ------
    ConfigError
        If one input is not an image, or is too small.
    """
    image = len(feature_shape) == 3
    if image and min(feature_shape[1:]) >= smallest:
        return feature_shape[0], feature_shape[1], feature_shape[2]
    raise ConfigError(
        "model.name",
        expected=f"images of at least {smallest}x{smallest} for {family}",
        got=f"{family} with inputs of shape {tuple(feature_shape)}",
        remedy=f"Choose {instead}." if image else "Choose mlp or logistic, or auto.",
    )


def shrinking(side: int) -> int:
    """Return by how much a side of so many pixels shrinks at once, so that at most 63 are left.

    >>> [shrinking(side) for side in (28, 32, 63, 64, 160, 224)]
    [1, 1, 1, 2, 5, 7]
    """
    return max(1, side // 32)
