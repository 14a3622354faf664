"""The bounds of a client's set, and verdicts when a check itself fails."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from flwr.app import RecordDict

from fdd_flower.config import DistillerConfig
from fdd_flower.distillers.parts.packing import Packing
from fdd_flower.server.judging.replies import judged_replies
from fdd_flower.server.judging.set_rules import SetRules, check_kind
from fdd_flower.server.judging.validator import Rules, judge
from fdd_flower.synthetic_set import SyntheticSet
from fdd_flower.wire.refusals import Code, RefusedError, code_of
from tests.attacks.scene import (
    CLASSES,
    HONEST,
    IPC,
    NONCE,
    Server,
    config,
    honest_set,
    message,
    node_of,
    part,
    plan,
)


def set_of(labels: list[int], share: float = 1.0) -> SyntheticSet:
    targets = torch.full((len(labels), len(CLASSES)), (1 - share) / (len(CLASSES) - 1))
    targets[torch.arange(len(labels)), torch.tensor(labels)] = share
    return SyntheticSet(
        inputs=torch.zeros(len(labels), 1, 8, 8), targets=targets, weights=torch.ones(len(labels))
    )


def bounds(**settings: object) -> SetRules:
    return SetRules.of(DistillerConfig(ipc=IPC, **settings), plan())  # type: ignore[arg-type]


def code(rules: SetRules, part_: SyntheticSet) -> str:
    try:
        rules.check_rows(part_)
    except RefusedError as error:
        return error.code
    return ""


def test_a_class_has_its_quota_where_rows_belong_to_classes() -> None:
    full, over = set_of([0] * IPC + [1] * IPC), set_of([0] * (IPC + 1))
    assert code(bounds(), full) == ""
    assert code(bounds(), over) == Code.QUOTA
    assert code(bounds(), set_of([0] * (IPC + 1), share=0.6)) == Code.QUOTA
    # At a half, which `krr` gives a row's own class at least, rounding decides.
    assert code(bounds(), set_of([0] * (IPC + 1), share=0.5)) == ""
    for free in ({"labels": "local"}, {"labels": "ridge"}, {"bytes": 10**4}):
        assert code(bounds(**free), over) == ""
    assert code(bounds(labels="local"), set_of([0] * (IPC * 3 + 1))) == Code.TOO_MANY_ROWS


def test_soft_labels_of_the_global_model_are_hard_in_the_first_round() -> None:
    from fdd_flower.distillers.parts.options import settings_of_round

    cfg = DistillerConfig(ipc=IPC, labels="global")
    assert SetRules.of(settings_of_round(cfg, 1), plan()).max_rows_a_class == IPC
    assert SetRules.of(settings_of_round(cfg, 2), plan()).max_rows_a_class == IPC * len(CLASSES)


def test_bytes_are_the_bound_where_they_are_set() -> None:
    found = bounds(bytes=1000)
    assert (found.max_bytes, found.max_rows) == (1000, 1000)


def test_the_images_of_a_packed_row_are_held_to_the_range_too() -> None:
    rows = torch.full((1, 1, 32, 32), 9e3)
    packed = SyntheticSet(inputs=rows, targets=torch.eye(3)[:1], weights=torch.ones(1))
    wide = plan((1, 32, 32))
    check_kind(packed, wide)
    with pytest.raises(RefusedError, match="inputs within") as caught:
        check_kind(Packing(2, "dct").unpack(packed), wide)
    assert caught.value.code == Code.RANGE


@pytest.mark.parametrize(("shape", "classes"), [((1, 8, 4), 3), ((64,), 3), ((1, 8, 8), 4)])
def test_a_codec_from_elsewhere_is_not_believed_about_shapes(
    shape: tuple[int, ...], classes: int
) -> None:
    odd = SyntheticSet(
        inputs=torch.zeros(2, *shape), targets=torch.eye(classes)[:2], weights=torch.ones(2)
    )
    with pytest.raises(RefusedError) as caught:
        check_kind(odd, plan())
    assert caught.value.code == Code.SHAPE


def rules(decode) -> Rules:
    return Rules(nonce=NONCE, round=1, max_bytes=10**6, decode=decode, keep=lambda found: found)


@pytest.mark.parametrize("error", [KeyError("\x1b[2J\n" * 1000), MemoryError(), RecursionError()])
def test_a_check_that_fails_is_a_verdict_too(error: Exception) -> None:
    def decode(content: RecordDict) -> None:
        raise error

    verdict = judge(message(honest_set("0", config()), 1), rules(decode)).verdict
    assert (verdict.accepted, verdict.code, verdict.client) == (False, Code.UNEXPECTED, "0")
    assert verdict.reason.isprintable()
    assert len(verdict.reason) <= 500


def test_what_a_codec_from_elsewhere_raises_has_a_code() -> None:
    good = part("0")
    for field, value, expected in (
        ("targets", 2 * good.targets, Code.LABELS),
        ("weights", -good.weights, Code.WEIGHTS),
        ("weights", good.weights[1:], Code.SHAPE),
    ):
        with pytest.raises(Exception, match="expected") as caught:
            replace(good, **{field: value})
        assert code_of(caught.value) == expected  # type: ignore[arg-type]


def test_the_payload_of_a_refused_reply_is_kept_and_a_large_one_is_not(tmp_path) -> None:
    from fdd_flower.wire.records import to_bytes
    from tests.attacks.malformed_sets import ATTACKS

    server = Server(config(), tmp_path)
    contents = []
    for name in ("labels-sum-to-2", "a-megabyte-of-arrays", "error-reply"):
        changed = ATTACKS[name].change(honest_set("1", config()))
        assert changed is not None
        contents.append(message(changed, 50 + len(contents)))
    server.round([*contents, *(message(honest_set(k, config()), node_of(k)) for k in HONEST)])
    kept = [path.read_bytes() for path in (tmp_path / "rejected").iterdir()]
    assert kept == [to_bytes(contents[0].content)]


def test_the_row_counts_codes(tmp_path) -> None:
    server = Server(config(), tmp_path)
    good = [message(honest_set(k, config()), node_of(k)) for k in HONEST]
    strange = [message(RecordDict(), 40), message(RecordDict(), 41)]
    old = message(honest_set("4", config(), 2), 42)
    with server.side.ledger.staging() as staged:
        rules = server.strategy._rules(1, staged)  # type: ignore[attr-defined]
        judged_replies([*good, *strange, old], side=server.side, rules=rules)
    assert server.side.tally.rejected_codes() == {"envelope": 2, "stale-round": 1}
