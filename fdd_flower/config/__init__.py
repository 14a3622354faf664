"""Flower's flat run config <-> frozen dataclasses, parsed once and checked before round 1."""

from fdd_flower.config._config import Config
from fdd_flower.config._keys import Key, find_key, keys, sections
from fdd_flower.config._methods import DynafedConfig, FedlgdConfig, LocalConfig, StrategyConfig
from fdd_flower.config._presets import NONE, Filled, with_preset
from fdd_flower.config._removed import BEFORE, REMOVED, without_removed
from fdd_flower.config._run import (
    DataConfig,
    OutputConfig,
    PartitionConfig,
    PrivacyConfig,
    RuntimeConfig,
)
from fdd_flower.config._run_config import flatten, from_run_config, nested, to_run_config
from fdd_flower.config._server import (
    EvaluationConfig,
    MergerConfig,
    ModelConfig,
    ScoringConfig,
    ServerConfig,
    TrainingConfig,
)
from fdd_flower.config._sets import CodecConfig, DistillerConfig, SketchConfig
from fdd_flower.config._setting import Scalar

__all__ = [
    "BEFORE",
    "NONE",
    "REMOVED",
    "CodecConfig",
    "Config",
    "DataConfig",
    "DistillerConfig",
    "DynafedConfig",
    "EvaluationConfig",
    "FedlgdConfig",
    "Filled",
    "Key",
    "LocalConfig",
    "MergerConfig",
    "ModelConfig",
    "OutputConfig",
    "PartitionConfig",
    "PrivacyConfig",
    "RuntimeConfig",
    "Scalar",
    "ScoringConfig",
    "ServerConfig",
    "SketchConfig",
    "StrategyConfig",
    "TrainingConfig",
    "find_key",
    "flatten",
    "from_run_config",
    "keys",
    "nested",
    "sections",
    "to_run_config",
    "with_preset",
    "without_removed",
]  # fmt: skip
