"""What a question in a secure sum holds, read by a client: of the right form, or refused."""

from __future__ import annotations

import numpy as np
from flwr.app import ArrayRecord

from fdd_flower.errors import WireError
from fdd_flower.secure_sum.consistency import TAG
from fdd_flower.secure_sum.identity import SIGNED
from fdd_flower.wire.records import to_numpy

TAGS = "tags"
Arrays = dict[str, np.ndarray]


def read_arrays(record: object) -> Arrays:
    """Return the arrays of a question; none where there are none."""
    if not isinstance(record, ArrayRecord):
        return {}
    return to_numpy(record, max_bytes=sum(len(array.data) for array in record.values()))


def read(arrays: Arrays, name: str, dims: int) -> np.ndarray:
    """Return an array of whole numbers with at least one row.

    Raises
    ------
    WireError
        If it is missing, or another.
    """
    found = arrays.get(name)
    if found is None or found.ndim != dims or found.dtype.kind not in "iu" or not len(found):
        raise off(f"{name} of the other clients", "none")
    return found


def sorted_places(arrays: Arrays, name: str = "places") -> list[int]:
    """Return the places that a question names: at least one, in order, none of them twice.

    Raises
    ------
    WireError
        If they are others.
    """
    places = read(arrays, name, 1).tolist()
    if sorted(set(places)) != places:
        raise off("places in order, each once", "others")
    return places


def number_of_clients(arrays: Arrays, least: int) -> int:
    """Return of how many clients the sum may be, `least` or more: of so many it must not overflow.

    Raises
    ------
    WireError
        If it is fewer.
    """
    found = read(arrays, "clients", 1).tolist()
    if len(found) != 1 or found[0] < least:
        raise off(f"a number of clients, {least} or more", found[:2])
    return found[0]


def signature_rows(arrays: Arrays) -> list[bytes]:
    """Return the signatures of the keys of a neighbourhood, by place; without any, none.

    Raises
    ------
    WireError
        If they are of another form.
    """
    if "signatures" not in arrays:
        return []
    found = read(arrays, "signatures", 2)
    if found.dtype != np.uint8 or found.shape[1] != SIGNED:
        raise off("signatures as bytes", found.dtype)
    return [row.tobytes() for row in found]


def tag_rows(arrays: Arrays, count: int) -> list[bytes]:
    """Return the tags of so many clients.

    Raises
    ------
    WireError
        If they are more, fewer or of another form.
    """
    rows = read(arrays, TAGS, 2)
    if rows.dtype != np.uint8 or rows.shape != (count, TAG):
        raise off("a tag of each client", "others")
    return [row.tobytes() for row in rows]


def off(expected: str, got: object) -> WireError:
    """Return the error of a question that the client does not answer."""
    return WireError(
        "secure sum",
        expected=expected,
        got=got,
        remedy="This client stays out of the sum.",
    )
