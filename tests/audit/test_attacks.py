"""Each attack finds what it is for, and nothing where there is nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from fdd_flower.audit.attributes import attribute_attack
from fdd_flower.audit.inversion import inversion_attack, labels_of, psnr, ssim
from fdd_flower.audit.jobs import Extent, attack
from fdd_flower.audit.judge import judge
from fdd_flower.audit.mechanism import Claim
from fdd_flower.audit.metrics import auc
from fdd_flower.audit.protocol import Canaries, Known, draw_canaries
from fdd_flower.audit.released.base import Release, of_class, reduced
from fdd_flower.audit.released.private import PrivateSum
from fdd_flower.audit.shadow import likelihood_ratios, shadow_attack
from fdd_flower.audit.subjects import alike, subject_attack
from fdd_flower.audit.sums.trace import traces
from fdd_flower.audit.targets import Target, all_names, targets
from fdd_flower.config import find_key, from_run_config
from fdd_flower.data.base import Split
from fdd_flower.distillers.base import DISTILLERS
from fdd_flower.errors import ConfigError, DistillError
from fdd_flower.synthetic_set import SyntheticSet
from tests.conftest import blobs, plan_for


class Sums:
    """Sums of records as they are, with noise: a release of which everything is known."""

    rows: SyntheticSet | None = None
    by_class = True
    noise = 0.0

    def __init__(self, records: Split, noise: float, seed: int) -> None:
        rng = torch.Generator().manual_seed(seed)
        flat = records.inputs.flatten(1)
        sums = torch.zeros(len(records.classes), flat.shape[1]).index_add_(0, records.labels, flat)
        self._sums = sums + noise * torch.randn(sums.shape, generator=rng)

    def vectors(self, records: Split) -> torch.Tensor:
        return records.inputs.flatten(1)

    def observed(self) -> torch.Tensor:
        return self._sums

    def scores(self, records: Split, *, learned: bool = True) -> dict[str, torch.Tensor]:
        return {}


def rounded_noise(count: int, sigma: float) -> np.ndarray:
    return np.rint(np.random.default_rng(0).normal(0, sigma, count)).astype(np.int64)


def _sums(noise: float, claim: Claim | None = None) -> Target:
    def release(records: Split, known: Known, seed: int) -> Release:
        return Sums(records, noise, seed)

    return Target(name="sums", release=release, claim=claim)


def test_a_trace_of_a_sum_is_as_good_as_its_closed_form():
    records = blobs(counts=(1000, 1000), seed=1)
    drawn, reference = draw_canaries(records, count=200, seed=0, odd=0.0)
    known = Known(cfg=from_run_config({}), plan=plan_for(records), reference=reference)
    found = {
        noise: auc(
            traces(_sums(noise).release(drawn.members, known, 0), drawn.records, known)[
                "trace"
            ].numpy(),
            drawn.member,
        )
        for noise in (0.0, 1000.0)
    }
    # of n Gaussian records in d dimensions: Phi(sqrt(d / 2 n)), for members and others
    expected = norm.cdf((64 / (2 * len(drawn.members) / 2)) ** 0.5)
    assert found[0.0] == pytest.approx(expected, abs=0.05)
    assert found[1000.0] == pytest.approx(0.5, abs=0.1)


def test_a_claim_that_is_broken_is_flagged_and_one_that_is_kept_is_not(
    small: tuple[Canaries, Known],
):
    drawn, known = small
    for noise, broken in ((0.0, True), (1000.0, False)):
        target = _sums(noise, Claim(epsilon=0.05, delta=1e-5))
        found = judge(target, target.release(drawn.members, known, 0), drawn, known)
        assert ("epsilon above the claim" in found.flags) is broken


def test_hidden_bits_are_solved_from_exact_sums_only(small: tuple[Canaries, Known]):
    drawn, known = small
    few = Split(
        inputs=drawn.members.inputs[:30], labels=drawn.members.labels[:30], classes=("a", "b", "c")
    )
    assert attribute_attack(_Gram(0.0), few, known, seed=0).linear == 1
    assert attribute_attack(_Gram(1e6), few, known, seed=0).linear < 0.8


def test_noise_hides_who_was_in_a_release(small: tuple[Canaries, Known]):
    drawn, known = small
    cfg = replace(known.cfg, privacy=replace(known.cfg.privacy, mode="dp-moments"))
    aucs = []
    for sigma in (1e-3, 100.0):
        release = PrivateSum(drawn.members, known, cfg, sigma, seed=0, noise=rounded_noise)
        score = release.scores(drawn.records, learned=False)["sum"].numpy()
        aucs.append(auc(score, drawn.member))
        lengths = release.vectors(drawn.records).norm(dim=1)
        assert 0.9 < float(lengths.min()) <= float(lengths.max()) <= 1 + 1e-6
    assert aucs[0] > 0.65
    assert abs(aucs[1] - 0.5) < 0.1


def test_halves_too_small_for_a_release_leave_the_rest_of_the_audit(small):
    drawn, known = small
    least = len(drawn.members)

    def release(records: Split, known: Known, seed: int) -> Release:
        if len(records) < least:
            raise DistillError("records", expected=f"at least {least}", got=len(records), remedy="")
        return Sums(records, 0.0, seed)

    extent = Extent(seeds=1, shadows=2, shadowed=(), batches=(), inversion_steps=0)
    finding, judged = attack(
        Target(name="sums", release=release), drawn, known, seed=0, extent=extent
    )
    assert judged is not None
    assert finding.auc > 0.5
    assert (finding.shadow, finding.subjects) == (None, None)


def test_every_private_mode_is_a_target():
    modes = set(find_key("privacy.mode").choices) - {"none"}
    assert sorted(name for name in all_names() if "-epsilon-" in name) == sorted(
        f"{mode}-epsilon-{epsilon}" for mode in modes for epsilon in (10, 1)
    )


class _Gram(Target):
    """Sums of products of pixels: a bit changes many of them, each record's own."""

    def __init__(self, noise: float) -> None:
        super().__init__(name="gram", release=lambda r, k, s: _Products(r, noise, s))


