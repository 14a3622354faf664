"""Plant faults in a copy of the package, one at a time, and see which the tests catch.

    python -m tests.planted_faults              # each fault against the tests that are meant for it
    python -m tests.planted_faults scale clamp  # those whose name holds a word
    python -m tests.planted_faults --whole      # each against the whole suite, until a test fails

The faults are small ones: off by one, a clamp or a check that went, a wrong axis. The exit status
is 1 where a fault is missed, or where the text that it changes is no longer there.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
COPIED = ("fdd_flower", "tests", "benchmarks", "examples", "docs")  # beside files at the top


@dataclass(frozen=True, slots=True)
class Fault:
    """A change of one place, and the tests that are meant to catch it.

    Attributes
    ----------
    file
        Below `fdd_flower/`.
    old, new
        What is there, once in the file, and what comes in its place.
    breaks
        What is then wrong, in words.
    tests
        Below `tests/`, with spaces between.
    """

    file: str
    old: str
    new: str
    breaks: str
    tests: str

    def plant(self, root: Path) -> None:
        """Make the change in a checkout.

        Raises
        ------
        ValueError
            If the text is not there, or more than once.
        """
        path = root / "fdd_flower" / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} has {text.count(self.old)} times: {self.old!r}")
        path.write_text(text.replace(self.old, self.new))


FAULTS = {
    "validator: stale rounds": Fault(
        "server/judging/validator.py",
        "if envelope.round != rules.round:",
        "if envelope.round > rules.round:",
        "replies of an earlier round are taken",
        "attacks/test_malformed_sets.py",
    ),
    "validator: framing": Fault(
        "server/judging/validator.py",
        "if size > max_bytes + FRAMING:",
        "if size > max_bytes * FRAMING:",
        "a megabyte beside the arrays is taken",
        "attacks/test_malformed_sets.py",
    ),
    "validator: wrong axis": Fault(
        "server/judging/set_rules.py",
        "(part.targets > OWN_CLASS).sum(dim=0).max()",
        "(part.targets > OWN_CLASS).sum(dim=1).max()",
        "the quota of rows of a class bounds nothing",
        "attacks/test_malformed_sets.py",
    ),
    "duplicates: lowest node": Fault(
        "server/judging/duplicates.py",
        "key=lambda o: (client_at.get(o.node) != client, o.node)",
        "key=lambda o: o.node",
        "a stranger of a lower node id takes the key of a client that was there before",
        "attacks/test_duplicates.py",
    ),
    "wire: dropped bound": Fault(
        "wire/arrays.py",
        "require(low >= MIN_WEIGHT and high <= MAX_WEIGHT,",
        "require(high <= MAX_WEIGHT,",
        "a weight may be 0, or below",
        "wire/test_codecs.py attacks/test_malformed_sets.py",
    ),
    "wire: trailing bytes": Fault(
        "wire/records.py",
        "if dtype.hasobject or promised != left:",
        "if dtype.hasobject or promised > left:",
        "bytes after an array are taken for nothing",
        "attacks/test_malformed_sets.py",
    ),
    "codec: rounds down": Fault(
        "wire/codecs/_quantise.py",
        "return np.rint(steps)",
        "return np.floor(steps)",
        "an input comes back within a step, not half a step",
        "wire/test_codecs.py",
    ),
    "codec: ties": Fault(
        "wire/codecs/_quantise.py",
        "np.argsort(shares - exact, axis=1",
        "np.argsort(exact - shares, axis=1",
        "the units that are left go to the smallest remainders",
        "wire/test_codecs.py",
    ),
    "ledger: skipped hash": Fault(
        "ledger/_blobs.py",
        "    if actual != sha256:",
        "    if len(actual) != len(sha256):",
        "a set that was changed on the disk is read as it is",
        "ledger",
    ),
    "ledger: off by one": Fault(
        "ledger/_index.py",
        "SET verdict = ? WHERE round > ? AND",
        "SET verdict = ? WHERE round >= ? AND",
        "a resumed run takes the last round that was done for undone",
        "server/test_resume.py",
    ),
    "ledger: forgets too much": Fault(
        "ledger/ledger.py",
        "if entry.client == client} - others:",
        "if entry.client == client}:",
        "a set that another client sent too is deleted",
        "ledger",
    ),
    "bytes: one message of many": Fault(
        "server/grid.py",
        "            self.bytes_down += sizes[id(content)]",
        "                self.bytes_down += sizes[id(content)]",
        "what goes down to all is counted once",
        "server/test_counting_grid.py",
    ),
    "bytes: never reset": Fault(
        "server/grid.py",
        "        self.bytes_up = self.bytes_down = 0\n        return counts",
        "        self.bytes_up = 0\n        return counts",
        "bytes down of a round are those of all rounds before too",
        "server/test_counting_grid.py",
    ),
    "merging: dropped clamp": Fault(
        "mergers/_claims.py",
        ".clamp(median / LIMIT, median * LIMIT)",
        ".clamp(median / LIMIT)",
        "a claim of a billion records counts as a billion",
        "mergers",
    ),
    "merging: unsorted": Fault(
        "server/judging/replies.py",
        "for client in sorted(accepted, key=client_order)]",
        "for client in sorted(accepted)]",
        "client 10 is merged before client 2",
        "server/test_streaming.py",
    ),
    "merging: pool": Fault(
        "server/pool.py",
        "first = max(1, round_ - cfg.pool_rounds + 1)",
        "first = max(1, round_ - cfg.pool_rounds)",
        "a pool has the sets of a round more than was asked for",
        "server/test_pools.py",
    ),
    "averaging: steps": Fault(
        "methods/fednova.py",
        "factors = shares @ sizes * shares / sizes",
        "factors = shares",
        "fednova is FedAvg: clients of more steps dominate",
        "methods/test_scaffold_fednova.py",
    ),
    "training: weights": Fault(
        "training/loop.py",
        "pick = torch.multinomial(weights,",
        "pick = torch.multinomial(torch.ones_like(weights),",
        "rows are drawn alike, whatever they stand for",
        "training/test_training.py",
    ),
    "training: average": Fault(
        "training/averages.py",
        "average.lerp_(parameter, self._share)",
        "average.lerp_(parameter, 1 - self._share)",
        "the average of weights is nearly the last step",
        "training/test_training.py",
    ),
    "training: test split": Fault(
        "training/evaluation.py",
        "    model.eval()\n",
        "",
        "running statistics learn from the test split",
        "training",
    ),
    "secure sum: threshold": Fault(
        "privacy/sharing.py",
        "max(least, clients // 2 + 1)",
        "max(least, clients // 2)",
        "half of the clients can take a mask off, and not more than half",
        "secure_sum/test_protocol.py",
    ),
    "secure sum: twice": Fault(
        "secure_sum/client.py",
        'if "places" in state:',
        'if "opened" in state:',
        "a second sum under the same masks is sent",
        "secure_sum/test_client.py",
    ),
    "secure sum: seed and key": Fault(
        "secure_sum/protocol.py",
        "both[:KEY] if place in kept else both[KEY:]",
        "both[:KEY]",
        "of a client that went the seed is given away, and not the key",
        "secure_sum/test_protocol.py",
    ),
    "secure sum: strangers": Fault(
        "secure_sum/identity.py",
        "2 * group.threshold - len(group.publics) - 1",
        "2 * group.threshold - len(group.publics)",
        "a client more than it withstands may be the server's",
        "secure_sum/test_company.py",
    ),
    "secure sum: who is there": Fault(
        "secure_sum/client.py",
        "here = set(places) & opened(_inbox(state), keys, group).keys()",
        "here = set(places)",
        "keys that were signed once and are played again count as a client that is there",
        "secure_sum/test_company.py",
    ),
    "secure sum: one list": Fault(
        "secure_sum/client.py",
        "if len(alike) < group.threshold:",
        "if len(alike) < 1:",
        "shares are given away for a list that nobody else was told",
        "secure_sum/test_lists.py",
    ),
    "secure sum: the same masks": Fault(
        "secure_sum/client.py",
        "if alike != set(stayed):",
        "if not alike:",
        "a client that was told other masks counts as one that stayed",
        "secure_sum/test_lists.py",
    ),
    "shared noise: strangers": Fault(
        "client/release.py",
        "math.sqrt(1 + strangers)",
        "math.sqrt(1 + 0 * strangers)",
        "the noise that strangers leave out is missing",
        "client/test_shared_noise.py",
    ),
    "ledger: a hash is no path": Fault(
        "ledger/entry.py",
        "if entry.sha256 and not is_hash(entry.sha256):",
        "if not entry.sha256 and is_hash(entry.sha256):",
        "to forget a client deletes files outside of the ledger",
        "attacks/test_a_strangers_run.py",
    ),
    "rng: joined names": Fault(
        "rng.py",
        'text = "/".join(',
        'text = "".join(',
        "client 1 in round 23 draws as client 12 in round 3",
        "test_rng.py",
    ),
    "rng: clients alike": Fault(
        "client/distil.py",
        'rng = stream(side.cfg.seed, "client", side.client, plan.round)',
        'rng = stream(side.cfg.seed, "client", side.client)',
        "a client draws the same in every round",
        "client/test_distil.py",
    ),
    "resume: order": Fault(
        "server/server_run.py",
        "        self._write_checkpoint(server_round)\n        self._append(row)",
        "        self._append(row)\n        self._write_checkpoint(server_round)",
        "a row is told that a killed run takes back",
        "server/test_resume.py",
    ),
    "checkpoint: state": Fault(
        "run_folder/checkpoint.py",
        "name.removeprefix(_STATE): t for name",
        "name: t for name",
        "what a strategy carries has other names after a kill",
        "server/test_resume.py",
    ),
    "partition: order": Fault(
        "data/partition.py",
        "return [np.sort(order[part]) for part in parts]",
        "return [np.sort(part) for part in parts]",
        "clients hold other records than were split",
        "data/test_data_partition.py",
    ),
    "partition: shares": Fault(
        "data/partition.py",
        "share / drawn.max()))",
        "share))",
        "not even the largest client keeps all of its records",
        "data/test_data_partition.py",
    ),
    "scoring: Bonferroni": Fault(
        "scoring/labels.py",
        "2 * min(whole, len(held) * worst)",
        "min(whole, worst)",
        "honest clients of many classes are suspected more often than the setting says",
        "scoring",
    ),
    "scoring: quota": Fault(
        "scoring/quota.py",
        "share = quota / max(1, holders)",
        "share = quota / len(claims)",
        "of a class that few clients hold each may have less than its share",
        "scoring/test_quota.py",
    ),
    "private: noise": Fault(
        "privacy/mechanism.py",
        "self._noise(total.numel(), self.sigma * self.grid)",
        "self._noise(total.numel(), self.sigma * self.grid / 10)",
        "a release has a tenth of the noise that is charged",
        "releases/test_sensitivity.py",
    ),
    "private: rounded up": Fault(
        "privacy/mechanism.py",
        "(grid / math.sqrt(parts))).trunc().long()",
        "(grid / math.sqrt(parts))).ceil().long()",
        "numbers are rounded up and not toward zero: vectors grow beyond the bound, and drop out",
        "privacy/test_mechanism.py",
    ),
    "private: charged late": Fault(
        "privacy/budget.py",
        "        self.reserve(key, spend)\n        there = self.frozen(key)\n",
        "        draw()\n        self.reserve(key, spend)\n        there = self.frozen(key)\n",
        "an exhausted client refuses once it has read its records",
        "client/test_release.py",
    ),
    "private: count": Fault(
        "client/release.py",
        "return to_array_record({RELEASE: planes}), {}",
        'return to_array_record({RELEASE: planes}), {"num-examples": len(side.data)}',
        "a private reply tells how many records there are",
        "client/test_release.py",
    ),
    "config: upper end": Fault(
        "config/_keys.py",
        "not float(value) <= self.high:",
        "not float(value) < self.high:",
        "the largest value that a setting allows is refused",
        "test_config.py",
    ),
    "config: unread settings": Fault(
        "server/checks.py",
        "        if section != cfg.strategy.name:\n",
        "        if section == cfg.strategy.name:\n",
        "settings of another strategy are passed over in silence",
        "methods/test_sketch.py",
    ),
}


def copy_of(root: Path, folder: Path) -> Path:
    """Copy what the tests need of a checkout into `folder`."""
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(
                root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
    for path in root.iterdir():
        if path.is_file():
            shutil.copy2(path, folder)
    return folder


def first_failure(root: Path, tests: list[str]) -> str:
    """Run tests in a checkout, or all, until one fails; return its name, or nothing."""
    words = ["-m", "pytest", "-x", "-p", "no:cacheprovider", *(["-n0", *tests] if tests else [])]
    done = subprocess.run(
        [sys.executable, *words],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return ""
    found = re.search(r"^(?:FAILED|ERROR) (tests/.+?)(?: - |$)", done.stdout, re.MULTILINE)
    if done.returncode != 1 or found is None:
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    return found[1]


def main() -> int:
    """Plant the faults that are asked for, say what became of each, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("words", nargs="*", help="plant the faults whose name holds one of these")
    parser.add_argument("--whole", action="store_true", help="run the whole suite for each")
    asked = parser.parse_args()
    chosen = [n for n in FAULTS if not asked.words or any(word in n for word in asked.words)]
    missed = 0
    for name in chosen:
        fault, started = FAULTS[name], time.monotonic()
        with tempfile.TemporaryDirectory(prefix="fault-") as folder:
            root = copy_of(ROOT, Path(folder))
            fault.plant(root)
            tests = [] if asked.whole else [f"tests/{path}" for path in fault.tests.split()]
            by = first_failure(root, tests)
            shutil.copy2(ROOT / "fdd_flower" / fault.file, root / "fdd_flower" / fault.file)
            if by and first_failure(root, [by]):
                raise RuntimeError(f"{by} fails without a fault too")
        missed += not by
        seconds = time.monotonic() - started
        word, by = ("caught", by) if by else ("MISSED", f"by no test of {fault.tests}")
        print(f"{word}  {name}: {fault.breaks} ({seconds:.0f} s)\n        {by}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} faults were caught")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
