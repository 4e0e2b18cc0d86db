"""What a corpus says of itself: the part of corpus.json that its builder decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

from dbgan.corpus.layout import ARRAYS, EXTENSIONS, FIELDS, FORMAT_VERSION, Kind
from dbgan.errors import CorpusError


@dataclass(frozen=True, slots=True)
class Header:
    """Everything that holds for the whole corpus. Never a time, host, path or worker count.

    Attributes:
        kind: `paired`, `blurry` or `sharp`; decides the image fields.
        ext: file type of every image, of `layout.EXTENSIONS`.
        name: name of the source or synthetic corpus.
        params: the builder's parameters, JSON-able, as the owner wrote them.
        codecs: versions of the image libraries (`recipe.codec_versions()`).
        device_class: where bytes were computed (`recipe.device_class()`), None where they were only stored.
        synthesized: whether samples carry lineage (source, variant, noise, method, generator).
        quality: whether the manifest's quality measures are filled; else they are null.
        arrays: fields that are no pictures, of `layout.ARRAYS`, which every sample has beside them.
        max_pixels: no picture has more: readers refuse what promises more, and nothing else for its size.
        notes: sentences for the card, such as what is known to be odd about the source.
    """

    kind: Kind
    ext: str
    name: str
    params: Mapping[str, Any]
    codecs: Mapping[str, str]
    device_class: Mapping[str, Any] | None = None
    synthesized: bool = False
    quality: bool = True
    notes: tuple[str, ...] = field(default=())
    max_pixels: int = 200_000_000
    arrays: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"corpus kind {self.kind!r} is not one of {', '.join(get_args(Kind))}")
        if self.ext not in EXTENSIONS:
            raise ValueError(f"image extension {self.ext!r} is not one of {', '.join(EXTENSIONS)}")
        if not isinstance(self.max_pixels, int) or self.max_pixels < 1:
            raise ValueError(f"max_pixels {self.max_pixels!r} is not a number of pixels")
        object.__setattr__(self, "notes", tuple(self.notes))
        object.__setattr__(self, "arrays", tuple(self.arrays))
        if not set(self.arrays) <= set(ARRAYS) or (self.arrays and not self.synthesized):
            raise ValueError(f"arrays {self.arrays!r}: only synthesized corpora have some, of {', '.join(ARRAYS)}")

    @property
    def fields(self) -> tuple[str, ...]:
        """Image fields of every sample."""
        return FIELDS[self.kind]

    @property
    def suffixes(self) -> dict[str, str]:
        """Every member of a sample, in the order of the tar, and what its name ends in after the key and a dot."""
        arrays = {field: f"{field}.{ARRAYS[field]}" for field in self.arrays}
        return {**{field: f"{field}.{self.ext}" for field in self.fields}, **arrays, "json": "json"}

    def to_json(self) -> dict[str, Any]:
        """The header's part of corpus.json."""
        values = asdict(self)
        # Only where there are some: corpora written before there was a choice keep their bytes.
        values |= {"arrays": list(self.arrays)} if values.pop("arrays") else {}
        return {**values, "notes": list(self.notes), "fields": list(self.fields), "format_version": FORMAT_VERSION}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], where: Path) -> Header:
        """The header in a parsed corpus.json; raises `CorpusError` for another format or missing keys."""
        found = values.get("format_version")
        if found != FORMAT_VERSION:
            raise CorpusError(
                f"{where}: expected corpus format {FORMAT_VERSION}, found {found!r}.\n"
                "Next: build the corpus again with this version (`dvc repro`), or read it with the one that wrote it."
            )
        names = [f.name for f in fields(cls) if f.name != "arrays" or f.name in values]
        missing = [name for name in names if name not in values]
        if missing:
            raise CorpusError(f"{where}: no key {', '.join(missing)}.\nNext: build the corpus again (`dvc repro`).")
        try:
            return cls(**{name: values[name] for name in names})
        except (TypeError, ValueError) as error:
            raise CorpusError(f"{where}: {error}.\nNext: build the corpus again (`dvc repro`).") from None
