"""The privacy card of a run: what is promised to whom, what travels, and what is not covered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

UNIT = "one record, its label included"
WINDOW_UNIT = "one window of a recording, its label included"
ADJACENCY = "add or remove one record of one client"
SUBJECT_UNIT = "one subject (all its records at one client)"
SUBJECT_ADJACENCY = "add or remove one subject of one client, with all its records there"
OUTSIDE = (
    "that a client takes part, and when it answers",
    "settings that were chosen by looking at these records",
    "other releases of the same records, by other programs",
    "whoever submits runs and sends clients other code, unless they run signed apps only",
    "that records or files break the run's format: the client then refuses, which can be seen",
    "how the one file that simulated clients share is read",
)
# of noise that clients share
SHARED = (
    "a server that plays clients or tells them different lists of who takes part, where clients do "
    "not know each other: one with data of its own, or with a budget, then shares no noise, but a "
    "simulated one takes the server's word for who the others are",
    "too many clients that side with the server: more than privacy.colluding of those that are "
    "known; or, of n clients of whom t must stay to the end, 2t - n or more, strangers among them",
)
_SECONDS = "a name, and the seconds that it took"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose presence a run hides, and what that leaves open: fields of a `PrivacyCard`."""

    unit: str
    adjacency: str
    outside: Sequence[str]


def scope_of(*, subjects: bool, shared: bool, windows: str = "") -> Scope:
    """Return whom a run promises something.

    Parameters
    ----------
    subjects
        Whether `data.subject` is set.
    shared
        Whether clients share the noise of one sum, instead of each adding its own.
    windows
        Of series: how the windows that are its records overlap; empty where they are none.
    """
    outside = (*OUTSIDE, *(SHARED if shared else ()))
    if not subjects:
        person = (
            "a person with k records: epsilon is that of a noise multiplier k times as small, thus "
            "k times as large or more"
        )
        if windows:
            person = (
                f"a recording, or whoever is in it: a record is one window, and {windows}; for a "
                "recording or person with k windows epsilon is that of a noise multiplier k times "
                "as small, thus k times as large or more. Set data.subject to promise them "
                "something"
            )
        return Scope(WINDOW_UNIT if windows else UNIT, ADJACENCY, (*outside, person))
    # Own noise: m releases, which compose. Shared noise: one release, which m clients move.
    across = (
        "epsilon is that of a noise multiplier m times as small, thus m times as large or more"
        if shared
        else "epsilon and delta add up, to m times as much"
    )
    return Scope(
        SUBJECT_UNIT,
        SUBJECT_ADJACENCY,
        (*outside, f"a subject with records at m clients: {across}"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyCard:
    """What a run promises about each record; `none` promises nothing, and says so.

    Attributes
    ----------
    mode
        `privacy.mode`.
    travels
        What leaves a client.
    unit, adjacency
        Whose presence is hidden, and in which sense; empty without a guarantee.
    epsilon, delta, sigma
        Of the client that spent most; None without a guarantee.
    releases
        Of that client, in this run.
    outside
        What the guarantee does not cover.
    """

    mode: str
    travels: Sequence[str]
    unit: str = ""
    adjacency: str = ""
    epsilon: float | None = None
    delta: float | None = None
    sigma: float | None = None
    releases: int = 0
    outside: Sequence[str] = OUTSIDE

    @classmethod
    def none(cls, *, rows: bool) -> PrivacyCard:
        """Return the card of a run without a guarantee.

        Parameters
        ----------
        rows
            Whether clients send synthetic records; else parameters or sums that follow the records.
        """
        what = "synthetic records, their labels and weights" if rows else "parameters or sums"
        return cls(
            mode="none",
            travels=(f"{what}, computed from real records without noise", _SECONDS),
            outside=(
                "whether a record was used: an attack may tell from what travels",
                "what a record holds: what travels may be near to it, or tell parts of it",
                "which classes a client has, and how many records",
                "a person with several records, who gives away more than one record does",
                *OUTSIDE,
            ),
        )

    @property
    def promises(self) -> bool:
        """Whether there is a guarantee."""
        return self.epsilon is not None

    def to_dict(self) -> dict[str, object]:
        """Return the card for `summary.json`."""
        return asdict(self)

    def promise(self) -> str:
        """Return the guarantee in one paragraph."""
        if not self.promises:
            return (
                "There is no formal guarantee. What travels was computed from real records, and an "
                "attack on it may learn something about them."
            )
        return (
            f"(epsilon, delta)-differential privacy with epsilon = {self.epsilon:.4g} and delta = "
            f"{self.delta:.2g}, for {self.unit} ({self.adjacency}), over {self.releases} "
            f"release(s) with noise multiplier {self.sigma:.4g}. Whoever sees all that a client "
            "sent, and knows all else of its records, can hardly tell whether the one was there."
        )

    def words(self) -> str:
        """Return the card in Markdown, for a data-protection officer to sign."""
        lines = [f"# Privacy card: mode {self.mode}", "", self.promise(), ""]
        lines += ["What leaves a client:", "", *(f"- {item}" for item in self.travels), ""]
        lines += ["Not covered:", "", *(f"- {item}" for item in self.outside), ""]
        return "\n".join(lines)
