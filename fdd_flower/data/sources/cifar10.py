"""CIFAR-10: 32x32 colour, 50,000 and 10,000 images of 10 classes (torchvision's reader)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fdd_flower.config import DataConfig
from fdd_flower.data.base import SOURCES, Records, Source
from fdd_flower.data.sources._download import download
from fdd_flower.data.sources.paths import download_folder, given_path
from fdd_flower.schema import Normalisation

NEEDED = "cifar-10-batches-py, as the Python version of CIFAR-10 unpacks"


@SOURCES.register("cifar10")
def cifar10(cfg: DataConfig) -> Source:
    """Return CIFAR-10: uint8 (n, 3, 32, 32).

    `cifar-10-batches-py` lies in `cfg.path`; without a path it is downloaded once into
    `~/.fdd-flower/data`.

    Raises
    ------
    DataError
        If the files are absent, or differ from the published checksums, and cannot be
        downloaded.
    """
    from torchvision.datasets import CIFAR10

    root = given_path(cfg) if cfg.path else download_folder()
    try:
        CIFAR10(root, train=False)
    except RuntimeError:
        root = download(cfg, lambda folder: CIFAR10(folder, download=True), needed=NEEDED)
    train, names = _read(root, train=True)
    test, _ = _read(root, train=False)
    return Source(
        train=train,
        test=test,
        classes=names,
        normalisation=Normalisation(mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)),
    )


def _read(root: Path, *, train: bool) -> tuple[Records, tuple[str, ...]]:
    from torchvision.datasets import CIFAR10

    data = CIFAR10(root, train=train)
    records = Records(
        # torchvision holds the channels last.
        inputs=np.ascontiguousarray(data.data.transpose(0, 3, 1, 2)),
        labels=np.array(data.targets, dtype=np.int64),
    )
    return records, tuple(data.classes)
