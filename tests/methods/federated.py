"""Rounds of a strategy that averages, client by client, with both halves as they ship."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import ArrayRecord, ConfigRecord, Context, RecordDict
from flwr.serverapp.strategy import Strategy

from fdd_flower.client.side import ClientSide
from fdd_flower.config import Config, LocalConfig, ModelConfig
from fdd_flower.data.base import Split
from fdd_flower.methods.base import STRATEGIES
from fdd_flower.rng import stream
from fdd_flower.server.grid import CountingGrid
from fdd_flower.server.side import RoundTally, ServerSide
from fdd_flower.wire.records import ARRAYS, reply
from tests.attacks.scene import MemoryLedger, envelope, message, plan
from tests.conftest import blobs

COUNTS = {"0": (30, 20, 10), "1": (8, 0, 25), "2": (0, 17, 4)}
LOCAL = LocalConfig(epochs=2, batch_size=16, learning_rate=0.05, momentum=0.9)


@dataclass(slots=True)
class Federation:
    """Three clients and one that never replies; a model that is one linear layer."""

    strategy_name: str
    local: LocalConfig = LOCAL
    counts: dict[str, tuple[int, ...]] = field(default_factory=lambda: dict(COUNTS))
    cfg: Config = field(init=False)
    strategy: Strategy = field(init=False)
    side: ServerSide = field(init=False)
    model: ArrayRecord = field(init=False)
    contexts: dict[str, Context] = field(init=False)
    data: dict[str, Split] = field(init=False)

    def __post_init__(self) -> None:
        base = Config()
        self.cfg = replace(
            base,
            strategy=replace(base.strategy, name=self.strategy_name),
            local=self.local,
            model=ModelConfig(name="logistic"),
        )
        ledger: Any = MemoryLedger()
        self.side = ServerSide(cfg=self.cfg, plan=plan(), ledger=ledger)
        self.strategy = STRATEGIES.get(self.strategy_name).server(self.side)
        self.model = ArrayRecord(self.side.new_model().state_dict())
        self.data = {k: blobs(counts=c, seed=int(k)) for k, c in self.counts.items()}
        self.contexts = {
            key: Context(
                run_id=1,
                node_id=int(key) + 1,
                node_config={"data-path": "/"},
                state=RecordDict(),
                run_config={},
            )
            for key in self.counts
        }

    def round(self, number: int) -> None:
        """Run one round and keep the new model."""
        self.side.tally = RoundTally()
        asked = self.strategy.configure_train(number, self.model, ConfigRecord(), _Nodes())  # type: ignore[arg-type]
        sent = next(iter(asked)).content[ARRAYS]
        assert isinstance(sent, ArrayRecord)
        answers = []
        for key, data in self.data.items():
            client = ClientSide(
                cfg=self.cfg,
                plan=replace(plan(), round=number),
                load=lambda data=data: data,
                client=key,
                context=self.contexts[key],
                arrays=sent,
            )
            arrays, numbers = STRATEGIES.get(self.strategy_name).client(client)
            content = reply(arrays, envelope(key, number), numbers)
            answers.append(message(content, int(key) + 1))
        arrays, _ = self.strategy.aggregate_train(number, answers)
        assert arrays is not None
        self.model = arrays

    def weights(self) -> np.ndarray:
        """Return the model as one vector: the layer's matrix, then its bias."""
        arrays = [self.model[name].numpy() for name in ("head.weight", "head.bias")]
        return np.concatenate([array.ravel() for array in arrays]).astype(np.float64)


class _Nodes:
    def get_node_ids(self) -> Sequence[int]:
        return [1, 2, 3, 4]


def batches(federation: Federation, client: str, round_: int) -> list[np.ndarray]:
    """Return the places of the records of every step of a client's round."""
    local, data = federation.local, federation.data[client]
    rng, found = stream(federation.cfg.seed, "local", client, round_), []
    for _ in range(local.epochs):
        order = torch.randperm(len(data), generator=rng).numpy()
        found += [order[i : i + local.batch_size] for i in range(0, len(data), local.batch_size)]
    return found


def gradient(weights: np.ndarray, data: Split, picked: np.ndarray) -> np.ndarray:
    """Return the gradient of the mean cross-entropy of a linear layer, as `weights` lie."""
    x = data.inputs.flatten(1).numpy().astype(np.float64)[picked]
    labels = data.labels.numpy()[picked]
    k, d = len(data.classes), x.shape[1]
    matrix, bias = weights[: k * d].reshape(k, d), weights[k * d :]
    logits = x @ matrix.T + bias
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(p)), labels] -= 1
    return np.concatenate([(p.T @ x).ravel(), p.sum(axis=0)]) / len(picked)


@contextmanager
def arriving_backwards() -> Iterator[None]:
    """Let the server see the last reply of each round first."""
    original = CountingGrid.send_and_receive

    def backwards(self: Any, *args: Any, **kwargs: Any) -> Any:
        return reversed(list(original(self, *args, **kwargs)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CountingGrid, "send_and_receive", backwards)
        yield
