"""A device that is not the CPU, for tests on a machine that has no other.

A `FarTensor` says that it is on `FAR` and holds its values in a plain tensor, where NumPy finds
none. Inside `far_device()` every operation of torch is looked at before it runs. It must find all
its tensors on one side, as on a GPU: a forgotten transfer is an error here. Numbers without
dimensions may come from the CPU where torch allows that on a GPU. Nothing may be drawn on `FAR`:
draws come from generators of the CPU, and are moved.

`meta` is the device's name, because torch knows it in every build and has no kernels behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing

from fdd_flower import device

FAR = torch.device("meta")
ATEN = torch.ops.aten
TRANSFERS = (ATEN._to_copy.default, ATEN.copy_.default)
# What makes up the work of training and distilling: on the CPU it is a transfer forgotten earlier.
WORK = (
    "convolution",
    "mm",
    "addmm",
    "bmm",
    "cdist",
    "grid_sampler_2d",
    "linalg_solve",
    "linalg_eigh",
)


class FarTensor(Tensor):
    """A tensor on `FAR`; `held` has its values."""

    held: Tensor
    is_meta = False  # which would say that there are no values

    @staticmethod
    def __new__(cls, held: Tensor) -> FarTensor:
        made = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=FAR,
        )
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} on a FarTensor outside of far_device()")

    def tolist(self) -> Any:
        """Return the values, as any device does."""
        return self.held.tolist()

    @property
    def data(self) -> Tensor:
        """The same values without a history."""
        return self.detach()

    @data.setter
    def data(self, value: FarTensor) -> None:
        self.held = value.held


@dataclass
class Seen:
    """What ran: operations on `FAR`, and work that was done on the CPU."""

    far: int = 0
    work_here: list[str] = field(default_factory=list)


@contextmanager
def far_device(*, doubles: bool = True) -> Iterator[Seen]:
    """Have tensors on `FAR` work, and everything that would fail on a GPU fail.

    Parameters
    ----------
    doubles
        Whether the device has float64.
    """
    seen, lacking = Seen(), () if doubles else (FAR.type,)
    with (
        mock.patch.object(device, "WITHOUT_DOUBLES", lacking),
        _Operations(seen, doubles=doubles),
        _Constructors(),
    ):
        yield seen


class _Constructors(TorchFunctionMode):
    """Values given in Python come from the CPU, and are then moved."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.tensor and kwargs.get("device") == FAR:
            del kwargs["device"]
            return func(*args, **kwargs).to(FAR)
        if func is Tensor.new_tensor and isinstance(args[0], FarTensor):
            return torch.tensor(*args[1:], dtype=args[0].dtype).to(FAR)
        if func in (Tensor.__getitem__, Tensor.__setitem__) and isinstance(args[0], FarTensor):
            args = (args[0], _places(args[1]), *args[2:])
        return func(*args, **kwargs)


def _places(index: Any) -> Any:
    """Return an index with its lists as tensors on `FAR`, where torch puts them."""
    if isinstance(index, tuple):
        return tuple(map(_places, index))
    return torch.tensor(index).to(FAR) if isinstance(index, list) else index


class _Operations(TorchDispatchMode):
    def __init__(self, seen: Seen, *, doubles: bool) -> None:
        super().__init__()
        self._seen, self._doubles = seen, doubles

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = list(_tensors((args, *kwargs.values())))
        far = any(isinstance(tensor, FarTensor) for tensor in tensors)
        asked = kwargs.get("device")
        goes_far = far if asked is None else torch.device(asked) == FAR
        if far and func not in TRANSFERS:
            _check_same_side(func, args, tensors)
        if goes_far and (kwargs.get("generator") or torch.Tag.nondeterministic_seeded in func.tags):
            raise RuntimeError(f"{func} draws on {FAR}; draw on the CPU and move")
        name = func.name().removeprefix("aten::").partition(".")[0].strip("_")
        if far:
            self._seen.far += 1
        elif name.startswith(WORK) and any(tensor.numel() for tensor in tensors):
            self._seen.work_here.append(name)
        here = kwargs if asked is None else {**kwargs, "device": "cpu"}
        out = func(*_mapped(_held, args), **{name: _mapped(_held, v) for name, v in here.items()})
        if not goes_far or (func is ATEN.copy_.default and not isinstance(args[0], FarTensor)):
            return args[0] if func is ATEN.copy_.default else out
        if not self._doubles and any(found.dtype == torch.float64 for found in _tensors(out)):
            raise TypeError(f"{func}: {FAR} has no float64")
        return return_and_correct_aliasing(func, args, kwargs, _mapped(FarTensor, out))


def _check_same_side(func: Any, args: Any, tensors: list[Tensor]) -> None:
    here = [tensor for tensor in tensors if not isinstance(tensor, FarTensor)]
    numbers = torch.Tag.pointwise in func.tags and all(tensor.ndim == 0 for tensor in here)
    written = [
        arg
        for arg, spec in zip(args, func._schema.arguments, strict=False)
        if spec.alias_info is not None and spec.alias_info.is_write
    ]
    if here and not (numbers and all(isinstance(one, FarTensor) for one in written)):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in here)
        raise RuntimeError(f"{func}: tensors on {FAR} and on the CPU, of shape {shapes}")


def _held(tensor: Tensor) -> Tensor:
    return tensor.held if isinstance(tensor, FarTensor) else tensor


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)


def _mapped(by: Callable[[Tensor], Tensor], values: Any) -> Any:
    if isinstance(values, Tensor):
        return by(values)
    if isinstance(values, list | tuple):
        return type(values)([_mapped(by, value) for value in values])
    return values
