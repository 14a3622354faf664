"""`fdd predict`: predictions of a run's model for new records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fdd_flower.commands._options import Trust
from fdd_flower.commands.errors import one_line_errors
from fdd_flower.wording import many

if TYPE_CHECKING:
    from rich.table import Table

    from fdd_flower.models.base import Network
    from fdd_flower.run_folder.load import Run


def predict(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run's folder, its name in ~/.fdd-flower/runs, or `latest`."
        ),
    ],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A table of records or recordings, an .npz, an image, a folder of images.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="A new .csv or .parquet file."),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="NAME",
            help="A model of `fdd train` or server.models, or the path of one; by default the "
            "run's own.",
        ),
    ] = "",
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            min=0,
            max=1,
            help="Two classes: the probability from which on a record is called positive; by "
            "default what the run chose for evaluation.recall or evaluation.precision, else 0.5.",
        ),
    ] = None,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write the probability of each class for each record of FILE.

    FILE needs no labels. Of a table the run's columns are used, by name; of an .npz the array
    `x`; recordings are cut into windows as the run's were. The output has a line a record: `record`
    (the path of an image, else the number of the record, from 0), of a window `recording` and
    `start`, a column for each class, and `predicted`: the most probable class, or by the threshold.
    """
    from fdd_flower.commands._runs import find_run
    from fdd_flower.commands.screen import print_table
    from fdd_flower.data.base import shown
    from fdd_flower.data.unlabelled import read_unlabelled
    from fdd_flower.results.predict import (
        FORMATS,
        called,
        cut_of,
        predictions,
        probabilities,
        write_table,
    )
    from fdd_flower.run_folder.load import load_run
    from fdd_flower.run_folder.new_file import check_new
    from fdd_flower.threads import threads

    with one_line_errors(as_json=as_json):
        path = check_new(out, FORMATS)
        found = load_run(find_run(run), trust=trust)
        network = _network(found, model)
        cut = cut_of(found, model, threshold)
        schema = found.schema
        assert schema is not None  # or it would have no network
        data = read_unlabelled(file.expanduser(), schema, found.config.data)
        with threads(found.config.runtime.server_threads):
            shares = probabilities(network, data.inputs)
        table = predictions(data.names, shares, schema.classes, cut=cut, beside=data.beside)
        write_table(table, path)
    counts = called(shares, cut).bincount(minlength=len(schema.classes)).tolist()
    means = shares.mean(dim=0).tolist()
    if as_json:
        document = {
            "predictions": str(path),
            "records": len(shares),
            "predicted": dict(zip(schema.classes, counts, strict=True)),
            "mean_probability": dict(zip(schema.classes, means, strict=True)),
            "ignored": list(data.ignored),
            "notes": list(data.notes),
            "threshold": cut and {"class": schema.classes[cut.positive], "value": cut.value},
        }
        typer.echo(json.dumps(document, indent=2))
        return
    print_table(_summary(schema.classes, counts, means))
    if cut is not None:
        typer.echo(f"called {schema.classes[cut.positive]!r} from a probability of {cut.value:.4g}")
    for note in data.notes:
        typer.echo(f"note: {note}", err=True)
    if data.ignored:
        typer.echo(f"not used: {shown(data.ignored)}", err=True)
    # the last line, and whole: scripts read the path from it
    typer.echo(f"predictions: {path}")


def _network(run: Run, model: str) -> Network:
    from fdd_flower.run_folder.network import load_network

    if model.endswith(".safetensors"):
        return load_network(run, file=Path(model).expanduser())
    return load_network(run, model)


def _summary(classes: tuple[str, ...], counts: list[int], means: list[float]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from fdd_flower.report.units import human_share, one_line

    table = Table(title=many(sum(counts), "record"), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("class")
    table.add_column("predicted", justify="right")
    table.add_column("mean probability", justify="right")
    for name, count, mean in zip(classes, counts, means, strict=True):
        table.add_row(Text(one_line(name, 60)), str(count), human_share(mean))
    return table
