"""What a federated method is: a server half (a Flower Strategy) and a client half."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flwr.app import ArrayRecord
from flwr.serverapp.strategy import Strategy

from fdd_flower.client.side import ClientSide
from fdd_flower.config import Config, StrategyConfig
from fdd_flower.distillers.base import Plan
from fdd_flower.errors import ConfigError
from fdd_flower.models.base import Network
from fdd_flower.registry import Registry
from fdd_flower.server.side import ServerSide


@dataclass(frozen=True, slots=True)
class Method:
    """Both halves of a federated method.

    Attributes
    ----------
    server
        Builds the Flower Strategy that runs the rounds.
    client
        Does a client's work of one round: the arrays to send and metrics beside them.
    distils
        Whether clients send synthetic sets (or sketches, or parameters of the model).
    synthesises
        Whether the server makes a set of what clients send that is no set, and any model can be
        trained on it.
    scored
        Whether the server makes a set of what each client sends, to score it by.
    uses
        The settings of `strategy` that it reads beside those of every method (`COMMON`); a change
        of any other is refused. None: it does not say.
    needs
        How many usable replies it takes.
    condenses
        Whether clients that send parameters distil for themselves.
    conditions
        Whether what a client sends may depend on what others sent in earlier rounds, whatever its
        distiller is set to look at: then those rounds cannot be replayed without one of them.
    check
        Raises a ConfigError where a run's settings, plan and model do not fit the method; before
        the run has a folder.
    private
        The method under a `privacy.mode`; None: it has none.
    """

    server: Callable[[ServerSide], Strategy]
    client: Callable[[ClientSide], tuple[ArrayRecord, dict[str, int | float]]]
    distils: bool
    synthesises: bool = False
    scored: bool = False
    uses: tuple[str, ...] | None = None
    needs: Callable[[StrategyConfig], int] = lambda cfg: 1
    condenses: bool = False
    conditions: bool = True
    check: Callable[[Config, Plan, Network], None] | None = None
    private: Method | None = None


COMMON = ("name", "min_nodes", "quorum", "deadline", "fraction")
STRATEGIES: Registry[Method] = Registry("strategy", "fdd_flower.methods", together=("averaging",))


def method_of(cfg: Config) -> Method:
    """Return the method of a run, which depends on `strategy.name` and `privacy.mode`.

    Raises
    ------
    ConfigError
        If the name is unknown, or the strategy has no private form.
    """
    method = STRATEGIES.get(cfg.strategy.name)
    if cfg.privacy.mode == "none" or not isinstance(method, Method):
        return method
    if method.private is None:
        raise ConfigError(
            "privacy.mode",
            expected=f"none with strategy.name={cfg.strategy.name}",
            got=repr(cfg.privacy.mode),
            remedy="Set strategy.name=fdd: what other strategies send has no accounting.",
        )
    return method.private
