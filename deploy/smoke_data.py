"""Write what the smoke test's machines would hold: two clients' records and the server's own.

Usage: python deploy/smoke_data.py FOLDER

The handwritten digits that come with scikit-learn, cut three ways without overlap: a.npz has
nine tenths of the digits 0 to 4 and a tenth of 5 to 9, b.npz the rest, test.npz a fifth of all.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits


def main(folder: Path) -> None:
    """Write the three archives into `folder`."""
    digits = load_digits()
    images = (digits.images * 15).astype(np.uint8)[:, None]  # (n, 1, 8, 8), from 0..16 to 0..240
    labels = digits.target.astype(np.int64)
    rng = np.random.default_rng(0)
    test = rng.random(len(labels)) < 0.2
    at_a = (labels < 5) ^ (rng.random(len(labels)) < 0.1)
    parts = {"test": test, "a": ~test & at_a, "b": ~test & ~at_a}
    for name, chosen in parts.items():
        np.savez(folder / f"{name}.npz", x=images[chosen], y=labels[chosen])
        counts = np.bincount(labels[chosen], minlength=10)
        print(f"{name}.npz: {chosen.sum()} records, by digit {' '.join(map(str, counts))}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
