"""The pictures of a run."""

from __future__ import annotations

from fdd_flower.report.columns.correlations import draw_correlations
from fdd_flower.report.columns.marginals import draw_marginals
from fdd_flower.report.figures import draw_answers, draw_curves, draw_synthetic
from fdd_flower.report.headline import headline_of
from fdd_flower.report.page.elements import Raw, picture, section
from fdd_flower.run_folder.load import Run
from fdd_flower.run_folder.run_dir import (
    ANSWERS_PICTURE,
    COLUMNS_PICTURE,
    CURVES_PICTURE,
    PAIRS_PICTURE,
    SYNTHETIC_PICTURE,
)


def draw_missing(run: Run) -> None:
    """Draw what is not there yet."""
    synthetic, curves = run.path / SYNTHETIC_PICTURE, run.path / CURVES_PICTURE
    if run.synthetic is not None and not synthetic.exists():
        saved = run.synthetic
        draw_synthetic(saved.set, saved.classes, saved.normalisation, synthetic, schema=run.schema)
    answers = run.path / ANSWERS_PICTURE
    if run.answers is not None and not answers.exists():
        draw_answers(run.answers, run.class_names(len(run.answers.confusion)), answers)
    if run.rows and not curves.exists():
        draw_curves(run.rows, curves, headline_of(run.summary))
    if run.likeness is not None:
        for name, draw in ((COLUMNS_PICTURE, draw_marginals), (PAIRS_PICTURE, draw_correlations)):
            if not (run.path / name).exists():
                draw(run.likeness, run.path / name)


def pictures(run: Run) -> list[Raw]:
    """Return the pictures that any data has."""
    return [
        section(title, shown)
        for name, title, text in (
            (CURVES_PICTURE, "Over the rounds", "A metric, loss and cumulative traffic by round"),
            (
                ANSWERS_PICTURE,
                "How the model answers",
                "ROC, precision-recall, reliability and confusion on the test records",
            ),
            (SYNTHETIC_PICTURE, "The synthetic set", "Synthetic records, one row per class"),
        )
        if (shown := drawn(run, name, text))
    ]


def drawn(run: Run, name: str, text: str) -> Raw | None:
    """Return a picture of the folder; `text` says what it shows. None where there is none."""
    file = run.path / name
    return picture(file.read_bytes(), text) if file.exists() else None
