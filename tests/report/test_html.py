"""The report, read by a parser that knows nothing of how it was made."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fdd_flower.errors import DataError
from fdd_flower.ledger import Ledger
from fdd_flower.report.html import write_report
from fdd_flower.run_folder.load import load_run
from fdd_flower.run_folder.run_dir import RunDir
from fdd_flower.schema import Column, Normalisation, Schema
from fdd_flower.training.metrics import answers
from tests.report.samples import CLASSES, HOSTILE, make_set

Leave = Callable[..., Path]
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that tags close in order."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_table_shows_its_schema_and_what_the_rows_hold(finished: Leave) -> None:
    path = finished()
    levels = ("none", HOSTILE)
    columns = (
        Column(name="age", kind="integer", low=0, high=90, centre=40, scale=9, unit="years"),
        Column(name=HOSTILE, kind="category", levels=levels, gaps=True, missing=("?",)),
        *(Column(name=f"x{i}") for i in range(4)),
    )
    schema = Schema.of_table(columns, classes=CLASSES, label="sick")
    RunDir(path).write_schema(schema)
    page = Page(write_report(path))
    assert "0 to 90 years" in page.text
    assert "empty, ?" in page.text
    assert "script" not in page.tags
    saved = load_run(path).synthetic
    assert saved is not None
    ages = np.rint(saved.set.inputs.reshape(len(saved.set), -1)[:, 0].numpy() * 9 + 40)
    mean = np.average(ages.clip(0, 90), weights=saved.set.weights)
    assert f"{mean:.4g} ±" in page.text


def test_a_series_shows_its_channels_and_what_the_rows_hold(finished: Leave) -> None:
    path, scale = finished(), Normalisation(mean=(5.0, 1e3), std=(2.0, 4.0))
    part = make_set(4, (2, 6))
    RunDir(path).write_synthetic(part, CLASSES, scale)
    schema = Schema(
        classes=CLASSES,
        feature_shape=(2, 6),
        normalisation=scale,
        channels=("acc", HOSTILE),
        rate=2,
    )
    RunDir(path).write_schema(schema)
    (path / "synthetic.png").unlink(missing_ok=True)
    page = Page(write_report(path))
    assert "script" not in page.tags
    assert "a window of 6 samples, 3 seconds at 2 a second" in page.text
    values = part.inputs[:, 0].double() * 2 + 5
    weights = part.weights.double()[:, None].expand(4, 6)
    mean = float((values * weights).sum() / weights.sum())
    spread = float(((values - mean).square() * weights).sum() / weights.sum()) ** 0.5
    assert f"acc52{mean:.4g}{spread:.3g}" in page.text


def test_the_page_loads_nothing_from_elsewhere(finished: Leave) -> None:
    path = write_report(finished())
    page = Page(path)
    assert not {"script", "link", "iframe", "object", "base", "form"} & set(page.tags)
    links = [v for n, v in page.attributes if n in {"src", "href", "srcset", "data", "action"}]
    assert len(links) == 2
    assert all(link.startswith("data:image/png;base64,") for link in links)
    style = re.findall(r"<style>(.*?)</style>", path.read_text(), re.DOTALL)
    assert "url(" not in style[0]
    assert "@import" not in style[0]
    assert not [n for n, _ in page.attributes if n.startswith("on")]


def test_the_pictures_are_those_of_the_folder(finished: Leave) -> None:
    run = finished()
    page = Page(write_report(run))
    inlined = {base64.b64decode(v.partition(",")[2]) for n, v in page.attributes if n == "src"}
    assert inlined == {(run / name).read_bytes() for name in ("synthetic.png", "curves.png")}


def test_metrics_stand_by_class_and_by_client_with_pictures(finished: Leave) -> None:
    each = {"recall": 0.5, "precision": 0.25, "auroc": 0.625, "records": 12}
    run = finished(
        metric="auroc",
        metrics={"auroc": 0.8125, "majority": 0.9},
        metrics_per_class={CLASSES[1]: each},
        thresholds={"cnn": {"value": 0.125, "recall": 0.75, "called": 0.5, "records": 9}},
        metrics_per_client={HOSTILE: {"accuracy": 0.5, "auroc": float("nan"), "records": 7}},
    )
    probabilities, labels = np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 1])
    RunDir(run).write_evaluation(answers(probabilities, labels))
    page = Page(write_report(run))
    for text in ("0.812", "90.0%", "0.625", "By client or group", "0.1250", "75.0%"):
        assert text in page.text, text
    assert HOSTILE in page.text
    assert "script" not in page.tags
    picture = base64.b64encode((run / "metrics.png").read_bytes()).decode()
    assert any(picture in value for _, value in page.attributes)


def test_what_was_said_first_and_why_there_is_no_threshold_stand_there(finished: Leave) -> None:
    run = finished(no_threshold={"cnn": f"no set {HOSTILE}"}, notes=["one class in one split"])
    page = Page(write_report(run))
    for text in (f"No threshold of cnn: no set {HOSTILE}.", "one class in one split"):
        assert text in page.text, text
    assert "script" not in page.tags


def test_hostile_names_and_reasons_are_text(finished: Leave) -> None:
    page = Page(write_report(finished(status=f"failed: {HOSTILE}", model=HOSTILE)))
    assert "script" not in page.tags
    # a class name, a client, a reason, the status twice, the model
    assert page.text.count(HOSTILE) == 6


def test_a_stranger_finds_the_facts(finished: Leave) -> None:
    text = Page(write_report(finished())).text
    for fact in (
        "75.0%",
        "500 B",
        "completed",
        "distiller.ipc",
        "two$dollars$",
        "IPC",
        "epsilon",
        "fdd + dm on digits, 4 clients",
        "no part in the result: 1.",
        "1 (not-finite 1)",
    ):
        assert fact in text


def test_the_report_can_be_made_again(finished: Leave) -> None:
    run = finished()
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_a_run_that_failed_before_a_round_has_a_report(finished: Leave) -> None:
    nan = float("nan")
    run = finished(status="failed: quorum", accuracy=nan, accuracy_per_class=[], rounds=0)
    (run / "synthetic.safetensors").unlink()
    (run / "rounds.jsonl").write_text("")
    page = Page(write_report(run))
    assert "img" not in page.tags
    assert "failed: quorum" in page.text
    assert "No round finished." in page.text


def test_many_refusals_are_cut_and_counted(finished: Leave) -> None:
    run = finished()
    ledger = Ledger(run / "ledger")
    for _ in range(250):
        ledger.reject(client="c", round=2, plan="p", reason="tardy-reply", num_bytes=0)
    text = Page(write_report(run)).text
    assert "no part in the result: 251." in text
    assert "first 200" in text
    assert text.count("tardy-reply") == 199


def test_no_run_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"summary\.json"):
        write_report(tmp_path)
