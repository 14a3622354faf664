"""A folder of images: a sub-folder for each class, or a table that says the class of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.alone.listing import images_alone
from fdd_flower.data.base import SOURCES, Agreed, Records, Source, refuse
from fdd_flower.data.images.listing import Item, listing
from fdd_flower.data.images.many import read_images
from fdd_flower.data.sources.paths import given_path


@SOURCES.register("folder")
def folder(cfg: DataConfig, *, agreed: Agreed | None = None) -> Source:
    """Return images (n, 3, s, s), or (n, 1, s, s) if all are grey; see `listing`, `read_images`.

    Records of a validation split are training records where there is a test split, and the test
    split where there is none.

    Parameters
    ----------
    agreed
        Given, each image to train on is read alone, as float32; see `images_alone`.

    Raises
    ------
    DataError
        If classes cannot be told, one is empty, or images cannot be read.
    """
    root = given_path(cfg)
    if not root.is_dir():
        raise refuse(
            f"data.path {root}",
            expected="a folder of images",
            got="a file",
            remedy="Unpack it, and name the folder.",
        )
    if agreed is None:
        found = listing(root, label=cfg.label)
        tested, notes = _tested(found.items), found.notes
        train = [item for item in found.items if item not in tested]
        test = [item for item in found.items if item in tested]
    else:
        train, test, notes = images_alone(root, label=cfg.label), [], ()
    labels = [item.label for item in (*train, *test)]
    classes = sorted(set(labels))
    numbers = np.array([classes.index(name) for name in labels], dtype=np.int64)
    depths: list[str] = []
    inputs = read_images(
        root,
        [item.path for item in (*train, *test)],
        (cfg.image_size, cfg.image_size),
        channels=None if agreed is None else agreed.feature_shape[0],
        deep=agreed is not None,
        resize=cfg.resize,
        ground=cfg.ground,
        notes=depths if agreed is None else None,
    )
    cut = len(train)
    return Source(
        train=Records(inputs=inputs[:cut], labels=numbers[:cut]),
        test=Records(inputs=inputs[cut:], labels=numbers[cut:]) if test else None,
        classes=tuple(classes),
        notes=(*notes, *depths),
    )


def _tested(items: Sequence[Item]) -> set[Item]:
    """Return the items of the split to test on: `test`, or else `val` beside `train`."""
    counts = Counter(item.part for item in items)
    wanted = "test" if counts["test"] else "val"
    if not counts["train"]:
        return set()
    return {item for item in items if item.part == wanted}
