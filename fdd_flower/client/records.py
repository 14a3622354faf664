"""A client's records: its own files or its share of a simulation, and what their owner allows."""

from __future__ import annotations

from collections.abc import Mapping

from flwr.app import Context

from fdd_flower.client.memory import simulated_folder
from fdd_flower.client.side import ClientSide
from fdd_flower.config import Config, DistillerConfig, Scalar
from fdd_flower.data import client_share, load_dataset, load_own
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import Plan, declares
from fdd_flower.errors import ConfigError, DataError
from fdd_flower.privacy.budget import PREFIX, SUBJECT
from fdd_flower.progress_log import say
from fdd_flower.releases.terms import is_private
from fdd_flower.wording import many

DEFAULT_MIN_RECORDS = DistillerConfig().min_records
OWNERS_WORDS = ("allow-real-records", "min-records", "secure-sum")


def has_owners_words(node: Mapping[str, Scalar]) -> bool:
    """Tell whether the owner of the data has a say in this node config."""
    named = ("data-path", *OWNERS_WORDS)
    return any(name in named or name.startswith(PREFIX) for name in node)


def guard_own_data(cfg: Config, node: Mapping[str, Scalar]) -> None:
    """Hold the server's settings against what the owner of the data allows.

    The run config is the server's word. On a client's own data the node config has the last
    one: `allow-real-records` (false), `min-records` (8) and `secure-sum` (false): whether nothing
    may leave but under the masks of a secure sum. Where it has a budget, `privacy.*`, nothing
    leaves but under a `privacy.mode`; with `privacy.subject` its unit is the subject of that name.

    Raises
    ------
    ConfigError
        If the settings would send real records, or rows made of too few of them, or what is not
        masked or not charged to the budget; or if what the owner allows cannot be read.
    """
    _check_promise(cfg, node)
    for name in ("allow-real-records", "secure-sum"):
        if not isinstance(node.get(name, False), bool):
            raise ConfigError(
                f"node config {name}",
                expected="true or false",
                got=repr(node[name]),
                remedy=f"Write {name}=true or {name}=false, without quotes.",
            )
    masks = cfg.sketch.secure_sum and (cfg.strategy.name == "sketch" or is_private(cfg))
    if node.get("secure-sum") is True and not masks:
        raise ConfigError(
            "sketch.secure-sum",
            expected="true, which this client asks for",
            got="false",
            remedy="Set it; or the owner of the data may remove secure-sum from the node config.",
        )
    real = []
    if declares(cfg.distiller.name, "sends_real"):
        real.append(f"distiller.name={cfg.distiller.name}")
    if cfg.distiller.start == "real-unsafe":
        real.append("distiller.start=real-unsafe")
    if real and node.get("allow-real-records") is not True:
        raise ConfigError(
            real[0],
            expected="a distiller that sends no real record",
            got="one that does",
            remedy="The owner of the data may allow it: allow-real-records=true in node config.",
        )
    least = int(node.get("min-records", DEFAULT_MIN_RECORDS))
    # under a private mode no row is made of few records, and no class is withheld
    if cfg.distiller.min_records < least and not is_private(cfg):
        raise ConfigError(
            "distiller.min-records",
            expected=f"at least {least}, which this client asks for",
            got=cfg.distiller.min_records,
            remedy="Raise it; or the owner of the data may lower min-records in the node config.",
        )


def _check_promise(cfg: Config, node: Mapping[str, Scalar]) -> None:
    if not is_private(cfg) and any(name.startswith(PREFIX) for name in node):
        raise ConfigError(
            "privacy.mode",
            expected="a private mode, for this client has a budget",
            got="none",
            remedy="Set one; or the owner of the data may remove privacy.* from the node config.",
        )
    subject = node.get(SUBJECT, "")
    if subject and cfg.data.subject != subject:
        raise ConfigError(
            "data.subject",
            expected=f"{str(subject)!r}, which this client asks for",
            got=repr(cfg.data.subject),
            remedy=f"Set it; or the owner of the data may remove {SUBJECT} from the node config.",
        )


def check_own_records(side: ClientSide) -> None:
    """Refuse to charge a budget of the client's own for records that the server names.

    They would be read as a whole file, from a path that is the server's word.

    Raises
    ------
    ConfigError
        If its owner set a budget and no `data-path`, and it is not simulated.
    """
    node = side.context.node_config
    budget = any(name.startswith(PREFIX) for name in node)
    if budget and "data-path" not in node and simulated_folder(side) is None:
        raise ConfigError(
            "node config data-path",
            expected="the path of this client's own records, for it has a budget",
            got="none",
            remedy="Set it; nothing was charged.",
        )


def tell_withheld(side: ClientSide, classes: int) -> None:
    """Say in the client's log how many of its classes are too small to be sent, if any."""
    if classes:
        least = many(side.cfg.distiller.min_records, "record")
        say(f"client {side.client}: withheld {many(classes, 'class')} of fewer than {least}")


def client_data(cfg: Config, plan: Plan, context: Context) -> Split:
    """Return this client's records: its own path if the node config names one, else its share.

    Raises
    ------
    DataError
        If the node config names neither, or the data does not fit the plan.
    """
    node = context.node_config
    if "data-path" in node:
        return load_own(
            cfg.data,
            path=str(node["data-path"]),
            classes=plan.classes,
            feature_shape=plan.feature_shape,
            normalisation=plan.normalisation,
            columns=plan.columns,
            label=plan.label,
            channels=plan.channels,
            rate=plan.rate,
            tell=lambda text: say(f"client: {text}"),
        )
    if "partition-id" in node and "num-partitions" in node:
        dataset = load_dataset(cfg.data, seed=cfg.seed)
        return client_share(
            dataset,
            cfg.partition,
            client=int(node["partition-id"]),
            num_clients=int(node["num-partitions"]),
            seed=cfg.seed,
        )
    raise DataError(
        "node config",
        expected="data-path, or partition-id and num-partitions",
        got=", ".join(sorted(node)) or "nothing",
        remedy="Start the SuperNode with --node-config 'data-path=\"/folder\"'.",
    )
