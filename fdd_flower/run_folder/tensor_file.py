"""Tensors and a few facts about them as safetensors, bit for bit the same for the same content."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from fdd_flower.device import on_host
from fdd_flower.errors import DataError

_KEY = "fdd_flower"


def pack(tensors: Mapping[str, Tensor], facts: Mapping[str, Any] | None = None) -> bytes:
    """Return `tensors` and JSON `facts` as the bytes of a safetensors file."""
    from safetensors.torch import save

    # a copy each: safetensors refuses views of one storage, and tied weights are such views
    plain = {name: on_host(t.detach()).contiguous().clone() for name, t in tensors.items()}
    # one key, because safetensors writes several in the random order of its hash map
    metadata = {_KEY: json.dumps(facts, sort_keys=True)} if facts is not None else None
    return save(plain, metadata)


def unpack(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the facts that `pack` wrote.

    Raises
    ------
    DataError
        If the file is missing, or is not whole.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get(_KEY, "{}"))
            if not isinstance(facts, dict):
                raise ValueError(f"metadata is a {type(facts).__name__}")
            # cloned, so that no tensor keeps the file mapped
            return {name: file.get_tensor(name).clone() for name in file.keys()}, facts  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise DataError(
            str(path),
            expected="a whole safetensors file of this package",
            got=f"{type(error).__name__}: {error}",
            remedy="Check the path; a damaged file must be made again.",
        ) from error
