"""What a client answers if its work failed: one word, and nothing about its records."""

from __future__ import annotations

import logging

from flwr.app import RecordDict

from fdd_flower.errors import FddError
from fdd_flower.progress_log import MARK, say
from fdd_flower.wire.records import Envelope, refusal

FAILED = "UnexpectedError"  # of whatever a library raised: its message may quote a record


def refused(error: Exception, envelope: Envelope) -> RecordDict:
    """Return the refusal of a client whose work raised `error`; details stay in its own log.

    Flower would send any error that is left to it to the server, with its message.
    """
    if isinstance(error, FddError):
        say(f"client {envelope.client} refuses: {error}")
        return refusal(type(error).__name__, envelope)
    log = logging.getLogger("flwr")
    log.error("%s client %s refuses: its work failed", MARK, envelope.client, exc_info=error)
    return refusal(FAILED, envelope)
