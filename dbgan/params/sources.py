"""Parameters of the demo's input, of sources and of their curation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dbgan.params.base import Fraction, Model
from dbgan.params.ingest import IngestParams


class SampleParams(Model):
    """The embedded demo input (`dbgan sample`)."""

    seed: int = Field(7, description="seed of trajectories, noise and exposure")
    width: int = Field(320, ge=64, le=1920, description="frame width, px")
    height: int = Field(192, ge=64, le=1080, description="frame height, px")
    average: int = Field(11, ge=3, le=31, description="sharp 240 fps frames averaged per blurry one (yy of GOPRO), odd")
    frames_per_sequence: int = Field(8, ge=2, le=200, description="pairs per GOPRO-like sequence")
    captures_per_phone: int = Field(20, ge=2, le=500, description="blurry photos per phone")
    phone_pairs: int = Field(6, ge=0, le=500, description="test photos per phone whose sharp twin is known")


class Limits(Model):
    """A closed band; None leaves that side open. A quantile stands for the device's own value there."""

    min: float | None = Field(None, allow_inf_nan=False, description="lower limit, in the measure's unit")
    max: float | None = Field(None, allow_inf_nan=False, description="upper limit, in the measure's unit")
    min_quantile: Fraction | None = Field(None, description="lower limit: this quantile of the device's samples")
    max_quantile: Fraction | None = Field(None, description="upper limit: this quantile of the device's samples")

    @model_validator(mode="after")
    def _one_limit_per_side(self) -> Limits:
        for side in ("min", "max"):
            if getattr(self, side) is not None and getattr(self, f"{side}_quantile") is not None:
                raise ValueError(f"give {side} or {side}_quantile, not both")
        low, high = self.min_quantile, self.max_quantile
        if low is not None and high is not None and low > high:
            raise ValueError(f"min_quantile {low:g} is over max_quantile {high:g}, which would drop every sample")
        return self


class DeviceRules(Model):
    """What one device has in place of the source's own; None: as the source."""

    min_side: int | None = Field(None, ge=1, description="samples whose shorter side is smaller are dropped, px")
    near_bits: int | None = Field(None, ge=0, le=96, description="largest distance within a burst, bits")
    keep_per_burst: int | None = Field(None, ge=1, le=1000, description="samples kept of each burst")


class CurateParams(Model):
    """Which samples to use, in which split. A measure is a manifest column such as `blur_sharpness`."""

    min_side: int = Field(128, ge=1, description="samples whose shorter side is smaller are dropped, px")
    limits: dict[str, Limits] = Field(default_factory=dict, description="measure -> band, for every device")
    devices: dict[str, dict[str, Limits]] = Field(default_factory=dict, description="device -> measure -> band")
    device_rules: dict[str, DeviceRules] = Field(
        default_factory=dict, description="device -> its own min_side, near_bits, keep_per_burst"
    )
    drop_duplicates: bool = Field(True, description="of samples with equal pixels only the first by key is kept")
    near_bits: int | None = Field(
        None,
        ge=0,
        le=96,
        description="samples of a sequence and device whose perceptual hashes differ in at most so many of 256 bits "
        "are a burst: 12 for copies, 40 for frames of one camera position (docs/measures.md); null: off",
    )
    keep_per_burst: int = Field(1, ge=1, le=1000, description="of each burst the first so many by key are kept")
    val_fraction: Fraction = Field(0.1, description="share of sequences held out of training, by hash of their name")
    test_fraction: Fraction = Field(
        0.0, description="share of sequences kept for tests, read by no training; by hash of their name"
    )
    pinned: dict[str, Literal["train", "val", "test"]] = Field(
        default_factory=dict, description="sequence -> split, over the hash"
    )

    @model_validator(mode="after")
    def _something_to_train_on(self) -> CurateParams:
        if self.val_fraction + self.test_fraction > 1:
            raise ValueError(
                f"val_fraction {self.val_fraction:g} and test_fraction {self.test_fraction:g} are over 1 together"
            )
        return self


class LeaksParams(Model):
    """The gate between splits: no sequence and no picture of one may be in another."""

    near_bits: int = Field(
        24,
        ge=0,
        le=64,
        description="pictures whose perceptual hashes differ in at most so many of 256 bits are near-identical "
        "(docs/measures.md: copies up to 16, other scenes from 56)",
    )
    known: dict[str, str] = Field(
        default_factory=dict,
        description="pattern of sequence names -> why they may be on both sides, such as other recordings of the same "
        "name; reported, and no failure unless pixels are equal",
    )


class RightsParams(Model):
    """What others may do with a source's pictures: `dbgan publish` wants all three filled, nothing else reads them."""

    licence: str = Field("", description="SPDX identifier (CC-BY-4.0), or the words it was given under")
    attribution: str = Field("", description="who made the pictures, as they want to be named")
    consent: str = Field(
        "", description="whose faces, homes or plates are seen and what they agreed to; `none shown` where none are"
    )


class SourceParams(Model):
    """One raw folder: where it is, what it is for, how it is read and curated."""

    use: Literal["train", "test"] = Field(description="datasets/train, or datasets/test, on which nothing trains")
    root: str = Field(description="raw folder, relative to the project's root")
    ingest: IngestParams
    curate: CurateParams
    rights: RightsParams = Field(RightsParams(), description="licence, attribution and consent, for publishing")
