"""Only marked lines are shown, errors on stderr and once."""

from __future__ import annotations

import logging
import os

import pytest

from fdd_flower.launch.progress import Progress, instead_of_flower_log, marked
from fdd_flower.progress_log import complain, say, say_steps
from fdd_flower.report.console import SteadyConsole


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("\x1b[92mINFO \x1b[0m:      [fdd] round 1/2: accuracy 0.5\n", "round 1/2: accuracy 0.5"),
        (
            "\x1b[36m(ClientAppActor pid=7)\x1b[0m INFO : [fdd] client 3 refuses: [x]\n",
            "client 3 refuses: [x]",
        ),
        ("INFO : [ROUND 1/2]\n", None),
        ("", None),
    ],
)
def test_the_mark_is_found_behind_any_prefix(line, text):
    assert marked(line) == text


def test_an_error_goes_to_stderr_once(capsys):
    progress = Progress()
    for line in ("[fdd] hello [bold]you[/bold]", "[fdd] error: it broke", "[fdd] error: it broke"):
        progress.log_line(line)
    shown = capsys.readouterr()
    assert shown.out == "hello [bold]you[/bold]\n"
    assert shown.err == "error: it broke\n"
    assert progress.errors == ["it broke"]


def test_what_the_server_read_was_said_before(capsys):
    progress = Progress()
    for line in ("[fdd] data: digits", "[fdd] note: 2 classes", "[fdd] output: /x", "[fdd] on"):
        progress.log_line(line)
    assert capsys.readouterr().out == "on\n"


def test_a_reader_that_leaves_does_not_end_the_run():
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as file:
        console = SteadyConsole(file=file)
        os.close(reader)
        for text in ("one", "two"):
            console.print(text)
        print("and what others write there vanishes", file=file, flush=True)


def test_a_long_line_stays_one_line(capsys):
    Progress().say("x" * 500)
    assert capsys.readouterr().out == "x" * 500 + "\n"


def test_flowers_logger_is_borrowed_and_given_back(capsys):
    logger = logging.getLogger("flwr")
    before = logger.handlers[:], logger.propagate, logger.level
    with instead_of_flower_log(Progress()):
        say("one")
        complain("two")
        logger.warning("not for you")
    assert (logger.handlers, logger.propagate, logger.level) == before
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("one\n", "error: two\n")


@pytest.mark.parametrize(
    ("totals", "told"),
    [
        ([10] * 10, ["3/10", "5/10", "8/10", "10/10"]),
        ([10] * 5 + [7] * 2, ["3/10", "5/10", "6/7", "7/7"]),
        ([2] * 2, ["1/2", "2/2"]),
    ],
    ids=["all", "fewer on the way", "less than four"],
)
def test_steps_are_told_at_each_quarter_and_at_the_last(totals, told, caplog):
    caplog.set_level(logging.INFO, "flwr")
    progress = say_steps("training")
    for done, total in enumerate(totals, 1):
        progress(done, total)
    assert [text.rpartition(" ")[2] for text in caplog.messages] == told
