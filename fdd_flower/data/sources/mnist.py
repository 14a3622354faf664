"""MNIST: handwritten digits, 28x28 grey, 60,000 and 10,000 images (torchvision's reader)."""

from __future__ import annotations

from fdd_flower.config import DataConfig
from fdd_flower.data.archives.idx import NEEDED, read_first
from fdd_flower.data.base import SOURCES, Source
from fdd_flower.data.sources._download import download
from fdd_flower.data.sources.paths import download_folder, given_path
from fdd_flower.schema import Normalisation


@SOURCES.register("mnist")
def mnist(cfg: DataConfig) -> Source:
    """Return MNIST: uint8 (n, 1, 28, 28).

    The IDX files lie in `cfg.path` or in its `MNIST/raw`; without a path they are
    downloaded once into `~/.fdd-flower/data`.

    Raises
    ------
    DataError
        If the files are absent and cannot be downloaded, or are damaged.
    """
    root = given_path(cfg) if cfg.path else download_folder()
    splits = read_first([root, root / "MNIST" / "raw"])
    if splits is None:
        from torchvision.datasets import MNIST

        root = download(cfg, lambda folder: MNIST(folder, download=True), needed=NEEDED)
        splits = read_first([root / "MNIST" / "raw"])
        assert splits is not None
    train, test = splits
    return Source(
        train=train,
        test=test,
        classes=tuple("0123456789"),
        normalisation=Normalisation(mean=(0.1307,), std=(0.3081,)),
    )
