"""Milliseconds of a training step: plain, channels last, bfloat16, compiled, side by side.

python benchmarks/step_speed.py --models cnn,convnet --batch 64,128 --threads 1 \
    --out benchmarks/results/step-speed

Writes NAME.json and NAME.md. Variants take turns step by step, so that what else the machine does
meets all of them alike; the median step counts. What a variant costs before its first step is shown
beside it: it pays after as many steps as make up for that.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the field's customary name)

from fdd_flower.config import ModelConfig
from fdd_flower.models import build_model
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.run_folder.versions import versions

SHAPE, CLASSES = (1, 28, 28), 10
VARIANTS = ("plain", "channels-last", "bfloat16", "compiled")
Step = Callable[[], None]


def main() -> None:
    """Measure what the command line asks for."""
    asked = _arguments()
    torch.set_num_threads(asked.threads)
    rows = [
        row
        for name in asked.models
        for batch in asked.batch
        for row in _measure(name, batch, asked.steps)
    ]
    facts = {
        "threads": asked.threads,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "steps": asked.steps,
        "versions": versions(),
        "rows": rows,
    }
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(
        asked.out.with_name(asked.out.name + ".json"), (json.dumps(facts, indent=1) + "\n").encode()
    )
    text = _markdown(facts)
    write_atomic(asked.out.with_name(asked.out.name + ".md"), text.encode())
    print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--models", type=lambda text: text.split(","), default=["cnn", "convnet"])
    parser.add_argument("--batch", type=lambda t: [int(n) for n in t.split(",")], default=[64, 128])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="path of the files, no ending")
    return parser.parse_args()


def _measure(name: str, batch: int, steps: int) -> list[dict[str, Any]]:
    made: dict[str, Step] = {}
    first: dict[str, float] = {}
    for variant in VARIANTS:
        started = time.perf_counter()
        made[variant] = _step(name, batch, variant)
        made[variant]()
        first[variant] = time.perf_counter() - started
    spent: dict[str, list[float]] = {variant: [] for variant in VARIANTS}
    for _ in range(steps):
        for variant, step in made.items():
            started = time.perf_counter()
            step()
            spent[variant].append(time.perf_counter() - started)
    return [
        {
            "model": name,
            "batch": batch,
            "variant": variant,
            "ms": round(1000 * statistics.median(spent[variant]), 1),
            "first_s": round(first[variant], 2),
        }
        for variant in VARIANTS
    ]


def _step(name: str, batch: int, variant: str) -> Step:
    model = build_model(ModelConfig(name=name), feature_shape=SHAPE, num_classes=CLASSES, seed=0)
    inputs, labels = torch.randn(batch, *SHAPE), torch.randint(CLASSES, (batch,))
    if variant == "channels-last":
        model = model.to(memory_format=torch.channels_last)
        inputs = inputs.to(memory_format=torch.channels_last)
    adam = torch.optim.AdamW(model.parameters(), lr=1e-3)
    run = torch.compile(model) if variant == "compiled" else model

    def step() -> None:
        half = torch.autocast("cpu", torch.bfloat16) if variant == "bfloat16" else nullcontext()
        with half:
            loss = F.cross_entropy(run(inputs), labels)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()

    return step


def _markdown(facts: dict[str, Any]) -> str:
    lines = [
        f"Median milliseconds of a training step over {facts['steps']} steps, 28x28 images, "
        f"{facts['threads']} threads, {facts['machine']}.",
        "",
        "| model | batch | variant | ms per step | s before and in the first step |",
        "|:--|--:|:--|--:|--:|",
    ]
    lines += [
        f"| {r['model']} | {r['batch']} | {r['variant']} | {r['ms']:.1f} | {r['first_s']:.2f} |"
        for r in facts["rows"]
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
