"""What an answer in a secure sum must be, step by step. What a mask hides is not checked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from flwr.app import RecordDict

from fdd_flower.secure_sum._questions import TAGS
from fdd_flower.secure_sum.client import MASKED
from fdd_flower.secure_sum.consistency import TAG
from fdd_flower.secure_sum.identity import SIGNED
from fdd_flower.secure_sum.keys import KEY
from fdd_flower.secure_sum.masks import RING
from fdd_flower.server.judging.replies import arrays_of
from fdd_flower.server.judging.validator import Rules
from fdd_flower.sketches.integers import check_planes, from_planes
from fdd_flower.wire.arrays import require
from fdd_flower.wire.records import read_envelope, to_numpy
from fdd_flower.wire.refusals import Code, RefusedError

HEADROOM = 4096  # bytes of NPY headers


@dataclass(frozen=True, slots=True)
class Masked:
    """One client's answer.

    Attributes
    ----------
    values
        uint64 (n,), numbers of the ring.
    tags
        uint8 (p, `TAG`): what the client vouches for to each of those with whom it has masks; of no
        rows where clients do not vouch for lists.
    """

    values: np.ndarray
    tags: np.ndarray


def byte_rules(
    name: str, shape: tuple[int, ...], *, nonce: str, round: int, most: int = 255
) -> Rules[np.ndarray, np.ndarray]:
    """Return the rules of an answer: one array of bytes, none above `most`."""
    max_bytes = HEADROOM + int(np.prod(shape))

    def decode(content: RecordDict) -> np.ndarray:
        array = _only(name, content, max_bytes)
        _require_bytes(name, array, shape)
        require(bool((array <= most).all()), name, f"up to {most}", "more", Code.RANGE)
        return array

    return Rules(
        nonce=nonce, round=round, max_bytes=max_bytes, decode=decode, keep=lambda values: values
    )


def key_rules(*, nonce: str, round: int) -> Rules[np.ndarray, np.ndarray]:
    """Return the rules of an answer with keys: kept with the signature, zeros if it has none."""
    shapes = {"keys": (2 * KEY,), "signature": (SIGNED,)}
    max_bytes = HEADROOM + 2 * KEY + SIGNED

    def decode(content: RecordDict) -> np.ndarray:
        found = to_numpy(arrays_of(content), max_bytes=max_bytes)
        names = ", ".join(sorted(map(repr, found)))[:200]
        fits = "keys" in found and found.keys() <= shapes.keys()
        require(fits, "arrays", "keys, or keys and signature", names, Code.ARRAYS)
        for name, array in found.items():
            _require_bytes(name, array, shapes[name])
        return np.concatenate([found["keys"], found.get("signature", np.zeros(SIGNED, np.uint8))])

    return Rules(
        nonce=nonce, round=round, max_bytes=max_bytes, decode=decode, keep=lambda values: values
    )


def masked_rules(
    size: int, clients: Collection[str], *, vouch: bool, nonce: str, round: int
) -> Rules[Masked, Masked]:
    """Return what a masked sketch of `size` numbers must be, from one of `clients`.

    Parameters
    ----------
    vouch
        Whether there is a tag for each of them beside it.
    """
    shape = (len(clients) if vouch else 0, TAG)
    most = HEADROOM + RING * -(-size // 8) + shape[0] * TAG

    def decode(content: RecordDict) -> Masked:
        if read_envelope(content).client not in clients:
            raise RefusedError(
                "reply.meta.client",
                expected="a client that sent shares",
                got="another",
                code=Code.ENVELOPE,
            )
        found = _found({MASKED, TAGS} if vouch else {MASKED}, content, most)
        planes, tags = found[MASKED], found.get(TAGS, np.zeros(shape, np.uint8))
        check_planes(MASKED, planes, (size,), bits=RING)
        _require_bytes(TAGS, tags, shape)
        values = from_planes(planes, (size,), signed=False).numpy().astype(np.uint64)
        return Masked(values, tags)

    return Rules(
        nonce=nonce, round=round, max_bytes=most, decode=decode, keep=lambda values: values
    )


def _require_bytes(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    require(array.dtype == np.uint8, name, "uint8", str(array.dtype)[:100], Code.DTYPE)
    require(array.shape == shape, name, str(shape), str(array.shape)[:100], Code.SHAPE)


def _only(name: str, content: RecordDict, max_bytes: int) -> np.ndarray:
    return _found({name}, content, max_bytes)[name]


def _found(names: Collection[str], content: RecordDict, max_bytes: int) -> dict[str, np.ndarray]:
    arrays = to_numpy(arrays_of(content), max_bytes=max_bytes)
    got = ", ".join(sorted(map(repr, arrays)))[:200]
    require(set(arrays) == set(names), "arrays", " and ".join(sorted(names)), got, Code.ARRAYS)
    return arrays