class _Products(Sums):
    def vectors(self, records: Split) -> torch.Tensor:
        flat = records.inputs.flatten(1).double()
        return (flat[:, :, None] * flat[:, None, :]).flatten(1)

    def __init__(self, records: Split, noise: float, seed: int) -> None:
        vectors = self.vectors(records)
        sums = vectors.new_zeros(len(records.classes), vectors.shape[1])
        sums.index_add_(0, records.labels, vectors)
        rng = torch.Generator().manual_seed(seed)
        self._sums = sums + noise * torch.randn(sums.shape, generator=rng)


def test_likelihood_ratios_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    coins = rng.random((8, 5)) < 0.5
    scores = rng.normal(0, 1, (8, 5)) + coins
    found = likelihood_ratios(scores, coins)
    rest = np.delete(np.arange(8), 3)

    def gaussian(inside: bool) -> tuple[list[float], float]:
        means, squares, freedom = [], 0.0, 0
        for j in range(5):
            own = [scores[i, j] for i in rest if coins[i, j] == inside]
            means.append(np.mean(own) if own else np.nan)
            squares += sum((s - means[-1]) ** 2 for s in own)
            freedom += max(0, len(own) - 1)
        return means, float(np.sqrt(squares / freedom))

    (inner, a), (outer, b) = gaussian(True), gaussian(False)
    for j in range(5):
        expected = norm.logpdf(scores[3, j], inner[j], a) - norm.logpdf(scores[3, j], outer[j], b)
        assert found[3, j] == pytest.approx(np.nan_to_num(expected))


def test_shadows_tell_more_than_chance_of_sums(small: tuple[Canaries, Known]):
    drawn, known = small
    assert shadow_attack(_sums(0.0), drawn.records, known, releases=6, seed=0).auc > 0.6


def test_a_subject_is_told_better_than_its_records(small: tuple[Canaries, Known]):
    drawn, known = small
    pool, subjects = alike(drawn.records, seed=0)
    assert (torch.bincount(subjects) == 8).all()
    for number in subjects.unique():
        assert len(pool.labels[subjects == number].unique()) == 1
    found = subject_attack(_sums(0.0), pool, subjects, known, seed=0)
    assert found.auc > found.auc_of_records > 0.6


def test_one_record_is_rebuilt_from_the_gradient_of_a_plain_model(small: tuple[Canaries, Known]):
    drawn, known = small
    found, real, rebuilt = inversion_attack(drawn.members, known, batch=1, steps=300, seed=0)
    assert found.labels == 1
    assert found.psnr > found.psnr_by_chance + 3
    assert real.shape == rebuilt.shape


def test_labels_are_read_off_the_last_bias():
    labels = torch.tensor([0, 3, 3, 5])
    bias = torch.full((6,), 1 / 6) - torch.bincount(labels, minlength=6) / 4
    assert sorted(labels_of(bias, 4).tolist()) == labels.tolist()


def test_psnr_and_ssim_of_known_pictures():
    rng = np.random.default_rng(0)
    a, b = rng.random((9, 9)), rng.random((9, 9))
    first, second = (torch.tensor(x).float()[None, None] for x in (a, b))
    assert psnr(first, first + 0.1, 1.0) == pytest.approx(20, abs=1e-3)
    values = []
    for i in range(3):
        for j in range(3):
            x, y = a[i : i + 7, j : j + 7], b[i : i + 7, j : j + 7]
            both = np.cov(x.ravel(), y.ravel())
            c1, c2 = 0.01**2, 0.03**2
            top = (2 * x.mean() * y.mean() + c1) * (2 * both[0, 1] + c2)
            bottom = (x.mean() ** 2 + y.mean() ** 2 + c1) * (both[0, 0] + both[1, 1] + c2)
            values.append(top / bottom)
    assert ssim(first, second, 1.0) == pytest.approx(np.mean(values), abs=1e-5)
    assert ssim(first, first, 1.0) == pytest.approx(1)


def test_sketches_keep_products_and_means_are_those_of_classes():
    rng = torch.Generator().manual_seed(0)
    vectors = torch.randn(2, 50_000, generator=rng)
    vectors[1] += vectors[0]
    small_ = reduced(vectors)
    assert small_.shape == (2, 2048)
    assert float(small_[0] @ small_[1]) == pytest.approx(float(vectors[0] @ vectors[1]), rel=0.1)
    values, labels = torch.arange(4.0)[:, None], torch.tensor([0, 0, 2, 2])
    assert of_class(values, labels, 3).flatten().tolist() == [0.5, 0, 2.5]


def test_every_distiller_is_a_target_and_unknown_ones_are_refused(small: tuple[Canaries, Known]):
    _, known = small
    assert set(DISTILLERS.names()) < set(all_names())
    with pytest.raises(ConfigError, match="--targets"):
        targets(known.cfg, ["no-such-thing"])
    with pytest.raises(ConfigError, match=r"distiller\.ipc"):
        targets(known.cfg, ["dm@distiller.ipc=-1"])
