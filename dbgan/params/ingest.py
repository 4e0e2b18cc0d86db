"""Parameters of ingest: what holds for every layout, and what each layout adds."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, model_validator

from dbgan.params.base import Fraction, Model

Layout = Literal["gopro", "gopro-all", "frames", "video", "captures", "paired", "corpus"]

OF_LAYOUT: dict[str, tuple[str, ...]] = {
    "gopro": ("blur",),
    "gopro-all": (),
    "frames": ("window", "stride", "centre", "response"),
    "video": ("take", "every"),
    "captures": ("session_gap_min",),
    "paired": ("preset", "split", "split_list", "blur_glob", "sharp_glob", "blur_regex", "sharp_regex"),
    "corpus": ("blur_field", "sharp_field"),
}
"""Parameters that only one layout reads: set for another they are an error, and its corpora do not record them."""

PRIVATE = ("blur_glob", "sharp_glob", "blur_regex", "sharp_regex", "split_list")
"""Parameters that hold names of folders and files."""


class IngestParams(Model):
    """How a raw folder becomes a corpus."""

    layout: Layout = Field(description="layout of the raw folder")
    image: Literal["png", "jpg"] = Field("png", description="file type of every image in the corpus")
    shard_samples: int = Field(32, ge=2, le=100_000, description="mean samples per shard; at most twice as many")
    max_reject_fraction: Fraction = Field(0.02, description="share of refused inputs above which the stage fails")
    max_pixels: int = Field(200_000_000, ge=1, description="pictures that promise more pixels are refused unread")
    min_side: int = Field(16, ge=1, description="pictures with a shorter side are refused, px")
    icc: Literal["keep", "srgb"] = Field(
        "keep",
        description="`keep`: pixel values as stored, colour profiles (Display P3 of phones) stay in the pictures; "
        "`srgb`: pictures of another profile are converted to sRGB and encoded anew",
    )
    quality: bool = Field(True, description="measure sharpness, noise, clipping of every picture")
    device: str | dict[str, str] = Field(
        "exif", description="`exif` (make and model), `folder` (top folder), a name, or {glob: name} on relative paths"
    )
    blur: Literal["blur", "blur_gamma"] | None = Field(
        None, description="GOPRO only, required: `blur` averages stored frames, `blur_gamma` averages in linear light"
    )
    window: int = Field(11, ge=2, le=255, description="frames only: M, consecutive frames averaged into a blurry one")
    stride: int = Field(0, ge=0, description="frames only: frames from one window to the next; 0: as long as `window`")
    centre: int = Field(-1, ge=-1, description="frames only: sharp frame of a window, from 0; -1: the middle, M // 2")
    response: Literal["srgb", "gamma", "linear"] = Field(
        "srgb",
        description="frames only: curve that is undone before averaging and applied after it (Eq. 4): `srgb`, `gamma` "
        "(2.2), `linear` (stored values are light)",
    )
    take: Literal["sharp", "blurry"] | None = Field(
        None, description="video only, required: what its frames are, sharp ones or blurry captures"
    )
    every: int = Field(1, ge=1, description="video only: every n-th frame is taken, from the first")
    session_gap_min: float | None = Field(
        None,
        gt=0,
        description="captures only: a folder is cut into sequences where nothing was captured for so many minutes; "
        "null: a folder is a sequence",
    )
    preset: Literal["realblur-j", "realblur-r", "hide", "rsblur", "reds", "bsd"] | None = Field(
        None, description="paired only: a public set whose names are known (docs/data/)"
    )
    split: Literal["train", "val", "test"] | None = Field(
        None, description="paired only: of a preset whose folders name their split, only this one"
    )
    split_list: str = Field(
        "", description="paired only: text file below the root; only pairs that a line of it names are taken"
    )
    blur_glob: str = Field("", description="paired only: blurry files below the root; its `*` name sequence and frame")
    sharp_glob: str = Field("", description="paired only: sharp files below the root, with as many `*`")
    blur_regex: str = Field(
        "",
        description="paired only: the same as a regular expression on the whole path, with groups `frame` and, "
        "where there are several sequences, `sequence`",
    )
    sharp_regex: str = Field("", description="paired only: sharp files, with the same groups")
    blur_field: str = Field(
        "blur", description="corpus only: field of blurry pictures in the tars, before its extension"
    )
    sharp_field: str = Field("sharp", description="corpus only: field of sharp pictures in the tars")

    def told(self) -> dict[str, Any]:
        """The parameters as others may read them: without those of other layouts, and without names of folders.

        Globs name folders, and those name people ("Anna's iPhone"): of `device` only the names they stand for are told.
        """
        foreign = {name for names in OF_LAYOUT.values() for name in names} - {*OF_LAYOUT[self.layout]}
        told = self.model_dump(mode="json", exclude={*foreign, *PRIVATE})
        if isinstance(self.device, dict):
            told["device"] = sorted(set(self.device.values()))
        return told

    @model_validator(mode="after")
    def _only_what_the_layout_reads(self) -> IngestParams:
        for layout, names in OF_LAYOUT.items():
            foreign = sorted(self.model_fields_set & set(names)) if layout != self.layout else []
            foreign = [name for name in foreign if getattr(self, name) != type(self).model_fields[name].default]
            if foreign:
                raise ValueError(f"{', '.join(foreign)}: for layout {layout} only, found layout {self.layout}")
        return self

    @model_validator(mode="after")
    def _layout_needs(self) -> IngestParams:
        if self.layout == "gopro" and self.blur is None:
            raise ValueError("layout gopro needs `blur: blur` or `blur: blur_gamma` (see docs/data/gopro.md on which)")
        if self.layout == "video" and self.take is None:
            raise ValueError("layout video needs `take: sharp` or `take: blurry`: what its frames are")
        if self.layout == "frames" and self.centre >= self.window:
            raise ValueError(f"centre {self.centre} is no frame of a window of {self.window}, counted from 0")
        if self.layout == "paired":
            self._paired_needs()
        return self

    def _paired_needs(self) -> None:
        ways = {
            "preset": bool(self.preset),
            "blur_glob and sharp_glob": bool(self.blur_glob and self.sharp_glob),
            "blur_regex and sharp_regex": bool(self.blur_regex and self.sharp_regex),
        }
        given = [way for way, is_given in ways.items() if is_given]
        if len(given) != 1:
            halves = [name for name in ("blur_glob", "sharp_glob", "blur_regex", "sharp_regex") if getattr(self, name)]
            alone = [f"{name} alone" for name in halves]
            found = f"found {' and '.join(given or alone) or 'none'}"
            raise ValueError(
                "layout paired needs one way to pair: preset, or blur_glob and sharp_glob (such as '*/blur/*.png' and "
                f"'*/sharp/*.png'), or blur_regex and sharp_regex; {found}"
            )
        if self.split and not self.preset:
            raise ValueError("split goes with a preset; a folder, glob or split_list of one's own names a split itself")
        for name in ("blur_regex", "sharp_regex"):
            pattern = getattr(self, name)
            try:
                if pattern and "frame" not in re.compile(pattern).groupindex:
                    raise ValueError(f"{name} {pattern!r} has no group (?P<frame>...)")
            except re.error as error:
                raise ValueError(f"{name} {pattern!r} is no regular expression: {error}") from None
