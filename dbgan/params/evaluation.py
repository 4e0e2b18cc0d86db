"""Parameters of evaluation: what is scored on datasets/test, and how."""

from __future__ import annotations

import string
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, model_validator

from dbgan.params.base import Model, Name, Positive

Variant = Literal["l1", "minus", "base", "control", "plus"]

PLACES = ("source", "sequence", "frame", "number")
"""What the pattern of a folder's files may name."""


def _pattern(text: str) -> str:
    """`text`, if it can be filled in; a ValueError for pydantic otherwise."""
    example = {"source": "a", "sequence": "b", "frame": "c", "number": 1}
    try:
        named = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        text.format(**example)
    except (ValueError, KeyError, IndexError) as error:
        raise ValueError(f"cannot be filled in ({error!r}); it may name {', '.join(PLACES)}") from None
    if not named & {"frame", "number"}:
        raise ValueError("would name one file for all pictures: use {frame} or {number}")
    if text.startswith("/") or ".." in text.split("/"):
        raise ValueError("must stay below the folder")
    return text


class AlignParams(Model):
    """RealBlur's protocol for one test source (docs/metrics.md)."""

    clip_after_warp: bool = Field(
        False, description="values are cut to [0, 1] after the warp: as RSBlur's script does and RealBlur's does not"
    )


class ScoringParams(Model):
    """How every restorer is scored; what is changed here scores all of them anew."""

    tile: int = Field(512, ge=64, le=8192, description="largest side of a tile, px")
    precision: Literal["fp32", "bf16"] = Field("fp32", description="of the network's arithmetic")
    threads: int = Field(2, ge=1, le=256, description="CPU threads; part of the recipe")
    pictures: int = Field(4, ge=1, le=100, description="test pairs, and real captures, that are kept to be looked at")
    shown_mp: float = Field(
        2.1, gt=0.0, le=200.0, description="larger ones than this are cut to their centre of this size, megapixels"
    )
    aligned: dict[Name, AlignParams] = Field(
        default_factory=dict, description="test sources that are also scored by RealBlur's protocol: gain, homography"
    )
    blur_bins: list[Annotated[float, Field(gt=0.0)]] = Field(
        [3.0, 4.0, 6.0, 9.0, 13.0], description="edges of the bins of blur strength (edge extent of the input), px"
    )
    resamples: Positive = Field(1000, description="draws of the bootstrap")

    @property
    def shown_px(self) -> int:
        """`shown_mp` in pixels."""
        return round(self.shown_mp * 1e6)

    @model_validator(mode="after")
    def _bins_rise(self) -> ScoringParams:
        if list(self.blur_bins) != sorted(set(self.blur_bins)):
            raise ValueError(f"blur_bins: expected rising edges, found {self.blur_bins}")
        return self


class ExternalParams(Model):
    """A restorer from elsewhere."""

    path: str = Field(
        min_length=1,
        description="a folder of restored pictures, an .onnx file, weights (.safetensors), or another program's "
        "checkpoint (.pth, .pt)",
    )
    files: Annotated[str, AfterValidator(_pattern)] = Field(
        "{source}/{sequence}/{frame}",
        description="of a folder: the file of a test picture below it, without its extension; {number}, such as "
        "{number:06d}, counts a source's pictures from 1 in the order of their keys",
    )
    sources: list[Name] = Field(
        default_factory=list,
        description="test sources to score; empty: all, or of a folder those of which it has any picture",
    )


class EvaluateParams(Model):
    """Scores on datasets/test."""

    variants: list[Variant] = Field(description="trained models that are scored")
    external: dict[Name, ExternalParams] = Field(
        default_factory=dict, description="further restorers: published results, imported weights, ONNX"
    )
    scoring: ScoringParams = Field(ScoringParams(), description="how all of them are scored")

    @model_validator(mode="after")
    def _names_of_their_own(self) -> EvaluateParams:
        taken = sorted(set(self.external) & set(get_args(Variant)))
        if taken:
            raise ValueError(f"external: {', '.join(taken)} is a variant's name; choose another")
        return self

    @property
    def names(self) -> list[str]:
        """All that is scored, each a folder of reports/evaluate."""
        return [*self.variants, *self.external]
