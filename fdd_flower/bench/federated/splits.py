"""Short names of splits: `dirichlet-0.1`, `classes-2+quantity`, `iid+shift`."""

from __future__ import annotations

from fdd_flower.config import Scalar, find_key
from fdd_flower.errors import ConfigError

# The setting that the number after the first dash stands for.
NUMBERS = {
    "iid": "", "dirichlet": "partition.alpha", "balanced": "partition.alpha",
    "classes": "partition.classes-per-client", "pathological": "partition.classes-per-client",
    "shards": "partition.shards-per-client",
}  # fmt: skip
QUANTITY = 0.5  # concentration of `+quantity` without a number
GRAMMAR = (
    "iid, dirichlet-ALPHA, balanced-ALPHA, classes-K, pathological-K or shards-K; after it, by "
    "choice, +quantity or +quantity-CONCENTRATION, and +shift"
)


def settings_of(split: str) -> dict[str, Scalar]:
    """Return the settings that `split` stands for.

    >>> settings_of("dirichlet-0.1")
    {'partition.name': 'dirichlet', 'partition.alpha': 0.1}
    >>> settings_of("iid+shift")
    {'partition.name': 'iid', 'partition.shift': 'images'}

    Raises
    ------
    ConfigError
        If there is no such cut, or its number is out of range.
    """
    cut, *more = split.split("+")
    name, dash, number = cut.partition("-")
    if name not in NUMBERS or bool(NUMBERS[name]) != bool(dash):
        raise _unknown(split)
    found: dict[str, Scalar] = {"partition.name": name}
    if dash:
        found |= _number(split, NUMBERS[name], number)
    for word in more:
        name, dash, number = word.partition("-")
        if word == "shift":
            found["partition.shift"] = "images"
        elif name == "quantity":
            found |= _number(split, "partition.quantity", number if dash else str(QUANTITY))
        else:
            raise _unknown(split)
    return found


def _number(split: str, key: str, text: str) -> dict[str, Scalar]:
    try:
        return {key: find_key(key).parse(text)}
    except ConfigError as error:
        raise ConfigError(
            f"--splits {split}",
            expected=f"{error.expected} for {key}",
            got=text,
            remedy="Choose another split in --splits.",
        ) from None


def _unknown(split: str) -> ConfigError:
    return ConfigError(
        f"--splits {split}",
        expected=GRAMMAR,
        got="something else",
        remedy="Write, for example, --splits iid,dirichlet-0.1,classes-2.",
    )
