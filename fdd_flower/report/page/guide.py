"""What the words of a report mean."""

from __future__ import annotations

from fdd_flower.report.page.elements import Raw, cell, section
from fdd_flower.run_folder.load import Run

_TERMS = {
    "synthetic record": "An artificial record that a client computed from its data. It stands for "
    "many real ones; its weight says how many.",
    "records per class (IPC)": "How many synthetic records a client sends for each of its classes.",
    "up-link, down-link": "Message payloads from the clients to the server, and from the server "
    "to the clients, over all clients; kB and MB are powers of 1000.",
    "accuracy, loss": "Measured on the server's test records, for the model trained on the merged "
    "set: the share of correct answers, and the mean cross-entropy in nats.",
    "accepted, rejected": "The server checks each reply before it uses it. A rejected reply "
    "has no part in the result; the reason is listed.",
    "quarantined": "A well-formed set that was left out because of its scores on the server's "
    "own records. In the rounds it counts as rejected.",
    "epsilon": "The differential-privacy budget spent. A dash means no formal guarantee: "
    "synthetic records may then reveal something about real ones.",
}

_IDEA = (
    "Several clients hold private records. Instead of the records, or of a trained model, "
    "each sends a small synthetic data set; the server merges the sets that it accepts and "
    "trains one model on them. Strategies that average parameters, such as FedAvg, run on "
    "the same clients for comparison and send model weights."
)
_PRIVATE_IDEA = (
    "Several clients hold private records. Each adds up what its records say, and adds noise to "
    "the sum. Nothing else leaves it. The server adds the sums, draws synthetic records from them "
    "and trains one model."
)
_PRIVATE_TERMS = {
    "synthetic record": "An artificial record that the server drew from the noisy sums. It stands "
    "for many real ones; its weight says about how many.",
    "records per class (IPC)": "How many synthetic records of each class the server drew.",
    "epsilon": "The differential-privacy budget spent. The privacy card below says what it covers.",
}


def guide(run: Run) -> Raw:
    """Return what happened, and each term in a sentence."""
    private = run.summary.privacy.get("mode", "none") != "none"
    found = _TERMS | (_PRIVATE_TERMS if private else {})
    terms = "".join(f"<dt>{cell(term)}</dt><dd>{cell(text)}</dd>" for term, text in found.items())
    return section(
        "How to read this", _PRIVATE_IDEA if private else _IDEA, Raw(f"<dl>{terms}</dl>")
    )
