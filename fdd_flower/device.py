"""Where tensors live: the one place that names a device.

`runtime.device` says which one; `resolve` finds it, and `moved` brings there what is computed with.
Everything else follows the tensors that it is given and makes new ones beside them, on `x.device`.
What travels, is hashed or is saved comes back by `on_host`.

Draws are made on the CPU (`rng.stream`) and moved, so that every device sees the same numbers: runs
on two devices differ by the rounding of sums and in nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from fdd_flower.errors import ConfigError

T = TypeVar("T")

AUTO, CPU, CUDA, MPS = "auto", "cpu", "cuda", "mps"
CHOICES = (AUTO, CPU, CUDA, MPS)
HOST = torch.device(CPU)
WITHOUT_DOUBLES = (MPS,)


def resolve(name: str) -> torch.device:
    """Return the device that `runtime.device` names.

    On a GPU of NVIDIA, convolutions then keep all bits of a float32: torch's default rounds their
    inputs to 10 bits (TF32), which is no rounding of sums.

    Raises
    ------
    ConfigError
        If this machine has no such device.
    """
    if name == AUTO:
        name = best()
    if name not in available():
        raise ConfigError(
            "runtime.device",
            expected=f"one that this machine has: {', '.join((AUTO, *available()))}",
            got=repr(name),
            remedy=_REMEDIES.get(name, f"Set it to {AUTO}."),
        )
    if name == CUDA:
        torch.backends.cudnn.allow_tf32 = False
    return torch.device(name)


_REMEDIES = {
    CUDA: "Set it to auto, or install a CUDA build of torch beside an NVIDIA driver.",
    MPS: "Set it to auto; mps is there on Macs with Apple silicon only.",
}


def available() -> tuple[str, ...]:
    """Return the names of the devices that this machine has, but for `auto`."""
    found = {CUDA: torch.cuda.is_available(), MPS: torch.backends.mps.is_available()}
    return (CPU, *(name for name, there in found.items() if there))


def best() -> str:
    """Return what `auto` chooses: a GPU of NVIDIA where there is one, else the CPU.

    Never `mps`: it has no float64, and less is known of it.
    """
    return CUDA if CUDA in available() else CPU


def gpus(device: torch.device) -> int:
    """Return how many GPUs of NVIDIA there are to share, of a run on `device`."""
    return torch.cuda.device_count() if device.type == CUDA else 0


def moved(value: T, device: torch.device) -> T:
    """Return `value` with all its tensors on `device`; itself where they are there already.

    Parameters
    ----------
    value
        A tensor, a module (which moves in place), or a list, tuple, mapping or dataclass of such;
        anything else is returned as it is.
    """
    found: Any = value
    if isinstance(value, Tensor | nn.Module):
        found = value.to(device)
    elif isinstance(value, Mapping):
        found = _changed(value, {key: moved(item, device) for key, item in value.items()})
    elif isinstance(value, list | tuple):
        items = [moved(item, device) for item in value]
        if any(new is not old for new, old in zip(items, value, strict=True)):
            found = type(value)(items)
    elif is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
        now = {name: moved(part, device) for name, part in parts.items()}
        if any(now[name] is not part for name, part in parts.items()):
            found = replace(cast(Any, value), **now)
    return cast(T, found)


def _changed(old: Mapping[Any, Any], new: dict[Any, Any]) -> Mapping[Any, Any]:
    return new if any(new[key] is not item for key, item in old.items()) else old


def device_of(network: nn.Module) -> torch.device:
    """Return the device that a network is on: the CPU for one without weights."""
    return next(network.parameters(), torch.empty(0, device=HOST)).device


def on_host(value: T) -> T:
    """Return `value` with all its tensors on the CPU, where NumPy and files can read them."""
    return moved(value, HOST)


def widest(device: torch.device) -> torch.dtype:
    """Return the most precise type of `device`: float64, or float32 where it has no other."""
    return torch.float32 if device.type in WITHOUT_DOUBLES else torch.float64


def wide(values: Tensor) -> Tensor:
    """Return `values` in the most precise type of their device."""
    return values.to(widest(values.device))


def with_doubles(device: torch.device) -> torch.device:
    """Return `device`, or the CPU where it has no float64: for sums that must be exact."""
    return HOST if device.type in WITHOUT_DOUBLES else device
