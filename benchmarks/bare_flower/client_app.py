"""The client of bare Flower: it distils as `client_app.py` does, and sends the set as it is."""

from flwr.app import ArrayRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from fdd_flower.client.distil import distil
from fdd_flower.client.identity import client_key
from fdd_flower.client.records import client_data
from fdd_flower.client.side import ClientSide
from fdd_flower.config import from_run_config
from fdd_flower.threads import threads
from fdd_flower.wire.records import ARRAYS, read_plan

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Distil this client's data and reply with the set."""
    cfg, plan = from_run_config(context.run_config), read_plan(message.content)
    arrays = message.content[ARRAYS]
    assert isinstance(arrays, ArrayRecord)
    with threads(cfg.runtime.client_threads):
        sent, _ = distil(
            ClientSide(
                cfg=cfg,
                plan=plan,
                load=lambda: client_data(cfg, plan, context),
                client=client_key(context),
                context=context,
                arrays=arrays,
                peers=None,
                logits=None,
            )
        )
    return Message(RecordDict({ARRAYS: sent}), reply_to=message)
