import pytest

from fdd_flower.config import Scalar, from_run_config
from fdd_flower.errors import ConfigError
from fdd_flower.server.checks import check_components


@pytest.mark.parametrize(
    ("key", "value"), [("epsilon", 2.0), ("sigma", 1.0), ("colluding", 1), ("delta", 1e-6)]
)
def test_a_budget_without_a_mode_is_no_promise(key: str, value: Scalar):
    with pytest.raises(ConfigError, match=rf"privacy\.{key}.*privacy\.mode=none"):
        check_components(from_run_config({f"privacy.{key}": value}))
