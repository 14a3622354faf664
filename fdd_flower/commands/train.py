"""`fdd train`: another model from the set of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fdd_flower.commands._options import Trust
from fdd_flower.commands.errors import one_line_errors
from fdd_flower.wording import many

if TYPE_CHECKING:
    from fdd_flower.config import Scalar
    from fdd_flower.results.train import Trained
    from fdd_flower.run_folder.load import Run
    from fdd_flower.training.evaluation import Evaluation


def train(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN", help="A run's folder, its name in ~/.fdd-flower/runs, or `latest`."
        ),
    ],
    model: Annotated[
        str,
        typer.Option("--model", metavar="NAME", help="The family: cnn, convnet, resnet18, ..."),
    ],
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", metavar="N", help="Optimiser steps; short for --set training.steps=N."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed", metavar="N", help="Seed of weights and draws; by default that of the run."
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="A setting of training, model, data or runtime; may be repeated.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for the model; by default RUN."),
    ] = None,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Train a model on the synthetic set of a finished run, and measure it.

    The run's settings hold where none is given. Accuracy is measured on the test records of the
    run, where they can be read: `--set data.path=...` says where they are now. The weights go
    into model-NAME.safetensors, which `fdd predict` takes; a file that exists is not replaced.
    """
    from fdd_flower.commands._runs import find_run
    from fdd_flower.commands.screen import steps_shown
    from fdd_flower.errors import DataError
    from fdd_flower.results.train import measure, test_split, train_on_kept, training_settings
    from fdd_flower.run_folder.load import load_run
    from fdd_flower.run_folder.new_file import check_new
    from fdd_flower.run_folder.run_dir import model_file

    with one_line_errors(as_json=as_json):
        found = load_run(find_run(run), trust=trust)
        given = _given(assignments or [], steps, seed)
        cfg = training_settings(found, model, given)
        path = check_new((out or found.path) / model_file(cfg.model.name), (".safetensors",))
        test, why_not = None, ""
        try:
            test = test_split(found, cfg)
        except DataError as error:
            if any(key.startswith("data.") for key in given):
                raise  # it was asked for
            why_not = " ".join(str(error).split())
        with steps_shown(f"training {cfg.model.name}") as progress:
            trained = train_on_kept(found, cfg, progress=progress)
        trained.write(path)
    measured = None if test is None else measure(trained, test)
    if as_json:
        typer.echo(json.dumps(_as_json(found, trained, measured, why_not, path), indent=2))
        return
    _show(found, trained, measured, why_not)
    # the last line, and whole: scripts read the path from it
    typer.echo(f"model: {path}")


def _given(assignments: list[str], steps: int | None, seed: int | None) -> dict[str, Scalar]:
    from fdd_flower.config import find_key
    from fdd_flower.launch.settings import given

    values = given(assignments=assignments)
    for name, value in (("training.steps", steps), ("seed", seed)):
        if value is not None:
            values[name] = find_key(name).check(value)
    return values


def _show(run: Run, trained: Trained, measured: Evaluation | None, why_not: str) -> None:
    from fdd_flower.report.headline import (
        NAMES,
        headline_of,
        human_metric,
        shown_first,
        value_of,
    )
    from fdd_flower.report.units import human_seconds

    typer.echo(
        f"{trained.cfg.model.name} on {many(trained.rows, 'synthetic row')}: "
        f"{many(trained.steps, 'step')} in {human_seconds(trained.seconds)}"
    )
    if measured is None:
        typer.echo(f"accuracy not measured: {why_not}", err=True)
        return
    own, metrics = run.summary, _metrics(run, measured)
    for name in shown_first(headline_of(own)):
        typer.echo(
            f"{NAMES[name]} {human_metric(name, metrics[name])}; the run's own {own.model} had "
            f"{human_metric(name, value_of(own, name))}"
        )


def _metrics(run: Run, measured: Evaluation) -> dict[str, float]:
    from fdd_flower.training.metrics import headline, measure

    classes = run.schema.classes if run.schema else ()
    positive = headline(run.config.evaluation, classes, measured.labels).positive
    return measure(measured.probabilities, measured.labels, positive=positive).as_dict()


def _as_json(
    run: Run, trained: Trained, measured: Evaluation | None, why_not: str, path: Path
) -> dict[str, object]:
    classes = run.schema.classes if run.schema else ()
    found: dict[str, object] = {
        "model": str(path),
        "family": trained.cfg.model.name,
        "run": str(run.path),
        "steps": trained.steps,
        "seed": trained.cfg.seed,
        "seconds": trained.seconds,
        "accuracy": None,
    }
    if measured is None:
        return found | {"not_measured": why_not}
    shares = zip(classes, measured.accuracy_per_class, strict=True)
    return found | {
        "accuracy": measured.accuracy,
        "loss": measured.loss,
        "metrics": {name: v if v == v else None for name, v in _metrics(run, measured).items()},
        "accuracy_per_class": {name: s if s == s else None for name, s in shares},
    }
