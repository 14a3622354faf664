"""Every model family, by being there: shapes, seeds, gradients, refusals."""

import pytest
import torch

from fdd_flower.config import ModelConfig
from fdd_flower.errors import ConfigError
from fdd_flower.models import build_model, resolve_name
from fdd_flower.models.base import MODELS, Network

SHAPES = [(1, 8, 8), (3, 32, 32), (3, 50), (13,)]
CLASSES = 4
REFUSED = {
    ("cnn", (1, 8, 8)),
    ("cnn", (13,)),
    ("convnet", (13,)),
    ("resnet18", (13,)),
    ("cnn", (3, 50)),
    ("convnet", (3, 50)),
    ("resnet18", (3, 50)),
    ("conv1d", (1, 8, 8)),
    ("conv1d", (3, 32, 32)),
    ("conv1d", (13,)),
}
CASES = [(n, s) for n in MODELS.built_in() for s in SHAPES if (n, s) not in REFUSED]


def make(name: str, shape: tuple[int, ...], *, seed: int = 0) -> Network:
    cfg = ModelConfig(name=name, width=16, depth=2)
    return build_model(cfg, feature_shape=shape, num_classes=CLASSES, seed=seed)


def batch(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_logits_and_features_have_their_shapes(name: str, shape: tuple[int, ...]) -> None:
    model, x = make(name, shape), batch(shape)
    features, logits = model.features(x), model(x)
    assert features.ndim == 2
    assert len(features) == 4
    assert logits.shape == (4, CLASSES)
    assert bool(torch.isfinite(logits).all())


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_logits_are_affine_in_the_features(name: str, shape: tuple[int, ...]) -> None:
    model, x = make(name, shape).eval(), batch(shape)
    last = [m for m in model.modules() if isinstance(m, torch.nn.Linear)][-1]
    expected = model.features(x) @ last.weight.T + last.bias
    torch.testing.assert_close(model(x), expected)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_gradients_reach_every_parameter_and_the_input(name: str, shape: tuple[int, ...]) -> None:
    model, x = make(name, shape), batch(shape).requires_grad_()
    model(x).square().sum().backward()
    dead = [n for n, p in model.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert not dead
    assert x.grad is not None
    assert bool(x.grad.any())


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_a_seed_gives_the_same_weights_and_another_seed_others(
    name: str, shape: tuple[int, ...]
) -> None:
    first = make(name, shape, seed=3).state_dict()
    torch.rand(7)  # wherever the global generator is
    second, other = make(name, shape, seed=3).state_dict(), make(name, shape, seed=4).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@pytest.mark.parametrize("name", MODELS.built_in())
def test_building_leaves_the_global_generator_alone(name: str) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    make(name, next(shape for other, shape in CASES if other == name))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("name", "shape"), CASES)
def test_rows_do_not_see_each_other(name: str, shape: tuple[int, ...]) -> None:
    model, x = make(name, shape).eval(), batch(shape)
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        together, apart = model(x), torch.cat([model(row[None]) for row in x])
        torch.testing.assert_close(model(x[order]), together[order])
    torch.testing.assert_close(apart, together, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "shape"), sorted(REFUSED, key=str))
def test_a_family_refuses_what_it_cannot_take(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        make(name, shape)
    assert caught.value.what == "model.name"
    assert f"for {name}" in caught.value.expected
    assert str(shape) in str(caught.value.got)
    images = "convnet" if name in ("cnn", "resnet18") else "auto"
    assert (images if len(shape) == 3 else "auto") in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "shape", "remedy"),
    [
        ("cnn", (1, 15, 40), "convnet"),
        ("resnet18", (3, 7, 7), "convnet"),
        ("convnet", (1, 1, 1), "mlp"),
        ("convnet", (5, 9), "mlp"),
    ],
)
def test_a_refusal_names_a_family_that_works(
    name: str, shape: tuple[int, ...], remedy: str
) -> None:
    with pytest.raises(ConfigError, match=f"Choose {remedy}"):
        make(name, shape)
    assert make(remedy, shape)(batch(shape)).shape == (4, CLASSES)


@pytest.mark.parametrize(
    ("shape", "family"),
    [
        ((1, 28, 28), "cnn"),
        ((3, 32, 32), "cnn"),
        ((3, 16, 63), "cnn"),
        ((1, 8, 8), "convnet"),
        ((3, 64, 64), "convnet"),
        ((3, 16, 64), "convnet"),
        ((1, 1, 9), "mlp"),
        ((13,), "mlp"),
        ((5, 9), "conv1d"),
        ((5, 7), "mlp"),
    ],
)
def test_auto_is_the_family_it_resolves_to(shape: tuple[int, ...], family: str) -> None:
    assert resolve_name("auto", shape) == family
    auto, named = make("auto", shape).state_dict(), make(family, shape).state_dict()
    assert auto.keys() == named.keys()
    assert all(torch.equal(auto[key], named[key]) for key in named)


def test_resolving_keeps_any_other_name() -> None:
    assert resolve_name("logistic", (3, 32, 32)) == "logistic"
    assert resolve_name("package.module:Factory", (13,)) == "package.module:Factory"


def test_an_unknown_family_lists_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"auto, cnn, conv1d, convnet, .* random-features, resnet18"
    ):
        make("lenet", (1, 28, 28))
