"""Fashion-MNIST: clothes, 28x28 grey, 60,000 and 10,000 images (arXiv:1708.07747)."""

from __future__ import annotations

from pathlib import Path

from fdd_flower.config import DataConfig
from fdd_flower.data.archives.idx import NEEDED, read_first
from fdd_flower.data.base import SOURCES, Source
from fdd_flower.data.sources._download import download
from fdd_flower.data.sources.paths import download_folder, given_path
from fdd_flower.schema import Normalisation

# Where Debian's package dataset-fashion-mnist puts the files.
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@SOURCES.register("fashion-mnist")
def fashion_mnist(cfg: DataConfig) -> Source:
    """Return Fashion-MNIST: uint8 (n, 1, 28, 28).

    The IDX files lie in `cfg.path` or in its `FashionMNIST/raw`; without a path they come
    from Debian's package dataset-fashion-mnist or are downloaded once into
    `~/.fdd-flower/data`.

    Raises
    ------
    DataError
        If the files are absent and cannot be downloaded, or are damaged.
    """
    from torchvision.datasets import FashionMNIST

    root = given_path(cfg) if cfg.path else download_folder()
    debian = [] if cfg.path else [DEBIAN]
    splits = read_first([root, root / "FashionMNIST" / "raw", *debian])
    if splits is None:
        root = download(cfg, lambda folder: FashionMNIST(folder, download=True), needed=NEEDED)
        splits = read_first([root / "FashionMNIST" / "raw"])
        assert splits is not None
    train, test = splits
    return Source(
        train=train,
        test=test,
        classes=tuple(FashionMNIST.classes),
        normalisation=Normalisation(mean=(0.2860,), std=(0.3530,)),
    )
