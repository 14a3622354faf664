"""Memory of one client that reads a folder of images, distils it, and of a server that tests on it.

    python benchmarks/image_memory.py FOLDER --images 20000 --size 160

Makes the folder if it is not there: two classes of noise in colour, as JPEG. Linux only: memory
that is the process's own (`RssAnon`) is told from pages of files, which the system drops when it
needs them.
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fdd_flower.config import DataConfig, DistillerConfig, ModelConfig
from fdd_flower.data import load_dataset
from fdd_flower.distillers.base import DISTILLERS, Plan
from fdd_flower.models import build_model
from fdd_flower.training.evaluation import evaluate

EVERY = 0.01  # seconds between two looks


class Peak(threading.Thread):
    """Looks how much memory of its own the process has; the most of it, in bytes, is `most`."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self.start()

    def run(self) -> None:
        while True:
            lines = Path("/proc/self/status").read_text().splitlines()
            own = next(line for line in lines if line.startswith("RssAnon"))
            self.most = max(self.most, 1024 * int(own.split()[1]))
            time.sleep(EVERY)


def make(folder: Path, images: int, size: int) -> None:
    """Write `images` JPEGs of noise, bright ones and dark ones."""
    rng = np.random.default_rng(0)
    for i in range(images):
        kind = ("bright", "dark")[i % 2]
        (folder / kind).mkdir(parents=True, exist_ok=True)
        coarse = rng.integers(100 * (1 - i % 2), 256 - 100 * (i % 2), (8, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((size, size))
        picture.save(folder / kind / f"{i}.jpg", quality=75)


def main() -> None:
    """Print the peak after each step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=160)
    options = parser.parse_args()
    if not options.folder.exists():
        make(options.folder, options.images, options.size)
    torch.set_num_threads(1)
    peak, started = Peak(), time.monotonic()

    def say(what: str) -> None:
        print(f"{what:24s} {peak.most / 2**30:5.2f} GiB, {time.monotonic() - started:4.0f} s")

    say("start")
    cfg = DataConfig(name="folder", path=str(options.folder.absolute()), image_size=options.size)
    data = load_dataset(cfg, seed=0)
    images = len(data.train) + len(data.test)
    each = int(np.prod(data.feature_shape))
    print(f"{images:,} images: {images * each / 2**30:.2f} GiB as bytes", end="")
    print(f", {4 * images * each / 2**30:.2f} as floats")
    say("read")
    share = data.split(data.train)
    say("a client's share")
    distiller = DistillerConfig(ipc=2, steps=10, networks=2)
    plan = Plan.of(data.schema, seed=0, run="memory")
    rng = torch.Generator().manual_seed(0)
    DISTILLERS.get("dm")(distiller).distill(share, plan=plan, start=None, rng=rng)
    say("distilled")
    model = build_model(
        ModelConfig(name="convnet"), feature_shape=data.feature_shape, num_classes=2, seed=0
    )
    evaluate(model, data.split(data.test))
    say("tested on")


if __name__ == "__main__":
    main()
