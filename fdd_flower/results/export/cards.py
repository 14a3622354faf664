"""Cards in Hugging Face's form: what the set and the model are, and what they are not."""

from __future__ import annotations

import html
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fdd_flower import __version__
from fdd_flower.report.headline import metric_lines
from fdd_flower.report.units import human_bytes, human_number, human_share, one_line
from fdd_flower.results.export.hugging_face import FILE
from fdd_flower.results.export.rows import Rows
from fdd_flower.run_folder.load import Run
from fdd_flower.wording import many

CARD = "README.md"
TAGS = ["federated-learning", "dataset-distillation", "synthetic", "fdd-flower"]
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_WIDEST = 80  # letters of a name

FILES = {
    "images": "`images/<class>/<row>.png`, and `images/metadata.csv` with a line a picture.",
    "npz": "`synthetic.npz`: `x` in the units of the data, `y` as places in `classes`, `targets`, "
    "`weights`, `round`, `set`.",
    "csv": "`synthetic.csv`: a line a record.",
    "parquet": "`synthetic.parquet`: a line a record.",
    "huggingface": f'`{FILE}`: `datasets.load_dataset("FOLDER", split="train")` opens it.',
}


def write_dataset_card(run: Run, rows: Rows, to: str, folder: Path) -> None:
    """Write the card of the set; that of `huggingface` also says where its split is."""
    from huggingface_hub import DatasetCard, DatasetCardData

    size = next((name for limit, name in _SIZES if len(rows) < limit), "n>1M")
    more: dict[str, Any] = {}
    if to == "huggingface":
        files = [{"split": "train", "path": "data/train-*.parquet"}]
        more["configs"] = [{"config_name": "default", "data_files": files}]
    data = DatasetCardData(
        pretty_name=f"Distilled {_data(run)}",
        tags=TAGS,
        size_categories=[size],
        task_categories=[_task(rows)],
        **more,
    )
    held = Counter(rows.label_names)
    classes = [
        (_cell(name), str(held[name]), human_share(_weight_of(rows, name)))
        for name in rows.schema.classes
    ]
    sections = [
        f"# Distilled {_data(run)}",
        f"{many(len(rows), 'selected record' if rows.real else 'synthetic record')} "
        f"for the data of {many(run.summary.num_clients, 'client')}. Each client made its own with "
        f"{_code(run.summary.distiller)}, and a server merged what they sent with "
        f"{_code(run.summary.merger)}.",
        "## Files",
        "\n".join(
            f"- {text}"
            for text in (
                FILES[to],
                f"{_code(rows.label)}: the class; `weight`: how much the row counts in training; "
                "`round`, `set`: the round that it came in, and the hash of the client's set. With "
                "soft labels, a column `p_<class>` for each class.",
                "`summary.json`: the run's own record. `model/`: the model that was trained on the "
                "set, with a card of its own.",
            )
        ),
        "## Classes",
        _table(("class", "records", "share of the weight"), classes),
        "## What it is good for",
        f"A {_code(run.summary.model)} trained on it reached an accuracy of "
        f"{human_share(run.summary.accuracy)} on the test records of the run. Use `weight` as "
        "sample weight.",
        "## Limits",
        _limits(run, rows),
        "## How it was made",
        _made(run),
    ]
    _write(DatasetCard(_text(data, sections)), folder)


def write_model_card(run: Run, rows: Rows, folder: Path) -> None:
    """Write the card of the run's model."""
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    summary, name = run.summary, f"fdd-{_cell(run.summary.model)}"
    task = _task(rows)
    accuracy = summary.accuracy
    data = ModelCardData(
        model_name=name,
        library_name="pytorch",
        pipeline_tag=task,
        tags=TAGS,
        eval_results=[
            EvalResult(
                task_type=task,
                dataset_type=_data(run),
                dataset_name=_data(run),
                metric_type="accuracy",
                metric_value=round(accuracy, 4),
            )
        ]
        if accuracy == accuracy
        else None,
    )
    shares = [
        (_cell(label), human_share(share))
        for label, share in zip(rows.schema.classes, summary.accuracy_per_class, strict=False)
    ]
    others = [(_cell(family), human_share(s)) for family, s in summary.accuracy_by_model.items()]
    sections = [
        f"# {name}",
        f"A {_code(summary.model)} that tells {many(len(rows.schema.classes), 'class')} of "
        f"{_data(run)} apart. It was trained on {many(len(rows), 'record')} alone, which "
        f"{many(summary.num_clients, 'client')} made from their own data with "
        f"{_code(summary.distiller)}.",
        "## Accuracy",
        f"{human_share(accuracy)} on the test records of the server, after "
        f"{many(summary.rounds, 'round')}.",
        *((_table(("metric", "value"), metric_lines(summary.metrics)),) if summary.metrics else ()),
        _table(("class", "accuracy"), shares),
        *((_table(("other models on the same set", "accuracy"), others),) if others else ()),
        "## Use",
        "With the run's folder: `fdd predict RUN FILE --out predictions.csv`. Without it:",
        _snippet(run, rows),
        "## Limits",
        _limits(run, rows),
        "## How it was made",
        _made(run),
    ]
    _write(ModelCard(_text(data, sections)), folder)


