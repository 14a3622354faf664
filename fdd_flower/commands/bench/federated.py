"""`fdd bench federated`: compare methods by accuracy, bytes and time on the same splits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fdd_flower.commands.bench._options import AsJson, Holdout, Out, Resume, Threads
from fdd_flower.commands.bench._rows import Row, Say, cores, run_in

if TYPE_CHECKING:
    from fdd_flower.bench.federated.settings import Federated

EXAMPLE = (
    "Example: fdd bench federated --data fashion-mnist --splits iid,dirichlet-0.1,classes-1 "
    "--methods fdd,random,fedavg --rounds 3 --seeds 0,1,2 --out benches/federated"
)
DEFAULT_METHODS = "fdd,random,fedavg"
DEFAULTS = {
    "data": "digits",
    "splits": "iid,dirichlet-0.5,dirichlet-0.1,classes-2,classes-1",
    "seeds": "0,1,2",
    "clients": "10",
}


def federated(
    out: Out,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="NAMES",
            help="Data sets separated by commas: names, or paths of archives, tables or folders "
            "of images.",
            show_default="of --config, or digits",
        ),
    ] = None,
    clients: Annotated[
        int | None,
        typer.Option(
            "--clients",
            min=1,
            max=100_000,
            help="Clients to simulate.",
            show_default="of --config, or 10",
        ),
    ] = None,
    splits: Annotated[
        str | None,
        typer.Option(
            "--splits",
            metavar="NAMES",
            help="Separated by commas: iid, dirichlet-ALPHA, balanced-ALPHA (the same with clients "
            "of equal size), classes-K, pathological-K (classes drawn at random) or shards-K; add "
            "+quantity for clients of uneven size, +shift to show each client its images in "
            "another way.",
            show_default=f"of --config, or {DEFAULTS['splits']}",
        ),
    ] = None,
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
            "--config",
            metavar="FILE.toml",
            help='Methods by name, each a table of settings, in which beside = "NAMES" says what '
            "it is compared with; [all] holds for all of them, [bench] for these options.",
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option("--rounds", help="Rounds of each method that does not set its own."),
    ] = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            "--seeds",
            metavar="NUMBERS",
            help="Seeds of splits, models and draws, separated by commas.",
            show_default=f"of --config, or {DEFAULTS['seeds']}",
        ),
    ] = None,
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
    runs are kept, and runs that were killed are resumed. DIR gets rows.json, table.txt, table.md,
    accuracy-bytes.png, accuracy-time.png, gain-bytes.png and config.toml. Exit status: 0 if every
    run completed, 1 if some failed, 2 if the input was wrong, 130 on Ctrl-C.
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
    data: str | None,
    clients: int | None,
    splits: str | None,
    methods: str | None,
    config: Path | None,
    rounds: int | None,
    seeds: str | None,
    assignments: list[str],
    *,
    holdout: bool,
    threads: int,
) -> Federated:
    """Return the bench that the options ask for."""
    from fdd_flower.api.source import data_settings
    from fdd_flower.bench.federated.methods import named_methods, read_methods, read_options
    from fdd_flower.bench.federated.settings import Federated
    from fdd_flower.bench.lists import parse_list
    from fdd_flower.launch.settings import given

    common = given(assignments=assignments, rounds=rounds)
    file = {} if config is None else read_methods(config, common)
    said = DEFAULTS | ({} if config is None else read_options(config))
    names_of_data = parse_list("--data", data or said["data"], str)
    if methods is None:
        names = tuple(file) or parse_list("--methods", DEFAULT_METHODS, str)
    else:
        names = parse_list("--methods", methods, str)
    return Federated(
        methods=named_methods(names, file),
        splits=parse_list("--splits", splits or said["splits"], str),
        seeds=parse_list("--seeds", seeds or said["seeds"], int),
        clients=clients or int(said["clients"]),
        data={_name_of(word): data_settings(word) for word in names_of_data},
        common=common,
        holdout=holdout,
        threads=threads,
    )


def _name_of(data: str) -> str:
    """Return what a data set is called in tables: its name, or that of its file."""
    return Path(data).name.split(".")[0] or data
