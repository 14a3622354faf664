"""The bar is where the lines of the log say that the run is."""

from __future__ import annotations

from io import StringIO

import pytest

from fdd_flower.launch.bar import Bar
from fdd_flower.launch.progress import Progress
from fdd_flower.report.console import SteadyConsole

LINES = [
    ("[fdd] resuming after round 1 of 4", 1.0, True),
    ("[fdd] client 3/10 replied after 2.0 s (2.8 kB)", 1.15, False),
    ("[fdd] client 0: withheld 3 classes of fewer than 8 records", 1.15, True),
    ("[fdd] round 2: training on 141 rows, step 500/1000", 1.75, False),
    ("[fdd] round 2: training convnet on 141 rows, step 250/1000", 1.75, False),
    ("[fdd] round 2/4: accuracy 0.9639, loss 0.3920", 2.0, True),
]


def _terminal() -> tuple[Progress, StringIO]:
    progress, shown = Progress(), StringIO()
    progress.console = SteadyConsole(file=shown, force_terminal=True, width=100, soft_wrap=True)
    return progress, shown


def test_each_line_moves_the_bar_and_what_it_tells_in_full_is_not_printed(monkeypatch):
    at: list[float] = []
    original = Bar.move

    def watched(self: Bar, text: str) -> bool:
        told = original(self, text)
        at.append(self._progress.tasks[0].completed)
        return told

    monkeypatch.setattr(Bar, "move", watched)
    progress, shown = _terminal()
    with progress.bar(4):
        for line, _, _ in LINES:
            progress.log_line(line)
    assert at == pytest.approx([where for _, where, _ in LINES])
    for line, _, printed in LINES:
        assert (line.removeprefix("[fdd] ") in shown.getvalue()) is printed


def test_elsewhere_than_on_a_terminal_all_lines_are_plain(capsys):
    progress = Progress()
    with progress.bar(4):
        for line, _, _ in LINES:
            progress.log_line(line)
    wanted = [line.removeprefix("[fdd] ") for line, _, _ in LINES]
    assert capsys.readouterr().out.splitlines() == wanted
