"""What no client can send is said, or refused, before a run begins."""

from __future__ import annotations

import numpy as np
import pytest

from fdd_flower.config import Config, from_run_config
from fdd_flower.errors import ConfigError
from fdd_flower.launch.reach import check_reach
from fdd_flower.methods.base import method_of

NAMES = ("cat", "dog", "yak")


def reach(*counts: tuple[int, int, int], **settings: object) -> list[str]:
    cfg = from_run_config({name.replace("_", "."): value for name, value in settings.items()})  # pyright: ignore[reportArgumentType]
    return check_reach(cfg, method_of(cfg), NAMES, [np.array(own) for own in counts])


def test_clients_that_hold_enough_of_each_class_are_not_spoken_of() -> None:
    assert reach((8, 9, 0), (0, 8, 8)) == []


def test_a_class_that_nobody_can_send_is_named() -> None:
    assert reach((8, 9, 7), (8, 8, 7)) == ["no client has 8 records of yak: nobody sends any"]


def test_a_class_of_which_much_is_withheld_is_counted() -> None:
    assert reach((80, 9, 8), (80, 8, 7), (80, 9, 3)) == [
        "only clients with 8 records of a class send it: yak (8 of 18)"
    ]
    assert reach((80, 9, 80), (80, 8, 7)) == []  # 7 of 87


def test_a_class_that_no_client_holds_is_no_matter_of_size() -> None:
    assert reach((8, 9, 0), (8, 8, 0)) == []


def test_clients_that_can_send_nothing_are_counted() -> None:
    lines = reach((7, 7, 7), (80, 100, 100), (0, 90, 0), (1, 2, 3))
    assert lines == ["without 8 records of any class, and so unusable: 2 of 4 clients"]


def test_too_few_of_them_for_a_round_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"min-records: .* 2 at least.*got 1 of 3.*are 8\. Run"):
        reach((7, 7, 7), (8, 0, 0), (1, 2, 3))
    assert reach((7, 7, 7), (8, 0, 0), (1, 2, 3), strategy_quorum=1)


@pytest.mark.parametrize("settings", [{"strategy_name": "fedavg"}, {"privacy_mode": "dp-moments"}])
def test_what_withholds_no_class_has_no_least(settings: dict[str, object]) -> None:
    assert reach((1, 1, 1), (1, 1, 1), **settings) == []


def test_the_least_is_a_setting() -> None:
    cfg = Config()
    assert cfg.distiller.min_records == 8
    cfg = from_run_config({"distiller.min-records": 2})
    assert check_reach(cfg, method_of(cfg), NAMES, [np.array([2, 2, 2])] * 2) == []
