"""The set of a run of one's own, attacked by who holds the records that were in."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from fdd_flower.audit.jobs import draw_nearest
from fdd_flower.audit.judge import judge
from fdd_flower.audit.outcome.roc import draw_roc
from fdd_flower.audit.outcome.rows import Finding, Outcome
from fdd_flower.audit.protocol import NATURAL, Canaries, Known, at, thinned
from fdd_flower.audit.released.rows import Rows
from fdd_flower.audit.run import CURVES, write
from fdd_flower.audit.targets import Target
from fdd_flower.data import load_own
from fdd_flower.data.base import Split, refuse
from fdd_flower.data.tables.files import SUFFIXES, ending
from fdd_flower.distillers.base import Plan, declares
from fdd_flower.results.train import kept_set, test_split
from fdd_flower.run_folder.load import Run
from fdd_flower.wire.codecs.base import build_codec

MOST = 2000  # records that were in, and as many that were not
OWN = ("folder", "hub", "npz", "series", "table")  # sources that read what a path names


def audit_run(run: Run, records: Path, folder: Path) -> Outcome:
    """Attack the merged set of `run`; the test records of the run stand for all who were not in.

    No coin decided who was in, so there is no bound of epsilon: records that differ from the test
    records for any other reason are told apart too.

    Parameters
    ----------
    records
        A file or folder of records that were in, in the form that clients of the run have it. For
        a run on a bundled data set: an archive, a table, or a folder of images.

    Raises
    ------
    DataError
        If the run has no set, or records cannot be read or do not fit it.
    """
    begun = time.monotonic()
    part, schema, cfg = kept_set(run).set, run.schema, run.config
    assert schema is not None  # a run with a set has one
    members = load_own(
        replace(cfg.data, name=_source(cfg.data.name, records)),
        path=str(records.expanduser().absolute()),
        classes=schema.classes,
        feature_shape=schema.feature_shape,
        normalisation=schema.normalisation,
        columns=schema.columns,
        label=schema.label,
        channels=schema.channels,
        rate=schema.rate,
    )
    others, reference = _halves(test_split(run, cfg), seed=cfg.seed)
    count = min(len(members), len(others), MOST)
    if count < 10:
        raise refuse(
            "records",
            expected="at least 10 that were in, and 20 test records in the run",
            got=f"{len(members)} and {len(others) + len(reference)}",
            remedy="Give more records: from so few nothing follows.",
        )
    drawn = _side_by_side(thinned(members, count, seed=1), thinned(others, count, seed=2))
    codec = build_codec(cfg.codec, schema.feature_shape)
    plan = Plan.of(schema, seed=cfg.seed, run="audit", round_=run.summary.rounds, codec=codec)
    known = Known(cfg=cfg, plan=plan, reference=reference)
    release = Rows(part, known)
    sends_real = declares(cfg.distiller.name, "sends_real")
    target = Target(name="run", release=lambda *_: release, sends_real=sends_real)
    judged = judge(target, release, drawn, known, members=members)
    nearest = judged.scores["nearest"]
    finding = Finding(
        name="run",
        seed=cfg.seed,
        seconds=time.monotonic() - begun,
        rows=len(part),
        scores=judged.scores,
        best=judged.best,
        epsilon=None,
        epsilon_interval=None,
        nearest_auc=nearest.auc,
        copies=judged.copies,
        copies_embedded=judged.copies_embedded,
        flags=judged.flags,
    )
    about = {"run": str(run.path), "records": str(records), "members": count, "others": count}
    outcome = Outcome(about=about, findings=[finding])
    folder.mkdir(parents=True, exist_ok=True)
    draw_roc({"run": judged.roc}, folder / CURVES)
    draw_nearest("run", (judged, release), members, schema.normalisation, folder)
    write(outcome, folder)
    return outcome


def _source(name: str, records: Path) -> str:
    if name in OWN:
        return name
    if records.suffix.lower() == ".npz":
        return "npz"
    return "table" if ending(records) in SUFFIXES else "folder"


def _halves(records: Split, *, seed: int) -> tuple[Split, Split]:
    order = torch.randperm(len(records), generator=torch.Generator().manual_seed(seed))
    half = len(records) // 2
    return at(records, order[:half]), at(records, order[half:])


def _side_by_side(members: Split, others: Split) -> Canaries:
    """Return both in one random order, which tells nothing."""
    both = Split(
        inputs=torch.cat([members.inputs, others.inputs]),
        labels=torch.cat([members.labels, others.labels]),
        classes=members.classes,
    )
    order = torch.randperm(len(both), generator=torch.Generator().manual_seed(len(both)))
    return Canaries(
        records=at(both, order),
        member=(order < len(members)).numpy(),
        kind=np.full(len(both), NATURAL, dtype=object),
    )
