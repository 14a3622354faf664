"""Codes for why a reply is refused: a closed list for logs, ledgers and tests."""

from __future__ import annotations

from enum import StrEnum

from fdd_flower.errors import WireError


class Code(StrEnum):
    """The rule that a refused reply broke. Words are added, and never change their meaning.

    In the order in which the server looks: a reply gets the first that fits.
    """

    # Who replies, and to what
    CLIENT_ERROR = "client-error"  # no content: the client's app raised, or its node is gone
    TOO_LARGE = "too-large"  # more bytes than the round allows, or a decompression bomb
    ENVELOPE = "envelope"  # a record or key is missing, unknown, or of a wrong type or range
    SCHEMA = "schema"  # of a version that this reader does not know
    CLIENT_KEY = "client-key"  # not 1 to 128 plain printable characters
    REFUSED = "refused"  # the client says that it has nothing to send
    WRONG_RUN = "wrong-run"  # the answer to another run's plan
    STALE_ROUND = "stale-round"  # the answer to another round's plan

    # What was sent
    ARRAYS = "arrays"  # an array is missing, or not one that the codec has
    UNDECODABLE = "undecodable"  # bytes that are not what they should be: NPY, zlib, an image
    DTYPE = "dtype"
    SHAPE = "shape"  # of an array, or of one beside another
    EMPTY = "empty"  # no rows
    NOT_FINITE = "not-finite"
    RANGE = "range"  # values that no normalised record, or no trained parameter, can have
    LABELS = "labels"  # a target row that is no distribution
    UNKNOWN_CLASS = "unknown-class"  # a label that the plan has no class for
    WEIGHTS = "weights"  # claimed counts out of range
    TOO_MANY_ROWS = "too-many-rows"
    QUOTA = "quota"  # more rows of a class than the plan allows

    # Beside the other replies
    DUPLICATE_CLIENT = "duplicate-client"  # another reply of the round has this client key
    DUPLICATE_SET = "duplicate-set"  # another client's set, value for value

    UNEXPECTED = "unexpected"  # a check itself failed: the reply is dropped, and the check wrong


DROPPED = "The reply is dropped."


class RefusedError(WireError):
    """A WireError with the `Code` of the rule that was broken."""

    def __init__(
        self,
        what: str,
        *,
        expected: str,
        got: object,
        remedy: str = DROPPED,
        code: Code = Code.UNDECODABLE,
    ) -> None:
        super().__init__(what, expected=expected, got=got, remedy=remedy)
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        # Ray moves exceptions between processes by pickle, which re-calls __init__.
        return (_rebuild, (self.what, self.expected, self.got, self.remedy, self.code))


def _rebuild(what: str, expected: str, got: object, remedy: str, code: Code) -> RefusedError:
    return RefusedError(what, expected=expected, got=got, remedy=remedy, code=code)


# SyntheticSet checks itself and knows no codes; its fields tell which rule it was.
_FIELDS = {
    "SyntheticSet.inputs": Code.SHAPE,
    "SyntheticSet.targets and weights": Code.SHAPE,
    "SyntheticSet.targets": Code.LABELS,
    "SyntheticSet.weights": Code.WEIGHTS,
}


def code_of(error: Exception) -> Code:
    """Return the code of whatever a check raised."""
    if isinstance(error, RefusedError):
        return error.code
    if isinstance(error, WireError):  # a codec from elsewhere need not know the codes
        return _FIELDS.get(error.what, Code.UNDECODABLE)
    return Code.UNEXPECTED
