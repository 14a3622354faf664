"""`fdd bench federated`: compare methods by accuracy, bytes and time on the same splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fdd_flower.commands.bench._options import AsJson, Data, Holdout, Out, Resume, Threads
from fdd_flower.commands.bench._rows import Row, Say, cores, run_in

if TYPE_CHECKING:
    from fdd_flower.bench.federated.settings import Federated

EXAMPLE = (
    "Example: fdd bench federated --data fashion-mnist --splits iid,dirichlet-0.1,classes-1 "
    "--methods fdd,random,fedavg --rounds 3 --seeds 0,1,2 --out benches/federated"
)
DEFAULT_METHODS = "fdd,random,fedavg"


def federated(
    out: Out,
    data: Data = "digits",
    clients: Annotated[
        int, typer.Option("--clients", min=1, max=100_000, help="Clients to simulate.")
    ] = 10,
    splits: Annotated[
        str,
        typer.Option(
            "--splits",
            metavar="NAMES",
            help="Separated by commas: iid, dirichlet-ALPHA, balanced-ALPHA (the same with clients "
            "of equal size), classes-K, pathological-K (classes drawn at random) or shards-K; add "
            "+quantity for clients of uneven size, +shift to show each client its images in "
            "another way.",
        ),
    ] = "iid,dirichlet-0.5,dirichlet-0.1,classes-2,classes-1",
    methods: Annotated[
        str | None,
        typer.Option(
            "--methods",
            metavar="NAMES",
            help="Separated by commas: a table of --config, a strategy with its defaults, or a "
            f"distiller for fdd to use. By default every table, or {DEFAULT_METHODS}.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE.toml", help="Methods by name, each a table of settings."
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option("--rounds", help="Rounds of each method that does not set its own."),
    ] = None,
    seeds: Annotated[
        str,
        typer.Option(
            "--seeds",
            metavar="NUMBERS",
            help="Seeds of splits, models and draws, separated by commas.",
        ),
    ] = "0,1,2",
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A setting of all methods; may be repeated."
        ),
    ] = None,
    holdout: Holdout = False,
    threads: Threads = None,
    resume: Resume = False,
    as_json: AsJson = False,
) -> None:
    """Run methods on the same splits and compare accuracy, bytes and time.

    Each run is a `fdd run --in-process` in its own process, with its folder in DIR/runs. Complete
    runs are kept, and runs that were killed are resumed. DIR gets
    rows.json, table.txt, table.md, accuracy-bytes.png, accuracy-time.png and config.toml. Exit
    status: 0 if every run completed, 1 if some failed, 2 if the input was wrong, 130 on Ctrl-C.
    """
    from fdd_flower.bench.federated.run import check_path, run
    from fdd_flower.bench.federated.settings import check

    def work(folder: Path, say: Say) -> Sequence[Row]:
        bench = _bench(
            data,
            clients,
            splits,
            methods,
            config,
            rounds,
            seeds,
            assignments or [],
            holdout=holdout,
            threads=threads or cores(),
        )
        check_path(folder, bench, resume=resume)
        check(bench)
        return run(bench, folder, say=say)

    run_in(out, work, holds="rows, tables, plots and runs", as_json=as_json)


def _bench(
    data: str,
    clients: int,
    splits: str,
    methods: str | None,
    config: Path | None,
    rounds: int | None,
    seeds: str,
    assignments: list[str],
    *,
    holdout: bool,
    threads: int,
) -> Federated:
    """Return the bench that the options ask for."""
    from fdd_flower.bench.federated.methods import named_methods, read_methods
    from fdd_flower.bench.federated.settings import Federated
    from fdd_flower.bench.lists import parse_list
    from fdd_flower.launch.settings import given

    file = {} if config is None else read_methods(config)
    if methods is None:
        names = tuple(file) or parse_list("--methods", DEFAULT_METHODS, str)
    else:
        names = parse_list("--methods", methods, str)
    return Federated(
        methods=named_methods(names, file),
        splits=parse_list("--splits", splits, str),
        seeds=parse_list("--seeds", seeds, int),
        clients=clients,
        data=data,
        common=given(assignments=assignments, rounds=rounds),
        holdout=holdout,
        threads=threads,
    )
