"""Flower's ClientApp: one round's work of one client."""

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from fdd_flower.strategies._client import respond

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Distil (or train) on this client's data and reply with what may leave it."""
    return respond(message, context)
