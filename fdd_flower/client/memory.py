"""What a client remembers of a run from one round to the next.

It is kept in Flower's client state, which ends with Flower's run, or where there is a folder for it
in a file, which outlives client, server and run:

- in `state-dir`, if the node config names one;
- else, in simulation, in the folder of the run itself. That this is the same machine shows in the
  run's nonce, which the server left there: a server elsewhere can name a folder, not make one. A
  client with records of its own (`data-path`) does not use it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from flwr.app import ArrayRecord
from torch import Tensor

from fdd_flower.client.side import ClientSide
from fdd_flower.device import on_host
from fdd_flower.errors import ConfigError, FddError
from fdd_flower.progress_log import say
from fdd_flower.run_folder.files import sync_folder, write_atomic
from fdd_flower.run_folder.run_dir import CLIENTS, NONCE, resolve
from fdd_flower.run_folder.tensor_file import pack, unpack
from fdd_flower.wire.records import to_array_record

SUFFIX = ".safetensors"


def _digest(tensors: Mapping[str, Tensor]) -> str:
    return hashlib.sha256(pack(tensors)).hexdigest()


class Memory:
    """Tensors that one client remembers of one run; they never leave the client in this form.

    Parameters
    ----------
    key
        Their place in Flower's client state.
    digest
        Of the tensors, by which a damaged file is known; what it raises is damage too.
    """

    def __init__(
        self,
        side: ClientSide,
        key: str,
        digest: Callable[[Mapping[str, Tensor]], str] = _digest,
    ) -> None:
        self._side, self._key, self._digest = side, key, digest
        # the nonce comes from the server: as a hash it is no path
        name = hashlib.sha256(f"{side.plan.nonce}/{side.client}".encode()).hexdigest()[:32]
        folder = state_folder(side)
        # one folder per client: no client looks through the files of a thousand others
        self._folder = None if folder is None else folder / name

    def remember(self, tensors: Mapping[str, Tensor]) -> None:
        """Keep `tensors` for the next round."""
        if self._folder is not None:
            try:
                self._write(self._folder, tensors)
                return
            except OSError as error:
                say(
                    f"client {self._side.client}: cannot write its state to {self._folder} "
                    f"({error.strerror or error}); after a restart it will start from scratch"
                )
        arrays = {name: on_host(tensor).numpy() for name, tensor in tensors.items()}
        self._side.context.state[self._key] = to_array_record(arrays)

    def _write(self, folder: Path, tensors: Mapping[str, Tensor]) -> None:
        before = self._before()
        if not before:
            folder.mkdir(parents=True, exist_ok=True)
            sync_folder(folder.parent)
        content = pack(tensors, {"sha256": self._digest(tensors)})
        write_atomic(self._file(self._side.plan.round), content)
        # A server that was killed asks for its last round again, and that starts from the
        # round before it; nobody asks for an earlier one.
        for old in before[:-1]:
            self._file(old).unlink(missing_ok=True)

    def recall(self) -> dict[str, Tensor] | None:
        """Return what was kept in the last round before this one; None where there is nothing.

        Nor is there where its file is damaged: the client then starts from scratch, and says so.
        """
        before = self._before()
        return self._read(before[-1]) if before else self._of_this_run()

    def _of_this_run(self) -> dict[str, Tensor] | None:
        record = self._side.context.state.get(self._key)
        if not isinstance(record, ArrayRecord):
            return None
        return {name: torch.from_numpy(array.numpy().copy()) for name, array in record.items()}

    def _read(self, round_: int) -> dict[str, Tensor] | None:
        path = self._file(round_)
        try:
            tensors, facts = unpack(path)
            if self._digest(tensors) != facts["sha256"]:
                raise ValueError("its content is not what was written")
        except (FddError, KeyError, ValueError) as error:
            say(f"client {self._side.client}: starts from scratch: {path} is damaged: {error}")
            return None
        return tensors

    def _before(self) -> list[int]:
        """Return the rounds before this one that left a file, in order."""
        if self._folder is None:
            return []
        numbers = [path.stem for path in self._folder.glob(f"*{SUFFIX}")]
        rounds = sorted(int(number) for number in numbers if number.isdecimal())
        return [number for number in rounds if number < self._side.plan.round]

    def _file(self, round_: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{round_}{SUFFIX}"


def state_folder(side: ClientSide) -> Path | None:
    """Return the folder of what clients remember; None: they have Flower's client state alone."""
    node = side.context.node_config
    if "state-dir" in node:
        return Path(str(node["state-dir"]))
    return None if "data-path" in node else simulated_folder(side)


def simulated_folder(side: ClientSide) -> Path | None:
    """Return the folder of the run for its clients; None: it does not run on this machine."""
    try:
        folder = resolve(side.cfg.output.dir, str(side.context.run_id)) / CLIENTS
        here = (folder / NONCE).read_text() == side.plan.nonce
    except (OSError, ValueError, ConfigError):
        return None
    return folder if here else None
