"""How long a client works on its release under each private mode, on one thread.

    python benchmarks/release_seconds.py --records 6000

Pictures are random: time does not follow what is on them. Whatever else the machine does
slows it down; so seconds of the processor count beside those of the clock.
"""

from __future__ import annotations

import argparse
import time

import torch

from fdd_flower.config import from_run_config
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import Plan
from fdd_flower.releases.base import RELEASES, release_of
from fdd_flower.releases.coding import pack
from fdd_flower.releases.terms import spend_of
from fdd_flower.schema import Normalisation

CLASSES = tuple("0123456789")


def main() -> None:
    """Print a row of Markdown for each mode."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=6_000)
    parser.add_argument("--shape", type=int, nargs=3, default=(1, 28, 28))
    parser.add_argument("--modes", nargs="+", default=RELEASES.names())
    given = parser.parse_args()
    torch.set_num_threads(1)
    print("| mode | numbers | networks | sum | noise | all, processor | all, clock |")
    print("|---|---|---|---|---|---|---|")
    for mode in given.modes:
        print(row(mode, given.records, tuple(given.shape)), flush=True)


def row(mode: str, records: int, shape: tuple[int, ...]) -> str:
    """Return a row: what a release of `records` pictures of 10 classes takes."""
    plan = Plan(
        round=1,
        seed=0,
        nonce="0" * 16,
        classes=CLASSES,
        feature_shape=shape,
        normalisation=Normalisation(mean=(0.5,) * shape[0], std=(0.25,) * shape[0]),
    )
    cfg = from_run_config({"privacy.mode": mode})
    sigma = spend_of(cfg).sigma
    inputs = torch.randn(records, *shape, generator=torch.Generator().manual_seed(0))
    data = Split(inputs=inputs, labels=torch.arange(records) % len(CLASSES), classes=CLASSES)
    clock, processor = time.perf_counter(), time.process_time()
    release = release_of(cfg, plan)
    total = release.sum(data)
    summed = time.process_time()
    coding = release.coding(sigma)
    sent = release.sent(total, sigma, coding)
    noised = time.process_time()
    pack(sent, coding.bits)
    ended, passed = time.process_time(), time.perf_counter() - clock
    return (
        f"| `{mode}` | {release.size:,} | {release.seeds} | {summed - processor:.1f} s | "
        f"{noised - summed:.1f} s | {ended - processor:.1f} s | {passed:.1f} s |"
    )


if __name__ == "__main__":
    main()
