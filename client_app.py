"""Flower's ClientApp: one round's work of one client, and answers to a server's questions."""

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from fdd_flower.client.respond import respond, run_settings
from fdd_flower.releases.terms import least_to_stay
from fdd_flower.secure_sum.client import answer

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Distil (or train) on this client's data and reply with what may leave it."""
    return respond(message, context)


@app.query()
def query(message: Message, context: Context) -> Message:
    """Say who this client is, or take a step of a secure sum."""
    return answer(message, context, least=least_to_stay(run_settings(message, context)))
