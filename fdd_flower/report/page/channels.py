"""The channels of a series: what scales them, and what the synthetic rows hold."""

from __future__ import annotations

import numpy as np

from fdd_flower.report.page.elements import Raw, section, table
from fdd_flower.report.units import one_line
from fdd_flower.run_folder.load import Run
from fdd_flower.wording import many


def channels(run: Run) -> Raw | None:
    """Return the schema of a series, and the mean and deviation of each channel's rows."""
    schema = run.schema
    if schema is None or not schema.channels:
        return None
    scale, steps = schema.normalisation, schema.feature_shape[-1]
    held = [("", "")] * len(schema.channels)
    if run.synthetic is not None:
        rows = scale.invert(run.synthetic.set.inputs).double().numpy()  # (n, c, t)
        weights = np.broadcast_to(run.synthetic.set.weights.numpy()[:, None], rows[:, 0].shape)
        means = [np.average(rows[:, c], weights=weights) for c in range(rows.shape[1])]
        far = [np.average((rows[:, c] - m) ** 2, weights=weights) for c, m in enumerate(means)]
        held = [(f"{m:.4g}", f"{v**0.5:.3g}") for m, v in zip(means, far, strict=True)]
    often = f", {steps / schema.rate:.4g} seconds at {schema.rate:g} a second" * bool(schema.rate)
    found = [
        (one_line(name, 80), f"{mean:.4g}", f"{std:.3g}", *own)
        for name, mean, std, own in zip(schema.channels, scale.mean, scale.std, held, strict=True)
    ]
    return section(
        "Channels",
        f"A record is a window of {many(steps, 'sample')}{often}. A model sees "
        "(value - mean) / deviation, public constants. "
        "Beside them stands what the synthetic rows hold, by their weights.",
        table(
            ("channel", "mean", "deviation", "of synthetic rows: mean", "deviation"),
            found,
            numbers=range(1, 5),
        ),
    )