_SNIPPET = """```python
import torch
{imports}from safetensors.torch import load_file
from fdd_flower.config import ModelConfig
from fdd_flower.models import build_model

cfg = ModelConfig({settings})
model = build_model(cfg, feature_shape={shape}, num_classes={classes}, seed=0)
model.load_state_dict(load_file("model.safetensors"))
model.eval()
{inputs}
```"""
_UNITS = """mean = torch.tensor({mean}).view({view})
std = torch.tensor({std}).view({view})
# x: float32, {batch}, in the units of the data; 8-bit images divided by 255
probabilities = model((x - mean) / std).softmax(dim=1)"""
_ENCODED = """# a table as it is, its columns called as in schema.toml
x = table_inputs("patients.csv", read_frame(Path("patients.csv")), read_schema("schema.toml"))
probabilities = model(x).softmax(dim=1)"""
_IMPORTS = """from pathlib import Path
from fdd_flower.data.schema_toml import read_schema
from fdd_flower.data.tables.encode import table_inputs
from fdd_flower.data.tables.files import read_frame
"""


def _snippet(run: Run, rows: Rows) -> str:
    schema, scale = rows.schema, rows.schema.normalisation
    settings = asdict(run.config.model)
    units = _UNITS.format(
        mean=list(scale.mean),
        std=list(scale.std),
        view=", ".join(["-1", *["1"] * (len(schema.feature_shape) - 1)]),
        batch=f"(n, {', '.join(map(str, schema.feature_shape))})",
    )
    return _SNIPPET.format(
        # no name ends the block of code, or begins a line
        settings=", ".join(f"{name}={value!r}" for name, value in settings.items()).replace(
            "`", "\\x60"
        ),
        shape=schema.feature_shape,
        classes=len(schema.classes),
        imports=_IMPORTS if schema.label else "",
        inputs=_ENCODED if schema.label else units,
    )


def _limits(run: Run, rows: Rows) -> str:
    epsilon = run.rows[-1].epsilon if run.rows else None
    if rows.real:
        privacy = (
            f"**The records are real ones.** {_code(run.summary.distiller)} picks records and does "
            "not compute new ones. Treat this folder as you treat the data."
        )
    elif epsilon is None:
        privacy = (
            "**There is no formal privacy guarantee.** The records were computed from real ones "
            "and may reveal something about them, most of all where a class is small."
        )
    else:
        privacy = (
            f"The privacy budget that was spent is epsilon = {human_number(epsilon)}, by mode "
            f"`{run.config.privacy.mode}`."
        )
    return "\n".join(
        f"- {text}"
        for text in (
            privacy,
            "Weights tell how the clients' numbers of records compare.",
            "Accuracy was measured on the server's test records only. On other data, other "
            "devices or other people it may be lower: measure on your own before you rely on it.",
            "The records are made for training. Do not read single ones as examples of a class, "
            "and do not estimate statistics of the real data from them.",
            "Neither set nor model is meant to decide about people without someone who answers "
            "for the decision.",
        )
    )


def _made(run: Run) -> str:
    summary, cfg = run.summary, run.config
    facts = [
        ("data", f"{_data(run)}; split over clients: {_cell(summary.partition)}"),
        ("clients, rounds", f"{summary.num_clients}, {summary.rounds}"),
        ("strategy", _cell(summary.strategy)),
        (
            "distiller, merger, codec",
            _cell(f"{summary.distiller}, {summary.merger}, {summary.codec}"),
        ),
        ("records a class a client", str(summary.ipc)),
        ("steps a round", f"{cfg.training.steps or 'auto'}"),
        ("seed", str(summary.seed)),
        ("sent by a client", human_bytes(summary.bytes_up_per_client)),
        ("sent by all clients", human_bytes(summary.bytes_up_total)),
        ("sent to all clients", human_bytes(summary.bytes_down_total)),
        ("seconds", f"{summary.seconds_total:.0f}"),
        ("status", _cell(summary.status)),
        ("versions", ", ".join(_cell(f"{name} {n}") for name, n in summary.versions.items())),
    ]
    return _table(("", ""), facts) + f"\n\nWritten by fdd-flower {__version__}."


def _data(run: Run) -> str:
    """Return what the data is called; where it lies is nobody's business."""
    name = _cell(run.summary.data)
    return f"{name} data" if run.config.data.path else name


def _task(rows: Rows) -> str:
    # Hugging Face has no task for the classes of a series
    return "image-classification" if rows.schema.kind == "image" else "tabular-classification"


def _weight_of(rows: Rows, name: str) -> float:
    own = rows.labels == rows.schema.classes.index(name)
    return float(rows.weights[own].sum() / rows.weights.sum())


def _cell(text: str) -> str:
    """Return a name that is no Markdown of its own."""
    plain = html.escape(one_line(text, _WIDEST), quote=False)
    return "".join(f"\\{c}" if c in "\\`*_{}[]()+!|~$" else c for c in plain)


def _code(text: str) -> str:
    """Return a name as code, which it does not end."""
    return f"`{one_line(text, _WIDEST).replace('`', chr(39))}`"


def _table(head: tuple[str, ...], lines: list[Any]) -> str:
    made = [head, ("---",) * len(head), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in made)


def _text(data: Any, sections: list[str]) -> str:
    return f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n"


def _write(card: Any, folder: Path) -> None:
    (folder / CARD).write_text(str(card), encoding="utf-8")
