"""All settings of a run, in their sections."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from fdd_flower.config._methods import (
    DynafedConfig,
    FedafConfig,
    FedlgdConfig,
    LocalConfig,
    StrategyConfig,
)
from fdd_flower.config._run import (
    DataConfig,
    OutputConfig,
    PartitionConfig,
    PrivacyConfig,
    RuntimeConfig,
)
from fdd_flower.config._server import (
    EvaluationConfig,
    MergerConfig,
    ModelConfig,
    ScoringConfig,
    ServerConfig,
    TrainingConfig,
)
from fdd_flower.config._sets import CodecConfig, DistillerConfig, SketchConfig
from fdd_flower.config._setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting of a run; `[tool.flwr.app.config]` holds the same defaults."""

    num_server_rounds: int = setting(3, "number of rounds", low=1, high=100_000, first=True)
    preset: str = setting(
        "balanced",
        "fills in settings that are left open, for images of at least 16x16 pixels: tiny sends "
        "8 kB per client and round, balanced 40 kB, best 100 kB and trains long; none: nothing",
        choices=("tiny", "balanced", "best", "none"),
        first=True,
    )
    seed: int = setting(0, "seed of everything random", low=0, high=2**31 - 1, first=True)
    resume: str = setting("", "folder of a run to resume, an absolute path; empty: start a new run")
    strategy: StrategyConfig = field(default_factory=StrategyConfig)
    local: LocalConfig = field(default_factory=LocalConfig)
    dynafed: DynafedConfig = field(default_factory=DynafedConfig)
    fedaf: FedafConfig = field(default_factory=FedafConfig)
    fedlgd: FedlgdConfig = field(default_factory=FedlgdConfig)
    distiller: DistillerConfig = field(default_factory=DistillerConfig)
    sketch: SketchConfig = field(default_factory=SketchConfig)
    merger: MergerConfig = field(default_factory=MergerConfig)
    codec: CodecConfig = field(default_factory=CodecConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    data: DataConfig = field(default_factory=DataConfig)
    partition: PartitionConfig = field(default_factory=PartitionConfig)
    privacy: PrivacyConfig = field(default_factory=PrivacyConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    scoring: ScoringConfig = field(default_factory=ScoringConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)

    def __post_init__(self) -> None:
        column, alone = self.partition.column, self.privacy.mode != "none"
        if (self.data.column, self.data.alone) != (column, alone):
            object.__setattr__(self, "data", replace(self.data, column=column, alone=alone))
