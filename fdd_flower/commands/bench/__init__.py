"""`fdd bench`: distilled sets, whole methods, and a server under load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fdd_flower.commands.bench._options import AsJson, Data, Holdout, Out, Resume, Threads
from fdd_flower.commands.bench._rows import Row, Say, cores, run_in
from fdd_flower.commands.bench.federated import EXAMPLE as FEDERATED_EXAMPLE
from fdd_flower.commands.bench.federated import federated
from fdd_flower.commands.bench.load import EXAMPLE as LOAD_EXAMPLE
from fdd_flower.commands.bench.load import load
from fdd_flower.wording import many

if TYPE_CHECKING:
    from fdd_flower.bench.distil.settings import Bench
    from fdd_flower.config import Config, Scalar

app = typer.Typer(
    help="Compare distillers with baselines, compare methods, and measure a server under load.",
    no_args_is_help=True,
)
app.command("federated", epilog=FEDERATED_EXAMPLE)(federated)
app.command("load", epilog=LOAD_EXAMPLE)(load)

EXAMPLE = (
    "Example: fdd bench distill --data fashion-mnist --distillers dm,krr --ipc 1,10 "
    "--seeds 0,1,2 --models cnn,convnet,ridge --out benches/first"
)


@app.command("distill", epilog=EXAMPLE)
def distill(
    out: Out,
    data: Data = "digits",
    distillers: Annotated[
        str, typer.Option("--distillers", metavar="NAMES", help="Separated by commas.")
    ] = "dm",
    ipc: Annotated[
        str,
        typer.Option(
            "--ipc", metavar="NUMBERS", help="Synthetic records per class, separated by commas."
        ),
    ] = "1,10",
    seeds: Annotated[
        str,
        typer.Option(
            "--seeds",
            metavar="NUMBERS",
            help="Seeds of distillations and models, separated by commas.",
        ),
    ] = "0,1,2",
    models: Annotated[
        str | None,
        typer.Option(
            "--models",
            metavar="NAMES",
            help="Evaluation models: any that `fdd run` can train, ridge, sk-logistic, sk-forest, "
            "sk-boosting; or all. By default some that fit the records.",
        ),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting; may be repeated."),
    ] = None,
    single_class: Annotated[
        bool, typer.Option("--single-class", help="Distil each class as a separate client.")
    ] = False,
    holdout: Holdout = False,
    full_steps: Annotated[
        int | None,
        typer.Option(
            "--full-steps",
            min=1,
            metavar="N",
            help="Training steps on all records; by default 4 x training.steps, or 6000.",
        ),
    ] = None,
    no_full: Annotated[
        bool, typer.Option("--no-full", help="Do not train on all records; there is no HLR then.")
    ] = False,
    threads: Threads = None,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Distil a training set, and measure models trained on what a server would receive.

    Each set is compared with random records, herded records and k-means centres at equal bytes
    under the same recipe, with ridge regression from sums over all records, and with each model
    trained on all records. DIR gets rows.json, table.txt, table.md, accuracy.png, config.toml,
    the sets and their pictures; existing rows are kept. Exit status: 0 if every row was measured,
    1 if some failed, 2 if the input was wrong, 130 on Ctrl-C.
    """
    from fdd_flower.bench.distil.prepare import prepare
    from fdd_flower.bench.distil.run import run
    from fdd_flower.bench.folder import BenchDir

    def work(folder: Path, say: Say) -> Sequence[Row]:
        bench = _bench(
            data,
            distillers,
            ipc,
            seeds,
            models,
            assignments or [],
            threads=threads,
            single_class=single_class,
            holdout=holdout,
            full_steps=0 if no_full else full_steps,
        )
        BenchDir.check(folder, bench, resume=resume)
        material = prepare(bench)
        where = "held-out training records" if holdout else "the test split"
        say(f"measuring on {where}: {many(len(material.test), 'record')} of {data}")
        return run(bench, folder, say=say, material=material)

    run_in(out, work, holds="rows, tables and pictures", as_json=as_json)


def _bench(
    data: str,
    distillers: str,
    ipc: str,
    seeds: str,
    models: str | None,
    assignments: list[str],
    *,
    threads: int | None,
    single_class: bool,
    holdout: bool,
    full_steps: int | None,
) -> Bench:
    """Return the checked bench that the options ask for."""
    from fdd_flower.bench.distil.settings import FULL_MULTIPLE, Bench, config_from
    from fdd_flower.bench.lists import parse_list
    from fdd_flower.launch.settings import absolute, parse_assignment
    from fdd_flower.training.pace import LONG

    pairs: list[tuple[str, Scalar]] = [parse_assignment(text) for text in assignments]
    pairs = [(k, absolute(str(v)) if k == "data.path" and v else v) for k, v in pairs]
    cfg = config_from(data, pairs, threads=threads or cores())
    if full_steps is None:
        full_steps = FULL_MULTIPLE * (cfg.training.steps or LONG.steps)
    return Bench(
        cfg=cfg,
        distillers=parse_list("--distillers", distillers, str),
        ipcs=parse_list("--ipc", ipc, int),
        seeds=parse_list("--seeds", seeds, int),
        models=_models(models, cfg),
        single_class=single_class,
        holdout=holdout,
        full_steps=full_steps,
    )


def _models(text: str | None, cfg: Config) -> tuple[str, ...]:
    from fdd_flower.bench.distil.recipe import all_models
    from fdd_flower.bench.distil.settings import default_models
    from fdd_flower.bench.lists import parse_list

    if text is None:
        return default_models(cfg)
    return all_models(cfg) if text == "all" else parse_list("--models", text, str)
