"""Parameters of the audit: is the synthetic blur like the real? What each number means: docs/audit.md."""

from __future__ import annotations

from pydantic import Field

from dbgan.params.base import Fraction, Model, Name, Positive, Rate
from dbgan.params.networks import PerceptualParams, Tap, TapWeight


class FeatureParams(PerceptualParams):
    """The feature network of KID and of diversity.

    `imagenet` is never downloaded: where VGG19's file is absent random features take its place, and the audit says so.
    """

    taps: dict[Tap, TapWeight] = Field(
        {"relu1_2": 1.0, "relu2_2": 1.0, "relu3_4": 1.0}, min_length=1, description="layers whose features are compared"
    )


class ClassifierParams(Model):
    """The classifier two-sample test."""

    steps: Positive = Field(60, description="of 16 crops of each set, for each part of the cross-validation")
    folds: int = Field(4, ge=2, le=20, description="parts of the cross-validation, whole sequences each")


class UsefulnessParams(Model):
    """What a small network learns from the corpus, tested on real pairs of test sources. It takes minutes."""

    test: list[Name] = Field(min_length=1, description="paired sources with `use: test`; they gate nothing")
    seeds: int = Field(3, ge=1, le=20, description="networks trained on each corpus")
    steps: Positive = Field(400, description="of training, each")
    lr: Rate = Field(4e-3, description="Adam's learning rate at the start; a fiftieth of it at the end")
    batch: Positive = Field(8, description="pairs of each step")
    crop: int = Field(64, ge=32, le=512, description="px, of training pairs")
    patches: Positive = Field(512, description="training pairs of each corpus")
    images: Positive = Field(64, description="sharp frames that they are cut from")
    variants: Positive = Field(3, description="variants of a frame used at most")
    width: int = Field(16, ge=4, le=128, description="channels of the network")
    test_images: Positive = Field(24, description="test pairs at most, shared among the sources")


Limit = float | None


class GateParams(Model):
    """Limits past which the stage fails, so that nothing below it is built on a bad corpus; null: no limit.

    A limit whose number cannot be told (a classifier without captures enough) fails as well.
    """

    max_distance_px: Limit = Field(None, ge=0.0, description="Wasserstein distance of the edge extent to real, px")
    max_auc: Limit = Field(None, ge=0.5, le=1.0, description="of the classifier; 0.5 is perfect")
    max_kid: Limit = Field(None, description="KID to real; depends on the feature network")
    max_psnr: Limit = Field(None, gt=0.0, description="mean PSNR(blurry, sharp), dB; over 35 is hardly a blur")
    min_psnr: Limit = Field(None, gt=0.0, description="mean PSNR(blurry, sharp), dB; GOPRO's pairs have 24 to 25")
    max_shift_px: Limit = Field(None, ge=0.0, description="median shift between blurry and sharp, px")
    max_drift_levels: Limit = Field(None, ge=0.0, description="content drift, 8-bit levels")
    min_z_share: Limit = Field(None, ge=0.0, le=1.0, description="share of z in the variance of the edge extent")


class AuditParams(Model):
    """Is the synthetic blur like the real? Compared on the val split of real captures, never on datasets/test."""

    real: list[Name] = Field(min_length=1, description="sources of real captures")
    pairs: list[Name] = Field(default_factory=list, description="paired sources whose own blur is compared as well")
    crop: int = Field(128, ge=32, description="px; measures are taken on crops of this size")
    crops_per_image: Positive = Field(4, description="crops measured of each picture")
    images: Positive = Field(200, description="pictures measured of each set, chosen by the hash of their key")
    long_side: int = Field(
        0, ge=0, description="real captures are reduced to this long side before, px (as bgan.NAME.match does); 0: not"
    )
    noise: Fraction = Field(
        0.05, description="noise on all crops that networks see, as a share of their contrast: it hides sensors' own"
    )
    classifier: ClassifierParams = Field(ClassifierParams(), description="can a network tell it from real")
    features: FeatureParams = Field(FeatureParams(), description="network of KID and diversity")
    threads: int = Field(
        1,
        ge=1,
        le=256,
        description="threads of the networks, which are too small for more; last digits depend on it",
    )
    gates: GateParams = Field(GateParams(), description="limits that fail the stage")
    usefulness: UsefulnessParams | None = Field(None, description="train on it, test on real pairs; null: off")
    reads: str = Field(
        "", description="path DVC watches: datasets/test with usefulness, else datasets/synthetic/NAME/corpus.json"
    )
    seed: int = Field(0, description="of crops, classifiers and the bootstrap")
