"""Federated dataset distillation on Flower.

Clients turn private data into a few kilobytes of synthetic data; the server merges
what it can trust and trains any model on it.

Examples
--------
>>> import fdd_flower as fdd
>>> small = fdd.distill(x, y, bytes=8_000)  # doctest: +SKIP
>>> model = fdd.train(small, "convnet")  # doctest: +SKIP
>>> fdd.evaluate(model, x_test, y_test)  # doctest: +SKIP
>>> run = fdd.run(clients=10, rounds=1, data="digits", out="runs/a")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fdd_flower.api.distil import distill
    from fdd_flower.api.evaluate import Evaluation, evaluate
    from fdd_flower.api.model import Model
    from fdd_flower.api.run import Run, load_run, run
    from fdd_flower.api.synthetic import SyntheticSet
    from fdd_flower.api.train import train

__version__ = "0.2.0"

__all__ = [
    "Evaluation",
    "Model",
    "Run",
    "SyntheticSet",
    "distill",
    "evaluate",
    "load_run",
    "run",
    "train",
]

# torch takes seconds to import, and `fdd --help` needs none of it
_MODULES = {
    "Evaluation": "evaluate",
    "Model": "model",
    "Run": "run",
    "SyntheticSet": "synthetic",
    "distill": "distil",
    "evaluate": "evaluate",
    "load_run": "run",
    "run": "run",
    "train": "train",
}


def __getattr__(name: str) -> Any:
    """Import a name of the API when it is asked for (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found = getattr(import_module(f"{__name__}.api.{_MODULES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Return the names of the API too, for completion."""
    return sorted({*globals(), *__all__})
