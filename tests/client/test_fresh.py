"""Which records a round distils: all, or others than the rounds before."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from fdd_flower.client.fresh import records_of_round
from fdd_flower.config import Config, DistillerConfig
from fdd_flower.data.base import Split
from fdd_flower.errors import ConfigError
from tests.conftest import blobs
from tests.methods.test_end_to_end import rounds
from tests.server.test_resume import result, settings_of, start

IPC, MIN = 2, 5
FRESH = replace(Config(), distiller=DistillerConfig(ipc=IPC, min_records=MIN, fresh=True))


def taken(
    data: Split, round_: int, *, rounds: int = 3, client: str = "1", cfg: Config = FRESH
) -> Split:
    return records_of_round(data, cfg, client=client, round_=round_, rounds=rounds)


def keys(data: Split) -> list[tuple[float, ...]]:
    return [tuple(row.flatten().tolist()) for row in data.inputs]


def test_without_it_every_round_has_all_records():
    data = blobs(counts=(60, 40))
    assert taken(data, 2, cfg=Config()) is data


def test_rounds_share_the_records_of_each_class_among_them():
    data = blobs(counts=(61, 40, 30))
    parts = [taken(data, round_) for round_ in (1, 2, 3)]
    assert sorted(key for part in parts for key in keys(part)) == sorted(keys(data))
    for part in parts:
        counts = torch.bincount(part.labels, minlength=3).tolist()
        assert [
            abs(count - whole / 3) < 1 for count, whole in zip(counts, (61, 40, 30), strict=True)
        ] == [True] * 3
    # a fourth round begins anew
    assert keys(taken(data, 4)) == keys(parts[0])


def test_a_part_is_never_too_small_for_its_rows():
    data = blobs(counts=(25, 9, 3))  # two parts of at least IPC x MIN = 10; too few for two; fewer
    counts = [torch.bincount(taken(data, r).labels, minlength=3).tolist() for r in (1, 2, 3)]
    assert [sorted(per_class) for per_class in zip(*counts, strict=True)] == [
        [12, 13, 13],
        [9, 9, 9],
        [3, 3, 3],
    ]


def test_each_client_deals_its_own_and_always_alike():
    data = blobs(counts=(60, 40))
    assert keys(taken(data, 1)) == keys(taken(data, 1))
    assert keys(taken(data, 1)) != keys(taken(data, 1, client="2"))
    assert keys(taken(data, 1)) != keys(taken(data, 1, cfg=replace(FRESH, seed=1)))


def test_in_a_run_a_round_starts_from_its_own_records_whatever_came_before(tmp_path):
    settings = settings_of(tmp_path / "run", "warm") | {
        "distiller.fresh": True,
        "distiller.ipc": 1,
        "distiller.min-records": 2,
        "distiller.name": "kmeans",
        "num-server-rounds": 2,
    }
    start(settings)
    start(settings | {"output.dir": str(tmp_path / "again")})
    assert result(tmp_path / "run") == result(tmp_path / "again")
    other = settings | {"distiller.fresh": False, "output.dir": str(tmp_path / "all")}
    start(other)
    first, second = rounds(tmp_path / "run"), rounds(tmp_path / "all")
    assert first[0]["loss"] != second[0]["loss"]  # half of the records


def test_with_one_round_it_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"distiller\.fresh: expected at least 2 rounds"):
        start(settings_of(tmp_path / "run") | {"distiller.fresh": True, "num-server-rounds": 1})
    assert not (tmp_path / "run").exists()
