"""DynaFed: averaged models, fine-tuned on rows that the server distils from their path."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg
from torch import Tensor

from fdd_flower.client.averaging import average_client
from fdd_flower.config import Config
from fdd_flower.device import moved, on_host
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import ConfigError
from fdd_flower.methods._trajectory import rows_of_path, tune
from fdd_flower.methods._virtual_data import noise_rows
from fdd_flower.methods.base import STRATEGIES, Method
from fdd_flower.models.base import Network
from fdd_flower.progress_log import say
from fdd_flower.rng import stream
from fdd_flower.server.averaging import guarded
from fdd_flower.server.side import ServerSide
from fdd_flower.synthetic_set import SyntheticSet

ROWS, PATH = "rows", "path"


class FromTrajectory(FedAvg):
    """DynaFed (CVPR 2023, arXiv:2211.10878): clients are those of FedAvg, and send no more.

    The server keeps the global models of the first `dynafed.rounds` rounds, distils rows whose
    training follows them (trajectory matching), and fine-tunes every later global model on these
    rows. So it takes no data of its own, and nothing of the rows leaves it.

    Differs from the paper, as far as its abstract and method say: labels are hard and stay so; rows
    start from noise; the path has one model per round; the rows are found once.
    """

    side: ServerSide

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.path: list[dict[str, Tensor]] = []  # parameters, until there are rows
        self.rows: Tensor | None = None

    def state(self) -> dict[str, Tensor]:
        """Return the path so far, or the rows."""
        if self.rows is not None:
            return {ROWS: self.rows}
        return {
            f"{PATH}/{place}/{name}": value
            for place, weights in enumerate(self.path)
            for name, value in weights.items()
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take up the path, or the rows."""
        self.rows = state.get(ROWS)
        if self.rows is not None:
            self.side.merged = self._set()
        for key, value in state.items():
            if key.startswith(PATH):
                _, place, name = key.split("/", 2)
                self.path += [{} for _ in range(int(place) + 1 - len(self.path))]
                self.path[int(place)][name] = value

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Remember where the path begins."""
        if not self.path and self.rows is None:
            self.path.append(self._parameters(arrays))
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Average; follow the path for some rounds, then fine-tune on what it gave."""
        arrays, metrics = super().aggregate_train(server_round, replies)
        if arrays is None:
            return arrays, metrics
        cfg, model, started = self.side.cfg.dynafed, self.side.new_model(), time.monotonic()
        model.load_state_dict(arrays.to_torch_state_dict())
        if self.rows is None:
            self.path.append(self._parameters(arrays))
            if len(self.path) <= cfg.rounds:
                return arrays, metrics
            self.rows = self._follow(server_round, model)
            self.path = []
            self.side.merged = self._set()
        rng = stream(self.side.cfg.seed, "tuning", server_round)
        tune(model, moved(self._set(), self.side.device), rng=rng)
        self.side.tally.seconds_train = time.monotonic() - started
        return ArrayRecord(model.state_dict()), metrics

    def _follow(self, server_round: int, model: Network) -> Tensor:
        """Return rows that lead a model along the path."""
        side = self.side

        def progress(done: int, total: int) -> None:
            if done % max(1, total // 10) == 0:
                say(
                    f"round {server_round}: distilling the path of {len(self.path)} global models, "
                    f"step {done}/{total}"
                )

        rng = stream(side.cfg.seed, "trajectory")
        begin, path = moved((self._set(), self.path), side.device)
        return on_host(rows_of_path(begin, model, path, rng=rng, progress=progress).inputs)

    def _set(self) -> SyntheticSet:
        """Return the rows; noise where there are none yet."""
        plan, rng = self.side.plan, stream(self.side.cfg.seed, "trajectory", "start")
        each = self.side.cfg.dynafed.ipc
        rows = noise_rows(plan.feature_shape, len(plan.classes), each, rng=rng)
        if self.rows is None:
            return rows
        return SyntheticSet(inputs=self.rows, targets=rows.targets, weights=rows.weights)

    def _parameters(self, arrays: ArrayRecord) -> dict[str, Tensor]:
        names = [name for name, _ in self.side.new_model().named_parameters()]
        found = arrays.to_torch_state_dict()
        return {name: torch.as_tensor(found[name]).clone() for name in names}


def check(cfg: Config, plan: Plan, model: Network) -> None:
    """Check that the run has rounds left to fine-tune in, and a path to follow.

    Raises
    ------
    ConfigError
        If it has not.
    """
    own = cfg.dynafed
    if cfg.num_server_rounds < own.rounds:
        raise ConfigError(
            "dynafed.rounds",
            expected=f"at most num-server-rounds = {cfg.num_server_rounds}",
            got=own.rounds,
            remedy="Lower it, or run more rounds.",
        )


STRATEGIES.register("dynafed")(
    Method(
        server=lambda side: guarded(FromTrajectory, side),
        client=average_client,
        distils=False,
        uses=(),
        check=check,
    )
)
