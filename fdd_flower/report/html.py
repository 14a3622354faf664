"""The report of a run: one page that opens offline, made from the run's own files."""

from __future__ import annotations

from pathlib import Path

from fdd_flower.ledger import Ledger
from fdd_flower.report.page.channels import channels
from fdd_flower.report.page.columns import columns
from fdd_flower.report.page.elements import page
from fdd_flower.report.page.guide import guide
from fdd_flower.report.page.metrics import measures, per_class, per_client, thresholds
from fdd_flower.report.page.overview import facts, head, notes, settings, tiles
from fdd_flower.report.page.pictures import draw_missing, pictures
from fdd_flower.report.page.privacy import privacy
from fdd_flower.report.page.replies import rejected, scores
from fdd_flower.report.page.rounds import rounds
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.run_folder.load import load_run
from fdd_flower.run_folder.run_dir import LEDGER, REPORT


def write_report(run_dir: Path) -> Path:
    """Write `report.html` into the folder of a run, from the files there, and return its path.

    A picture that is not there yet is drawn first.

    Raises
    ------
    DataError
        If a file of the run is missing or broken.
    """
    run = load_run(run_dir)
    draw_missing(run)
    entries = Ledger(run_dir / LEDGER).entries()
    parts = [head(run), tiles(run), notes(run), guide(run), *pictures(run)]
    parts += [rounds(run), measures(run), per_class(run), per_client(run), thresholds(run)]
    parts += [rejected(entries), scores(entries)]
    parts += [*columns(run), channels(run), privacy(run), facts(run), settings(run)]
    text = page(f"{run.summary.strategy} on {run.summary.data}", *(part for part in parts if part))
    # a lone surrogate in a reason must not cost the report
    write_atomic(run_dir / REPORT, text.encode("utf-8", "replace"))
    return run_dir / REPORT
