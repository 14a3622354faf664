"""Twenty classes of Tiny ImageNet at 32x32: a second set of photographs beside CIFAR-10.

    python benchmarks/tiny_imagenet.py tiny-imagenet-200 tiny20.npz

The folder is that of http://cs231n.stanford.edu/tiny-imagenet-200.zip (64x64 pictures of ImageNet,
for research only). Takes every tenth class by WordNet number, and averages pixels two by two. The
archive has the 500 training pictures per class, and the 50 validation pictures as its test split.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

EVERY, SIDE = 10, 32


def main() -> None:
    """Read the folder, and write the archive."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    notes = args.folder / "val" / "val_annotations.txt"
    if not (args.folder / "train").is_dir() or not notes.is_file():
        wanted = f"expected tiny-imagenet-200, with train/ and val/{notes.name}"
        raise SystemExit(f"{args.folder}: {wanted}")
    folders = (args.folder / "train").iterdir()
    names = sorted(path.name for path in folders if path.is_dir())[::EVERY]
    train = [(path, name) for name in names for path in _pictures(args.folder / "train" / name)]
    tests = [line.split("\t")[:2] for line in notes.read_text().splitlines()]
    test = [(args.folder / "val" / "images" / file, name) for file, name in tests if name in names]
    x, y = _read(train, names)
    x_test, y_test = _read(test, names)
    np.savez(args.out, x=x, y=y, x_test=x_test, y_test=y_test)
    print(f"{args.out}: {len(x)} and {len(x_test)} pictures of {len(names)} classes")


def _pictures(folder: Path) -> list[Path]:
    return sorted((folder / "images").glob("*.JPEG"))


def _read(files: Iterable[tuple[Path, str]], names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    pictures, labels = [], []
    for path, name in files:
        with Image.open(path) as picture:
            small = picture.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
        pictures.append(np.asarray(small).transpose(2, 0, 1))
        labels.append(names.index(name))
    return np.stack(pictures), np.array(labels)


if __name__ == "__main__":
    main()
