"""TensorBoard: event files in the folder `tensorboard` of the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fdd_flower.config import Config
from fdd_flower.run_folder.rows import RoundRow, Summary
from fdd_flower.server.tracking.base import measures, tracked_settings

FOLDER = "tensorboard"


class TensorBoard:
    """Scalars by the names of `rounds.jsonl`; the settings and the status as text."""

    def __init__(self, cfg: Config, folder: Path, rows: Sequence[RoundRow]) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # of a resumed run all rounds are written again: a killed process may have left any of them
        self._writer = SummaryWriter(str(folder / FOLDER), purge_step=0 if rows else None)
        lines = [f"| {key} | {value} |" for key, value in tracked_settings(cfg).items()]
        self._writer.add_text("settings", "\n".join(["| key | value |", "|---|---|", *lines]), 0)
        for row in rows:
            self.round(row)

    def round(self, row: RoundRow) -> None:
        """Write a round, and wait until a reader can see it."""
        for name, value in measures(row).items():
            self._writer.add_scalar(name, value, row.round)
        self._writer.flush()

    def end(self, summary: Summary) -> None:
        """Write the other models' accuracy and the status."""
        for name, share in summary.accuracy_by_model.items():
            self._writer.add_scalar(f"accuracy_by_model/{name}", share, summary.rounds)
        self._writer.add_text("status", summary.status, summary.rounds)
        self._writer.close()


def open_tracker(cfg: Config, folder: Path, rows: Sequence[RoundRow]) -> TensorBoard:
    """Return the tracker of a run."""
    return TensorBoard(cfg, folder, rows)
