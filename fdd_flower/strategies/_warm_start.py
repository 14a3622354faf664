"""A client's own set of the round before: what the next round goes on from.

It is the set before the codec's loss, which the server never sees, and so cannot give back. It is
kept in Flower's client state, which ends with Flower's run, and where there is a folder for it
also in a file, which outlives client, server and run:

- in `state-dir`, if the node config names one;
- else, in simulation, in the folder of the run itself. That this is the same machine shows in the
  run's nonce, which the server left there: a server elsewhere can name a folder, not make one. A
  client with records of its own (`data-path`) does not use it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from flwr.app import ArrayRecord

from fdd_flower.distillers.base import Plan
from fdd_flower.errors import ConfigError, FddError
from fdd_flower.ledger import content_hash
from fdd_flower.report.files import write_atomic
from fdd_flower.report.run_dir import CLIENTS, NONCE, resolve
from fdd_flower.report.tensor_file import pack, unpack
from fdd_flower.strategies._log import say
from fdd_flower.strategies.base import ClientSide
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.records import to_array_record

KEY = "fdd-synthetic-set"
_PARTS = ("inputs", "targets", "weights")


class Memory:
    """What one client remembers of one run; it never leaves the client in this form."""

    def __init__(self, side: ClientSide) -> None:
        self._side = side
        self._folder = _state_folder(side)
        # the nonce comes from the server: as a hash it is no path
        name = hashlib.sha256(f"{side.plan.nonce}/{side.client}".encode()).hexdigest()[:32]
        self._stem = f"{name}-"

    def remember(self, part: SyntheticSet) -> None:
        """Keep `part` for the next round."""
        arrays = {name: getattr(part, name) for name in _PARTS}
        self._side.context.state[KEY] = to_array_record({k: v.numpy() for k, v in arrays.items()})
        if self._folder is None:
            return
        before = self._before()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            content = pack(arrays, {"sha256": content_hash(part)})
            write_atomic(self._file(self._side.plan.round), content)
            # A server that was killed asks for its last round again, and that starts from the
            # round before it; nobody asks for an earlier one.
            for old in before[:-1]:
                self._file(old).unlink(missing_ok=True)
        except OSError as error:
            say(
                f"client {self._side.client}: cannot write its state to {self._folder} "
                f"({error.strerror or error}); after a restart it will start anew"
            )

    def recall(self, plan: Plan) -> SyntheticSet | None:
        """Return the set of the last round before `plan.round`; None where there is none.

        Neither is there where it does not fit the plan, or its file is damaged: the client then
        starts anew, and says so.
        """
        before = self._before()
        part = self._read(before[-1]) if before else self._of_this_run()
        if part is None:
            return None
        fits = (part.feature_shape, part.num_classes) == (plan.feature_shape, len(plan.classes))
        return part if fits else None

    def _of_this_run(self) -> SyntheticSet | None:
        record = self._side.context.state.get(KEY)
        if not isinstance(record, ArrayRecord):
            return None
        inputs, targets, weights = (
            torch.from_numpy(record[name].numpy().copy()) for name in _PARTS
        )
        return SyntheticSet(inputs=inputs, targets=targets, weights=weights)

    def _read(self, round_: int) -> SyntheticSet | None:
        path = self._file(round_)
        try:
            tensors, facts = unpack(path)
            part = SyntheticSet(
                inputs=tensors["inputs"], targets=tensors["targets"], weights=tensors["weights"]
            )
            if content_hash(part) != facts["sha256"]:
                raise ValueError("its content is not what was written")
        except (FddError, KeyError, ValueError) as error:
            say(f"client {self._side.client}: starts anew, for {path} is damaged: {error}")
            return None
        return part

    def _before(self) -> list[int]:
        """Return the rounds before this one that left a file, in order."""
        if self._folder is None:
            return []
        numbers = [path.stem.removeprefix(self._stem) for path in
                   self._folder.glob(f"{self._stem}*.safetensors")]  # fmt: skip
        rounds = sorted(int(number) for number in numbers if number.isdecimal())
        return [number for number in rounds if number < self._side.plan.round]

    def _file(self, round_: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{self._stem}{round_}.safetensors"


def _state_folder(side: ClientSide) -> Path | None:
    node = side.context.node_config
    if "state-dir" in node:
        return Path(str(node["state-dir"]))
    if "data-path" in node:
        return None
    try:
        folder = resolve(side.cfg.output.dir, str(side.context.run_id)) / CLIENTS
        here = (folder / NONCE).read_text() == side.plan.nonce
    except (OSError, ValueError, ConfigError):
        return None
    return folder if here else None
