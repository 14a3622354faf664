"""The server of bare Flower: no verdicts, ledger, checkpoint or report; merge, train, evaluate."""

import json
import time
from dataclasses import replace
from pathlib import Path

from flwr.app import ArrayRecord, Context, Message, MessageType, RecordDict
from flwr.serverapp import Grid, ServerApp

from fdd_flower.client.side import new_model
from fdd_flower.config import from_run_config
from fdd_flower.data import load_dataset
from fdd_flower.distillers.base import packing_of
from fdd_flower.mergers.base import MERGERS
from fdd_flower.rng import stream
from fdd_flower.server.checks import make_plan, server_records
from fdd_flower.threads import threads
from fdd_flower.training.evaluation import evaluate
from fdd_flower.training.loop import train_on
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.records import ARRAYS, CONFIG, plan_record, read_set

app = ServerApp()
MANY = 2**31  # bytes: nothing is judged here


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run every round, and write what it took to `output.dir`."""
    cfg = from_run_config(context.run_config)
    dataset = load_dataset(cfg.data, seed=cfg.seed)
    plan = make_plan(cfg, dataset, "bare")
    test, _ = server_records(cfg, dataset)
    codec, model = CODECS.get(cfg.codec.name)(cfg.codec), new_model(cfg, plan)
    packing = packing_of(cfg.distiller, plan.feature_shape, codec)
    merger = MERGERS.get(cfg.merger.name)(cfg.merger)
    accuracy = []
    started = time.monotonic()  # with data and model at hand, where `fdd run` starts its clock
    with threads(cfg.runtime.server_threads):
        for number in range(1, cfg.num_server_rounds + 1):
            content = RecordDict(
                {
                    ARRAYS: ArrayRecord(model.state_dict()),
                    CONFIG: plan_record(replace(plan, round=number)),
                }
            )
            asked = [Message(content, node, MessageType.TRAIN) for node in grid.get_node_ids()]
            replies = grid.send_and_receive(asked, timeout=cfg.strategy.deadline)
            arrays = [dict(reply.content.array_records)[ARRAYS] for reply in replies]
            parts = [packing.unpack(read_set(sent, codec, plan, max_bytes=MANY)) for sent in arrays]
            merged = merger.merge(parts, rng=stream(cfg.seed, "merge", number))
            model = new_model(cfg, plan, round_=number)
            train_on(merged, model, cfg.training, rng=stream(cfg.seed, "train", number))
            accuracy.append(evaluate(model, test).accuracy)
    found = {"seconds": time.monotonic() - started, "accuracy": accuracy}
    Path(cfg.output.dir).mkdir(parents=True, exist_ok=True)
    (Path(cfg.output.dir) / "bare.json").write_text(json.dumps(found))
