"""The whole of params.yaml."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import Field, model_validator

from dbgan.errors import ParamsError
from dbgan.params.audit import AuditParams
from dbgan.params.base import Model, Name
from dbgan.params.evaluation import EvaluateParams
from dbgan.params.explain import validated
from dbgan.params.lines import lines_of
from dbgan.params.sources import LeaksParams, SampleParams, SourceParams
from dbgan.params.synthesis import CalibrateParams, SynthesizeParams
from dbgan.params.training import BganParams, DbganParams


class Params(Model):
    """The whole of params.yaml."""

    samples: dict[Name, SampleParams] = Field(default_factory=dict)
    sources: dict[Name, SourceParams] = Field(min_length=1)
    leaks: LeaksParams = Field(default_factory=LeaksParams)
    bgan: dict[Name, BganParams] = Field(min_length=1)
    calibrate: dict[Name, CalibrateParams] = Field(
        default_factory=dict, description="train sources whose cameras' constants are estimated for `camera`"
    )
    synthesize: dict[Name, SynthesizeParams] = Field(min_length=1, description="corpora that a trained BGAN blurs")
    blur: dict[Name, SynthesizeParams] = Field(
        default_factory=dict, description="corpora blurred without one: by kernels and averages"
    )
    audit: dict[Name, AuditParams] = Field(min_length=1)
    dbgan: DbganParams
    evaluate: EvaluateParams

    @model_validator(mode="after")
    def _names_exist(self) -> Params:
        self._require_sources("train", self._named_sources())
        twice = sorted(self.synthesize.keys() & self.blur.keys())
        if twice:
            raise ValueError(
                f"synthesize and blur both name {twice[0]!r}; each would write datasets/synthetic/{twice[0]}"
            )
        for name, synth in self.synthetic.items():
            if bool(synth.generator) != (name in self.synthesize):
                here, there = ("synthesize", "blur") if name in self.synthesize else ("blur", "synthesize")
                what = "a generator" if synth.generator else "no generator"
                raise ValueError(f"{here}.{name} names {what}. Move it to {there}.{name}: stages watch what they read")
            _watched(f"{'synthesize' if name in self.synthesize else 'blur'}.{name}", synth, self.calibrate)
            if synth.generator and synth.generator not in self.bgan:
                raise ValueError(f"synthesize.{name}.generator names {synth.generator!r}, which is not under `bgan`")
        self._check_audits()
        self._require_sources("test", self._named_test_sources())
        for name, tune in self.dbgan.finetune.items():
            if not tune.reads:
                start = "models/dbgan/base/weights.safetensors"
                raise ValueError(f"dbgan.finetune.{name}.reads is missing; without a corpus it is {start}")
            for corpus in tune.mixed:
                if corpus not in self.synthetic:
                    raise ValueError(f"dbgan.finetune.{name} mixes in {corpus!r}, which is not under `synthesize`")
        return self

    def _require_sources(self, use: str, named: Mapping[str, list[str]]) -> None:
        """Each name that a key (`where`) holds is a source of this use."""
        known = {name for name, source in self.sources.items() if source.use == use}
        for where, names in named.items():
            for name in names:
                if name not in known:
                    near = difflib.get_close_matches(name, known, 1)
                    hint = f" Did you mean {near[0]!r}?" if near else ""
                    raise ValueError(f"{where} names {name!r}, which is no source with `use: {use}`.{hint}")

    def _named_test_sources(self) -> dict[str, list[str]]:
        named = {"evaluate.scoring.aligned": list(self.evaluate.scoring.aligned)}
        return named | {f"evaluate.external.{n}.sources": list(e.sources) for n, e in self.evaluate.external.items()}

    @property
    def synthetic(self) -> dict[str, SynthesizeParams]:
        """Every corpus below datasets/synthetic."""
        return {**self.synthesize, **self.blur}

    def _check_audits(self) -> None:
        test = {n for n, s in self.sources.items() if s.use == "test"}
        for name, audit in self.audit.items():
            if name not in self.synthetic:
                raise ValueError(f"audit.{name} has no synthetic corpus of that name under `synthesize`")
            wanted = "datasets/test" if audit.usefulness else f"datasets/synthetic/{name}/corpus.json"
            if audit.reads != wanted:
                raise ValueError(f"audit.{name}.reads must be {wanted!r}, so that DVC watches what is read")
            unknown = sorted(set(audit.usefulness.test) - test) if audit.usefulness else []
            if unknown:
                raise ValueError(f"audit.{name}.usefulness.test names {unknown[0]!r}, no source with `use: test`")

    def _named_sources(self) -> dict[str, list[str]]:
        named = {"dbgan.common.pairs": list(self.dbgan.common.pairs)}
        for name, bgan in self.bgan.items():
            named |= {f"bgan.{name}.{k}": list(getattr(bgan, k)) for k in ("sharp", "synthetic", "real")}
        for name, synth in self.synthesize.items():
            named[f"synthesize.{name}.sharp"] = list(synth.sharp)
        for name, synth in self.blur.items():
            named[f"blur.{name}.sharp"] = list(synth.sharp)
        named |= {f"calibrate.{name}": [name] for name in self.calibrate}
        for name, audit in self.audit.items():
            named |= {f"audit.{name}.real": list(audit.real), f"audit.{name}.pairs": list(audit.pairs)}
        return named


def _watched(where: str, synth: SynthesizeParams, calibrate: Mapping[str, CalibrateParams]) -> None:
    """A file of camera constants inside datasets/train is made by a stage, so it has to be one of its."""
    named = synth.camera
    if not isinstance(named, str) or not named.startswith("datasets/"):
        return
    made = {f"datasets/train/{name}.cameras.json" for name in calibrate}
    if named not in made:
        known = ", ".join(sorted(made)) or "none"
        raise ValueError(f"{where}.camera names {named}, which no item of `calibrate` makes (these are made: {known})")


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and validate params.yaml. Raises `ParamsError` before any work."""
    if not path.is_file():
        raise ParamsError(f"{path}: no such file.\nNext: run from the project's root, where params.yaml is.")
    try:
        text = path.read_text(encoding="utf-8")
        lines, twice = lines_of(text)
        values = yaml.safe_load(text)
    except OSError as error:
        raise ParamsError(f"{path}: cannot be read ({error.strerror}).\nNext: correct its permissions.") from None
    except UnicodeDecodeError as error:
        raise ParamsError(
            f"{path}: expected UTF-8 text, found the byte 0x{error.object[error.start]:02x} at offset {error.start}.\n"
            "Next: save it as UTF-8."
        ) from None
    except yaml.YAMLError as error:
        raise ParamsError(f"{path}: not YAML: {error}") from None
    if twice:  # YAML itself would keep the last one and say nothing
        raise ParamsError("\n".join([f"{path}: {len(twice)} key(s) given twice", *twice, "Next: keep one of each."]))
    return validated(Params, values, str(path), lines)
