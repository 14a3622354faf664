"""Errors that a user can act on: each names the field, what was expected, what came, the remedy."""

from __future__ import annotations


class FddError(Exception):
    """Base of every error that is the input's fault and not the program's.

    Parameters
    ----------
    what
        The field, file or step at fault.
    expected
        What would have been accepted.
    got
        What came instead.
    remedy
        What to do about it.
    """

    def __init__(self, what: str, *, expected: str, got: object, remedy: str) -> None:
        self.what, self.expected, self.got, self.remedy = what, expected, got, remedy
        super().__init__(f"{what}: expected {expected}; got {got}. {remedy}")

    def __reduce__(self) -> tuple[object, ...]:
        # Ray moves exceptions between processes by pickle, which re-calls __init__.
        return (_rebuild, (type(self), self.what, self.expected, self.got, self.remedy))


def _rebuild(kind: type[FddError], what: str, expected: str, got: object, remedy: str) -> FddError:
    return kind(what, expected=expected, got=got, remedy=remedy)


class ConfigError(FddError):
    """A setting has an unknown name, a wrong type or a value out of range."""


class DataError(FddError):
    """Data is missing, unreadable or does not fit the settings."""


class DistillError(FddError):
    """A client cannot distil its data under the rules it was given."""


class BudgetError(FddError):
    """A client's privacy budget does not allow a release, or its ledger cannot be trusted."""


class WireError(FddError):
    """A message does not hold what the wire format promises."""


class QuorumError(FddError):
    """Too few clients are connected, or too few replies were usable."""


class LaunchError(FddError):
    """A process, port or folder that a run needs could not be had."""
