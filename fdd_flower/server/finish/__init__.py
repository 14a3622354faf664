"""What a last round is for, where it is not for sets: `strategy.finish`, the server's half."""

from fdd_flower.client.finish import FITTED
from fdd_flower.server.finish.base import Finish
from fdd_flower.server.finish.fine_tune import FineTune
from fdd_flower.server.finish.fitted import FittedStep
from fdd_flower.server.finish.readout import Readout

FINISHES: dict[str, type[Finish]] = {
    "readout": Readout,
    "fine-tune": FineTune,
    FITTED: FittedStep,
}
