"""Flower's flat run config <-> frozen dataclasses, parsed once and checked before round 1."""

from fdd_flower.config._keys import Key, find_key, keys, sections
from fdd_flower.config._run_config import flatten, from_run_config, nested, to_run_config
from fdd_flower.config._sections import (
    CodecConfig,
    Config,
    DataConfig,
    DistillerConfig,
    DynafedConfig,
    FedlgdConfig,
    LocalConfig,
    MergerConfig,
    ModelConfig,
    OutputConfig,
    PartitionConfig,
    PrivacyConfig,
    RuntimeConfig,
    Scalar,
    ScoringConfig,
    ServerConfig,
    SketchConfig,
    StrategyConfig,
    TrainingConfig,
)

__all__ = [
    "CodecConfig", "Config", "DataConfig", "DistillerConfig", "DynafedConfig", "FedlgdConfig",
    "Key", "LocalConfig", "MergerConfig", "ModelConfig", "OutputConfig", "PartitionConfig",
    "PrivacyConfig", "RuntimeConfig", "Scalar", "ScoringConfig", "ServerConfig", "SketchConfig",
    "StrategyConfig", "TrainingConfig", "find_key", "flatten", "from_run_config", "keys", "nested",
    "sections", "to_run_config",
]  # fmt: skip
