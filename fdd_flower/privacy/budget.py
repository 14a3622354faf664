"""A client's own budget: what it may ever release of a data set, whatever a server asks for.

The order is: check, charge, touch the data, draw noise, freeze, send. A crash after the charge
costs budget and no privacy; a retry under the same key uses that charge, for only one release can
be frozen under a key, and none leaves before it is frozen. After that a retry gets its bytes.

In simulation, where no node config says otherwise, the run's own epsilon is the maximum and the
ledger lies with the run: simulated records are no one's, and a run is an experiment of its own.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from fdd_flower.config import Scalar
from fdd_flower.errors import BudgetError, ConfigError
from fdd_flower.privacy import lifetime
from fdd_flower.privacy.accountant import Spend, epsilon_of

PREFIX = "privacy."
SUBJECT = "privacy.subject"  # what `data.subject` must be; empty: the unit may be a record
_DEFAULTS: dict[str, Scalar] = {
    "privacy.max-epsilon": 1.0,
    "privacy.delta": 1e-5,
    "privacy.folder": "",
    "privacy.dataset": "",
    SUBJECT: "",
    "privacy.max-releases": 1_000,
    "privacy.max-seeds": 100,
}


def key_of(run: str, round_: int, facts: Mapping[str, object]) -> str:
    """Return the key of a release: the run's nonce, the round, all that determines the release."""
    text = json.dumps([run, round_, dict(facts)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one client may release of one data set, over all runs.

    Parameters
    ----------
    path
        The ledger.
    max_epsilon, delta
        Of all charges together, at most.
    max_releases
        Over all runs.
    max_seeds
        Random networks that one round may ask about.
    run
        The nonce of the run that asks.
    run_epsilon, run_delta
        What the run itself promised; infinite where it set a sigma.
    """

    path: Path
    max_epsilon: float
    delta: float
    max_releases: int = 1_000
    max_seeds: int = 100
    run: str = ""
    run_epsilon: float = math.inf
    run_delta: float = 1e-5

    @classmethod
    def of(
        cls,
        node: Mapping[str, Scalar],
        *,
        run: str,
        epsilon: float,
        delta: float,
        client: str = "",
        scratch: Path | None = None,
    ) -> Budget:
        """Return the budget of a client, from its node config.

        Parameters
        ----------
        node
            May hold `privacy.max-epsilon` (1), `privacy.delta` (1e-5), `privacy.folder`
            (`~/.fdd-flower/privacy`), `privacy.dataset` (the name of its records, without which
            `data-path` is the name), `privacy.subject` (see `SUBJECT`), `privacy.max-releases`
            (1000), `privacy.max-seeds` (100).
        run, epsilon, delta
            The nonce of the run, and what it promises; epsilon is infinite where it sets sigma.
        client
            The client's key.
        scratch
            In simulation, where the run keeps what its clients remember.

        Raises
        ------
        ConfigError
            If a key is unknown, or its value has a wrong type or range.
        """
        own = {name: value for name, value in node.items() if name.startswith(PREFIX)}
        simulated = scratch is not None and not own and "data-path" not in node
        found = {name: _checked(name, own.pop(name, value)) for name, value in _DEFAULTS.items()}
        if own:
            known = ", ".join(_DEFAULTS)
            raise _wrong(min(own), f"one of {known}", "an unknown key")
        name = str(found["privacy.dataset"] or _records(node, client))
        folder = Path(str(found["privacy.folder"]) or Path.home() / ".fdd-flower" / "privacy")
        if not folder.is_absolute():
            raise _wrong("privacy.folder", "an absolute path", folder)
        slug = re.sub(r"[^A-Za-z0-9]+", "-", name)[-40:].strip("-")
        file = f"{slug}-{hashlib.sha256(name.encode()).hexdigest()[:16]}.sqlite"
        return cls(
            path=(scratch if simulated and scratch is not None else folder) / file,
            max_epsilon=epsilon if simulated else float(found["privacy.max-epsilon"]),
            delta=delta if simulated else float(found["privacy.delta"]),
            max_releases=int(found["privacy.max-releases"]),
            max_seeds=int(found["privacy.max-seeds"]),
            run=run,
            run_epsilon=epsilon,
            run_delta=delta,
        )

    def check_seeds(self, count: int) -> None:
        """Refuse to answer for more random networks than the client allows.

        Raises
        ------
        BudgetError
            If they are more.
        """
        if count > self.max_seeds:
            raise _exhausted("privacy.max-seeds", f"at most {self.max_seeds}", count)

    def frozen(self, key: str) -> bytes | None:
        """Return the release that is frozen under `key`; None where there is none.

        Raises
        ------
        BudgetError
            If the ledger is damaged.
        """
        self._create()
        with lifetime.transaction(self.path) as db:
            return lifetime.payload(self.path, db, key)

    def reserve(self, key: str, spend: Spend) -> None:
        """Charge `spend`, before data is touched; a second time under `key` nothing is charged.

        Raises
        ------
        BudgetError
            If it is beyond what the client allows, or what the run promised; or the ledger is
            damaged.
        """
        self._create()
        with lifetime.transaction(self.path) as db:
            before = lifetime.charges(self.path, db)
            same = [charge for charge in before if charge.key == key]
            if same:
                if same[0] != lifetime.Charge(key, self.run, spend):
                    raise _exhausted("privacy.sigma", f"{same[0].spend}, as charged", spend)
                return
            self._check(before, spend)
            lifetime.add(db, lifetime.Charge(key, self.run, spend))

    def freeze(self, key: str, payload: bytes) -> bytes:
        """Keep a release for good, and return what may be sent: the first one under `key`.

        Raises
        ------
        BudgetError
            If nothing was charged under `key`, or the ledger is damaged.
        """
        with lifetime.transaction(self.path) as db:
            if all(charge.key != key for charge in lifetime.charges(self.path, db)):
                raise _exhausted("release", "one that was charged before it was made", "no charge")
            there = lifetime.payload(self.path, db, key)
            if there is not None:
                return there
            lifetime.freeze(db, key, payload)
        return payload

    def release(self, key: str, spend: Spend, draw: Callable[[], bytes]) -> bytes:
        """Return the release of `key`: the frozen one, or a new one that `draw` makes.

        `draw` is the only one to touch the data, and is called once `spend` is charged.

        Raises
        ------
        BudgetError
            As `reserve`.
        """
        self.reserve(key, spend)
        there = self.frozen(key)
        return self.freeze(key, draw()) if there is None else there

    def spent(self) -> tuple[float, int]:
        """Return what all runs together cost: epsilon at `delta`, and how many releases."""
        self._create()
        with lifetime.transaction(self.path) as db:
            spends = [charge.spend for charge in lifetime.charges(self.path, db)]
        return epsilon_of(spends, self.delta), sum(spend.releases for spend in spends)

    def _check(self, before: list[lifetime.Charge], spend: Spend) -> None:
        if math.isfinite(self.run_epsilon) and self.run_epsilon > self.max_epsilon:
            raise _exhausted("privacy.epsilon", f"at most {self.max_epsilon}", self.run_epsilon)
        every = [*(charge.spend for charge in before), spend]
        if (count := sum(one.releases for one in every)) > self.max_releases:
            raise _exhausted("privacy.max-releases", f"at most {self.max_releases}", count)
        if (cost := epsilon_of(every, self.delta)) > self.max_epsilon:
            raise _exhausted("privacy.max-epsilon", f"at most {self.max_epsilon}", f"{cost:.4g}")
        if math.isfinite(self.run_epsilon):
            own = [*(charge.spend for charge in before if charge.run == self.run), spend]
            if (cost := epsilon_of(own, self.run_delta)) > self.run_epsilon:
                promised = f"at most {self.run_epsilon}, as the run promised"
                raise _exhausted("privacy.epsilon", promised, f"{cost:.4g}")

    def _create(self) -> None:
        try:
            lifetime.create(self.path)
        except OSError as error:
            raise BudgetError(
                str(self.path),
                expected="a folder for the privacy ledger that can be written",
                got=error.strerror or error,
                remedy="Set privacy.folder in the node config; nothing was released.",
            ) from error


def _records(node: Mapping[str, Scalar], client: str) -> str:
    # the server's settings have no say: another name would be another budget
    if "data-path" in node:
        return str(Path(str(node["data-path"])).expanduser().resolve())
    named = "partition-id" in node or "client-name" in node
    return f"records of {client}" if named else "records"


def _checked(name: str, value: Scalar) -> Scalar:
    default = _DEFAULTS[name]
    if isinstance(default, str):
        if isinstance(value, str):
            return value
        raise _wrong(name, "a text", value)
    highest = {"privacy.delta": 0.1}.get(name, 1e9)
    kinds = int if isinstance(default, int) else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value <= highest:
        what = "a whole number" if isinstance(default, int) else "a number"
        raise _wrong(name, f"{what} above 0, at most {highest:g}", value)
    return value


def _wrong(name: str, expected: str, got: object) -> ConfigError:
    return ConfigError(
        f"node config {name}", expected=expected, got=repr(got), remedy="Correct the node config."
    )


def _exhausted(name: str, expected: str, got: object) -> BudgetError:
    return BudgetError(
        name,
        expected=expected,
        got=got,
        remedy="Nothing was released. The owner of the data alone may raise the client's limits.",
    )
