"""How good the models are: all metrics, by class, by group, at a threshold."""

from __future__ import annotations

import math

from fdd_flower.report.headline import (
    CLASS_NAMES,
    GROUP_METRICS,
    MEANINGS,
    NAMES,
    headline_of,
    human_column,
    human_metric,
)
from fdd_flower.report.page.elements import Raw, bar, section, table
from fdd_flower.report.units import human_number, human_share, one_line
from fdd_flower.run_folder.load import Run
from fdd_flower.wording import many


def measures(run: Run) -> Raw | None:
    """Return each metric of each model."""
    summary = run.summary
    if not summary.metrics:
        return None
    models = {summary.model: {"accuracy": summary.accuracy, **summary.metrics}}
    for name, found in summary.metrics_by_model.items():
        models[name] = {"accuracy": summary.accuracy_by_model.get(name, math.nan), **found}
    rows = [
        (
            NAMES[key],
            *(human_metric(key, found.get(key, math.nan)) for found in models.values()),
            MEANINGS[key],
        )
        for key in NAMES
        if key in models[summary.model]
    ]
    heads = ("metric", *(one_line(name, 40) for name in models), "meaning")
    return section("Metrics", table(heads, rows, numbers=range(1, len(models) + 1)))


def per_class(run: Run) -> Raw | None:
    """Return how good the model is for each class."""
    shares = run.summary.accuracy_per_class
    if not shares:
        return None
    names = run.class_names(len(shares))
    found = run.summary.metrics_per_class
    columns = [key for key in CLASS_NAMES if any(key in found.get(name, {}) for name in names)]
    rows = [
        (
            one_line(name, 80),
            human_share(share),
            bar(share) if share == share else "",
            *(human_column(key, found.get(name, {}).get(key, math.nan)) for key in columns),
        )
        for name, share in zip(names, shares, strict=True)
    ]
    heads = ("class", "accuracy", "", *(CLASS_NAMES[key] for key in columns))
    numbers = (1, *range(3, len(heads)))
    return section("By class, each against the rest", table(heads, rows, numbers=numbers))


def per_client(run: Run) -> Raw | None:
    """Return how good the model is for each group of the test records."""
    found = run.summary.metrics_per_client
    if not found:
        return None
    metrics = list(dict.fromkeys((headline_of(run.summary), *GROUP_METRICS)))
    heads = (run.config.partition.column or "group", *(NAMES[key] for key in metrics), "records")
    rows = [
        (
            one_line(name, 80),
            *(human_metric(key, one.get(key, math.nan)) for key in metrics),
            human_column("records", one.get("records", math.nan)),
        )
        for name, one in found.items()
    ]
    return section(
        "By client or group",
        "The same model on the test records of each. A dash: its records do not define the metric, "
        "as when all are of one class.",
        table(heads, rows, numbers=range(1, len(heads))),
    )


def thresholds(run: Run) -> Raw | None:
    """Return the threshold of each model and what it gives, or why it has none."""
    found, missing = run.summary.thresholds, run.summary.no_threshold
    why = [f"No threshold of {one_line(name, 80)}: {text}." for name, text in missing.items()]
    if not found:
        return section("Threshold", *why) if why else None
    cfg, answers = run.config.evaluation, run.answers
    wanted = f"recall of {cfg.recall:g}" if cfg.recall else f"precision of {cfg.precision:g}"
    classes = run.class_names(2)
    positive = f" of {one_line(classes[answers.positive], 80)}" if answers else ""
    one = next(iter(found.values()))
    shares = "" if cfg.recall else f" {_shares(run)}"
    rows = [
        (
            one_line(name, 80),
            human_number(each.get("value"), 4),
            *(human_share(each.get(key, math.nan)) for key in ("recall", "precision", "called")),
        )
        for name, each in found.items()
    ]
    return section(
        "Threshold",
        f"From this probability{positive} on a record is called positive, for a {wanted}. "
        f"It was chosen on {many(int(one.get('rows', 0)), 'synthetic row')}, each scored by a "
        f"model that was not trained on it.{shares} What it gives is measured on the "
        f"{human_column('records', one.get('records', math.nan))} test records.",
        table(("model", "threshold", "recall", "precision", "called positive"), rows, (1, 2, 3, 4)),
        *why,
    )


def _shares(run: Run) -> str:
    if run.schema is not None and run.schema.prior:
        return "The classes of the rows are as frequent as the schema's prior says."
    return "The classes of the rows are as frequent as the clients' counts say, as far as they go."
