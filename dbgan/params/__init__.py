"""params.yaml as validated models: every knob, its unit, its range. Nothing below `pipelines/` reads raw settings."""

from dbgan.params.audit import AuditParams, ClassifierParams, FeatureParams, GateParams, UsefulnessParams
from dbgan.params.base import Model
from dbgan.params.blur import AverageParams, CameraParams, KernelParams
from dbgan.params.evaluation import AlignParams, EvaluateParams, ExternalParams, ScoringParams
from dbgan.params.explain import validated
from dbgan.params.ingest import IngestParams
from dbgan.params.networks import DiscriminatorParams, GeneratorParams, NafnetParams, PerceptualParams
from dbgan.params.project import Params, load
from dbgan.params.sources import (
    CurateParams,
    DeviceRules,
    LeaksParams,
    Limits,
    RightsParams,
    SampleParams,
    SourceParams,
)
from dbgan.params.synthesis import SynthesizeParams
from dbgan.params.training import (
    AdversarialParams,
    BganParams,
    DbganCommon,
    DbganParams,
    FinetuneParams,
    JudgeParams,
    MatchParams,
    PlateauParams,
    PretrainParams,
    ScheduleParams,
    TrainingParams,
    WarmupParams,
)

__all__ = [
    "AdversarialParams",
    "AlignParams",
    "AuditParams",
    "AverageParams",
    "BganParams",
    "CameraParams",
    "ClassifierParams",
    "CurateParams",
    "DbganCommon",
    "DbganParams",
    "DeviceRules",
    "DiscriminatorParams",
    "EvaluateParams",
    "ExternalParams",
    "FeatureParams",
    "FinetuneParams",
    "GateParams",
    "GeneratorParams",
    "IngestParams",
    "JudgeParams",
    "KernelParams",
    "LeaksParams",
    "Limits",
    "MatchParams",
    "Model",
    "NafnetParams",
    "Params",
    "PerceptualParams",
    "PlateauParams",
    "PretrainParams",
    "RightsParams",
    "SampleParams",
    "ScheduleParams",
    "ScoringParams",
    "SourceParams",
    "SynthesizeParams",
    "TrainingParams",
    "UsefulnessParams",
    "WarmupParams",
    "load",
    "validated",
]
