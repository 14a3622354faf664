"""The privacy card."""

from __future__ import annotations

from dataclasses import fields

from fdd_flower.privacy.card import PrivacyCard
from fdd_flower.report.page.elements import Raw, section, table
from fdd_flower.report.units import one_line
from fdd_flower.run_folder.load import Run


def privacy(run: Run) -> Raw | None:
    """Return what is promised, what travels, and what is not covered."""
    known = {item.name for item in fields(PrivacyCard)}
    found = {name: value for name, value in run.summary.privacy.items() if name in known}
    try:
        card = PrivacyCard(**found)  # type: ignore[arg-type]
        rows = [("leaves a client", one_line(str(item), 300)) for item in card.travels]
        rows += [("not covered", one_line(str(item), 300)) for item in card.outside]
        promise = card.promise()
    except (TypeError, ValueError):  # of a version from before the card, or edited
        return None
    title = f"Privacy card: mode {one_line(str(card.mode), 40)}"
    return section(title, promise, table((), rows))
