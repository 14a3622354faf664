"""The report of a run: one page that opens offline, made from the run's own files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from fdd_flower.config import keys, to_run_config
from fdd_flower.data.tables.encode import frame_of
from fdd_flower.data.tables.words import allowed, held
from fdd_flower.ledger import QUARANTINED, REJECTED, Entry, Ledger
from fdd_flower.privacy.card import PrivacyCard
from fdd_flower.report._page import Raw, bar, cell, page, picture, section, table
from fdd_flower.report.figures import draw_answers, draw_curves, draw_synthetic
from fdd_flower.report.headline import (
    CLASS_NAMES,
    GROUP_METRICS,
    MEANINGS,
    NAMES,
    first_metrics,
    headline_of,
    human_column,
    human_metric,
    shown_first,
    value_of,
)
from fdd_flower.report.ledger_table import SCORES, score_cells, scored
from fdd_flower.report.table import summary_facts
from fdd_flower.report.units import (
    human_bytes,
    human_counts,
    human_number,
    human_seconds,
    human_share,
    one_line,
)
from fdd_flower.run_folder.files import write_atomic
from fdd_flower.run_folder.load import Run, load_run
from fdd_flower.run_folder.rows import RoundRow
from fdd_flower.run_folder.run_dir import (
    ANSWERS_PICTURE,
    CURVES_PICTURE,
    LEDGER,
    REPORT,
    SYNTHETIC_PICTURE,
)

_MAX_REJECTED = 200

_TERMS = {
    "synthetic record": "An artificial record that a client computed from its data. It stands for "
    "many real ones; its weight says how many.",
    "records per class (IPC)": "How many synthetic records a client sends for each of its classes.",
    "up-link, down-link": "Message payloads from the clients to the server, and from the server "
    "to the clients, over all clients; kB and MB are powers of 1000.",
    "accuracy, loss": "Measured on the server's test records, for the model trained on the merged "
    "set: the share of correct answers, and the mean cross-entropy in nats.",
    "accepted, rejected": "The server checks each reply before it uses it. A rejected reply "
    "has no part in the result; the reason is listed.",
    "quarantined": "A well-formed set that was left out because of its scores on the server's "
    "own records. In the rounds it counts as rejected.",
    "epsilon": "The differential-privacy budget spent. A dash means no formal guarantee: "
    "synthetic records may then reveal something about real ones.",
}

_IDEA = (
    "Several clients hold private records. Instead of the records, or of a trained model, "
    "each sends a small synthetic data set; the server merges the sets that it accepts and "
    "trains one model on them. Strategies that average parameters, such as FedAvg, run on "
    "the same clients for comparison and send model weights."
)
_PRIVATE_IDEA = (
    "Several clients hold private records. Each adds up what its records say, and adds noise to "
    "the sum. Nothing else leaves it. The server adds the sums, draws synthetic records from them "
    "and trains one model."
)
_PRIVATE_TERMS = {
    "synthetic record": "An artificial record that the server drew from the noisy sums. It stands "
    "for many real ones; its weight says about how many.",
    "records per class (IPC)": "How many synthetic records of each class the server drew.",
    "epsilon": "The differential-privacy budget spent. The privacy card below says what it covers.",
}


def write_report(run_dir: Path) -> Path:
    """Write `report.html` into the folder of a run, from the files there, and return its path.

    A picture that is not there yet is drawn first.

    Raises
    ------
    DataError
        If a file of the run is missing or broken.
    """
    run = load_run(run_dir)
    _draw_missing(run)
    parts = [_head(run), _tiles(run), _guide(run), *_pictures(run)]
    entries = Ledger(run_dir / LEDGER).entries()
    parts += [
        _rounds(run),
        _measures(run),
        _per_class(run),
        _per_client(run),
        _thresholds(run),
        _replies(entries),
        _scores(entries),
    ]
    parts += [_columns(run), _privacy(run), _facts(run), _settings(run)]
    text = page(f"{run.summary.strategy} on {run.summary.data}", *(part for part in parts if part))
    # a lone surrogate in a reason must not cost the report
    write_atomic(run_dir / REPORT, text.encode("utf-8", "replace"))
    return run_dir / REPORT


def _draw_missing(run: Run) -> None:
    synthetic, curves = run.path / SYNTHETIC_PICTURE, run.path / CURVES_PICTURE
    if run.synthetic is not None and not synthetic.exists():
        saved = run.synthetic
        draw_synthetic(saved.set, saved.classes, saved.normalisation, synthetic)
    answers = run.path / ANSWERS_PICTURE
    if run.answers is not None and not answers.exists():
        draw_answers(run.answers, _class_names(run, len(run.answers.confusion)), answers)
    if run.rows and not curves.exists():
        draw_curves(run.rows, curves, headline_of(run.summary))


def _head(run: Run) -> Raw:
    summary = run.summary
    what = " + ".join(name for name in (summary.strategy, summary.distiller) if name)
    tone = "good" if summary.completed else "bad"
    return Raw(
        f"<header><h1>{cell(f'{what} on {summary.data}, {summary.num_clients} clients')}</h1>\n"
        f'<div class="status {tone}">{cell(one_line(summary.status, 500))}</div></header>'
    )


def _tiles(run: Run) -> Raw:
    summary = run.summary
    tiles = (
        *((value, name) for name, value in first_metrics(summary)),
        (human_bytes(summary.bytes_up_per_client), "up-link per client, all rounds"),
        (human_bytes(summary.bytes_down_total), "down-link, total"),
        (str(summary.rounds), "rounds"),
        (human_seconds(summary.seconds_total), "total time"),
    )
    inside = "".join(
        f'<div class="tile"><b>{cell(value)}</b><span>{cell(name)}</span></div>'
        for value, name in tiles
    )
    return Raw(f'<div class="tiles">{inside}</div>')


def _guide(run: Run) -> Raw:
    private = run.summary.privacy.get("mode", "none") != "none"
    found = _TERMS | (_PRIVATE_TERMS if private else {})
    terms = "".join(f"<dt>{cell(term)}</dt><dd>{cell(text)}</dd>" for term, text in found.items())
    return section(
        "How to read this", _PRIVATE_IDEA if private else _IDEA, Raw(f"<dl>{terms}</dl>")
    )


def _pictures(run: Run) -> list[Raw]:
    shown = (
        (CURVES_PICTURE, "Over the rounds", "A metric, loss and cumulative traffic by round"),
        (
            ANSWERS_PICTURE,
            "How the model answers",
            "ROC, precision-recall, reliability and confusion on the test records",
        ),
        (SYNTHETIC_PICTURE, "The synthetic set", "Synthetic records, one row per class"),
    )
    files = [(run.path / name, title, text) for name, title, text in shown]
    return [
        section(title, picture(file.read_bytes(), text))
        for file, title, text in files
        if file.exists()
    ]


def _rounds(run: Run) -> Raw:
    if not run.rows:
        return section("Rounds", "No round finished.")
    metrics = shown_first(headline_of(run.summary))
    heads = (
        "round",
        *(NAMES[name] for name in metrics),
        "loss",
        "replies",
        "rejected",
        "up-link",
        "down-link",
        "slowest client",
        "training",
        "epsilon",
    )
    rows = [
        (
            row.round,
            *(human_metric(name, value_of(row, name)) for name in metrics),
            human_number(row.loss),
            row.replies,
            _rejected(row),
            human_bytes(row.bytes_up),
            human_bytes(row.bytes_down),
            human_seconds(row.seconds_distill_max),
            human_seconds(row.seconds_train),
            human_number(row.epsilon),
        )
        for row in run.rows
    ]
    return section("Rounds", table(heads, rows, numbers=range(len(heads))))


def _rejected(row: RoundRow) -> str:
    codes = one_line(human_counts(row.rejected_codes), 300)
    return f"{row.rejected} ({codes})" if codes else str(row.rejected)


def _measures(run: Run) -> Raw | None:
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


def _per_class(run: Run) -> Raw | None:
    shares = run.summary.accuracy_per_class
    if not shares:
        return None
    names = _class_names(run, len(shares))
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


def _columns(run: Run) -> Raw | None:
    """Return what the columns of a table are, and what the synthetic rows hold."""
    schema = run.schema
    if schema is None or not schema.label:
        return None
    rows = None if run.synthetic is None else frame_of(run.synthetic.set.inputs, schema)
    found = [
        (
            one_line(column.name, 80),
            column.kind,
            one_line(allowed(column), 200),
            one_line(", ".join(("empty", *column.missing)), 80) if column.gaps else "",
            ""
            if rows is None or run.synthetic is None
            else one_line(held(column, rows[column.name], run.synthetic.set.weights.numpy()), 200),
        )
        for column in schema.columns
    ]
    return section(
        "Columns",
        "The schema that every client encodes its records by, and what the synthetic rows hold: "
        "mean and standard deviation, or the commonest words.",
        table(("column", "kind", "values", "stands for missing", "synthetic rows"), found),
    )


def _class_names(run: Run, count: int) -> tuple[str, ...]:
    """Return the names of the classes, or numbers where the run does not name so many."""
    names = run.schema.classes if run.schema else ()
    return names if len(names) == count else tuple(map(str, range(count)))


def _per_client(run: Run) -> Raw | None:
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


def _thresholds(run: Run) -> Raw | None:
    found = run.summary.thresholds
    if not found:
        return None
    cfg, answers = run.config.evaluation, run.answers
    wanted = f"recall of {cfg.recall:g}" if cfg.recall else f"precision of {cfg.precision:g}"
    classes = _class_names(run, 2)
    positive = f" of {one_line(classes[answers.positive], 80)}" if answers else ""
    one = next(iter(found.values()))
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
        f"From this probability{positive} on a record is called positive, for a {wanted}. It was "
        f"chosen on {human_column('records', one.get('chosen_on', math.nan))} of the test records, "
        f"and what it gives is measured on the other "
        f"{human_column('records', one.get('records', math.nan))}.",
        table(("model", "threshold", "recall", "precision", "called positive"), rows, (1, 2, 3, 4)),
    )


def _replies(entries: Sequence[Entry]) -> Raw:
    refused = [entry for entry in entries if entry.verdict == REJECTED]
    if not refused:
        return section("Rejected replies", "None.")
    rows = [
        (
            entry.round,
            one_line(entry.client, 60),
            one_line(entry.code, 40),
            one_line(entry.reason, 500),
            human_bytes(entry.bytes),
        )
        for entry in refused[:_MAX_REJECTED]
    ]
    cut = f" The first {_MAX_REJECTED} are shown." if len(refused) > _MAX_REJECTED else ""
    return section(
        "Rejected replies",
        f"Refused, with no part in the result: {len(refused)}.{cut}",
        table(("round", "client", "code", "reason", "size"), rows, numbers=(0, 4)),
    )


def _scores(entries: Sequence[Entry]) -> Raw | None:
    # quarantined sets first, and then those that harmed most
    order = sorted(scored(entries), key=lambda e: (e.verdict != QUARANTINED, e.score or 0.0))
    if not order:
        return None
    rows = [
        (
            entry.round,
            one_line(entry.client, 60),
            *score_cells(entry),
            entry.verdict,
            one_line(entry.reason, 500),
        )
        for entry in order[:_MAX_REJECTED]
    ]
    aside = sum(entry.verdict == QUARANTINED for entry in order)
    cut = f" The first {_MAX_REJECTED} are shown." if len(order) > _MAX_REJECTED else ""
    return section(
        "Scores of the sets",
        f"Scored: {len(order)}; in quarantine, with no part in the result: {aside}.{cut} Utility "
        "is what a set adds to a cheap model of all sets, on the server's root records; labels, "
        "the share of its labels that a model of those records gives too; outlier, how far a class "
        "mean is off, in robust deviations; copied, the share of its rows that are near another "
        "client's.",
        table(("round", "client", *SCORES, "verdict", "reason"), rows, numbers=(0, 2, 3, 4, 5)),
    )


def _privacy(run: Run) -> Raw | None:
    known = {item.name for item in fields(PrivacyCard)}
    found = {name: value for name, value in run.summary.privacy.items() if name in known}
    try:
        card = PrivacyCard(**found)  # type: ignore[arg-type]
        rows = [("leaves a client", one_line(str(item), 300)) for item in card.travels]
        rows += [("not covered", one_line(str(item), 300)) for item in card.outside]
        promise = card.promise()
    except (TypeError, ValueError):  # of a version from before the card, or edited
        return None
    title = f"Privacy card: mode {one_line(str(card.mode), 40)}"
    return section(title, promise, table((), rows))


def _facts(run: Run) -> Raw:
    return section("The run", table((), summary_facts(run.summary)))


def _settings(run: Run) -> Raw:
    known = keys()
    rows = [
        (Raw(f"<code>{cell(name)}</code>"), Raw(f"<code>{cell(value)}</code>"), known[name].doc)
        for name, value in to_run_config(run.config).items()
    ]
    rows += [
        (
            Raw(f"<code>{cell(name)}</code>"),
            Raw(f"<code>{cell(value)}</code>"),
            "of an older version",
        )
        for name, value in run.lost.items()
    ]
    return section("Settings", table(("key", "value", "meaning"), rows))
