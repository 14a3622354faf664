"""The server of bare Flower: no verdicts, ledger, checkpoint or report; merge, train, evaluate."""

import json
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
from fdd_flower.scoring import server_records
from fdd_flower.server.checks import make_plan
from fdd_flower.threads import threads
from fdd_flower.training.evaluation import evaluate
from fdd_flower.training.loop import train_on
from fdd_flower.wire.codecs.base import CODECS
from fdd_flower.wire.records import ARRAYS, CONFIG, plan_record, read_set

app = ServerApp()
MANY = 2**31  # bytes: nothing is judged here


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run every round, and add its line to `rounds.jsonl` in `output.dir`, as `fdd run` does."""
    cfg = from_run_config(context.run_config)
    dataset = load_dataset(cfg.data, seed=cfg.seed)
    plan = make_plan(cfg, dataset, "bare")
    test, _ = server_records(cfg, dataset)
    codec, model = CODECS.get(cfg.codec.name)(cfg.codec), new_model(cfg, plan)
    packing = packing_of(cfg.distiller, plan.feature_shape, codec)
    merger = MERGERS.get(cfg.merger.name)(cfg.merger)
    folder = Path(cfg.output.dir)
    folder.mkdir(parents=True, exist_ok=True)
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
            accuracy = evaluate(model, test).accuracy
            with (folder / "rounds.jsonl").open("a") as rows:
                rows.write(json.dumps({"round": number, "accuracy": accuracy}) + "\n")
