"""What the golden files hold, and how they were made; see golden/README.md.

    python -m tests.wire.golden_samples FOLDER

writes them anew with the code at hand. The committed ones are never written again: they are what
an older version sent and saved, and every later one must open them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, RecordDict
from flwr.common.serde import recorddict_to_proto

from fdd_flower.config import CodecConfig
from fdd_flower.distillers.base import Plan
from fdd_flower.ledger import Ledger
from fdd_flower.run_folder.rows import RoundRow
from fdd_flower.run_folder.saved_set import SavedSet, Source
from fdd_flower.schema import Normalisation
from fdd_flower.synthetic_set import SyntheticSet, concatenate
from fdd_flower.wire.codecs.base import CODECS, Tunable
from fdd_flower.wire.records import (
    ARRAYS,
    CONFIG,
    PEERS,
    Envelope,
    plan_record,
    refusal,
    reply,
    set_record,
)

CODECS_THEN = ("avif", "float16", "float32", "uint8", "webp")
IMAGE, TABLE = (1, 8, 8), (5,)
CLASSES = ("a", "b", "c")
NORMALISATION = Normalisation(mean=(0.25,), std=(0.5,))
ENVELOPE = Envelope(client="site 3", nonce="0123456789abcdef", round=2, seconds=1.5)
PLAN = Plan(
    round=2,
    seed=7,
    nonce="0123456789abcdef",
    classes=CLASSES,
    feature_shape=IMAGE,
    normalisation=NORMALISATION,
)
WEIGHTS = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.zeros(2, np.float32)}
ROW = RoundRow(
    round=2,
    accuracy=0.5,
    loss=1.25,
    replies=3,
    rejected=1,
    bytes_up=1000,
    bytes_down=20,
    seconds_distill_max=0.5,
    seconds_train=2.0,
    epsilon=None,
)


def part(shape: tuple[int, ...]) -> SyntheticSet:
    """Return four rows of slopes; the last has a soft target unless hard ones are all there is."""
    size = int(np.prod(shape))
    slopes = np.linspace(-1, 1, size, dtype=np.float32)
    inputs = np.stack([slopes, -slopes, slopes / 2, 1 - slopes]).reshape(4, *shape)
    return SyntheticSet(
        inputs=torch.from_numpy(inputs),
        targets=torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.2, 0.8, 0]]),
        weights=torch.tensor([1.0, 2.0, 3.0, 4.5]),
        meta={"distiller": "dm"},
    )


def merged() -> SavedSet:
    """Return a set that was merged from two."""
    return SavedSet(
        set=concatenate([part(IMAGE), part(IMAGE)]),
        classes=CLASSES,
        normalisation=NORMALISATION,
        sources=(Source(2, "a" * 64), Source(2, "b" * 64)),
    )


def parameters() -> ArrayRecord:
    """Return the parameters of a model of two layers' worth of arrays."""
    return ArrayRecord({name: Array(values) for name, values in WEIGHTS.items()})


def write(folder: Path) -> None:
    """Write one small file of each kind."""
    messages = {
        "plan": RecordDict({ARRAYS: parameters(), CONFIG: plan_record(PLAN)}),
        "plan-with-peers": RecordDict(
            {ARRAYS: parameters(), CONFIG: plan_record(PLAN), PEERS: _record("uint8", IMAGE)}
        ),
        "refusal": refusal("DistillError", ENVELOPE),
        "reply-parameters": reply(parameters(), ENVELOPE, {"num-examples": 40}),
    }
    for name in CODECS_THEN:
        messages[f"reply-{name}"] = reply(_record(name, IMAGE), ENVELOPE, {})
        messages[f"reply-{name}-table"] = reply(_record(name, TABLE), ENVELOPE, {})
    for name in ("avif", "webp"):
        half = CODECS.get(name)(CodecConfig(name=name))
        assert isinstance(half, Tunable)
        record = set_record(part(IMAGE), half.at_resolution(8))
        messages[f"reply-{name}-half"] = reply(record, ENVELOPE, {})
    for name, content in messages.items():
        data = recorddict_to_proto(content).SerializeToString(deterministic=True)
        (folder / f"{name}.bin").write_bytes(data)
    saved = SavedSet(set=part(IMAGE), classes=CLASSES, normalisation=NORMALISATION)
    (folder / "synthetic.safetensors").write_bytes(saved.to_bytes())
    (folder / "synthetic-1.1.safetensors").write_bytes(merged().to_bytes())
    Ledger(folder / "ledger").record(
        part(IMAGE), client="site 3", round=2, plan=PLAN.nonce, num_bytes=321
    )
    (folder / "rounds.jsonl").write_text(ROW.to_json() + "\n")


def _record(codec: str, shape: tuple[int, ...]) -> ArrayRecord:
    return set_record(part(shape), CODECS.get(codec)(CodecConfig(name=codec)))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
